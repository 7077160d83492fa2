"""``callsheet cube``: the cubes of a server are listed, shown, asked and watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from callsheet.analytics.frames import cell_text
from callsheet.cli.connection import connected
from callsheet.cli.query_chart import draw_bars
from callsheet.cli.terminal import Terminal, data, data_stream, printable
from callsheet.errors import UsageError
from callsheet.measures import TOTAL

if TYPE_CHECKING:
    from callsheet.analytics.cube_frames import CubeFrame
    from callsheet.analytics.cube_watching import CubeChange
    from callsheet.session.blocking import Session

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])

_NAME = click.argument("name")


def _question(command: F) -> F:
    """What is asked of a cube: measures, levels, facts, order."""
    for option in reversed(
        (
            click.argument("measures", nargs=-1),
            click.option("--by", "levels", multiple=True, help="A level: Sequence, or Start.Month. May be repeated."),
            click.option("--where", help="Which facts, in the query language: 'duration > 60'."),
            click.option("--totals", is_flag=True, help="Rows for each shorter list of levels, too."),
            click.option("--empty", is_flag=True, help="Also members without facts."),
            click.option("--order", multiple=True, help="A column to order by; with - first, the largest first."),
            click.option("--limit", type=click.IntRange(0), help="The first rows only."),
        )
    ):
        command = option(command)
    return command


def _asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `_question` as arguments of a cube's verb."""
    return {
        "levels": list(given["levels"]),
        "filter": given["where"],
        "totals": given["totals"],
        "include_empty_rows": given["empty"],
        "order": list(given["order"]),
        "limit": given["limit"],
    }


@click.group("cube", short_help="List, show, ask and watch the cubes of a server.")
def command() -> None:
    """List, show, ask and watch cubes: numbers about entities, by hierarchies and measures that people share."""


@command.command("list")
@connected
def listed(session: Session) -> None:
    """List the cubes."""
    cubes = session.cubes
    columns, rows = cubes._grid()
    Terminal().table(columns, rows, short=True)
    if not rows:
        Terminal(err=True).say("There are no cubes; `callsheet cube load FILE` makes one of its text.")


@command.command("show")
@_NAME
@click.option("--toml", is_flag=True, help="As the text that `callsheet cube load` reads.")
@connected
def show(session: Session, name: str, toml: bool) -> None:
    """Show the hierarchies and measures of the cube NAME."""
    cube = session.cubes[name]
    if toml:
        with data_stream() as stream:
            stream.write(cube.to_toml())
        return
    terminal = Terminal()
    terminal.say(f"{cube.name}, a cube of {cube.table.plural}. {cube.description}".rstrip())
    for part in (cube.levels, cube.measures):
        columns, rows = part._grid()
        terminal.table(columns, rows, title=part._title())


@command.command("load")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@connected
def load(session: Session, path: Path) -> None:
    """Make the cube of the text in the file PATH, or make the one of its name equal to it, and commit that."""
    # A cube of this name is found by it.
    list(session.cubes)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8") from None
    cube = session.create_cube_from_toml(text, replace=True)
    if cube.entity is None:
        raise UsageError("this server keeps no cubes: its schema lacks the types Cube, CubeHierarchy and CubeMeasure")
    number = len(session.pending)
    session.commit()
    Terminal().say(f"{cube.name}: {number} changes committed." if number else f"{cube.name} was so already.")


@command.command("query")
@_NAME
@_question
@click.option("--at", type=click.IntRange(0), multiple=True, help="A position of the log; several are a column.")
@click.option("--scenario", multiple=True, help="A scenario; several are a column.")
@click.option("--chart", is_flag=True, help="A bar for each row.")
@click.option("--csv", is_flag=True, help="As CSV.")
@click.option("--json", is_flag=True, help="As a list of objects.")
@connected
def query(session: Session, name: str, measures: tuple[str, ...], **given: Any) -> None:
    """Print MEASURES of the cube NAME by levels; without measures, all that it has."""
    frame = session.cubes[name].query(
        *measures,
        **_asked(given),
        at=_axis(given["at"]),
        scenario=_axis(given["scenario"]),
    )
    if given["csv"]:
        with data_stream() as stream:
            stream.write(frame.to_csv().replace("\r\n", "\n"))
    elif given["json"]:
        with data_stream() as stream:
            stream.write(msgspec.json.encode([_plain(row) for row in frame]).decode() + "\n")
    elif given["chart"]:
        draw_bars(Terminal(), _bars(frame))
    else:
        columns, rows = frame._grid()
        Terminal().table(columns, rows, short=True)
        if frame.truncated is not None:
            Terminal(err=True).say(f"The server cut the rows at {frame.truncated:,}.")


@command.command("watch")
@_NAME
@_question
@click.option("--since", type=click.IntRange(0), help="A position of the log: first show what differs from there.")
@click.option("--changes", type=click.IntRange(1), help="End after so many changes, the first answer included.")
@click.option("--chart", is_flag=True, help="On a terminal, a bar for each row.")
@click.option("--json", is_flag=True, help="An object on a line for each row that differs.")
@connected
def watch(session: Session, name: str, measures: tuple[str, ...], **given: Any) -> None:
    """Show MEASURES of the cube NAME by levels, again whenever commits change them, until Ctrl C.

    On a terminal the table is drawn again. Elsewhere each row that differs is a line: the position of the log, whether
    the row is there at `first`, or `added`, `changed` or `removed`, its levels, and its measures.
    """
    changes = session.cubes[name].watch(
        *measures,
        **_asked(given),
        since=given["since"],
    )
    with changes:
        for number, change in enumerate(changes, 1):
            if given["json"]:
                for line in _json_lines(change):
                    data(line)
            elif Terminal().console.is_terminal:
                _redraw(Terminal(), change, given["chart"])
            else:
                for line in _text_lines(change):
                    data(line)
            if number == given["changes"]:
                return


def _redraw(terminal: Terminal, change: CubeChange, chart: bool) -> None:
    """Draw an answer in place of the last one; what is new or different is said below it."""
    terminal.console.clear()
    if chart:
        draw_bars(terminal, _bars(change.frame))
    else:
        columns, rows = change.frame._grid()
        terminal.table(columns, rows, short=True)
    counts = {kind: sum(each.kind == kind for each in change.cells) for kind in ("added", "changed", "removed")}
    differing = "".join(f", {number:,} {kind}" for kind, number in counts.items() if number)
    terminal.say(f"As of position {change.position}{differing}. Ctrl C ends.", style="dim")


def _rows_of(change: CubeChange) -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]]:
    """The kind of each row that differs, its levels, and its measures before and after; at first, all rows."""
    if not change.first:
        for cell in change.cells:
            yield cell.kind, dict(cell.levels), _or_none(cell.before), _or_none(cell.after)
        return
    levels, measures = change.frame.dimensions, change.frame.measures
    for row in change.frame:
        yield "first", {name: row[name] for name in levels}, None, {name: row[name] for name in measures}


def _or_none(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else dict(values)


def _text_lines(change: CubeChange) -> Iterator[str]:
    for kind, levels, _, after in _rows_of(change):
        cells = [*levels.values(), *(after or {}).values()]
        texts = [printable(cell_text(cell), lines=False) for cell in cells]
        yield "\t".join([str(change.position), kind, *texts])


def _json_lines(change: CubeChange) -> Iterator[str]:
    for kind, levels, before, after in _rows_of(change):
        row = {"position": change.position, "kind": kind, "levels": _plain(levels), "before": before, "after": after}
        yield msgspec.json.encode(row).decode()


def _axis(given: tuple[Any, ...]) -> Any:
    return list(given) if len(given) > 1 else given[0] if given else None


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: "total" if value is TOTAL else value for name, value in row.items()}


def _bars(frame: CubeFrame) -> list[tuple[str, float]]:
    """A bar for each row that is no total: its levels, and its first measure."""
    rows, (first, *_) = frame.without_totals().to_rows(), frame.measures
    found = []
    for row in rows:
        value = row[first]
        if not isinstance(value, int | float | None):
            raise UsageError(f"`{first}` is no number, so it has no bars")
        label = ", ".join("(none)" if row[each] is None else str(row[each]) for each in frame.dimensions)
        found.append((label or first, float(value or 0)))
    return found
