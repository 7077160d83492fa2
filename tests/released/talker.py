"""A client's and a server's side of a short talk, run with any version of Callsheet; prints what it saw as JSON.

python talker.py client URL                        query, commit, conflict, events, files, on another's server
python talker.py serve DATABASE FILES ADMIN_KEY    a server; its URL is the first line, it ends with its input
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import date
from typing import Any

import callsheet
from callsheet import CallsheetError, ConflictError, Session
from callsheet.dialects.native.client import NativeDialect
from callsheet.server.process import serve

ANNA_KEY = "the-key-of-anna-the-lead"
VERSION = tuple(int(part) for part in callsheet.__version__.split(".")[:2])


def talk(url: str, events: str = "") -> dict[str, Any]:
    """What a client of this version reads, writes and is refused; ``events``: whether the server has events."""
    seen: dict[str, Any] = {"version": callsheet.__version__}
    with _session(url) as anna, _session(url) as other:
        seen["server"] = anna.open().version
        seen |= _reading(anna) | _writing(anna, other) | _conflict(anna, other) | _refusals(anna)
        if VERSION >= (0, 2) and events != "False":
            seen |= _events(anna, url) | _files(anna)
    return seen


def _session(url: str) -> Any:
    return Session(url, api_key=ANNA_KEY, schema_cache=False)


def _reading(anna: Any) -> dict[str, Any]:
    tasks = anna.query("select name, bid, status.name from Task order by name").all()
    task = anna.get("Task", "task")
    return {
        "tasks": [[each["name"], each["bid"]] for each in tasks],
        "status": task["status"]["name"],
        "due": task["due_date"].isoformat(),
        "custom": task["custom_attributes"]["delivery"].isoformat(),
        "metadata": dict(task["metadata"].items()),
        "lazy": task["parent"]["parent"]["name"],
        "contexts": sorted(each["name"] for each in anna.get("Tag", "tag")["contexts"]),
    }


def _writing(anna: Any, other: Any) -> dict[str, Any]:
    shot = anna.get("Shot", "shot")
    made = anna.create("Task", {"id": "talked", "name": "talked", "parent": shot, "due_date": date(2026, 9, 1)})
    made["metadata"]["$date"] = "text"
    anna.get("Tag", "tag")["contexts"].append(made)
    anna.commit()
    made["bid"] = 12.5
    anna.commit()
    found = other.get("Task", "talked")
    return {"written": [found["name"], found["bid"], found["due_date"].isoformat(), dict(found["metadata"].items())]}


def _conflict(anna: Any, other: Any) -> dict[str, Any]:
    mine, theirs = anna.get("Task", "talked"), other.get("Task", "talked")
    assert (mine["bid"], theirs["bid"]) == (12.5, 12.5)
    mine["bid"] = 13.0
    anna.commit()
    theirs["bid"] = 14.0
    try:
        other.commit()
    except ConflictError as error:
        other.rollback()
        return {"conflict": [list(error.entity or ()), error.attribute]}
    return {"conflict": None}


def _refusals(anna: Any) -> dict[str, Any]:
    errors = []
    for action in (lambda: anna.query("Nobody").all(), lambda: anna.call("users.nothing")):
        try:
            action()
        except CallsheetError as error:
            errors.append(type(error).__name__)
    return {"refusals": errors}


def _events(anna: Any, url: str) -> dict[str, Any]:
    heard: list[list[str]] = []
    with _session(url) as listener:
        hub = listener.event_hub
        for expression in ("topic=callsheet.update and entity.id=heard", "topic=studio.talk"):
            hub.subscribe(expression, lambda event: heard.append([event.topic, event.data["entity"]["id"]]))
        hub.connect()
        anna.create("Task", {"id": "heard", "name": "heard", "parent": anna.get("Shot", "shot")})
        anna.commit()
        anna.event_hub.publish(callsheet.Event("studio.talk", {"entity": {"id": "word"}}))
        for _ in range(200):
            if len(heard) >= 2:
                break
            hub.wait(0.1)
    return {"heard": heard}


def _files(anna: Any) -> dict[str, Any]:
    content, dialect = b"a picture", NativeDialect()
    received = anna.run(dialect.write_file("component-2", 0, content))
    anna.run(dialect.finish_file("component-2", len(content), hashlib.sha256(content).hexdigest()))
    known = anna.run(dialect.read_file("component", 0, 100))
    return {"files": [received, anna.run(dialect.file_size("component-2")), known.decode()]}


def answer(database: str, files: str, admin_key: str) -> None:
    """Serve a database until the standard input ends."""
    with serve("production", database, admin_key=admin_key, files=files) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    if verb == "serve":
        answer(*arguments)
    else:
        print(json.dumps(talk(*arguments)))
