"""Undo: the inverse of a commit, recorded as new pending work.

Theory. What a commit did to an entity names its own inverse: what was created is deleted, what was deleted is
created again under its old key with all it held, changed attributes get the values they had, members that
joined leave and those that left join. First all of it is planned, against the server's present values with
the session's pending work on top; nothing is recorded if any conflict exists. It is a conflict
that a value is no longer what the commit left (by whomever: later work would be lost), that something came to
refer to what would be deleted, or that something to be referred to is gone.

A number that was incremented is incremented by the opposite, whatever it is now; one that a bound changed is a value
that changed, and so is one that was empty before.

What is computed by the server is not written: it is computed again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field

from callsheet.core.core import Core
from callsheet.core.past.history import CommitName, find_commit
from callsheet.core.past.scene import Place, Scene, attribute_of
from callsheet.entity.collection import Collection
from callsheet.entity.entity import Entity
from callsheet.entity.frozen import thaw
from callsheet.errors import ConflictError, SchemaError, StateError, UsageError
from callsheet.flow import Flow
from callsheet.model.adjustment import Number, increment
from callsheet.model.history import Commit, EntityChange
from callsheet.model.normalisation import normalised
from callsheet.model.operation import Change
from callsheet.model.record import NOT_SET, Identity, equal
from callsheet.model.schema import NUMBERS, Attribute

__all__ = ["undo"]

POLICIES = ("raise", "skip", "force")
SHOWN = 5


def undo(core: Core, commit: CommitName, conflicts: str = "raise") -> Flow[tuple[Change, ...]]:
    """Record the inverse of a commit (its id, its position, itself), pending until you commit.

    ``conflicts`` says what happens where a value changed since: ``"raise"`` a `ConflictError` and record nothing,
    ``"skip"`` that value, or ``"force"`` the old one. Gives the conflicts that were passed over.
    """
    if conflicts not in POLICIES:
        raise UsageError(f"conflicts is one of {', '.join(POLICIES)}, not {conflicts!r:.80}")
    core.check_present()
    if not core.unit.recording:
        raise UsageError("undo records what it does, and recording is off")
    done = yield from find_commit(core, commit)
    scene = Scene(core)
    yield from scene.load(done)
    plan = _Plan(scene, done, conflicts == "force")
    plan.make()
    if plan.conflicts and conflicts == "raise":
        raise ConflictError(_conflict_message(done, plan), conflicts=tuple(plan.conflicts))
    plan.record()
    return tuple(plan.conflicts)


def _conflict_message(commit: Commit, plan: _Plan) -> str:
    more = f"; and {len(plan.reasons) - SHOWN} more" if len(plan.reasons) > SHOWN else ""
    return (
        f"commit {commit.position} cannot be undone as it is: {'; '.join(plan.reasons[:SHOWN])}{more}. Nothing was "
        'recorded; `conflicts="skip"` leaves these as they are, `"force"` takes them back all the same'
    )


@define(eq=False)
class _Plan:
    """What is to be recorded, and the conflicts."""

    scene: Scene
    commit: Commit
    force: bool
    conflicts: list[Change] = field(factory=list)
    reasons: list[str] = field(factory=list)
    _born: dict[Place, EntityChange] = field(factory=dict)
    _doomed: dict[Place, EntityChange] = field(factory=dict)
    _values: dict[tuple[Place, str], Any] = field(factory=dict)
    _increments: dict[tuple[Place, str], Number] = field(factory=dict)

    def make(self) -> None:
        for change in self.commit.changes:
            place = self.scene.place(change.identity)
            entity = self.scene.at(place)
            if change.kind == "create" and entity is not None:
                self._doomed[place] = change
            elif change.kind == "delete" and entity is None:
                if place in self.scene.entities:
                    raise StateError(f"{self.scene.entities[place]!r} is to be deleted: commit or roll back first")
                self._born[place] = change
        self._check_births()
        for change in self.commit.changes:
            if change.kind != "create":
                self._plan_values(change)
        self._check_deletes()

    def _against(self, identity: Identity, name: str, base: Any, ours: Any, theirs: Any, reason: str) -> None:
        """Note a conflict."""
        self.conflicts.append(Change(identity, name, base, ours, theirs))
        kind, key = identity
        self.reasons.append(f"{kind} {key}{'.' if name else ''}{name}: {reason}")

    # -- values ----------------------------------------------------------------------------------------------

    def _plan_values(self, change: EntityChange) -> None:
        """The values to be written, of what was changed; or was deleted, and is there again."""
        place = self.scene.place(change.identity)
        entity = self.scene.at(place)
        if place in self._born:
            return
        if entity is None:
            if change.kind == "update":
                self._against(change.identity, "", change.version, change.version - 1, None, "it is gone")
            return
        for name, value in change.before.items():
            attribute = attribute_of(entity._type, name)
            if attribute is not None and value is not None and _is_incremented(change, attribute, name):
                self._increments[place, name] = -change.adjusted[name].by
            elif attribute is None or not (attribute.computed or (attribute.immutable and change.kind == "delete")):
                self._plan_value(change, entity, attribute, name, value)

    def _plan_value(
        self, change: EntityChange, entity: Any, attribute: Attribute | None, name: str, value: Any
    ) -> None:
        left = change.after.get(name)
        problem = self._problem(entity._name, attribute, value)
        now = _current(entity, name) if attribute is not None else None
        if attribute is not None and equal(now, value):
            return
        if problem:
            self._against(change.identity, name, left, value, now, problem)
            return
        if not equal(now, left):
            again = change.kind == "delete"
            reason = "since it was made again" if again else f"now, not {left!r:.80}, as that commit left it"
            self._against(change.identity, name, left, value, now, f"it is {now!r:.80} {reason}")
            if not self.force:
                return
        self._values[self.scene.place(change.identity), name] = value

    def _problem(self, owner: str, attribute: Attribute | None, value: Any) -> str:
        """Why a value cannot be written any more; nothing where it can."""
        if attribute is None:
            return "there is no such attribute any more"
        if isinstance(value, Identity):
            place = self.scene.place(value)
            gone = place not in self._born and self.scene.at(place) is None
            return f"{value.entity_type} {value.key} is gone" if gone else ""
        try:
            normalised(owner, attribute, value)
        except SchemaError as error:
            return str(error)
        return ""

    # -- what was deleted is made again ----------------------------------------------------------------------

    def _check_births(self) -> None:
        """What lacks something it requires is not made again, nor is what requires that."""
        while missing := [place for place, change in self._born.items() if not self._can_be_born(change)]:
            for place in missing:
                del self._born[place]
        for change in self._born.values():
            for name, value, problem in self._lost(change):
                self._against(change.identity, name, None, value, None, problem)

    def _can_be_born(self, change: EntityChange) -> bool:
        entity_type = self.scene.core.schema.types[change.identity.entity_type]
        for name, value, problem in self._lost(change):
            attribute = attribute_of(entity_type, name)
            if attribute is not None and attribute.required:
                self._against(change.identity, name, None, value, None, f"{problem}, and it is required")
                return False
        return True

    def _lost(self, change: EntityChange) -> Iterator[tuple[str, Any, str]]:
        """The values that it cannot have again, and why."""
        entity_type = self.scene.core.schema.types[change.identity.entity_type]
        for name, value in change.before.items():
            attribute = attribute_of(entity_type, name)
            if attribute is not None and attribute.computed:
                continue
            if problem := self._problem(entity_type.name, attribute, value):
                yield name, value, problem

    # -- what was created is deleted -------------------------------------------------------------------------

    def _check_deletes(self) -> None:
        """What was changed since it was created, or is referred to by what stays, stays too."""
        joined = self._joined()
        spared = [place for place, change in self._doomed.items() if self._has_changed(place, change, joined)]
        if self.force:
            self._referred()
            return
        while True:
            for place in spared:
                del self._doomed[place]
            spared = self._referred()
            if not spared:
                return

    def _has_changed(self, place: Place, change: EntityChange, joined: Mapping[tuple[Place, str], set[Place]]) -> bool:
        entity = self.scene.at(place)
        before = len(self.conflicts)
        for attribute in entity._type.attributes.values():
            if attribute.computed or attribute.name == "id":
                continue
            if self.scene.is_link(attribute):
                self._check_members(change.identity, entity, attribute, joined.get((place, attribute.name), set()))
            elif attribute.kind == "mapping":
                self._check_items(change, entity, attribute)
            elif attribute.kind != "collection":
                left, now = change.after.get(attribute.name), _current(entity, attribute.name)
                self._check_unchanged(change.identity, attribute.name, left, now)
        return len(self.conflicts) > before

    def _check_items(self, change: EntityChange, entity: Any, attribute: Attribute) -> None:
        start = f"{attribute.name}."
        held = {f"{start}{key}": None for key in entity.peek(attribute.name) or {}}
        for name in {**held, **{name: None for name in change.after if name.startswith(start)}}:
            self._check_unchanged(change.identity, name, change.after.get(name), _current(entity, name))

    def _check_unchanged(self, identity: Identity, name: str, left: Any, now: Any) -> None:
        if not equal(left, now):
            reason = f"it is {now!r:.80} now, not {left!r:.80}, as that commit left it"
            self._against(identity, name, left, None, now, reason)

    def _check_members(self, identity: Identity, entity: Any, attribute: Attribute, joined: set[Place]) -> None:
        collection = entity.peek(attribute.name)
        if not isinstance(collection, Collection) or not collection.loaded:
            return
        members = [member.identity for member in collection]
        since = [member for member in members if self.scene.place(member) not in joined]
        if since:
            reason = f"{', '.join(f'{kind} {key}' for kind, key in since[:SHOWN])} joined since"
            self._against(identity, attribute.name, None, (), tuple(members), reason)

    def _joined(self) -> dict[tuple[Place, str], set[Place]]:
        """Who joined which collection in the commit, seen from both sides."""
        schema = self.scene.core.schema
        found: dict[tuple[Place, str], set[Place]] = {}
        for change in self.commit.changes:
            here = self.scene.place(change.identity)
            for name, members in change.added.items():
                inverse = schema.types[change.identity.entity_type].attributes[name].inverse
                for member in members:
                    there = self.scene.place(member)
                    found.setdefault((here, name), set()).add(there)
                    if inverse is not None:
                        found.setdefault((there, inverse), set()).add(here)
        return found

    def _referred(self) -> list[Place]:
        """What would be deleted although something that stays refers to it."""
        found: dict[Place, None] = {}
        for place, change in self._doomed.items():
            for entity, name in self.scene.referrers.get(place, ()):
                here = self.scene.place(entity.identity)
                target = entity.peek(name)
                still = bool(target) and self.scene.place(target.identity) == place
                leaves = (here, name) in self._values
                if still and here not in self._doomed and not leaves and self.scene.core.unit.is_alive(entity):
                    reason = f"{entity.identity.entity_type} {entity.identity.key} refers to it by `{name}`"
                    self._against(change.identity, "", change.version, None, entity.identity, reason)
                    found[place] = None
        return list(found)

    # -- recording -------------------------------------------------------------------------------------------

    def record(self) -> None:
        """Record all of it: what is made again first, what is deleted last."""
        unit = self.scene.core.unit
        later = self._record_births()
        for (place, name), value in {**self._values, **later}.items():
            entity = self.scene.at(place)
            mapping, dot, item = name.partition(".")
            if dot and mapping in entity._type.attributes:
                unit.assign_item(entity, mapping, item, value)
            else:
                unit.assign(entity, name, self._object(value))
        for (place, name), by in self._increments.items():
            unit.adjust(self.scene.at(place), name, increment(by))
        for change in self.commit.changes:
            for links, present in ((change.added, False), (change.removed, True)):
                self._record_links(change.identity, links, present)
        for place in reversed(self._doomed):
            if (entity := self.scene.at(place)) is not None:
                unit.delete(entity)

    def _record_births(self) -> dict[tuple[Place, str], Any]:
        """Create what was deleted; gives the references that must wait until their targets are there."""
        later: dict[tuple[Place, str], Any] = {}
        for change in self._ordered():
            place = self.scene.place(change.identity)
            data: dict[str, Any] = {"id": change.identity.key}
            for name, value in self._held(change).items():
                mapping, dot, item = name.partition(".")
                if dot:
                    data.setdefault(mapping, {})[item] = value
                elif isinstance(value, Identity) and self.scene.at(self.scene.place(value)) is None:
                    later[place, name] = value
                else:
                    data[name] = self._object(value)
            self.scene.entities[place] = self.scene.core.unit.create(change.identity.entity_type, data)
        return later

    def _held(self, change: EntityChange) -> dict[str, Any]:
        """The values to create it with; an explicit None where a default would step in."""
        entity_type = self.scene.core.schema.types[change.identity.entity_type]
        lost = {name for name, _, _ in self._lost(change)}
        found: dict[str, Any] = {
            name: None
            for name, attribute in entity_type.attributes.items()
            if name != "id" and attribute.default is not None and not attribute.computed
        }
        for name, value in change.before.items():
            attribute = attribute_of(entity_type, name)
            if name not in lost and attribute is not None and not attribute.computed:
                found[name] = value
        return found

    def _ordered(self) -> Iterator[EntityChange]:
        """Parents before children: what it requires, or would be deleted with, comes before each."""
        needs: dict[Place, set[Place]] = {}
        needed: dict[Place, list[Place]] = {}
        for place, change in self._born.items():
            attributes = self.scene.core.schema.types[change.identity.entity_type].attributes
            needs[place] = set()
            for name, value in change.before.items():
                target = self.scene.place(value) if isinstance(value, Identity) else place
                attribute = attributes.get(name)
                owning = attribute is not None and (attribute.required or attribute.on_delete == "cascade")
                if owning and target != place and target in self._born:
                    needs[place].add(target)
                    needed.setdefault(target, []).append(place)
        ready = deque(place for place in needs if not needs[place])
        rest = dict(self._born)
        while rest:
            # In a circle there is no first; its references wait.
            place = ready.popleft() if ready else next(iter(rest))
            if place not in rest:
                continue
            yield rest.pop(place)
            for other in needed.get(place, ()):
                needs[other].discard(place)
                if not needs[other]:
                    ready.append(other)

    def _record_links(self, identity: Identity, links: Mapping[str, tuple[Identity, ...]], present: bool) -> None:
        place = self.scene.place(identity)
        entity = self.scene.at(place)
        if entity is None or place in self._doomed:
            return
        for name, members in links.items():
            for member in members:
                there = self.scene.place(member)
                other = self.scene.at(there)
                if other is not None and there not in self._doomed:
                    self.scene.core.unit.link(entity, name, other, present)

    def _object(self, value: Any) -> Any:
        return self.scene.at(self.scene.place(value)) if isinstance(value, Identity) else value


def _is_incremented(change: EntityChange, attribute: Attribute, name: str) -> bool:
    """Whether a number was counted on from what it was, without bounds."""
    adjustment = change.adjusted.get(name)
    return adjustment is not None and adjustment.is_increment and attribute.data_type in NUMBERS


def _current(entity: Any, name: str) -> Any:
    """A value in the form of the log, with what is pending on top."""
    mapping, dot, item = name.partition(".")
    if dot and mapping in entity._type.attributes:
        changes = entity._changes
        if changes is not None and name in changes.items:
            return changes.items[name]
        return (entity.peek(mapping) or {}).get(item)
    value = entity.peek(name)
    if value is NOT_SET:
        return None
    return value.identity if isinstance(value, Entity) else thaw(value)
