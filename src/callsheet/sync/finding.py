"""Entities found by what identifies them: many keys at once, in as few requests as the server's limits allow.

Theory. A key is a tuple of values at paths. Asking for a thousand keys by one condition each would be a long
condition tree; instead each path is compared with the values that occur (``name in (…) and project.name in (…)``),
which finds a few too many entities where the values combine, and those are left out here. The keys are requested in
runs, so that no list is longer than the server takes and an answer has about as many rows as the run has keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

from attrs import frozen

from callsheet import collector
from callsheet.chunks import chunks
from callsheet.core.core import Core
from callsheet.core.paging import every_page
from callsheet.core.rows import PageTables
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.query import And, Comparison, Condition, Path, Select
from callsheet.model.record import Identity, Page, Records
from callsheet.model.schema import EntityType

__all__ = ["Found", "find", "find_all", "find_each"]

KeyTuple = tuple[Any, ...]


@frozen
class Found:
    """One entity as the server has it: its values at the key's paths, and at the projections, in their order."""

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
) -> Flow[dict[KeyTuple, list[Found]]]:
    """The entities of these keys (under a condition, if one is given), by key; a key of none is not in the answer."""
    wanted = sorted(set(keys), key=lambda key: tuple(map(str, key)))
    most = max(1, min(core.features.literals, core.page_size))
    answer: dict[KeyTuple, list[Found]] = {}
    for run in chunks(wanted, most):
        terms = [_any_of(path, {key[place] for key in run}) for place, path in enumerate(paths)]
        terms += () if where is None else (where,)
        condition = terms[0] if len(terms) == 1 else And(tuple(terms))
        asked = set(run)
        found = yield from find_all(core, entity_type, paths, projections, condition)
        for each in found:
            if each.key in asked:
                answer.setdefault(each.key, []).append(each)
    return answer


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

    yield from every_page(core, select, core.page_size, read)


def _any_of(path: Path, values: set[Any]) -> Condition:
    if len(values) == 1:
        return Comparison(path, "=", next(iter(values)))
    return Comparison(path, "in", tuple(sorted(values, key=str)))


def _read(core: Core, page: Page, paths: Sequence[Path], projections: Sequence[Path]) -> Iterator[Found]:
    tables = PageTables(core.schema, page)
    for records in page.records[: page.roots]:
        kind = records.entity_type
        columns = {path: _column(core, tables, records, path) for path in (*paths, *projections)}
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

    def named(value: Any) -> Identity:
        return Identity(*value) if polymorphic else Identity(target, value)

    if attribute.kind == "collection":
        return [frozenset(map(named, row[place] or ())) for row in records.rows]
    return [None if row[place] is None else named(row[place]) for row in records.rows]
