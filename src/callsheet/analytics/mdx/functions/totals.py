"""Totals of what is shown."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.members import MdxMember
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.syntax import CallExpression, SetExpression
from callsheet.analytics.mdx.text import quoted_name

__all__: list[str] = []


@mdx_function("VisualTotals(set, text?)")
def visual_totals(evaluation: Evaluation, context: Context, tuples: list[Any], pattern: str | None = None) -> list[Any]:
    """The members of a set, in which those that are followed by members below them are the totals of these.

    In the pattern ``*`` is the name of the member, ``**`` a star.
    """
    if tuples and len(tuples[0]) != 1:
        raise MdxError("VisualTotals needs a set of members, not of tuples")
    shown: list[MdxMember] = [each[0] for each in tuples]
    totals: dict[MdxMember, MdxMember] = {}
    for at in range(len(shown) - 2, -1, -1):
        following = totals.get(shown[at + 1], shown[at + 1])
        if following is not shown[at] and following.is_within(shown[at]):
            total = _total(evaluation, shown[at], _parts(shown, totals, at), pattern)
            totals[total] = shown[at]
            shown[at] = total
    return [(each,) for each in shown]


def _parts(shown: list[MdxMember], totals: dict[MdxMember, MdxMember], at: int) -> list[MdxMember]:
    """The members that follow and are below; below one that is a total itself, none."""
    member, parts = shown[at], []
    place = at + 1
    while place < len(shown):
        each = shown[place]
        plain = totals.get(each, each)
        if each is member or not plain.is_within(member):
            break
        parts.append(each)
        place += 1
        if each in totals:
            while place < len(shown) and _below(totals.get(shown[place], shown[place]), plain):
                place += 1
    return parts


def _below(member: MdxMember, above: MdxMember) -> bool:
    return member is not above and member.is_within(above)


def _total(evaluation: Evaluation, member: MdxMember, parts: list[MdxMember], pattern: str | None) -> MdxMember:
    key = ("total", member, tuple(parts), pattern)
    known = evaluation.totals.get(key)
    if known is None:
        known = evaluation.totals[key] = _made(evaluation, member, parts, pattern)
    return known


def _made(evaluation: Evaluation, member: MdxMember, parts: list[MdxMember], pattern: str | None) -> MdxMember:
    name = member.name if pattern is None else _named(pattern, member.name)
    total = MdxMember(member.level, name, member.path, member.parent)
    if pattern is None:
        total.unique_name = member.unique_name
    total.caption, total.key, total.order = name, member.key, member.order
    total.ordinal, total.properties, total.solve_order = member.ordinal, member.properties, -1
    total.formula = CallExpression("Aggregate", (SetExpression(tuple(map(evaluation.literal, parts))),))
    if pattern is not None and member.parent is None:
        total.unique_name = f"{member.hierarchy.unique_name}.{quoted_name(name)}"
    return total


def _named(pattern: str, name: str) -> str:
    return "*".join(part.replace("*", name) for part in pattern.split("**"))
