"""What a release says on the wire and leaves in files; run by ``make.py`` with the release's own wheel (see story.py).

A recording is a list of exchanges: the step's name, the request as sent, the answer as it came, and what the release's
client understood. Contents are text, byte for byte as latin-1.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import httpx
from dialogue import EVENTS_READ, FILTER, STEPS, Step, once, refused, undone
from meaning import plain
from story import ADMIN_KEY, ANNA_KEY, EVENTS, NAMES, START, VERSION

from callsheet.dialects.native.client import NativeDialect
from callsheet.flow import Response
from callsheet.model.operation import ChangeSet, Delete
from callsheet.model.record import Identity
from callsheet.server.process import serve
from callsheet.transport.journal import Journal

if EVENTS:
    from callsheet.model.event import Event, Position

    NAMES.Event = Event


def talk(folder: Path, database: str) -> None:
    """Hold the conversation with a server process on this database, in which it leaves its traces."""
    with serve("production", database, admin_key=ADMIN_KEY, files=folder / "files") as server:
        client = httpx.Client(base_url=server.url, headers={"accept-encoding": "identity"})
        with client:
            keys = {"anna": ANNA_KEY, "admin": ADMIN_KEY}
            answer = client.post(
                "/v1/call/users.key", json={"name": "dora"}, headers={"authorization": f"Bearer {ADMIN_KEY}"}
            )
            keys["dora"] = answer.json()["result"]["key"]
            dialect = NativeDialect()
            told: dict[str, Any] = {}
            found = []
            for name, step in STEPS.items():
                if step.since <= VERSION:
                    found.append(exchange(client, dialect, name, step, told, keys))
            (folder / "conversation.json").write_text(written(found))
            if EVENTS:
                (folder / "events.json").write_text(written([stream(client)]))


def written(found: Any) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def exchange(client: httpx.Client, dialect: Any, name: str, step: Step, told: Any, keys: Any) -> dict[str, Any]:
    spoken = dialect if step.position is None else dialect.at(step.position)
    flow = step.make(spoken, NAMES, told)
    request = next(flow)
    if step.position is not None:
        spoken.learn(told["describe"].schema)
    credentials = NativeDialect.credentials("", step.key or keys[step.user])
    sent = client.request(
        request.method, request.path, params=dict(request.params), content=request.content,
        headers={**request.headers, **credentials},
    )  # fmt: skip
    headers = {key: value for key, value in sent.headers.items() if key not in ("date", "server", "content-length")}
    try:
        flow.send(Response(sent.status_code, sent.content, headers))
        raise AssertionError(f"{name} takes more than one request")
    except StopIteration as end:
        told[name] = meaning = end.value
    except Exception as error:
        meaning = error
    if name == "describe":
        dialect.learn(meaning.schema)
    understood = plain(meaning)
    if name.startswith("describe"):
        understood["schema"] = None if meaning.schema is None else meaning.schema.hash
    return {
        "step": name,
        "user": step.user,
        "request": {
            "method": request.method,
            "path": request.path,
            "params": dict(request.params),
            "headers": dict(request.headers),
            "content": request.content.decode("latin-1"),
        },
        "response": {"status": sent.status_code, "headers": headers, "content": sent.content.decode("latin-1")},
        "meaning": understood,
    }


def stream(client: httpx.Client) -> dict[str, Any]:
    """The beginning of a stream of events, from the second commit on."""
    opened = NativeDialect().events(Position(2, 0), FILTER, {"id": "talker"})
    request, events, text = opened.opening(), [], b""
    headers = {**request.headers, **NativeDialect.credentials("", ANNA_KEY)}
    with client.stream(request.method, request.path, headers=headers) as answer:
        for chunk in answer.iter_raw():
            text += chunk
            events += opened.receive(chunk)
            if len(events) >= EVENTS_READ:
                break
        kept = {"content-type": answer.headers["content-type"]}
        return {
            "step": "events",
            "user": "anna",
            "request": {"method": request.method, "path": request.path, "headers": dict(request.headers)},
            "response": {"status": answer.status_code, "headers": kept, "content": text.decode("latin-1")},
            "meaning": plain(events),
        }


def files(folder: Path) -> None:
    """A journal with commits in doubt and one that was refused; for releases with handlers, queues in a file."""
    journal = Journal(folder / "journal.sqlite", "https://callsheet.example", "anna")
    for changes in (once(NAMES), undone(NAMES), refused(NAMES)):
        journal.write(changes)
    journal.write(ChangeSet("seen-already", (Delete(Identity("Task", "nobody"), 4),)))
    journal.refuse("seen-already", "nothing was committed: there is no Task nobody")
    journal.close()
    if EVENTS:
        queues(folder / "queues.sqlite")


def queues(path: Path) -> None:
    """Events of two entities in a file: one settled, one dead, one to be tried again, one leased, two not touched."""
    from callsheet.listening.declaration import Handler
    from callsheet.listening.state import StateFile

    handler = Handler("notes", "topic=callsheet.update", lambda event, session: None, from_start=True)
    with StateFile(path) as state:
        for number in range(6):
            entity = {"type": "Shot", "id": f"shot-{number % 5}"}
            changes = {"name": {"old": None, "new": f"n{number}"}, "due": {"old": None, "new": date(2026, 5, 4)}}
            data = {"entity": entity, "changes": changes}
            state.record(Event("callsheet.update", data, f"event-{number}", START, {"id": "hub", "host": "farm"}))
        queue = state.queue("worker-1")
        queue.claim(handler, 4)
        done, dead, later, _ = queue.claim(handler, 4)
        queue.settle(done)
        queue.fail(dead, "ValueError: no", "Traceback …", None)
        queue.fail(later, "OSError: away", "Traceback …", 60.0)
