"""``callsheet query``: what a query finds, as a table, a tree or a chart for people, or as data for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
import msgspec

from callsheet.cli.connection import connected
from callsheet.cli.query_chart import bars, draw_bars
from callsheet.cli.query_tree import drawn, grown
from callsheet.cli.terminal import Terminal, data_stream, printable
from callsheet.export.delimited import DelimitedText
from callsheet.export.layout import with_key
from callsheet.export.pages import ColumnPages
from callsheet.model.schema import Attribute, EntityType, Schema

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]

FORMS = ("table", "tree", "chart", "plain", "csv", "json")
COLUMNS = 8
ROWS = 500
WRITTEN_BY_THE_SERVER = ("created_at", "created_by", "updated_at", "updated_by")


@click.command("query")
@click.argument("text")
@click.option("--format", "form", type=click.Choice(FORMS), help="How; a table on a terminal, plain in a pipe.")
@connected
def command(session: Session, text: str, form: str | None) -> None:
    """Print what a query finds.

    TEXT is a query, such as 'Task where status.name is "Done"' or
    'select name, parent.name from Shot order by name limit 10'.

    On a terminal it is a table that fits the window; `tree` shows each entity below what it is in, `chart` a bar for
    each row. In a pipe it is plain: columns apart by tabs. Plain text, JSON and CSV are streamed, however many rows
    there are. The columns of CSV are those of `callsheet export`, and the key.
    """
    if form is None:
        form = "table" if sys.stdout.isatty() else "plain"
    _PRINT[form](session, text)


def _print_tree(session: Session, text: str) -> None:
    terminal = Terminal()
    roots, count = grown(session, text, ROWS)
    drawn(terminal, roots)
    if terminal.console.is_terminal:
        terminal.say(_summary(count, True), style="dim")


def _print_chart(session: Session, text: str) -> None:
    query, _ = _with_columns(session, text)
    rows = list(query.records())
    names = [".".join(path.names) for path in query.select_statement.projections]
    draw_bars(Terminal(), bars(rows, names))


def _print_plain(session: Session, text: str) -> None:
    """Columns apart by tabs, below their names; a cell has neither tabs nor ends of lines of its own."""
    query, _ = _with_columns(session, text)
    names = [".".join(path.names) for path in query.select_statement.projections]
    with data_stream() as stream:
        stream.write("\t".join(printable(name, lines=False) for name in names) + "\n")
        for row in query.records():
            stream.write("\t".join(printable(_exact(row.get(name)), lines=False) for name in names) + "\n")


def _with_columns(session: Session, text: str) -> tuple[Any, bool]:
    """The query, with columns that say most if it chooses none; and whether it does."""
    query = session.query(text)
    if query.select_statement.projections:
        return query, True
    entity_type = session.schema.type(query.select_statement.entity_type)
    return query.select(*_default_columns(session.schema, entity_type)), False


def _print_table(session: Session, text: str) -> None:
    """Columns of the user's choice, or those that say most; names instead of keys."""
    query, chosen = _with_columns(session, text)
    projections = [path.names for path in query.select_statement.projections]
    rows = list(islice(query.records(), ROWS + 1))
    shown = rows[:ROWS]
    names = [name for name in _columns(shown) if chosen or any(row.get(name) is not None for row in shown)]
    names = names if ("id",) in projections else [name for name in names if name != "id"] or names
    terminal = Terminal()
    terminal.table(names, ([_exact(row.get(name)) for name in names] for row in shown), short=True)
    terminal.say(_summary(len(rows), chosen), style="dim")


def _summary(found: int, chosen: bool) -> str:
    if found > ROWS:
        return f"The first {ROWS} rows; --format csv or json prints all."
    rows = f"{found} row{'' if found == 1 else 's'}."
    return rows if chosen else f"{rows} Choose columns with: select name, … from …"


def _columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Every name that occurs, in the order of occurrence: subtypes may have attributes of their own."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _default_columns(schema: Schema, entity_type: EntityType) -> list[str]:
    """The columns that identify an entity: its label, then references by their label, then values."""
    attributes = [entity_type.attributes[name] for name in entity_type.attributes if name != "id"]
    references = [_reference(schema, found) for found in attributes if found.kind == "reference" and _plain(found)]
    values = [found.name for found in attributes if found.kind == "scalar" and _plain(found)]
    names = dict.fromkeys([entity_type.label, *filter(None, references), *values])
    return list(names)[:COLUMNS]


def _plain(attribute: Attribute) -> bool:
    audit = attribute.computed in WRITTEN_BY_THE_SERVER
    return attribute.data_type not in ("json", "custom") and not audit and attribute.name != "sort"


def _reference(schema: Schema, attribute: Attribute) -> str | None:
    target = schema.type(str(attribute.target))
    return f"{attribute.name}.{target.label}" if target.label in target.attributes else None


def _print_json(session: Session, text: str) -> None:
    encode = msgspec.json.Encoder().encode
    separator = "[\n"
    with data_stream() as stream:
        for record in session.query(text).records():
            stream.write(separator + encode(record).decode())
            separator = ",\n"
        stream.write("[]\n" if separator == "[\n" else "\n]\n")


def _print_csv(session: Session, text: str) -> None:
    """The columns come from the schema, so that rows can be streamed; the key is always one of them."""
    query = session.query(text)
    pages = ColumnPages.of(query, with_key(session.schema, query.select_statement))
    with data_stream() as stream:
        writer = DelimitedText(stream, pages.columns, "\n")
        while not pages.are_read:
            writer.write(session.run(pages.fetch()))


def _exact(value: Any) -> str:
    """A value in one cell, whole; lists and JSON data as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode().strip('"')


_PRINT: dict[str, Callable[[Session, str], None]] = {
    "table": _print_table,
    "tree": _print_tree,
    "chart": _print_chart,
    "plain": _print_plain,
    "csv": _print_csv,
    "json": _print_json,
}
