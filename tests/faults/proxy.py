"""A proxy that fails: it stands between client and server and breaks exchanges, by a seeded choice.

It reads HTTP/1.1 message by message, so a fault hits the exchange it was meant for: before the request is
passed on, during it, or after it was, when the server does the work and the client never hears of it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

BEFORE = ("refuse", "cut", "overload")
"""The server does not get the whole request."""
AFTER = ("gone", "mute", "truncate", "delay", "bad gateway")
"""The server does the work; the answer is lost, cut, or comes too late."""
LATE = ("late",)
"""The request itself arrives only when the client has long sent it again."""
HARMLESS = ("slice",)
FAULTS = (*BEFORE, *AFTER, *LATE, *HARMLESS)

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PAGE = b"<html><h1>502 Bad Gateway</h1></html>"
_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_PAGE),
    _PAGE,
)
_OVERLOAD = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"


class FaultProxy:
    """Listens on loopback in a thread of its own and passes requests on to ``port``.

    ``rate`` is the share of exchanges to break, of those whose address begins with ``paths``; ``late`` the
    seconds that something late is late. ``faults`` counts them by kind.
    """

    def __init__(
        self, port: int, seed: int, rate: float = 0.3, late: float = 0.4, paths: bytes = b"/v1/commits",
        kinds: Sequence[str] = FAULTS,
    ) -> None:  # fmt: skip
        self._upstream, self._random, self._rate, self._late = port, Random(seed), rate, late
        self._paths, self._kinds = paths, kinds
        self.faults: Counter[str] = Counter()
        self.exchanges = 0
        self.port = 0
        self._tasks: set[Any] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="fault-proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def injected(self) -> int:
        """How many faults there were that a client could notice."""
        return sum(count for kind, count in self.faults.items() if kind not in HARMLESS)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    async def _run(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        # What is still late arrives before the end, so that an audit afterwards sees all there will be.
        await asyncio.sleep(self._late * 1.5)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _choose(self, head: bytes) -> str:
        address = head.split(b" ", 2)[1]
        if not address.startswith(self._paths):
            return "pass"
        self.exchanges += 1
        if self._random.random() >= self._rate:
            return "pass"
        kind = self._random.choice(self._kinds)
        self.faults[kind] += 1
        return kind

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server: Any = None
        # The loop itself refers to tasks weakly.
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            server = await asyncio.open_connection("127.0.0.1", self._upstream)
            while await self._exchange(reader, writer, *server):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._tasks.discard(task)
            for each in (writer, server[1] if server else None):
                if each is not None:
                    each.transport.abort()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> bool:
        """Pass one request and its answer; whether the connections are still good."""
        head = await reader.readuntil(b"\r\n\r\n")
        kind = self._choose(head)
        length = _length(head)
        if kind == "refuse":
            return False
        if kind == "cut":
            server_writer.write(head + await reader.readexactly(length // 2))
            await server_writer.drain()
            await asyncio.sleep(0)
            return False
        body = await reader.readexactly(length)
        if kind == "overload":
            writer.write(_OVERLOAD)
            await writer.drain()
            return True
        if kind == "late":
            await asyncio.sleep(self._late)
        server_writer.write(head + body)
        await server_writer.drain()
        if kind == "gone":
            await asyncio.sleep(self._random.uniform(0, 0.004))
            return False
        answer = await _message(server_reader)
        return await self._answer(kind, answer, writer)

    async def _answer(self, kind: str, answer: bytes, writer: asyncio.StreamWriter) -> bool:
        if kind in ("mute", "late"):
            return False
        if kind == "delay":
            await asyncio.sleep(self._late)
        if kind == "bad gateway":
            answer = _BAD_GATEWAY
        if kind == "truncate":
            writer.write(answer[: self._random.randrange(1, len(answer))])
            await writer.drain()
            writer.close()
            await asyncio.sleep(0.002)
            return False
        step = 7 if kind == "slice" else len(answer)
        for start in range(0, len(answer), step):
            writer.write(answer[start : start + step])
            await writer.drain()
            if kind == "slice":
                await asyncio.sleep(0)
        return True


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(_length(head))


class Cable:
    """Listens on loopback and passes bytes on to ``port``, both ways, until it is cut; answers that do not end, too.

    ``cut()`` breaks every connection and takes no new ones, ``mute()`` lets them stand and passes nothing on any
    more, ``mend()`` ends either. ``connections`` counts them; ``open`` is how many have not ended.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.connections = self.open = 0
        self.port = 0
        self._whole = True
        self._loud = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="cable", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Cable:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def cut(self) -> None:
        self._whole = False
        self._loop.call_soon_threadsafe(self._break)

    def mute(self) -> None:
        self._loud = False

    def mend(self, port: int | None = None) -> None:
        """Pass everything on again, to another port if one is given. What was muted is lost."""
        self._loop.call_soon_threadsafe(self._break)
        self._upstream = port or self._upstream
        self._whole = self._loud = True

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _run(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        while self._writers:
            self._break()
            await asyncio.sleep(0.01)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        counted = int(self._whole)
        self.open += counted
        try:
            if self._whole:
                self.connections += 1
                onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._upstream)
                self._writers.add(onward)
                try:
                    ways = (self._pass(reader, onward), self._pass(onward_reader, writer))
                    await asyncio.gather(*ways, return_exceptions=True)
                finally:
                    onward.transport.abort()
                    self._writers.discard(onward)
        except OSError:
            pass
        finally:
            self.open -= counted
            writer.transport.abort()
            self._writers.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._loud:
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
