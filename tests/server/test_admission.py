"""Whoever has no key, or little of one, does not stop the server: the guard in process, counted in bytes."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import evolve
from test_guard import SMALL, STALL, Answer, Call, answer, call, echo, with_header

from callsheet.dialects.routes import Credentials, OverQuota, TooManyAttempts
from callsheet.errors import Unauthorised
from callsheet.server.access.authentication import ApiKeys, Authentication
from callsheet.server.limits import Limits
from callsheet.server.service import Service
from callsheet.server.web.admission import Admitted
from callsheet.server.web.application import application
from callsheet.server.web.guard import Guard
from callsheet.server.web.shares import Shares

KEY = "the key of an administrator"
BODY = (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked"), (b"expect", b"100-continue")


@pytest.fixture
def service() -> Iterator[Service]:
    with Service.open("memory:", {"name": "dots", "types": {"Dot": {}}}, KEY) as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("POST", "/v1/select", b"", 401),
        ("POST", "/v1/commits/c", b"", 401),
        ("POST", "/v1/commits/c/parts/0", b"", 401),
        ("POST", "/v1/files/f", b"", 401),
        ("POST", "/v1/events", b"", 401),
        ("GET", "/v1/events", b"", 401),
        ("POST", "/v1/nothing", b"", 401),
        ("POST", "/api", b"", 401),
        ("GET", "/component/get", b"id=x", 401),
        ("GET", "/component/get", b"id=x&until=1&signature=x", 403),
        ("PUT", "/component/put", b"id=x&part=0&until=1&signature=x", 403),
        ("GET", "/socket.io/1/", b"", 401),
        ("GET", "/healthz", b"", 200),
    ],
)
def test_without_a_key_no_body_is_read(service: Service, method: str, path: str, query: bytes, status: int) -> None:
    """Every route of every dialect asks who calls before the first byte of a body."""
    read: list[int] = []

    async def receive() -> dict[str, Any]:
        read.append(1)
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": len(read) < 10_000}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = Call(method=method, path=path, query=query, headers=BODY).scope()
    asyncio.run(application(service)(scope, receive, send))
    assert sent[0]["status"] == status
    assert read == []


def bombs(guard: Guard, count: int, body: bytes) -> list[Answer]:
    """So many compressed bodies at the same time, each in pieces, so that they take turns."""
    pieces = tuple(body[start : start + 100] for start in range(0, len(body), 100))
    request = with_header(b"content-encoding", b"gzip", body=pieces)

    async def main() -> list[Answer]:
        return await asyncio.gather(*(call(guard, request) for _ in range(count)))

    return asyncio.run(main())


async def admit_anna(_: Any) -> Admitted:
    return Admitted(account="anna")


@pytest.mark.parametrize(
    ("limits", "status", "held"),
    [
        (Limits(account_bytes=1_000_000), 429, 1_000_000),
        (Limits(held_bytes=1_000_000), 503, 1_000_000),
        (Limits(decompressed_bytes=300_000), 413, 20 * 300_000),
    ],
)
def test_bombs_together_unfold_to_no_more_than_the_limit(limits: Limits, status: int, held: int) -> None:
    """Twenty bodies of 64 KiB that would unfold to 64 MiB each: what is in memory is counted, and bounded."""
    bomb = gzip.compress(bytes(64 * 2**20), 9)
    guard = Guard(echo, limits, admit_anna)
    tracemalloc.start()
    got = bombs(guard, 20, bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {each.status for each in got} == {status}
    assert guard.shares.most_held <= held
    assert peak < held + 20_000_000
    assert (guard.shares.held, guard.shares.requests.total()) == ({}, 0)


def test_deflate_is_unfolded_too() -> None:
    """As gzip is; what says it is compressed and is not is damaged."""
    packed = zlib.compress(b"x" * 900)
    assert answer(Guard(echo, SMALL), with_header(b"content-encoding", b"deflate", body=(packed,))).body == b"x" * 900
    assert answer(Guard(echo, SMALL), with_header(b"content-encoding", b"deflate", body=(b"{}",))).status == 422


def test_one_account_does_not_take_the_places_of_others() -> None:
    """Beyond its share of requests it is told to wait (429); another account is answered."""
    limits = evolve(SMALL, account_requests=3, body_seconds=5.0)

    async def main() -> list[int]:
        async def admit(scope: Any) -> Admitted:
            return Admitted(account=dict(scope["headers"])[b"who"].decode())

        guard = Guard(echo, limits, admit)
        slow = [asyncio.create_task(call(guard, with_header(b"who", b"anna", body=(b"{", STALL)))) for _ in range(3)]
        await asyncio.sleep(0.01)
        anna, ben = [await call(guard, with_header(b"who", name)) for name in (b"anna", b"ben")]
        for task in slow:
            task.cancel()
        assert "`anna` has 3 requests under way already, its limit" in anna.error["message"]
        assert anna.headers["retry-after"] == "1"
        return [anna.status, ben.status]

    assert asyncio.run(main()) == [429, 200]


def test_a_body_that_comes_by_the_drop_is_refused() -> None:
    """A body has some seconds, and more for each byte that is there: however it is cut, it has to come on."""
    limits = evolve(SMALL, body_seconds=0.05, body_rate=1_000)

    async def drop() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    sent: list[Any] = []

    async def main() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        await asyncio.wait_for(Guard(echo, limits)(Call().scope(), drop, send), 30)

    asyncio.run(main())
    assert sent[0]["status"] == 408
    assert b"1,000 bytes a second" in sent[1]["body"]


def test_an_upload_that_comes_by_the_drop_is_refused(service: Service) -> None:
    """Its route reads the body itself; the clock is the same."""
    address = urlsplit(service.backend("admin").files.upload_addresses("c")[0])
    request = Call(method="PUT", path=address.path, query=address.query.encode(), body=(b"x", STALL))
    got = answer(application(service, Limits(body_seconds=0.05)), request)
    assert got.status == 408
    assert service.backend("admin").files.state("c").size is None


def test_a_known_key_is_never_refused_for_its_address(service: Service) -> None:
    """Nor is one that nobody can guess, though it is new here; a guessable one waits, and so does its account."""
    limits = Limits(address_attempts=3, account_attempts=5)
    chain = Authentication([ApiKeys(service.accounts)], limits=limits)
    generated = service.accounts.add("ben")
    service.accounts.add("carl", key="a key of my own")
    known = Credentials("admin", KEY)
    assert chain.principal(known, "192.0.2.1").account == "admin"
    for number in range(3):
        with pytest.raises(Unauthorised):
            chain.principal(Credentials("admin", f"guess {number}"), "192.0.2.1")
    with pytest.raises(TooManyAttempts, match="your address"):
        chain.principal(Credentials("carl", "a key of my own"), "192.0.2.1")
    assert chain.principal(known, "192.0.2.1").account == "admin"
    assert chain.principal(Credentials("ben", generated), "192.0.2.1").account == "ben"
    assert chain.principal(Credentials("carl", "a key of my own"), "192.0.2.2").account == "carl"


def test_an_account_is_guessed_at_so_often_from_wherever(service: Service) -> None:
    """Its own key, right before, is still taken."""
    chain = Authentication([ApiKeys(service.accounts)], limits=Limits(account_attempts=5))
    known = Credentials("admin", KEY)
    chain.principal(known, "192.0.2.1")
    for number in range(5):
        with pytest.raises(Unauthorised):
            chain.principal(Credentials("admin", f"guess {number}"), f"192.0.2.{number}")
    with pytest.raises(TooManyAttempts, match="this account"):
        chain.principal(Credentials("admin", "guess"), "203.0.113.1")
    assert chain.principal(known, "203.0.113.1").account == "admin"


def test_many_keys_do_not_drive_out_the_one_in_use(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of keys is bounded; who came last is kept."""
    monkeypatch.setattr("callsheet.server.access.authentication.MOST_REMEMBERED", 3)
    now = [0.0]
    chain = Authentication([ApiKeys(service.accounts)], lambda: now[0])
    used = Credentials("admin", KEY)
    for number in range(6):
        now[0] += 2
        chain.principal(used)
        chain.principal(Credentials(None, service.accounts.add(f"user-{number}")))
    assert chain.was_right(used)


def test_a_share_is_given_back() -> None:
    """Also where a request ends by an exception, and no more than once."""
    shares = Shares(Limits(account_requests=1, account_bytes=10))

    def request() -> None:
        with shares.request("anna") as share:
            share.take(10)
            with pytest.raises(OverQuota, match="more than 10 bytes"):
                share.take(1)
            share.done()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        request()
    assert (shares.requests, shares.held) == ({}, {})


def test_the_vendors_clients_read_when_to_come_again(service: Service) -> None:
    """A refusal of the vendor's wire has its form, and Retry-After."""
    app = application(service, Limits(address_attempts=1))
    headers = ((b"content-type", b"application/json"), (b"ftrack-user", b"admin"), (b"ftrack-api-key", b"wrong"))

    async def main() -> list[Answer]:
        return [await call(app, Call(path="/api", headers=headers, body=(b"[]",))) for _ in range(2)]

    first, second = asyncio.run(main())
    assert (first.status, second.status) == (401, 429)
    assert float(second.headers["retry-after"]) > 0
    assert json.loads(second.body)["exception"] == "ServerError"
