"""Sets that are drilled down, and up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.functions.ranking import ranked
from callsheet.analytics.mdx.members import MdxLevel, MdxMember
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.values import whole

__all__: list[str] = []


def _drilled(tuples: list[Any], at: int, place: int) -> bool:
    """True if the next tuple is below this one, in a place."""
    if at + 1 >= len(tuples):
        return False
    member, following = tuples[at][place], tuples[at + 1][place]
    return following is not member and bool(following.is_within(member))


def _with(members: Any, place: int, child: MdxMember) -> Any:
    return (*members[:place], child, *members[place + 1 :])


def _levels_drilled(
    tuples: list[Any], level: MdxLevel | None, place: int, below: Callable[[Any, int], list[MdxMember]]
) -> list[Any]:
    """Each tuple whose member is of the level, followed by those below it, unless they follow already."""
    if not tuples:
        return []
    depth = max(each[place].depth for each in tuples) if level is None else level.number
    found = []
    for at, members in enumerate(tuples):
        found.append(members)
        if members[place].depth == depth and not _drilled(tuples, at, place):
            found += [_with(members, place, child) for child in below(members, place)]
    return found


def _place_of(tuples: list[Any], level: MdxLevel | None, index: float | None) -> int:
    if index is not None:
        return max(0, min(whole(index), len(tuples[0]) - 1)) if tuples else 0
    if level is not None and tuples:
        for place, member in enumerate(tuples[0]):
            if member.hierarchy is level.hierarchy:
                return place
    return 0


@mdx_function("DrilldownLevel(set, level?, number?, word?)")
def drilldown_level(
    evaluation: Evaluation, context: Context, tuples: list[Any], level: MdxLevel | None = None,
    index: float | None = None, flag: str | None = None,
) -> list[Any]:  # fmt: skip
    """The members of the lowest level, or of a level, followed by their children."""
    place = _place_of(tuples, level, index)

    def below(members: Any, at: int) -> list[MdxMember]:
        calculated = evaluation.scope.under(members[at], members[at].hierarchy) if flag else []
        return [*members[at].children, *calculated]

    return _levels_drilled(tuples, level, place, below)


def _some(
    evaluation: Evaluation, context: Context, count: float | None, node: Any, descending: bool
) -> Callable[[Any, int], list[MdxMember]]:
    """What chooses the largest or smallest children of a member."""

    def below(members: Any, place: int) -> list[MdxMember]:
        here = evaluation.at(context, members)
        children = [(child,) for child in members[place].children]
        most = max(0, whole(count))
        if node is None:
            values = [(child, evaluation.value(evaluation.at(here, child))) for child in children]
            from callsheet.analytics.mdx.functions.ordering import Descending, sort_key

            def key(pair: Any) -> Any:
                return Descending(sort_key(pair[1])) if descending else sort_key(pair[1])

            return [child[0] for child, _ in sorted(values, key=key)[:most]]
        return [child[0] for child, _ in ranked(evaluation, here, children, node, descending)[:most]]

    return below


@mdx_function("DrilldownLevelTop(set, number, level?, node?)")
def drilldown_level_top(
    evaluation: Evaluation, context: Context, tuples: list[Any], count: float | None,
    level: MdxLevel | None = None, node: Any = None,
) -> list[Any]:  # fmt: skip
    """The members of the lowest level, or of a level, followed by their largest children."""
    place = _place_of(tuples, level, None)
    return _levels_drilled(tuples, level, place, _some(evaluation, context, count, node, True))


@mdx_function("DrilldownLevelBottom(set, number, level?, node?)")
def drilldown_level_bottom(
    evaluation: Evaluation, context: Context, tuples: list[Any], count: float | None,
    level: MdxLevel | None = None, node: Any = None,
) -> list[Any]:  # fmt: skip
    """The members of the lowest level, or of a level, followed by their smallest children."""
    place = _place_of(tuples, level, None)
    return _levels_drilled(tuples, level, place, _some(evaluation, context, count, node, False))


@mdx_function("DrilldownMember(set, set, word?)")
def drilldown_member(
    evaluation: Evaluation, context: Context, tuples: list[Any], chosen: list[Any], flag: str | None = None
) -> list[Any]:
    """The members that are also in a second set, followed by their children; with RECURSIVE by theirs, too."""
    wanted = {each[0] for each in chosen}
    return _members_drilled(evaluation, tuples, wanted, lambda each, place: each[place].children, flag == "RECURSIVE")


def _members_drilled(
    evaluation: Evaluation, tuples: list[Any], wanted: set[MdxMember],
    below: Callable[[Any, int], list[MdxMember]], recursive: bool,
) -> list[Any]:  # fmt: skip
    found: list[Any] = []

    def drill(members: Any) -> None:
        for place, member in enumerate(members):
            if member in wanted:
                for child in below(members, place):
                    evaluation.clock.tick()
                    made = _with(members, place, child)
                    found.append(made)
                    if recursive:
                        drill(made)

    for each in tuples:
        found.append(each)
        drill(each)
    return found


@mdx_function("DrilldownMemberTop(set, set, number, node?, word?)")
def drilldown_member_top(
    evaluation: Evaluation, context: Context, tuples: list[Any], chosen: list[Any], count: float | None,
    node: Any = None, flag: str | None = None,
) -> list[Any]:  # fmt: skip
    """The members that are also in a second set, followed by their largest children."""
    wanted = {each[0] for each in chosen}
    below = _some(evaluation, context, count, node, True)
    return _members_drilled(evaluation, tuples, wanted, below, flag == "RECURSIVE")


@mdx_function("DrilldownMemberBottom(set, set, number, node?, word?)")
def drilldown_member_bottom(
    evaluation: Evaluation, context: Context, tuples: list[Any], chosen: list[Any], count: float | None,
    node: Any = None, flag: str | None = None,
) -> list[Any]:  # fmt: skip
    """The members that are also in a second set, followed by their smallest children."""
    wanted = {each[0] for each in chosen}
    below = _some(evaluation, context, count, node, False)
    return _members_drilled(evaluation, tuples, wanted, below, flag == "RECURSIVE")


@mdx_function("DrillupLevel(set, level?)")
def drillup_level(
    evaluation: Evaluation, context: Context, tuples: list[Any], level: MdxLevel | None = None
) -> list[Any]:
    """Without the members below a level; without one, without those of the lowest level."""
    if not tuples:
        return []
    deepest = max(each[0].depth for each in tuples) - 1 if level is None else level.number
    return [each for each in tuples if each[0].depth <= deepest]


@mdx_function("DrillupMember(set, set)")
def drillup_member(evaluation: Evaluation, context: Context, tuples: list[Any], chosen: list[Any]) -> list[Any]:
    """Without the members that follow one of a second set and are below it."""
    wanted = {each[0] for each in chosen}
    found: list[Any] = []
    above: MdxMember | None = None
    place = 0
    for members in tuples:
        if above is not None and members[place] is not above and members[place].is_within(above):
            continue
        found.append(members)
        above, place = next(((member, at) for at, member in enumerate(members) if member in wanted), (None, 0))
    return found


@mdx_function("ToggleDrillState(set, set, word?)")
def toggle_drill_state(
    evaluation: Evaluation, context: Context, tuples: list[Any], chosen: list[Any], flag: str | None = None
) -> list[Any]:
    """The members that are also in a second set are drilled down, or up if they are drilled down already."""
    wanted = {each[0] for each in chosen}
    found: list[Any] = []
    at = 0
    while at < len(tuples):
        members = tuples[at]
        found.append(members)
        place = next((number for number, member in enumerate(members) if member in wanted), None)
        if place is not None and _drilled(tuples, at, place):
            member = members[place]
            while (
                at + 1 < len(tuples) and tuples[at + 1][place] is not member and tuples[at + 1][place].is_within(member)
            ):
                at += 1
        elif place is not None:
            drilled = _members_drilled(
                evaluation, [members], wanted, lambda each, number: each[number].children, flag == "RECURSIVE"
            )
            found += drilled[1:]
        at += 1
    return found
