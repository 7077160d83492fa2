"""Servers in processes of their own, and a client that sends commits as fast as they are answered."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from .bare import database
from .released_worker import KEY, TASKS

__all__ = ["CREATES", "Served", "Side", "bare_served", "served"]

WORKER = Path(__file__).with_name("released_worker.py")
BARE = Path(__file__).with_name("bare_server.py")
CREATES = 5_000
TICKS = os.sysconf("SC_CLK_TCK")


class Side:
    """One version: where its code is."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONHASHSEED": "0"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, WORKER, *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def imported(self, statement: str) -> float:
        """CPU seconds of a process that runs this statement."""
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", statement], env=self.environment, check=True)
        after = getrusage(RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def bare_served(kind: str) -> Iterator[Served]:
    """A bare server on a new database (see ``bare_server.py``)."""
    with database(kind) as url:
        command = [sys.executable, BARE, kind, url.removeprefix("sqlite:///")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield Served(told["url"], told["process"], url)
        finally:
            process.terminate()
            process.communicate()


@contextmanager
def served(side: Side, kind: str) -> Iterator[Served]:
    """A server of this version on a new database."""
    with database(kind) as url, side.start("serve", url) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Served(told["url"], told["process"], url)
        process.communicate()


class Served:
    """A server process, and a client that sends commits of one change as fast as they are answered."""

    def __init__(self, url: str, process: int, database: str) -> None:
        self.host, self.port, self.database = urlsplit(url).hostname, urlsplit(url).port, database
        self._process = process
        self._numbers = count()

    def cpu(self) -> float:
        """CPU seconds of the server's process."""
        fields = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def commits(self, clients: int, seconds: float) -> tuple[float, float]:
        """Commits a second, and the server's CPU seconds for each."""
        before, start = self.cpu(), time.perf_counter()
        done = asyncio.run(self._all(clients, start + seconds))
        return done / (time.perf_counter() - start), (self.cpu() - before) / done

    async def _all(self, clients: int, end: float) -> int:
        return sum(await asyncio.gather(*[self._one(number, end) for number in range(clients)]))

    async def _one(self, client: int, end: float) -> int:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        done = 0
        while time.perf_counter() < end:
            await self._answered(reader, writer, self._update(client))
            done += 1
        writer.close()
        return done

    def creates(self) -> tuple[float, float]:
        """Seconds that a commit of `CREATES` new tasks takes, and the server's CPU seconds."""
        request = self._creation()

        async def sent() -> float:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            start = time.perf_counter()
            await self._answered(reader, writer, request)
            passed = time.perf_counter() - start
            writer.close()
            return passed

        before = self.cpu()
        return asyncio.run(sent()), self.cpu() - before

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        (length,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(length.partition(b":")[2]))

    def _update(self, client: int) -> bytes:
        values = {"bid": float(next(self._numbers))}
        return self._request([{"is": "update", "entity": ["Task", f"task-{client % TASKS}"], "values": values}])

    def _creation(self) -> bytes:
        made, parent = uuid4().hex, {"$identity": ["Shot", "shot"]}
        return self._request(
            [
                {"is": "create", "entity": ["Task", f"{made}-{n}"], "values": {"name": f"{made} {n}", "parent": parent}}
                for n in range(CREATES)
            ]
        )

    def _request(self, operations: list[dict[str, Any]]) -> bytes:
        body = json.dumps({"operations": operations}).encode()
        head = (
            f"POST /v1/commits/{uuid4()} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {KEY}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
