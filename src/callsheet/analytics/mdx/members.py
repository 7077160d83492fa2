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

    ``ordinal`` is its place among the members of its level. ``formula`` is what calculates it; of a member that the
    cube has it is None.
    """

    __slots__ = (
        "caption", "children_read", "covers", "format", "formula", "key", "level", "measure", "name", "null", "order",
        "ordinal", "own", "parent", "path", "properties", "solve_order", "unique_name", "visible",
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
    def depth(self) -> int:
        """The number of levels above its own, All counted."""
        return self.level.number

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
                below.members()
            if self.children_read is None:
                self.children_read = []
        return self.children_read

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
            self._read = self.hierarchy.read(self)
            self._by_path = {member.path: member for member in self._read}
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
        above = level.above
        found = []
        for row in self._cells.members((self.name, level.depth)):
            parent = None if above is None else above.at(row.path[:-1] if not above.is_all else ())
            if above is None or parent is not None:
                found.append(_member(level, row, parent))
        found.sort(key=_sibling_key)
        return _numbered(found, above)

    def __repr__(self) -> str:
        return self.unique_name


def _member(level: MdxLevel, row: MemberRow, parent: MdxMember | None) -> MdxMember:
    member = MdxMember(level, row.name, row.path, parent)
    member.caption = row.caption or row.name
    member.properties = dict(row.properties)
    member.order = row.order
    return member


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
