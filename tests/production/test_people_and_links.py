"""Who works on what, what waits for what, and what is collected where."""

from __future__ import annotations

import pytest

from callsheet import Session
from callsheet.errors import SchemaError
from production.making import again, make_project, make_shot, make_task, make_user, make_version


def test_assignments(session: Session) -> None:
    """A user is assigned once, whoever asks; the same call ends it."""
    task, user, other = make_task(session), make_user(session), make_user(session)
    first = task.assign(user)
    assert task.assign(user) is first
    task.assign(other)
    session.commit()
    assert task.assign(user) is first
    assert session.pending == ()
    assert {each["id"] for each in again(session, task).get_assignees()} == {user["id"], other["id"]}
    assert task.unassign(user) == 1
    session.commit()
    assert again(session, task).get_assignees()[0]["id"] == other["id"]


def test_allocations(either: Session) -> None:
    """Groups can be allocated too, apart from assignments."""
    project, user = make_project(either), make_user(either)
    group = either.create("Group", {"name": f"artists-{user['username']}"})
    if "local" in group:
        group["local"] = True
    project.allocate(group)
    either.commit()
    assert [each["id"] for each in again(either, project).get_allocated()] == [group["id"]]
    assert project.deallocate(group) == 1
    either.commit()
    assert again(either, project).get_allocated() == []


def test_the_plain_appointment(vendor: Session) -> None:
    """The peer's recipe: an Appointment of one of two types; both collections show it."""
    task, user = make_task(vendor), make_user(vendor)
    vendor.create("Appointment", {"context": task, "resource": user, "type": "assignment"})
    vendor.create("Appointment", {"context": task["project"], "resource": user, "type": "allocation"})
    vendor.commit()
    found = again(vendor, task)
    assert [each["resource"]["id"] for each in found["assignments"]] == [user["id"]]
    assert [each["resource"]["id"] for each in found["project"]["allocations"]] == [user["id"]]
    told = again(vendor, user)
    assert len(told["assignments"]) == 1
    assert len(told["allocations"]) == 1


def test_only_people_are_assigned(either: Session) -> None:
    """What is no user and no group is refused before anything is asked."""
    task = make_task(either)
    with pytest.raises(SchemaError, match="takes an entity of type Resource"):
        task.assign(task)


def test_groups(either: Session) -> None:
    """A user is a member once."""
    user = make_user(either)
    group = either.create("Group", {"name": f"comp-{user['username']}"})
    if "local" in group:
        group["local"] = True
    group.add_member(user)
    either.commit()
    group.add_member(user)
    assert either.pending == ()
    assert [each["id"] for each in again(either, group).get_members()] == [user["id"]]
    assert group.remove_member(user) == 1
    either.commit()
    assert again(either, group).get_members() == []


def test_links_between_contexts(session: Session) -> None:
    """An incoming link comes from what this depends on."""
    shot = make_shot(session)
    layout, anim = make_task(session, shot, "layout"), make_task(session, shot, "anim")
    link = anim.link_from(layout)
    assert anim.link_from(layout) is link
    session.commit()
    found = again(session, anim)
    assert [each["id"] for each in found.get_dependencies()] == [layout["id"]]
    assert len(found["incoming_links"]) == 1
    assert [each["id"] for each in again(session, layout).get_dependents()] == [anim["id"]]
    assert layout.unlink(anim) == 1
    session.commit()
    assert again(session, anim).get_dependencies() == []


def test_versions_that_use_versions(either: Session) -> None:
    """The shortcut collections say the same from both sides."""
    plate, comp = make_version(either), make_version(either)
    comp["uses_versions"].append(plate)
    either.commit()
    assert [each["id"] for each in again(either, comp)["uses_versions"]] == [plate["id"]]
    assert [each["id"] for each in again(either, plate)["used_in_versions"]] == [comp["id"]]
    comp["uses_versions"].remove(plate)
    either.commit()
    assert list(again(either, plate)["used_in_versions"]) == []


def test_links_between_versions_are_rows_too(vendor: Session) -> None:
    """What a version uses is what links lead to it."""
    plate, comp = make_version(vendor), make_version(vendor)
    comp.link_from(plate)
    vendor.commit()
    found = again(vendor, comp)
    assert [each["id"] for each in found["uses_versions"]] == [plate["id"]]
    assert [each["from"]["id"] for each in found["incoming_links"]] == [plate["id"]]


@pytest.mark.parametrize("kind", ["AssetVersionList", "TypedContextList"])
def test_lists(either: Session, kind: str) -> None:
    """Items join and leave by themselves, without the others being sent."""
    project = make_project(either)
    category = either.query("ListCategory").first() or either.create("ListCategory", {"name": "dailies"})
    make = make_version if kind == "AssetVersionList" else make_shot
    one, two = make(either), make(either)
    listed = either.create(kind, {"name": "Monday", "project": project, "category": category})
    listed["items"].extend([one, two])
    either.commit()
    assert {each["id"] for each in again(either, listed)["items"]} == {one["id"], two["id"]}
    assert [each["id"] for each in again(either, one)["lists"]] == [listed["id"]]
    listed["items"].remove(one)
    either.commit()
    assert [each["id"] for each in again(either, listed)["items"]] == [two["id"]]


def test_scopes(either: Session) -> None:
    """A scope cuts across the tree."""
    shot = make_shot(either)
    scope = either.create("Scope", {"name": f"season-{shot['id'][-12:]}"})
    shot["scopes"].append(scope)
    either.commit()
    assert [each["id"] for each in again(either, shot)["scopes"]] == [scope["id"]]
    shot["scopes"].remove(scope)
    either.commit()
    assert list(again(either, shot)["scopes"]) == []


def test_calendar_events(vendor: Session) -> None:
    """An event has people by rows of their own."""
    from datetime import UTC, datetime

    user, project = make_user(vendor), make_project(vendor)
    start, end = datetime(2026, 5, 4, 9, tzinfo=UTC), datetime(2026, 5, 4, 10, tzinfo=UTC)
    kind = vendor.query("Type").first()
    event = vendor.create(
        "CalendarEvent", {"name": "Dailies", "project": project, "start": start, "end": end, "type": kind}
    )
    vendor.create("CalendarEventResource", {"calendar_event": event, "resource": user})
    vendor.commit()
    found = again(vendor, event)
    assert (found["start"], found["end"]) == (start, end)
    assert [each["resource"]["id"] for each in found["calendar_event_resources"]] == [user["id"]]
    assert [each["id"] for each in again(vendor, project)["calendar_events"]] == [event["id"]]


def test_calendar_events_of_the_preset(preset: Session) -> None:
    """An event has its people in a collection."""
    from datetime import UTC, datetime

    user = make_user(preset)
    start, end = datetime(2026, 5, 4, 9, tzinfo=UTC), datetime(2026, 5, 4, 10, tzinfo=UTC)
    event = preset.create("CalendarEvent", {"name": "Dailies", "start": start, "end": end})
    event["attendees"].append(user)
    preset.commit()
    assert [each["id"] for each in again(preset, event)["attendees"]] == [user["id"]]


def test_metadata_is_a_mapping(session: Session) -> None:
    """Items are set, changed and removed one by one; others stay as they are."""
    shot = make_shot(session)
    shot["metadata"]["lens"] = "35mm"
    shot["metadata"]["slate"] = "12"
    session.commit()
    shot["metadata"]["lens"] = "50mm"
    del shot["metadata"]["slate"]
    session.commit()
    found = again(session, shot)["metadata"]
    assert dict(found) == {"lens": "50mm"}
    shot["metadata"] = {"grip": "dolly"}
    session.commit()
    assert dict(again(session, shot)["metadata"]) == {"grip": "dolly"}


def test_metadata_in_create(session: Session) -> None:
    """Metadata can be given with a new entity."""
    shot = session.create("Shot", {"name": "sh010", "parent": make_project(session), "metadata": {"lens": "35mm"}})
    session.commit()
    assert again(session, shot)["metadata"]["lens"] == "35mm"
