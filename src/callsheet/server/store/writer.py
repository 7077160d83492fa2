"""Group commit: many jobs share one transaction, and so one wait for the disk.

One connection writes. A job that comes while nobody writes is run by its own thread, alone, without a change of thread.
One that comes while somebody writes waits for the writer's thread, which takes what is waiting (at most `GROUP` jobs,
accounts in turn), runs each in a savepoint (one alone needs none), commits once, and only then answers. A job that
fails takes only its savepoint with it. If the database gives up the whole transaction (the disk is full), no job of the
group has happened, and each gets the error.

The program's main thread never writes itself: it alone can be interrupted at any place.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from threading import Lock, get_ident
from time import monotonic
from typing import Any, TypeVar

from attrs import define, field
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


def _held_lock() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


@define(eq=False)
class _Job:
    function: Callable[[Connection], Any]
    context: Context
    done: Lock = field(factory=_held_lock)
    """Free once the job is done."""
    result: Any = None
    error: BaseException | None = None

    def outcome(self) -> Any:
        if self.error is None:
            return self.result
        try:
            raise self.error
        finally:
            # The error holds the frames that hold the job.
            self.error = None


class Writer:
    """Runs jobs on one connection, in their own threads or in one that starts when a job has to wait.

    `close` ends it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: FairQueue[_Job] = FairQueue()
        self._lock = Lock()
        self._turn = Lock()
        """Held by whoever uses the connection."""
        self._running = 0
        """The thread that does, or 0."""
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
        if self._running == get_ident():
            raise StateError("a write inside a write would wait for itself; use the connection it was given")
        job = _Job(function, copy_context())
        if not self._run_here(job):
            self._put(job)
            job.done.acquire()
        result: T = job.outcome()
        return result

    def close(self) -> None:
        """Finish what is waiting, then end the thread."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        self._queue.close()
        if thread is not None:
            thread.join()
        with self._turn:
            self._let_go()

    def _run_here(self, job: _Job) -> bool:
        """Run the job in this thread, if nobody writes or waits; whether it was."""
        if len(self._queue) or _is_main_thread() or not self._turn.acquire(blocking=False):
            return False
        try:
            if self._closed or self._wants_upkeep():
                return False
            self._running = get_ident()
            self._run_group([job])
        finally:
            self._running = 0
            self._turn.release()
        return True

    def _put(self, job: _Job) -> None:
        """Have the job run by the writer's thread."""
        deadline = current_deadline()
        with self._lock:
            if self._closed:
                raise Closed("the store is closed; open it again to write")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="callsheet-writer", daemon=True)
                self._thread.start()
            self._queue.put("" if deadline is None else deadline.account, job)

    def _work(self) -> None:
        while self._queue.wait():
            with self._turn:
                self._running = get_ident()
                self._keep_up()
                taken = self._queue.take(GROUP)
                done = self._run_group([job for _, job in taken])
                self._queue.put_back(taken[done:])
                self._keep_up()
                self._running = 0

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
            job.done.release()
        return done

    def _wants_upkeep(self) -> bool:
        return self.upkeep is not None and abs(self._changes - self._kept_up) >= CHANGES

    def _keep_up(self) -> None:
        """Its jobs are answered, the next ones wait. Only the log hears of a failure, and it will be tried again."""
        if self.upkeep is None or not self._wants_upkeep():
            return
        self._kept_up = self._changes
        try:
            connection = self._held()
            with connection.begin():
                self.upkeep(connection)
        except Exception as error:
            self._let_go()
            log.warning("upkeep of the database failed, and will be tried again: %s", str(error).partition("\n")[0])


def _is_main_thread() -> bool:
    return get_ident() == threading.main_thread().ident


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
