"""Operations as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.table import Table

from callsheet.model.adjustment import Adjustment
from callsheet.model.operation import Create, Operation, Update
from callsheet.model.record import Identity

__all__ = ["counts_table", "operations_table"]

Names = Callable[[Identity], str]


def counts_table(title: str, recorded: Iterable[Operation], sent: Iterable[Operation]) -> Table:
    """How many operations were recorded, and how many are left after compression, by kind and entity type."""
    before, after = _counts(recorded), _counts(sent)
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("operation", "all")
    table.add_column("recorded", f"{sum(before.values()):,}", justify="right")
    table.add_column("to send", f"{sum(after.values()):,}", justify="right")
    for kind in before:
        table.add_row(kind, f"{before[kind]:,}", f"{after[kind]:,}" if after[kind] else "-")
    return table


def operations_table(title: str, operations: Iterable[Operation], names: Names) -> Table:
    """One row for each operation, with the values it writes."""
    table = Table("operation", "entity", "values", title=title, title_justify="left")
    for operation in operations:
        entity = f"{operation.identity.entity_type} {names(operation.identity)}"
        table.add_row(type(operation).__name__.lower(), entity, _values(operation, names))
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
    texts += [_adjustment(name, each) for name, each in _adjusted(operation).items()]
    return ", ".join(texts)


def _adjusted(operation: Operation) -> Mapping[str, Adjustment]:
    return operation.adjusted if isinstance(operation, Update) else {}


def _adjustment(name: str, adjustment: Adjustment) -> str:
    parts = [f"{adjustment.by:+g}"] if adjustment.by else []
    parts += [f"at least {adjustment.low:g}"] if adjustment.low is not None else []
    parts += [f"at most {adjustment.high:g}"] if adjustment.high is not None else []
    return f"{name}: {', '.join(parts)}"


def _text(value: Any, names: Names) -> str:
    if isinstance(value, Identity):
        return names(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
