"""Commands that plugins give: functions of a session, whose further parameters become options."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

import click

from callsheet import plugins
from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, counted, printable
from callsheet.dialects import dialect_names

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["added_command", "added_commands", "command_of"]


def added_command(name: str) -> click.Command | None:
    """The command of this name that a plugin registered; None if there are no plugins.

    Only a session has the plugins' commands. So the server's options are parsed first, then the command's own.
    """
    if not _has_plugins():
        return None

    @click.command(name, add_help_option=False, context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @connected
    def run(session: Session, arguments: tuple[str, ...]) -> None:
        session.open()
        function = session.commands.get(name)
        if function is None:
            known = ", ".join(sorted(session.commands)) or "none"
            raise click.UsageError(f"No such command '{name}'; plugins give: {known}.")
        command_of(name, function, session).main(list(arguments), prog_name=f"callsheet {name}", standalone_mode=False)

    return run


def _has_plugins() -> bool:
    named = any(plugins.environment_paths(os.environ, each) for each in dialect_names())
    return named or bool(plugins.discover((), entry_points=True))


def added_commands(taken: Container[str]) -> list[tuple[str, str]]:
    """The commands of plugins with the first line of their docstrings, for the help; those ``taken`` are not reached.

    Plugins are registered with a session for that: on the server of the environment if that is reached at once, or else
    on an empty one in this process.
    """
    if not _has_plugins():
        return []
    from callsheet.errors import CallsheetError
    from callsheet.session.blocking import Session

    named = bool(os.environ.get("CALLSHEET_SERVER"))
    for options in ([{"timeout": 2.0, "retries": 0}] if named else []) + [{"server_url": "memory:"}]:
        try:
            with Session(**options) as session:
                found = {name: inspect.getdoc(each) or "" for name, each in session.commands.items()}
        except CallsheetError:
            continue
        return [(printable(name), _first_line(text)) for name, text in sorted(found.items()) if name not in taken]
    return [("(unknown)", "Their plugins need a server that is not reached.")]


def _first_line(text: str) -> str:
    return printable(text.partition("\n")[0])


def command_of(name: str, function: Callable[..., Any], session: Session) -> click.Command:
    """A command that calls a function with the session and prints what it returns, if anything.

    It fails if the function leaves changes uncommitted, as they would be lost silently.

    A parameter with a default becomes an option of its type, one without an argument.
    """

    def run(**options: Any) -> None:
        result = function(session, **options)
        if result is not None:
            Terminal().say(str(result))
        if session.pending:
            raise click.ClickException(
                f"{name}: {counted(len(session.pending), 'change')} not committed; "
                "the plugin's function has to call session.commit()"
            )

    parameters = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    return click.Command(
        name,
        callback=run,
        params=[_parameter(each) for each in parameters],
        help=inspect.getdoc(function),
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _parameter(parameter: inspect.Parameter) -> click.Parameter:
    kind = parameter.annotation if parameter.annotation in (str, int, float, bool) else None
    if parameter.default is inspect.Parameter.empty:
        return click.Argument([parameter.name], type=kind)
    option = f"--{parameter.name.replace('_', '-')}"
    if kind is bool:
        option = f"{option}/--no-{option[2:]}"
    return click.Option([option], type=kind, default=parameter.default, show_default=True)
