"""What the server does by name: pages, keys, invitations, long work, search."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from callsheet import AsyncSession, Session
from callsheet.dialects.ftrack.client.dialect import FtrackDialect
from callsheet.errors import Invalid, StateError
from callsheet.server.service import Service
from callsheet.session.connection import ServerConnection
from dialects.embedded import Direct
from production.making import make_project, make_shot, make_task, make_user


def test_widget_urls(vendor: Session) -> None:
    """An address for each page, about an entity or not; there are no others."""
    task = make_task(vendor)
    assert vendor.get_widget_url("tasks").startswith("http://studio.test/widget/tasks?")
    found = vendor.get_widget_url("info", entity=task, theme="dark")
    assert task["id"] in found
    assert "theme=dark" in found
    with pytest.raises(Invalid, match="no widget"):
        vendor.get_widget_url("nothing")
    with pytest.raises(StateError, match="commit"):
        vendor.get_widget_url("info", vendor.create("Project", {"name": "new"}))
    vendor.rollback()


def test_reset_remote(vendor: Session, vendor_service: Service) -> None:
    """A new key for a user; there is nothing else to reset."""
    user = vendor.query("User where username is ines").one()
    vendor_service.accounts.add("ines")
    key = vendor.reset_remote("api_key", user)["api_key"]
    assert vendor_service.accounts.authenticate("ines", key) == "ines"
    with pytest.raises(Invalid):
        vendor.reset_remote("everything", user)


def test_a_new_key_in_the_preset(preset: Session, preset_service: Service) -> None:
    """The same verb gives a key on a server of our own."""
    user = make_user(preset)
    preset_service.accounts.add(user["username"])
    key = preset.reset_remote("api_key", user)["api_key"]
    assert preset_service.accounts.authenticate(user["username"], key) == user["username"]


def test_invitations(vendor: Session) -> None:
    """One user, or several."""
    one, two = make_user(vendor), make_user(vendor)
    vendor.send_user_invite(one)
    vendor.send_user_invite([one, two])
    review = vendor.create("ReviewSession", {"name": "Client", "project": make_project(vendor)})
    invitee = review.invite("Ellen", "ellen@example.com")
    with pytest.raises(StateError):
        vendor.send_review_session_invite(invitee)
    vendor.commit()
    vendor.send_review_session_invite([invitee])


def test_delayed_jobs(vendor: Session) -> None:
    """Long work is told of by a job."""
    job = vendor.delayed_job("SYNC_USERS_LDAP")
    assert job.entity_type == "Job"
    assert job["status"] in ("queued", "running", "done")


def test_search(either: Session) -> None:
    """All words are in the name, in any order; within one project where one is told."""
    project, other = make_project(either), make_project(either)
    names = ("bridge wide", "wide bridge night", "bridge close", "50%")
    shots = {name: make_shot(either, project, name) for name in names}
    make_shot(either, other, "bridge wide other")
    found = either.search("Shot", "bridge wide", context=project)
    assert {each["id"] for each in found} == {shots["bridge wide"]["id"], shots["wide bridge night"]["id"]}
    assert either.search("Shot", ["50%"], context=project) == [shots["50%"]]
    assert either.search("Shot", "no such thing", context=project) == []


async def _awaited(wire: Direct) -> Any:
    class Awaiting:
        async def send(self, request: Any) -> Any:
            return wire.send(request)

        async def aclose(self) -> None:
            """Nothing is open."""

    async with AsyncSession(connection=ServerConnection(FtrackDialect(), Awaiting(), None, user="admin")) as session:
        project = session.create("Project", {"name": f"show-{wire.sent[-1].path}-awaited"})
        task = session.create("Task", {"name": "comp", "parent": project})
        await session.commit()
        note = await task.create_note("Too dark")
        user = await session.query("User where username is admin").one()
        await user.start_timer(task)
        await task.assign(user)
        await session.commit()
        await user.stop_timer()
        await session.commit()
        statuses = await (await session.query("ProjectSchema").one()).get_statuses("Task")
        url = await session.get_widget_url("info", task)
        return note["content"], len(statuses), task["id"] in url, len(await task.get_assignees())


def test_async_code_awaits_the_same_methods(vendor: Session, wire: Direct) -> None:
    """Behaviours and verbs are one for both kinds of session."""
    make_project(vendor)
    assert anyio.run(_awaited, wire) == ("Too dark", 9, True, 1)


def test_behaviours_are_there_when_a_type_is_first_used(vendor: Session) -> None:
    """Opening a session builds no class; a type has its methods, and those above it theirs."""
    fresh = vendor.fork()
    assert {"create_note", "assign", "link_from"} <= set(dir(fresh.types["Task"]))
    assert "create_note" in dir(fresh.types["AssetVersion"])
    assert "create_note" not in dir(fresh.types["Status"])
