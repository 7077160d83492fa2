"""Scenarios: named, uncommitted units of work that the server keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scenario_server import KINDS, scenario_service, scenario_session, session_of

from callsheet import AsyncSession, Session
from callsheet.errors import CommitError, Conflict, Forbidden, Invalid, NotFound, UsageError
from callsheet.model.operation import Change, ChangeSet, Create
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.session.connection import over


@pytest.fixture(params=KINDS)
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """A session on each kind of server."""
    with scenario_session(request.param, tmp_path) as session:
        fill(session)
        yield session


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Session]:
    """A session on a server in memory."""
    with scenario_session("memory", tmp_path) as session:
        fill(session)
        yield session


def fill(session: Session) -> None:
    """Two projects with two tasks each, and two people who work on tasks of both."""
    ada, ben = (session.create("Person", {"id": name, "name": name}) for name in ("ada", "ben"))
    for place, name in enumerate(("sintel", "spring")):
        project = session.create("Project", {"id": name, "name": name, "rate": 100.0})
        anim = session.create("Task", {"id": f"anim{place}", "name": "anim", "bid": 4.0, "project": project})
        light = session.create("Task", {"id": f"light{place}", "name": "light", "bid": 2.0, "project": project})
        light["after"] = anim
        anim["people"].append(ada)
        light["people"].extend([ada, ben])
    session.commit()


def state(session: Session) -> dict[str, Any]:
    """Everything that a session sees, as plain data."""
    with session.fork() as reader:
        tasks = reader.query("select name, bid, state, project.name, after.name, people.name from Task").all()
        found: dict[str, Any] = {
            task.identity.key: (
                task["name"],
                task["bid"],
                task["state"],
                task["project"] and task["project"]["name"],
                task["after"] and task["after"].identity.key,
                sorted(person["name"] for person in task["people"]),
            )
            for task in tasks
        }
        found["projects"] = sorted(each["name"] for each in reader.query("Project"))
        found["work"] = {each["name"]: sorted(t.identity.key for t in each["tasks"]) for each in reader.query("Person")}
        found["bids"] = sorted(reader.query("Task").aggregate("count", "sum(bid)", group_by=["project.name"]), key=str)
        found["number"] = reader.query("Task").count()
        found["busy"] = sorted(each.identity.key for each in reader.query('Task where people any (name is "ben")'))
        return found


def edit(session: Session) -> None:
    """Change, create, delete with its consequences, link and unlink."""
    session.get("Task", "anim0")["bid"] = 10.0
    session.delete(session.get("Project", "spring"))
    extra = session.create("Task", {"id": "fx", "name": "fx", "bid": 7.0, "project": session.get("Project", "sintel")})
    extra["people"].append(session.get("Person", "ben"))
    session.get("Task", "light0")["people"].remove(session.get("Person", "ada"))
    session.commit()


def test_a_scenario_is_an_edited_copy_that_nobody_else_sees(session: Session, tmp_path: Path) -> None:
    """In the scenario all reads see the edits; outside nothing has changed, and entities of the base stay."""
    before, held = state(session), session.get("Task", "anim0")
    session.create_scenario("one project less")
    with session.scenario("one project less") as plan:
        edit(plan)
        inside = state(plan)
        assert plan.get("Task", "anim0") is not held
    assert state(session) == before
    assert held["bid"] == 4.0
    edit(session)
    assert state(session) == inside


def test_a_scenario_is_listed_described_and_deleted(session: Session) -> None:
    """Its names are those of the account; a deleted one is not there any more, by any way in."""
    made = session.create_scenario("two artists less", description="Ada and Ben leave", expires=timedelta(days=3))
    session.create_scenario("even less", origin=made)
    assert list(session.scenarios) == ["even less", "two artists less"]
    found = session.scenarios["two artists less"]
    assert (found.owner, found.description, found.origin, found.revision) == ("admin", "Ada and Ben leave", None, 0)
    assert timedelta(days=2) < found.expires - datetime.now(UTC) < timedelta(days=4)
    assert session.scenarios["even less"].origin == "two artists less"
    with pytest.raises(Invalid, match="1 scenarios stand on 'two artists less': 'even less'"):
        session.delete_scenario("two artists less")
    session.delete_scenario("even less")
    found.delete()
    assert list(session.scenarios) == []
    with pytest.raises(NotFound, match="there is no scenario 'even less'"):
        session.scenario("even less").query("Task").all()
    with pytest.raises(UsageError, match="there is no scenario 'even less'"):
        session.scenarios["even less"]


def test_a_difference_names_entities_and_values(session: Session) -> None:
    """What was created, deleted (with its consequences) and changed; what was taken back is not named."""
    scenario = session.create_scenario("less")
    assert (len(scenario.diff()), str(scenario.diff())) == (0, "The scenario changes nothing.")
    with session.scenario("less") as plan:
        edit(plan)
        plan.get("Task", "anim0")["bid"] = 12.0
        plan.get("Task", "light0")["bid"] = 3.0
        plan.commit()
        plan.get("Task", "light0")["bid"] = 2.0
        plan.commit()
    found = scenario.diff()
    assert found.created == [Identity("Task", "fx")]
    assert set(found.deleted) == {Identity("Project", "spring"), Identity("Task", "anim1"), Identity("Task", "light1")}
    assert found.updated[Identity("Task", "anim0")] == {"bid": (4.0, 12.0)}
    ada = next(change for change in found if change.identity.key == "ada")
    assert (ada.before, ada.after, ada.added) == ({}, {}, {})
    assert ada.removed == {"tasks": (Identity("Task", "light0"),)}
    assert Identity("Task", "light0") not in found.updated
    assert "bid: 4.0 → 12.0" in str(found)


def test_a_scenario_is_an_axis_of_a_cube(session: Session) -> None:
    """One request answers for the base and for scenarios; the cells that differ are named, with both numbers."""
    scenario = session.create_scenario("less")
    with session.scenario("less") as plan:
        edit(plan)
    cube = session.create_cube("Task", "Work")
    frame = cube.query("Sum(bid)", levels=["Project"], scenario=[None, "less"], totals=True)
    assert [(row["scenario"], str(row["Project"]), row["Sum(bid)"]) for row in frame] == [
        (None, "sintel", 6.0),
        (None, "spring", 6.0),
        (None, "total", 12.0),
        ("less", "sintel", 19.0),
        ("less", "total", 19.0),
    ]
    found = scenario.cells(cube, "Sum(bid)", levels=["Project"])
    assert [(cell.levels["Project"], cell.before["Sum(bid)"], cell.after["Sum(bid)"]) for cell in found] == [
        ("sintel", 6.0, 19.0),
        ("spring", 6.0, None),
    ]
    assert [cell.difference for cell in found] == [{"Sum(bid)": 13.0}, {"Sum(bid)": -6.0}]
    assert found.position == 1
    assert len(scenario.cells(cube, "Sum(bid)", levels=["State"], filter='name is "light" and project is sintel')) == 0
    assert "sintel" in str(found)


def test_a_scenario_is_committed_once_and_can_be_undone(session: Session) -> None:
    """The base is then what the scenario was, by one commit with the scenario's id; the scenario has ended."""
    before = state(session)
    scenario = session.create_scenario("less")
    with session.scenario("less") as plan:
        edit(plan)
        inside = state(plan)
    done = scenario.commit()
    again = scenario.commit()
    assert (done.commit_id, done.replayed, again.replayed) == (scenario.uid, False, True)
    assert again.position == done.position
    assert state(session) == inside
    assert list(session.scenarios) == []
    commit = session.commits()[-1]
    assert (commit.commit_id, commit.user, commit.origin) == (scenario.uid, "admin", "scenario:less")
    with session.fork() as later:
        later.undo(done.commit_id)
        later.commit()
    assert state(session) == before


def test_scenarios_stand_on_scenarios(session: Session) -> None:
    """A branch sees what is below it, also what comes later, and changes nothing there; it is committed into it."""
    session.create_scenario("less")
    branch = session.create_scenario("even less", origin="less")
    with session.scenario("less") as less, session.scenario("even less") as even:
        less.get("Task", "anim0")["bid"] = 3.0
        less.get("Task", "light0")["bid"] = 3.0
        less.commit()
        even.get("Task", "anim0")["bid"] = 1.0
        even.delete(even.get("Task", "light1"))
        even.commit()
        less.delete(less.get("Task", "anim1"))
        less.commit()
    assert tasks(session.scenario("less")) == {"anim0": 3.0, "light0": 3.0, "light1": 2.0}
    assert tasks(session.scenario("even less")) == {"anim0": 1.0, "light0": 3.0}
    assert branch.diff().updated == {Identity("Task", "anim0"): {"bid": (3.0, 1.0)}}
    assert branch.diff(base=True).updated[Identity("Task", "anim0")] == {"bid": (4.0, 1.0)}
    with pytest.raises(Conflict, match="Task light1"):
        branch.commit()
    assert dict(branch.rebase("ours").moved) == {Identity("Task", "light1"): "changed"}
    branch.commit()
    assert tasks(session.scenario("less")) == {"anim0": 1.0, "light0": 3.0}
    session.scenarios["less"].commit()
    assert tasks(session) == {"anim0": 1.0, "light0": 3.0}


def tasks(session: Session) -> dict[str, float]:
    """The bids of all tasks."""
    with session.fork() as reader:
        return {task.identity.key: task["bid"] for task in reader.query("Task").all()}


def test_a_rebase_names_what_moved_and_who_wrote_what(session: Session) -> None:
    """Other attributes merge; the same one is a conflict with base, ours and theirs, which a policy decides."""
    scenario = session.create_scenario("less")
    with session.scenario("less") as plan:
        for key in ("anim0", "light0", "anim1"):
            plan.get("Task", key)["bid"] = 1.0
        plan.commit()
    session.get("Task", "anim0")["bid"] = 9.0
    session.get("Task", "light0")["state"] = "done"
    session.get("Task", "light1")["state"] = "done"
    session.commit()
    anim, light = Identity("Task", "anim0"), Identity("Task", "light0")
    found = scenario.rebase()
    assert (found.done, dict(found.moved)) == (False, {anim: "changed", light: "changed"})
    assert found.conflicts == (Change(anim, "bid", 4.0, 1.0, 9.0),)
    with pytest.raises(Conflict):
        scenario.commit()
    with session.scenario("less") as plan:
        assert plan.get("Task", "light0")["state"] == "open"
    done = scenario.rebase("theirs")
    assert (done.done, dict(done.moved)) == (True, dict(found.moved))
    assert tasks(session.scenario("less")) == {"anim0": 9.0, "light0": 1.0, "anim1": 1.0, "light1": 2.0}
    with session.scenario("less") as plan:
        assert plan.get("Task", "light0")["state"] == "done"
    assert dict(scenario.rebase().moved) == {}
    scenario.commit()
    assert tasks(session) == {"anim0": 9.0, "light0": 1.0, "anim1": 1.0, "light1": 2.0}


def test_what_is_gone_below_is_a_conflict_that_theirs_decides(session: Session) -> None:
    """A scenario cannot change an entity that was deleted meanwhile; that both deleted one is no conflict."""
    scenario = session.create_scenario("less")
    with session.scenario("less") as plan:
        plan.get("Task", "anim0")["bid"] = 1.0
        plan.delete(plan.get("Task", "light0"))
        plan.commit()
    session.delete(session.get("Task", "anim0"))
    session.delete(session.get("Task", "light0"))
    session.commit()
    found = scenario.rebase()
    assert dict(found.moved) == {Identity("Task", "anim0"): "deleted", Identity("Task", "light0"): "deleted"}
    assert found.conflicts == (Change(Identity("Task", "anim0"), "", 1, {"bid": 1.0}, None),)
    assert scenario.rebase("theirs").done
    assert len(scenario.diff()) == 0


def test_a_scenario_takes_what_a_commit_takes(session: Session) -> None:
    """What breaks a rule is refused as in a commit, and nothing of it is kept."""
    session.create_scenario("less")
    with session.scenario("less") as plan:
        plan.create("Task", {"name": "anim", "project": plan.get("Project", "sintel")})
        with pytest.raises(CommitError, match="it must be unique"):
            plan.commit()
        plan.rollback()
        plan.delete(plan.get("Task", "anim0"))
        plan.commit()
        plan.create("Task", {"name": "anim", "project": plan.get("Project", "sintel")})
        plan.commit()
        plan.create("Task", {"id": "anim0", "name": "again"})
        with pytest.raises(CommitError, match="was deleted here; use a new key"):
            plan.commit()
    assert session.scenarios["less"].revision == 2


def test_a_session_in_a_scenario_has_no_scenarios_and_no_files(quick: Session) -> None:
    """What belongs to all is done without a scenario."""
    quick.create_scenario("less")
    with quick.scenario("less") as plan:
        with pytest.raises(UsageError, match="this session is in the scenario 'less'"):
            plan.create_scenario("more")
        with pytest.raises(UsageError, match="a scenario has no files"):
            plan.locations  # noqa: B018
        assert plan.scenario("less").query("Task").count() == 4


@pytest.mark.parametrize("name", ["", " less", "less ", "a/b", "a\nb", "x" * 101, "\x00"])
def test_a_name_is_short_and_printable(quick: Session, name: str) -> None:
    """So that it can be typed, listed, and told from others."""
    with pytest.raises(Invalid, match="the name of a scenario has"):
        quick.create_scenario(name)


def test_a_name_is_taken_once_by_each_account(tmp_path: Path) -> None:
    """Another account's scenario of the same name is no reason to refuse one."""
    with scenario_service("memory", tmp_path) as service:
        service.accounts.add("eve", "user")
        with session_of(service, "memory") as admin, session_of(service, "memory", "eve") as eve:
            admin.create_scenario("less")
            with pytest.raises(Invalid, match="you have a scenario 'less' already"):
                admin.create_scenario("less")
            eve.create_scenario("less")
            eve.scenarios["less"].share()
            assert list(admin.scenarios) == ["less", "eve/less"]
            assert admin.scenarios["eve/less"].owner == "eve"


@pytest.mark.parametrize("kind", ["memory", "wire", "postgres"])
def test_a_scenario_is_its_owners_until_it_is_shared(tmp_path: Path, kind: str) -> None:
    """Others get no name, and the error of one that never was; readers read it, and change nothing."""
    with scenario_service(kind, tmp_path) as service:
        service.accounts.add("eve", "user")
        with session_of(service, kind) as admin, session_of(service, kind, "eve") as eve:
            fill(admin)
            scenario = admin.create_scenario("less")
            with admin.scenario("less") as plan:
                edit(plan)
            assert list(eve.scenarios) == []
            for name in ("less", "admin/less"):
                for call in ("show", "diff", "rebase", "commit", "delete", "share", "unshare", "change"):
                    with pytest.raises(NotFound) as unseen:
                        eve.call(f"scenarios.{call}", name=name)
                    with pytest.raises(NotFound) as unknown:
                        eve.call(f"scenarios.{call}", name="admin/more" if "/" in name else "more")
                    assert str(unseen.value).replace("less", "more") == str(unknown.value)
                with pytest.raises(NotFound):
                    eve.scenario(name).query("Task").all()
                with pytest.raises(NotFound):
                    eve.create_scenario("mine", origin=name)
            scenario.share("eve")
            assert list(eve.scenarios) == ["less"]
            assert eve.scenarios["less"].readers is None
            assert tasks(eve.scenario("less")) == tasks(admin.scenario("less"))
            assert len(eve.scenarios["less"].diff()) == len(scenario.diff())
            for change in ("rebase", "commit", "delete", "share"):
                with pytest.raises(Forbidden, match="only its owner, `admin`"):
                    getattr(eve.scenarios["less"], change)()
            with eve.scenario("less") as plan:
                plan.get("Task", "anim0")["bid"] = 0.0
                with pytest.raises(CommitError, match="only its owner"):
                    plan.commit()
            eve.create_scenario("mine", origin="less")
            assert tasks(eve.scenario("mine")) == tasks(admin.scenario("less"))
            scenario.unshare("eve")
            assert list(eve.scenarios) == ["mine"]
            with pytest.raises(NotFound, match="stands on one that is no longer shared"):
                eve.scenario("mine").query("Task").all()


def test_an_async_session_awaits_the_same(tmp_path: Path) -> None:
    """The names, a scenario's verbs, and a session in it."""

    async def story(session: AsyncSession) -> None:
        async with session:
            made = await session.create_scenario("less")
            async with session.scenario("less") as plan:
                task = await plan.get("Task", "anim0")
                task["bid"] = 1.0
                await plan.commit()
            assert list(await session.scenarios) == ["less"]
            found = await made.diff()
            assert found.updated == {Identity("Task", "anim0"): {"bid": (4.0, 1.0)}}
            assert (await made.rebase()).done
            assert (await made.commit()).operations == 1
            await session.create_scenario("more")
            await session.delete_scenario("more")
            assert list(await session.scenarios) == []

    with scenario_service("memory", tmp_path) as service:
        with session_of(service, "memory") as session:
            fill(session)
        asyncio.run(story(AsyncSession(connection=over(service.backend("admin")))))


def test_writers_of_one_scenario_take_turns(tmp_path: Path) -> None:
    """On PostgreSQL, where commits run at the same time: nothing is lost of what several threads commit into it."""
    with scenario_service("postgres", tmp_path) as service:
        with session_of(service, "postgres") as session:
            fill(session)
            for name in ("one", "two"):
                session.create_scenario(name)

        def write(number: int) -> None:
            made = Create(Identity("Project", f"p{number}"), {"name": f"p{number}"})
            inside = service.backend("admin").scenario("one" if number % 2 else "two")
            inside.commit(ChangeSet(f"write {number}", (made,)))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(12)))
        for name in ("one", "two"):
            inside = service.backend("admin").scenario(name)
            assert service.backend("admin").call("scenarios.show", {"name": name})["revision"] == 6
            assert sum(len(block.rows) for block in inside.select(Select("Project"), 100).records) == 2 + 6


def test_an_expired_scenario_is_gone(tmp_path: Path) -> None:
    """It does not exist any more from that moment on, and is removed with the next one that is made."""
    with scenario_service("memory", tmp_path) as service, session_of(service, "memory") as session:
        fill(session)
        session.create_scenario("less", expires=timedelta(hours=1))
        with session.scenario("less") as plan:
            edit(plan)
        now = datetime.now(UTC)
        service.clock = lambda: now + timedelta(hours=2)
        assert list(session.scenarios) == []
        with pytest.raises(NotFound):
            session.scenario("less").query("Task").all()
        session.create_scenario("less")
        with session.scenario("less") as plan:
            assert tasks(plan) == tasks(session)
        with pytest.raises(Invalid, match="`expires` is in the past"):
            session.create_scenario("more", expires=now)


def test_a_diff_has_no_stamps_of_the_server() -> None:
    """When and by whom is written at every change; a value that is as it was leaves nothing."""
    from callsheet import Session

    with Session("memory:") as session:
        project = session.create("Project", {"name": "sintel"})
        session.commit()
        made = session.create_scenario("other words")
        with session.scenario("other words") as inside:
            for description in ("one", None):
                inside.query("Project").one()["description"] = description
                inside.commit()
            assert made.diff().changes == ()
            inside.query("Project").one()["description"] = "two"
            inside.commit()
        assert made.diff().updated == {project.identity: {"description": (None, "two")}}
