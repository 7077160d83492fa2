"""A server for the benchmark that answers two clients from the same data and does no work of its own.

It speaks as much of the peer's wire (``POST /api``) and of Callsheet's (``/v1/…``) as the measured clients
need. Pages are made once and kept, so its time hardly shows; it runs in a process of its own, so its time is
not in anybody's CPU figures at all. It counts what arrives: ``GET /_counts`` tells, and begins anew.

Run it as ``python -m tests.benchmarks.stub``; it prints its port.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from functools import lru_cache
from typing import Any

from . import data

__all__ = ["Stub"]

_WINDOW = re.compile(r"(?:offset (\d+) )?limit (\d+)")
_COUNT = re.compile(r'code is "(\d+)"')
_KEYS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7000-8000-[0-9a-f]{12}")
_SELECT = re.compile(r"select (.*?) from (\w+)")


class Stub:
    """What it has been sent since it was last asked, and what it keeps of unfinished commits."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.arrivals: Counter[str] = Counter()
        self.parts: dict[str, int] = {}
        self.latency = 0.0

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        path, _, query = target.partition("?")
        if path == "/_counts":
            return self._tell(query)
        self.counts["requests"] += 1
        self.counts["bytes"] += len(body)
        if path == "/api":
            return self._peer(json.loads(body))
        if path == "/v1/description":
            return _description("known=" in query)
        if path == "/v1/select":
            return _select(body)
        return self._commit(path.split("/")[3:], json.loads(body))

    def _tell(self, query: str) -> bytes:
        """``?latency=5`` makes every later answer wait so many milliseconds."""
        told = {**self.counts, "arrived": len(self.arrivals), "twice": sum(n > 1 for n in self.arrivals.values())}
        self.counts.clear()
        self.arrivals.clear()
        self.latency = float(query.partition("=")[2] or 0) / 1_000
        return json.dumps(told).encode()

    # -- Callsheet ------------------------------------------------------------------------------------------

    def _commit(self, path: list[str], body: dict[str, Any]) -> bytes:
        operations = body["operations"]
        self.counts["actions"] += len(operations)
        for operation in operations:
            self.arrivals[f"{operation['is']} {operation['entity'][1]}"] += 1
        held = self.parts.pop(path[0], 0) + len(operations)
        if len(path) > 1:
            self.parts[path[0]] = held
            return b"{}"
        reply = {"commit_id": path[0], "position": 1, "time": "2026-11-21T09:00:00+00:00", "versions": [2] * held}
        return json.dumps(reply).encode()

    # -- the peer -------------------------------------------------------------------------------------------

    def _peer(self, actions: list[dict[str, Any]]) -> bytes:
        if len(actions) == 1 and actions[0]["action"] == "query":
            return _peer_page(actions[0]["expression"])
        return json.dumps([self._peer_action(action) for action in actions]).encode()

    def _peer_action(self, action: dict[str, Any]) -> Any:
        kind = action["action"]
        if kind == "query_server_information":
            return {"version": "4.13.0", "schema_hash": data.peer_schema_hash()}
        if kind == "query_schemas":
            return data.peer_schema()
        if kind == "query":
            return json.loads(_peer_page(action["expression"]))[0]
        self.counts["actions"] += 1
        self.arrivals[f"{kind} {action['entity_key'][0]}"] += 1
        echoed = {**action["entity_data"], "id": action["entity_key"][0]} if kind != "delete" else True
        return {"action": kind, "data": echoed}


@lru_cache(maxsize=2)
def _description(known: bool) -> bytes:
    schema = data.native_schema()
    return json.dumps(
        {
            "server": "stub",
            "version": "0.1",
            "time": "2026-11-21T09:00:00+00:00",
            "schema_hash": data.schema_hash(schema),
            "schema": None if known else schema,
        }
    ).encode()


@lru_cache(maxsize=1_000)
def _select(body: bytes) -> bytes:
    """Tasks by their keys, or a page of as many as the condition names."""
    asked = json.loads(body)
    select = asked["select"]
    attributes = [path[0] for path in select.get("projections", ())] or list(data.LOADED)
    value = select["where"]["value"]
    if select["where"]["path"] == ["id"]:
        keys = value if isinstance(value, list) else [value]
        return data.native_page([data.index_of(key) for key in keys], attributes, None)
    start, total = int(asked.get("cursor") or 0), int(value)
    stop = min(start + asked["size"], total)
    return data.native_page(range(start, stop), attributes, str(stop) if stop < total else None)


@lru_cache(maxsize=1_000)
def _peer_page(expression: str) -> bytes:
    selected = _SELECT.search(expression)
    attributes = selected[1].split(", ") if selected else []
    entity_type = selected[2] if selected else expression.split()[0]
    window = _WINDOW.search(expression)
    start, size = (int(window[1] or 0), int(window[2])) if window else (0, 500)
    count = _COUNT.search(expression)
    if entity_type != "Task":
        found: list[int] = []
    elif count:
        found = list(range(int(count[1])))
    else:
        found = [data.index_of(key) for key in dict.fromkeys(_KEYS.findall(expression))]
    following = start + size if start + size < len(found) else None
    page = {
        "action": "query",
        "data": [data.peer_entity(index, attributes) for index in found[start : start + size]],
        "metadata": {"next": {"offset": following}},
    }
    return json.dumps([page]).encode()


class Connection(asyncio.Protocol):
    """As much of HTTP/1.1 as the clients speak: keep-alive, bodies with a length, one request at a time."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._pending = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, received: bytes) -> None:
        self._pending += received
        while True:
            head, found, rest = self._pending.partition(b"\r\n\r\n")
            if not found:
                return
            length = re.search(rb"content-length: *(\d+)", head, re.I)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            body, self._pending = rest[:size], rest[size:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            answer = self._stub.answer(method, target, body)
            if self._stub.latency and not target.startswith("/_"):
                asyncio.get_running_loop().call_later(self._stub.latency, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
        self._transport.write(head.encode() + answer)


async def serve() -> None:
    """Serve on a free port until the process ends."""
    stub = Stub()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stub), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
