"""What members, levels, hierarchies and dimensions are called, and what members have."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.members import MdxDimension, MdxHierarchy, MdxLevel, MdxMember
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.scope import NamedSet

__all__ = ["member_property"]


def _thing(evaluation: Evaluation, found: Any, context: Context) -> Any:
    """What has a name: of a tuple of one, its member."""
    if isinstance(found, MdxMember | MdxLevel | MdxHierarchy | MdxDimension | NamedSet):
        return found
    return evaluation.as_member(found, context)


@mdx_function("any.Name")
def name(evaluation: Evaluation, context: Context, of: Any) -> str:
    """The name."""
    return str(_thing(evaluation, of, context).name)


@mdx_function("any.UniqueName", "any.Unique_Name")
def unique_name(evaluation: Evaluation, context: Context, of: Any) -> str:
    """The whole name, in brackets."""
    return str(_thing(evaluation, of, context).unique_name)


@mdx_function("any.Caption", "any.Member_Caption")
def caption(evaluation: Evaluation, context: Context, of: Any) -> str:
    """What is shown for it."""
    thing = _thing(evaluation, of, context)
    return str(getattr(thing, "caption", thing.name))


@mdx_function("any.Ordinal")
def ordinal(evaluation: Evaluation, context: Context, of: Any) -> int:
    """The number of a level, All is 0; the place of a member in its level."""
    if isinstance(of, MdxLevel):
        return of.number
    return evaluation.as_member(of, context).ordinal


@mdx_function("any.Key", "any.Member_Key")
def key(evaluation: Evaluation, context: Context, of: Any) -> Any:
    """The key of a member."""
    return evaluation.as_member(of, context).key


@mdx_function("any.Value")
def value(evaluation: Evaluation, context: Context, of: Any) -> Any:
    """The value of a member or a tuple in the context."""
    return evaluation.as_scalar(of, context)


@mdx_function("member.Properties(text, word?)")
def properties(
    evaluation: Evaluation, context: Context, member: MdxMember, called: str, flag: str | None = None
) -> Any:
    """A property of a member."""
    return member_property(evaluation, member, called or "", context)


def member_property(evaluation: Evaluation, member: MdxMember, called: str, context: Context) -> Any:
    """The value of a property, one that the cube has, or one that every member has."""
    wanted = called.strip("[]").lower()
    for known, found in member.properties.items():
        if known.lower() == wanted:
            return found
    if wanted in member.own:
        return evaluation.scalar(member.own[wanted], context)
    intrinsic = _intrinsic(member)
    if wanted in intrinsic:
        return intrinsic[wanted]
    declared = [each for level in member.hierarchy.description.levels for each in level.properties]
    of_level = [] if member.level.is_all else [each.lower() for each in member.level.description.properties]
    if wanted in of_level or (member.null and wanted in [each.lower() for each in declared]):
        return None
    raise MdxError(f"{member!r} has no property `{called}`", -1, nearest_name(called, [*declared, *intrinsic]))


def _intrinsic(member: MdxMember) -> dict[str, Any]:
    hierarchy, above = member.hierarchy, member.parent
    return {
        "name": member.name, "member_name": member.name, "caption": member.caption, "member_caption": member.caption,
        "unique_name": member.unique_name, "member_unique_name": member.unique_name, "key": member.key,
        "member_key": member.key, "level_number": member.depth, "level_unique_name": member.level.unique_name,
        "hierarchy_unique_name": hierarchy.unique_name, "dimension_unique_name": hierarchy.dimension.unique_name,
        "parent_unique_name": None if above is None else above.unique_name, "member_ordinal": member.ordinal,
        "parent_level": 0 if above is None else above.depth, "parent_count": 0 if above is None else 1,
        "children_cardinality": len(member.children), "id": member.key, "visible": member.visible,
        "member_type": 4 if member.calculated else 3 if hierarchy.index == 0 else 2 if member.level.is_all else 1,
        "cube_name": None, "description": None, "display_info": len(member.children), "depth": member.depth,
    }  # fmt: skip
