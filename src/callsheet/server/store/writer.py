"""Group commit: many jobs share one transaction, and so one wait for the disk.

One connection writes. If it is free, a job runs in its caller's thread, alone, without a change of thread. If it is
busy, the job waits for the writer's thread, which takes the waiting jobs (at most `GROUP`, accounts in turn), runs each
in a savepoint (a single job needs none), commits once, and only then returns the results. If a job fails, only its
savepoint is rolled back. If the database rolls back the whole transaction (the disk is full), no job of the group has
taken effect, and each gets the error.

The program's main thread never writes itself, because only there a signal may raise an exception at any point.
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
"""After this time a group is committed, and its remaining jobs become the next group."""

CHANGES = 1_000
"""Changed rows between two calls of a writer's ``upkeep``."""

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
    """Released when the job is done."""
    result: Any = None
    error: BaseException | None = None

    def outcome(self) -> Any:
        if self.error is None:
            return self.result
        try:
            raise self.error
        finally:
            # The error's traceback refers to frames that refer to the job: break the cycle.
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
        """Held by the thread that uses the connection."""
        self._running = 0
        """The id of that thread, or 0."""
        self._thread: threading.Thread | None = None
        self._closed = False
        self.groups = 0
        """How many transactions were committed; one may contain several jobs."""
        self.upkeep: Callable[[Connection], object] | None = None
        """Called in a transaction of its own, between groups, when about `CHANGES` rows have changed."""
        self._changes = self._kept_up = 0
        self._connection: Connection | None = None

    @property
    def waiting(self) -> int:
        """Approximately how many jobs wait."""
        return len(self._queue)

    def run(self, function: Callable[[Connection], T]) -> T:
        """Call the function in a transaction; returns its result when it is on disk, or raises its error."""
        if self._running == get_ident():
            raise StateError("a write inside a write would wait for itself; use the connection it was given")
        job = _Job(function, copy_context())
        if not self._run_here(job):
            self._put(job)
            job.done.acquire()
        result: T = job.outcome()
        return result

    def close(self) -> None:
        """Run the waiting jobs, then end the thread."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        self._queue.close()
        if thread is not None:
            thread.join()
        with self._turn:
            self._release()

    def _run_here(self, job: _Job) -> bool:
        """Run the job in this thread if the connection is free and no job waits; returns whether it was run."""
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
        """Pass the job to the writer's thread."""
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
        """The connection, kept between groups: the pool would reset it each time."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _release(self) -> None:
        """Return the connection to the pool, which resets it; the next group gets another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _run_group(self, jobs: list[_Job]) -> int:
        """Run jobs in one transaction for up to `GROUP_SECONDS`; returns how many were run."""
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
            self._release()
        for job in jobs[:done]:
            job.done.release()
        return done

    def _wants_upkeep(self) -> bool:
        return self.upkeep is not None and abs(self._changes - self._kept_up) >= CHANGES

    def _keep_up(self) -> None:
        """Run the upkeep if it is due, between two groups. A failure is only logged; it is tried again later."""
        if self.upkeep is None or not self._wants_upkeep():
            return
        self._kept_up = self._changes
        try:
            connection = self._held()
            with connection.begin():
                self.upkeep(connection)
        except Exception as error:
            self._release()
            log.warning("upkeep of the database failed, and will be tried again: %s", str(error).partition("\n")[0])


def _is_main_thread() -> bool:
    return get_ident() == threading.main_thread().ident


def _run_jobs(jobs: list[_Job], connection: Connection) -> int:
    """Run jobs in turn for up to `GROUP_SECONDS`; returns how many were run."""
    if len(jobs) == 1:
        # A single job needs no savepoint: if it fails, the transaction contains nothing else.
        jobs[0].result = jobs[0].context.run(jobs[0].function, connection)
        return 1
    began = monotonic()
    for number, job in enumerate(jobs, 1):
        _run_job(job, connection)
        if monotonic() - began > GROUP_SECONDS:
            return number
    return len(jobs)


def _run_job(job: _Job, connection: Connection) -> None:
    """Run one job in a savepoint; raises if its error ended the whole transaction."""
    # By the driver: a savepoint of the engine costs as much as several statements.
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
