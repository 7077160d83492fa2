"""What a studio writes with the types of its own schema: what is marked with an E is an error, and nothing else."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, assert_type

from callsheet import AsyncQueryResult, Browser, Collection, Entity, Identity, QueryResult
from callsheet.model.query import Comparison

if TYPE_CHECKING:
    from my_studio import AsyncSession, Context, Note, Session, Session_, Shot, ShotData, Status, Task, TaskData, User


def reading(session: Session, task: Task, shot: Shot) -> None:
    """Attributes and keys have the types of the schema, on the class they are expressions."""
    assert_type(task.name, str)
    assert_type(task["name"], str)
    assert_type(task["bid"], float | None)
    assert_type(task.status, Status | None)
    assert_type(task["status"], Status | None)
    assert_type(task["status_id"], str | None)
    assert_type(task.due_date, date | None)
    assert_type(task["created_at"], datetime | None)
    assert_type(task.children, Collection[Context])
    assert_type(task.children[0], Context)
    assert_type(shot["custom_attributes"]["takes"], int)
    assert_type(shot.custom_attributes["weather"], Literal["clear", "rain"] | None)
    assert_type(shot["from"], str | None)
    assert_type(shot.from_, str | None)
    assert_type(shot["frame-start"], int | None)
    assert_type(Task.status.name == "Done", Comparison)
    assert_type(Task.status == "Done", Comparison)
    assert_type(session.types["Shot"], type[Shot])
    plain: Entity = task
    print(plain, shot.metadata["colour"])


def asking(session: Session, shot: Shot) -> None:
    """Verbs give entities of the type that they are given, by name and by class."""
    assert_type(session.query("Task").first(), Task | None)
    assert_type(session.query(Task).where(Task.status.name == "Done", Task.bid > 2).one(), Task)
    assert_type(session.query("Task where name is x"), QueryResult)
    assert_type(session.browse("Task").all(), list[Task])
    assert_type(session.browse(Task).search("^a"), list[Task])
    assert_type(session.browse(session.query(Shot)).where(name="a"), Browser[Shot])
    assert_type(session.browse("Task where name is x"), Browser)
    assert_type(session.get("Task", "1"), Task | None)
    assert_type(session.get(Shot, "1"), Shot | None)
    assert_type(session.fork(), Session)
    assert_type(session.query("Session").one(), Session_)
    session.query(Task).where(Task.parent == shot, Task.parent.cast("Shot").frames > 3, Task.assignments.any())
    session.query(Task).select(Task.status.name, Shot.custom_attributes["takes"]).order_by(Task.due_date.descending())


def by_name(session: Session) -> None:
    """Types are names of the session, with verbs and attributes of their own."""
    assert_type(session.Task.one(), Task | None)
    assert_type(session.Task.first(2), list[Task])
    assert_type(session.Task.where(session.Task.status.name == "Done")[0], Task)
    assert_type(session.Task.new(name="a", bid=2.5), Task)
    assert_type(session.Shot({"name": "sh010"}).frames, int | None)
    assert_type(session.Task.count(), int)


def writing(session: Session, task: Task, shot: Shot) -> None:
    """Values of the right types are taken, also as the data of a new entity."""
    task.name, task["bid"], task.due_date = "x", 3, "2026-01-01"
    shot.custom_attributes["weather"] = "rain"
    task.create_note("hello", recipients=[])
    assert_type(task.create_note("hello")["content"], str)
    assert_type([user.identity for user in task.get_assignees()], list[Identity])
    assert_type(task.unassign(task) + 1, int)
    data: TaskData = {"name": "y", "parent": shot, "bid": 1.5}
    assert_type(session.create(Task, data), Task)
    assert_type(session.create("Shot", {"name": "a", "custom_attributes": {"takes": 3}}), Shot)
    assert_type(session.ensure("User", {"username": "anna"}, ["username"]), User)
    more: ShotData = {"frame-start": 3, "from": "a"}
    session.create("Shot", more)


async def awaiting(session: AsyncSession) -> None:
    """The same, awaited."""
    assert_type(session.query(Task), AsyncQueryResult[Task])
    assert_type(await session.browse("Task").all(), list[Task])
    assert_type(await session.get("Task", "1"), Task | None)
    assert_type(session.create("Task", {"name": "a"}), Task)
    assert_type(await session.Task.last(3), list[Task])
    task = await session.query(Task).one()
    assert_type(await task.create_note("hello"), Note)
    assert_type(await task.get_assignees(), list[Entity])
    assert_type(await session.ensure("User", {"username": "anna"}, ["username"]), User)


def wrong(session: Session, task: Task, shot: Shot) -> None:
    """Each line is an error."""
    print(task.nmae)  # E
    print(task["nmae"])  # E
    task.name = 3  # E
    task["bid"] = "x"  # E
    task.nmae = 3  # E
    task.created_at = None  # E
    task["created_at"] = "2026-01-01"  # E
    task.status = task  # E
    print(Task.nmae)  # E
    print(Task.status.nmae)  # E
    session.query(Task).where(Task.name == 3)  # E
    session.query(Task).where(Task.bid > "x")  # E
    session.create("Task", {"nmae": "x"})  # E
    session.create("Task", {"name": 3})  # E
    session.create("Tsak", {"name": "x"})  # E
    session.get("Tsak", "1")  # E
    session.types["Tsak"]  # E
    task.create_notes("x")  # E
    task.create_note()  # E
    print(task.create_note("x").contnet)  # E
    print(task.get_assignees().first)  # E
    print(shot["custom_attributes"]["tkaes"])  # E
    shot.custom_attributes["weather"] = "fog"  # E
    shot.custom_attributes["takes"] = "three"  # E
    session.commit(conflicts=3)  # E
    print(session.Tsak)  # E
    print(session.Task.nmae)  # E
    session.Task.new(nmae="a")  # E
    session.Task.new(bid="a")  # E
