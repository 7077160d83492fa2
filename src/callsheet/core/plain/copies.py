"""An entity copied, with what belongs to it, under new keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.core.core import Core
from callsheet.core.plain.dumping import dump
from callsheet.core.plain.loads import PlainObject, PlainReader
from callsheet.entity.entity import E
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.scalar import shown
from callsheet.model.schema import did_you_mean

__all__ = ["copy"]


def copy(core: Core, entity: E, relations: Any = None, values: Mapping[str, Any] | None = None) -> Flow[E]:
    """A new entity with the values of another, and copies of what ``relations`` lead to; pending until the commit.

    References within the copy lead to the copies, all others to what they led to. ``values`` replace those of the
    entity. What must be unique is left out, or must be among ``values`` where it is required. Raises one `SchemaError`
    with all problems, and records nothing then.
    """
    core._check_entities([entity])
    if values is not None and not isinstance(values, Mapping):
        raise UsageError(f"values are given by name, not as {shown(values)}")
    plain = yield from dump(core, entity, include=relations)
    reader = PlainReader(core, as_new=True)
    root = reader.object_of(plain, str(plain["__model__"]), "")
    assert root is not None
    given = _resolved(reader, root, values or {})
    for each in reader.objects:
        for name, attribute in each.entity_type.attributes.items():
            if attribute.unique and not (each is root and name in given):
                each.values.pop(name, None)
    root.values.update(given)
    yield from reader.resolve()
    (found,) = reader.record([root])
    return found  # type: ignore[no-any-return]


def _resolved(reader: PlainReader, root: PlainObject, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by the names of their attributes; entities as they are, all else checked like a dump."""
    found = PlainObject(root.place, root.entity_type)
    for name, value in values.items():
        if name not in root.entity_type.names:
            near = did_you_mean(name, root.entity_type.names)
            reader.problems.append(f"{root.place}.{name}: {root.entity_type.name} has no attribute of this name{near}")
        else:
            reader._attribute(found, name, value)
    return found.values
