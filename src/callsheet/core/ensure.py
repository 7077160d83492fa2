"""`ensure`: the entity with these identifying values, found or made.

What is compared is what is meant: a time is an instant, and a server that keeps whole seconds is not sent the
rest again and again; 24 is 24.0; a date given for a time is its midnight in UTC; items of a mapping are compared one by
one and others left alone. What is pending here counts, so ensuring twice before a commit makes one entity.

Theory. Between the query and the create, somebody else may create the same. With ``commit`` the server decides: where
its rules (a unique combination) refuse the new entity, the create is taken back, and the other's entity is fetched.
Between the query and an update, somebody else may write the same. That is a conflict of numbers (`Attribute.agrees`),
but no reason to give up here: who ensures a value did not count on from the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from callsheet.core import populating, reading
from callsheet.core.commit import commit as send
from callsheet.core.core import Core
from callsheet.entity.collection import Collection, MappingView
from callsheet.entity.entity import Entity, type_name
from callsheet.entity.expressions import compare
from callsheet.entity.peers import Peers
from callsheet.errors import Conflict, ConflictError, MultipleResults, UsageError
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse_path
from callsheet.model.normalisation import normalised, normalised_items
from callsheet.model.operation import Change
from callsheet.model.query import And, Select
from callsheet.model.record import NOT_SET, equal
from callsheet.model.schema import Attribute, EntityType

__all__ = ["alike", "ensure"]

ATTEMPTS = 3


def ensure(
    core: Core,
    entity_type: str | type[Entity],
    data: Mapping[str, Any],
    identifying_keys: Sequence[str] = (),
    commit: bool = False,
) -> Flow[Any]:
    """The entity with these identifying values, brought up to date or created; pending, not committed.

    With ``commit`` all that is pending is committed, and two sessions that ensure the same at the same moment get
    one entity, if the server keeps it unique. Without keys, all plain values of the data identify the entity.
    """
    entity_type = type_name(entity_type)
    values = _read(core, entity_type, data)
    keys = [identifying_keys] if isinstance(identifying_keys, str) else list(identifying_keys)
    keys = keys or [name for name in values if _identifies(values[name])]
    if not keys:
        raise UsageError("ensure needs at least one identifying key")
    wanted = {name: _value(values, name) for name in keys}
    found = yield from _find(core, entity_type, wanted)
    made = found is None
    if found is None:
        found = core.create(entity_type, values)
    else:
        yield from _update(core, found, values)
    if commit and core.pending:
        try:
            yield from _send(core, found, values)
        except ConflictError as error:
            if not made or not isinstance(error.__cause__, Conflict):
                raise
            other = yield from _found_on_server(core, entity_type, wanted)
            if other is None:
                raise
            core.delete(found)
            found = other
            yield from _update(core, found, values)
            if core.pending:
                yield from _send(core, found, values)
    return found


def _send(core: Core, found: Any, values: Mapping[str, Any]) -> Flow[None]:
    """Commit. Where others wrote the very values that are to be ensured, they are there."""
    names = {found._type.attribute(name).name for name in values} | set(_items(values))
    for _ in range(ATTEMPTS):
        try:
            yield from send(core, None)
            return
        except ConflictError as error:
            if not error.conflicts or not all(_is_ensured(each, found, names) for each in error.conflicts):
                raise
        yield from populating.refresh(core, found)
    yield from send(core, None)


def _items(values: Mapping[str, Any]) -> Iterator[str]:
    """The dotted names of the items of mappings."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{key}" for key in value)


def _is_ensured(conflict: Change, found: Any, names: set[str]) -> bool:
    """Whether a value to be ensured is there."""
    named = conflict.attribute in names and conflict.identity == found.identity
    return named and equal(conflict.ours, conflict.theirs)


def _read(core: Core, entity_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with dates as the times that their attributes hold; `SchemaError` for a name that is none."""
    found = core.schema.type(entity_type)
    values: dict[str, Any] = {}
    for name, value in data.items():
        attribute = found.attribute(name)
        if attribute.data_type == "datetime" and isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day, tzinfo=UTC)
        values[name] = _normalised(found, name, value)
    return values


def _normalised(entity_type: EntityType, name: str, value: Any) -> Any:
    """The value as the attribute holds it, so that it can be compared with what is held."""
    attribute = entity_type.attribute(name)
    if attribute.kind == "mapping" and name == attribute.name:
        return normalised_items(entity_type, name, value)
    return value if attribute.kind in ("reference", "collection") else normalised(entity_type.name, attribute, value)


def _identifies(value: Any) -> bool:
    return isinstance(value, Entity) or not isinstance(value, Mapping | list | tuple | Collection)


def _value(values: Mapping[str, Any], name: str) -> Any:
    """An identifying value; a dotted name is an item of a mapping."""
    mapping, dot, key = name.partition(".")
    if name in values:
        return values[name]
    if dot and isinstance(values.get(mapping), Mapping) and key in values[mapping]:
        return values[mapping][key]
    raise UsageError(f"ensure: the identifying key `{name}` has no value in the data")


def _find(core: Core, entity_type: str, wanted: Mapping[str, Any]) -> Flow[Any]:
    pending = [each for each in core.created if isinstance(each, core.types[entity_type])]
    alike = [each for each in pending if all(_is(each, name, value) for name, value in wanted.items())]
    if alike:
        return alike[0]
    if any(isinstance(value, Entity) and _born(value) for value in wanted.values()):
        # Nothing on the server can refer to what is not there yet.
        return None
    return (yield from _found_on_server(core, entity_type, wanted))


def _found_on_server(core: Core, entity_type: str, wanted: Mapping[str, Any]) -> Flow[Any]:
    terms = tuple(compare(parse_path(name), "=", value) for name, value in wanted.items())
    where = terms[0] if len(terms) == 1 else And(terms)
    select = check(Select(entity_type, where=where, limit=2), core.schema)
    entities, _ = yield from reading.fetch(core, select, 2, None, Peers(core.schema.types[entity_type].root))
    alive = [each for each in entities if core.unit.is_alive(each)]
    if len(alive) > 1:
        raise MultipleResults(f"ensure: several {entity_type} have the same {', '.join(wanted)}")
    return alive[0] if alive else None


def _born(entity: Any) -> bool:
    return entity._changes is not None and entity._changes.born


def _is(entity: Any, name: str, value: Any) -> bool:
    mapping, dot, key = name.partition(".")
    if dot:
        local = MappingView(entity, mapping)._local()
        return key in local and alike(local[key], value)
    return alike(entity.peek(name), value)


def alike(one: Any, other: Any) -> bool:
    """Whether two values mean the same."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one == other or (one.microsecond == 0 and one == other.replace(microsecond=0))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Entity) or isinstance(other, Entity):
        return one is other
    return bool(one == other)


# Bringing up to date


def _update(core: Core, entity: Any, values: Mapping[str, Any]) -> Flow[None]:
    """Assign what differs."""
    lacking = [name for name in values if _unknown(entity, entity._type.attribute(name))]
    if lacking and not _born(entity):
        yield from populating.populate(core, entity, [entity._type.attribute(name).name for name in lacking])
    for name, value in values.items():
        attribute = entity._type.attribute(name)
        if attribute.kind == "mapping" and isinstance(value, Mapping):
            for key, item in _differing(entity, attribute.name, value):
                core.unit.assign_item(entity, attribute.name, key, item)
        elif attribute.kind == "collection":
            if set(map(id, value)) != set(map(id, entity.peek(attribute.name)._members())):
                core.unit.assign(entity, name, value)
        elif not alike(entity.peek(name), value):
            core.unit.assign(entity, name, value)


def _unknown(entity: Any, attribute: Attribute) -> bool:
    if attribute.name in entity._type.key:
        return False
    held = entity.peek(attribute.name)
    return not held.loaded if isinstance(held, Collection) else held is NOT_SET


def _differing(entity: Any, mapping: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    view = MappingView(entity, mapping)
    held = entity.peek(mapping)
    known = {**({} if held is NOT_SET else held or {}), **view._local()}
    for key, item in value.items():
        if not alike(known.get(key), item):
            yield key, item
