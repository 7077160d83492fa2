"""Reading: pages of records, merged into entities; an entity by its key; numbers about a query.

A flow never reads an entity lazily; it peeks. While one runs, a lazy read is an error, so the core is
never entered twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callsheet import collector
from callsheet.core.core import Core
from callsheet.entity.collection import Collection
from callsheet.entity.entity import Entity, type_name
from callsheet.entity.loader import merge_records
from callsheet.entity.peers import Peers
from callsheet.errors import MultipleResults, NoResult, SchemaError, UsageError
from callsheet.flow import Flow
from callsheet.model.normalisation import normalised_key
from callsheet.model.query import And, Comparison, Condition, Or, Path, Select, Step
from callsheet.model.record import NOT_SET, Page
from callsheet.model.scalar import Unfit, plain_scalar, shown
from callsheet.model.schema import EntityType

__all__ = [
    "count_rows",
    "fetch",
    "get",
    "is_ghost",
    "is_loaded",
    "key_condition",
    "merge_page",
    "one",
    "page",
]


def page(core: Core, select: Select, size: int, cursor: str | None) -> Flow[Page]:
    """One page of records, counted."""
    core.statistics.count("select")
    answer: Page = yield from core._dialect.select(select, size, cursor)
    count_rows(core, answer)
    return answer


def fetch(
    core: Core, select: Select, size: int, cursor: str | None, peers: Peers
) -> Flow[tuple[list[Any], str | None]]:
    """One page of entities, and the cursor of the next."""
    answer = yield from page(core, select, size, cursor)
    return merge_page(core, answer, peers), answer.cursor


def merge_page(core: Core, answer: Page, peers: Peers) -> list[Any]:
    """The entities a page holds, in order; they join ``peers``."""
    with collector.paused():
        # Held until the roots refer to them: the identity map alone would let them go.
        held = [_merge_related(core, records, peers) for records in answer.records[answer.roots :]]
        found: list[Any] = []
        for records in answer.records[: answer.roots]:
            found += merge_records(records, core, core.types, peers)
        core.identities.keep(found)
        del held
    if answer.order is not None:
        return [found[index] for index in answer.order]
    return found


def _merge_related(core: Core, records: Any, peers: Peers) -> list[Any]:
    root = core.schema.types[records.entity_type].root
    return merge_records(records, core, core.types, Peers(root, (peers, records.entity_type)))


def count_rows(core: Core, answer: Page) -> None:
    """Let the statistics know of the rows of a page."""
    core.statistics.entities += sum(len(records.rows) for records in answer.records)


def get(core: Core, entity_type: str | type[Entity], key: Any) -> Flow[Any]:
    """The entity of this primary key, from memory or from the server; None if there is none."""
    entity_type = type_name(entity_type)
    entity_class: Any = core.types[entity_type]
    root = entity_class._type.root
    key = _composite(entity_class._type, key) if len(entity_class._type.key) > 1 else _plain(key)
    found = core.identities.family(root).get(key)
    if found is not None and isinstance(found, entity_class) and not is_ghost(found):
        return found if core.unit.is_alive(found) else None
    if key is None:
        return None
    if len(entity_class._type.key) == 1 and type(key) is not str:
        key = normalised_key(entity_class._type, key)
    select = Select(entity_type, where=key_condition(entity_class._type, [key]))
    entities, _ = yield from fetch(core, select, 1, None, Peers(root))
    return entities[0] if entities else None


def _composite(entity_type: EntityType, key: Any) -> tuple[Any, ...]:
    """A key of several parts, from any sequence of them."""
    if isinstance(key, str) or not isinstance(key, Sequence) or len(key) != len(entity_type.key):
        raise UsageError(f"the key of a {entity_type.name} is ({', '.join(entity_type.key)}), not {key!r:.80}")
    return tuple(map(_plain, key))


def _plain(part: Any) -> Any:
    """A part of a key as its plain value, None for no value; `SchemaError` for what is no key of anything."""
    try:
        found = plain_scalar(part)
    except Unfit:
        found = part
    if found is not None and type(found) not in (str, int):
        raise SchemaError(f"a key is a string (or an integer, if the schema says so), not {shown(part)}")
    return found


def is_ghost(entity: Any) -> bool:
    """Whether nothing but the key is known."""
    if entity._version is not None or entity._changes is not None:
        return False
    if entity._core.features.versions:
        return True
    key = entity._type.key
    plain = [a.name for a in entity._type.attributes.values() if a.kind != "collection" and a.name not in key]
    return all(entity.peek(name) is NOT_SET for name in plain)


def is_loaded(entity: Any, name: str) -> bool:
    value = entity.peek(name)
    return value.loaded if isinstance(value, Collection) else value is not NOT_SET


def key_condition(entity_type: EntityType, keys: Sequence[Any]) -> Condition:
    if len(entity_type.key) > 1:
        terms = tuple(And(tuple(map(_part_is, _key_paths(entity_type), key))) for key in keys)
        return terms[0] if len(terms) == 1 else Or(terms)
    (path,) = _key_paths(entity_type)
    return Comparison(path, "=", keys[0]) if len(keys) == 1 else Comparison(path, "in", tuple(keys))


def _part_is(path: Path, value: Any) -> Condition:
    return Comparison(path, "=", value)


def _key_paths(entity_type: EntityType) -> list[Path]:
    """The paths of the key's parts; a foreign key is the key of its reference."""
    aliases = entity_type.aliases
    return [Path((Step(aliases[name]), Step("id")) if name in aliases else (Step(name),)) for name in entity_type.key]


def one(entities: list[Any], text: str) -> Any:
    """The only one, or an error that says how many there are."""
    if not entities:
        raise NoResult(f"nothing is found by: {text}")
    if len(entities) > 1:
        raise MultipleResults(f"more than one is found by: {text}")
    return entities[0]
