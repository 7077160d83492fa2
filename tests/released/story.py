"""What a release writes down of itself: run by ``make.py`` with the release's own wheel, never with the present code.

    python story.py studio FOLDER DATABASE    a database with a history, and what the release reads in it
    python story.py files FOLDER              a journal with commits in doubt; queues in a file
    python story.py talk FOLDER DATABASE      requests and answers of the wire, with a server process on the database

So its imports are those of the releases: a line that a later release needs otherwise goes beside the older one, and
what a release does not have yet is left out (`EVENTS`). Keys, names and times are fixed as far as the release lets.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from callsheet.model.condition import Path as AttributePath
from callsheet.model.parser import parse
from callsheet.session.sync import Session
from dialogue import Names, once
from meaning import plain

import callsheet
from callsheet.model.operation import ChangeSet, Create, Delete, Update
from callsheet.model.query import Aggregate
from callsheet.model.record import Identity
from callsheet.server.service import Service
from callsheet.session.connection import over

NAMES = Names(Create, Update, Delete, ChangeSet, Identity, Aggregate, AttributePath, parse)
VERSION = tuple(int(part) for part in callsheet.__version__.split(".")[:2])
EVENTS = VERSION >= (0, 2)
START = datetime(2026, 5, 4, 9, tzinfo=UTC)
ADMIN_KEY, ANNA_KEY, BEN_KEY = ("the-key-of-" + name for name in ("the-admin", "anna-the-lead", "ben-the-guest"))
SHOT, TASK, PROJECT = (Identity(name, name.lower()) for name in ("Shot", "Task", "Project"))


def note(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(json.dumps(plain(value), indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def session_of(service: Any, user: str) -> Any:
    return Session(connection=over(service.backend(user)))


# -- a database with a history -----------------------------------------------------------------------------------


def studio(folder: Path, database: str) -> None:
    seconds = count()
    clock = lambda: START + timedelta(seconds=next(seconds))  # noqa: E731
    service = Service.open(database, "production", ADMIN_KEY, clock, seed=True, files=folder / "files")
    people(service)
    with session_of(service, "anna") as anna, session_of(service, "ben") as ben:
        production(anna)
        changes(anna, ben)
        in_parts(service.backend("anna"))
        if EVENTS:
            published(service.backend("anna"))
            handlers(anna)
            upload(service.backend("anna"))
        note(folder, "expected.json", seen(anna, service))
    service.close()


def people(service: Any) -> None:
    service.roles.add("guest-artist", ["read:*", "update:Task"])
    service.accounts.add("anna", "admin", key=ANNA_KEY)
    service.accounts.add("ben", "user", key=BEN_KEY)
    service.accounts.add("carla", "guest-artist")
    service.accounts.disable("carla")
    service.accounts.add("dora", "guest")


def production(anna: Any) -> None:
    """Entities of many types: references, mappings, many-to-many, JSON, dates, numbers, enums, text of any script."""
    for key, kind, more in (
        ("pipeline", "string", {}),
        ("fps", "number", {"default": 24.0}),
        ("delivery", "date", {}),
        ("look", "enum", {"choices": ["day", "night"]}),
    ):
        data = {"id": f"custom-{key}", "key": key, "entity_type": "TypedContext", "data_type": kind, **more}
        anna.create("CustomAttributeConfiguration", data)
    anna.commit()
    anna.reload_schema()
    status = {each["name"]: each for each in anna.query("Status").all()}
    project = anna.create("Project", {"id": "project", "name": "sintel", "full_name": "Sintel: 鳥の歌", "fps": 24.0})
    project["metadata"]["path"] = "/mnt/sintel"
    sequence = anna.create("Sequence", {"id": "sequence", "name": "sq010", "parent": project})
    shot = anna.create("Shot", {"id": "shot", "name": "sh010", "parent": sequence, "fstart": 1001, "fend": 1100})
    other = anna.create("Shot", {"id": "shot-2", "name": "sh020", "parent": sequence})
    asset = anna.create("AssetBuild", {"id": "dragon", "name": "dragon", "parent": project})
    asset["shots"].append(shot)
    asset["shots"].append(other)
    task = {"name": "animation", "parent": shot, "status": status["Not started"], "bid": 3600.5}
    first = anna.create("Task", {"id": "task", "due_date": date(2026, 6, 1), **task})
    first["metadata"]["$date"] = "just text"
    first["custom_attributes"]["fps"] = 25.0
    first["custom_attributes"]["delivery"] = date(2026, 7, 1)
    first["custom_attributes"]["look"] = "night"
    second = anna.create("Task", {"id": "task-2", **task, "name": "lighting"})
    anna.create("Task", {"id": "task-3", **task, "name": "comp", "parent": other})
    anna.create("TypedContextLink", {"id": "link", "source": first, "target": second, "lag": 2})
    tag = anna.create("Tag", {"id": "tag", "name": "hero"})
    tag["contexts"].append(first)
    product = anna.create("Asset", {"id": "asset", "name": "anim", "parent": shot})
    for number in (1, 2):
        anna.create("AssetVersion", {"id": f"version-{number}", "asset": product, "task": first, "comment": "✓"})
    drawing = {"$date": "2026", "strokes": [[0, 1.5], [2, True, None]]}
    anna.create("Note", {"id": "note", "content": "mehr Schwung", "parent": shot, "frame": 1010, "drawing": drawing})
    anna.create(
        "FileComponent", {"id": "component", "name": "preview", "version": anna.get("AssetVersion", "version-1")}
    )
    anna.commit()


def changes(anna: Any, ben: Any) -> None:
    """A history: two people, an update of each kind of value, deletes with what hangs on them, a commit undone."""
    task = ben.get("Task", "task")
    task["status"] = ben.query("Status where name is 'In progress'").one()
    task["metadata"]["machine"] = "ws-12"
    ben.commit()
    mine = anna.get("Task", "task-2")
    mine["bid"] = 7200.0
    mine["custom_attributes"]["pipeline"] = "usd"
    mine["due_date"] = None
    anna.get("Tag", "tag")["contexts"].append(mine)
    raised = anna.commit()
    anna.delete(anna.get("Shot", "shot-2"))
    anna.commit()
    anna.undo(raised.position)
    anna.commit()
    shot = anna.get("Shot", "shot")
    shot["fend"] = 1120
    anna.commit()


def in_parts(backend: Any) -> None:
    """A commit done, a commit done in parts, and parts of one that has not been sent to its end."""
    backend.commit(once(NAMES))
    parts = [[Create(Identity("Task", f"part-{index}"), {"name": f"part {index}", "parent": SHOT})] for index in (0, 1)]
    for number, part in enumerate(parts):
        backend.stage("commit-in-parts", number, part)
    backend.commit(ChangeSet("commit-in-parts", (), 2))
    late: list[Any] = [
        Create(Identity("Task", "late"), {"name": "late", "parent": SHOT, "due_date": date(2026, 6, 3)}),
        Update(TASK, {"metadata.late": "yes", "parent": SHOT}, {"parent": SHOT}),
        Update(Identity("Tag", "tag"), {}, {}, {"contexts": (Identity("Task", "late"),)}, {"contexts": (TASK,)}),
        Delete(Identity("TypedContextLink", "link"), 1),
    ]
    backend.stage("unfinished-commit", 0, late[:2])
    backend.stage("unfinished-commit", 1, late[2:])


def published(backend: Any) -> None:
    from callsheet.model.event import Event

    for number in (1, 2):
        data = {"frame": number, "of": {"type": "Shot", "id": "shot"}, "at": START, "day": date(2026, 5, 4)}
        source = {"id": "hub-1", "host": "farm-3"}
        backend.publish(Event("studio.render.done", data, f"event-{number}", START, source, "", None))


def handlers(anna: Any) -> None:
    """One handler with a delivery in every state; another that is done with all there was."""

    def claim(name: str, most: int, worker: str = "worker-1") -> list[Any]:
        expression = "topic=callsheet.update and entity.type=Task" if name == "tell" else "topic=studio.*"
        return anna.call(
            "handlers.claim", handler=name, expression=expression, worker=worker, most=most, from_start=True, known=[]
        )

    def about(verb: str, given: Any, **more: Any) -> None:
        position, index = given["event"]["position"]
        lease = given["lease"]
        anna.call(f"handlers.{verb}", handler=given["handler"], position=position, index=index, lease=lease, **more)

    claim("tell", 4)
    done, dead, later, _ = claim("tell", 4)
    about("settle", done)
    about("fail", dead, error="ValueError: no", traceback="Traceback …", delay=None)
    about("fail", later, error="OSError: away", traceback="Traceback …", delay=60.0)
    claim("render", 5)
    for given in claim("render", 5, "worker-2"):
        about("settle", given)


def upload(backend: Any) -> None:
    import hashlib

    content = b"a picture of a dragon"
    backend.files.write("component", 0, content)
    backend.files.finish("component", len(content), hashlib.sha256(content).hexdigest())


QUERIES = (
    "select name, bid, due_date, status.name, metadata, custom_attributes, description, parent from Task order by name",
    "select name, full_name, fps, metadata, lifecycle from Project",
    "select name, fstart, fend, asset_builds from Shot",
    "select content, drawing, frame, parent from Note",
    "select asset, version, comment, task from AssetVersion order by version",
    "select name, contexts from Tag",
    "select source, target, lag, kind from TypedContextLink",
    "select name from TypedContext where status.name is 'In progress' order by name",
    "select name from Task where custom_attributes.look is night or metadata.machine like 'ws-%'",
)


def seen(anna: Any, service: Any) -> dict[str, Any]:
    """What the release reads in the database it made."""
    told: dict[str, Any] = {"version": callsheet.__version__, "queries": {}, "time": service.clock()}
    for text in QUERIES:
        told["queries"][text] = rows(anna, text)
    told["counts"] = {name: len(anna.query(name).all()) for name in ("Task", "Shot", "Context", "Status", "Note")}
    told["commits"] = anna.commits(after=1, limit=None)
    told["history"] = anna.history(TASK)
    told["deleted"] = anna.history(Identity("Shot", "shot-2"))
    told["accounts"] = service.accounts.list()
    told["roles"] = service.roles.list()
    told["once"] = service.backend("anna").commit(once(NAMES))
    if EVENTS:
        told["handlers"] = anna.call("handlers.status")
        told["deliveries"] = anna.call("handlers.deliveries", handler="tell")
    with anna.at(told["commits"][3].position) as past:
        told["past"] = rows(past, "select name, bid, status.name from Task order by name")
    return told


def rows(session: Any, text: str) -> list[dict[str, Any]]:
    """The rows of a query that says what it selects, as plain data."""
    names = [name.strip() for name in text.split(" from ")[0].removeprefix("select ").split(",")]
    return [{name: value_at(entity, name) for name in names} for entity in session.query(text).all()]


def value_at(entity: Any, name: str) -> Any:
    for step in name.split("."):
        entity = None if entity is None else entity[step]
    if hasattr(entity, "identity"):
        return list(entity.identity)
    if isinstance(entity, dict) or hasattr(entity, "items"):
        return dict(entity.items())
    if not isinstance(entity, str) and hasattr(entity, "__iter__"):
        return sorted(list(each.identity) for each in entity)
    return entity


def main() -> None:
    task, folder, *database = sys.argv[1:]
    if task == "studio":
        studio(Path(folder), *database)
        return
    import recording

    verbs: dict[str, Callable[..., None]] = {"files": recording.files, "talk": recording.talk}
    verbs[task](Path(folder), *database)


if __name__ == "__main__":
    main()
