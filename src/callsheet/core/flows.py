"""The verbs that talk, as flows: they work the same whether a session blocks or awaits.

A flow never reads an entity lazily; it peeks. While one runs, a lazy read is an error, so the core is
never entered twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from callsheet import collector
from callsheet.chunks import chunks
from callsheet.core import history
from callsheet.core.commit import commit
from callsheet.core.state import Core
from callsheet.dialects.protocol import Description
from callsheet.entity.collection import Collection
from callsheet.entity.inheritance import lineage_paths
from callsheet.entity.loader import merge_records
from callsheet.entity.peers import Peers
from callsheet.errors import NoResult, SchemaError, UsageError
from callsheet.flow import Flow, Work
from callsheet.model.language.parser import parse_path
from callsheet.model.query import Aggregate, And, Comparison, Condition, Or, Path, Select, Step
from callsheet.model.record import NOT_SET, Page
from callsheet.model.schema import Attribute, EntityType

__all__ = [
    "aggregate",
    "call",
    "commit",
    "fetch",
    "get",
    "load",
    "load_names",
    "open_",
    "page",
    "populate",
    "refresh",
]


def open_(core: Core) -> Flow[Description]:
    """Ask the server what it is; its schema comes from disk when it is still the right one."""
    cached = core._known_schema
    if core.moment is not None:
        yield from history.enter(core)
    elif core._cache is not None:
        cached = yield Work(core._cache.read)
    core.statistics.count("describe")
    description: Description = yield from core._dialect.describe(cached.hash if cached else "")
    schema = description.schema or cached
    if schema is None:
        raise UsageError("the server did not send its schema")
    if description.schema is not None and core._cache is not None:
        cache, fresh = core._cache, description.schema
        yield Work(lambda: cache.write(fresh))
    core.opened(description, schema)
    return description


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


def count_rows(core: Core, answer: Page) -> None:
    """Let the statistics know of the rows of a page."""
    core.statistics.entities += sum(len(records.rows) for records in answer.records)


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


def get(core: Core, entity_type: str, key: Any) -> Flow[Any]:
    """The entity of this key: the live one if its values are known, else fetched; None if there is none."""
    entity_class: Any = core.types[entity_type]
    root = entity_class._type.root
    if len(entity_class._type.key) > 1:
        key = _composite(entity_class._type, key)
    found = core.identities.family(root).get(key)
    if found is not None and isinstance(found, entity_class) and not is_ghost(found):
        return found if core.unit.is_alive(found) else None
    select = Select(entity_type, where=_key_condition(entity_class._type, [key]))
    entities, _ = yield from fetch(core, select, 1, None, Peers(root))
    return entities[0] if entities else None


def load(core: Core, entity: Any, name: str) -> Flow[None]:
    """Load one attribute of an entity and, as the policy says, of its peers.

    An entity of which nothing but the key is known gets all its plain attributes at once.
    """
    if entity._peers is not None:
        entity._peers.first().learned[entity._peers.path(name)] = None
    if entity._type.attributes[name].kind != "collection" and is_ghost(entity):
        yield from load_names(core, entity, [])
        if entity.peek(name) is not NOT_SET:
            return
    yield from load_names(core, entity, [name])


def load_names(core: Core, entity: Any, names: Sequence[str]) -> Flow[None]:
    """Load these attributes (none: every plain one) for an entity and its peers that lack them."""
    group = _lacking(core, entity, names)
    select = Select(
        _declaring(core, entity, names),
        projections=tuple(Path((Step(name),)) for name in names),
        where=_key_condition(entity._type, [peer._key for peer in group]),
    )
    peers = entity._peers if entity._peers is not None else Peers(entity._type.root)
    answer = yield from page(core, select, len(group), None)
    joined = Peers(entity._type.root, peers.origin)
    merge_page(core, answer, joined)
    _regroup(group, peers)
    for peer in group:
        _note_absence(core, peer, names)


def _lacking(core: Core, entity: Any, names: Sequence[str]) -> list[Any]:
    """The entity and, bounded by what one request may hold, its peers that lack an attribute too."""
    peers = entity._peers
    if peers is None or core.auto_populate == "one":
        return [entity]
    limit = min(core.features.rows, core.features.literals)
    find = core.identities.family(entity._type.root).get
    keys = peers.keys
    start = _position(keys, entity._key)
    declaring: Any = core.types[_declaring(core, entity, names)]
    group: list[Any] = [entity]
    seen = {entity._key}
    for key in (*keys[start:], *keys[:start]):
        if len(group) >= limit:
            break
        if key in seen:
            continue
        seen.add(key)
        peer = find(key)
        if peer is not None and isinstance(peer, declaring) and _lacks(peer, names):
            group.append(peer)
    return group


def _position(keys: list[Any], key: Any) -> int:
    try:
        return keys.index(key)
    except ValueError:
        return 0


def _lacks(entity: Any, names: Sequence[str]) -> bool:
    changes = entity._changes
    if changes is not None and (changes.born or changes.state in ("deleted", "detached")):
        return False
    if not names:
        return is_ghost(entity)
    return any(not _is_loaded(entity, name) for name in names)


def is_ghost(entity: Any) -> bool:
    """Whether nothing but the key is known."""
    if entity._version is not None or entity._changes is not None:
        return False
    if entity._core.features.versions:
        return True
    key = entity._type.key
    plain = [a.name for a in entity._type.attributes.values() if a.kind != "collection" and a.name not in key]
    return all(entity.peek(name) is NOT_SET for name in plain)


def _is_loaded(entity: Any, name: str) -> bool:
    value = entity.peek(name)
    return value.loaded if isinstance(value, Collection) else value is not NOT_SET


def _declaring(core: Core, entity: Any, names: Sequence[str]) -> str:
    """The oldest type that has all these attributes: peers of sibling types can be asked for together."""
    if not names:
        return str(entity._type.root if entity._type.abstract else entity._name)
    declarers = [core.schema.declarer(entity._name, name) for name in names]
    return min(declarers, key=lambda name: -len(core.schema.types[name].ancestors))


def _regroup(group: Iterable[Any], peers: Peers) -> None:
    """Loading must not tear peers apart: they stay in the group they came in."""
    for peer in group:
        object.__setattr__(peer, "_peers", peers)


def _note_absence(core: Core, entity: Any, names: Sequence[str]) -> None:
    """What was asked for and did not come is not on the server (any more)."""
    missing = is_ghost(entity) if not names else any(not _is_loaded(entity, name) for name in names)
    if missing and entity._changes is None:
        core.unit.detach(entity)


def _key_condition(entity_type: EntityType, keys: Sequence[Any]) -> Condition:
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


def _composite(entity_type: EntityType, key: Any) -> tuple[Any, ...]:
    """A key of several parts, from any sequence of them."""
    if isinstance(key, str) or not isinstance(key, Sequence) or len(key) != len(entity_type.key):
        raise UsageError(f"the key of a {entity_type.name} is ({', '.join(entity_type.key)}), not {key!r:.80}")
    return tuple(key)


def populate(core: Core, entities: Any, projections: str | Iterable[str]) -> Flow[None]:
    """Load paths (``"status.name, assignments.resource.name"``) for entities of any types, in bounded chunks.

    Only entities that lack a part of a path are asked for; those not yet created are left out.
    """
    paths = [parse_path(text) for text in _split(projections)]
    chosen: dict[str, list[Any]] = {}
    for entity in core._check_entities(entities):
        if entity._changes is not None and (entity._changes.born or entity._changes.state == "detached"):
            continue
        if not all(_path_loaded(core, entity, path.steps) for path in paths):
            chosen.setdefault(entity._name, []).append(entity)
    for type_name, members in chosen.items():
        wanted = tuple(path for path in paths if path.steps[0].name in core.schema.types[type_name].names)
        if len(wanted) < len(paths):
            unknown = next(path for path in paths if path not in wanted)
            core.schema.types[type_name].attribute(unknown.steps[0].name)
        for chunk in chunks(members, min(core.features.rows, core.features.literals)):
            where = _key_condition(core.schema.types[type_name], [entity._key for entity in chunk])
            root = core.schema.types[type_name].root
            before = [entity._peers for entity in chunk]
            yield from fetch(core, Select(type_name, wanted, where), len(chunk), None, Peers(root))
            for entity, peers in zip(chunk, before):
                if peers is not None:
                    object.__setattr__(entity, "_peers", peers)


def load_lineage(core: Core, entity: Any) -> Flow[None]:
    """Load what an entity and its peers need to know what they inherit."""
    group = [entity]
    if core.auto_populate != "one" and entity._peers is not None:
        find = core.identities.family(entity._type.root).get
        limit = min(core.features.rows, core.features.literals)
        keys = [key for key in entity._peers.keys if key != entity._key][: limit - 1]
        group += [peer for peer in map(find, keys) if peer is not None and core.unit.is_alive(peer)]
    by_paths: dict[tuple[str, ...], list[Any]] = {}
    for each in group:
        by_paths.setdefault(lineage_paths(core.schema, each._type), []).append(each)
    for paths, members in by_paths.items():
        if paths:
            yield from populate(core, members, paths)


def _split(projections: str | Iterable[str]) -> list[str]:
    texts = projections.split(",") if isinstance(projections, str) else list(projections)
    found = [text.strip() for text in texts if text.strip()]
    if not found:
        raise SchemaError('populate takes at least one projection, as in `"name, status.name"`')
    return found


def _path_loaded(core: Core, entity: Any, steps: Sequence[Step]) -> bool:
    step = steps[0]
    if step.cast is not None and not steps[1:]:
        steps = (Step(step.name),)
    entity_type: EntityType = entity._type
    if step.name not in entity_type.names and step.name not in entity_type.key:
        return False
    if step.name in entity_type.key:
        return True
    attribute: Attribute = entity_type.attribute(step.name)
    if not _is_loaded(entity, attribute.name):
        return False
    if len(steps) == 1 or attribute.kind in ("scalar", "mapping"):
        return True
    value = entity.peek(attribute.name)
    members = [value] if attribute.kind == "reference" else value._members()
    return all(
        _path_loaded(core, member, steps[1:])
        for member in members
        if member is not None and (step.cast is None or core.schema.is_a(member._name, step.cast))
    )


def refresh(core: Core, entities: Any, keep: str = "local") -> Flow[None]:
    """Fetch what is known of entities again.

    ``keep="local"`` keeps pending changes and bases them on the new values, so that a commit overwrites
    what it knows of; ``keep="remote"`` drops them.
    """
    chosen = core._check_entities(entities)
    if keep not in ("local", "remote"):
        raise UsageError(f'keep is "local" or "remote", not {keep!r}')
    if keep == "remote":
        core.unit.forget_changes(chosen)
    by_shape: dict[tuple[str, tuple[str, ...]], list[Any]] = {}
    for entity in chosen:
        if entity._changes is not None and entity._changes.born:
            continue
        known = tuple(name for name in entity._type.attributes if entity.peek(name) is not NOT_SET)
        names = tuple(name for name in known if name not in entity._type.key and _is_loaded(entity, name))
        by_shape.setdefault((entity._name, names), []).append(entity)
    for (type_name, names), members in by_shape.items():
        entity_type = core.schema.types[type_name]
        projections = tuple(Path((Step(name),)) for name in names)
        for chunk in chunks(members, min(core.features.rows, core.features.literals)):
            select = Select(type_name, projections, _key_condition(entity_type, [entity._key for entity in chunk]))
            answer = yield from page(core, select, len(chunk), None)
            told = {row[0]: row[1] for records in answer.records[: answer.roots] for row in records.rows}
            merge_page(core, answer, Peers(entity_type.root))
            for entity in chunk:
                if entity._key not in told:
                    core.unit.forget_changes([entity])
                    core.unit.detach(entity)
                else:
                    core.unit.rebase(entity, told[entity._key])


def aggregate(core: Core, question: Aggregate) -> Flow[list[tuple[Any, ...]]]:
    """Numbers about what a query selects."""
    core.statistics.count("aggregate")
    return (yield from core._dialect.aggregate(question))


def call(core: Core, action: str, arguments: dict[str, Any]) -> Flow[Any]:
    """Anything else the server offers."""
    if action not in history.ACTIONS:
        core.check_present()
    core.statistics.count("call")
    return (yield from core._dialect.call(action, arguments))


def one(entities: list[Any], text: str) -> Any:
    """The only one, or an error that says how many there are."""
    from callsheet.errors import MultipleResults

    if not entities:
        raise NoResult(f"nothing is found by: {text}")
    if len(entities) > 1:
        raise MultipleResults(f"more than one is found by: {text}")
    return entities[0]
