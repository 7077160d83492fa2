"""Requests nobody should send: valid ones, bent in seeded ways, and some that never were valid.

Valid requests are what the real client would send, so what is bent is close to what works: a bent commit passes
many checks before it meets the one that refuses it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from attrs import evolve, frozen

from callsheet.dialects.native.client import NativeDialect
from callsheet.flow import Request
from callsheet.model.event import Event, Position
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.model.schema import Attribute, EntityType, Schema

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 0.1, 1e308, float("inf"),
    float("nan"), -0.0, "", " ", "a", "é", "\x00", "\ud800", "\u202e", "\U0001f3ac", "a" * 5_000, "%_\\", "'\";--",
    "../..",
    "id", "_type", "_version", "__class__", "metadata.", ".x", "parent", "parent.parent", "parent_id", "2026-02-30",
    "0001-01-01", "9999-12-31T23:59:59.999999Z", "2026-01-01T00:00:00", "now", "{uid}", "and", "or", "not", "any",
    "create",
    "delete", "update", "in", "like", "has", "is", "=", "~", [], {}, [[]], [None], [["a"]], {"": ""}, {"$": "date"},
    {"$": "date", "v": "x"}, {"$date": "2026-01-01"}, ["Task", "a"], ["Nothing", "a"], ["Task", ""], ["Task", None],
)  # fmt: skip
WORDS = ("=", "!=", "<", ">", "<=", ">=", "is", "like", "not like", "in", "after", "before", "has", "any")
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "post", "", "É")
PATHS = (
    "/", "//", "/v1", "/v1/", "/v1/select", "/v1/select/", "/v1/aggregate", "/v1/ask", "/v1/description", "/v1/nothing",
    "/v2/select",
    "/v1/commits", "/v1/commits/", "/v1/commits/%00", "/v1/commits/%ff", "/v1/commits/a/parts", "/v1/commits/a/parts/x",
    "/v1/commits/a/parts/-1", "/v1/commits/a/parts/99999999999999999999", "/v1/commits/a/parts/0",
    "/v1/commits/" + "a" * 300,
    "/v1/commits/..%2f..", "/v1/call/users.list", "/v1/call/users.add", "/v1/call/", "/v1/call/__init__", "/healthz",
    "/healthz/", "/../../etc/passwd", "/%2e%2e/", "/\x00", "/v1/call/users.disable", "/v1/history", "/v1/events",
    "/v1/me", "/v1/login", "/v1/login/", "/v1/login/refresh", "/v1/logout", "/v1/password", "/v1/invitations/accept",
)  # fmt: skip


NAMES, PASSWORD = ("anna", "berta", "carla"), "a long walk home"


@frozen
class Sent:
    """A request as it goes to the server; the body in the pieces it arrives in."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    pieces: int = 1
    broken_off: bool = False


class Requests:
    """An endless supply, from a seed. ``keys`` are entities that exist, so that requests may be about them."""

    def __init__(self, schema: Schema, seed: int, keys: list[Identity]) -> None:
        self._schema, self._random, self.keys = schema, Random(seed), keys
        self._types = [each for each in schema.types.values() if not each.abstract]
        self._dialect = NativeDialect()
        self._number = 0

    def next(self) -> Sent:
        random = self._random
        request = self._valid()
        bend = random.choices(
            (self._same, self._bent, self._damaged, self._elsewhere, self._odd_headers, self._odd_body),
            (15, 50, 12, 10, 7, 6),
        )[0]
        return bend(request)

    # -- valid ones --

    def _valid(self) -> Request:
        makers: tuple[Callable[[], Request], ...] = (
            self._commit, self._commit, self._commit, self._select, self._aggregate, self._stage, self._call,
            self._describe, self._publish, self._listen, self._log_in,
        )  # fmt: skip
        while True:
            try:
                return self._random.choice(makers)()
            except Exception:
                continue  # A query that makes no sense; the next one may.

    def _describe(self) -> Request:
        return next(self._dialect.describe(self._random.choice(("", "abc", "\x00"))))  # type: ignore[return-value]

    def _select(self) -> Request:
        select = check(parse(self._text()), self._schema)
        cursor = self._random.choice((None, None, "", "AAAA", "e30", "é"))
        return next(self._dialect.select(select, self._random.choice((1, 10, 1_000)), cursor))  # type: ignore[return-value]

    def _aggregate(self) -> Request:
        random = self._random
        entity_type = random.choice(self._types)
        path = parse(f"select {random.choice(list(entity_type.attributes))} from {entity_type.name}").projections[0]
        function = random.choice(("count", "sum", "min", "max", "avg"))
        select = parse(entity_type.name)
        group = (path,) if random.random() < 0.5 else ()
        aggregate = Aggregate(select, ((function, None if function == "count" else path),), group)
        return next(self._dialect.aggregate(check_aggregate(aggregate, self._schema)))  # type: ignore[return-value]

    def _text(self) -> str:
        random = self._random
        entity_type = random.choice(self._types)
        names = list(entity_type.attributes)
        path = random.choice(names)
        reference = next((a for a in entity_type.attributes.values() if a.kind == "reference"), None)
        if reference is not None and random.random() < 0.5:
            path = f"{reference.name}.id"
        value = random.choice(('"a"', "1", "none", "true", '"2026-01-01"', '("a", "b")', "1.5", '"%"'))
        where = f" where {path} {random.choice(WORDS)} {value}" if random.random() < 0.7 else ""
        order = f" order by {random.choice(names)} desc" if random.random() < 0.3 else ""
        limit = f" limit {random.randint(0, 5)} offset {random.randint(0, 5)}" if random.random() < 0.2 else ""
        wanted = ", ".join(random.sample(names, min(3, len(names))))
        return f"select {wanted} from {entity_type.name}{where}{order}{limit}"

    def _commit(self) -> Request:
        policy = self._random.choice(("raise", "ours", "theirs"))
        changes = ChangeSet(self._id(), tuple(self._operations()), self._random.choice((0, 0, 0, 1)), policy)
        return next(self._dialect.commit(changes))  # type: ignore[return-value]

    def _stage(self) -> Request:
        return next(self._dialect.stage(self._id(), self._random.randint(0, 2), self._operations()))  # type: ignore[return-value]

    def _call(self) -> Request:
        people = ("users.add", "users.key", "users.disable", "users.invite", "users.sessions", "users.sign_out")
        action = self._random.choice((*people, "users.password", "users.list", "nothing"))
        name = self._random.choice(NAMES)
        given = {"users.add": {"name": name, "role": "user", "email": "a@b"}, "users.list": {}}
        given["users.password"] = {"name": name, "password": PASSWORD}
        arguments = given.get(action, {"name": name})
        return next(self._dialect.call(action, arguments))  # type: ignore[return-value]

    def _log_in(self) -> Request:
        random = self._random
        token = f"cr_{'0' * 32}_{'0' * 32}_{'0' * 64}"
        path, body = random.choice((
            ("/v1/login", {"name": random.choice(NAMES), "password": PASSWORD, "device": "é"}),
            ("/v1/login", {"name": random.choice(NAMES), "password": random.choice(("", "a" * 2_000, "\x00"))}),
            ("/v1/login/refresh", {"refresh_token": random.choice((token, "", "cr_")), "request": "r"}),
            ("/v1/logout", {"refresh_token": token, "everywhere": random.choice((True, False))}),
            ("/v1/password", {"old": PASSWORD, "new": random.choice(("", "a long walk", "\x00" * 20))}),
            ("/v1/invitations/accept", {"code": f"ci_{'0' * 12}_{'0' * 64}", "password": PASSWORD}),
        ))  # fmt: skip
        return Request("POST", path, json.dumps(body).encode(), headers={"content-type": "application/json"})

    def _publish(self) -> Request:
        random = self._random
        topic = random.choice(("studio.done", "studio.done", "callsheet.update", "callsheet.reply", ""))
        event = Event(topic, {"n": random.choice((1, "é", None, [1.5]))}, self._id(), source={"id": "hub"})
        event.target, event.in_reply_to_event = random.choice(("", "id=a", "id = and")), random.choice((None, "x"))
        return next(self._dialect.publish(event))  # type: ignore[return-value]

    def _listen(self) -> Request:
        random = self._random
        after = random.choice((None, Position(0, 0), Position(3, 1), Position(2**62, 0)))
        asked = random.choice(("topic=studio.*", "entity.type=Task and changes.status", "topic = and", "x > 1"))
        request = self._dialect.events(after, [asked], random.choice(({}, {"id": "hub"}))).opening()
        address, _, query = request.path.partition("?")
        return evolve(request, path=address, params=dict(parse_qsl(query)))

    def _id(self) -> str:
        self._number += 1
        # Now and then one that was used before.
        return f"commit-{self._number if self._random.random() < 0.9 else self._random.randint(1, self._number)}"

    def _operations(self) -> list[Operation]:
        return [self._operation() for _ in range(self._random.randint(1, 4))]

    def _operation(self) -> Operation:
        random = self._random
        kind = random.random()
        if kind < 0.55 or not self.keys:
            entity_type = random.choice(self._types)
            self._number += 1
            identity = Identity(entity_type.name, f"key-{self._number}")
            return Create(identity, self._values(entity_type, 0.6))
        identity = random.choice(self.keys[-300:])
        if kind < 0.85:
            values = self._values(self._schema.types[identity.entity_type], 0.2)
            before = {name: None for name in values if random.random() < 0.3}
            return Update(identity, values, before, version=random.choice((None, 1, 2)))
        return Delete(identity, random.choice((None, 1)))

    def _values(self, entity_type: EntityType, share: float) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for attribute in entity_type.attributes.values():
            wanted = attribute.required or self._random.random() < share
            writable = not attribute.computed and attribute.kind in ("scalar", "reference") and attribute.name != "id"
            if wanted and writable:
                values[attribute.name] = self._value(attribute)
        if "metadata" in entity_type.attributes and self._random.random() < 0.3:
            values["metadata.colour"] = self._random.choice(("red", "é", None))
        return values

    def _value(self, attribute: Attribute) -> Any:
        random = self._random
        if attribute.kind == "reference":
            target = str(attribute.target)
            fitting = [each for each in self.keys[-300:] if self._schema.is_a(each.entity_type, target)]
            return random.choice(fitting) if fitting else None
        if attribute.data_type == "integer":
            return random.choice((0, 1, -5, 2**40))
        if attribute.data_type == "number":
            return random.choice((0.5, 2.0, -1e9))
        if attribute.data_type == "boolean":
            return random.random() < 0.5
        return f"{attribute.name}-{random.randint(1, 500)}" if attribute.data_type == "string" else None

    # -- and what becomes of them --

    def _same(self, request: Request) -> Sent:
        return sent(request)

    def _bent(self, request: Request) -> Sent:
        """A value, a name or a piece of the structure is another."""
        if not request.content:
            return self._elsewhere(request)
        told = json.loads(request.content)
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            told = self._bend(told)
        body = json.dumps(told).encode()
        if self._random.random() < 0.02:
            depth = self._random.choice((50, 1_000, 100_000))
            body = body.replace(b"null", b"[" * depth + b"]" * depth, 1)
        return evolve(sent(request), body=body)

    def _bend(self, told: Any) -> Any:
        """One node of a JSON value replaced, removed, doubled or renamed."""
        random = self._random
        if not isinstance(told, dict | list) or not told or random.random() < 0.15:
            return random.choice(STRANGE)
        if isinstance(told, list):
            place = random.randrange(len(told))
            changed = list(told)
            match random.randrange(8):
                case 0:
                    del changed[place]
                case 1:
                    changed.insert(place, changed[place])
                case _:
                    changed[place] = self._bend(changed[place])
            return changed
        name = random.choice(list(told))
        match random.randrange(10):
            case 0:
                return {key: value for key, value in told.items() if key != name}
            case 1:
                return {**told, str(random.choice(STRANGE))[:100]: random.choice(STRANGE)}
            case 2:
                return {str(random.choice(STRANGE))[:100] if key == name else key: value for key, value in told.items()}
            case _:
                return {**told, name: self._bend(told[name])}

    def _damaged(self, request: Request) -> Sent:
        """Some bytes are others, or missing."""
        body = bytearray(request.content)
        for _ in range(self._random.randint(1, 4)):
            if body:
                place = self._random.randrange(len(body))
                match self._random.randrange(3):
                    case 0:
                        body[place] = self._random.randrange(256)
                    case 1:
                        del body[place : place + self._random.randint(1, 20)]
                    case _:
                        body[place:place] = self._random.randbytes(3)
        return evolve(sent(request), body=bytes(body))

    def _elsewhere(self, request: Request) -> Sent:
        """Another address, method or query."""
        random = self._random
        query = random.choice((b"", b"known=abc", b"known=%00", b"x=%ff&x=1", b"&&=", b"%", b"a" * 300))
        path = random.choice((request.path, *PATHS))
        return evolve(sent(request), method=random.choice((request.method, *METHODS)), path=path, query=query)

    def _odd_headers(self, request: Request) -> Sent:
        random = self._random
        odd = random.choice((
            (b"authorization", b"Bearer wrong"), (b"authorization", b""), (b"authorization", b"Basic \xff\xfe"),
            (b"content-type", b"text/plain"), (b"content-type", b""), (b"content-encoding", b"gzip"),
            (b"content-length", b"-1"),
            (b"content-encoding", b"br"), (b"content-length", b"9" * 30), (b"content-length", b"12x"),
            (b"host", b"evil.example"),
            (b"x-callsheet-user", b"\xff\x00"), (b"x-callsheet-user", b"nobody"), (b"cookie", b"a" * 40_000),
            (b"accept-encoding", b"gzip"), (b"expect", b"100-continue"),
            (b"content-type", b"application/json; charset=utf-16"),
        ))  # fmt: skip
        found = sent(request)
        kept = tuple(each for each in found.headers if each[0] != odd[0])
        return evolve(found, headers=(*kept, odd))

    def _odd_body(self, request: Request) -> Sent:
        """A body in pieces, broken off, compressed, compressed too well, or huge."""
        found = sent(request)
        zipped = evolve(found, headers=(*found.headers, (b"content-encoding", b"gzip")))
        match self._random.randrange(6):
            case 0:
                return evolve(found, pieces=7)
            case 1:
                return evolve(found, pieces=3, broken_off=True)
            case 2:
                return evolve(zipped, body=gzip.compress(found.body))
            case 3:
                return evolve(zipped, body=gzip.compress(found.body)[:-5])
            case 4:
                return evolve(zipped, body=gzip.compress(found.body) + b"more")
            case _:
                return evolve(found, body=self._random.choice((b" " * 100_000, b"[" * 50_000, b"\xff\xfe", b"0", b"")))


def sent(request: Request) -> Sent:
    query = "&".join(f"{name}={value}" for name, value in request.params.items()).encode()
    headers = tuple((name.encode(), value.encode()) for name, value in request.headers.items())
    return Sent(request.method, request.path, query, headers, request.content)
