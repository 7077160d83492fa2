"""The command group: the commands, and how their errors are printed."""

from __future__ import annotations

import sys
from errno import ENOSPC
from importlib import import_module
from os import devnull
from typing import Any

import click
from click.exceptions import Exit

from callsheet.cli.terminal import printable, tolerant
from callsheet.config import log_level
from callsheet.errors import CallsheetError, Disconnected
from callsheet.model.schema import did_you_mean

__all__ = ["COMMANDS", "callsheet"]

COMMANDS = (
    "accept",
    "audit",
    "clone",
    "config",
    "conform",
    "cube",
    "demo",
    "doctor",
    "dump",
    "events",
    "export",
    "history",
    "listen",
    "load",
    "log",
    "login",
    "logout",
    "plugins",
    "profiles",
    "query",
    "resume",
    "roles",
    "scenario",
    "schema",
    "seed",
    "serve",
    "shell",
    "stubs",
    "sync",
    "undo",
    "uploads",
    "users",
    "whoami",
    "workspaces",
)


class Commands(click.Group):
    """Commands, each imported when it is run, so that none imports what only another needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            from callsheet.cli.added import added_command

            found = added_command(cmd_name)
            if found is None and not ctx.resilient_parsing:
                ctx.fail(f"No such command '{cmd_name}'{did_you_mean(cmd_name, COMMANDS)}")
            return found
        command: click.Command = import_module(f"callsheet.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, and below them those of plugins."""
        super().format_commands(ctx, formatter)
        from callsheet.cli.added import added_commands

        if rows := added_commands(COMMANDS):
            with formatter.section("Commands of plugins"):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors are printed as one message, without a traceback."""
        tolerant()
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except Disconnected as error:
            raise click.ClickException(printable(f"{error}\n{_UNREACHED}")) from error
        except CallsheetError as error:
            raise click.ClickException(printable(str(error))) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _system_refused(error) from error
        except (click.ClickException, click.Abort, Exit):
            raise
        except Exception as error:
            if log_level() == "DEBUG":
                raise
            raise click.ClickException(printable(f"{type(error).__name__}: {error}\n{_UNFORESEEN}")) from error
        return result


def _system_refused(error: OSError) -> click.ClickException:
    """The error of the operating system, in its own words."""
    if error.errno == ENOSPC and error.filename is None:
        # Else Python would try to write the buffer again when it ends.
        sys.stdout = open(devnull, "w")  # noqa: SIM115
        return click.ClickException(f"the output cannot be written: {error.strerror}")
    named = f"{printable(str(error.filename))}: " if error.filename is not None else ""
    return click.ClickException(f"{named}{error.strerror or printable(str(error))}")


_UNFORESEEN = "This error is unexpected: CALLSHEET_LOG_LEVEL=DEBUG shows where it happened."
_UNREACHED = "Is a server running (`callsheet serve`), and is this its address (--server, CALLSHEET_SERVER)?"


def _show_completion(ctx: click.Context, _: click.Parameter, shell: str | None) -> None:
    if shell is None or ctx.resilient_parsing:
        return
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.command, {}, "callsheet", "_CALLSHEET_COMPLETE").source())
    ctx.exit()


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--show-completion",
    type=click.Choice(["bash", "zsh", "fish"]),
    is_eager=True,
    expose_value=False,
    callback=_show_completion,
    help="Print the script that completes commands and options in this shell, and exit.",
)
@click.version_option(package_name="callsheet", message="%(prog)s %(version)s")
def callsheet() -> None:
    """Callsheet: a unit of work for entity servers, and a server of its own.

    New here? `callsheet demo` imports the cut of a film and shows what happens.
    """
