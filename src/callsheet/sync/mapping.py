"""Which column goes into which attribute, and what happens to its values on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.model.record import NOT_SET

__all__ = ["Column", "RowMapping", "as_mapping"]

Function = Callable[[Mapping[str, Any]], Any]


@frozen
class Column:
    """What one column of the rows becomes.

    ``to`` is the path of an attribute: ``name``, ``status.name`` (the status of that name), ``metadata.lens``,
    ``assignees.username`` (a list of people). ``values`` replaces values, ``default`` stands where the column is
    missing or empty, ``split`` cuts a text into the members of a list, ``pattern`` reads dates (as
    `datetime.strptime` does), ``zone`` is the time zone of times that have none, ``decimal`` the decimal mark of
    numbers (a point or a comma).

    >>> Column("status.name", values={"wip": "In Progress"}).to
    'status.name'
    """

    to: str
    values: Mapping[Any, Any] = field(factory=dict)
    default: Any = NOT_SET
    split: str = ""
    pattern: str = ""
    zone: str = ""
    decimal: str = ""


@frozen
class RowMapping:
    """How rows become attributes.

    ``columns`` maps a column to an attribute path, or to a `Column`. ``constants`` maps an attribute path to a value
    that all rows have, ``templates`` one to a text with columns in braces (``"{seq}_{shot}"``), ``functions`` one to
    a function that is given the row. Columns that are not named are left out.

    >>> RowMapping({"Shot": "name"}, constants={"project.name": "sintel"}).targets
    ('name', 'project.name')
    """

    columns: Mapping[str, str | Column] = field(factory=dict)
    constants: Mapping[str, Any] = field(factory=dict)
    templates: Mapping[str, str] = field(factory=dict)
    functions: Mapping[str, Function] = field(factory=dict)

    @property
    def targets(self) -> tuple[str, ...]:
        """The attribute paths that get a value."""
        columns = (given.to if isinstance(given, Column) else given for given in self.columns.values())
        return (*columns, *self.constants, *self.templates, *self.functions)


def as_mapping(given: Any) -> RowMapping | None:
    """A mapping from what a caller gives: None (each column is named like its attribute), a dict, a `RowMapping`."""
    if given is None or isinstance(given, RowMapping):
        return given
    if isinstance(given, Mapping):
        for name, to in given.items():
            if not isinstance(to, str | Column):
                raise UsageError(f"mapping: column {name!r} goes to an attribute path or a Column, not {to!r:.80}")
        return RowMapping(given)
    raise UsageError(f"a mapping is a dict of columns and attribute paths or a RowMapping, not {type(given).__name__}")
