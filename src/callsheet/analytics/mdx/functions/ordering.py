"""Sets in another order."""

from __future__ import annotations

from functools import total_ordering
from typing import Any

from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.members import MdxMember, order_key
from callsheet.analytics.mdx.registry import mdx_function

__all__ = ["Descending", "sort_key"]

_ORDERS = ("ASC", "DESC", "BASC", "BDESC")


@total_ordering
class Descending:
    """A key that sorts the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and bool(self.key == other.key)

    def __lt__(self, other: Descending) -> bool:
        return bool(other.key < self.key)

    def __hash__(self) -> int:
        return hash(self.key)


def sort_key(value: Any) -> Any:
    """A key that sorts values: empty ones lowest, texts without regard to case."""
    if isinstance(value, MdxMember):
        value = value.key if value.order is None else value.order
    return order_key(value.lower() if isinstance(value, str) else value)


@mdx_function("Order(set, node, node*)")
def order(evaluation: Evaluation, context: Context, tuples: list[Any], *rest: Any) -> list[Any]:
    """Tuples ordered by one or several expressions.

    ASC and DESC keep members under their parents, BASC and BDESC do not.
    """
    keys = _order_keys(rest)
    if not tuples:
        return []
    # The last key is sorted first: sorting is stable.
    for node, flag in reversed(keys):
        if flag in ("BASC", "BDESC"):
            made = [sort_key(_key(evaluation, node, here)) for _, here in evaluation.over(tuples, context)]
            places = sorted(range(len(tuples)), key=made.__getitem__, reverse=False)
            if flag == "BDESC":
                places = sorted(range(len(tuples)), key=lambda at: Descending(made[at]))
            tuples = [tuples[place] for place in places]
        else:
            tuples = _within_hierarchy(evaluation, context, tuples, node, flag == "DESC")
    return tuples


def _order_keys(rest: tuple[Any, ...]) -> list[tuple[Any, str]]:
    keys: list[tuple[Any, str]] = []
    for node in rest:
        try:
            word = Evaluation.word(node)
        except MdxError:
            word = None
        if word in _ORDERS and keys:
            keys[-1] = (keys[-1][0], word)
        else:
            keys.append((node, "ASC"))
    if not keys:
        raise MdxError("Order needs an expression", -1, nearest_name("Order", ["Hierarchize"]))
    return keys


def _key(evaluation: Evaluation, node: Any, context: Context) -> Any:
    found = evaluation.evaluate(node, context)
    return evaluation.as_scalar(found, context)


def _within_hierarchy(
    evaluation: Evaluation, context: Context, tuples: list[Any], node: Any, descending: bool
) -> list[Any]:
    """Tuples ordered by the values of their members' whole paths, member by member."""
    known: dict[Any, Any] = {}

    def value(member: MdxMember, here: Context) -> Any:
        key = (member, here)
        if key not in known:
            made = sort_key(_key(evaluation, node, evaluation.at(here, (member,))))
            known[key] = (Descending(made) if descending else made, member.ordinal)
        return known[key]

    made = []
    for members, _ in evaluation.over(tuples, context):
        here, path = context, []
        for member in members:
            path.append(tuple(value(each, here) for each in reversed(list(member.ancestors()))))
            here = evaluation.at(here, (member,))
        made.append(tuple(path))
    places = sorted(range(len(tuples)), key=made.__getitem__)
    return [tuples[place] for place in places]


@mdx_function("Hierarchize(set, word?)")
def hierarchize(evaluation: Evaluation, context: Context, tuples: list[Any], flag: str | None = None) -> list[Any]:
    """Tuples in the order of their hierarchies: parents first, with POST last."""
    last = flag == "POST"
    return sorted(tuples, key=lambda members: [_place(member, last) for member in members])


def _place(member: MdxMember, last: bool) -> Any:
    places = [(each.ordinal,) for each in reversed(list(member.ancestors()))]
    return (*places, (float("inf"),)) if last else tuple(places)


@mdx_function("any.OrderKey")
def order_key_of(evaluation: Evaluation, context: Context, of: Any) -> Any:
    """What a member is sorted by among its siblings."""
    member = evaluation.as_member(of, context)
    return member.key if member.order is None else member.order
