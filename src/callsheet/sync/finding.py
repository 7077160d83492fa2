"""Entities found by what identifies them: many keys at once, in as few requests as the server's limits allow.

Theory. A key is a tuple of values at paths. Asking for a thousand keys by one condition each would be a long
condition tree; instead each path is compared with the values that occur (``name in (…) and project.name in (…)``),
which finds a few too many entities where the values combine, and those are left out here. The keys are asked for in
runs, so that no list is longer than the server takes and an answer has about as many rows as the run has keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen

from callsheet.chunks import chunks
from callsheet.core import reading
from callsheet.core.core import Core
from callsheet.core.rows import PageTables
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.query import And, Comparison, Condition, Path, Select
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType

__all__ = ["Found", "find", "find_all"]

KeyTuple = tuple[Any, ...]


@frozen
class Found:
    """One entity as the server has it: its values at the key's paths, and by projection."""

    identity: Identity
    version: int | None
    key: KeyTuple
    values: dict[Path, Any]


def find(
    core: Core,
    entity_type: EntityType,
    paths: Sequence[Path],
    keys: Iterable[KeyTuple],
    projections: Sequence[Path],
    where: Condition | None = None,
) -> Flow[dict[KeyTuple, list[Found]]]:
    """The entities of these keys, by key; a key of none is not in the answer."""
    wanted = sorted(set(keys), key=lambda key: tuple(map(str, key)))
    most = max(1, min(core.features.literals, core.page_size))
    answer: dict[KeyTuple, list[Found]] = {}
    for run in chunks(wanted, most):
        terms = [_any_of(path, {key[place] for key in run}) for place, path in enumerate(paths)]
        condition = And((*terms, where)) if where is not None else terms[0] if len(terms) == 1 else And(tuple(terms))
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
    asked = tuple(dict.fromkeys((*paths, *projections)))
    select = check(Select(entity_type.name, asked, where), core.schema)
    found: list[Found] = []
    cursor: str | None = None
    while True:
        page = yield from reading.page(core, select, core.page_size, cursor)
        found += _read(core, page, paths, asked)
        cursor = page.cursor
        if cursor is None:
            return found


def _any_of(path: Path, values: set[Any]) -> Condition:
    if len(values) == 1:
        return Comparison(path, "=", next(iter(values)))
    return Comparison(path, "in", tuple(sorted(values, key=str)))


def _read(core: Core, page: Any, paths: Sequence[Path], asked: Sequence[Path]) -> Iterator[Found]:
    tables = PageTables(core.schema, page)
    for records, row in tables.roots():
        place = {name: index for index, name in enumerate(records.attributes, 2)}
        owner = core.schema.types[records.entity_type]
        values: dict[Path, Any] = {}
        for path in asked:
            attribute = owner.attributes.get(path.steps[0].name)
            if attribute is not None and attribute.kind in ("reference", "collection") and len(path.steps) == 1:
                index = place.get(attribute.name)
                values[path] = None if index is None else _identities(core, attribute, row[index])
            else:
                values[path] = tables.value(records.entity_type, row[0], path)
        key = tuple(values[path] for path in paths)
        yield Found(Identity(records.entity_type, row[0]), row[1], key, values)


def _identities(core: Core, attribute: Any, value: Any) -> Any:
    """A reference as an identity, the members of a collection as a set of them."""
    if value is None:
        return None
    target = str(attribute.target)
    polymorphic = core.schema.polymorphic(target)
    if attribute.kind == "collection":
        return frozenset(Identity(*item) if polymorphic else Identity(target, item) for item in value)
    return Identity(*value) if polymorphic else Identity(target, value)
