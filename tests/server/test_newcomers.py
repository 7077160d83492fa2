"""Connections that have shown no key make room for others; who has shown one is never hung up on for them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from attrs import define, field
from test_guard import PROTOCOLS, listening

from callsheet.errors import UsageError
from callsheet.server.deadline import Deadline
from callsheet.server.limits import Limits
from callsheet.server.process import Server, serve
from callsheet.server.web.newcomers import SIGNED, Connections, networks
from callsheet.server.web.timeouts import with_timeouts

DOCUMENT = {"name": "dots", "types": {"Dot": {"attributes": {"name": {"type": "string"}}}}}
SLOW = (
    b"POST /v1/select HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n%b\r\n{"
)


@define(eq=False)
class Wire:
    """A connection as the registry sees it."""

    idle: bool = True
    reasons: list[str] = field(factory=list)

    def turn_away(self, reason: str) -> None:
        self.reasons.append(reason)

    def authenticated(self, account: str) -> None: ...

    def cancel_on_close(self, deadline: Deadline) -> None: ...


def come(connections: Connections, address: str, count: int) -> list[Wire]:
    wires = [Wire() for _ in range(count)]
    for wire in wires:
        connections.opened(wire, address)
    return wires


def gone(wires: list[Wire]) -> list[bool]:
    return [bool(wire.reasons) for wire in wires]


def test_the_oldest_without_a_key_makes_room() -> None:
    """Of the same address only; networks of IPv6 count as one."""
    connections = Connections(Limits(address_connections=2))
    (other,) = come(connections, "192.0.2.2", 1)
    wires = come(connections, "192.0.2.1", 4)
    assert gone(wires) == [True, True, False, False]
    assert "2 connections without an API key, its limit; close some, or send a key" in wires[0].reasons[0]
    assert not other.reasons
    one, two, three = (come(connections, f"2001:db8::{number}", 1)[0] for number in range(3))
    assert gone([one, two, three]) == [True, False, False]


def test_who_has_shown_a_key_stays() -> None:
    """However many come from the same address; what ends makes room."""
    connections = Connections(Limits(address_connections=2))
    keyed, signed, left = come(connections, "192.0.2.1", 1) + come(connections, "192.0.2.1", 1) + [Wire()]
    connections.authenticated(keyed, "anna")
    connections.authenticated(signed, SIGNED)
    connections.opened(left, "192.0.2.1")
    connections.closed(left)
    wires = come(connections, "192.0.2.1", 2)
    assert gone([keyed, signed, left, *wires]) == [False] * 5
    connections.closed(keyed)
    connections.closed(keyed)
    assert gone(come(connections, "192.0.2.1", 2)) == [False, False]
    assert gone(wires) == [True, True]


def test_many_addresses_leave_half_of_the_places() -> None:
    """The address with the most connections loses one, so that one with a single connection stays."""
    connections = Connections(Limits(connections=10))
    (single,) = come(connections, "192.0.2.2", 1)
    crowd = come(connections, "192.0.2.1", 6)
    assert gone([single, *crowd]) == [False, True, True, False, False, False, False]


def test_an_account_with_too_many_loses_an_idle_one() -> None:
    """One that is answering is not hung up on."""
    connections = Connections(Limits(account_connections=2))
    wires = come(connections, "192.0.2.1", 4)
    wires[0].idle = False
    for wire in wires:
        connections.authenticated(wire, "anna")
    assert gone(wires) == [False, True, True, False]


def test_a_named_proxy_has_no_limit() -> None:
    """Everybody's connections come from it; what is no address names no proxy."""
    connections = Connections(Limits(address_connections=1), networks(["192.0.2.0/24"]))
    assert gone(come(connections, "192.0.2.1", 9)) == [False] * 9
    with pytest.raises(UsageError, match="a proxy is named by its address"):
        networks(["proxy.example"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(DOCUMENT, limits={"address_connections": 10, "address_attempts": 5}) as running:
        yield running


def port(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def asked(server: Server, source: str = "127.0.0.1", key: str | None = None, **headers: str) -> int:
    """The status of a request from an address of this machine."""
    with closing(HTTPConnection("127.0.0.1", port(server), timeout=30, source_address=(source, 0))) as connection:
        authorization = f"Bearer {key or server.admin_key}"
        connection.request("GET", "/v1/description", headers={"authorization": authorization, **headers})
        return connection.getresponse().status


@contextmanager
def crowd(server: Server, count: int, first: bytes) -> Iterator[list[socket.socket]]:
    """So many connections from one address, each of which sends something, and then a byte now and then."""
    ended = Event()
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port(server)), source_address=("127.0.0.9", 0)))
            for _ in range(count)
        ]
        for connection in held:
            connection.sendall(first)

        def drip() -> None:
            while not ended.wait(0.1):
                for connection in held:
                    try:
                        connection.send(b"x")
                    except OSError:
                        pass

        thread = Thread(target=drip)
        thread.start()
        try:
            yield held
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize(
    "first", [b"", b"GET / HTTP/1.1\r\nx-slow: ", SLOW % b"", SLOW % b"authorization: Bearer no\r\n"]
)
def test_a_crowd_that_dawdles_stops_nobody(server: Server, first: bytes) -> None:
    """A hundred connections that send a byte at a time: others are answered, from there and from elsewhere."""
    with crowd(server, 100, first) as held:
        assert [asked(server, "127.0.0.2"), asked(server, "127.0.0.9"), asked(server)] == [200, 200, 200]
        held[0].settimeout(30)
        told = held[0].recv(4096)
        assert told.startswith((b"HTTP/1.1 429", b"HTTP/1.1 401"))


def test_an_account_that_dawdles_stops_no_other(server: Server) -> None:
    """With a key one gets as far as the limit of its account, and no further."""
    with serve(DOCUMENT, limits={"account_requests": 5, "requests": 10}) as other:
        with httpx.Client(base_url=other.url, headers={"authorization": f"Bearer {other.admin_key}"}) as client:
            made = client.post("/v1/call/users.add", json={"name": "anna", "role": "user"})
        key = made.json()["result"]["key"]
        with crowd(other, 30, SLOW % f"authorization: Bearer {key}\r\n".encode()):
            assert [asked(other), asked(other, key=key)] == [200, 429]


def test_forged_addresses_are_not_believed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Forwarded-For counts from named proxies only: not from this machine, whatever the environment says."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")

    def attempts(running: Server) -> list[int]:
        return [asked(running, key="wrong", **{"x-forwarded-for": f"198.51.100.{number}"}) for number in range(7)]

    with serve(DOCUMENT, limits={"address_attempts": 5}) as strict:
        assert attempts(strict) == [401] * 5 + [429] * 2
        assert asked(strict) == 200
        assert audited(strict) == {"127.0.0.1"}
    with serve(DOCUMENT, limits={"address_attempts": 5}, trusted_proxies=["127.0.0.1"]) as behind:
        assert attempts(behind) == [401] * 7
        assert asked(behind, key="wrong", **{"x-forwarded-for": "203.0.113.5, 198.51.100.1"}) == 401
        assert audited(behind) == {f"198.51.100.{number}" for number in range(7)}


def audited(server: Server) -> set[str]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {server.admin_key}"}) as client:
        notes = client.post("/v1/call/audit.list", json={}).json()["result"]
    return {note["address"] for note in notes}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_does_not_read_the_answer_is_hung_up_on(protocol: Any) -> None:
    """An answer waits for its reader for some seconds; then its memory is let go."""

    async def long(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(50_000_000)})

    lost = Event()

    class Watched(protocol):  # type: ignore[misc]
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    limits = Limits(answer_seconds=0.3)
    with (
        listening(with_timeouts(Watched, limits), long) as there,
        closing(socket.create_connection(("127.0.0.1", there))) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert lost.wait(30)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_reads_slowly_but_reads_gets_it_all(protocol: Any) -> None:
    """As long as it takes, if it takes so much a second."""

    async def long(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(20_000_000)})

    limits = Limits(answer_seconds=0.2, body_rate=1_000)
    timed = with_timeouts(protocol, limits)
    with listening(timed, long) as there, closing(HTTPConnection("127.0.0.1", there)) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        size = 0
        while part := response.read(1_000_000):
            size += len(part)
            Event().wait(0.04)
        assert size == 20_000_000
