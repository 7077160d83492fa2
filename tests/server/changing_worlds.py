"""Random histories of a small world: entities are made, changed, re-parented, linked and deleted by commits."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from test_matches_equals_sql import DATES, DOCUMENT

from callsheet.errors import CallsheetError
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.server.service import Service

__all__ = ["DOCUMENT", "History", "commit_all", "histories"]

THINGS = [Identity(kind, f"{kind.lower()}{number}") for kind in ("Node", "Leaf") for number in range(3)]
STATUSES = [Identity("Status", f"s{number}") for number in range(2)]
TAGS = [Identity("Tag", f"g{number}") for number in range(2)]
History = list[tuple[Operation, ...]]

FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Node": {"name": st.sampled_from(["a", "b"]), "size": st.sampled_from([1.5, -2.0, 4.0]), "n": st.integers(-2, 3)},
    "Leaf": {
        "name": st.sampled_from(["a", "b"]),
        "flag": st.booleans(),
        "due": st.sampled_from(DATES),
        "kind": st.sampled_from(["a", "B"]),
        "custom_attributes.n": st.integers(0, 3),
    },
    "Status": {"name": st.sampled_from(["a", "b"])},
    "Tag": {"name": st.sampled_from(["a", "b"])},
}


def values(draw: st.DrawFn, identity: Identity, alive: dict[Identity, None]) -> dict[str, Any]:
    """Some values of an entity, perhaps None."""
    kind = identity.entity_type
    fields = {name: st.one_of(st.none(), field) for name, field in FIELDS[kind].items()}
    if kind in ("Node", "Leaf"):
        fields["parent"] = st.sampled_from([None, *(each for each in alive if each in THINGS)])
    if kind == "Leaf":
        fields["status"] = st.sampled_from([None, *(each for each in alive if each in STATUSES)])
    return draw(st.fixed_dictionaries({}, optional=fields))


def linked(draw: st.DrawFn, identity: Identity, alive: dict[Identity, None], now: set[Identity]) -> dict[str, Any]:
    """Members that join and leave the tags of a leaf."""
    if identity.entity_type != "Leaf":
        return {}
    chosen = {each for each in TAGS if each in alive and draw(st.booleans())}
    added, removed = tuple(sorted(chosen - now)), tuple(sorted(now & set(alive) - chosen))
    now.clear()
    now |= chosen
    return {"added": {"tags": added} if added else {}, "removed": {"tags": removed} if removed else {}}


@st.composite
def histories(draw: st.DrawFn, most: int = 6) -> History:
    """Some commits; the first one makes some entities."""
    alive: dict[Identity, None] = {}
    tags: dict[Identity, set[Identity]] = {}
    found: History = []
    for number in range(draw(st.integers(1, most))):
        operations: list[Operation] = []
        chosen = draw(st.lists(st.sampled_from([*THINGS, *STATUSES, *TAGS]), unique=True, min_size=1, max_size=5))
        gone: set[Identity] = set()
        for identity in chosen:
            if identity not in alive and identity not in gone:
                alive[identity] = None
                more = linked(draw, identity, alive, tags.setdefault(identity, set()))
                operations.append(Create(identity, values(draw, identity, alive), more.get("added", {})))
            elif number and draw(st.integers(0, 3)) == 0:
                operations.append(Delete(identity))
                del alive[identity]
                gone.add(identity)
                tags.pop(identity, None)
                for held in tags.values():
                    held.discard(identity)
            else:
                held = values(draw, identity, alive)
                more = linked(draw, identity, alive, tags.setdefault(identity, set()))
                operations.append(Update(identity, held, {}, **more))
        found.append(tuple(operations))
    return found


def commit_all(service: Service, history: History, user: str = "admin", start: int = 0) -> None:
    """Commit them, one after the other; those that the server refuses (a circle of parents) are left out."""
    for number, operations in enumerate(history, start):
        with suppress(CallsheetError):
            service.commit(ChangeSet(f"c{number}", operations), user)
