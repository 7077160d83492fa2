"""Group commit: many jobs share one transaction, and so one wait for the disk.

One thread owns the only connection that writes. It takes what is waiting (at most `GROUP` jobs), runs each
in a savepoint (one alone needs none), commits once, and only then answers. A job that fails takes only its
savepoint with it. If the database gives up the whole transaction (the disk is full), no job of the group has happened,
and each gets the error.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from attrs import define
from sqlalchemy import Connection, Engine

from callsheet.errors import Closed, StateError

__all__ = ["CHANGES", "GROUP", "Writer"]

GROUP = 64

CHANGES = 1_000
"""Rows changed between two calls of a writer's ``upkeep``."""

log = logging.getLogger("callsheet.server")

T = TypeVar("T")


@define(eq=False)
class _Job:
    function: Callable[[Connection], Any]
    future: Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs jobs on one connection in one thread, which starts with the first job and ends with `close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.groups = 0
        """How many transactions were committed; the jobs may have been more."""
        self.upkeep: Callable[[Connection], object] | None = None
        """Called in a transaction of its own, between groups, when about `CHANGES` rows have changed."""
        self._changes = self._kept_up = 0

    @property
    def waiting(self) -> int:
        """How many jobs wait, more or less."""
        return self._queue.qsize()

    def run(self, function: Callable[[Connection], T]) -> T:
        """What the function returns, once it is on disk; or what it raised."""
        job = _Job(function, Future())
        with self._lock:
            if self._closed:
                raise Closed("the store is closed; open it again to write")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="callsheet-writer", daemon=True)
                self._thread.start()
            if threading.current_thread() is self._thread:
                raise StateError("a write inside a write would wait for itself; use the connection it was given")
            self._queue.put(job)
        result: T = job.future.result()
        return result

    def close(self) -> None:
        """Finish what is waiting, then end the thread."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _work(self) -> None:
        while True:
            jobs, last = self._waiting()
            if jobs:
                self._run_group(jobs)
                self._keep_up()
            if last:
                return

    def _waiting(self) -> tuple[list[_Job], bool]:
        """At least one job (or the end), and what else is there already."""
        jobs: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == GROUP:
                return jobs, False
            try:
                job = self._queue.get_nowait()
            except Empty:
                return jobs, False
        return jobs, True

    def _run_group(self, jobs: list[_Job]) -> None:
        try:
            with self._engine.connect() as connection, connection.begin():
                if len(jobs) == 1:
                    # Alone it needs no savepoint: when it fails, the transaction holds nothing else.
                    jobs[0].result = jobs[0].function(connection)
                else:
                    for job in jobs:
                        _run_job(job, connection)
                driver: Any = connection.connection.driver_connection
                self._changes = driver.total_changes
            self.groups += 1
        except BaseException as error:
            for job in jobs:
                job.error = job.error or error
        for job in jobs:
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)

    def _keep_up(self) -> None:
        """Its jobs are answered, the next ones wait. Only the log hears of a failure, and it will be tried again."""
        if self.upkeep is None or abs(self._changes - self._kept_up) < CHANGES:
            return
        self._kept_up = self._changes
        try:
            with self._engine.begin() as connection:
                self.upkeep(connection)
        except Exception as error:
            log.warning("upkeep of the database failed, and will be tried again: %s", str(error).partition("\n")[0])


def _run_job(job: _Job, connection: Connection) -> None:
    """Run one job in a savepoint; an error that leaves no savepoint to go back to ends the group."""
    savepoint = connection.begin_nested()
    try:
        job.result = job.function(connection)
        savepoint.commit()
    except BaseException as error:
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            raise
        savepoint.rollback()
        job.error = error
