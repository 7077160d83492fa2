"""Lazy reads: an attribute that is not loaded is fetched when it is read, for its peers too.

A lazy read begins in memory (`LazyCore.missing`) and is a flow on that memory (`load`). A flow itself never reads
lazily, it peeks; while a flow runs, a lazy read raises `StateError`, so the core is never entered twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from callsheet.core.core import Core
from callsheet.core.populating import populate
from callsheet.core.reading import is_ghost, is_loaded, key_condition, merge_page, page
from callsheet.entity.collection import Collection
from callsheet.entity.inheritance import inherited_value, lineage_paths
from callsheet.entity.peers import Peers
from callsheet.errors import NotLoaded, StateError
from callsheet.flow import Flow
from callsheet.model.query import Path, Select, Step
from callsheet.model.record import NOT_SET

__all__ = ["LazyCore", "load", "load_lineage", "load_names"]


class LazyCore(Core):
    """A core whose entities load what they lack when it is read."""

    def missing(self, entity: Any, name: str) -> Any:
        """The value of an attribute that is not loaded; fetches it as the policy says."""
        changes = entity._changes
        if changes is not None and changes.state == "detached":
            raise entity._gone()
        attribute = entity._type.attributes[name]
        if attribute.kind == "collection" and entity.peek(name) is NOT_SET:
            return self.unit.collection(entity, name)
        if changes is not None and changes.born:
            default = None if _is_token(attribute.default) else attribute.default
            return self.unit.refer(attribute, default) if attribute.kind == "reference" else default
        self._check_open()
        collection = entity.peek(name) if attribute.kind == "collection" else None
        if self.auto_populate is False and collection is None:
            return NOT_SET
        if self.auto_populate in ("strict", False):
            raise NotLoaded(self._not_loaded(entity, name))
        if self._busy:
            raise StateError(f"{entity!r}.{name} was read while the session was talking to the server")

        self.talk(load(self, entity, name), entity, name)
        value = entity.peek(name)
        if value is NOT_SET or (isinstance(value, Collection) and not value.loaded):
            raise entity._gone()
        return value

    def inherited(self, entity: Any, key: str) -> Any:
        """The value of a hierarchical custom attribute that an entity has from those above it."""

        before: Any = None
        while True:
            value, unknown = inherited_value(entity, key)
            if unknown is None:
                return value
            if self.auto_populate is False:
                return NOT_SET
            if unknown is before:
                raise unknown._gone()
            self._check_open()
            paths = ", ".join(lineage_paths(self.schema, unknown._type))
            if self.auto_populate == "strict":
                raise NotLoaded(self._not_loaded(unknown, paths))
            before = unknown
            self.talk(load_lineage(self, unknown), unknown, paths)

    def load_all(self, entity: Any) -> None:
        """Fetch all that is not loaded of an entity and its peers, in one go."""
        unset = [
            name
            for name, attribute in entity._type.attributes.items()
            if attribute.kind != "collection" and name not in entity._type.key and entity.peek(name) is NOT_SET
        ]
        born = entity._changes is not None and entity._changes.born
        if unset and not born and self.auto_populate in ("peers", "one"):
            self.talk(load_names(self, entity, unset), entity, unset[0])

    def resolve(self, entity: Any) -> None:
        """Find the concrete type of an entity of which only the key is known."""

        self.talk(load_names(self, entity, []), entity, "id")

    def talk(self, flow: Flow[Any], entity: Any, name: str) -> Any:
        """Run a flow for a lazy read."""
        flow.close()
        raise NotLoaded(f"{entity!r}.{name} is not loaded; `await session.populate(entity, {name!r})` fetches it")

    def _not_loaded(self, entity: Any, name: str) -> str:
        path = entity._peers.path(name) if entity._peers is not None else name
        return (
            f"{entity!r}.{name} is not loaded, and automatic loading is off; the query would have brought it along "
            f"with the projection `{path}`: `select {path} from …`, or `session.populate(entities, {path!r})`"
        )


def _is_token(default: Any) -> bool:
    return isinstance(default, str) and default.startswith("{") and default.endswith("}")


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
