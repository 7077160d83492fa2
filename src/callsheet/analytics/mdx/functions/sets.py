"""Sets of sets: united, cut, joined, filtered, generated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.members import MdxMember
from callsheet.analytics.mdx.nonempty import existing_tuples, non_empty_product
from callsheet.analytics.mdx.operators import crossed, existing
from callsheet.analytics.mdx.pruning import filtered_by_facts
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.scope import NamedSet
from callsheet.analytics.mdx.values import as_text, as_truth, whole

__all__: list[str] = []


@mdx_function("CrossJoin(set, set*)", "set.CrossJoin(set)")
def cross_join(evaluation: Evaluation, context: Context, *sets: list[Any]) -> list[Any]:
    """The product of sets."""
    return crossed(evaluation, list(sets))


@mdx_function("NonEmptyCrossJoin(set, set*)")
def non_empty_cross_join(evaluation: Evaluation, context: Context, *sets: list[Any]) -> list[Any]:
    """The product of sets, of which the tuples with facts are left."""
    return non_empty_product(evaluation, context, list(sets))


@mdx_function("NonEmpty(set, set?)")
def non_empty(evaluation: Evaluation, context: Context, tuples: list[Any], over: list[Any] | None = None) -> list[Any]:
    """The tuples that have a value, in the context or with a tuple of the second set."""
    found = []
    for members, here in evaluation.over(tuples, context):
        values = [evaluation.value(evaluation.at(here, each)) for each in ([()] if over is None else over)]
        if any(value is not None for value in values):
            found.append(members)
    return found


@mdx_function("Union(set, set, word?)", "set.Union(set)")
def union(evaluation: Evaluation, context: Context, *parts: Any) -> list[Any]:
    """The tuples of both sets; with ALL those that are in both are kept twice."""
    one, two, flag = (*parts, None)[:3]
    found = [*one, *two]
    return found if flag == "ALL" else list(dict.fromkeys(found))


@mdx_function("Intersect(set, set, word?)")
def intersect(
    evaluation: Evaluation, context: Context, one: list[Any], two: list[Any], flag: str | None = None
) -> list[Any]:
    """The tuples that are in both sets; with ALL, doubles are kept."""
    left: dict[Any, int] = {}
    for each in two:
        left[each] = left.get(each, 0) + 1
    if flag != "ALL":
        return list(dict.fromkeys(each for each in one if each in left))
    found = []
    for each in one:
        if left.get(each, 0):
            left[each] -= 1
            found.append(each)
    return found


@mdx_function("Except(set, set, word?)")
def except_set(
    evaluation: Evaluation, context: Context, one: list[Any], two: list[Any], flag: str | None = None
) -> list[Any]:
    """The tuples of the first set that are not in the second."""
    gone = set(two)
    found = [each for each in one if each not in gone]
    return found if flag == "ALL" else list(dict.fromkeys(found))


@mdx_function("Distinct(set)")
def distinct(evaluation: Evaluation, context: Context, tuples: list[Any]) -> list[Any]:
    """Each tuple once."""
    return list(dict.fromkeys(tuples))


@mdx_function("Head(set, number?)")
def head(evaluation: Evaluation, context: Context, tuples: list[Any], count: float | None = 1) -> list[Any]:
    """The first tuples, one without a number."""
    return tuples[: max(0, whole(count))]


@mdx_function("Tail(set, number?)")
def tail(evaluation: Evaluation, context: Context, tuples: list[Any], count: float | None = 1) -> list[Any]:
    """The last tuples, one without a number."""
    return tuples[max(0, len(tuples) - whole(count)) :] if whole(count) > 0 else []


@mdx_function("Subset(set, number, number?)")
def subset(
    evaluation: Evaluation, context: Context, tuples: list[Any], start: float | None, count: float | None = None
) -> list[Any]:
    """The tuples from a place on, 0 is the first."""
    first = whole(start)
    if first < 0 or (count is not None and count < 0):
        return []
    return tuples[first:] if count is None else tuples[first : first + whole(count)]


@mdx_function("Filter(node, node)")
def filter_set(evaluation: Evaluation, context: Context, node: Any, condition: Any) -> list[Any]:
    """The tuples for which a condition holds."""
    tuples = filtered_by_facts(evaluation, context, node, condition)
    if tuples is None:
        tuples = evaluation.set(node, context)
    return [
        members for members, here in evaluation.over(tuples, context) if as_truth(evaluation.scalar(condition, here))
    ]


@mdx_function("Generate(set, node, node?)")
def generate(evaluation: Evaluation, context: Context, tuples: list[Any], made: Any, rest: Any = None) -> Any:
    """For each tuple a set, all united (with ALL, doubles kept); or texts, joined with what is between them."""
    flag = _all_flag(rest)
    parts = [evaluation.evaluate(made, here) for _, here in evaluation.over(tuples, context)]
    if any(isinstance(part, str | int | float) for part in parts):
        between = "" if rest is None or flag else as_text(evaluation.scalar(rest, context))
        return between.join(as_text(part) for part in parts)
    found = []
    for part, (_, here) in zip(parts, evaluation.over(tuples, context)):
        found += evaluation.as_set(part, here)
        evaluation.clock.take(len(found))
    return found if flag else list(dict.fromkeys(found))


def _all_flag(node: Any) -> bool:
    try:
        return Evaluation.word(node) == "ALL"
    except MdxError:
        return False


@mdx_function("Extract(set, any, any*)")
def extract(evaluation: Evaluation, context: Context, tuples: list[Any], *of: Any) -> list[Any]:
    """The members of some hierarchies in each tuple, each combination once."""
    indexes = [evaluation.as_hierarchy(each).index for each in of]
    if not tuples:
        return []
    known = [member.level.hierarchy.index for member in tuples[0]]
    missing = next((index for index in indexes if index not in known), None)
    if missing is not None:
        raise MdxError(f"the set has no members of {evaluation.space.hierarchies[missing]!r}")
    places = [known.index(index) for index in indexes]
    return list(dict.fromkeys(tuple(each[place] for place in places) for each in tuples))


@mdx_function("Exists(set, set, text?)")
def exists(
    evaluation: Evaluation, context: Context, tuples: list[Any], over: list[Any], group: str | None = None
) -> list[Any]:
    """The tuples that belong together with a tuple of the second set."""
    return existing_tuples(evaluation, context, tuples, over)


@mdx_function("CachedExists(set, any, text?)")
def cached_exists(evaluation: Evaluation, context: Context, tuples: list[Any], over: Any, name: str = "") -> list[Any]:
    """As Exists: what is computed is kept anyway, so that the name of the cache is not needed."""
    return existing_tuples(evaluation, context, tuples, [evaluation.as_tuple(each, context) for each in _set_of(over)])


def _set_of(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


@mdx_function("Existing(set)")
def existing_set(evaluation: Evaluation, context: Context, tuples: list[Any]) -> list[Any]:
    """The tuples that belong together with the members of the context."""
    return existing(evaluation, context, tuples)


@mdx_function("AddCalculatedMembers(set)")
def add_calculated_members(evaluation: Evaluation, context: Context, tuples: list[Any]) -> list[Any]:
    """A set of members, and the calculated members that are their siblings."""
    if tuples and len(tuples[0]) != 1:
        raise MdxError("AddCalculatedMembers needs a set of members, not of tuples")
    parents = dict.fromkeys((member.parent, member.level) for (member,) in tuples)
    known = set(tuples)
    found = list(tuples)
    for above, level in parents:
        for each in evaluation.scope.calculated[level.hierarchy.index]:
            if each.parent is above and each.level is level and (each,) not in known:
                known.add((each,))
                found.append((each,))
    return found


@mdx_function("StripCalculatedMembers(set)")
def strip_calculated_members(evaluation: Evaluation, context: Context, tuples: list[Any]) -> list[Any]:
    """The tuples without calculated members."""
    return [each for each in tuples if not any(member.calculated for member in each)]


@mdx_function("Unorder(set)", "Cache(any)", "NativizeSet(set)")
def unorder(evaluation: Evaluation, context: Context, tuples: Any) -> Any:
    """The same: here every set has an order, and what is computed is kept."""
    return tuples


@mdx_function("any.Item(value, value*)")
def item(evaluation: Evaluation, context: Context, of: Any, *which: Any) -> Any:
    """A tuple of a set, or a member of a tuple, by its place from 0; a tuple of a set by the names of its members."""
    found = (
        evaluation.as_set(of, context) if isinstance(of, list | NamedSet) else list(evaluation.as_tuple(of, context))
    )
    if which and all(isinstance(each, str) for each in which) and isinstance(of, list | NamedSet):
        return _named_item(evaluation, found, which)
    place = whole(which[0]) if which else 0
    if 0 <= place < len(found):
        return found[place]
    return _nothing(evaluation, found if isinstance(of, list | NamedSet) else [])


def _nothing(evaluation: Evaluation, tuples: list[Any]) -> Any:
    if not tuples:
        return evaluation.space.measures.null_member
    return tuple(member.hierarchy.null_member for member in tuples[0])


def _named_item(evaluation: Evaluation, tuples: list[Any], names: Iterable[str]) -> Any:
    wanted = [name.lower() for name in names]
    for each in tuples:
        if len(wanted) == 1 and len(each) > 1:
            texts = ["(" + ", ".join(member.unique_name for member in each) + ")"]
            if _plain(wanted[0]) == _plain(texts[0]):
                return each
        elif len(wanted) == len(each) and all(_is_called(member, name) for member, name in zip(each, wanted)):
            return each
    return _nothing(evaluation, tuples)


def _plain(text: str) -> str:
    return "".join(text.lower().split())


def _is_called(member: MdxMember, name: str) -> bool:
    """True for a member's name, or its full name with or without All."""
    if name in (member.name.lower(), member.unique_name.lower()):
        return True
    above = member.hierarchy.all_member
    if above is None:
        return False
    return name.replace(f".[{above.name.lower()}]", "", 1) == member.unique_name.lower()


@mdx_function("Axis(number)")
def axis(evaluation: Evaluation, context: Context, number: float | None) -> list[Any]:
    """The set of an axis of the query."""
    if evaluation.axis_sets is None:
        raise MdxError("the axes of the query are not known here")
    return evaluation.axis_sets(whole(number))
