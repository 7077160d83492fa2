"""Rows within rows: lists of children in a column become the rows of a step of their own, keyed through their parent.

Theory. A child is identified by its parent's key and its own. So its row gets the parent's key beside its own
columns, as the attribute paths that lead through the reference to the parent (``parent.name``), read as the parent's
columns are. The children of all rows are collected while these are read, and planned after them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, frozen

from callsheet.errors import UsageError
from callsheet.sync.cells import Row
from callsheet.sync.external import External
from callsheet.sync.listed_parents import ListedParents
from callsheet.sync.mapping import Children, Column, RowMapping, as_mapping
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.spill import SpilledList

__all__ = ["Nested"]


@frozen
class NestedRows:
    """The children of one column, counted by themselves."""

    collected: SpilledList[dict[str, Any]]

    def numbered_rows(self) -> Iterator[Row]:
        """The children with their numbers, from 1."""
        return (Row(number, values) for number, values in enumerate(self.collected, 1))


class Nested:
    """The children of a step's rows, by column."""

    def __init__(self, step: PlanStep) -> None:
        self._step = step
        self._mapping = as_mapping(step.mapping) or RowMapping()
        self._found = {column: NestedRows(SpilledList()) for column in self._mapping.children}
        #: Where children that are not listed end: below which entities.
        self.parents = {
            column: ListedParents(child.parent)
            for column, child in self._mapping.children.items()
            if child.delete != "keep"
        }

    def collect(self, source: Iterator[Row]) -> Iterator[Row]:
        """The rows, as they are; their children are kept."""
        if not self._found:
            yield from source
            return
        for row in source:
            for column, child in self._mapping.children.items():
                if column in self.parents:
                    self.parents[column].note(row.number, column in row.values)
                above = {_below(child, text): value for text, value in self._key_values(row).items()}
                for values in _listed(row, column, child):
                    self._found[column].collected.append({**values, **above})
            yield row

    def steps(self) -> list[PlanStep]:
        """The steps of the children."""
        return [
            evolve(self._child_step(child, self._found[column]), parents=self.parents.get(column))
            for column, child in self._mapping.children.items()
        ]

    def _child_step(self, child: Children, rows: NestedRows) -> PlanStep:
        mapping = as_mapping(child.mapping) or RowMapping()
        above = {_below(child, text): evolve(own, to=_below(child, text)) for text, own in self._key_columns().items()}
        key: Any = child.key
        if not isinstance(key, External):
            own = (key,) if isinstance(key, str) else tuple(key)
            key = (*(path for path in above if path not in own), *own)
        step = PlanStep(child.entity_type, rows, key, evolve(mapping, columns={**mapping.columns, **above}))
        most = self._step.max_deleted if child.max_deleted is None else child.max_deleted
        return evolve(step, on_error=self._step.on_error, delete=child.delete, scope=child.scope, max_deleted=most)

    def _key_columns(self) -> dict[str, Column]:
        """How the parts of the parent's key are read, by their paths; an id of another system has none."""
        if isinstance(self._step.key, External):
            return {"": Column("", external=self._step.key)}
        given = {}
        for own in self._mapping.columns.values():
            column = own if isinstance(own, Column) else Column(own)
            given[column.to] = column
        return {text: given.get(text, Column(text)) for text in self._step.key}

    def _key_values(self, row: Row) -> dict[str, Any]:
        """What a row gives for its key, before it is read."""
        if isinstance(self._step.key, External):
            return {"": row.values.get(self._step.key.column)}
        return {text: self._value(row, text) for text in self._step.key}

    def _value(self, row: Row, text: str) -> Any:
        mapping = self._mapping
        for column, own in mapping.columns.items():
            if (own.to if isinstance(own, Column) else own) == text:
                return row.values.get(column)
        if text in mapping.constants:
            return mapping.constants[text]
        try:
            if text in mapping.templates:
                return mapping.templates[text].format_map(row.values)
            return mapping.functions[text](row.values) if text in mapping.functions else None
        except Exception:
            # The parent's row is refused for the same reason, with all that is wrong.
            return None


def _below(child: Children, text: str) -> str:
    """A path of the parent as its child sees it."""
    return f"{child.parent}.{text}" if text else child.parent


def _listed(row: Row, column: str, child: Children) -> list[Mapping[str, Any]]:
    """The children in a column; where they have one column only, mere values stand for rows."""
    given = row.values.get(column)
    if given is None:
        return []
    found = [given] if isinstance(given, Mapping) else given
    columns = (as_mapping(child.mapping) or RowMapping()).columns
    if len(columns) == 1 and isinstance(found, list | tuple):
        (only,) = columns
        found = [each if isinstance(each, Mapping) else {only: each} for each in found]
    if not isinstance(found, list | tuple) or not all(isinstance(each, Mapping) for each in found):
        raise UsageError(f"row {row.number}, {column}: children are a list of rows, not {given!r:.80}")
    return list(found)
