"""All that is watched in a workspace: one thread asks again what commits can have changed, one question at a time.

Theory. A commit only wakes the thread. It reads what the commits changed, and marks the questions that they can reach.
Marked questions are asked one after the other, the one that has waited longest first; commits that come meanwhile mark
them again, so many commits share one answer. The thread may work for `BURST` seconds at a stretch, and for `SHARE` of
the time in the long run, so that commits and requests keep the processor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from threading import Lock, Thread
from time import monotonic, sleep

from sqlalchemy import Connection, select

from callsheet.dialects.routes import OverQuota
from callsheet.errors import CallsheetError, Invalid, ServerError, Unavailable
from callsheet.model.question import Answer, Question
from callsheet.model.watching import Watch
from callsheet.server.access.access import Access
from callsheet.server.limits import Limits
from callsheet.server.log import commits as log
from callsheet.server.log.broker import Broker
from callsheet.server.store.store import Store
from callsheet.server.watching.reader import WatchReader
from callsheet.server.watching.watched import KeptResult, QuestionReader, WatchedQuestion

__all__ = ["Watches"]

BURST, SHARE = 0.5, 0.5
COOLING = 2.0
"""A question is not asked again for so many times as long as its answer took."""
IDLE = 1.0
"""Seconds after which the thread looks whether anything is watched still."""
RETRY = 0.5
"""Seconds until a question is asked again that could not be answered now."""

_log = logging.getLogger("callsheet.server")


class WorkShare:
    """Seconds of work that may be done now; they grow with time.

    >>> budget = WorkShare(0.0)
    >>> budget.spend(1.5, 1.0)
    >>> budget.wait(1.5), budget.wait(3.0)
    (1.0, 0.0)
    """

    def __init__(self, now: float) -> None:
        self._left, self._at = BURST, now

    def spend(self, now: float, seconds: float) -> None:
        """So many seconds were worked until now."""
        self._left = min(BURST, self._left + SHARE * max(0.0, now - seconds - self._at)) - seconds
        self._at = now

    def wait(self, now: float) -> float:
        """The seconds until there is more to do."""
        left = self._left + SHARE * (now - self._at)
        return max(0.0, -left / SHARE)


class Watches:
    """The questions that are watched, by question and audience. ``rewinds``: earlier answers cost little."""

    def __init__(self, store: Store, broker: Broker, limits: Limits, rewinds: Callable[[], bool]) -> None:
        self._store, self._broker, self._limits, self._rewinds = store, broker, limits, rewinds
        self._watched: dict[tuple[str, Hashable], WatchedQuestion] = {}
        self._lock = Lock()
        self._thread: Thread | None = None
        self._seen = -1
        self.asked = 0
        """How often questions were asked."""

    @property
    def closed(self) -> bool:
        """Whether the service is closed."""
        return self._broker.closed

    @property
    def rewinds(self) -> bool:
        """Whether an earlier answer costs little more than one of now."""
        return self._rewinds()

    def reached(self, watched: WatchedQuestion, sent: KeptResult | None, position: int) -> int:
        """The position up to which a result is known to hold that was sent as of an earlier one."""
        # First, because what is marked afterwards is of later commits.
        seen = self._seen
        return position if watched.due or watched.newest is not sent else max(position, seen)

    def open(
        self,
        account: str,
        access: Callable[[], Access],
        answer: Callable[[Question], Answer],
        watches: Sequence[Watch],
    ) -> WatchReader:
        """A reader of these questions. Raises the error of one that cannot be asked, or `OverQuota`."""
        for each in watches:
            _check(each.question)
        self._check_number(account, len(watches))
        return WatchReader(self, account, access, answer, watches)

    def join(self, reader: QuestionReader, question: Question) -> WatchedQuestion:
        """The watched question that the reader shares with others, with an answer that is of now."""
        audience = reader.access().audience
        key = repr(question), audience
        with self._lock:
            watched = self._watched.get(key)
            if watched is None:
                watched = self._watched[key] = WatchedQuestion(question, audience, self._store.schema)
            watched.readers.add(reader)
            self._start()
        try:
            with watched.lock:
                if not watched.results or watched.due:
                    self._ask(watched, reader)
        except BaseException:
            self.leave(reader, watched)
            raise
        return watched

    def leave(self, reader: QuestionReader, watched: WatchedQuestion) -> None:
        """A reader watches a question no more."""
        with self._lock:
            watched.readers.discard(reader)
            key = watched.key
            if not watched.readers and self._watched.get(key) is watched:
                del self._watched[key]

    def _check_number(self, account: str, more: int) -> None:
        most = self._limits.account_watches
        with self._lock:
            own = sum(sum(reader.account == account for reader in each.readers) for each in self._watched.values())
        if own + more > most:
            error = OverQuota(f"`{account}` watches {own} questions, and may watch {most}; close a watch first")
            error.retry_after = 5
            raise error

    # -- the thread ------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None and not self.closed:
            self._thread = Thread(target=self._work, name="callsheet-watches", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        budget = WorkShare(monotonic())
        while self._goes_on():
            try:
                self._mark()
            except Exception as error:
                if not self.closed:
                    _log.warning("watched questions are not asked again, and will be later: %s", error)
                    sleep(RETRY)
                continue
            watched, wait = self._next(), budget.wait(monotonic())
            if watched is not None and wait == 0:
                began = monotonic()
                self._renew(watched)
                budget.spend(monotonic(), monotonic() - began)
            elif watched is not None:
                sleep(min(wait, RETRY))
            else:
                self._broker.wait(self._seen, self._patience())

    def _goes_on(self) -> bool:
        """Whether anything is watched; if not, the thread ends."""
        with self._lock:
            if self._watched and not self.closed:
                return True
            self._thread, self._seen = None, -1
            left = list(self._watched.values())
        for watched in left:
            _ring(watched)
        return False

    def close(self) -> None:
        """Wait until the thread has ended; the broker is closed already."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _mark(self) -> None:
        """Mark what the commits can have changed that came since the last time."""
        if self._seen >= 0 and self._broker.last <= self._seen:
            return
        store = self._store
        with store.reading() as connection:
            last = log.last_position(store, connection)
            touched = self._touched(connection, last)
        with self._lock:
            found = list(self._watched.values())
        for watched in found:
            try:
                watched.learn(store.schema, last)
            except CallsheetError as error:
                self._fail(watched, error)
            for position, roots in touched:
                watched.mark(position, roots)
        self._seen = last

    def _touched(self, connection: Connection, last: int) -> list[tuple[int, set[str]]]:
        """The root types of what commits changed, by position; everything at the first time."""
        store, found = self._store, []
        if self._seen < 0:
            return [(last, set(store.tables))]
        after = self._seen
        while commits := log.touched_by_commits(store, connection, after):
            for position, entities in commits:
                found.append((position, {store.schema.types[kind].root for kind, _, _ in entities}))
            after = commits[-1][0]
        changes = store.table("_table_change")
        numbers = set(connection.execute(select(changes.c.number).where(changes.c.position > self._seen)).scalars())
        if numbers:
            found.append((last, {each.name for each in store.user_tables.values() if each.number in numbers}))
        return found

    def _next(self) -> WatchedQuestion | None:
        """The marked question whose answer is oldest."""
        now = monotonic()
        with self._lock:
            due = [each for each in self._watched.values() if each.due and each.retry_at <= now]
        return min(due, key=lambda each: each.newest.position, default=None)

    def _patience(self) -> float:
        with self._lock:
            due = [each.retry_at for each in self._watched.values() if each.due]
        return min(IDLE, max(0.001, min(due) - monotonic())) if due else IDLE

    def _renew(self, watched: WatchedQuestion) -> None:
        """Ask a question again, with the rights of one of its readers, and wake those."""
        reader = self._entitled(watched)
        if reader is None:
            watched.retry_at = monotonic() + RETRY
            return
        began = monotonic()
        try:
            with watched.lock:
                others = watched.due and self._ask(watched, reader)
        except Unavailable:
            watched.retry_at = monotonic() + RETRY
            return
        except CallsheetError as error:
            self._fail(watched, error)
            return
        except Exception:
            _log.exception("a watched question cannot be asked")
            self._fail(watched, ServerError("the watched question could not be asked; the server's log says why"))
            return
        watched.retry_at = monotonic() + COOLING * (monotonic() - began)
        if others:
            _ring(watched)

    def _ask(self, watched: WatchedQuestion, reader: QuestionReader) -> bool:
        self.asked += 1
        return watched.ask(reader.answer)

    def _entitled(self, watched: WatchedQuestion) -> QuestionReader | None:
        """A reader that still has the rights that the answer is for; the others are woken, and go."""
        for reader in list(watched.readers):
            try:
                if reader.access().audience == watched.audience:
                    return reader
            except CallsheetError:
                pass
            reader.ring()
        return None

    def _fail(self, watched: WatchedQuestion, error: CallsheetError) -> None:
        watched.error = error
        with self._lock:
            # Who asks it again gets another one.
            self._watched.pop(watched.key, None)
        _ring(watched)


def _ring(watched: WatchedQuestion) -> None:
    for reader in list(watched.readers):
        reader.ring()


def _check(question: Question) -> None:
    if question.at is not None or question.scenario is not None or question.explain:
        raise Invalid("a watched question is of the present: it has no position, no scenario and no explanation")
