"""Names become what they mean: members, levels, hierarchies, dimensions, named sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.members import CubeSpace, MdxDimension, MdxHierarchy, MdxLevel, MdxMember
from callsheet.analytics.mdx.registry import FUNCTIONS, is_property
from callsheet.analytics.mdx.scope import NamedSet, QueryScope
from callsheet.analytics.mdx.syntax import NameExpression, NameSegment
from callsheet.analytics.mdx.text import expression_text

__all__ = ["MdxNames", "Named"]

Named: TypeAlias = MdxMember | MdxLevel | MdxHierarchy | MdxDimension | NamedSet


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


class MdxNames:
    """Looks names up, in the scope of a query."""

    def __init__(self, space: CubeSpace, scope: QueryScope) -> None:
        self.space, self.scope = space, scope

    def find(self, segments: Sequence[NameSegment]) -> Named:
        """What a name means; `MdxError` if it means nothing."""
        found, used = self._first(segments)
        for at in range(used, len(segments)):
            below = self._below(found, segments[at])
            if below is None:
                raise self._unknown(segments, found, at)
            found = below
        return found

    def _first(self, segments: Sequence[NameSegment]) -> tuple[Named, int]:
        """What a name begins with, and the number of segments that it takes."""
        name = segments[0].name
        if segments[0].keys:
            raise MdxError(f"`&[{name}]` needs a hierarchy or a level in front", segments[0].position)
        if len(segments) == 1 and name.lower() in self.scope.sets:
            return self.scope.sets[name.lower()], 1
        for dimension in self.space.dimensions:
            if _same(dimension.name, name):
                return dimension, 1
        for hierarchy in self.space.hierarchies:
            if _same(hierarchy.name, name):
                return hierarchy, 1
        return self._bare(segments), 1

    def _bare(self, segments: Sequence[NameSegment]) -> Named:
        """A name without its hierarchy: a calculated member, a root, a member of a first level, or a level."""
        name = segments[0].name
        for known in self.scope.calculated:
            for member in known:
                if _same(member.name, name):
                    return member
        for find in (self._root, self._first_member, self._level):
            for hierarchy in self.space.hierarchies:
                found = find(hierarchy, name)
                if found is not None:
                    return found
        raise self._unknown(segments, None, 0)

    @staticmethod
    def _root(hierarchy: MdxHierarchy, name: str) -> Named | None:
        return hierarchy.levels[0].named(name)

    @staticmethod
    def _first_member(hierarchy: MdxHierarchy, name: str) -> Named | None:
        return hierarchy.levels[1].named(name) if hierarchy.all_member and len(hierarchy.levels) > 1 else None

    @staticmethod
    def _level(hierarchy: MdxHierarchy, name: str) -> Named | None:
        return next((level for level in hierarchy.levels if _same(level.name, name)), None)

    def _below(self, found: Named, segment: NameSegment) -> Named | None:
        if isinstance(found, MdxDimension):
            return self._in_dimension(found, segment)
        if isinstance(found, MdxHierarchy):
            return self._in_hierarchy(found, segment)
        if isinstance(found, MdxLevel):
            return self._in_level(found, segment)
        if isinstance(found, MdxMember):
            return self._child(found, segment)
        return None

    def _in_dimension(self, dimension: MdxDimension, segment: NameSegment) -> Named | None:
        first = dimension.hierarchies[0]
        found = self._in_hierarchy(first, segment)
        if found is not None:
            return found
        for hierarchy in dimension.hierarchies:
            short = hierarchy.name.removeprefix(dimension.name + ".")
            if not segment.keys and (_same(short, segment.name) or _same(hierarchy.name, segment.name)):
                return hierarchy
        for hierarchy in dimension.hierarchies[1:]:
            level = None if segment.keys else self._level(hierarchy, segment.name)
            if level is not None:
                return level
        return None

    def _in_hierarchy(self, hierarchy: MdxHierarchy, segment: NameSegment) -> Named | None:
        if segment.keys:
            levels = hierarchy.levels[1:2] if hierarchy.all_member else hierarchy.levels[:1]
            return _keyed(levels[0].members(), segment.keys) if levels else None
        name = segment.name
        for member in reversed(self.scope.calculated[hierarchy.index]):
            if (member.parent is None or member.parent.level.is_all) and _same(member.name, name):
                return member
        return self._level(hierarchy, name) or self._root(hierarchy, name) or self._first_member(hierarchy, name)

    def _in_level(self, level: MdxLevel, segment: NameSegment) -> Named | None:
        if segment.keys:
            return _keyed(level.members(), segment.keys)
        for member in self.scope.calculated[level.hierarchy.index]:
            if member.level is level and _same(member.name, segment.name):
                return member
        return level.named(segment.name)

    def _child(self, member: MdxMember, segment: NameSegment) -> Named | None:
        if segment.keys:
            return _keyed(member.children, segment.keys)
        for child in self.scope.under(member, member.hierarchy):
            if _same(child.name, segment.name):
                return child
        return next((child for child in member.children if _same(child.name, segment.name)), None)

    def parent_of_new(self, name: NameExpression) -> MdxHierarchy | MdxMember:
        """What a calculated member is defined under: a hierarchy, or a member."""
        if len(name.segments) < 2:
            text = expression_text(name)
            raise MdxError(
                f"`{text}` needs its hierarchy", name.position, f"write [Measures].[{name.segments[0].name}]"
            )
        found = self.find(name.segments[:-1])
        if isinstance(found, MdxDimension):
            return found.hierarchies[0]
        if isinstance(found, MdxLevel):
            return found.hierarchy
        if isinstance(found, NamedSet):
            raise MdxError(f"`{expression_text(name)}`: a member cannot be in a set's name", name.position)
        return found

    def _unknown(self, segments: Sequence[NameSegment], found: Named | None, at: int) -> MdxError:
        text = expression_text(NameExpression(tuple(segments)))
        missing = segments[at]
        known = list(self._known_below(found))
        if at and not missing.quoted:
            known += [each[0].name for each in FUNCTIONS.values() if is_property(each[0].name)]
        where = (
            ""
            if found is None
            else f" in {found!r}"
            if not isinstance(found, MdxDimension)
            else f" in {found.unique_name}"
        )
        message = f"there is no `{missing.name}`{where} of the cube {self.space.description.name} ({text})"
        return MdxError(message, missing.position, nearest_name(missing.name, known))

    def _known_below(self, found: Named | None) -> Iterable[str]:
        if found is None:
            names: list[Any] = [*self.space.dimensions, *self.space.hierarchies, *self.scope.sets.values()]
            return [each.name for each in names]
        if isinstance(found, MdxDimension):
            found = found.hierarchies[0]
        calculated: list[MdxMember] = []
        if isinstance(found, MdxHierarchy):
            calculated = self.scope.calculated[found.index]
            levels = found.levels[:2]
            below: list[Any] = [*levels, *(member for level in levels for member in level.members()), *calculated]
            return [each.name for each in below]
        if isinstance(found, MdxLevel):
            return [member.name for member in found.members()[:10_000]]
        return [child.name for child in found.children] if isinstance(found, MdxMember) else []


def _keyed(members: Iterable[MdxMember], keys: tuple[str, ...]) -> MdxMember | None:
    """The member whose key, or last keys, these are; keys of several levels are in the order of either end."""
    wanted = [key.lower() for key in keys]
    for member in members:
        path = [_key_text(key).lower() for key in member.path[-len(keys) :]]
        if path == wanted or path == wanted[::-1]:
            return member
    return None


def _key_text(key: Any) -> str:
    if key is None:
        return "#null"
    return str(int(key)) if isinstance(key, float) and key.is_integer() else str(key)
