"""Hierarchies, levels and members of a cube, as expressions use them. A level is read when it is first used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from callsheet.analytics.mdx.cells import (
    CellValue,
    CubeCells,
    HierarchyDescription,
    LevelDescription,
    MeasureDescription,
    MemberPath,
    MemberRow,
)
from callsheet.analytics.mdx.syntax import Expression
from callsheet.analytics.mdx.text import quoted_name

__all__ = ["Context", "CubeSpace", "MdxDimension", "MdxHierarchy", "MdxLevel", "MdxMember"]


Context: TypeAlias = "tuple[MdxMember, ...]"
"""One member for each hierarchy, measures first."""


class MdxMember:
    """A member: one object for each, so that members are compared by identity.

    ``ordinal`` is its place among the members of its level, ``depth`` the number of levels above its own, All counted;
    in a nested level the number of members above it. ``formula`` is what calculates it; of a member that the cube has
    it is None. ``data_of`` is the member of whose own facts alone it is.
    """

    __slots__ = (
        "caption", "children_read", "covers", "data_of", "depth", "format", "formula", "key", "level", "measure",
        "name", "null", "order", "ordinal", "own", "parent", "path", "properties", "solve_order", "unique_name",
        "visible",
    )  # fmt: skip

    def __init__(self, level: MdxLevel, name: str, path: MemberPath, parent: MdxMember | None) -> None:
        self.level, self.name, self.path, self.parent = level, name, path, parent
        self.key: CellValue = path[-1] if path else None
        self.caption = name
        self.ordinal = 0
        self.order: CellValue = None
        self.properties: dict[str, CellValue] = {}
        self.own: dict[str, Expression] = {}
        self.formula: Expression | None = None
        self.solve_order = -1
        self.format: Expression | str | None = None
        self.measure: MeasureDescription | None = None
        self.visible, self.null = True, False
        self.depth: int = parent.depth + 1 if level.nested and parent is not None else level.number
        self.data_of: MdxMember | None = None
        self.covers: Any = None
        self.children_read: list[MdxMember] | None = None
        self.unique_name = self._unique_name()

    def _unique_name(self) -> str:
        hierarchy = self.level.hierarchy
        parent = self.parent
        if parent is None or parent.level.is_all:
            return f"{hierarchy.unique_name}.{quoted_name(self.name)}"
        return f"{parent.unique_name}.{quoted_name(self.name)}"

    @property
    def hierarchy(self) -> MdxHierarchy:
        """The hierarchy that the member is of."""
        return self.level.hierarchy

    @property
    def calculated(self) -> bool:
        """True if a formula computes it."""
        return self.formula is not None

    @property
    def children(self) -> list[MdxMember]:
        """The members below, in the hierarchy's order; calculated ones are none of them."""
        if self.children_read is None:
            below = self.level.below
            if below is not None and not self.calculated and not self.null:
                self.level.hierarchy.read_below(below)
            if self.children_read is None:
                self.children_read = []
        return self.children_read

    @property
    def paths(self) -> list[MemberPath]:
        """The paths of the facts that are its own: in a nested level also of those below it."""
        if not self.level.nested or self.calculated:
            return [self.path]
        if self.data_of is not None:
            return [self.path]
        found, stack = [], [self]
        while stack:
            member = stack.pop()
            found.append(member.path)
            stack += member.children_read or ()
        return found

    def ancestors(self) -> Iterator[MdxMember]:
        """The member itself, its parent, and so on, up to All."""
        member: MdxMember | None = self
        while member is not None:
            yield member
            member = member.parent

    def ancestor_at(self, level: MdxLevel) -> MdxMember | None:
        """Its ancestor of a level, itself if it is of that level, None if there is none."""
        return next((each for each in self.ancestors() if each.level is level), None)

    def is_within(self, other: MdxMember) -> bool:
        """True if ``other`` is the member itself or above it."""
        return any(each is other for each in self.ancestors())

    def __repr__(self) -> str:
        return self.unique_name


class MdxLevel:
    """A level of a hierarchy; ``number`` counts from the top, All included, ``depth`` without All (All: -1)."""

    def __init__(self, hierarchy: MdxHierarchy, description: LevelDescription, depth: int) -> None:
        self.hierarchy, self.description, self.depth = hierarchy, description, depth
        self.name = description.name
        self.unique_name = f"{hierarchy.unique_name}.{quoted_name(self.name)}"
        self.is_all = depth < 0
        self.nested = description.nested
        self.number = depth + (1 if hierarchy.description.all_name is not None else 0)
        self._read: list[MdxMember] | None = None
        self._by_path: dict[MemberPath, MdxMember] = {}
        self._by_name: dict[str, MdxMember] | None = None

    @property
    def below(self) -> MdxLevel | None:
        """The next lower level."""
        levels = self.hierarchy.levels
        return levels[self.number + 1] if self.number + 1 < len(levels) else None

    @property
    def above(self) -> MdxLevel | None:
        """The next higher level, All included."""
        return self.hierarchy.levels[self.number - 1] if self.number else None

    def members(self) -> list[MdxMember]:
        """Its members in the hierarchy's order, without calculated ones."""
        if self._read is None:
            found = self.hierarchy.read(self)
            self._by_path = {member.path: member for member in found}
            self._read = [member for member in found if member.visible] if self.hierarchy.ragged else found
        return self._read

    def at(self, path: MemberPath) -> MdxMember | None:
        """The member with this path."""
        self.members()
        return self._by_path.get(path)

    def named(self, name: str) -> MdxMember | None:
        """The first member with this name, in any case."""
        if self._by_name is None:
            by_name: dict[str, MdxMember] = {}
            for member in self.members():
                by_name.setdefault(member.name.lower(), member)
            self._by_name = by_name
        return self._by_name.get(name.lower())

    def __repr__(self) -> str:
        return self.unique_name


class MdxDimension:
    """A dimension: the hierarchies that have its name."""

    def __init__(self, name: str) -> None:
        self.name, self.unique_name = name, quoted_name(name)
        self.hierarchies: list[MdxHierarchy] = []


class MdxHierarchy:
    """A hierarchy; ``index`` is its place in a context. Measures are the hierarchy 0."""

    def __init__(self, index: int, description: HierarchyDescription, cells: CubeCells | None) -> None:
        self.index, self.description, self._cells = index, description, cells
        self.name = description.name
        self.unique_name = quoted_name(self.name)
        self.dimension: MdxDimension
        all_level = LevelDescription(description.all_level)
        with_all = description.all_name is not None
        self.levels = [MdxLevel(self, all_level, -1)] if with_all else []
        self.levels += [MdxLevel(self, level, depth) for depth, level in enumerate(description.levels)]
        self.all_member = self._make_all() if with_all else None
        self.calculated: list[MdxMember] = []
        self.null_member = self._make_null()
        self._default: MdxMember | None = None
        self._data: dict[MdxMember, MdxMember] = {}
        self.ragged = any(level.hidden for level in description.levels)

    def _make_all(self) -> MdxMember:
        member = MdxMember(self.levels[0], self.description.all_name or "", (), None)
        member.key = member.name
        return member

    def _make_null(self) -> MdxMember:
        member = MdxMember(self.levels[0], "#null", (), None)
        member.null = True
        return member

    @property
    def default(self) -> MdxMember:
        """The member that stands for the hierarchy where nothing else does."""
        if self._default is None:
            path = self.description.default
            level = self.levels[0] if path is None else self.levels[len(path) - 1 + (self.all_member is not None)]
            found = level.members()[:1] if path is None else [level.at(path)]
            self._default = found[0] if found and found[0] is not None else self.null_member
        return self._default

    @property
    def roots(self) -> list[MdxMember]:
        """The members without a parent."""
        return self.levels[0].members()

    def read(self, level: MdxLevel) -> list[MdxMember]:
        """The members of a level, read from the cube, and sorted as the hierarchy is."""
        if level.is_all:
            return [self.all_member] if self.all_member is not None else []
        assert self._cells is not None
        above, rows = level.above, self._cells.members((self.name, level.depth))
        if level.nested:
            return _nested(level, rows, self.all_member)
        found = []
        for row in rows:
            parent = None if above is None else above.at(row.path[:-1] if not above.is_all else ())
            if above is None or parent is not None:
                found.append(_member(level, row, parent))
        if self.ragged and above is not None:
            return _ragged(found, above)
        found.sort(key=_sibling_key)
        return _numbered(found, above)

    def data_member(self, member: MdxMember) -> MdxMember:
        """The member of a nested level of which only the facts are that belong to none below it."""
        if not member.level.nested or member.formula is not None or not member.children or member.data_of is not None:
            return member
        if member not in self._data:
            own = self._data[member] = MdxMember(member.level, member.name, member.path, member)
            own.caption, own.properties, own.order = member.caption, member.properties, member.order
            own.data_of, own.ordinal, own.children_read = member, member.ordinal, []
        return self._data[member]

    def read_below(self, level: MdxLevel) -> None:
        """The children of the members above a level become known; where members are hidden, those of all levels."""
        for each in self.levels if self.ragged else [level]:
            each.members()

    def __repr__(self) -> str:
        return self.unique_name


def _member(level: MdxLevel, row: MemberRow, parent: MdxMember | None) -> MdxMember:
    hidden = _is_hidden(level.description.hidden, row, parent)
    above = parent.parent if parent is not None and not parent.visible else parent
    member = MdxMember(level, row.name, row.path, above)
    member.visible = not hidden
    member.caption = row.caption or row.name
    member.properties = dict(row.properties)
    member.order = row.order
    return member


def _is_hidden(when: str, row: MemberRow, parent: MdxMember | None) -> bool:
    """Whether a level leaves a member out."""
    if not when:
        return False
    blank = row.path[-1] is None or not row.name.strip()
    return blank or (when == "parent" and parent is not None and row.name == parent.name)


def _append_child(parent: MdxMember, child: MdxMember) -> None:
    if parent.children_read is None:
        parent.children_read = []
    parent.children_read.append(child)


def _ragged(found: list[MdxMember], above: MdxLevel) -> list[MdxMember]:
    """The members below those of a level, in their order, where some are hidden: these have no place."""
    places = {path: place for place, path in enumerate(above._by_path)}
    found.sort(key=lambda member: (places[member.path[:-1] if not above.is_all else ()], order_key(_own_order(member))))
    number = 0
    for member in found:
        if member.parent is not None and member.visible:
            _append_child(member.parent, member)
        member.ordinal = number
        number += member.visible
    return found


def _nested(level: MdxLevel, rows: Sequence[MemberRow], top: MdxMember | None) -> list[MdxMember]:
    """The members of a level that are below each other: each in front of those below it.

    One whose parent is unknown, or itself, is at the top; of a circle, the one that is read first.
    """
    known = {row.path[-1] for row in rows}
    below: dict[Any, list[MemberRow]] = {}
    for row in sorted(rows, key=lambda each: order_key(each.path[-1] if each.order is None else each.order)):
        at_top = row.parent is None or row.parent not in known or row.parent == row.path[-1]
        below.setdefault(None if at_top else row.parent, []).append(row)
    found: list[MdxMember] = []
    left = {row.path[-1]: row for some in below.values() for row in some}
    roots = below.get(None, [])
    while left:
        stack = [(row, top) for row in reversed(roots or [next(iter(left.values()))])]
        roots = []
        while stack:
            row, parent = stack.pop()
            if left.pop(row.path[-1], None) is None:
                continue
            member = _member(level, row, parent)
            member.ordinal, member.children_read = len(found), []
            found.append(member)
            if parent is not None:
                _append_child(parent, member)
            stack += [(each, member) for each in reversed(below.get(row.path[-1], []))]
    return found


def _sibling_key(member: MdxMember) -> Any:
    return (member.parent.ordinal if member.parent is not None else 0, order_key(_own_order(member)))


def _own_order(member: MdxMember) -> CellValue:
    return member.key if member.order is None else member.order


def order_key(value: CellValue) -> tuple[int, Any]:
    """A key that sorts values of several kinds: empty, then numbers, not-a-number, infinity, then text."""
    if value is None:
        return (0, 0)
    if isinstance(value, float) and not math.isfinite(value) and value != -math.inf:
        return (2, 0) if math.isnan(value) else (3, 0)
    if isinstance(value, bool | int | float | Decimal):
        return (1, value)
    return (4, str(value))


def _numbered(members: list[MdxMember], above: MdxLevel | None) -> list[MdxMember]:
    if above is not None:
        for parent in above.members():
            parent.children_read = []
    for ordinal, member in enumerate(members):
        member.ordinal = ordinal
        if member.parent is not None:
            assert member.parent.children_read is not None
            member.parent.children_read.append(member)
    return members


class CubeSpace:
    """All hierarchies of a cube. Levels that were read stay, so one is kept for as long as the cube does not change."""

    def __init__(self, cells: CubeCells) -> None:
        self.cells, self.description = cells, cells.cube()
        self.measures = _measures(self.description.measures)
        self.hierarchies = [self.measures]
        self.hierarchies += [
            MdxHierarchy(index, hierarchy, cells)
            for index, hierarchy in enumerate(self.description.hierarchies, start=1)
        ]
        self.dimensions = self._dimensions()

    def _dimensions(self) -> list[MdxDimension]:
        found: dict[str, MdxDimension] = {}
        for hierarchy in self.hierarchies:
            name = hierarchy.description.dimension or hierarchy.name
            hierarchy.dimension = found.setdefault(name, MdxDimension(name))
            hierarchy.dimension.hierarchies.append(hierarchy)
        return list(found.values())

    def defaults(self) -> tuple[MdxMember, ...]:
        """The context of a query that names nothing."""
        return tuple(hierarchy.default for hierarchy in self.hierarchies)


def _measures(measures: Sequence[MeasureDescription]) -> MdxHierarchy:
    """Measures, as a hierarchy with one level."""
    hierarchy = MdxHierarchy(0, HierarchyDescription("Measures", (LevelDescription("MeasuresLevel", True),)), None)
    level = hierarchy.levels[0]
    members = []
    for ordinal, measure in enumerate(measures):
        member = MdxMember(level, measure.name, (measure.name,), None)
        member.measure, member.format, member.ordinal = measure, measure.format, ordinal
        member.visible, member.caption = measure.visible, measure.caption or measure.name
        members.append(member)
    level._read, level._by_path = members, {member.path: member for member in members}
    return hierarchy
