"""Which tuples have facts: asked of the cube for whole sets at once, so that large products are never made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from callsheet.analytics.mdx.cells import CubeQuestion, FactCondition, QuestionOrder
from callsheet.analytics.mdx.operators import crossed

if TYPE_CHECKING:
    from callsheet.analytics.mdx.evaluation import Context, Evaluation

__all__ = ["existing_tuples", "most_of_facts", "non_empty_product", "with_facts"]


def with_facts(evaluation: Evaluation, context: Context, sets: list[list[Any]]) -> set[Any] | None:
    """The tuples of a product of sets that have facts in a context. None: the cube cannot say, members are calculated.

    Each set has members of the cube only; the other hierarchies are those of the context.
    """
    question = _question(evaluation, context, sets)
    if question is None:
        return None
    if isinstance(question, set):
        return question
    levels = _levels(sets)
    assert levels is not None
    return evaluation.kept(question, lambda: {members for members, _ in _answer(evaluation, question, levels)})


SPARE = 1000
"""So many rows more than the largest are read, since equal values may be in any order."""


def most_of_facts(
    evaluation: Evaluation, context: Context, sets: list[list[Any]], measure: str, count: int
) -> list[Any] | None:
    """Tuples of a product with facts, in its order, among which are those with the largest values of a measure.

    None: the cube cannot say, or too many values are equal.
    """
    question = _question(evaluation, context, sets)
    if not isinstance(question, CubeQuestion):
        return None
    question = evolve(question, measures=(measure,), order=QuestionOrder(0), limit=count + SPARE)
    levels = _levels(sets)
    assert levels is not None
    pairs = evaluation.kept(question, lambda: _answer(evaluation, question, levels))
    if len(pairs) == count + SPARE and count and pairs[count - 1][1] == pairs[-1][1]:
        return None
    return _in_order(evaluation, sets, {members for members, _ in pairs})


def _question(evaluation: Evaluation, context: Context, sets: list[list[Any]]) -> CubeQuestion | set[Any] | None:
    """The question for the groups of a product that have facts; an empty set if none can have; None as above."""
    known = {member for each in sets for members in each for member in members}
    if any(member.calculated or member.covers or (member.level.nested and member.children) for member in known):
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
    rest = tuple(
        FactCondition(((m.hierarchy.name, m.level.depth),), tuple((path,) for path in m.paths)) for m in chosen
    )
    return _grouped(evaluation, levels, sets, conditions + rest)


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


def _grouped(evaluation: Evaluation, levels: list[Any], sets: list[list[Any]], conditions: Any) -> CubeQuestion:
    grouped = [level for level in levels if not level.is_all]
    for each in sets:
        for place, column in enumerate(zip(*each)):
            level = each[0][place].level
            members = dict.fromkeys(column)
            if not level.is_all and len(members) < len(level.members()):
                paths = tuple((member.path,) for member in members)
                conditions += (FactCondition(((level.hierarchy.name, level.depth),), paths),)
    names = tuple((level.hierarchy.name, level.depth) for level in grouped)
    return CubeQuestion(_measures_of_all(evaluation), names, conditions)


def _measures_of_all(evaluation: Evaluation) -> tuple[str, ...]:
    """A measure, of each part of the cube, that a group with facts has."""
    description = evaluation.space.description
    return tuple(each.measures[0] for each in description.parts if each.measures) or (description.measures[0].name,)


def _answer(evaluation: Evaluation, question: CubeQuestion, levels: list[Any]) -> list[tuple[Any, Any]]:
    """The tuples of an answer, each with the value of the first measure."""
    grouped = [level for level in levels if not level.is_all]
    evaluation.clock.check()
    answer = evaluation.reader.rows(question)
    if answer is None:
        return []
    found = []
    tick = evaluation.clock.tick
    everywhere = [level.hierarchy.all_member for level in levels if level.is_all]
    for paths, values in answer.rows:
        tick()
        members = tuple(level.at(path) for level, path in zip(grouped, paths))
        if everywhere:
            named = dict(zip(grouped, members))
            members = tuple(named.get(level, level.hierarchy.all_member) for level in levels)
        found.append((members, values[0]))
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
    if all(len(set(each)) == len(each) for each in sets):
        return _each_once(evaluation, sets, found)
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


def _each_once(evaluation: Evaluation, sets: list[list[Any]], found: set[Any]) -> list[Any]:
    """The same, of sets without doubles."""
    parts = []
    start = 0
    for each in sets:
        width = len(each[0])
        parts.append((slice(start, start + width), {members: place for place, members in enumerate(each)}))
        start += width
    keyed = []
    for members in found:
        evaluation.clock.tick()
        key = tuple(at.get(members[part]) for part, at in parts)
        if None not in key:
            keyed.append((key, members))
    evaluation.clock.take(len(keyed))
    keyed.sort(key=lambda pair: pair[0])
    return [members for _, members in keyed]


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
    if len(shared) == 1:
        return _by_lineage(evaluation, tuples, over, *shared[0])
    found = []
    for each in tuples:
        evaluation.clock.tick()
        if any(all(_in_line(each[here], other[there]) for here, there in shared) for other in over):
            found.append(each)
    return found


def _by_lineage(evaluation: Evaluation, tuples: list[Any], over: list[Any], here: int, there: int) -> list[Any]:
    """The tuples whose member in a place is above, below or the same as one of the others' members."""
    others = {each[there] for each in over}
    above = {ancestor for member in others for ancestor in member.ancestors()}
    found = []
    for each in tuples:
        evaluation.clock.tick()
        if each[here] in above or any(ancestor in others for ancestor in each[here].ancestors()):
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
