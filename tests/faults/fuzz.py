"""Fuzzed requests on every route: refused or done, never a fault; and done is only what was answered with yes.

The real application, guard and all, gets valid, bent and absurd requests. None may be answered with a 5xx or a
traceback. Then the requests that were accepted are sent, alone, to a second server: it must come to the very
same state, so no refused request has changed a thing. Every value that is stored is one the schema allows.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import unquote

from attrs import define, field
from sqlalchemy import select

from callsheet.dialects.native.server import _route
from callsheet.errors import ServerError
from callsheet.model.normalisation import normalised
from callsheet.model.record import Identity
from callsheet.model.schema import Schema
from callsheet.server.limits import Limits
from callsheet.server.process import serve
from callsheet.server.service import Service
from callsheet.server.web.application import application
from callsheet.server.web.asgi import Application

from .fuzz_requests import Requests, Sent
from .ledger import State, disagreements, state
from .outcome import Outcome, Scale
from .workplace import temporary_folder

KEY = "the key of a server that is fuzzed"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@define
class Answers:
    """How requests were answered."""

    statuses: Counter[int] = field(factory=Counter)
    accepted: list[Sent] = field(factory=list)
    faults: list[str] = field(factory=list)


def prove(scale: Scale, seed: int) -> Outcome:
    """10,000 requests; deep 200,000."""
    size = scale.choose(3_000, 10_000, 200_000)
    logging.getLogger("callsheet.server").setLevel(logging.CRITICAL)
    outcome = Outcome("fuzzed requests", "")
    with _service() as service, _service() as second:
        answers = asyncio.run(_send_all(service, application(service, _limits()), size, seed))
        outcome.problems += answers.faults[:10]
        changes = asyncio.run(_replay(application(second, _limits()), answers.accepted))
        outcome.problems += changes + _differences(service, second) + _forbidden(service)
    raw = scale.choose(60, 200, 2_000)
    outcome.problems += _raw_bytes(raw, seed)
    refused = sum(count for status, count in answers.statuses.items() if status >= 400)
    outcome.faults = refused + raw
    outcome.size = f"{size:,} requests, {answers.statuses[200]:,} accepted; {raw:,} raw"
    if len(answers.accepted) < size // 20:
        outcome.problems.append(f"only {len(answers.accepted)} requests were accepted: this fuzzes nothing")
    with _service() as bare:
        control = asyncio.run(_send_all(bare, _raw_handler(bare), 500, seed))
    outcome.control, outcome.caught = "a handler without boundary and guard fails", len(control.faults)
    return outcome


def _service() -> Service:
    return Service.open("memory:", "production", KEY, clock=lambda: NOW, seed=True, limits=_limits())


def _limits() -> Limits:
    return Limits(hosts=frozenset({"127.0.0.1"}), password_bytes=2**13, password_passes=1)


async def _send_all(service: Service, app: Application, size: int, seed: int) -> Answers:
    answers = Answers()
    keys: list[Identity] = []
    requests = Requests(service.store.schema, seed, keys)
    for _ in range(size):
        request = requests.next()
        status, body = await _send(app, request)
        answers.statuses[status] += 1
        if status >= 500 or b"Traceback" in body or b'File "' in body:
            answers.faults.append(f"{status} for {request!r:.1500}: {body[:200]!r}")
        if status == 200 and request.method == "POST" and "/select" not in request.path:
            answers.accepted.append(request)
            keys += _created(request)
    return answers


def _created(request: Sent) -> Iterable[Identity]:
    """The entities an accepted commit has made, as far as one can tell."""
    try:
        operations = json.loads(request.body)["operations"] if "/parts/" not in request.path else []
        return [Identity(*each["entity"]) for each in operations if each["is"] == "create"]
    except (ValueError, KeyError, TypeError):
        return []


async def _send(app: Application, request: Sent) -> tuple[int, bytes]:
    """The answer of an ASGI application; no answer to what was broken off counts as 499."""
    step = max(1, -(-len(request.body) // request.pieces))
    parts = [request.body[start : start + step] for start in range(0, len(request.body), step)] or [b""]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if request.broken_off:
        messages[-1] = {"type": "http.disconnect"}
    else:
        messages[-1]["more_body"] = False
    told: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        told.append(message)

    await app(_scope(request), receive, send)
    if not told:
        return 499, b""
    return told[0]["status"], b"".join(each.get("body", b"") for each in told)


def _scope(request: Sent) -> dict[str, Any]:
    headers = dict(((b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + KEY.encode()), *request.headers))
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method, "scheme": "http",
        "path": unquote(request.path), "raw_path": request.path.encode("latin-1"), "query_string": request.query,
        "root_path": "", "headers": list(headers.items()), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip


def _raw_handler(service: Service) -> Application:
    """The negative control: the routes, with nothing around them."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        try:
            answer = _route(service.backend("admin"), scope["method"], scope["path"], {}, message.get("body", b""))
            status = answer.status
        except ServerError as error:
            status = error.status
        except Exception:
            status = 500
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def _replay(app: Application, accepted: list[Sent]) -> list[str]:
    """Send the accepted requests alone; each must be accepted again."""
    wrong = []
    for request in accepted:
        status, body = await _send(app, request)
        if status != 200:
            wrong.append(f"accepted before, alone {status}: {request!r:.500} {body[:200]!r}")
    return wrong[:5]


def _differences(one: Service, other: Service) -> list[str]:
    """What two servers hold that the other does not."""
    found = []
    states: list[State] = []
    rest: list[Any] = []
    for service in (one, other):
        with service.store.reading() as connection:
            found += disagreements(service.store, connection)
            states.append(_by_names(state(service.store, connection)))
            account, part = service.store.table("_account"), service.store.table("_part")
            rest.append((
                connection.execute(select(account.c.name, account.c.role, account.c.disabled).order_by("name")).all(),
                connection.execute(select(part).order_by(*part.primary_key)).all(),
                connection.execute(select(service.store.table("_counter"))).all(),
            ))  # fmt: skip
    for identity in set(states[0]) | set(states[1]):
        if states[0].get(identity) != states[1].get(identity):
            here, there = (each.get(identity) for each in states)
            found.append(f"{identity}: {here} here, {there} where only accepted requests came")
    if rest[0] != rest[1]:
        found.append("accounts, staged parts or counters differ from those of the server where only accepted came")
    return found[:10]


def _by_names(found: State) -> State:
    """Users by their names: the server chooses the keys of those that it makes with an account."""
    return {
        Identity("User", f"of {values['username']}") if identity.entity_type == "User" else identity: (version, values)
        for identity, (version, values) in found.items()
    }


def _forbidden(service: Service) -> list[str]:
    """Stored values that the schema does not allow."""
    schema = service.store.schema
    with service.store.reading() as connection:
        there = state(service.store, connection)
    roots = {(schema.types[name].root, key) for name, key in there}
    found = []
    for identity, (_, values) in there.items():
        for attribute in schema.types[identity.entity_type].attributes.values():
            value = values.get(attribute.name)
            if value is None:
                if attribute.required and attribute.name != "id":
                    found.append(f"{identity} has no {attribute.name}")
            elif attribute.kind == "scalar":
                found += _checked(schema, identity, attribute.name, value)
            elif attribute.kind == "reference" and (schema.types[str(attribute.target)].root, value) not in roots:
                found.append(f"{identity}.{attribute.name} refers to {value}, which there is not")
    return found[:10]


def _checked(schema: Schema, identity: Identity, name: str, value: Any) -> list[str]:
    try:
        normalised(identity.entity_type, schema.types[identity.entity_type].attributes[name], value)
    except Exception as error:
        return [f"{identity}.{name} holds {value!r}: {error}"]
    return []


def _raw_bytes(size: int, seed: int) -> list[str]:
    """Bytes that are hardly HTTP, to a real server: it goes on answering, and logs no traceback."""
    random = Random(seed)
    head = b"POST /v1/select HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 2"
    valid = head + b"\r\n\r\n{}"
    with temporary_folder() as folder, serve(logs_path=folder / "server.log") as server:
        for _ in range(size):
            told = bytearray(valid if random.random() < 0.8 else random.randbytes(300))
            for _ in range(random.randint(1, 6)):
                place = random.randrange(len(told))
                told[place : place + random.randint(0, 3)] = random.randbytes(random.randint(0, 4))
            _exchange(server._port, bytes(told))
        problems = [] if server.ready else ["the server does not answer after raw bytes"]
        if "Traceback" in (log := server.logs_path.read_text(errors="replace")):
            problems.append(f"raw bytes left a traceback in the log: {log[log.index('Traceback') :][:1500]}")
    return problems


def _exchange(port: int, told: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        try:
            connection.sendall(told)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass
