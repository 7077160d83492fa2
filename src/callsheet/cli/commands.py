"""The command group: which commands there are, and how errors are told."""

from __future__ import annotations

import sys
from errno import ENOSPC
from importlib import import_module
from os import devnull
from typing import Any

import click

from callsheet.errors import CallsheetError, Disconnected
from callsheet.model.schema import did_you_mean

__all__ = ["COMMANDS", "callsheet"]

COMMANDS = (
    "audit",
    "clone",
    "conform",
    "demo",
    "doctor",
    "events",
    "listen",
    "plugins",
    "query",
    "resume",
    "roles",
    "schema",
    "seed",
    "serve",
    "shell",
    "sync",
    "users",
)


class Commands(click.Group):
    """Commands imported when they are asked for, so that none waits for what only another needs."""

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

    def invoke(self, ctx: click.Context) -> Any:
        """Errors of Callsheet are for people to read; a traceback would hide them."""
        from callsheet.cli.terminal import printable, tolerant

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
            if error.errno != ENOSPC:
                raise
            # What could not be written would be written once more when Python ends.
            sys.stdout = open(devnull, "w")  # noqa: SIM115
            raise click.ClickException(f"the output cannot be written: {error.strerror}") from error
        return result


_UNREACHED = "Is a server running (`callsheet serve`), and is this its address (--server, CALLSHEET_SERVER)?"


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="callsheet", message="%(prog)s %(version)s")
def callsheet() -> None:
    """Callsheet: a unit of work for entity servers, and a server of its own.

    New here? `callsheet demo` imports the cut of a film and shows what happens.
    """
