"""The entities that cells refer to: for all rows at once, on the server and among what is new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from operator import itemgetter
from typing import Any

from attrs import field, frozen

from callsheet.bounded import BoundedDict
from callsheet.core import reading
from callsheet.core.core import Core
from callsheet.core.rows import flat_records
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.query import Path, Select
from callsheet.model.record import NOT_SET, Identity
from callsheet.model.schema import Schema, did_you_mean
from callsheet.sync.cells import Cells
from callsheet.sync.external import External
from callsheet.sync.finding import find
from callsheet.sync.layout import Lookup, RowLayout, Target, path_text
from callsheet.sync.registry import links_of

__all__ = ["Born", "KnownKeys", "References", "born_key", "look_up", "reference_keys"]


@frozen
class Born:
    """An entity that a plan creates: others may refer to it before it is there."""

    identity: Identity
    #: Its values, by the whole paths of their attributes.
    cells: Mapping[str, Any]
    #: The row that it will be linked to: system, type, foreign id.
    foreign: tuple[str, str, str] | None = None


@frozen
class _Candidate:
    identity: Identity
    #: Values at the paths that distinguish entities of the same key.
    beside: Mapping[str, Any]


KeyTuple = tuple[Any, ...]
KnownKeys = dict[str, MutableMapping[KeyTuple, tuple[_Candidate, ...]]]
"""What the server has of the keys that rows refer to, by attribute."""

KNOWN = 20_000
"""Keys of one attribute that are kept from part to part of a large plan."""


@frozen
class References:
    """What was found, by attribute and key."""

    _found: Mapping[str, Mapping[tuple[Any, ...], Sequence[_Candidate]]]
    _names: Mapping[str, Sequence[str]]
    #: Ids of another system whose entities are not there any more.
    _gone: Mapping[str, frozenset[str]] = field(factory=dict)

    def only(self, lookup: Lookup) -> dict[tuple[Any, ...], Identity]:
        """The entities of the keys that exactly one has."""
        found = self._found[lookup.attribute.name]
        return {key: entities[0].identity for key, entities in found.items() if len(entities) == 1}

    @property
    def entities(self) -> set[Identity]:
        """All that were found."""
        return {each.identity for found in self._found.values() for entities in found.values() for each in entities}

    def resolve(self, lookup: Lookup, key: tuple[Any, ...], cells: Mapping[str, Any]) -> Identity | str:
        """The entity of a key, or why there is not exactly one."""
        found = list(self._found[lookup.attribute.name].get(key, ()))
        if len(found) > 1:
            # In two projects there may be a sequence of the same name; the row says which project it is in.
            near = [each for each in found if _agrees(each, cells)]
            found = near or found
        if len(found) == 1:
            return found[0].identity
        what = " and ".join(f"{path_text(target.rest)} {value!r}" for target, value in zip(lookup.targets, key))
        if found:
            several = f"{len(found)} entities of type {lookup.target_type}"
            return f"{several} have the {what}; add a path that tells them apart"
        if lookup.external is not None:
            return self._unlinked(lookup, lookup.external, key[0])
        names = self._names[lookup.attribute.name]
        if not names:
            return f"no {lookup.target_type} has the {what}; the server has none at all"
        hint = did_you_mean(key[0], names) if isinstance(key[0], str) else ""
        return f"no {lookup.target_type} has the {what}{hint}"

    def _unlinked(self, lookup: Lookup, external: External, foreign_id: Any) -> str:
        if foreign_id in self._gone.get(lookup.attribute.name, ()):
            return f"what was linked to {foreign_id!r:.60} of {external.system} is gone here"
        return f"no {lookup.target_type} is linked to {foreign_id!r:.60} of {external.system}"


def _agrees(candidate: _Candidate, cells: Mapping[str, Any]) -> bool:
    return all(value == cells.get(name, value) for name, value in candidate.beside.items())


def look_up(
    core: Core, layout: RowLayout, rows: Sequence[Cells], born: Sequence[Born], known: KnownKeys | None = None
) -> Flow[References]:
    """Find what all rows refer to. What the server has is kept in ``known``, and not requested again."""
    found: dict[str, dict[tuple[Any, ...], list[_Candidate]]] = {}
    names: dict[str, list[str]] = {}
    gone: dict[str, frozenset[str]] = {}
    for lookup in layout.lookups:
        if lookup.external is not None:
            name = lookup.attribute.name
            found[name], gone[name] = yield from _linked(core, lookup, lookup.external, rows, born)
            continue
        keys = {key for key in _all_keys(lookup, rows) if None not in key}
        beside = _paths_beside(core.schema, layout, lookup)
        paths = [target.rest for target in lookup.targets]
        entity_type = core.schema.types[lookup.target_type]
        kept = {} if known is None else known.setdefault(lookup.attribute.name, BoundedDict(KNOWN))
        held = {key: list(found_before) for key in keys if (found_before := kept.get(key)) is not None}
        there = yield from find(core, entity_type, paths, keys - held.keys(), list(beside.values()))
        for key, entities in there.items():
            held[key] = [_Candidate(each.identity, dict(zip(beside, each.values))) for each in entities]
            kept[key] = tuple(held[key])
        _add_born(core.schema, lookup, keys, born, beside, held)
        found[lookup.attribute.name] = held
        names[lookup.attribute.name] = [str(key[0]) for key in held]
        if keys - held.keys():
            near = yield from _near(core, lookup)
            names[lookup.attribute.name] = list(dict.fromkeys((*names[lookup.attribute.name], *near)))
    return References(found, names, gone)


def _linked(
    core: Core, lookup: Lookup, external: External, rows: Sequence[Cells], born: Sequence[Born]
) -> Flow[tuple[dict[tuple[Any, ...], list[_Candidate]], frozenset[str]]]:
    """The entities that are linked to rows of another system, or will be; and the ids whose entities are gone."""
    ids = {str(key[0]) for row in rows for key in reference_keys(lookup, row.values) if key[0] is not None}
    types = core.schema.concrete(lookup.target_type)
    links = yield from links_of(core, external.system, external.type, ids)
    near = [link for link in links if link.entity.entity_type in types]
    target = core.schema.types[lookup.target_type]
    path = [Path.of(target.key[0])]
    alive = yield from find(core, target, path, {(link.entity.key,) for link in near}, ())
    held: dict[tuple[Any, ...], list[_Candidate]] = {}
    for link in near:
        for each in alive.get((link.entity.key,), ()):
            held.setdefault((link.foreign_id,), []).append(_Candidate(each.identity, {}))
    for new in born:
        if new.foreign is None or new.identity.entity_type not in types or new.foreign[2] not in ids:
            continue
        if new.foreign[0] == external.system and external.type in ("", new.foreign[1]):
            held.setdefault((new.foreign[2],), []).append(_Candidate(new.identity, {}))
    return held, frozenset(link.foreign_id for link in near if (link.foreign_id,) not in held)


def reference_keys(lookup: Lookup, values: Mapping[str, Any]) -> Iterable[tuple[Any, ...]]:
    """The keys that a row gives for a reference, or for each member of a collection."""
    cells = [values.get(text, NOT_SET) for text in lookup.texts]
    if NOT_SET in cells:
        return ()
    if lookup.many:
        return zip(*cells) if all(isinstance(cell, list) for cell in cells) else ()
    return (tuple(cells),)


def _all_keys(lookup: Lookup, rows: Sequence[Cells]) -> set[tuple[Any, ...]]:
    """The keys that all rows give; where none lacks a cell of a reference, by functions of the interpreter."""
    if not lookup.many:
        try:
            found = set(map(itemgetter(*lookup.texts), [row.values for row in rows]))
            return found if len(lookup.texts) > 1 else {(key,) for key in found}
        except KeyError:
            pass
    return {key for row in rows for key in reference_keys(lookup, row.values)}


def born_key(lookup: Lookup, born: Born) -> tuple[Any, ...] | None:
    """The key by which a lookup finds a new entity; None if it never does."""
    if lookup.external is not None:
        return None if born.foreign is None else (born.foreign[2],)
    return tuple(born.cells.get(path_text(target.rest)) for target in lookup.targets)


def _near(core: Core, lookup: Lookup) -> Flow[list[str]]:
    """Names that exist, for the hints of those that do not; one page is enough for statuses, types and people."""
    path = lookup.targets[0].rest
    select = check(Select(lookup.target_type, (path,), limit=core.page_size), core.schema)
    page = yield from reading.page(core, select, core.page_size, None)
    found = (row[path_text(path)] for row in flat_records(core, select, page))
    return [str(name) for name in found if name]


def _paths_beside(schema: Schema, layout: RowLayout, lookup: Lookup) -> dict[str, Path]:
    """The paths of the row's key that the referenced type has, too: both lie in a project."""
    there = schema.types[lookup.target_type].attributes
    found = {}
    for name in layout.keys:
        target: Target = layout.targets[name]
        other = there.get(target.attribute.name)
        if target.writes == "nothing" and other is not None and other.target == target.attribute.target:
            found[name] = target.path
    return found


def _add_born(
    schema: Schema,
    lookup: Lookup,
    keys: set[tuple[Any, ...]],
    born: Sequence[Born],
    beside: Mapping[str, Path],
    held: dict[tuple[Any, ...], list[_Candidate]],
) -> None:
    for each in born:
        if not schema.is_a(each.identity.entity_type, lookup.target_type):
            continue
        key = born_key(lookup, each)
        if key in keys:
            near = {name: each.cells[text] for name, path in beside.items() if (text := path_text(path)) in each.cells}
            held.setdefault(key, []).append(_Candidate(each.identity, near))
