"""Operations as what ftrack's server takes: creates, updates and deletes, of rows that we do not see among them.

An item of ``metadata`` is a row of its own, which is created, updated or deleted; an item of
``custom_attributes`` is the value of a configuration for an entity. The pairs of a many-to-many relation are
rows of a type where the server has one (see ``[pairs]`` in ``data/wiring.toml``); elsewhere it takes nothing but the
whole list of members. What must be known for this is read first, in one request: see `Needs`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.codec import BEFORE, ENTITY_TYPE, key_out, reference_out, value_out
from callsheet.dialects.ftrack.common.custom_attributes import candidates
from callsheet.dialects.ftrack.common.wiring import Through
from callsheet.errors import CommitError, SchemaError
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import NOT_SET, Identity
from callsheet.model.schema import NUMBERS, Attribute, EntityType

__all__ = ["Needs", "Payloads", "needs_of"]

Payload = dict[str, Any]


@define
class Needs:
    """What must be known before a change set can be written, and then what is known.

    ``metadata`` has for (parent, key) whether there is such a row; ``links`` the keys of the rows between an
    owner and members; ``members`` the members of a collection; ``projects`` the project an entity is in.
    """

    metadata: dict[tuple[Any, str], bool] = field(factory=dict)
    links: dict[tuple[Through, Any, Any], list[Any]] = field(factory=dict)
    members: dict[tuple[Identity, str], list[Identity]] = field(factory=dict)
    projects: dict[Identity, str | None] = field(factory=dict)


def needs_of(changes: ChangeSet, vocabulary: Vocabulary) -> Needs:
    """What must be read: all places are there, and nothing is known yet."""
    needs = Needs()
    born = {operation.identity for operation in changes.operations if isinstance(operation, Create)}
    for operation in changes.operations:
        if isinstance(operation, Delete):
            continue
        identity = operation.identity
        entity_type = vocabulary.schema.type(identity.entity_type)
        for name in operation.values:
            mapping, dot, key = name.partition(".")
            if not dot:
                continue
            if entity_type.attributes[mapping].data_type == "custom":
                if any(row.get("project_id") for row in vocabulary.configured(entity_type, key)):
                    needs.projects[identity] = None
            elif isinstance(operation, Update) and identity not in born and name not in operation.before:
                needs.metadata[identity.key, key] = False
        if isinstance(operation, Update):
            _links_needed(needs, operation, entity_type, vocabulary, identity in born)
        for place in _elsewhere(operation, entity_type, vocabulary):
            if place[0] not in born:
                needs.members[place] = []
    return needs


def _elsewhere(
    operation: Create | Update, entity_type: EntityType, vocabulary: Vocabulary
) -> dict[tuple[Identity, str], bool]:
    """Memberships that are written at the other side: the place, and whether the entity joins or leaves."""
    found: dict[tuple[Identity, str], bool] = {}
    removed = operation.removed if isinstance(operation, Update) else {}
    for present, links in ((True, operation.added), (False, removed)):
        for name, members in links.items():
            other = vocabulary.other_side(entity_type, name)
            if other is not None:
                found.update({(member, other): present for member in members})
    return found


def _links_needed(needs: Needs, operation: Update, entity_type: EntityType, vocabulary: Vocabulary, born: bool) -> None:
    for name in {*operation.added, *operation.removed}:
        through = vocabulary.through(entity_type, name)
        other = vocabulary.other_side(entity_type, name)
        if through is None:
            if not born and other is None:
                needs.members[operation.identity, name] = []
        elif vocabulary.schema.type(through.entity_type).key == ("id",):
            for member in operation.removed.get(name, ()):
                needs.links[through, operation.identity.key, member.key] = []


@define
class Payloads:
    """Writes a change set. ``written`` are the payloads, ``sources`` the index of the operation of each.

    For a server that ``compares``, an update of a number says which number it is based on.
    """

    changes: ChangeSet
    vocabulary: Vocabulary
    needs: Needs
    compares: bool = False
    written: list[Payload] = field(factory=list)
    sources: list[int] = field(factory=list)
    turned: dict[tuple[Identity, str], int] = field(factory=dict)

    def write(self) -> list[Payload]:
        """All payloads, in order; lists that several operations change come last, once each."""
        for index, operation in enumerate(self.changes.operations):
            before = len(self.written)
            self._operation(operation)
            self.sources += [index] * (len(self.written) - before)
            if not isinstance(operation, Delete):
                self._turn(index, operation)
        deleted = {operation.identity for operation in self.changes.operations if isinstance(operation, Delete)}
        for (owner, name), index in self.turned.items():
            if owner not in deleted:
                members = [reference_out(self.vocabulary.schema, each) for each in self.needs.members[owner, name]]
                self._add("update", owner.entity_type, key_out(owner.key), {name: members})
                self.sources.append(index)
        return self.written

    def _turn(self, index: int, operation: Create | Update) -> None:
        """Note what is to be written at the other side."""
        entity_type = self.vocabulary.schema.type(operation.identity.entity_type)
        for (owner, name), present in _elsewhere(operation, entity_type, self.vocabulary).items():
            one = (operation.identity,)
            self._members(owner, name, one if present else (), () if present else one)
            self.turned[owner, name] = index

    def _operation(self, operation: Operation) -> None:
        identity = operation.identity
        if isinstance(operation, Delete):
            self._add("delete", identity.entity_type, key_out(identity.key))
            return
        if isinstance(operation, Update) and operation.adjusted:
            asked = f"{', '.join(operation.adjusted)} of {identity.entity_type} {identity.key}"
            raise CommitError(f"{asked}: this wire has no increments; write the values")
        entity_type = self.vocabulary.schema.type(identity.entity_type)
        data = self._data(entity_type, operation.values)
        removed = operation.removed if isinstance(operation, Update) else {}
        linked = dict.fromkeys((*operation.added, *removed))
        names = [name for name in linked if self.vocabulary.other_side(entity_type, name) is None]
        for name in names:
            if self.vocabulary.through(entity_type, name) is None:
                changed = self._members(identity, name, operation.added.get(name, ()), removed.get(name, ()))
                data[name] = [reference_out(self.vocabulary.schema, member) for member in changed]
        if isinstance(operation, Create):
            parts = dict(zip(entity_type.key, key_out(identity.key), strict=True))
            self._add("create", entity_type.name, list(parts.values()), parts | data)
        elif data:
            self._add("update", entity_type.name, key_out(identity.key), data)
            if before := self._before(entity_type, operation):
                self.written[-1][BEFORE] = before
        for name, value in operation.values.items():
            if "." in name:
                self._item(operation, entity_type, name, value)
        for name in names:
            through = self.vocabulary.through(entity_type, name)
            if through is not None:
                self._pairs(through, identity, operation.added.get(name, ()), removed.get(name, ()))

    def _before(self, entity_type: EntityType, operation: Create | Update) -> Payload:
        """The numbers that an update is based on. The wire keeps other values less exactly than the server does."""
        if not self.compares or self.changes.policy != "raise" or not isinstance(operation, Update):
            return {}
        numbers = {
            name: value
            for name, value in operation.before.items()
            if name in operation.values and "." not in name and entity_type.attributes[name].data_type in NUMBERS
        }
        return self._data(entity_type, numbers)

    def _add(self, action: str, entity_type: str, key: list[Any], data: Mapping[str, Any] | None = None) -> None:
        payload: Payload = {"action": action, "entity_type": entity_type, "entity_key": key}
        if data is not None:
            payload["entity_data"] = {ENTITY_TYPE: entity_type, **data}
        self.written.append(payload)

    def _data(self, entity_type: EntityType, values: Mapping[str, Any]) -> Payload:
        """Scalars and references as the server names them."""
        data: Payload = {}
        for name, value in values.items():
            attribute = entity_type.attributes.get(name)
            if attribute is None:
                continue
            if attribute.kind == "scalar":
                data[name] = value_out(attribute, value, self.vocabulary.is_text(entity_type, attribute))
            elif attribute.foreign_key is None:
                data[name] = reference_out(self.vocabulary.schema, value)
            elif attribute.foreign_key not in entity_type.key:
                data[attribute.foreign_key] = None if value is None else value.key
        return data

    # -- items of mappings -------------------------------------------------------------------------------

    def _item(self, operation: Create | Update, entity_type: EntityType, name: str, value: Any) -> None:
        mapping, _, key = name.partition(".")
        if entity_type.attributes[mapping].data_type == "custom":
            self._custom(operation.identity, entity_type, key, value)
        else:
            self._metadata(operation, name, key, value)

    def _metadata(self, operation: Create | Update, name: str, key: str, value: Any) -> None:
        owner = operation.identity
        before = operation.before.get(name, NOT_SET) if isinstance(operation, Update) else None
        place = (owner.key, key)
        exists = self.needs.metadata.get(place, False) if before is NOT_SET else before is not None
        self.needs.metadata[place] = value is not None
        if value is None and exists:
            self._add("delete", "Metadata", list(place))
        elif exists:
            self._add("update", "Metadata", list(place), {"value": value})
        elif value is not None:
            data = {"parent_id": owner.key, "parent_type": owner.entity_type, "key": key, "value": value}
            self._add("create", "Metadata", list(place), data)

    def _custom(self, owner: Identity, entity_type: EntityType, key: str, value: Any) -> None:
        rows = candidates(self.vocabulary.configured(entity_type, key), key, self.needs.projects.get(owner))
        values = self.vocabulary.values_type(entity_type)
        if not rows or values is None:
            raise SchemaError(
                f"no configuration of the custom attribute `{key}` is for {owner.entity_type} {owner.key}; "
                "`session.reload_schema()` learns new ones"
            )
        item = entity_type.custom.get(key, Attribute(key, data_type="json"))
        self._add("update", values, [rows[0]["id"], owner.key], {"value": value_out(item, value)})

    # -- many-to-many ------------------------------------------------------------------------------------

    def _members(
        self, owner: Identity, name: str, added: Sequence[Identity], removed: Sequence[Identity]
    ) -> list[Identity]:
        """The whole list, as it will be."""
        known = dict.fromkeys((*self.needs.members.get((owner, name), ()), *added))
        found = [member for member in known if member.key not in {gone.key for gone in removed}]
        self.needs.members[owner, name] = found
        return found

    def _pairs(self, through: Through, owner: Identity, added: Sequence[Identity], removed: Sequence[Identity]) -> None:
        row_type = self.vocabulary.schema.type(through.entity_type)
        for member in added:
            data = {through.owner_key: owner.key, through.member_key: member.key}
            if row_type.key == ("id",):
                data["id"] = self._row_key(through, owner, member)
            self._add("create", through.entity_type, [data[part] for part in row_type.key], data)
        for member in removed:
            parts = {through.owner_key: owner.key, through.member_key: member.key}
            if row_type.key == ("id",):
                for key in self.needs.links.get((through, owner.key, member.key), ()):
                    self._add("delete", through.entity_type, [key])
            else:
                self._add("delete", through.entity_type, [parts[part] for part in row_type.key])

    def _row_key(self, through: Through, owner: Identity, member: Identity) -> str:
        """A key that is the same whenever this change set is sent, so that the row cannot come twice."""
        named = "\n".join((self.changes.commit_id, through.entity_type, str(owner.key), str(member.key)))
        text = hashlib.blake2b(named.encode(), digest_size=16).hexdigest()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
