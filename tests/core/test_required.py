"""What is required is checked before anything is sent, and named at once; the server would refuse the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet import AsyncSession, CommitError, Session
from callsheet.core.required import without_value
from callsheet.errors import Invalid, MissingValues
from callsheet.model.operation import ChangeSet, Create, Delete, Update
from callsheet.model.record import Identity, new_key
from callsheet.server.service import Service
from callsheet.session.connection import over
from callsheet.testing import memory_service

TEXT = {"type": "string", "required": True}
DOCUMENT: dict[str, Any] = {
    "types": {
        "Box": {"attributes": {"name": TEXT, "bits": {"type": "collection", "target": "Bit", "inverse": "box"}}},
        "Bit": {
            "attributes": {
                "name": TEXT,
                "box": {"type": "reference", "target": "Box", "inverse": "bits", "required": True},
                "count": {"type": "integer", "required": True},
                "colour": {**TEXT, "default": "red"},
                "made": {"type": "datetime", "required": True, "computed": "created_at"},
                "note": {"type": "string"},
            }
        },
    }
}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with memory_service(DOCUMENT) as found:
        yield found


@pytest.fixture
def session(service: Service) -> Iterator[Session]:
    with Session(connection=over(service.backend("admin"))) as opened:
        yield opened


def test_all_that_is_missing_is_named_and_nothing_is_sent(session: Session) -> None:
    """Of all entities, by type, label and key; everything is still pending, and is committed after the repair."""
    box = session.create("Box", {"name": "b"})
    first = session.create("Bit", {"name": "one", "box": box})
    second = session.create("Bit", {"count": 2})
    before = session.statistics.requests
    with pytest.raises(MissingValues) as refused:
        session.commit()
    assert str(refused.value) == (
        f"nothing was sent: Bit.count is required (create Bit 'one' {first['id']}); "
        f"Bit.name, Bit.box are required (create Bit {second['id']}); everything is still pending"
    )
    assert refused.value.missing == {first.identity: ("count",), second.identity: ("name", "box")}
    assert (refused.value.entity, refused.value.attribute) == (("Bit", first["id"]), "count")
    assert session.pending[refused.value.index or 0] is not None
    assert session.statistics.requests == before
    assert len(session.pending) == 3
    first["count"], second["name"] = 1, "two"
    box["bits"].append(second)
    session.commit()
    assert session.pending == ()
    for each in (first, second, box):
        session.delete(each)
    session.commit()


def test_what_the_server_sets_is_not_missing(session: Session) -> None:
    """Defaults, values by a rule, keys, numbers that are counted on from nothing; what is deleted lacks nothing."""
    box = session.create("Box", {"name": "b"})
    bit = session.create("Bit", {"name": "a", "box": box})
    session.increment(bit, "count", 2)
    gone = session.create("Bit", {})
    session.delete(gone)
    session.commit()
    assert (bit["count"], bit["colour"]) == (2, "red")


def test_an_emptied_value_is_missing_too(session: Session) -> None:
    """As for a new entity."""
    box = session.create("Box", {"name": "b"})
    session.commit()
    with session.operation_recording(True):
        box["name"] = None
    with pytest.raises(MissingValues, match=r"Box\.name is required \(update Box"):
        session.commit()
    session.rollback()


def test_many_are_counted(session: Session) -> None:
    """A message names twenty entities."""
    for _ in range(25):
        session.create("Box")
    with pytest.raises(MissingValues, match="; and 5 more entities; everything is still pending") as refused:
        session.commit()
    assert len(refused.value.missing) == 25


def test_a_subscriber_may_fill_before_the_check(session: Session) -> None:
    """The event before a commit comes first; so do the defaults that plugins give new entities."""
    box = session.create("Box")

    def name_it(event: Any) -> None:
        box["name"] = "filled"

    session.event_hub.subscribe("topic=callsheet.session.before-commit", name_it)
    session.commit()
    assert box["name"] == "filled"


def test_a_server_that_fills_values_decides_itself(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its schema does not say which values it sets; here it refuses, by its own text."""
    filling = evolve(session.features, fills=True)
    monkeypatch.setattr(type(session), "features", property(lambda self: filling))
    session.create("Box")
    with pytest.raises(CommitError, match=r"Box\.name is required") as refused:
        session.commit()
    assert not isinstance(refused.value, MissingValues)
    assert isinstance(refused.value.__cause__, Invalid)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_it_is_the_same_where_it_is_awaited(service: Service) -> None:
    async with AsyncSession(connection=over(service.backend("admin"))) as session:
        session.create("Box")
        with pytest.raises(MissingValues):
            await session.commit()


KEYS = ("k1", "k2")
VALUES = st.dictionaries(st.sampled_from(("name", "box", "count")), st.booleans())


def _values(given: dict[str, bool]) -> dict[str, Any]:
    real = {"name": "n", "box": Identity("Box", "b"), "count": 1}
    return {name: real[name] if full else None for name, full in given.items()}


@st.composite
def change_sets(draw: st.DrawFn) -> list[Any]:
    """Creates of some bits, then updates and deletes of them, in any order."""
    made = [Create(Identity("Bit", key), _values(draw(VALUES))) for key in KEYS if draw(st.booleans())]
    later = []
    for create in made:
        for _ in range(draw(st.integers(0, 2))):
            later.append(Update(create.identity, _values(draw(VALUES))))
        if draw(st.booleans()) and draw(st.booleans()):
            later.append(Delete(create.identity))
    return [*made, *later]


@settings(max_examples=120)
@given(change_sets())
def test_the_check_refuses_what_the_server_refuses(service: Service, operations: list[Any]) -> None:
    """And nothing else: both judge what is there after the last operation."""
    backend, box = service.backend("admin"), Identity("Box", "b")
    changes = ChangeSet(new_key(), (Create(box, {"name": "b"}), *operations))
    if without_value(service.store.schema, operations):
        with pytest.raises(Invalid, match="required"):
            backend.commit(changes)
        return
    backend.commit(changes)
    gone = {each.identity for each in operations if isinstance(each, Delete)}
    made = [each.identity for each in operations if isinstance(each, Create)]
    backend.commit(ChangeSet(new_key(), (*(Delete(each) for each in made if each not in gone), Delete(box))))
