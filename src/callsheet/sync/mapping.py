"""Which column goes into which attribute, and what happens to its values on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.model.record import NOT_SET
from callsheet.sync.external import External, as_external

__all__ = ["MEMBERS", "Children", "Column", "DeletePolicy", "RowMapping", "as_mapping"]

Function = Callable[[Mapping[str, Any]], Any]
MEMBERS = ("replace", "add")
"""What becomes of members and items that a cell does not list."""
DeletePolicy = str | Mapping[str, Any] | Callable[[Mapping[str, Any]], str | Mapping[str, Any]]
"""What becomes of entities without a row: a word, the values they get, or a function that says which."""


@frozen
class Column:
    """What one column of the rows becomes.

    ``to`` is the path of an attribute: ``name``, ``status.name`` (the status of that name), ``metadata.lens``,
    ``assignees.username`` (a list of people). ``values`` replaces values, ``default`` stands where the column is
    missing or empty, ``split`` cuts a text into the members of a list, ``pattern`` reads dates (as
    `datetime.strptime` does), ``zone`` is the time zone of times that have none, ``decimal`` the decimal mark of
    numbers (a point or a comma). With ``external`` the cells are ids of another system, and ``to`` is the reference or
    collection that gets the entities linked to them (see `callsheet.external`; a text is the system's name).
    ``members`` is for collections and for mappings as a whole (``metadata``): with ``"replace"`` the entity has what
    the cell lists and nothing else, with ``"add"`` what is not listed stays.

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
    external: str | External = ""
    members: str = field(
        default="replace", metadata={"is": "What becomes of members that are not listed.", "words": MEMBERS}
    )


@frozen
class Children:
    """What the rows within a row become: entities of a type, each with a key of its own below its parent's.

    ``parent`` is the reference that leads to the entity of the row around them. ``mapping`` is that of the children's
    columns: a dict or a `RowMapping`, which may have children too.

    ``delete`` says, as in `plan`, what becomes of entities below the row's entity that its list does not name (a row
    without the column says nothing of them). ``scope`` is a condition that narrows these down, ``max_deleted`` the
    largest share of them that may go (None: that of the rows around).

    >>> Children("Shot", "name", {"name": "name"}).parent
    'parent'
    """

    entity_type: str
    key: str | tuple[str, ...] | External
    mapping: Any = None
    parent: str = "parent"
    delete: DeletePolicy = "keep"
    scope: str = ""
    max_deleted: float | None = None


@frozen
class RowMapping:
    """How rows become attributes.

    ``columns`` maps a column to an attribute path, or to a `Column`. ``constants`` maps an attribute path to a value
    that all rows have, ``templates`` one to a text with columns in braces (``"{seq}_{shot}"``), ``functions`` one to
    a function that is given the row, ``children`` a column with rows within the row to their `Children`. Columns that
    are not named are left out.

    >>> RowMapping({"Shot": "name"}, constants={"project.name": "sintel"}).targets
    ('name', 'project.name')
    """

    columns: Mapping[str, str | Column] = field(factory=dict)
    constants: Mapping[str, Any] = field(factory=dict)
    templates: Mapping[str, str] = field(factory=dict)
    functions: Mapping[str, Function] = field(factory=dict)
    children: Mapping[str, Children] = field(factory=dict)

    @property
    def targets(self) -> tuple[str, ...]:
        """The attribute paths that get a value."""
        columns = (given.to if isinstance(given, Column) else given for given in self.columns.values())
        return (*columns, *self.constants, *self.templates, *self.functions)

    @property
    def added_to(self) -> frozenset[str]:
        """The paths of collections and mappings that keep what a cell does not list."""
        columns = (given for given in self.columns.values() if isinstance(given, Column))
        return frozenset(given.to for given in columns if given.members == "add")

    @property
    def externals(self) -> dict[str, External]:
        """The paths that are found by ids of another system."""
        columns = (given for given in self.columns.values() if isinstance(given, Column) and given.external)
        return {given.to: as_external(given.external) for given in columns}


def as_mapping(given: Any) -> RowMapping | None:
    """A mapping from what a caller gives: None (each column is named like its attribute), a dict, a `RowMapping`."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        given = RowMapping(given)
    if not isinstance(given, RowMapping):
        kind = type(given).__name__
        raise UsageError(f"a mapping is a dict of columns and attribute paths or a RowMapping, not {kind}")
    if problems := list(_problems(given)):
        raise UsageError(f"mapping: {'; '.join(problems)}")
    return given


def _problems(given: RowMapping) -> Iterator[str]:
    """The problems of a mapping, one text for each."""
    for name, to in given.columns.items():
        if isinstance(to, Column):
            yield from (f"column {name!r}: {wrong}" for wrong in _wrong_options(to))
        elif not isinstance(to, str):
            yield f"column {name!r} goes to an attribute path or a Column, not {to!r:.80}"
    yield from (
        f"children of {name!r} are `Children(type, key, mapping)`, not {child!r:.80}"
        for name, child in given.children.items()
        if not isinstance(child, Children)
    )
    for text in (*given.constants, *given.templates, *given.functions):
        if not isinstance(text, str):
            yield f"an attribute path is a text, not {text!r:.80}"
    yield from (
        f"the template of `{n}` is a text, not {t!r:.80}" for n, t in given.templates.items() if not isinstance(t, str)
    )
    yield from (
        f"the function of `{n}` is called with the row; {f!r:.80} cannot be"
        for n, f in given.functions.items()
        if not callable(f)
    )


def _wrong_options(column: Column) -> Iterator[str]:
    for name in ("to", "split", "pattern", "zone", "decimal"):
        if not isinstance(value := getattr(column, name), str):
            yield f"`{name}` is a text, not {value!r:.80}"
    if not isinstance(column.external, str | External):
        yield f"`external` is the name of a system or `callsheet.external(…)`, not {column.external!r:.80}"
    if column.decimal not in ("", ".", ","):
        yield f"`decimal` is a point or a comma, not {column.decimal!r:.80}"
    if column.members not in MEMBERS:
        yield f'`members` is "replace" or "add", not {column.members!r:.80}'
    if not isinstance(column.values, Mapping):
        yield f"`values` is a dict of values to replace, not {column.values!r:.80}"
