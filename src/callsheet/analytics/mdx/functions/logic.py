"""Choices and emptiness."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.members import MdxMember
from callsheet.analytics.mdx.names import Named
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.syntax import AliasedExpression
from callsheet.analytics.mdx.values import as_number, as_text, as_truth

__all__: list[str] = []


@mdx_function("IIf(truth, node, node)")
def choice(evaluation: Evaluation, context: Context, condition: bool, one: Any, two: Any) -> Any:
    """One expression if a condition holds, else another."""
    return evaluation.evaluate(one if condition else two, context)


@mdx_function("IsEmpty(value)")
def is_empty(evaluation: Evaluation, context: Context, value: Any) -> bool:
    """True if there is no value."""
    return value is None


@mdx_function("IsNull(any)")
def is_null(evaluation: Evaluation, context: Context, found: Any) -> bool:
    """True if it is no member, or an empty value."""
    return found.null if isinstance(found, MdxMember) else evaluation.as_scalar(found, context) is None


@mdx_function("NullValue()")
def null_value(evaluation: Evaluation, context: Context) -> None:
    """The empty value."""


@mdx_function("Error(text?)")
def error(evaluation: Evaluation, context: Context, text: str | None = None) -> Any:
    """No value: the query fails with a message."""
    raise MdxError(text or "the query calls Error")


@mdx_function("CoalesceEmpty(node, node*)")
def coalesce(evaluation: Evaluation, context: Context, *nodes: Any) -> Any:
    """The first value that is not empty."""
    for node in nodes:
        value = evaluation.scalar(node, context)
        if value is not None:
            return value
    return None


@mdx_function("IsAncestor(member, member)")
def is_ancestor(evaluation: Evaluation, context: Context, one: MdxMember, two: MdxMember) -> bool:
    """True if the first member is above the second."""
    return one is not two and two.is_within(one)


@mdx_function("IsLeaf(member)")
def is_leaf(evaluation: Evaluation, context: Context, member: MdxMember) -> bool:
    """True if nothing is below a member."""
    return not member.children


@mdx_function("IsSibling(member, member)")
def is_sibling(evaluation: Evaluation, context: Context, one: MdxMember, two: MdxMember) -> bool:
    """True if two members have the same parent."""
    return one.parent is two.parent and one.level is two.level


@mdx_function("IsGeneration(member, number)")
def is_generation(evaluation: Evaluation, context: Context, member: MdxMember, number: float | None) -> bool:
    """True if there are so many levels below a member."""
    return len(member.hierarchy.levels) - 1 - member.depth == number


@mdx_function("Cast(node)")
def cast(evaluation: Evaluation, context: Context, node: Any) -> Any:
    """A value as another kind: ``Cast(x AS INTEGER)``."""
    if not isinstance(node, AliasedExpression):
        raise MdxError("Cast is written Cast(x AS INTEGER)")
    value = evaluation.scalar(node.expression, context)
    kind = node.name.segments[-1].name.upper()
    if value is None:
        return None
    match kind:
        case "STRING":
            return as_text(value)
        case "INTEGER":
            return int(as_number(value) or 0)
        case "NUMERIC" | "DOUBLE":
            return float(as_number(value) or 0)
        case "BOOLEAN":
            return as_truth(value)
    raise MdxError(f"`{kind}` is no kind of value", node.name.position, "they are STRING, INTEGER, NUMERIC and BOOLEAN")


@mdx_function("ValidMeasure(tuple)")
def valid_measure(evaluation: Evaluation, context: Context, members: Any) -> Any:
    """The value of a tuple, at All of the hierarchies that its measure does not know, in a cube made of others."""
    there = evaluation.at(context, [each for each in members if not each.null])
    described = evaluation.space.description
    part = next((each for each in described.parts if there[0].name in each.measures), None)
    if part is not None and not any(member.null for member in members):
        unknown = [each for each in evaluation.space.hierarchies[1:] if each.name not in part.hierarchies]
        return evaluation.value(evaluation.at(there, [each.all_member or each.default for each in unknown]))
    return evaluation.as_scalar(members, context)


@mdx_function("Parameter(text, node, node, text?)")
def parameter(
    evaluation: Evaluation, context: Context, name: str, kind: Any, default: Any, description: str | None = None
) -> Any:
    """A parameter with its default, which is its value."""
    return evaluation.evaluate(default, context)


@mdx_function("ParamRef(text)")
def parameter_reference(evaluation: Evaluation, context: Context, name: str) -> Any:
    """The value of a parameter that the query defines."""
    name = name or ""
    if name.lower() not in evaluation.parameters:
        raise MdxError(f"the query has no parameter `{name}`", -1, nearest_name(name, evaluation.parameters))
    return evaluation.evaluate(evaluation.parameters[name.lower()], context)


def _named(evaluation: Evaluation, text: str | None) -> Named:
    from callsheet.analytics.mdx.parser import parse_expression

    found: Named = evaluation.evaluate(parse_expression(text or ""), evaluation.start)
    return found


@mdx_function("StrToMember(text, word?)", "Members(text)")
def text_to_member(evaluation: Evaluation, context: Context, text: str, flag: str | None = None) -> MdxMember:
    """The member that a text names."""
    return evaluation.as_member(_named(evaluation, text), context)


@mdx_function("StrToTuple(text, any*)")
def text_to_tuple(evaluation: Evaluation, context: Context, text: str, *of: Any) -> Any:
    """The tuple that a text names."""
    return evaluation.as_tuple(_named(evaluation, text), context)


@mdx_function("StrToSet(text, any*)")
def text_to_set(evaluation: Evaluation, context: Context, text: str, *of: Any) -> list[Any]:
    """The set that a text names."""
    text = text or ""
    return evaluation.as_set(_named(evaluation, text if text.strip().startswith("{") else "{" + text + "}"), context)
