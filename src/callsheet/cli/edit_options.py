"""The options that say how an edit is read, shared by the commands that read one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from callsheet.conform.edit import EditOptions

__all__ = ["edit_options"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--rate", type=float, metavar="FPS", help="Frames per second, where the file does not say it (EDL)."),
    click.option("--timeline", default="", metavar="NAME", help="Which of several timelines: its name or number."),
    click.option("--track", default="", metavar="NAME", help="Which video track: name, number, or `seen` for all."),
    click.option(
        "--nested",
        type=click.Choice(["refuse", "one", "open"]),
        default="refuse",
        show_default=True,
        help="Nested items: one shot each, or opened so that their clips are shots.",
    ),
    click.option("--muted", is_flag=True, help="Muted clips are shots too."),
    click.option("--generated", is_flag=True, help="Titles, bars and black are shots too."),
)


def edit_options(command: F) -> F:
    """Add the options; the command gets them as one `EditOptions`, its argument ``options``."""

    @functools.wraps(command)
    def run(**arguments: Any) -> Any:
        chosen = {name: arguments.pop(name) for name in ("rate", "timeline", "track", "nested", "muted", "generated")}
        return command(options=EditOptions(**chosen), **arguments)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run  # type: ignore[return-value]
