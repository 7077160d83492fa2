"""Numbered work, and the audit that counts what became of it.

A piece of *work* is one commit: it makes a few entities that bear its number, and raises its worker's count.
So afterwards each number must be there once (not lost, not doubled), with all of its entities (not partial),
each worker's version must be one more than its count, and the log, replayed, must give the tables as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from attrs import define, field
from sqlalchemy import Connection, select

from callsheet.model.record import Identity
from callsheet.server.log.commits import EntityChange, LogEntry, entries
from callsheet.server.store.layout import stored
from callsheet.server.store.store import Store

DOCUMENT: dict[str, Any] = {
    "name": "ledger",
    "types": {
        "Worker": {"attributes": {"name": {"type": "string"}, "count": {"type": "integer"}}},
        "Piece": {
            "attributes": {
                "work": {"type": "integer", "indexed": True},
                "place": {"type": "integer"},
                "worker": {"type": "reference", "target": "Worker"},
            }
        },
        "Register": {
            "attributes": {"name": {"type": "string"}, "items": {"type": "json"}, "count": {"type": "integer"}}
        },
    },
}

State = dict[Identity, tuple[int, dict[str, Any]]]


def pieces(number: int) -> int:
    """How many entities this work makes; every fifth is too large for one request of a careful client."""
    return 12 if number % 5 == 0 else 3


def record_work(session: Any, worker: Any, number: int) -> None:
    """Record the work in the session; committing it is the caller's."""
    for place in range(pieces(number)):
        session.create("Piece", {"work": number, "place": place, "worker": worker})
    worker["count"] = worker["count"] + 1


@define
class Audit:
    """What is there, against what should be."""

    works: int = 0
    lost: int = 0
    doubled: int = 0
    partial: int = 0
    problems: list[str] = field(factory=list)


def audit(store: Store, acknowledged: Iterable[int], possible: Iterable[int] = ()) -> Audit:
    """Count. ``acknowledged`` work must be there, ``possible`` work may be, no other may."""
    with store.reading() as connection:
        piece, worker = store.tables["Piece"], store.tables["Worker"]
        rows = connection.execute(select(piece.c.work, piece.c.place)).all()
        workers = connection.execute(select(worker.c.name, worker.c.count, worker.c._version)).all()
        found = _counted(Counter(tuple(row) for row in rows), set(acknowledged), set(possible))
        for name, count, version in workers:
            if version != count + 1:
                found.problems.append(f"worker {name} counts {count} but has version {version}")
        if sum(count for _, count, _ in workers) != found.works:
            found.problems.append(f"workers count {sum(row[1] for row in workers)} works, there are {found.works}")
        found.problems += disagreements(store, connection)
    return found


def _counted(rows: Counter[tuple[int, int]], acknowledged: set[int], possible: set[int]) -> Audit:
    there: Counter[int] = Counter()
    for (number, _), count in rows.items():
        there[number] += count
    doubled = {number for (number, _), count in rows.items() if count > 1}
    partial = {number for number, count in there.items() if number not in doubled and count != pieces(number)}
    found = Audit(len(there), len(acknowledged - set(there)), len(doubled), len(partial))
    if strays := set(there) - acknowledged - possible:
        found.problems.append(f"work that nobody did: {sorted(strays)[:5]}")
    return found


def disagreements(store: Store, connection: Connection) -> list[str]:
    """How the tables differ from the log, replayed; and holes in the log."""
    log = all_entries(store, connection)
    problems = []
    published = connection.execute(select(store.table("_event").c.position)).scalars().all()
    numbered = sorted([*(entry.position for entry in log), *published])
    if numbered != list(range(1, len(numbered) + 1)):
        problems.append("the log has holes")
    replayed, there = replay(log), state(store, connection)
    for identity in sorted(set(replayed) | set(there)):
        if replayed.get(identity) != there.get(identity):
            problems.append(f"{identity}: log {replayed.get(identity)}, table {there.get(identity)}")
    return problems[:20]


def all_entries(store: Store, connection: Connection) -> list[LogEntry]:
    """The whole log."""
    found: list[LogEntry] = []
    while more := entries(store, connection, found[-1].position if found else 0, 1_000):
        found += more
    return found


def replay(log: Iterable[LogEntry]) -> State:
    """What the log says there should be: version and values of each entity."""
    found: State = {}
    for entry in log:
        for change in entry.changes:
            _replay(found, change)
    return found


def _replay(found: State, change: EntityChange) -> None:
    if change.kind == "delete":
        found.pop(change.identity, None)
        return
    version, values = found.get(change.identity, (0, {}))
    values = {**values, **{name: _key(value) for name, value in change.after.items()}}
    for name, members in change.added.items():
        values[name] = values.get(name, frozenset()) | {member.key for member in members}
    for name, members in change.removed.items():
        values[name] = values.get(name, frozenset()) - {member.key for member in members}
    kept = {name: value for name, value in values.items() if value is not None and value != frozenset()}
    found[change.identity] = version + 1, kept


def state(store: Store, connection: Connection) -> State:
    """What there is: version and values of each entity, nothing of those that are None."""
    found: State = {}
    for table in store.tables.values():
        for row in connection.execute(select(table)).mappings():
            entity_type = store.schema.types[row["_type"]]
            values: dict[str, Any] = {}
            for attribute in entity_type.attributes.values():
                if attribute.kind == "mapping":
                    items = (row[attribute.name] or {}).items()
                    values.update({f"{attribute.name}.{key}": value for key, value in items})
                elif stored(attribute) and attribute.name != "id" and row[attribute.name] is not None:
                    values[attribute.name] = row[attribute.name]
            found[Identity(row["_type"], row["id"])] = row["_version"], values
    for (name, attribute), link in store.layout.links.items():
        # Both sides of a relation are one table; the log tells it from the side it was written on.
        if link.near.name == "owner":
            for owner, member in connection.execute(select(link.near, link.far)).all():
                _add_link(found, store, name, attribute, owner, member)
    return found


def _add_link(found: State, store: Store, name: str, attribute: str, owner: str, member: str) -> None:
    for identity, (_, values) in found.items():
        if identity.key == owner and store.schema.is_a(identity.entity_type, name):
            values[attribute] = values.get(attribute, frozenset()) | {member}


def _key(value: Any) -> Any:
    return value.key if isinstance(value, Identity) else value
