"""A private project is seen by its members alone: in queries, counts, events, claims, files and the past."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callsheet.errors import CallsheetError, Invalid, NotFound
from callsheet.model.event import Position
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.server.service import Service

OPEN, SECRET = Identity("Project", "open"), Identity("Project", "secret")
ANNA, CREW = Identity("User", "u-anna"), Identity("Group", "crew")
NUMBER = [0]


def commit(service: Service, *operations: Operation, user: str = "admin") -> Any:
    NUMBER[0] += 1
    return service.backend(user).commit(ChangeSet(f"c{NUMBER[0]}", operations))


@pytest.fixture
def service() -> Iterator[Service]:
    """Two projects, each with a folder, an asset, a note and a component; ``anna`` has the role ``user``."""
    with Service.open("memory:", "production") as opened:
        opened.accounts.add("anna", "user")
        commit(opened, Create(ANNA, {"username": "anna"}), Create(CREW, {"name": "crew"}))
        for project in (OPEN, SECRET):
            key, version = project.key, Identity("AssetVersion", f"{project.key}-v")
            commit(
                opened,
                Create(project, {"name": key}),
                Create(Identity("Folder", f"{key}-f"), {"name": "f", "parent": project}),
                Create(Identity("Asset", f"{key}-a"), {"name": "a", "parent": project}),
                Create(version, {"asset": Identity("Asset", f"{key}-a")}),
                Create(Identity("FileComponent", f"{key}-c"), {"name": "m", "version": version}),
                Create(Identity("Note", f"{key}-n"), {"content": key, "version": version}),
            )
        opened.backend("anna").select(Select("Project"), 10)
        commit(opened, Update(SECRET, {"is_private": True}))
        yield opened


def keys(service: Service, kind: str, user: str = "anna", at: int | None = None) -> set[str]:
    backend = service.backend(user) if at is None else service.backend(user).at(at)
    page = backend.select(Select(kind), 100)
    return {row[0] for block in page.records[: page.roots] for row in block.rows}


def of_secret(found: set[str]) -> bool:
    return any(key.startswith("secret") for key in found)


@pytest.mark.parametrize("kind", ["Project", "Folder", "Asset", "AssetVersion", "Component", "Note"])
def test_others_see_nothing_of_it(service: Service, kind: str) -> None:
    """In no query, count or view of the past; the other project as before."""
    position = service.broker.last
    assert not of_secret(keys(service, kind))
    assert keys(service, kind)
    assert not of_secret(keys(service, kind, at=position))
    assert of_secret(keys(service, kind, "admin"))
    count = Aggregate(Select(kind), (("count", None),))
    assert service.backend("anna").aggregate(count)[0][0] == 1


def test_what_belongs_to_no_project_is_seen(service: Service) -> None:
    """Users, and a component without a version."""
    commit(service, Create(Identity("FileComponent", "loose"), {"name": "m"}))
    assert "loose" in keys(service, "Component")
    assert ANNA.key in keys(service, "User")


def test_events_history_and_claims_tell_nothing(service: Service) -> None:
    """What happens in it, and what happened."""
    anna = service.backend("anna")
    asked = {"handler": "h", "expression": "topic=callsheet.update", "worker": "w", "most": 100, "from_start": True}
    anna.call("handlers.claim", asked)
    commit(service, Update(SECRET, {"description": "secret"}), Update(OPEN, {"description": "x"}))
    told = anna.events(Position(0, 0), (), {}, 1000).events
    assert not of_secret({str(event.data["entity_id"]) for event in told})
    assert "open" in {str(event.data["entity_id"]) for event in told}
    assert "secret" not in repr(anna.call("handlers.claim", asked))
    assert anna.call("history", {"entity_type": "Project", "key": "secret"})["commits"] == []


def test_it_cannot_be_written_or_filled(service: Service) -> None:
    """A commit is refused as if there were no such project; its files are as those of nothing."""
    anna = service.backend("anna")
    with pytest.raises((NotFound, Invalid)):
        commit(service, Update(SECRET, {"description": "x"}), user="anna")
    with pytest.raises(CallsheetError):
        commit(service, Create(Identity("Folder", "x"), {"name": "x", "parent": SECRET}), user="anna")
    service.backend("admin").files.write("secret-c", 0, b"secret")
    assert anna.files.state("secret-c").received == 0
    with pytest.raises(NotFound):
        anna.files.read("secret-c", 0, 10)


def grant(service: Service) -> None:
    service.roles.grant("anna", "reader", "secret")


def allocate(service: Service) -> None:
    commit(service, Create(Identity("Allocation", "al"), {"project": SECRET, "resource": ANNA}))


def allocate_group(service: Service) -> None:
    commit(
        service,
        Create(Identity("Allocation", "al"), {"project": SECRET, "resource": CREW}),
        Create(Identity("Membership", "m"), {"user": ANNA, "group": CREW}),
    )


def open_it(service: Service) -> None:
    commit(service, Update(SECRET, {"is_private": False}))


@pytest.mark.parametrize("join", [grant, allocate, allocate_group, open_it])
def test_members_see_it(service: Service, join: Callable[[Service], None]) -> None:
    """By a role in the project, by allocation, alone or with a group; at once, and no longer than that."""
    join(service)
    assert of_secret(keys(service, "Project"))
    assert of_secret(keys(service, "Note"))


def test_who_leaves_sees_nothing_from_the_next_request_on(service: Service) -> None:
    """An allocation that ends, and a group that is deleted."""
    allocate_group(service)
    assert of_secret(keys(service, "Project"))
    commit(service, Delete(CREW))
    assert not of_secret(keys(service, "Project"))
    grant(service)
    service.roles.revoke("anna", "reader", "secret")
    assert not of_secret(keys(service, "Project"))


def test_without_private_projects_nothing_costs(service: Service) -> None:
    """The statements of an account that may read all are an administrator's again."""
    open_it(service)
    assert service.access("anna").reads_all


def linked(service: Service) -> None:
    """Links of another system to an asset of each project, to a user, and one that names nothing."""
    for key, kind, entity in (
        ("open-link", "Asset", "open-a"),
        ("secret-link", "Asset", "secret-a"),
        ("user-link", "User", "u-anna"),
        ("state", "", ""),
    ):
        values = {"system": "tracker", "type": "Asset", "foreign_id": key, "entity_type": kind, "entity_id": entity}
        commit(service, Create(Identity("ExternalId", key), {**values, "base": {"name": key}}))


def test_links_are_seen_by_who_sees_their_entity(service: Service) -> None:
    """In queries, counts, history, events and the past, and whoever is no member of the project writes none there."""
    linked(service)
    position = service.broker.last
    everything = {"open-link", "secret-link", "user-link", "state"}
    assert keys(service, "ExternalId", "admin") == everything
    assert keys(service, "ExternalId") == keys(service, "ExternalId", at=position) == everything - {"secret-link"}
    anna = service.backend("anna")
    assert anna.aggregate(Aggregate(Select("ExternalId"), (("count", None),)))[0][0] == 3
    told = anna.events(Position(0, 0), (), {}, 1000).events
    assert "open-link" in {str(event.data["entity_id"]) for event in told}
    assert "secret-link" not in repr(told)
    assert anna.call("history", {"entity_type": "ExternalId", "key": "secret-link"})["commits"] == []
    with pytest.raises((NotFound, Invalid)):
        commit(service, Update(Identity("ExternalId", "secret-link"), {"base": {}}), user="anna")
    grant(service)
    assert keys(service, "ExternalId") == everything


def test_a_link_without_its_entity_is_seen_by_who_sees_all_of_the_type(service: Service) -> None:
    """Nobody knows any more which project it was in; a deleted link says as little in the history."""
    linked(service)
    commit(service, Delete(Identity("Asset", "open-a")), Delete(Identity("Asset", "secret-a")), Delete(ANNA))
    assert {"open-link", "secret-link", "user-link"} <= keys(service, "ExternalId", "admin")
    assert keys(service, "ExternalId").isdisjoint({"open-link", "secret-link"})
    commit(service, Delete(Identity("ExternalId", "secret-link")))
    told = service.backend("anna").events(Position(0, 0), (), {}, 1000).events
    assert "secret-link" not in repr(told)
