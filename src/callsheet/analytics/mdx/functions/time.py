"""Periods of time."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.date_formats import format_date
from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.functions.navigation import moved, placed_alike
from callsheet.analytics.mdx.members import MdxHierarchy, MdxLevel, MdxMember, order_key
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.values import number_of_text, whole

__all__: list[str] = []


def _time(evaluation: Evaluation) -> MdxHierarchy:
    """The first hierarchy of time."""
    for hierarchy in evaluation.space.hierarchies:
        if hierarchy.description.time:
            return hierarchy
    raise MdxError("the cube has no hierarchy of time", -1, "name the member")


def _current(evaluation: Evaluation, context: Context, of: Any) -> MdxMember:
    """The member that is meant: a member, or the current one of a level's hierarchy, or of time."""
    if isinstance(of, MdxMember):
        return of
    hierarchy = of.hierarchy if isinstance(of, MdxLevel) else _time(evaluation)
    return context[hierarchy.index]


def _to_date(member: MdxMember, level: MdxLevel | None) -> list[Any]:
    """The members from the first one of a period up to a member."""
    if member.null or level is None:
        return []
    around = member.ancestor_at(level)
    if around is None:
        return []
    return [
        (each,) for each in member.level.members()[: member.ordinal + 1] if each.ancestor_at(level) is around
    ]  # fmt: skip


@mdx_function("PeriodsToDate(level?, member?)")
def periods_to_date(
    evaluation: Evaluation, context: Context, level: MdxLevel | None = None, member: MdxMember | None = None
) -> list[Any]:
    """The members of the same level from the beginning of a period up to a member."""
    current = _current(evaluation, context, member or level)
    return _to_date(current, current.level.above if level is None else level)


def _kind(evaluation: Evaluation, context: Context, member: MdxMember | None, kind: str) -> list[Any]:
    current = _current(evaluation, context, member)
    for level in current.hierarchy.levels:
        if level.description.kind == kind:
            return _to_date(current, level)
    raise MdxError(f"{current.hierarchy!r} has no level of kind `{kind}`")


@mdx_function("Ytd(member?)")
def year_to_date(evaluation: Evaluation, context: Context, member: MdxMember | None = None) -> list[Any]:
    """From the beginning of the year."""
    return _kind(evaluation, context, member, "year")


@mdx_function("Qtd(member?)")
def quarter_to_date(evaluation: Evaluation, context: Context, member: MdxMember | None = None) -> list[Any]:
    """From the beginning of the quarter."""
    return _kind(evaluation, context, member, "quarter")


@mdx_function("Mtd(member?)")
def month_to_date(evaluation: Evaluation, context: Context, member: MdxMember | None = None) -> list[Any]:
    """From the beginning of the month."""
    return _kind(evaluation, context, member, "month")


@mdx_function("Wtd(member?)")
def week_to_date(evaluation: Evaluation, context: Context, member: MdxMember | None = None) -> list[Any]:
    """From the beginning of the week."""
    return _kind(evaluation, context, member, "week")


@mdx_function("LastPeriods(number, member?)")
def last_periods(
    evaluation: Evaluation, context: Context, count: float | None, member: MdxMember | None = None
) -> list[Any]:
    """So many members up to a member; with a negative number, from it on."""
    current, number = _current(evaluation, context, member), whole(count)
    if current.null or number == 0:
        return []
    level, at = current.level.members(), current.ordinal
    some = level[max(0, at - number + 1) : at + 1] if number > 0 else level[at : at - number]
    return [(each,) for each in some]


@mdx_function("ParallelPeriod(level?, number?, member?)")
def parallel_period(
    evaluation: Evaluation, context: Context, level: MdxLevel | None = None, steps: float | None = 1,
    member: MdxMember | None = None,
) -> MdxMember:  # fmt: skip
    """The member at the same place of an earlier period."""
    current = _current(evaluation, context, member or level)
    period = current.level.above if level is None else level
    nothing = current.hierarchy.null_member
    if period is None or current.null:
        return nothing
    around = current.ancestor_at(period)
    if around is None:
        return nothing
    return placed_alike(current, moved(around, -whole(1 if steps is None else steps)))


def _edge(evaluation: Evaluation, context: Context, level: MdxLevel | None, member: MdxMember | None, at: int) -> Any:
    current = _current(evaluation, context, member or level)
    wanted = current.level.below if level is None else level
    if wanted is None or current.null or wanted.number < current.depth:
        return current.hierarchy.null_member
    if wanted.hierarchy is not current.hierarchy:
        raise MdxError(f"{wanted!r} is not a level of {current.hierarchy!r}")
    while current.level is not wanted:
        if not current.children:
            return current.hierarchy.null_member
        current = current.children[at]
    return current


@mdx_function("OpeningPeriod(level?, member?)")
def opening_period(
    evaluation: Evaluation, context: Context, level: MdxLevel | None = None, member: MdxMember | None = None
) -> Any:
    """The first member of a level below a member."""
    return _edge(evaluation, context, level, member, 0)


@mdx_function("ClosingPeriod(any?, member?)")
def closing_period(evaluation: Evaluation, context: Context, of: Any = None, member: MdxMember | None = None) -> Any:
    """The last member of a level below a member."""
    if isinstance(of, MdxMember):
        return _edge(evaluation, context, None, of, -1)
    return _edge(evaluation, context, None if of is None else evaluation.as_level(of), member, -1)


@mdx_function("CurrentDateMember(hierarchy, text, word?)")
def current_date_member(
    evaluation: Evaluation, context: Context, hierarchy: MdxHierarchy, pattern: str, match: str | None = None
) -> MdxMember:
    """The member of the present date, whose name a format makes; with BEFORE or AFTER the nearest one that exists."""
    from callsheet.analytics.mdx.parser import parse_expression

    name = parse_expression(format_date(evaluation.now, pattern or ""))
    segments = list(getattr(name, "segments", ()))
    if not segments:
        raise MdxError("the format makes no name of a member")
    if segments[0].name.lower() in (hierarchy.name.lower(), hierarchy.dimension.name.lower()):
        segments = segments[1:]
    if segments and hierarchy.all_member is not None and segments[0].name.lower() == hierarchy.all_member.name.lower():
        segments = segments[1:]
    return _nearest(hierarchy, [segment.name for segment in segments], match or "EXACT")


def _nearest(hierarchy: MdxHierarchy, names: list[str], match: str) -> MdxMember:
    choices, found, exact = hierarchy.roots, hierarchy.null_member, True
    if hierarchy.all_member is not None:
        choices = hierarchy.all_member.children
    for name in names:
        if not choices:
            return hierarchy.null_member
        same = next((each for each in choices if each.name.lower() == name.lower()), None) if exact else None
        if same is None:
            if match == "EXACT":
                return hierarchy.null_member
            if exact:
                choices = [each for each in choices if _comes(each, name, match)]
            if not choices:
                return hierarchy.null_member
            same, exact = choices[-1 if match == "BEFORE" else 0], False
        found, choices = same, same.children
    return found


def _comes(member: MdxMember, name: str, match: str) -> bool:
    try:
        wanted: Any = number_of_text(name)
    except ValueError:
        wanted = name
    own = order_key(member.key)
    return own < order_key(wanted) if match == "BEFORE" else own > order_key(wanted)
