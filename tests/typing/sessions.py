"""What a user writes: mypy must infer these types (``assert_type``) and refuse what is marked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import callsheet
from callsheet import (
    NOT_SET,
    AsyncBrowser,
    AsyncQueryResult,
    AsyncSession,
    Browser,
    Commit,
    CommitResult,
    Create,
    Delete,
    Description,
    Entity,
    HistoryEntry,
    Identity,
    Operation,
    QueryResult,
    RelationNetwork,
    Schema,
    Server,
    Session,
    Statistics,
    Update,
)
from callsheet.model.query import Comparison, Order


def blocking(session: Session) -> None:
    """The verbs of a blocking session."""
    assert_type(session.query("Task"), QueryResult)
    assert_type(session.query("Task").where(name="a").order_by("name").limit(3).offset(1), QueryResult)
    assert_type(session.query("Task").all(), list[Entity])
    assert_type(session.query("Task").first(), Entity | None)
    assert_type(session.query("Task").one(), Entity)
    assert_type(session.query("Task")[0:2], list[Entity])
    assert_type(session.query("Task")[0], Entity)
    assert_type(session.query("Task").count(), int)
    assert_type(session.query("Task").records(), Iterator[dict[str, Any]])
    assert_type(session.commit(), CommitResult | None)
    assert_type(session.pending, tuple[Create | Update | Delete, ...])
    assert_type(session.recorded_operations, list[Operation])
    assert_type(session.statistics, Statistics)
    assert_type(session.schema, Schema)
    assert_type(session.server_information, Description)
    assert_type(session.fork(), Session)
    browser = session.browse("Task")
    assert_type(browser, Browser)
    assert_type(browser.where(name="a").query, QueryResult)
    assert_type(browser.all(), list[Entity])
    assert_type(browser.search("^a"), list[Entity])
    assert_type(browser.close_matches("a", 3), list[Entity])
    assert_type(browser.network(relations=["parent"], depth=2), RelationNetwork)
    assert_type(session.browse(session.query("Task")), Browser)
    browser.search(7)  # type: ignore[arg-type]
    session.browse(7)  # type: ignore[call-overload]
    session.commit(conflicts=3)  # type: ignore[arg-type]
    session.commit("raise", None, None)  # type: ignore[call-arg]
    session.commit(agree="yes")  # type: ignore[arg-type]
    session.commit(progress=3)  # type: ignore[arg-type]
    session.history()  # type: ignore[call-arg]
    session.query(7)  # type: ignore[call-overload]
    assert_type(session.history(None, limit=None), list[HistoryEntry])
    assert_type(session.commits(after=3), list[Commit])
    assert_type(session.get_component_availability(None), dict[str, float])
    assert_type(session.get_widget_url("info"), str)
    with session.auto_populating("peer"):  # type: ignore[arg-type]
        pass
    with session.auto_populating("peers"), session.operation_recording(False):
        pass


async def awaiting(session: AsyncSession) -> None:
    """The same, awaited."""
    assert_type(session.browse("Task"), AsyncBrowser)
    assert_type(await session.browse("Task").search("^a"), list[Entity])
    assert_type(session.query("Task"), AsyncQueryResult)
    assert_type(session.query("Task").where(name="a"), AsyncQueryResult)
    assert_type(await session.query("Task").all(), list[Entity])
    assert_type(await session.query("Task").first(), Entity | None)
    assert_type(await session.query("Task").slice(0, 2), list[Entity])
    assert_type(await session.query("Task").count(), int)
    assert_type(session.query("Task").records(), AsyncIterator[dict[str, Any]])
    assert_type(await session.commit(), CommitResult | None)
    assert_type(await session.history(None, limit=None), list[HistoryEntry])
    assert_type(await session.get_widget_url("info"), str)
    await session.commit(conflicts=3)  # type: ignore[arg-type]
    await session.populate([])  # type: ignore[call-arg]
    async with session as opened:
        assert_type(opened, AsyncSession)


class Task(Entity):
    """What a studio writes for its editors: the attributes of a type, with their Python types."""

    bid: float


def classes(session: Session) -> None:
    """A class in place of a type's name gives results of this class."""
    assert_type(session.query(Task), QueryResult[Task])
    assert_type(session.query(Task).where(name="a").first(), Task | None)
    assert_type(session.query(Task)[0].bid, float)
    assert_type([task.bid for task in session.query(Task)], list[float])
    assert_type(session.create(Task, {"name": "a"}), Task)
    assert_type(session.create("Task", {"name": "a"}), Entity)
    assert_type(session.get(Task, "1"), Task | None)
    assert_type(session.ensure(Task, {"name": "a"}), Task)
    task = session.create("Task")
    task["name"], task.name = "b", "b"
    session.query(str)  # type: ignore[type-var]


async def awaited_classes(session: AsyncSession) -> None:
    """The same, awaited."""
    assert_type(session.query(Task), AsyncQueryResult[Task])
    assert_type(await session.query(Task).one(), Task)
    assert_type(await session.get(Task, "1"), Task | None)
    assert_type([task.bid async for task in session.query(Task)], list[float])


def expressions(session: Session) -> None:
    """Attributes of an entity class are expressions, whose methods make conditions and orders."""
    kind = session.types["Task"]
    assert_type(kind.name.like("anim%"), Comparison)
    assert_type(kind.status.name == "Done", Comparison)
    assert_type(kind.due.descending(), Order)
    session.query("Task").where(kind.name.like("anim%"), kind.notes.any()).order_by(kind.name)
    kind.name.like(3)  # type: ignore[arg-type]
    kind.name.likes("a")  # type: ignore[operator]


def options() -> None:
    """A misspelt option is an error."""
    Session("https://callsheet.example.org", timeout=3.0, retries=2, verify=False)
    Session("https://callsheet.example.org", retires=3)  # type: ignore[call-arg]
    AsyncSession("https://callsheet.example.org", page_sise=3)  # type: ignore[call-arg]


def data(server: Server) -> None:
    """Plain data and the server's handle."""
    identity = Identity("Task", "1")
    assert_type(identity.entity_type, str)
    update = Update(identity, {"name": "a"}, version=3)
    assert_type(update.version, int | None)
    update.version = 4  # type: ignore[misc]
    assert_type(bool(NOT_SET), bool)
    with server as running, callsheet.Session(running.url, api_key=running.admin_key) as session:
        assert_type(session, Session)
