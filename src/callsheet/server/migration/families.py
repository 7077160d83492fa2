"""How the table of a family becomes that of the new schema: which columns stay, are renamed, filled, or dropped.

Pure. Where all rows of a column stay as they are, it stays, or gets another name; in every other case a new column is
filled and takes its place.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen

from callsheet.model.schema import Attribute
from callsheet.server.migration.cells import Cures, cure_of
from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.store.layout import layout_of

__all__ = ["ColumnPlan", "FamilyPlan", "Filling", "concrete_origins", "family_plan", "is_other"]


@frozen
class Filling:
    """The values of a column for the rows of one type: ``source`` is the old column; with ``cell`` they change."""

    entity_type: str
    attribute: str
    source: str | None
    cell: bool


@frozen
class ColumnPlan:
    """One column of the new table. ``kept`` is the old column that it was, if that stays or is renamed.

    Rows of the types ``emptied`` lose what they have in it; ``fillings`` are done, in place or in a new column.
    """

    name: str
    kept: str | None
    fillings: tuple[Filling, ...] = ()
    emptied: tuple[str, ...] = ()


@frozen
class FamilyPlan:
    """The table of a new root type: the old one that it was (None: it is new), and its columns."""

    root: str
    base: str | None
    columns: tuple[ColumnPlan, ...] = ()
    dropped: tuple[str, ...] = ()
    renamed_types: dict[str, str] = field(factory=dict)
    lost_types: tuple[str, ...] = ()
    moved_types: tuple[str, ...] = ()
    """New types of this family whose rows are in another table."""


def concrete_origins(both: Correspondence, root: str) -> dict[str, str]:
    """The old type of each new type of a family that had rows, or could have."""
    return {
        name: both.origins[name]
        for name, each in both.new.types.items()
        if each.root == root and name in both.origins and not both.old.types[both.origins[name]].abstract
    }


def _bases(both: Correspondence) -> dict[str, str]:
    """The old table of each new family: that of its root type, or else of the first of its types that had one."""
    found: dict[str, str] = {}
    roots = [name for name, each in both.new.types.items() if not each.parent]
    for first in (True, False):
        for root in roots:
            members = [root] if first else [name for name, each in both.new.types.items() if each.root == root]
            for name in members:
                old = both.old.types[both.origins[name]].root if name in both.origins else None
                if old is not None and root not in found and old not in found.values():
                    found[root] = old
    return found


def family_plan(both: Correspondence, cures: Cures) -> Iterator[FamilyPlan]:
    """The plan of each family of the new schema."""
    bases = _bases(both)
    for name, each in both.new.types.items():
        if not each.parent:
            yield _plan(both, cures, name, bases.get(name))


def _plan(both: Correspondence, cures: Cures, root: str, base: str | None) -> FamilyPlan:
    if base is None:
        return FamilyPlan(root, None, moved_types=tuple(concrete_origins(both, root)))
    old = both.old
    members = concrete_origins(both, root)
    here = {name: origin for name, origin in members.items() if old.types[origin].root == base}
    gone = tuple(name for name in both.lost_types if old.types[name].root == base and not old.types[name].abstract)
    columns = tuple(_columns(both, cures, root, base, here))
    kept = {column.kept for column in columns}
    dropped = tuple(c.name for c in layout_of(old).tables[base].c if c.name not in kept and not _is_own(c.name))
    return FamilyPlan(
        root,
        base,
        columns,
        dropped,
        {origin: name for name, origin in here.items() if name != origin},
        gone,
        tuple(name for name in members if name not in here),
    )


def _is_own(name: str) -> bool:
    return name == "id" or name.startswith("_")


def _columns(both: Correspondence, cures: Cures, root: str, base: str, here: dict[str, str]) -> Iterator[ColumnPlan]:
    table, was = layout_of(both.new).tables[root], layout_of(both.old).tables[base]
    used: set[str] = set()
    for column in table.c:
        if _is_own(column.name):
            continue
        attribute, _, part = column.name.partition("__")
        fillings = [each for name in here if (each := _filling(both, cures, name, attribute, part)) is not None]
        sources = {each.source for each in fillings}
        source = next(iter(sources)) if len(sources) == 1 else None
        if source is None or source in used or str(was.c[source].type) != str(column.type):
            yield ColumnPlan(column.name, None, tuple(each for each in fillings if each.source or each.cell))
            continue
        used.add(source)
        having = {each.entity_type for each in fillings}
        emptied = tuple(origin for name, origin in here.items() if name not in having and _has(both, origin, source))
        yield ColumnPlan(column.name, source, tuple(each for each in fillings if each.cell), emptied)


def _has(both: Correspondence, origin: str, column: str) -> bool:
    return column.partition("__")[0] in both.old.types[origin].attributes


def _filling(both: Correspondence, cures: Cures, name: str, attribute: str, part: str) -> Filling | None:
    """Where the values of a column come from, for one type; None if the type has no such attribute."""
    here = both.new.types[name].attributes.get(attribute)
    if here is None:
        return None
    there = both.carried(name, attribute)
    if part:
        was = layout_of(both.old).tables[both.old.types[both.origins[name]].root]
        source = None if there is None else f"{there.name}__{part}"
        return Filling(name, attribute, source if source is not None and source in was.c else None, False)
    other = is_other(there, here) or cure_of(cures, both.new, name, attribute) != cure_of({}, both.new, name, "")
    return Filling(name, attribute, None if there is None else there.name, other)


def is_other(there: Attribute | None, here: Attribute) -> bool:
    """Whether a value of the old attribute may be none of the new one, or may need another form.

    >>> is_other(Attribute("a", data_type="enum", choices=("x",)), Attribute("a", data_type="enum", choices=("x", "y")))
    False
    >>> is_other(Attribute("a"), Attribute("a", required=True))
    True
    """
    if there is None:
        return here.required
    if there.data_type != here.data_type and (there.data_type, here.data_type) != ("enum", "string"):
        return True
    narrower = here.data_type == "enum" and not set(there.choices) <= set(here.choices)
    return narrower or (here.required and not there.required) or (here.composed and not there.composed)
