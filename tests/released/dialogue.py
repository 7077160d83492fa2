"""A conversation with a server: what is asked, in order. Knows no version of Callsheet.

A step makes a flow of a dialect: it is given the dialect, the names it needs of the model (`Names`, filled in by the
release that records and by the present that replays), and the answers before it. Steps that need what a release does
not have are left out there (`since`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

__all__ = ["EVENTS_READ", "FILTER", "STEPS", "Names", "Step", "once", "refused", "undone"]

PICTURE = b"the second picture"
DIGEST = hashlib.sha256(PICTURE).hexdigest()
EVENTS_READ = 12
"""Events that are read of the stream."""
FILTER = ("topic=callsheet.update and entity.type=Task", "topic=studio.*")


@dataclass
class Names:
    """Classes and functions of the model, whichever version's."""

    Create: Any
    Update: Any
    Delete: Any
    ChangeSet: Any
    Identity: Any
    Aggregate: Any
    Path: Any
    parse: Any
    Event: Any = None


@dataclass
class Step:
    """One question. ``user`` asks it; ``position``: as of this commit."""

    make: Callable[[Any, Names, dict[str, Any]], Any]
    user: str = "anna"
    since: tuple[int, int] = (0, 1)
    position: int | None = None
    key: str = ""


def select(text: str, size: int = 100, after: str = "") -> Callable[[Any, Names, dict[str, Any]], Any]:
    """A page of a query; ``after`` is the step whose cursor it goes on from."""
    return lambda dialect, n, told: dialect.select(n.parse(text), size, told[after].cursor if after else None)


def call(action: str, **arguments: Any) -> Callable[[Any, Names, dict[str, Any]], Any]:
    return lambda dialect, n, told: dialect.call(action, arguments)


def talked(dialect: Any, n: Names, told: dict[str, Any]) -> Any:
    """Every kind of operation and of value."""
    task, shot = n.Identity("Task", "talk"), n.Identity("Shot", "shot")
    values = {
        "name": "talk",
        "parent": shot,
        "due_date": date(2026, 7, 1),
        "bid": 1.0,
        "metadata.$date": "text",
        "custom_attributes.delivery": date(2026, 8, 1),
    }
    drawing = {"$date": "x", "list": [1, 2.5, True, None, "ü"]}
    moment = datetime(2026, 5, 5, 12, 30, 0, 250_000, UTC)
    note = {"content": "hört", "parent": shot, "date": moment, "drawing": drawing}
    operations = (
        n.Create(task, values),
        n.Create(n.Identity("Note", "talk-note"), note),
        n.Update(n.Identity("Task", "task"), {"bid": 1800.0}, {"bid": 3600.5}),
        n.Update(n.Identity("Tag", "tag"), {}, {}, {"contexts": (task,)}, {"contexts": (n.Identity("Task", "once"),)}),
        n.Delete(n.Identity("Task", "part-1"), 1),
    )
    return dialect.commit(n.ChangeSet("talk-commit", operations, origin="talker"))


def update(commit_id: str, values: Any, before: Any, policy: str = "raise", key: str = "task") -> Any:
    def make(dialect: Any, n: Names, told: dict[str, Any]) -> Any:
        return dialect.commit(n.ChangeSet(commit_id, (n.Update(n.Identity("Task", key), values, before),), 0, policy))

    return make


def part(number: int) -> Callable[[Any, Names, dict[str, Any]], Any]:
    def make(dialect: Any, n: Names, told: dict[str, Any]) -> Any:
        made = n.Create(
            n.Identity("Task", f"staged-{number}"), {"name": f"s{number}", "parent": n.Identity("Shot", "shot")}
        )
        return dialect.stage("talk-parts", number, [made])

    return make


def aggregate(dialect: Any, n: Names, told: dict[str, Any]) -> Any:
    functions = (("count", None), ("sum", n.Path.of("bid")), ("maximum", n.Path.of("due_date")))
    return dialect.aggregate(n.Aggregate(n.parse("Task where bid > 0"), functions, (n.Path.of("parent.name"),)))


def publish(dialect: Any, n: Names, told: dict[str, Any]) -> Any:
    data = {"frame": 3, "day": date(2026, 5, 4)}
    return dialect.publish(
        n.Event("studio.render.done", data, "event-3", datetime(2026, 5, 4, tzinfo=UTC), {"id": "hub"})
    )


TASKS = "select name, bid, due_date, status.name, metadata, custom_attributes from Task order by name"
STEPS: dict[str, Step] = {
    "describe": Step(lambda dialect, n, told: dialect.describe()),
    "describe what is known": Step(lambda dialect, n, told: dialect.describe(told["describe"].schema_hash)),
    "first page": Step(select(TASKS, 2)),
    "second page": Step(select(TASKS, 2, "first page")),
    "lazy read": Step(
        select("select description, parent.name, parent.parent.name from Task where id in ('task', 'once')")
    ),
    "members": Step(select("select contexts.name from Tag where id is tag")),
    "json": Step(select("select drawing, frame, content, created_at from Note where id is note")),
    "aggregate": Step(aggregate),
    "commit": Step(talked),
    "the same commit": Step(talked),
    "another commit of its name": Step(update("talk-commit", {"bid": 2.0}, {})),
    "conflict": Step(update("conflict", {"bid": 5.0}, {"bid": 9.0})),
    "theirs": Step(update("theirs", {"bid": 5.0}, {"bid": 9.0}, "theirs")),
    "a wrong value": Step(update("wrong", {"bid": "a lot"}, {})),
    "nothing there": Step(update("absent", {"bid": 1.0}, {}, key="nobody")),
    "first part": Step(part(0)),
    "second part": Step(part(1)),
    "commit of parts": Step(lambda d, n, told: d.commit(n.ChangeSet("talk-parts", (), 2))),
    "a part is missing": Step(lambda d, n, told: d.commit(n.ChangeSet("no-parts", (), 3))),
    "a wrong query": Step(select("select name from Nobody")),
    "a wrong key": Step(select("select name from Task"), key="not-the-key-of-anybody"),
    "not allowed": Step(update("forbidden", {"bid": 1.0}, {}), user="dora"),
    "history": Step(call("history", entity_type="Task", key="task", limit=10)),
    "commits": Step(call("commits", after=1, limit=3)),
    "moment": Step(call("at", time=datetime(2026, 5, 4, 9, 0, 15, tzinfo=UTC))),
    "the past": Step(select("select name, bid, status.name from Task order by name"), position=4),
    "accounts": Step(call("users.list")),
    "no such action": Step(call("users.nothing")),
    "publish": Step(publish, since=(0, 2)),
    "a handler begins": Step(
        call("handlers.claim", handler="talk", expression=FILTER[0], worker="w", most=2, from_start=True), since=(0, 2)
    ),
    "a handler's events": Step(
        call("handlers.claim", handler="talk", expression=FILTER[0], worker="w", most=2), since=(0, 2)
    ),
    "file": Step(lambda d, n, told: d.read_file("component", 2, 7), since=(0, 2)),
    "write a file": Step(lambda d, n, told: d.write_file("second", 0, PICTURE), since=(0, 2)),
    "finish a file": Step(lambda d, n, told: d.finish_file("second", len(PICTURE), DIGEST), since=(0, 2)),
    "size of a file": Step(lambda d, n, told: d.file_size("second"), since=(0, 2)),
    "no such file": Step(lambda d, n, told: d.file_size("nothing"), since=(0, 2)),
}


def once(n: Names) -> Any:
    """A commit that the database knows: sent again it gets the first answer."""
    made, shot = n.Identity("Task", "once"), n.Identity("Shot", "shot")
    values = {"name": "once", "parent": shot, "due_date": date(2026, 6, 2), "custom_attributes.fps": 30.0}
    operations = (
        n.Create(made, values),
        n.Update(n.Identity("Task", "task"), {"description": "é"}, {"description": None}, version=2),
        n.Update(n.Identity("Tag", "tag"), {}, {}, {"contexts": (made,)}),
    )
    return n.ChangeSet("known-commit", operations, origin="a-session")


def undone(n: Names) -> Any:
    """A commit that did not reach the server, with every kind of operation and value."""
    made, task, shot = n.Identity("Task", "journalled"), n.Identity("Task", "task"), n.Identity("Shot", "shot")
    values = {
        "name": "from the journal",
        "parent": shot,
        "due_date": date(2026, 6, 9),
        "metadata.$date": "text",
        "custom_attributes.delivery": date(2026, 6, 10),
    }
    moment = datetime(2026, 5, 4, 9, tzinfo=UTC)
    note = {"content": "née", "parent": shot, "date": moment, "drawing": {"$identity": [1, 2.5, None]}}
    operations = (
        n.Create(made, values),
        n.Create(n.Identity("Note", "journalled"), note),
        n.Update(task, {"bid": 10.0, "metadata.machine": None}, {"bid": 3600.5, "metadata.machine": "ws-12"}),
        n.Update(n.Identity("Tag", "tag"), {}, {}, {"contexts": (made,)}, {"contexts": (task,)}),
        n.Delete(n.Identity("TypedContextLink", "link"), 1),
    )
    return n.ChangeSet("not-done-yet", operations, policy="ours", origin="a-session")


def refused(n: Names) -> Any:
    """A commit that the server will refuse."""
    return n.ChangeSet("to-be-refused", (n.Update(n.Identity("Task", "nobody"), {"bid": 1.0}),))
