"""The guard and the error boundary, called as a server would call them."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
import uvicorn
from attrs import evolve, field, frozen
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from callsheet.dialects.protocol import Description
from callsheet.errors import Invalid, Unauthorised, UsageError
from callsheet.server.access.authentication import Authentication
from callsheet.server.limits import Limits
from callsheet.server.process import serve
from callsheet.server.web.admission import Admitted
from callsheet.server.web.application import HEALTH, application
from callsheet.server.web.bodies import Decompression, Refusal
from callsheet.server.web.connections import check_exposure
from callsheet.server.web.guard import ErrorBoundary, Guard
from callsheet.server.web.routing import declared_routes, routes_of, served_routes
from callsheet.server.web.timeouts import with_timeouts

KEY = "cs_1_verysecret_0"
SMALL = Limits(header_bytes=400, body_bytes=100, parts_bytes=200, decompressed_bytes=1000, body_seconds=0.05)
CHAIN = Authentication([])
GONE = object()
STALL = object()


@frozen
class Call:
    """One request in raw ASGI; a body chunk may be `GONE` (the client left) or `STALL` (nothing more comes)."""

    method: str = "POST"
    path: str = "/v1/select"
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
    body: tuple[Any, ...] = (b"{}",)
    client: str = "203.0.113.9"
    query: bytes = b""

    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query,
            "headers": list(self.headers),
            "client": (self.client, 40000),
            "server": ("callsheet", 80),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
        }


@frozen
class Answer:
    status: int = 0
    headers: dict[str, str] = field(factory=dict)
    body: bytes = b""

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


def receiver(chunks: Iterable[Any], unread: list[Any]) -> Callable[[], Awaitable[dict[str, Any]]]:
    unread.extend(chunks)

    async def receive() -> dict[str, Any]:
        chunk = unread.pop(0) if unread else GONE
        if chunk is STALL:
            await asyncio.sleep(3600)
        if chunk is GONE:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(unread)}

    return receive


async def call(app: Any, request: Call) -> Answer:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(request.scope(), receiver(request.body, []), send)
    if not sent:
        return Answer()
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def answer(app: Any, request: Call) -> Answer:
    return asyncio.run(call(app, request))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body, which must come whole."""
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def everybody() -> Callable[[Any], Awaitable[Admitted]]:
    """Admits each request to the native wire, with what its route takes, whoever calls."""
    route_of = declared_routes(served_routes(Service(), CHAIN, [HEALTH, *routes_of(["native"])]))

    async def admit(scope: Any) -> Admitted:
        route = route_of(scope)
        assert route is not None
        return Admitted(route.intake)

    return admit


def guarded(request: Call, limits: Limits = SMALL) -> Answer:
    return answer(Guard(echo, limits, everybody()), request)


def with_header(name: bytes, value: bytes, **changes: Any) -> Call:
    call = Call(**changes)
    return evolve(call, headers=(*call.headers, (name, value)))


def test_what_passes() -> None:
    """A request within the limits arrives whole, however it was cut."""
    assert guarded(Call(body=(b'{"a"', b":", b"1}"))).body == b'{"a":1}'
    assert guarded(Call(body=(b"x" * 100,))).body == b"x" * 100
    assert guarded(Call(method="GET", headers=(), body=(b"",))).status == 200


@pytest.mark.parametrize(
    ("request_", "status", "kind", "message"),
    [
        (with_header(b"x-long", b"x" * 400), 431, "too_large", "larger than 400 bytes"),
        (Call(query=b"x" * 400), 431, "too_large", "larger than 400 bytes"),
        (Call(body=(b"x" * 60, b"x" * 41)), 413, "too_large", "larger than 100 bytes"),
        (Call(path="/v1/commits/c/parts/0", body=(b"x" * 201,)), 413, "too_large", "larger than 200 bytes"),
        (with_header(b"content-length", b"101", body=(STALL,)), 413, "too_large", "larger than 100 bytes"),
        (with_header(b"content-length", b"9" * 99, body=(b"",)), 413, "too_large", "larger"),
        (with_header(b"content-length", b"-1"), 400, "invalid", "not a number"),
        (Call(body=(b"{", STALL)), 408, "unavailable", "longer than 0.05 s"),
        (Call(headers=()), 415, "invalid", "application/json"),
        (Call(headers=((b"content-type", b"text/plain"),)), 415, "invalid", "application/json"),
        (with_header(b"content-encoding", b"br"), 415, "invalid", "'br' is not supported"),
        (with_header(b"content-encoding", b"gzip"), 422, "invalid", "damaged"),
        (
            with_header(b"content-encoding", b"gzip", body=(gzip.compress(b"x" * 1001),)),
            413,
            "too_large",
            "decompresses to more than",
        ),
        (with_header(b"content-encoding", b"gzip", body=(gzip.compress(b"xy")[:-4],)), 422, "invalid", "truncated"),
        (with_header(b"content-encoding", b"gzip", body=(gzip.compress(b"x") * 2,)), 422, "invalid", "follows"),
    ],
)
def test_what_is_refused(request_: Call, status: int, kind: str, message: str) -> None:
    """Each limit has its status, and an error a client can read."""
    got = guarded(request_)
    assert got.status == status
    assert got.error["kind"] == kind
    assert message in got.error["message"]
    assert got.headers["connection"] == "close"


def test_parts_may_be_larger() -> None:
    """The limit of a part of a staged commit is its own."""
    assert guarded(Call(path="/v1/commits/c/parts/0", body=(b"x" * 200,))).status == 200


def test_compressed_bodies_are_decompressed() -> None:
    """The application sees the body as it was before."""
    assert guarded(with_header(b"content-encoding", b"gzip", body=(gzip.compress(b"x" * 1000),))).body == b"x" * 1000


def test_a_bomb_is_not_decompressed_whole() -> None:
    """Memory is bounded by the limit, not by the decompressed size, and every piece is counted when it is produced."""
    bomb = gzip.compress(bytes(50_000_000), 9)
    taken: list[int] = []
    compressed = Decompression("gzip", 100_000, taken.append)
    tracemalloc.start()
    with pytest.raises(Refusal):
        sum(len(piece) for piece in compressed.pieces(bomb))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(taken) <= 100_000
    assert peak < 500_000


def test_reading_stops_at_the_limit() -> None:
    """A body that never ends is not read to its end: one chunk beyond the limit is the last kept."""
    kept: list[int] = []

    async def endless() -> dict[str, Any]:
        kept.append(1)
        if len(kept) > 1000:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": b"x" * 60, "more_body": True}

    sent: list[Any] = []

    async def main() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        await Guard(echo, SMALL)(Call().scope(), endless, send)

    asyncio.run(main())
    assert sent[0]["status"] == 413


def test_a_client_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is sent, called or logged when the client goes away in the middle."""
    assert guarded(Call(body=(b"{", GONE))) == Answer()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("host", "status"),
    [(b"localhost:8080", 200), (b"LOCALHOST", 200), (b"[::1]:80", 200), (b"evil.example", 421), (b"", 421)],
)
def test_host_names(host: bytes, status: int) -> None:
    """A name the server does not go by is refused, whatever address it leads to."""
    limits = evolve(SMALL, hosts=frozenset({"localhost", "[::1]"}))
    assert guarded(with_header(b"host", host), limits).status == status


def test_too_many_at_once() -> None:
    """Beyond the limit requests are turned away at once and told when to come; a health check is not."""

    async def main() -> list[Answer]:
        go = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] != "/healthz":
                await go.wait()
            await echo(scope, receive, send)

        guard = Guard(slow, evolve(SMALL, requests=2), everybody())
        running = [asyncio.create_task(call(guard, Call())) for _ in range(2)]
        await asyncio.sleep(0.01)
        busy = await call(guard, Call())
        health = await call(guard, Call(method="GET", path="/healthz"))
        go.set()
        done = [await task for task in running]
        return [busy, health, *done, await call(guard, Call())]

    busy, *others = asyncio.run(main())
    assert busy.status == 503
    assert busy.headers["retry-after"] == "1"
    assert busy.error["kind"] == "unavailable"
    assert [other.status for other in others] == [200, 200, 200, 200]


def test_no_traceback_leaves(caplog: pytest.LogCaptureFixture) -> None:
    """The client gets a reference; the log has the traceback under it, and no header."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("a secret of the inside")

    caplog.set_level(logging.INFO)
    got = answer(ErrorBoundary(broken), with_header(b"authorization", f"Bearer {KEY}".encode()))
    reference = got.error["details"]["reference"]
    assert got.status == 500
    assert got.error == {"kind": "error", "message": "internal error", "details": {"reference": reference}}
    assert reference in caplog.text
    assert "a secret of the inside" in caplog.text
    assert KEY not in caplog.text


def test_recursion_is_the_clients_fault() -> None:
    """A request nested until the stack ends is refused, not an internal error."""

    async def deep(scope: Any, receive: Any, send: Any) -> None:
        raise RecursionError

    assert answer(ErrorBoundary(deep), Call()).status == 422


class Accounts:
    """One account, ``ann``; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = self.generation = 0

    def is_guessable(self, key: str) -> bool:
        return True

    def authenticate(self, name: str | None, key: str) -> str:
        self.asked += 1
        if name not in (None, "ann") or key != KEY:
            raise Unauthorised("unknown key")
        return "ann"


class Service:
    """A service whose backend answers calls with the account and what it was asked."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.refused: list[tuple[str | None, str, str]] = []

    def backend(self, user: str, address: str = "") -> Any:
        return Backend(user)

    def refused_key(self, user: str | None, reason: str, address: str) -> None:
        self.refused.append((user, reason, address))


@frozen
class Backend:
    user: str

    def describe(self, known_hash: str = "") -> Description:
        raise ZeroDivisionError

    def call(self, action: str, arguments: Any) -> Any:
        if action == "refuse":
            raise Invalid("no")
        return {"user": self.user, "action": action, **arguments}


def authorised(**changes: Any) -> Call:
    return with_header(b"authorization", f"Bearer {KEY}".encode(), **{"path": "/v1/call/greet", **changes})


def test_a_request_through_everything() -> None:
    """Guard, routing, authentication, dialect and backend together."""
    got = answer(application(Service()), authorised(body=(b'{"a":1}',)))
    assert (got.status, json.loads(got.body)) == (200, {"result": {"user": "ann", "action": "greet", "a": 1}})
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-callsheet-accepts"] == "gzip"
    assert got.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"authorization", b"Bearer wrong"),),
        ((b"authorization", b"Bearer "),),
        ((b"authorization", f"Basic {KEY}".encode()),),
        ((b"authorization", f"Bearer {KEY}".encode()), (b"x-callsheet-user", b"bob")),
    ],
)
def test_without_the_right_key(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """No key, a wrong one, or somebody else's: 401 with a challenge, for every address."""
    for path in ("/v1/call/greet", "/", "/v1/nothing"):
        got = answer(application(Service()), Call(path=path, headers=(*Call().headers, *headers)))
        assert got.status == 401
        assert got.error["kind"] == "unauthorised"
        assert got.headers["www-authenticate"] == "Bearer"
        assert KEY.encode() not in got.body


def test_keys_are_looked_up_once_a_second() -> None:
    """Within a second the same key is not looked up again; wrong ones always are."""
    service = Service()
    app = application(service)

    async def main() -> None:
        for _ in range(5):
            assert (await call(app, authorised())).status == 200
        for _ in range(2):
            assert (await call(app, Call(headers=(*Call().headers, (b"authorization", b"Bearer x"))))).status == 401

    asyncio.run(main())
    assert service.accounts.asked == 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("POST", "/v1/call/refuse", 422),
        ("GET", "/v1/call/greet", 405),
        ("BREW", "/v1/call/greet", 405),
        ("POST", "/v1/nothing/", 404),
        ("POST", "/", 404),
        ("GET", "/v1/description", 500),
    ],
)
def test_statuses(method: str, path: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Every address and method gets an answer in JSON."""
    caplog.set_level(logging.CRITICAL)
    got = answer(application(Service()), authorised(method=method, path=path))
    assert got.status == status
    assert isinstance(json.loads(got.body), dict)


def test_health_needs_no_key() -> None:
    """The health check tells that the server answers, and nothing else."""
    got = answer(application(Service()), Call(method="GET", path="/healthz", headers=(), body=(b"",)))
    assert (got.status, json.loads(got.body)) == (200, {"status": "ok"})


def test_large_answers_are_compressed_for_those_far_away() -> None:
    """Gzip for a client that takes it, is not on this machine, and gets more than 16 KiB."""
    app = application(Service())
    large = b'{"text":"' + b"x" * 20_000 + b'"}'
    takes = with_header(b"accept-encoding", b"gzip", path="/v1/call/greet", body=(large,))
    far = evolve(takes, headers=(*takes.headers, (b"authorization", f"Bearer {KEY}".encode())))
    got = answer(app, far)
    assert got.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(got.body))["result"]["text"] == "x" * 20_000
    for other in (
        evolve(far, client="127.0.0.1"),
        evolve(far, body=(b"{}",)),
        authorised(body=(large,)),
    ):
        assert "content-encoding" not in answer(app, other).headers


def test_encoded_addresses_reach_the_backend() -> None:
    """A percent sign and a slash within a name are the name's."""
    got = answer(application(Service()), authorised(path="/v1/call/a%2Fb%25c"))
    assert json.loads(got.body)["result"]["action"] == "a/b%c"


@pytest.mark.parametrize(
    "request_",
    [
        with_header(b"x-long", b"x" * 400),
        Call(body=(b"x" * 60, b"x" * 41)),
        Call(headers=((b"content-type", b"text/plain"),)),
        with_header(b"content-encoding", b"gzip", body=(gzip.compress(b"x" * 1001),)),
        with_header(b"host", b"evil.example"),
    ],
)
def test_without_the_guard_it_passes(request_: Call) -> None:
    """The test of the tests: an application on its own takes everything that the guard refuses."""

    async def unguarded(scope: Any, receive: Any, send: Any) -> None:
        chunks = []
        while (message := await receive())["type"] == "http.request":
            chunks.append(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"".join(chunks)})

    limits = evolve(SMALL, hosts=frozenset({"localhost"}))
    assert answer(unguarded, request_).status == 200
    assert guarded(request_, limits).status in (413, 415, 421, 431)


@contextmanager
def listening(protocol: Any, app: Any = echo) -> Iterator[int]:
    """A real server on this machine, with one of uvicorn's protocols; its port."""
    config = uvicorn.Config(app, port=0, http=protocol, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    bound = config.bind_socket()
    bound.listen()
    thread = Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


def hung_up(connection: socket.socket, seconds: float) -> bool:
    """Whether the other side ends the connection within some seconds."""
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def pour(connection: socket.socket, drop: bytes, pause: float) -> None:
    """Send the same a thousand times."""
    for _ in range(1_000):
        connection.sendall(drop)
        sleep(pause)


PROTOCOLS = [H11Protocol, HttpToolsProtocol]
HALF = b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: "


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_slow_headers_are_hung_up_on(protocol: Any) -> None:
    """Whoever says nothing, or half of the headers, or the rest by the drop, loses the connection."""
    with listening(with_timeouts(protocol, Limits(header_seconds=0.3))) as port:
        for first in (b"", HALF):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(first)
                assert hung_up(connection, 10)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(HALF)
            with pytest.raises(OSError):
                pour(connection, b"x", 0.02)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_endless_headers_are_hung_up_on(protocol: Any) -> None:
    """However fast they come."""
    with (
        listening(with_timeouts(protocol, Limits(header_seconds=60, header_bytes=2_500))) as port,
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        connection.sendall(HALF)
        with pytest.raises(OSError):
            pour(connection, b"x" * 5_000, 0.001)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_prompt_requests_are_not_disturbed(protocol: Any) -> None:
    """Several on one connection, idle in between for longer than headers may take, with a body in pieces."""
    with (
        listening(with_timeouts(protocol, Limits(header_seconds=0.2))) as port,
        closing(HTTPConnection("127.0.0.1", port)) as connection,
    ):
        for number in range(3):
            connection.request("POST", "/", body=f"{number}")
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, f"{number}".encode())
            sleep(0.4 * (number == 1))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_answers_are_sent_at_once(protocol: Any) -> None:
    """Their body does not wait for their head to be acknowledged, which took 40 ms for each request."""
    seen: list[Any] = []

    class Watched(protocol):  # type: ignore[misc]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            seen.append(transport.get_extra_info("socket"))

    with listening(with_timeouts(Watched)) as port, closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        assert seen[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_timeouts_slow_headers_stay(protocol: Any) -> None:
    """The test of the test: the protocol on its own waits, and keeps waiting."""
    with listening(protocol) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HALF)
        assert not hung_up(connection, 1.0)


@pytest.mark.parametrize(
    ("host", "fine"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_other_machines_need_encryption(host: str, fine: bool) -> None:
    """A server that other machines reach needs a certificate, unless `insecure` is set."""
    if fine:
        check_exposure(host, encrypted=False, insecure=False)
    else:
        with pytest.raises(UsageError, match="give a certificate"):
            check_exposure(host, encrypted=False, insecure=False)
    check_exposure(host, encrypted=True, insecure=False)
    check_exposure(host, encrypted=False, insecure=True)


def test_exposure_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """No process, no database."""
    with pytest.raises(UsageError, match="insecure"):
        serve(host="0.0.0.0", database=f"sqlite:///{tmp_path}/x.db")
    assert list(tmp_path.iterdir()) == []
