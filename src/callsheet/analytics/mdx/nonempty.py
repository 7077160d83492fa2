"""Which tuples have facts: asked of the cube for whole sets at once, so that large products are never made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callsheet.analytics.mdx.cells import CubeQuestion, FactCondition
from callsheet.analytics.mdx.operators import crossed

if TYPE_CHECKING:
    from callsheet.analytics.mdx.evaluation import Context, Evaluation

__all__ = ["existing_tuples", "non_empty_product", "with_facts"]


def with_facts(evaluation: Evaluation, context: Context, sets: list[list[Any]]) -> set[Any] | None:
    """The tuples of a product of sets that have facts in a context. None: the cube cannot say, members are calculated.

    Each set has members of the cube only; the other hierarchies are those of the context.
    """
    if any(member.calculated or member.covers for each in sets for members in each for member in members):
        return None
    taken = {member.level.hierarchy.index for each in sets if each for member in each[0]}
    if 0 in taken:
        return None
    levels = _levels(sets)
    if levels is None:
        return None
    chosen: list[Any] = []
    covers: dict[Any, list[int]] = {}
    for member in context[1:]:
        index = member.level.hierarchy.index
        if index in taken:
            continue
        if member.formula is not None:
            return None
        if member.null:
            return set()
        if member.covers is not None:
            covers.setdefault(member.covers, []).append(index)
        elif not member.level.is_all:
            chosen.append(member)
    conditions = evaluation.reader.conditions(tuple((cover, tuple(at)) for cover, at in covers.items()))
    if conditions is None:
        return set()
    rest = tuple(FactCondition(((m.hierarchy.name, m.level.depth),), ((m.path,),)) for m in chosen)
    return _asked(evaluation, levels, sets, conditions + rest)


def _levels(sets: list[list[Any]]) -> list[Any] | None:
    """The level of each place of the product; None where a place has members of several levels."""
    found = []
    for each in sets:
        for column in zip(*each):
            kinds = {member.level for member in column}
            if len(kinds) != 1:
                return None
            found.append(kinds.pop())
    return found


def _asked(evaluation: Evaluation, levels: list[Any], sets: list[list[Any]], conditions: Any) -> set[Any]:
    grouped = [level for level in levels if not level.is_all]
    for each in sets:
        for place, column in enumerate(zip(*each)):
            level = each[0][place].level
            members = dict.fromkeys(column)
            if not level.is_all and len(members) < len(level.members()):
                paths = tuple((member.path,) for member in members)
                conditions += (FactCondition(((level.hierarchy.name, level.depth),), paths),)
    measure = evaluation.space.description.measures[0].name
    names = tuple((level.hierarchy.name, level.depth) for level in grouped)
    key = ("facts", names, conditions)
    return evaluation.kept(
        key, lambda: _answer(evaluation, CubeQuestion((measure,), names, conditions), levels, grouped)
    )


def _answer(evaluation: Evaluation, question: CubeQuestion, levels: list[Any], grouped: list[Any]) -> set[Any]:
    evaluation.clock.check()
    evaluation.reader.questions += 1
    (answer,) = evaluation.space.cells.ask([question])
    found = set()
    for paths, _ in answer.rows:
        evaluation.clock.tick()
        named = {level: level.at(path) for level, path in zip(grouped, paths)}
        found.add(tuple(named.get(level, level.hierarchy.all_member) for level in levels))
    return found


def non_empty_product(evaluation: Evaluation, context: Context, sets: list[list[Any]]) -> list[Any]:
    """The tuples of a product of sets that have facts, in the product's order.

    Sets with members of several levels are divided by levels. Where members are calculated, each tuple is evaluated.
    """
    parts = [_by_levels(each) for each in sets]
    found: set[Any] = set()
    for combination in _combinations(parts):
        some = with_facts(evaluation, context, combination)
        if some is None:
            return _evaluated(evaluation, context, sets)
        found |= some
    return _in_order(evaluation, sets, found)


def _by_levels(tuples: list[Any]) -> list[list[Any]]:
    divided: dict[Any, list[Any]] = {}
    for each in tuples:
        divided.setdefault(tuple(member.level for member in each), []).append(each)
    return list(divided.values())


def _combinations(parts: list[list[list[Any]]]) -> list[list[list[Any]]]:
    found: list[list[list[Any]]] = [[]]
    for part in parts:
        found = [[*before, each] for before in found for each in part]
    return found


def _in_order(evaluation: Evaluation, sets: list[list[Any]], found: set[Any]) -> list[Any]:
    """The found tuples, ordered as the product is: by the place in the first set, then in the second, and so on."""
    if not found or not all(sets):
        return []
    places: list[dict[Any, list[int]]] = []
    for each in sets:
        at: dict[Any, list[int]] = {}
        for place, members in enumerate(each):
            at.setdefault(members, []).append(place)
        places.append(at)
    widths = [len(each[0]) for each in sets]
    ordered = []
    for members in found:
        evaluation.clock.tick()
        keys: list[tuple[int, ...]] = [()]
        start = 0
        for width, at in zip(widths, places):
            here = at.get(members[start : start + width], ())
            keys = [(*key, place) for key in keys for place in here]
            start += width
        ordered += [(key, members) for key in keys]
    evaluation.clock.take(len(ordered))
    ordered.sort(key=lambda pair: pair[0])
    return [members for _, members in ordered]


def _evaluated(evaluation: Evaluation, context: Context, sets: list[list[Any]]) -> list[Any]:
    tuples = crossed(evaluation, sets)
    return [members for members, here in evaluation.over(tuples, context) if evaluation.value(here) is not None]


def existing_tuples(evaluation: Evaluation, context: Context, tuples: list[Any], over: list[Any]) -> list[Any]:
    """The tuples that belong together with one of other tuples.

    Members of a hierarchy that both sets have must be the same, or one above the other. Of other hierarchies facts say
    what belongs together.
    """
    if not tuples or not over:
        return []
    one = [member.level.hierarchy.index for member in tuples[0]]
    two = [member.level.hierarchy.index for member in over[0]]
    shared = [(one.index(index), two.index(index)) for index in one if index in two]
    if not shared:
        return _by_facts(evaluation, tuples, over)
    found = []
    for each in tuples:
        evaluation.clock.tick()
        if any(all(_in_line(each[here], other[there]) for here, there in shared) for other in over):
            found.append(each)
    return found


def _in_line(one: Any, other: Any) -> bool:
    return bool(one.is_within(other) or other.is_within(one))


def _by_facts(evaluation: Evaluation, tuples: list[Any], over: list[Any]) -> list[Any]:
    context = evaluation.space.defaults()
    everything = [each.all_member for each in evaluation.space.hierarchies if each.all_member is not None]
    product = non_empty_product(evaluation, evaluation.at(context, everything), [tuples, over])
    width = len(tuples[0])
    known = {members[:width] for members in product}
    return [each for each in tuples if each in known]
