"""Attributes that the server computes: stamps of author and time, ancestors, running numbers.

Ancestors are found by walking up ``parent``, whose rows are read level by level. When an entity gets another parent,
its descendants are updated too, as far down as an ancestor changes. (``link`` is computed when it is read.)
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Select, bindparam, func, select

from callsheet.chunks import chunks
from callsheet.errors import Invalid
from callsheet.model.normalisation import normalised
from callsheet.model.record import Identity, equal, new_key
from callsheet.server.access.people import NAME, keep_user
from callsheet.server.store.layout import declarer
from callsheet.server.store.store import CHUNK
from callsheet.server.writing.overlay import Overlay, Place, WorkingRow

__all__ = [
    "MOVES",
    "acting_user",
    "apply_defaults",
    "keep_renamed",
    "settle_ancestors",
    "settle_authors",
    "settle_numbers",
    "settle_stamps",
]

Known = dict[tuple[Place, str], Identity | None]
"""The nearest ancestors of types, found while no parent changes."""

PARENT = "parent"
MOVES = "moves"
"""The name of the lock of all moves: two concurrent moves, each valid alone, could form a cycle."""


def apply_defaults(overlay: Overlay, entry: WorkingRow, now: datetime) -> None:
    """Set the defaults of a new entity's attributes that have no value."""
    for name, default in entry.rules.defaults.items():
        if name not in entry.values and name not in entry.rules.computed:
            overlay.write(entry, name, _default(entry, name, default, now))


def _default(entry: WorkingRow, name: str, default: Any, now: datetime) -> Any:
    attribute = entry.rules.entity_type.attributes[name]
    if default == "{uid}":
        return new_key()
    if default == "{now}":
        return now.date() if attribute.data_type == "date" else now
    if attribute.kind == "reference":
        return Identity(str(attribute.target), default)
    return normalised(entry.identity.entity_type, attribute, default)


def settle_authors(overlay: Overlay, user: str) -> None:
    """Set the author of new entities that have none to the acting user."""
    for entry in overlay.touched():
        for name in entry.rules.authored if entry.created else ():
            if entry.get(name) is None:
                target = str(entry.rules.entity_type.attributes[name].target)
                overlay.write(entry, name, acting_user(overlay, target, user))


def settle_stamps(overlay: Overlay, user: str, now: datetime) -> None:
    """Set when and by whom entities were created and changed."""
    actors: dict[str, Identity | None] = {}
    made: dict[tuple[str, bool], dict[str, Any]] = {}
    for entry in overlay.touched():
        kind = (entry.identity.entity_type, entry.created)
        if kind not in made:
            made[kind] = _stamps(overlay, entry, user, now, actors)
        overlay.write_all(entry, made[kind])


def _stamps(
    overlay: Overlay, entry: WorkingRow, user: str, now: datetime, actors: dict[str, Identity | None]
) -> dict[str, Any]:
    """The stamps of this entity, the same for all entities of its type that this commit created (or changed)."""
    found: dict[str, Any] = {}
    for name, rule in (entry.rules.stamped_new if entry.created else entry.rules.stamped).items():
        if rule.endswith("_at"):
            found[name] = now
            continue
        target = str(entry.rules.entity_type.attributes[name].target)
        if target not in actors:
            actors[target] = acting_user(overlay, target, user)
        found[name] = actors[target]
    return found


def acting_user(overlay: Overlay, target: str, user: str) -> Identity | None:
    """The entity of an account: the one whose ``username`` is, or was (``people.py``), the account's name."""
    entity_type = overlay.schema.types[target]
    if NAME not in entity_type.attributes:
        return None
    if overlay.user_key is not None:
        place = (entity_type.root, overlay.user_key)
        overlay.load([place])
        renamed = overlay.at(place)
        if renamed is not None and renamed.alive:
            return renamed.identity
    table = overlay.store.tables[entity_type.root]

    def build() -> Select[Any]:
        return select(table.c._type, table.c.id).where(table.c[NAME] == bindparam("user"))

    statement = overlay.store.prepared.get(("acting user", entity_type.root), overlay.connection, build)
    for kind, key in statement.rows(overlay.connection, {"user": user}):
        entry = overlay.at((entity_type.root, key))
        if (entry is None or entry.alive) and overlay.schema.is_a(kind, target):
            return Identity(kind, key)
    return None


def keep_renamed(overlay: Overlay) -> None:
    """Let accounts stand for their users still whose names change."""
    for entry in overlay.touched():
        if NAME in entry.values and not entry.created and entry.alive:
            before = entry.original(NAME)
            if isinstance(before, str) and before != entry.get(NAME):
                keep_user(overlay.store, overlay.connection, before, entry.identity.key)


def settle_numbers(overlay: Overlay) -> None:
    """Number new entities, from the largest number in their group (same value of another attribute) plus one."""
    groups: dict[tuple[str, str, str], list[WorkingRow]] = {}
    for entry in overlay.touched():
        for name, by in entry.rules.numbered.items() if entry.created else ():
            entity_type = entry.rules.entity_type
            scope = declarer(overlay.schema, entity_type, entity_type.attributes[name])
            groups.setdefault((scope, name, by), []).append(entry)
    for (scope, name, by), entries in groups.items():
        values = [_plain(entry.get(by)) for entry in entries]
        largest = _largest(overlay, scope, name, by, values)
        for entry, value in zip(entries, values):
            largest[value] = largest.get(value, 0) + 1
            overlay.write(entry, name, largest[value])


def _plain(value: Any) -> Any:
    return value.key if isinstance(value, Identity) else value


def _largest(overlay: Overlay, scope: str, name: str, by: str, values: Iterable[Any]) -> dict[Any, int]:
    table = overlay.store.tables[overlay.schema.types[scope].root]
    group: Column[Any] = table.c[by]
    wanted = dict.fromkeys(values)
    statement = select(group, func.max(table.c[name])).where(table.c._type.in_(overlay.schema.concrete(scope)))
    found: dict[Any, int] = {}
    for chunk in chunks((value for value in wanted if value is not None), CHUNK):
        for value, largest in overlay.connection.execute(statement.where(group.in_(chunk)).group_by(group)):
            found[value] = largest or 0
    if None in wanted:
        found[None] = (
            overlay.connection.execute(
                select(func.max(table.c[name])).where(
                    table.c._type.in_(overlay.schema.concrete(scope)), group.is_(None)
                )
            ).scalar()
            or 0
        )
    return found


def settle_ancestors(overlay: Overlay) -> None:
    """Set the stored ancestors of new and moved entities, and of the descendants of moved ones."""
    moved = [entry for entry in overlay.touched() if PARENT in entry.values]
    new = [entry for entry in overlay.touched() if entry.created and PARENT not in entry.values]
    if any(not entry.created for entry in moved):
        overlay.take_lock(MOVES)
    _load_parents(overlay, moved)
    _check_circles(overlay, moved)
    if not overlay.rules.ancestors:
        return
    known: Known = {}
    for entry in new:
        _assign(overlay, entry, known)
    level = [entry for entry in moved if _assign(overlay, entry, known) and not entry.created]
    while level:
        level = [child for child in _children(overlay, level) if _assign(overlay, child, known)]


def _parent(overlay: Overlay, entry: WorkingRow) -> WorkingRow | None:
    value = entry.values.get(PARENT)
    if value is None and PARENT in entry.rules.entity_type.attributes:
        value = entry.get(PARENT)
    return overlay.get(value) if isinstance(value, Identity) else None


def _load_parents(overlay: Overlay, entries: Iterable[WorkingRow]) -> None:
    """Read all ancestors of these entries, a level at a time."""
    seen = set()
    level = list(entries)
    while level:
        values = [entry.get(PARENT) for entry in level if PARENT in entry.rules.entity_type.attributes]
        places = {overlay.place(value): None for value in values if isinstance(value, Identity)}
        overlay.load(places)
        fresh = [place for place in places if place not in seen]
        seen.update(fresh)
        level = [entry for place in fresh if (entry := overlay.at(place)) is not None]


def _check_circles(overlay: Overlay, entries: Iterable[WorkingRow]) -> None:
    """Raise `Invalid` if an entity would be its own ancestor."""
    checked: set[Place] = set()
    for entry in entries:
        path: dict[Place, None] = {}
        step: WorkingRow | None = entry
        while step is not None and (at := step.place) not in checked:
            if at in path:
                cycle = " → ".join(place[1] if overlay.may_reveal(place) else "…" for place in path)
                raise Invalid(
                    f"operation {entry.operation}: {entry.identity.entity_type} {entry.identity.key} would be its own "
                    f"ancestor: {cycle}",
                    operation=entry.operation,
                    entity=(entry.identity.entity_type, entry.identity.key),
                    attribute=PARENT,
                )
            path[at] = None
            step = _parent(overlay, step)
        checked.update(path)


def _assign(overlay: Overlay, entry: WorkingRow, known: Known) -> bool:
    """Set an entry's ancestors; returns whether the ancestors of its children may have changed."""
    changed = False
    for name, wanted in entry.rules.above.items():
        value = _nearest(overlay, entry, wanted, known)
        if entry.created or not equal(value, entry.get(name)):
            overlay.write(entry, name, value)
            entry.touched = True
            changed = True
    return changed or not entry.rules.covers


def _nearest(overlay: Overlay, entry: WorkingRow, wanted: str, known: Known) -> Identity | None:
    """The nearest entity of the wanted type: the entity itself, or an ancestor; None if there is none."""
    passed: list[tuple[Place, str]] = []
    found: Identity | None = None
    step: WorkingRow | None = entry
    while step is not None and found is None:
        at = (step.place, wanted)
        if at in known:
            found = known[at]
            break
        passed.append(at)
        if overlay.schema.is_a(step.identity.entity_type, wanted):
            found = step.identity
        else:
            step = _parent(overlay, step)
    known.update(dict.fromkeys(passed, found))
    return found


def _children(overlay: Overlay, entries: list[WorkingRow]) -> list[WorkingRow]:
    """The stored children of these entries that this commit neither moves nor deletes."""
    keys: dict[str, dict[str, int]] = {}
    for entry in entries:
        for referrer in entry.rules.referrers:
            if referrer.name == PARENT:
                keys.setdefault(referrer.root, {})[entry.identity.key] = entry.operation
    above = {entry.place for entry in entries}
    found = []
    for root, parents in keys.items():
        for child in overlay.load_where(root, PARENT, parents, lock=True):
            parent = _parent(overlay, child)
            if child.alive and PARENT not in child.values and parent is not None and parent.place in above:
                child.operation = child.operation if child.touched else parent.operation
                found.append(child)
    return found
