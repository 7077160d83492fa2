"""Random commits on a small studio, for tests of history; and all that a store holds, as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import strategies as st

from callsheet.errors import ServerError
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from documents import CONFIGURATION, NODE, TAG, TASK, USER, VERSION

START = datetime(2026, 5, 1, 12, tzinfo=UTC)

DOCUMENT: dict[str, Any] = {
    "name": "happenings",
    "types": {
        "Node": {"abstract": True, "attributes": NODE},
        "Project": {"extends": "Node"},
        "Task": {"extends": "Node", "attributes": {**TASK, "bid": {"type": "number", "default": 5}}},
        "Status": {"attributes": {"name": {"type": "string", "unique": True}}},
        "Tag": TAG,
        "User": USER,
        "Version": VERSION,
        "CustomAttributeConfiguration": CONFIGURATION,
    },
}

COMPUTED = ("_version", "_commit", "created_at", "updated_at", "number")
"""Columns that an undo does not bring back."""

KINDS = {"a": "Project", "b": "Task", "c": "Task", "d": "Task"}
KINDS |= {"s": "Status", "t": "Status", "g": "Tag", "h": "Tag", "u": "User", "v": "Version", "w": "Version"}
NODES, TASKS = ("a", "b", "c", "d"), ("b", "c", "d")
TARGETS = {"parent": NODES, "about": NODES, "buddy": TASKS, "task": TASKS, "status": ("s", "t")}


def identity(key: str) -> Identity:
    return Identity(KINDS[key], key)


CONFIGURED = tuple(
    Create(Identity("CustomAttributeConfiguration", name), {"key": name, "entity_type": "Task", "data_type": data_type})
    for name, data_type in (("fps", "number"), ("end", "date"))
)


def _references(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return {name: st.none() | st.sampled_from([identity(key) for key in TARGETS[name]]) for name in names}


_MAPPED = {"metadata.k": st.none() | st.sampled_from(["1", "2"]), "metadata.$date": st.none() | st.just("d")}
_VALUES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Project": {"name": st.sampled_from("xy"), **_references("parent"), **_MAPPED},
    "Task": {
        "name": st.sampled_from("xy"),
        "bid": st.none() | st.integers(0, 3),
        "due": st.none() | st.just(date(2026, 6, 1)),
        "data": st.none() | st.sampled_from([{"$date": "2026"}, [1, True], "text", 1.5]),
        "custom_attributes.fps": st.none() | st.just(24),
        "custom_attributes.end": st.none() | st.just(date(2026, 7, 1)),
        **_references("parent", "about", "buddy", "status"),
        **_MAPPED,
    },
    "Status": {"name": st.none() | st.sampled_from("xy")},
    "Tag": {"name": st.sampled_from("xy")},
    "User": {"username": st.none() | st.just("anna")},
    "Version": _references("task"),
}
_LINKS: dict[str, dict[str, tuple[str, ...]]] = {
    "Task": {"tags": ("g", "h"), "watchers": ("u",)},
    "Tag": {"tasks": TASKS},
}


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """One operation on one of a few entities; whether it is valid shows when it is committed."""
    key = draw(st.sampled_from(sorted(KINDS)))
    kind = KINDS[key]
    verb = draw(st.sampled_from(["create", "create", "update", "update", "delete"]))
    if verb == "delete":
        return Delete(identity(key))
    values = dict(draw(st.fixed_dictionaries({}, optional=_VALUES[kind])))
    links = [
        {
            name: tuple(identity(member) for member in draw(st.sets(st.sampled_from(members), min_size=1)))
            for name, members in _LINKS.get(kind, {}).items()
            if draw(st.booleans())
        }
        for _ in range(2)
    ]
    if verb == "update":
        return Update(identity(key), values, {}, links[0], links[1])
    if kind in ("Project", "Task"):
        values.setdefault("name", key)
    if kind == "Task" and draw(st.booleans()):
        values["code"] = "fixed"
    if kind == "Version":
        values["task"] = values.get("task") or identity("b")
    return Create(identity(key), values, links[0])


batches = st.lists(st.lists(operations(), min_size=1, max_size=6), min_size=1, max_size=6)


def first() -> list[Operation]:
    """What there is at the start: two custom attributes, something of every type."""
    made: list[Operation] = list(CONFIGURED)
    made += [Create(identity("a"), {"name": "a"}), Create(identity("s"), {"name": "s"}), Create(identity("g"))]
    made += [Create(identity("u"), {"username": "u"}), Create(identity("b"), {"name": "b", "parent": identity("a")})]
    return made


class Happenings:
    """A service, and what it held after each commit."""

    def __init__(self, service: Service) -> None:
        self.service, self.store = service, service.store
        self.states: list[dict[str, Any]] = [held(self.store)]

    def commit(self, *operations: Operation, user: str = "anna") -> int | None:
        """The position of the commit, or None where it was refused."""
        changes = ChangeSet(f"commit-{len(self.states)}", operations)
        try:
            result = self.service.backend(user).commit(changes)
        except ServerError:
            return None
        self.note()
        return result.position

    def note(self) -> None:
        """Remember what there is after a commit."""
        self.states.append(held(self.store))


@contextmanager
def happening(url: str = "memory:") -> Iterator[Happenings]:
    """A studio in which nothing has happened yet; its clock moves a second whenever it is looked at."""
    seconds = count()
    with Service.open(url, DOCUMENT, clock=lambda: START + timedelta(seconds=next(seconds))) as service:
        yield Happenings(service)


def held(store: Store, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """All rows of a store: columns that hold something, by table and key; the pairs of link tables; tombstones."""
    found: dict[str, Any] = {}
    with store.reading() as connection:
        for root, table in store.tables.items():
            for row in connection.execute(table.select()).mappings():
                told = {name: value for name, value in row.items() if value is not None and name not in without}
                found[f"{root} {row['id']}"] = told
        for link in store.layout.links.values():
            pairs = connection.execute(link.table.select()).all()
            found[link.table.name] = {(pair[0], pair[1]) for pair in pairs}
        if not without:
            rows = connection.execute(store.table("_tombstone").select()).all()
            found["_tombstone"] = {tuple(row) for row in rows}
    return found


def lasting(state: dict[str, Any]) -> dict[str, Any]:
    """A state without what an undo does not bring back."""
    return {
        name: {key: value for key, value in told.items() if key not in COMPUTED} if isinstance(told, dict) else told
        for name, told in state.items()
        if name != "_tombstone"
    }
