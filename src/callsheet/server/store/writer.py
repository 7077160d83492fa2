"""Group commit: many jobs share one transaction, and so one wait for the disk.

One thread owns the only connection that writes. It takes what is waiting (at most `GROUP` jobs, accounts in turn), runs
each in a savepoint (one alone needs none), commits once, and only then answers. A job that fails takes only its
savepoint with it. If the database gives up the whole transaction (the disk is full), no job of the group has happened,
and each gets the error.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from time import monotonic
from typing import Any, TypeVar

from attrs import define
from sqlalchemy import Connection, Engine

from callsheet.errors import Closed, StateError
from callsheet.server.deadline import current_deadline
from callsheet.server.store.fair_queue import FairQueue

__all__ = ["CHANGES", "GROUP", "Writer"]

GROUP = 64
GROUP_SECONDS = 0.25
"""How long jobs may make others of their group wait: after that the group is committed, and the rest comes next."""

CHANGES = 1_000
"""Rows changed between two calls of a writer's ``upkeep``."""

log = logging.getLogger("callsheet.server")

T = TypeVar("T")


@define(eq=False)
class _Job:
    function: Callable[[Connection], Any]
    future: Future[Any]
    context: Context
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs jobs on one connection in one thread, which starts with the first job and ends with `close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: FairQueue[_Job] = FairQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.groups = 0
        """How many transactions were committed; the jobs may have been more."""
        self.upkeep: Callable[[Connection], object] | None = None
        """Called in a transaction of its own, between groups, when about `CHANGES` rows have changed."""
        self._changes = self._kept_up = 0
        self._connection: Connection | None = None

    @property
    def waiting(self) -> int:
        """How many jobs wait, more or less."""
        return len(self._queue)

    def run(self, function: Callable[[Connection], T]) -> T:
        """What the function returns, once it is on disk; or what it raised."""
        job, deadline = _Job(function, Future(), copy_context()), current_deadline()
        with self._lock:
            if self._closed:
                raise Closed("the store is closed; open it again to write")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="callsheet-writer", daemon=True)
                self._thread.start()
            if threading.current_thread() is self._thread:
                raise StateError("a write inside a write would wait for itself; use the connection it was given")
            self._queue.put("" if deadline is None else deadline.account, job)
        result: T = job.future.result()
        return result

    def close(self) -> None:
        """Finish what is waiting, then end the thread."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        self._queue.close()
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        try:
            while taken := self._queue.take(GROUP):
                done = self._run_group([job for _, job in taken])
                self._queue.put_back(taken[done:])
                self._keep_up()
        finally:
            self._let_go()

    def _held(self) -> Connection:
        """The connection, kept from group to group: the pool would look after it each time."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _let_go(self) -> None:
        """Give the connection back; the next group gets one that the pool has looked after."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _run_group(self, jobs: list[_Job]) -> int:
        """Run jobs in one transaction, until they have taken `GROUP_SECONDS`; how many."""
        done = 0
        try:
            connection = self._held()
            with connection.begin():
                done = _run_jobs(jobs, connection)
                driver: Any = connection.connection.driver_connection
                self._changes = driver.total_changes
            self.groups += 1
        except BaseException as error:
            done = done or len(jobs)
            for job in jobs[:done]:
                job.error = job.error or error
            self._let_go()
        for job in jobs[:done]:
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
        return done

    def _keep_up(self) -> None:
        """Its jobs are answered, the next ones wait. Only the log hears of a failure, and it will be tried again."""
        if self.upkeep is None or abs(self._changes - self._kept_up) < CHANGES:
            return
        self._kept_up = self._changes
        try:
            connection = self._held()
            with connection.begin():
                self.upkeep(connection)
        except Exception as error:
            self._let_go()
            log.warning("upkeep of the database failed, and will be tried again: %s", str(error).partition("\n")[0])


def _run_jobs(jobs: list[_Job], connection: Connection) -> int:
    """Run jobs in turn, until they have taken their time; how many."""
    if len(jobs) == 1:
        # Alone it needs no savepoint: when it fails, the transaction holds nothing else.
        jobs[0].result = jobs[0].context.run(jobs[0].function, connection)
        return 1
    began = monotonic()
    for number, job in enumerate(jobs, 1):
        _run_job(job, connection)
        if monotonic() - began > GROUP_SECONDS:
            return number
    return len(jobs)


def _run_job(job: _Job, connection: Connection) -> None:
    """Run one job in a savepoint; an error that leaves no savepoint to go back to ends the group."""
    # The driver's own: a savepoint of the engine's costs as much as several statements.
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT job")
    try:
        job.result = job.context.run(job.function, connection)
    except BaseException as error:
        if not driver.in_transaction:
            raise
        driver.execute("ROLLBACK TO job")
        job.error = error
    driver.execute("RELEASE job")
