"""Tables of facts: the selected entities, and other entity types that measures of the same answer are about.

``Aggregate.shared`` says where a second table has what the levels are about: pairs of a path of the selected entities
and one of the other table's. A pair of keys, such as ``task`` and ``id``, stands for all that is reached through them.

- A level that a table does not know is distinguished in no row that has a number of it: there its measures are None. So
  nothing repeats; rows of totals over such a level have the numbers.
- A condition of the query narrows a table if the table knows all of its paths. Conditions joined by ``and`` count one
  by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import evolve, frozen

from callsheet.model.measure import Aggregate, Level, functions_of, measures_of
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Path, Select, Step

__all__ = ["Fact", "Translation", "conjuncts", "facts_of", "moved", "narrowed", "translation"]

Translation = Callable[[Path], Path | None]
"""The path that another table has in place of one; None if it has none."""


@frozen
class Fact:
    """One table of facts: which of its entities, and its path for each of the levels (None: it does not know it).

    ``table`` is empty for the selected entities themselves.
    """

    table: str
    select: Select
    levels: tuple[Level | None, ...]

    def knows(self, places: Iterable[int]) -> bool:
        """Whether it knows all these levels."""
        return all(self.levels[place] is not None for place in places)


def facts_of(aggregate: Aggregate) -> dict[str, Fact]:
    """The tables of a checked aggregate's functions, by name; the selected entities if there is no function."""
    named = {each.table for measure in measures_of(aggregate) for each in functions_of(measure)} or {""}
    return {table: _fact(aggregate, table) for table in sorted(named)}


def _fact(aggregate: Aggregate, table: str) -> Fact:
    if not table:
        return Fact("", aggregate.select, aggregate.group)
    known = translation(aggregate, table)
    levels = [(level, known(level.path)) for level in aggregate.group]
    found = tuple(None if path is None else evolve(level, path=path) for level, path in levels)
    return Fact(table, Select(table, where=narrowed(aggregate.select.where, known)), found)


def translation(aggregate: Aggregate, table: str) -> Translation:
    """Which path of a table stands for one of the selected entities'."""
    pairs = [(key.steps, there.steps) for key, there in dict(aggregate.shared).get(table, ())]
    ways = [(key[:-1], there[:-1]) for key, there in pairs if len(key) > 1 and _is_key(key) and _is_key(there)]
    ways.sort(key=lambda pair: -len(pair[0]))
    exact = dict(pairs)

    def known(path: Path) -> Path | None:
        steps = path.steps
        if steps in exact:
            return Path(exact[steps], path.position)
        for start, other in ways:
            if len(start) < len(steps) and steps[: len(start)] == start:
                return Path((*other, *steps[len(start) :]), path.position)
        return None

    return known


def _is_key(steps: Sequence[Step]) -> bool:
    return steps[-1] == Step("id")


def narrowed(where: Condition | None, known: Translation) -> Condition | None:
    """Of conditions joined by ``and``, those of which all paths are known, with the paths that stand for them."""
    found = tuple(each for part in conjuncts(where) if (each := moved(part, known)) is not None)
    return None if not found else found[0] if len(found) == 1 else And(found)


def conjuncts(where: Condition | None) -> Iterator[Condition]:
    """The conditions that must all be fulfilled."""
    if isinstance(where, And):
        for part in where.conditions:
            yield from conjuncts(part)
    elif where is not None:
        yield where


def moved(condition: Condition, known: Translation) -> Condition | None:
    """The condition with other paths; None if one of its paths is not known.

    >>> moved(Comparison(Path.of("task.bid"), ">", 1), lambda path: Path(path.steps[1:]))
    Comparison(path=Path(steps=(Step(name='bid', cast=None),)), operator='>', value=1)
    """
    if isinstance(condition, Comparison | Any_):
        path = known(condition.path)
        return None if path is None or not path.steps else evolve(condition, path=path)
    if isinstance(condition, Not):
        inner = moved(condition.condition, known)
        return None if inner is None else Not(inner)
    parts = [moved(part, known) for part in condition.conditions]
    found = tuple(part for part in parts if part is not None)
    return type(condition)(found) if len(found) == len(parts) else None
