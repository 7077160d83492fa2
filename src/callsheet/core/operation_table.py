"""Operations as tables for people; with rich they have lines, without it they are plain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from callsheet.display import cut, html_table, number_text, plain_table, printable
from callsheet.model.adjustment import Adjustment
from callsheet.model.operation import Create, Operation, Update
from callsheet.model.record import Identity

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["PendingTable", "counts_table", "names_of", "operation_rows", "operations_table"]

Names = Callable[[Identity], str]
COLUMNS = ("operation", "entity", "values")
SHOWN = 50
WIDEST = 200
"""Characters of one value."""


class PendingTable(tuple[Operation, ...]):
    """The change set of a session: a tuple of operations that prints as a table."""

    names: Names = staticmethod(lambda identity: f"…{str(identity.key)[-8:]}")

    def __str__(self) -> str:
        """A table of the operations that fits the terminal (80 columns where there is none)."""
        if not self:
            return "Nothing is pending."
        shown = self[:SHOWN]
        width = get_terminal_size((80, 24)).columns
        rest = f"\n… and {len(self) - SHOWN:,} more." if len(self) > SHOWN else ""
        return _drawn(operation_rows(shown, self.names), width) + rest

    def _repr_html_(self) -> str:
        rows = operation_rows(self[:SHOWN], self.names)
        rest = f" ({SHOWN} of {len(self):,} are shown)" if len(self) > SHOWN else ""
        return html_table(COLUMNS, rows, f"{len(self):,} pending operations{rest}")


def _drawn(rows: list[tuple[str, str, str]], width: int) -> str:
    try:
        from rich.console import Console
    except ImportError:
        return plain_table(COLUMNS, rows, width)
    console = Console(width=width, color_system=None, force_terminal=False, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        console.print(_table("", rows))
    return capture.get().rstrip("\n")


def names_of(core: Any) -> Names:
    """The labels of entities as far as they are known here; for others the end of the key."""

    def name(identity: Identity) -> str:
        entity_type = core.schema.types.get(identity.entity_type)
        entity = None if entity_type is None else core.identities.family(entity_type.root).get(identity.key)
        label = None if entity is None else entity.peek(entity._type.label)
        return label if isinstance(label, str) and label else f"…{str(identity.key)[-8:]}"

    return name


def operation_rows(operations: Iterable[Operation], names: Names) -> list[tuple[str, str, str]]:
    """One row for each operation: its kind, its entity, and the values it writes."""
    return [
        (
            type(each).__name__.lower(),
            f"{each.identity.entity_type} {cut(names(each.identity), 80)}",
            _values(each, names),
        )
        for each in operations
    ]


def operations_table(title: str, operations: Iterable[Operation], names: Names) -> Table:
    """A table of rich with one row for each operation."""
    return _table(title, operation_rows(operations, names))


def _table(title: str, rows: Iterable[tuple[str, str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS, title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*(Text(printable(cell, lines=False)) for cell in row))
    return table


def counts_table(title: str, recorded: Iterable[Operation], sent: Iterable[Operation]) -> Table:
    """How many operations were recorded, and how many are left after compression, by kind and entity type."""
    from rich.table import Table

    before, after = _counts(recorded), _counts(sent)
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("operation", "all")
    table.add_column("recorded", f"{sum(before.values()):,}", justify="right")
    table.add_column("to send", f"{sum(after.values()):,}", justify="right")
    for kind in before:
        table.add_row(kind, f"{before[kind]:,}", f"{after[kind]:,}" if after[kind] else "-")
    return table


def _counts(operations: Iterable[Operation]) -> Counter[str]:
    return Counter(f"{type(found).__name__.lower()} {found.identity.entity_type}" for found in operations)


def _values(operation: Operation, names: Names) -> str:
    if not isinstance(operation, Create | Update):
        return ""
    before: Mapping[str, Any] = operation.before if isinstance(operation, Update) else {}
    texts = []
    for name, value in operation.values.items():
        was = f"{_text(before[name], names)} → " if before.get(name) is not None else ""
        texts.append(f"{name}: {was}{_text(value, names)}")
    if isinstance(operation, Update):
        texts += [_adjustment(name, each) for name, each in operation.adjusted.items()]
        texts += [f"{name}: -{_members(each, names)}" for name, each in operation.removed.items()]
    texts += [f"{name}: +{_members(each, names)}" for name, each in operation.added.items()]
    return ", ".join(texts)


def _members(members: Iterable[Identity], names: Names) -> str:
    return cut(" ".join(map(names, members)), WIDEST)


def _adjustment(name: str, adjustment: Adjustment) -> str:
    parts = [f"{adjustment.by:+g}"] if adjustment.by else []
    parts += [f"at least {adjustment.low:g}"] if adjustment.low is not None else []
    parts += [f"at most {adjustment.high:g}"] if adjustment.high is not None else []
    return f"{name}: {', '.join(parts)}"


def _text(value: Any, names: Names) -> str:
    if isinstance(value, Identity):
        return cut(names(value), 80)
    return number_text(value) if isinstance(value, float) else cut(str(value), WIDEST)
