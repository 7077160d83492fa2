"""Starts servers fast, kills them, starts them again: a process that has everything imported and forks.

It reads commands, one a line: ``start`` (answers ``port process_id``), ``kill`` (SIGKILL; answers when the
process is gone), ``stop`` (in order). When its input ends, its server ends too.

``early`` is the negative control: writers that answer before COMMIT.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, RootTransaction
from sqlalchemy.exc import DBAPIError

from callsheet.server import child
from callsheet.server.store import database, store
from callsheet.server.store.writer import Writer, _Job, _run_job

T = TypeVar("T")


class EarlyWriter(Writer):
    """Answers first and commits then, which only a thread of its own can."""

    def _run_here(self, job: _Job) -> bool:
        return False

    def _run_group(self, jobs: list[_Job]) -> int:
        with self._engine.connect() as connection, connection.begin():
            for job in jobs:
                _run_job(job, connection)
            for job in jobs:
                job.done.release()
            time.sleep(0.01)
        self.groups += 1
        return len(jobs)


class EarlyPostgres(database.PostgresDatabase):
    """The same on PostgreSQL."""

    def write(self, function: Callable[[Connection], T]) -> T:
        connection = self._engine.connect()
        transaction = connection.begin()
        try:
            result = function(connection)
        except BaseException:
            connection.close()
            raise
        Thread(target=self._commit, args=(connection, transaction), daemon=True).start()
        return result

    @staticmethod
    def _commit(connection: Connection, transaction: RootTransaction) -> None:
        time.sleep(0.01)
        try:
            transaction.commit()
        except DBAPIError:
            pass  # It was killed: no process reads the report.
        finally:
            connection.close()


class Zygote:
    """Forks one server at a time."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = msgspec.convert(settings, child.ServerSettings)
        self._process = 0
        self._input = -1

    def start(self) -> str:
        server_input, self._input = os.pipe()
        output, told = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.dup2(server_input, 0)
            for each in (server_input, self._input, output):
                os.close(each)
            self._serve(told)
        os.close(server_input)
        os.close(told)
        with os.fdopen(output, "rb") as lines:
            ready = msgspec.json.decode(lines.readline(), type=child.Ready)
        return f"{ready.port} {self._process} {ready.error} {ready.message}"

    def _serve(self, told: int) -> None:
        """The life of the server; it does not return."""
        output = os.fdopen(told, "wb")
        try:
            os.dup2(2, 1)
            child._listen(self._settings, output)
        except BaseException as error:
            child._send(output, child.Ready(error=type(error).__name__, message=str(error)))
        finally:
            os._exit(0)

    def end(self, number: int) -> str:
        if self._process:
            if number:
                os.kill(self._process, number)
            os.close(self._input)
            os.waitpid(self._process, 0)
            self._process = 0
        return "gone"


def main() -> None:
    if sys.argv[1:] == ["early"]:
        database.Writer = EarlyWriter  # type: ignore[misc]
        store.PostgresDatabase = EarlyPostgres  # type: ignore[misc]
    import uvicorn
    from uvicorn.loops import auto as loops  # noqa: F401
    from uvicorn.protocols.http import auto as protocols  # noqa: F401

    from callsheet.server import service  # noqa: F401
    from callsheet.server.web import application, guard  # noqa: F401

    assert uvicorn
    lines = iter(sys.stdin)
    zygote = Zygote(msgspec.json.decode(next(lines)))
    for line in lines:
        command = line.strip()
        answer = zygote.start() if command == "start" else zygote.end(signal.SIGKILL if command == "kill" else 0)
        print(answer, flush=True)
    zygote.end(signal.SIGKILL)


if __name__ == "__main__":
    main()
