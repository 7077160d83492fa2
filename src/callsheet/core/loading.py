"""The flows of lazy reads: one attribute, or what is inherited, for an entity and its peers that lack it too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from callsheet.core.core import Core
from callsheet.core.populating import populate
from callsheet.core.reading import is_ghost, is_loaded, key_condition, merge_page, page
from callsheet.entity.inheritance import lineage_paths
from callsheet.entity.peers import Peers
from callsheet.flow import Flow
from callsheet.model.query import Path, Select, Step
from callsheet.model.record import NOT_SET

__all__ = ["load", "load_lineage", "load_names"]


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
        where=key_condition(entity._type, [peer._key for peer in group]),
    )
    peers = entity._peers if entity._peers is not None else Peers(entity._type.root)
    answer = yield from page(core, select, len(group), None)
    joined = Peers(entity._type.root, peers.origin)
    merge_page(core, answer, joined)
    _regroup(group, peers)
    for peer in group:
        _note_absence(core, peer, names)


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
    return any(not is_loaded(entity, name) for name in names)


def _declaring(core: Core, entity: Any, names: Sequence[str]) -> str:
    """The oldest type that has all these attributes: peers of sibling types can be fetched together."""
    if not names:
        return str(entity._type.root if entity._type.abstract else entity._name)
    declarers = [core.schema.declarer(entity._name, name) for name in names]
    return min(declarers, key=lambda name: -len(core.schema.types[name].ancestors))


def _regroup(group: Iterable[Any], peers: Peers) -> None:
    """Loading must not tear peers apart: they stay in the group they came in."""
    for peer in group:
        object.__setattr__(peer, "_peers", peers)


def _note_absence(core: Core, entity: Any, names: Sequence[str]) -> None:
    """An entity that was fetched and did not come is not on the server (any more)."""
    missing = is_ghost(entity) if not names else any(not is_loaded(entity, name) for name in names)
    if missing and entity._changes is None:
        core.unit.detach(entity)
