"""``callsheet plugins``: which plugins a session has, from where, and what they added."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
import msgspec

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, data
from callsheet.plugins import Plugin
from callsheet.session import builtin

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("plugins", short_help="List plugins: where they were found, what they added.")
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True),
    help="Instead of CALLSHEET_PLUGIN_PATH; several times.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How.")
@connected
def command(session: Session, paths: tuple[str, ...], form: str) -> None:
    """List the plugins of a session: where they were found, and what they added.

    Plugins are run for that. The exit status is 1 where one failed; its traceback is in the log.
    """
    if paths:
        session.plugging = session.plugging.at(paths)
    session.open()
    found = [*map(_built_in, builtin.ROOMS), *session.plugging.found]
    if form == "json":
        data(msgspec.json.encode([_plain(plugin) for plugin in found]).decode())
    else:
        _print(found)
    if any(plugin.error is not None for plugin in found):
        sys.exit(1)


def _built_in(room: str) -> Plugin:
    """A built-in package of Callsheet, as a plugin of every session."""
    module = import_module(room)
    purpose = (inspect.getdoc(module) or room).splitlines()[0]
    return Plugin(room, "callsheet", "built-in", module.register, added=[purpose])


def _plain(plugin: Plugin) -> dict[str, Any]:
    error = plugin.problem or None
    return {
        "name": plugin.name,
        "kind": plugin.kind,
        "source": plugin.source,
        "added": plugin.added,
        "error": error,
    }


def _print(found: list[Plugin]) -> None:
    terminal = Terminal()
    rows: list[tuple[str, str, str, str | list[str]]] = []
    for plugin in found:
        added = plugin.added if plugin.error is None else f"failed: {plugin.problem}"
        rows.append((plugin.name, plugin.kind, plugin.source, added or "nothing"))
    terminal.table(("plugin", "kind", "found at", "added"), rows)
    if all(plugin.kind == "built-in" for plugin in found):
        terminal.say("No others. Name folders of plugins in CALLSHEET_PLUGIN_PATH.")
