"""A session as a side of a two-way sync: any server with one of our dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from callsheet.core.calls import call
from callsheet.core.commit import send_alone
from callsheet.core.core import Core
from callsheet.core.past.history import commits_where
from callsheet.errors import Conflict, ServerError, UsageError
from callsheet.flow import Flow
from callsheet.model.language.parser import parse_condition, parse_path
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.query import And, Comparison, Condition, Path
from callsheet.model.record import Identity
from callsheet.model.schema import Attribute, EntityType
from callsheet.sync.finding import Found, find, find_all
from callsheet.sync.side import SideChange, SideChanges, SideOutcome, SideReference, SideRow
from callsheet.sync.two_way.labels import ReferenceLabels, label_types, reference_of, relabels

__all__ = ["SessionSide"]

LAST = datetime(9999, 1, 1, tzinfo=UTC)
REFUSALS = 100
GONE = 404


class SessionSide:
    """A session as a side; ``name`` is the name of its server in the registry.

    ``scope`` is a condition for each type: what the sync is about. With ``omitted``, the name of a status, entities
    that have it are gone as deleted ones are, and ``delete="omit"`` gives it; without, it is a status like any other.
    Attributes are values, items (``metadata.lens``), references (``status.name``: by a unique text of what they refer
    to) and many-to-many collections.

    >>> SessionSide(session, "spring", {"Shot": 'project.name is "spring"'}).name  # doctest: +SKIP
    'spring'
    """

    def __init__(self, session: Core, name: str, scope: Mapping[str, str] | None = None, omitted: str = ""):
        self.session = session
        self.name = name
        self.scope = dict(scope or {})
        self.omitted = omitted

    def run(self, flow: Flow[Any]) -> Any:
        """Run a flow in the session."""
        return self.session.run(flow)  # type: ignore[attr-defined]

    # -- reading ---------------------------------------------------------------------------------------------

    def changes(self, types: Sequence[str], since: Any, origin: str) -> Flow[SideChanges]:
        """The position in the server's log, and what others than this sync changed since."""
        core = self.session
        if not core.features.history:
            yield from ()
            return SideChanges("none")
        position = (yield from call(core, "at", {"time": LAST}))["position"]
        if since is None:
            return SideChanges(position)
        if not isinstance(since, int) or since > position:
            raise UsageError(f"{self.name}: the log has no position {since!r:.40}; was another database restored?")
        found: dict[str, set[str]] = {name: set() for name in types}
        kinds = {kind: name for name in types for kind in core.schema.concrete(name)}
        beside = label_types(core, types)
        for commit in (yield from commits_where(core, since, None)):
            if relabels(core, beside, commit):
                return SideChanges(position)
            if commit.origin.startswith(origin):
                continue
            for change in commit.changes:
                if (name := kinds.get(change.identity.entity_type)) is not None:
                    found[name].add(str(change.identity.key))
        return SideChanges(position, found)

    def read(self, type: str, attributes: Sequence[str], ids: Sequence[str] | None = None) -> Flow[list[SideRow]]:
        """The entities in scope that are not omitted."""
        core, entity_type = self.session, self._type(type)
        held = [self._path(entity_type, name) for name in attributes]
        time = next((each.name for each in entity_type.attributes.values() if each.computed == "updated_at"), None)
        beside = [Path.of(name) for name in (time, entity_type.label) if name]
        own, where = [Path.of(entity_type.key[0])], self._condition(entity_type)
        if ids is None:
            entities = yield from find_all(core, entity_type, own, [*held, *beside], where)
        else:
            there = yield from find(core, entity_type, own, ((each,) for each in ids), [*held, *beside], where)
            entities = [each for found in there.values() for each in found]
        return [self._row(each, attributes, time is not None) for each in entities]

    def _type(self, name: str) -> EntityType:
        entity_type = self.session.schema.type(name)
        if len(entity_type.key) > 1:
            raise UsageError(f"{name} has a key of several parts; a two-way sync needs one id")
        return entity_type

    def _path(self, entity_type: EntityType, name: str) -> Path:
        """The path of an attribute that a sync can carry."""
        path = parse_path(name)
        attribute = self._attribute(entity_type, name)
        if attribute.kind == "collection":
            inverse = self.session.schema.types[str(attribute.target)].attributes.get(attribute.inverse or "")
            if inverse is not None and inverse.kind == "reference":
                raise UsageError(f"{entity_type.name}.{name} is carried from its other side: {inverse.name}")
        return path

    def _attribute(self, entity_type: EntityType, name: str) -> Attribute:
        first, *rest = parse_path(name).names
        attribute = entity_type.attribute(first)
        if rest and attribute.kind != "mapping" and reference_of(self.session, entity_type, name) is None:
            raise UsageError(f"{entity_type.name}.{name} leads through `{first}`; a sync carries `{first}` itself")
        return attribute

    def _condition(self, entity_type: EntityType) -> Condition | None:
        terms: list[Condition] = []
        if text := self.scope.get(entity_type.name):
            terms.append(parse_condition(text, self.session.operators))
        status = entity_type.attributes.get("status")
        if self.omitted and status is not None and status.kind == "reference":
            label = self.session.schema.types[str(status.target)].label
            terms.append(parse_condition(f'not status.{label} is "{self.omitted}"', {}))
        return And(tuple(terms)) if len(terms) > 1 else terms[0] if terms else None

    def _row(self, found: Found, attributes: Sequence[str], timed: bool) -> SideRow:
        values = {name: _plain(value) for name, value in zip(attributes, found.values)}
        time, *label = found.values[len(attributes) :] if timed else (None, *found.values[len(attributes) :])
        own = str(found.identity.key)
        return SideRow(own, values, time, own, str(label[0]) if label and label[0] is not None else own)

    # -- writing ---------------------------------------------------------------------------------------------

    def write(self, changes: Sequence[SideChange], origin: str) -> Flow[list[SideOutcome]]:
        """Write the changes in one commit, without those that the server refuses."""
        outcomes: dict[int, SideOutcome] = {}
        made = yield from self._made([each for each in changes if each.kind == "create"])
        labels = ReferenceLabels(self.session)
        yield from labels.look_up(changes)
        left: list[tuple[int, Operation]] = []
        for index, each in enumerate(changes):
            if each.kind == "create" and each.token in made:
                outcomes[index] = SideOutcome("done", each.token)
                continue
            try:
                operation = yield from self._operation(each, labels)
            except KeyError as missing:
                operation = str(missing.args[0])
            if isinstance(operation, str):
                outcomes[index] = SideOutcome("refused", each.id, operation)
            else:
                left.append((index, operation))
        yield from self._send(left, outcomes, origin)
        return [outcomes[index] for index in range(len(changes))]

    def _made(self, creates: Sequence[SideChange]) -> Flow[set[str]]:
        """The tokens whose entities are there already."""
        found: set[str] = set()
        for name in dict.fromkeys(each.type for each in creates):
            entity_type = self._type(name)
            tokens = [(each.token,) for each in creates if each.type == name]
            there = yield from find(self.session, entity_type, [Path.of(entity_type.key[0])], tokens, ())
            found |= {key[0] for key in there}
        return found

    def _send(self, left: list[tuple[int, Operation]], outcomes: dict[int, SideOutcome], origin: str) -> Flow[None]:
        refusals = 0
        while left:
            try:
                yield from send_alone(self.session, [operation for _, operation in left], origin=origin)
            except ServerError as error:
                place = error.operation
                refusals += 1
                if error.status >= 500 or place is None or not 0 <= place < len(left) or refusals > REFUSALS:
                    raise
                index, operation = left.pop(place)
                outcomes[index] = yield from self._refusal(operation, error)
            else:
                outcomes.update({index: SideOutcome("done", str(each.identity.key)) for index, each in left})
                return

    def _refusal(self, operation: Operation, error: ServerError) -> Flow[SideOutcome]:
        """Why it was not done; a create that another job did a moment ago is done."""
        own = str(operation.identity.key)
        if isinstance(operation, Create):
            entity_type = self._type(operation.identity.entity_type)
            there = yield from find(self.session, entity_type, [Path.of(entity_type.key[0])], [(own,)], ())
            if there:
                return SideOutcome("done", own)
            return SideOutcome("refused", None, str(error))
        changed = isinstance(error, Conflict) or error.status == GONE
        return SideOutcome("conflict" if changed else "refused", own, str(error))

    def _operation(self, change: SideChange, labels: ReferenceLabels) -> Flow[Operation | str]:
        """The operation of a change, or why there is none."""
        entity_type = self._type(change.type)
        identity = Identity(entity_type.name, change.token if change.kind == "create" else change.id)
        if change.kind == "create":
            values, members = self._values(entity_type, labels.references(entity_type, change.values))
            return Create(identity, values, {name: tuple(sorted(each)) for name, each in members.items() if each})
        if change.kind == "delete":
            return Delete(identity)
        if change.kind == "omit":
            return (yield from self._omission(entity_type, identity))
        values, members = self._values(entity_type, labels.references(entity_type, change.values))
        before, held = self._values(entity_type, labels.references(entity_type, change.before))
        added = {name: tuple(sorted(each - held.get(name, frozenset()))) for name, each in members.items()}
        removed = {name: tuple(sorted(held.get(name, frozenset()) - each)) for name, each in members.items()}
        return Update(
            identity, values, {n: each for n, each in before.items() if n in values}, _full(added), _full(removed)
        )

    def _values(
        self, entity_type: EntityType, values: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, frozenset[Identity]]]:
        """Values as operations hold them, and members."""
        own: dict[str, Any] = {}
        members: dict[str, frozenset[Identity]] = {}
        for name, value in values.items():
            if self._attribute(entity_type, name).kind == "collection":
                members[name] = frozenset(Identity(each.type, each.id) for each in value or ())
            else:
                own[name] = Identity(value.type, value.id) if isinstance(value, SideReference) else value
        return own, members

    def _omission(self, entity_type: EntityType, identity: Identity) -> Flow[Operation | str]:
        status = entity_type.attributes.get("status")
        if not self.omitted:
            return f'{self.name} has no status that means omitted: SessionSide(…, omitted="Omitted") names it'
        if status is None or status.kind != "reference":
            return f"{entity_type.name} has no status, so its entities cannot be omitted"
        kind = self.session.schema.types[str(status.target)]
        found = yield from find_all(
            self.session, kind, [Path.of(kind.key[0])], (), Comparison(Path.of(kind.label), "=", self.omitted)
        )
        if not found:
            return f"there is no {kind.name} {self.omitted}"
        return Update(identity, {"status": found[0].identity})


def _full(members: Mapping[str, tuple[Identity, ...]]) -> dict[str, tuple[Identity, ...]]:
    return {name: each for name, each in members.items() if each}


def _plain(value: Any) -> Any:
    if isinstance(value, Identity):
        return SideReference(value.entity_type, str(value.key))
    if isinstance(value, frozenset):
        return frozenset(SideReference(each.entity_type, str(each.key)) for each in value)
    return value
