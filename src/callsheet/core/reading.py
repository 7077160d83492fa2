"""Reading: pages of records, merged into entities; an entity by its key; numbers about a query.

A flow never reads an entity lazily; it peeks. While one runs, a lazy read is an error, so the core is
never entered twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callsheet import collector
from callsheet.chunks import chunks
from callsheet.core.core import Core
from callsheet.entity.collection import Collection
from callsheet.entity.entity import Entity, type_name
from callsheet.entity.loader import merge_records
from callsheet.entity.peers import Peers
from callsheet.errors import MultipleResults, NoResult, SchemaError, UsageError
from callsheet.flow import Flow
from callsheet.model.language import relative
from callsheet.model.normalisation import normalised_key
from callsheet.model.query import And, Comparison, Condition, Or, Path, Select, Step
from callsheet.model.record import NOT_SET, Page
from callsheet.model.scalar import Unfit, plain_scalar, shown
from callsheet.model.schema import EntityType

__all__ = [
    "count_rows",
    "fetch",
    "get",
    "get_each",
    "is_ghost",
    "is_loaded",
    "fetch_all",
    "key_condition",
    "key_paths",
    "merge_page",
    "one",
    "page",
    "sendable",
]


def page(core: Core, select: Select, size: int, cursor: str | None) -> Flow[Page]:
    """One page of records, counted."""
    core.statistics.count("select")
    answer: Page = yield from core._dialect.select(sendable(core, select), size, cursor)
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


def sendable(core: Core, select: Select) -> Select:
    """The query as the server understands it: times relative to now become times where it does not know them."""
    if core.features.relative_times or not relative.is_relative(select):
        return select
    return relative.fixed_select(select, core.server_now())


def count_rows(core: Core, answer: Page) -> None:
    """Let the statistics know of the rows of a page."""
    core.statistics.entities += sum(len(records.rows) for records in answer.records)


def get(core: Core, entity_type: str | type[Entity], key: Any) -> Flow[Any]:
    """The entity of this primary key, from memory or from the server; None if there is none."""
    (found,) = yield from get_each(core, entity_type, [key])
    return found


def get_each(core: Core, entity_type: str | type[Entity], keys: Sequence[Any]) -> Flow[list[Any]]:
    """The entities of these primary keys in their order, from memory or from the server; None in place of one that is
    not there. As many requests as their number takes."""
    entity_class: Any = core.types[type_name(entity_type)]
    found: dict[Any, Any] = {None: None}
    several = len(entity_class._type.key) > 1
    wanted = [_composite(entity_class._type, key) if several else _plain(key) for key in keys]
    for key in wanted:
        if key not in found and (held := _held(core, entity_class, key)) is not NOT_SET:
            found[key] = held
    asked = {
        key: key if several or type(key) is str else normalised_key(entity_class._type, key)
        for key in wanted
        if key not in found
    }
    # A key of several parts is compared part by part, which costs the server a comparison each.
    size = 100 if several else core.features.literals
    for part in chunks(list(dict.fromkeys(asked.values())), size):
        select = Select(entity_class._name, where=key_condition(entity_class._type, part))
        entities = yield from fetch_all(core, select, len(part), Peers(entity_class._type.root))
        found.update((each._key, each) for each in entities)
    return [found.get(asked.get(key, key)) for key in wanted]


def _held(core: Core, entity_class: Any, key: Any) -> Any:
    """The live entity of a key; None for one that was deleted here, `NOT_SET` where the server must be asked."""
    found = core.identities.family(entity_class._type.root).get(key)
    if found is None or not isinstance(found, entity_class) or is_ghost(found):
        return NOT_SET
    return found if core.unit.is_alive(found) else None


def fetch_all(core: Core, select: Select, size: int, peers: Peers) -> Flow[list[Any]]:
    """The entities of all pages."""
    found, cursor = yield from fetch(core, select, size, None, peers)
    while cursor is not None:
        more, cursor = yield from fetch(core, select, size, cursor, peers)
        found = [*found, *more]
    return found


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
        terms = tuple(And(tuple(map(_part_is, key_paths(entity_type), key))) for key in keys)
        return terms[0] if len(terms) == 1 else Or(terms)
    (path,) = key_paths(entity_type)
    return Comparison(path, "=", keys[0]) if len(keys) == 1 else Comparison(path, "in", tuple(keys))


def _part_is(path: Path, value: Any) -> Condition:
    return Comparison(path, "=", value)


def key_paths(entity_type: EntityType) -> list[Path]:
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
