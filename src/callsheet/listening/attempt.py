"""One attempt to handle one event: a fresh session, the handler, its commit with the checkpoint in it.

What can go wrong, and what follows from it:

- The handler, or the commit of its changes, raises: nothing was done, and the event is tried again later, or is
  put to the dead letters after the last attempt.
- No answer comes to the commit: it may have been done. The same is sent until an answer comes, which is safe.
- The commit is refused because the event is another's by now: nothing was done, and somebody else sees to it.
- The commit is in conflict: what the handler read and wrote over is not there any more. Nothing was done, and the
  handler is called again at once, on fresh values. Only if that comes to nothing several times is it a failure.
- The event is the end of a long chain of handlers that answered one another: it is put to the dead letters unhandled,
  since such a chain may have no end. How long it is, the id of a handler's commit says.
- The handler does not end in its time: its station reports that as a failure (``station.py``). What it would still
  commit is refused by the server, or here where the server does not fence attempts off from each other.
- The server is away, or refuses the report of a failure: the report is sent again, less and less often, for as long
  as the lease lasts. Then the lease runs out, and the event is given to somebody again.

Whatever a handler raises is a failure of that attempt: `SystemExit` and `KeyboardInterrupt` too, since Python raises
a real Ctrl-C in the main thread and handlers run in others. So nothing a handler does ends its worker.
"""

from __future__ import annotations

import hashlib
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from threading import Event as Flag
from typing import Any

from attrs import define, field, frozen

from callsheet.core.errand import Errand
from callsheet.deferred import abandon, deferred
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import (
    AlreadyHandled,
    CallsheetError,
    CommitError,
    ConflictError,
    TransportError,
    Unavailable,
    UsageError,
)
from callsheet.failure import FailureText, failure_of
from callsheet.listening.declaration import Declared
from callsheet.listening.keys import key_maker
from callsheet.listening.work import Claimed, WorkQueue
from callsheet.model.event import Event
from callsheet.session.blocking import Session

__all__ = ["OUTCOMES", "Outcome", "Supervision", "answered", "attempt", "note_outcome", "origin_of", "report"]

#: What an attempt can come to: handled; failed and to be tried again; failed for good; another's by now; cut off.
OUTCOMES = ("handled", "failed", "dead", "overtaken", "interrupted")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
CONFLICTS = 10
_UNREPORTED = FailureText("the attempt failed; the server refused the text of its error", "")
_COMMIT = re.compile(r"handler:.*:[0-9a-f]{32}:(\d{1,9})", re.DOTALL)

log = logging.getLogger("callsheet.listening")


@frozen
class Outcome:
    """What became of an attempt; ``error`` is what a handler raised."""

    kind: str
    commit_id: str | None = None
    operations: int = 0
    seconds: float = 0.0
    error: str = ""


@define(eq=False)
class Supervision:
    """What the supervisor of an attempt and the attempt let each other know.

    ``stopping``: the process is to end. ``given_up``: the attempt took too long, and its failure has been reported.
    ``in_doubt``: the commit was sent and has no answer yet, so that the handler is no longer what takes time.
    """

    stopping: Flag = field(factory=Flag)
    given_up: Flag = field(factory=Flag)
    in_doubt: bool = False


def origin_of(handler: str) -> str:
    """The origin of the commits that a handler makes."""
    return f"handler:{handler}"


def answered(event: Event) -> int:
    """How many commits of handlers, each an answer to the one before, led to this event; 0 where a person did.

    >>> answered(Event("callsheet.update", {"commit_id": f"handler:roll-up:{32 * 'a'}:3"}))
    3
    >>> answered(Event("callsheet.update", {"commit_id": "01a1"})), answered(Event("studio.done"))
    (0, 0)
    """
    commit_id = event.data.get("commit_id") if isinstance(event.data, Mapping) else None
    found = _COMMIT.fullmatch(commit_id) if isinstance(commit_id, str) else None
    return int(found[1]) if found else 0


def attempt(
    handler: Declared,
    claimed: Claimed,
    session: Session,
    queue: WorkQueue,
    supervision: Supervision | None = None,
) -> Outcome:
    """Handle an event and say what became of it; it raises nothing, and nothing of a failed attempt is done."""
    start = time.perf_counter()
    try:
        kind, result, operations, error = _handle(handler, claimed, session, queue, supervision or Supervision())
    except BaseException as lost:
        # Not even that it failed could be told.
        kind, result, operations, error = "interrupted", None, 0, failure_of(lost).error
    commit_id = None if result is None else result.commit_id
    outcome = Outcome(kind, commit_id, operations, time.perf_counter() - start, error)
    note_outcome(claimed, outcome)
    return outcome


def _handle(
    handler: Declared, claimed: Claimed, session: Session, queue: WorkQueue, supervision: Supervision
) -> tuple[str, CommitResult | None, int, str]:
    if (links := answered(claimed.event)) > handler.chain:
        reason = f"{links} commits of handlers, each an answer to the one before, led to this event"
        reason += f": more than the {handler.chain} of `chain`; handlers that answer each other may have no end"
        return "dead" if queue.fail(claimed, reason, reason, None) else "overtaken", None, 0, reason
    for number in range(CONFLICTS):
        try:
            return _try(handler, claimed, session, queue, supervision, number)
        except ConflictError as error:
            failure = failure_of(error)
            if number == CONFLICTS - 1:
                return _report(handler, claimed, queue, error, supervision.stopping), None, 0, failure.error
        log.info("%s: event %s again: %s", claimed.handler, claimed.event.id, failure.error)
        if supervision.stopping.wait(_pause(number)):
            queue.release(claimed)
            return "interrupted", None, 0, failure.error
        if supervision.given_up.is_set():
            return "overtaken", None, 0, failure.error
    raise AssertionError("the last try returns")


def _pause(number: int) -> float:
    """Seconds to wait after a conflict, so that those who met do not meet again."""
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**number / 4))


def _try(
    handler: Declared,
    claimed: Claimed,
    session: Session,
    queue: WorkQueue,
    supervision: Supervision,
    number: int,
) -> tuple[str, CommitResult | None, int, str]:
    """Call the handler and commit. Raises `ConflictError` where the commit, and nothing else, is in conflict."""
    fork = _fork(claimed, session, queue, number)
    try:
        _check_result(handler.call(claimed.event, fork))
        assert fork.errand is not None
        fork.errand.running = False
        if supervision.given_up.is_set():
            return "overtaken", None, 0, f"it ended after its {handler.timeout:g} seconds; nothing of it was done"
        operations = len(fork.errand.operations) + len(fork.pending)
        result = _commit(fork, supervision)
        if result is None or not queue.joined:
            queue.settle(claimed)
        return "handled", result, operations, ""
    except BaseException as error:
        failure = failure_of(error)
        if fork.unit.doubtful is not None:
            return "interrupted", None, 0, failure.error
        if _cause(error, AlreadyHandled):
            return "overtaken", None, 0, failure.error
        if isinstance(error, ConflictError) and fork.errand is not None and not fork.errand.running:
            raise
        return _report(handler, claimed, queue, error, supervision.stopping), None, 0, failure.error
    finally:
        fork.close()


def _check_result(result: Any) -> None:
    """Raise `UsageError` for what a handler returns instead of doing its work."""
    if kind := deferred(result):
        abandon(result)
        raise UsageError(
            f"the handler returned {kind}, so its work was not done: a handler is an ordinary function, "
            "without `async`, `await` and `yield`"
        )


def _fork(claimed: Claimed, session: Session, queue: WorkQueue, number: int) -> Session:
    """The session of one attempt, or of its repetition after so many conflicts."""
    fork = session.fork()
    fork.origin = origin_of(claimed.handler)
    effect = claimed.effect if queue.joined else None
    commit_id = _commit_id(claimed, queue.joined, number)
    fork.errand = Errand(commit_id, effect, repeated=claimed.attempt + claimed.failures > 1)
    if not queue.joined:
        fork.unit.new_key = key_maker(claimed.handler, claimed.event.id)
    return fork


def _commit_id(claimed: Claimed, joined: bool, number: int) -> str:
    """The id of the commit: of the event, and where the server fences attempts off from each other, of this one."""
    told = f"{claimed.handler}\n{claimed.event.id}\n{claimed.lease if joined else ''}"
    if joined and number:
        told += f"\n{number}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:32]
    return f"handler:{claimed.handler[:60]}:{digest}:{answered(claimed.event) + 1}"


def _commit(fork: Session, supervision: Supervision) -> CommitResult | None:
    """Commit, and where no answer comes, send the same again until one does, or the process is to stop."""
    pause = FIRST_PAUSE
    while True:
        try:
            return fork.commit()
        except CommitError:
            supervision.in_doubt = fork.unit.doubtful is not None
            if not supervision.in_doubt or supervision.stopping.wait(pause):
                raise
            pause = min(LONGEST_PAUSE, pause * 2)


def _report(handler: Declared, claimed: Claimed, queue: WorkQueue, error: BaseException, stopping: Flag) -> str:
    """Report a failure to the server. What the server's absence brought about is never the end of an event."""
    failures = claimed.failures + 1
    away = _is_away(error)
    delay = handler.wait(failures) if away else handler.pause(failures)
    if not report(claimed, queue, failure_of(error), delay, stopping):
        return "overtaken"
    return "dead" if delay is None else "failed"


def report(claimed: Claimed, queue: WorkQueue, failure: FailureText, delay: float | None, stopping: Flag) -> bool:
    """Have the server note a failure; whether the event was still this worker's.

    A report that is refused is sent again without the texts, one without an answer as it is, for as long as the lease
    lasts; then what kept it from the server is raised.
    """
    end, pause = time.monotonic() + queue.lease, FIRST_PAUSE
    while True:
        try:
            return queue.fail(claimed, failure.error, failure.traceback, delay)
        except Exception as refused:
            if not _is_away(refused) and failure is not _UNREPORTED:
                log.warning("%s: the report of a failure was refused: %s", claimed.handler, failure_of(refused).error)
                failure = _UNREPORTED
            if time.monotonic() + pause > end or stopping.wait(pause):
                raise
            pause = min(LONGEST_PAUSE, pause * 2)


def _is_away(error: BaseException) -> bool:
    """Whether the server's absence is the reason."""
    return _cause(error, TransportError) or _cause(error, Unavailable)


def _cause(error: BaseException | None, kind: type[CallsheetError]) -> bool:
    """Whether an error is of this kind, or was raised from one that is."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, kind):
            return True
        seen.add(id(error))
        error = error.__cause__
    return False


_LEVELS: dict[str, Callable[..., Any]] = {"handled": log.info, "dead": log.error}


def note_outcome(claimed: Claimed, outcome: Outcome) -> None:
    """Write what became of an attempt to the log."""
    facts = {
        "handler": claimed.handler,
        "event_id": claimed.event.id,
        "position": str(claimed.place),
        "commit_id": outcome.commit_id,
        "attempt": claimed.attempt,
        "outcome": outcome.kind,
        "seconds": round(outcome.seconds, 6),
    }
    if outcome.error:
        facts["error"] = outcome.error
    say = _LEVELS.get(outcome.kind, log.warning)
    say(
        "%s: event %s %s%s",
        claimed.handler,
        claimed.event.id,
        outcome.kind,
        f" ({outcome.error})" if outcome.error else f", commit {outcome.commit_id}" if outcome.commit_id else "",
        extra={"facts": facts},
    )
