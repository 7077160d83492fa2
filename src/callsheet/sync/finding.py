"""Entities found by what identifies them: many keys at once, in as few requests as the server's limits allow.

Theory. A key is a tuple of values at paths. Asking for a thousand keys by one condition each would be a long
condition tree; instead each path is compared with the values that occur (``name in (…) and project.name in (…)``),
which finds a few too many entities where the values combine, and those are left out here. The keys are requested in
runs, so that no list is longer than the server takes and an answer has about as many rows as the run has keys. Where
there are many keys, and hardly more entities have what all keys have in common, all of these are read instead, which
takes no lists of values: both sides of a nightly run are mostly alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

from callsheet import collector
from callsheet.chunks import chunks
from callsheet.core.aggregating import aggregate
from callsheet.core.core import Core
from callsheet.core.paging import every_page
from callsheet.core.rows import PageTables
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.measure import Aggregate
from callsheet.model.query import And, Comparison, Condition, Path, Select
from callsheet.model.record import Identity, Page, Records
from callsheet.model.schema import EntityType

__all__ = ["Found", "find", "find_all", "find_each"]

T = TypeVar("T")
KeyTuple = tuple[Any, ...]
PAGE = 1_000
"""Rows of a page of entities, if nothing else is said."""
MORE = 1.25
"""How many entities there may be for each key that is looked for, so that all are read."""
LITERALS = 8_000
"""Values in the lists of one query, which may have 10,000."""


class Found(NamedTuple):
    """One entity as the server has it: its values at the key's paths, and at the projections, in their order.

    There may be a million of them: a tuple is made, and pickled, in a fraction of the time of an attrs class.
    """

    identity: Identity
    version: int | None
    key: KeyTuple
    values: KeyTuple


def find(
    core: Core,
    entity_type: EntityType,
    paths: Sequence[Path],
    keys: Iterable[KeyTuple],
    projections: Sequence[Path],
    where: Condition | None = None,
    *,
    part: bool = False,
) -> Flow[dict[KeyTuple, list[Found]]]:
    """The entities of these keys (under a condition, if one is given), by key; a key of none is not in the answer.

    ``part`` says that these are some of the keys only, so that there are many more entities.
    """
    distinct = set(keys)
    most = max(1, min(_page(core), LITERALS // len(paths)))
    answer: dict[KeyTuple, list[Found]] = {}

    def only(asked: set[KeyTuple]) -> Callable[[list[Found]], None]:
        def take(found: list[Found]) -> None:
            for each in found:
                if each.key in asked:
                    answer.setdefault(each.key, []).append(each)

        return take

    if not part and len(distinct) > most and core.features.aggregate:
        common = _common(paths, distinct, where)
        if (yield from _count(core, entity_type, common)) <= len(distinct) * MORE:
            yield from find_each(core, entity_type, paths, projections, common, only(distinct))
            return answer
    for run in chunks(_ordered(distinct), most):
        terms = [_any_of(path, {key[place] for key in run}) for place, path in enumerate(paths)]
        terms += () if where is None else (where,)
        yield from find_each(core, entity_type, paths, projections, _all_of(terms), only(set(run)))
    return answer


def _common(paths: Sequence[Path], keys: set[KeyTuple], where: Condition | None) -> Condition | None:
    """What all keys have in common, as a condition."""
    first = next(iter(keys))
    same = [place for place in range(len(paths)) if all(key[place] == first[place] for key in keys)]
    terms: list[Condition] = [Comparison(paths[place], "=", first[place]) for place in same]
    return _all_of([*terms, *(() if where is None else (where,))])


def _all_of(terms: Sequence[Condition]) -> Condition | None:
    if len(terms) > 1:
        return And(tuple(terms))
    return terms[0] if terms else None


def _count(core: Core, entity_type: EntityType, where: Condition | None) -> Flow[int]:
    rows = yield from aggregate(core, Aggregate(check(Select(entity_type.name, (), where), core.schema)))
    return int(rows[0][0]) if rows else 0


def find_all(
    core: Core, entity_type: EntityType, paths: Sequence[Path], projections: Sequence[Path], where: Condition | None
) -> Flow[list[Found]]:
    """All entities under a condition."""
    found: list[Found] = []
    yield from find_each(core, entity_type, paths, projections, where, found.extend)
    return found


def find_each(
    core: Core,
    entity_type: EntityType,
    paths: Sequence[Path],
    projections: Sequence[Path],
    where: Condition | None,
    take: Callable[[list[Found]], object],
) -> Flow[None]:
    """Call the function with all entities under a condition, a page at a time."""
    select = check(Select(entity_type.name, tuple(dict.fromkeys((*paths, *projections))), where), core.schema)

    def read(page: Page) -> None:
        with collector.paused():
            take(list(_read(core, page, paths, projections)))

    yield from every_page(core, select, _page(core), read)


def _page(core: Core) -> int:
    """Rows of a page, and keys of a run. Rows of few columns come in larger pages than entities, where a server can."""
    if core.page_size < PAGE:
        return core.page_size
    if core.features.literals < PAGE:
        return core.features.literals
    return max(core.page_size, core.features.rows)


def _any_of(path: Path, values: set[Any]) -> Condition:
    if len(values) == 1:
        return Comparison(path, "=", next(iter(values)))
    return Comparison(path, "in", tuple(_ordered(values)))


def _ordered(values: set[T]) -> list[T]:
    """The values in an order that is the same each time; texts, the most frequent case, sort by themselves."""
    try:
        return sorted(values)  # type: ignore[type-var]
    except TypeError:
        return sorted(values, key=lambda value: tuple(map(str, value)) if isinstance(value, tuple) else str(value))


def _read(core: Core, page: Page, paths: Sequence[Path], projections: Sequence[Path]) -> Iterator[Found]:
    tables = PageTables(core.schema, page)
    for records in page.records[: page.roots]:
        kind = records.entity_type
        columns = {path: _column(core, tables, records, path) for path in {*paths, *projections}}
        keys = zip(*(columns[path] for path in paths))
        values = zip(*(columns[path] for path in projections)) if projections else repeat(())
        for row, key, held in zip(records.rows, keys, values):
            yield Found(Identity(kind, row[0]), row[1], key, held)


def _column(core: Core, tables: PageTables, records: Records, path: Path) -> list[Any]:
    """The values at a path; references are identities, the members of a collection a set of them."""
    attribute = core.schema.types[records.entity_type].attributes.get(path.steps[0].name)
    if attribute is None or len(path.steps) > 1 or attribute.kind not in ("reference", "collection"):
        return tables.column(records, path)
    if attribute.name not in records.attributes:
        return [None] * len(records.rows)
    place = records.attributes.index(attribute.name) + 2
    target = str(attribute.target)
    # Where the target has subtypes, a row gives a pair of type and key.
    polymorphic = core.schema.polymorphic(target)

    known: dict[Any, Identity] = {}

    def named(value: Any) -> Identity:
        # Many rows refer to a few entities; a pair of type and key comes as a list, which has no hash.
        key = tuple(value) if polymorphic else value
        found = known.get(key)
        if found is None:
            found = known[key] = Identity(*value) if polymorphic else Identity(target, value)
        return found

    if attribute.kind == "collection":
        return [frozenset(map(named, row[place] or ())) for row in records.rows]
    return [None if row[place] is None else named(row[place]) for row in records.rows]
