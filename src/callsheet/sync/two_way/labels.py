"""References that a side carries by a text of what they refer to: ``status.name`` is the status of that name.

Theory. Two systems often have lists of their own that are not part of a sync, such as statuses, and agree on their
names. A path of a reference and an attribute that is unique in its type stands for the reference. If no entity has a
text, the change that writes it is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from attrs import define, field

from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.history import Commit
from callsheet.model.language.parser import parse_path
from callsheet.model.query import Path
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType
from callsheet.sync.finding import find
from callsheet.sync.side import SideChange

__all__ = ["ReferenceLabels", "label_types", "reference_of", "relabels"]


def reference_of(core: Core, entity_type: EntityType, name: str) -> str | None:
    """The reference that a path carries by label; None where the path is none of that kind.

    Raises `UsageError` where the attribute at its end does not identify one entity.
    """
    first, *rest = parse_path(name).names
    attribute = entity_type.attribute(first)
    if not rest or attribute.kind != "reference":
        return None
    target = core.schema.types[str(attribute.target)]
    unique = [each for each, found in target.attributes.items() if found.unique]
    if len(rest) > 1 or rest[0] not in unique:
        texts = ", ".join(f"{first}.{each}" for each in unique) or f"`{first}` itself"
        raise UsageError(f"{entity_type.name}.{name} does not tell which {target.name} it is; a sync carries {texts}")
    return first


def label_types(core: Core, types: Iterable[str]) -> frozenset[str]:
    """The types beside these ones whose texts may stand for references of theirs."""
    own = {kind for name in types for kind in core.schema.concrete(name)}
    return frozenset(
        kind
        for name in own
        for attribute in core.schema.types[name].attributes.values()
        if attribute.kind == "reference"
        for kind in core.schema.concrete(str(attribute.target))
        if kind not in own
    )


def relabels(core: Core, beside: Collection[str], commit: Commit) -> bool:
    """Whether a commit changed a unique text of an entity of these types (see `label_types`)."""
    return any(
        core.schema.types[change.identity.entity_type].attributes[name].unique
        for change in commit.changes
        if change.kind == "update" and change.identity.entity_type in beside
        for name in change.after
        if name in core.schema.types[change.identity.entity_type].attributes
    )


@define(eq=False)
class ReferenceLabels:
    """What the texts in some changes stand for, looked up at once."""

    core: Core
    _found: dict[tuple[str, str, Any], list[Identity]] = field(factory=dict)

    def look_up(self, changes: Iterable[SideChange]) -> Flow[None]:
        """Find what the changes' texts refer to: one request for each attribute, not for each change."""
        wanted: dict[tuple[str, str], set[Any]] = {}
        for change in changes:
            entity_type = self.core.schema.type(change.type)
            for name, value in (*change.values.items(), *change.before.items()):
                if value is not None and reference_of(self.core, entity_type, name):
                    wanted.setdefault((change.type, name), set()).add(value)
        for (type, name), texts in wanted.items():
            first, last = parse_path(name).names
            target = self.core.schema.types[str(self.core.schema.type(type).attribute(first).target)]
            there = yield from find(self.core, target, [Path.of(last)], ((each,) for each in texts), ())
            for key, entities in there.items():
                self._found[type, name, key[0]] = [each.identity for each in entities]

    def references(self, entity_type: EntityType, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with references in place of texts; `KeyError` with the reason for one that nothing has."""
        found: dict[str, Any] = {}
        for name, value in values.items():
            first = reference_of(self.core, entity_type, name)
            if first is None:
                found[name] = value
                continue
            entities = self._found.get((entity_type.name, name, value), [])
            if value is not None and len(entities) != 1:
                target = entity_type.attribute(first).target
                raise KeyError(f"there is no {target} whose {name.partition('.')[2]} is {value!r:.60}")
            found[first] = entities[0] if entities else None
        return found
