"""From member to member, and from hierarchies and levels to their members."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from attrs import frozen

from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.members import MdxDimension, MdxHierarchy, MdxLevel, MdxMember
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.scope import NamedSet
from callsheet.analytics.mdx.values import as_text, whole

__all__ = ["LevelList"]


@frozen
class LevelList:
    """The levels of a hierarchy, of which only the number can be had."""

    size: int


def _ones(members: Iterable[MdxMember]) -> list[Any]:
    return [(member,) for member in members]


@mdx_function("any.Members")
def members(evaluation: Evaluation, context: Context, of: Any) -> list[Any]:
    """All members of a level, a hierarchy or a dimension; calculated ones are left out."""
    if isinstance(of, MdxLevel):
        return evaluation.shown(of.members())
    return evaluation.shown(evaluation.members_of(evaluation.as_hierarchy(of)))


@mdx_function("any.AllMembers")
def all_members(evaluation: Evaluation, context: Context, of: Any) -> list[Any]:
    """All members of a level or a hierarchy, calculated ones included."""
    found = members(evaluation, context, of)
    hierarchy = evaluation.as_hierarchy(of)
    calculated = evaluation.scope.calculated[hierarchy.index]
    if isinstance(of, MdxLevel):
        calculated = [member for member in calculated if member.level is of]
    return found + _ones(calculated)


@mdx_function("member.Children")
def children(evaluation: Evaluation, context: Context, member: MdxMember) -> list[Any]:
    """The members below a member."""
    return evaluation.shown(member.children)


@mdx_function("member.Parent")
def parent(evaluation: Evaluation, context: Context, member: MdxMember) -> MdxMember:
    """The member above a member."""
    return member.hierarchy.null_member if member.parent is None else member.parent


@mdx_function("hierarchy.CurrentMember")
def current_member(evaluation: Evaluation, context: Context, hierarchy: MdxHierarchy) -> MdxMember:
    """The member of a hierarchy in the context."""
    return context[hierarchy.index]


@mdx_function("hierarchy.DefaultMember")
def default_member(evaluation: Evaluation, context: Context, hierarchy: MdxHierarchy) -> MdxMember:
    """The member that stands for the hierarchy where nothing else does."""
    return hierarchy.default


@mdx_function("member.DataMember")
def data_member(evaluation: Evaluation, context: Context, member: MdxMember) -> MdxMember:
    """The member with its own facts only: of one of a nested level without those below it, else itself."""
    return member.hierarchy.data_member(member)


def _siblings(member: MdxMember) -> list[MdxMember]:
    return member.level.members() if member.parent is None else member.parent.children


@mdx_function("member.Siblings")
def siblings(evaluation: Evaluation, context: Context, member: MdxMember) -> list[Any]:
    """The members with the same parent, itself included."""
    return [] if member.null else evaluation.shown(_siblings(member))


@mdx_function("member.FirstSibling")
def first_sibling(evaluation: Evaluation, context: Context, member: MdxMember) -> MdxMember:
    """The first member with the same parent."""
    return member if member.null else _siblings(member)[0]


@mdx_function("member.LastSibling")
def last_sibling(evaluation: Evaluation, context: Context, member: MdxMember) -> MdxMember:
    """The last member with the same parent."""
    return member if member.null else _siblings(member)[-1]


@mdx_function("member.FirstChild")
def first_child(evaluation: Evaluation, context: Context, member: MdxMember) -> MdxMember:
    """The first member below a member."""
    return member.children[0] if member.children else member.hierarchy.null_member


@mdx_function("member.LastChild")
def last_child(evaluation: Evaluation, context: Context, member: MdxMember) -> MdxMember:
    """The last member below a member."""
    return member.children[-1] if member.children else member.hierarchy.null_member


def moved(member: MdxMember, steps: int) -> MdxMember:
    """The member so many places later in its level, or no member."""
    if member.null or steps == 0:
        return member
    if member.calculated or member.covers is not None:
        return member.hierarchy.null_member
    level, place = member.level.members(), member.ordinal + steps
    if member.level.nested:
        level = [each for each in level if each.depth == member.depth]
        place = level.index(member) + steps
    return level[place] if 0 <= place < len(level) else member.hierarchy.null_member


@mdx_function("member.PrevMember")
def previous_member(evaluation: Evaluation, context: Context, member: MdxMember) -> MdxMember:
    """The member in front of a member, in its level."""
    return moved(member, -1)


@mdx_function("member.NextMember")
def next_member(evaluation: Evaluation, context: Context, member: MdxMember) -> MdxMember:
    """The member after a member, in its level."""
    return moved(member, 1)


@mdx_function("member.Lag(number)")
def lag(evaluation: Evaluation, context: Context, member: MdxMember, steps: float | None) -> MdxMember:
    """The member so many places earlier in its level."""
    return moved(member, -whole(steps))


@mdx_function("member.Lead(number)")
def lead(evaluation: Evaluation, context: Context, member: MdxMember, steps: float | None) -> MdxMember:
    """The member so many places later in its level."""
    return moved(member, whole(steps))


@mdx_function("Cousin(member, member)")
def cousin(evaluation: Evaluation, context: Context, member: MdxMember, ancestor: MdxMember) -> MdxMember:
    """The member at the same place below another ancestor."""
    return placed_alike(member, ancestor)


def placed_alike(member: MdxMember, ancestor: MdxMember) -> MdxMember:
    """The member below an ancestor that is at the same places as a member is below its own."""
    nothing = member.hierarchy.null_member
    if member.null or ancestor.null or member.depth < ancestor.depth:
        return nothing
    places = []
    current = member
    while current.depth > ancestor.depth:
        if current.parent is None:
            return nothing
        places.append(next((at for at, each in enumerate(current.parent.children) if each is current), -1))
        current = current.parent
    found = ancestor
    for place in reversed(places):
        if not 0 <= place < len(found.children):
            return nothing
        found = found.children[place]
    return found


@mdx_function("Ancestor(member, any)")
def ancestor(evaluation: Evaluation, context: Context, member: MdxMember, at: Any) -> MdxMember:
    """The ancestor at a level, or so many levels above."""
    nothing = member.hierarchy.null_member
    if isinstance(at, MdxLevel):
        if at.hierarchy is not member.hierarchy:
            raise MdxError(f"{member!r} has no ancestor in {at!r}: that is another hierarchy")
        return member.ancestor_at(at) or nothing
    steps = whole(evaluation.converted("number", at, context))
    if steps < 0:
        return nothing
    for number, each in enumerate(member.ancestors()):
        if number == steps:
            return each
    return nothing


@mdx_function("Ancestors(member, any)")
def ancestors(evaluation: Evaluation, context: Context, member: MdxMember, at: Any) -> list[Any]:
    """The ancestors up to a level, or so many of them, the parent first."""
    if isinstance(at, MdxLevel):
        above = ancestor(evaluation, context, member, at)
        return [] if above.null else _ones(each for each in member.ancestors() if each.is_within(above))[1:]
    steps = whole(evaluation.converted("number", at, context))
    return _ones(list(member.ancestors())[1 : steps + 1])


@mdx_function("Ascendants(member)")
def ascendants(evaluation: Evaluation, context: Context, member: MdxMember) -> list[Any]:
    """The member, its parent, and so on."""
    return [] if member.null else _ones(member.ancestors())


_FLAGS = {
    "SELF": (True, False, False), "AFTER": (False, False, True), "BEFORE": (False, True, False),
    "BEFORE_AND_AFTER": (False, True, True), "SELF_AND_AFTER": (True, False, True),
    "SELF_AND_BEFORE": (True, True, False), "SELF_BEFORE_AFTER": (True, True, True),
}  # fmt: skip


@mdx_function("Descendants(any, any?, word?)")
def descendants(
    evaluation: Evaluation, context: Context, of: Any, at: Any = None, flag: str | None = None
) -> list[Any]:
    """The members below members: at a level or a distance, with those before and after it as the flag says."""
    if flag is not None and flag != "LEAVES" and flag not in _FLAGS:
        raise MdxError(f"`{flag}` is no flag of Descendants", -1, nearest_name(flag, [*_FLAGS, "LEAVES"]))
    tops = [each[0] for each in evaluation.as_set(of, context)]
    if isinstance(at, MdxLevel) and at.nested and flag in (None, "SELF"):
        flag = "SELF_AND_AFTER"
    found: list[Any] = []
    for top in tops:
        found += evaluation.shown(_below(evaluation, top, _depth(evaluation, top, at, context), flag, at is None))
    return found


def _depth(evaluation: Evaluation, top: MdxMember, at: Any, context: Context) -> int | None:
    if at is None:
        return None
    if isinstance(at, MdxLevel):
        # All members of a nested level are of that level, whatever is above them.
        return top.depth if top.level is at else at.number
    return top.depth + whole(evaluation.converted("number", at, context))


def _below(
    evaluation: Evaluation, top: MdxMember, depth: int | None, flag: str | None, everything: bool
) -> Iterator[MdxMember]:
    """A member and those below it, parents first, that a depth and a flag select."""
    if everything and flag is None:
        flag, depth = "SELF_BEFORE_AFTER", top.depth
    if depth is None:
        depth = top.depth if flag != "LEAVES" else 10_000
    here, before, after = _FLAGS.get(flag or "SELF", (True, False, False))
    deepest = depth if not after else 10_000
    stack = [top]
    while stack:
        evaluation.clock.tick()
        member = stack.pop()
        number = member.depth
        if flag == "LEAVES":
            if number <= depth and not member.children:
                yield member
        elif (number == depth and here) or (number < depth and before) or (number > depth and after):
            yield member
        if number < deepest:
            stack.extend(reversed(member.children))


@mdx_function("any.Level")
def level(evaluation: Evaluation, context: Context, of: Any) -> MdxLevel:
    """The level of a member."""
    return of if isinstance(of, MdxLevel) else evaluation.as_member(of, context).level


@mdx_function("any.Hierarchy")
def hierarchy(evaluation: Evaluation, context: Context, of: Any) -> MdxHierarchy:
    """The hierarchy of a member or a level."""
    return evaluation.as_hierarchy(of)


@mdx_function("any.Dimension")
def dimension(evaluation: Evaluation, context: Context, of: Any) -> MdxDimension:
    """The dimension of a member, a level or a hierarchy."""
    return of if isinstance(of, MdxDimension) else evaluation.as_hierarchy(of).dimension


@mdx_function("hierarchy.Levels(value)", "Levels(value)")
def levels(evaluation: Evaluation, context: Context, of: Any, which: Any = None) -> MdxLevel:
    """A level of a hierarchy by its number, All is 0, or by its name."""
    if which is None:
        found = evaluation.names.find(_parsed_name(of))
        return evaluation.as_level(found)
    if isinstance(which, str):
        for each in evaluation.as_hierarchy(of).levels:
            if each.name.lower() == which.lower():
                return each
        names = [each.name for each in of.levels]
        raise MdxError(f"{of!r} has no level `{which}`", -1, nearest_name(which, names))
    if not 0 <= whole(which) < len(of.levels):
        raise MdxError(f"{of!r} has no level {which}; its levels are 0 to {len(of.levels) - 1}")
    levels_of: list[MdxLevel] = of.levels
    return levels_of[whole(which)]


@mdx_function("hierarchy.Levels")
def all_levels(evaluation: Evaluation, context: Context, of: MdxHierarchy) -> LevelList:
    """The levels of a hierarchy, to be counted."""
    return LevelList(len(of.levels))


def _parsed_name(text: Any) -> Any:
    from callsheet.analytics.mdx.parser import parse_expression

    segments = getattr(parse_expression(as_text(text)), "segments", ())
    if not segments:
        raise MdxError(f"a level is named, not {as_text(text)!r}")
    return segments


@mdx_function("Dimensions(value)")
def dimensions(evaluation: Evaluation, context: Context, which: Any) -> MdxHierarchy:
    """A hierarchy by its number, measures are 0, or by its name."""
    known = evaluation.space.hierarchies
    if isinstance(which, str):
        for each in known:
            if which.lower() in (each.name.lower(), each.unique_name.lower()):
                return each
        raise MdxError(f"there is no hierarchy `{which}`", -1, nearest_name(which, [each.name for each in known]))
    if which is None or not 0 <= whole(which) < len(known):
        raise MdxError(f"there is no hierarchy {which}; they are 0 to {len(known) - 1}")
    return known[whole(which)]


@mdx_function("CalculatedChild(member, text)", "member.CalculatedChild(text)")
def calculated_child(evaluation: Evaluation, context: Context, member: MdxMember, name: str) -> MdxMember:
    """The calculated member with this name below a member."""
    for each in evaluation.scope.under(member, member.hierarchy):
        if each.name.lower() == (name or "").lower():
            return each
    return member.hierarchy.null_member


@mdx_function("any.CurrentOrdinal")
def current_ordinal(evaluation: Evaluation, context: Context, named: Any) -> int:
    """The place of the current tuple in a named set, from 0."""
    tuples = evaluation.as_set(named, context)
    current = _current(tuples, context)
    return tuples.index(current) if current in tuples else -1


def _current(tuples: list[Any], context: Context) -> Any:
    if not tuples:
        return None
    return tuple(context[member.level.hierarchy.index] for member in tuples[0])


@mdx_function("any.Current")
def current_tuple(evaluation: Evaluation, context: Context, of: Any) -> Any:
    """The current tuple of a named set; of a hierarchy the current member."""
    if not isinstance(of, NamedSet | list):
        return current_member(evaluation, context, evaluation.as_hierarchy(of))
    current = _current(evaluation.as_set(of, context), context)
    return evaluation.space.measures.null_member if current is None else current
