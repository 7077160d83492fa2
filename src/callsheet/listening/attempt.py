"""One attempt to handle one event: a fresh session, the handler, and its commit with the checkpoint in it.

What can go wrong, and the consequence:

- The handler, or the commit of its changes, raises: nothing was done. The event is retried later, or becomes a dead
  letter after the last attempt.
- The commit has no reply: it may have been applied. The same commit is sent until there is a reply, which is safe.
- The commit is refused because another worker has the event: nothing was done, and the other worker handles it.
- The commit is in conflict, because another commit changed what the handler read. Nothing was done, and the handler is
  called again at once, with fresh values. Only after several conflicts does the attempt fail.
- The event is the end of a long chain of handlers that react to each other: it becomes a dead letter unhandled, because
  such a chain may be endless. The id of a handler's commit has the length of the chain.
- The handler exceeds its timeout: its station reports that as a failure (``station.py``). A later commit of this
  attempt is refused by the server, or here if the server does not fence attempts.
- The server is unreachable, or refuses the report of a failure: the report is sent again, at increasing intervals,
  until the lease expires. Then the event is leased again.

Every exception of a handler is a failure of that attempt, also `SystemExit` and `KeyboardInterrupt`, because Python
raises a real Ctrl-C in the main thread, and handlers run in others. So a handler cannot end its worker.
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
from callsheet.model.operation import handler_origin
from callsheet.session.blocking import Session

__all__ = ["OUTCOMES", "Outcome", "Supervision", "answered", "attempt", "note_outcome", "report"]

#: The outcomes of an attempt: handled; failed, with a retry; failed finally; taken by another worker; interrupted.
OUTCOMES = ("handled", "failed", "dead", "overtaken", "interrupted")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
CONFLICTS = 10
_UNREPORTED = FailureText("the attempt failed; the server refused the text of its error", "")
_COMMIT = re.compile(r"handler:.*:[0-9a-f]{32}:(\d{1,9})", re.DOTALL)

log = logging.getLogger("callsheet.listening")


@frozen
class Outcome:
    """The outcome of an attempt; ``error`` is the text of the handler's exception."""

    kind: str
    commit_id: str | None = None
    operations: int = 0
    seconds: float = 0.0
    error: str = ""


@define(eq=False)
class Supervision:
    """The state that an attempt and its supervisor share.

    ``stopping``: the process stops. ``given_up``: the attempt exceeded its timeout, and its failure was reported.
    ``in_doubt``: the commit was sent and has no reply yet, so the time is no longer the handler's.
    """

    stopping: Flag = field(factory=Flag)
    given_up: Flag = field(factory=Flag)
    in_doubt: bool = False


def answered(event: Event) -> int:
    """The length of the chain of handlers' commits that led to this event; 0 if a person caused it.

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
    """Handle an event; returns the outcome and never raises. A failed attempt has no effect."""
    start = time.perf_counter()
    try:
        kind, result, operations, error = _handle(handler, claimed, session, queue, supervision or Supervision())
    except BaseException as lost:
        # The failure could not be reported either.
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
    """Random seconds to wait after a conflict, so that the same commits do not conflict again."""
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**number / 4))


def _try(
    handler: Declared,
    claimed: Claimed,
    session: Session,
    queue: WorkQueue,
    supervision: Supervision,
    number: int,
) -> tuple[str, CommitResult | None, int, str]:
    """Call the handler and commit. Raises `ConflictError` only if the final commit is in conflict."""
    fork = _fork(claimed, session, queue, number)
    try:
        _check_result(handler.call(claimed.event, fork))
        assert fork.errand is not None
        fork.errand.running = False
        if supervision.given_up.is_set():
            return "overtaken", None, 0, f"it ended after its {handler.timeout:g} seconds; its changes were dropped"
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
    """Raise `UsageError` if the handler returned a coroutine or a generator."""
    if kind := deferred(result):
        abandon(result)
        raise UsageError(
            f"the handler returned {kind}, so its work was not done: a handler is an ordinary function, "
            "without `async`, `await` and `yield`"
        )


def _fork(claimed: Claimed, session: Session, queue: WorkQueue, number: int) -> Session:
    """The session of one attempt; ``number`` counts its repetitions after conflicts."""
    fork = session.fork()
    fork.origin = handler_origin(claimed.handler)
    effect = claimed.effect if queue.joined else None
    commit_id = _commit_id(claimed, queue.joined, number)
    fork.errand = Errand(commit_id, effect, repeated=claimed.attempt + claimed.failures > 1)
    if not queue.joined:
        fork.unit.new_key = key_maker(claimed.handler, claimed.event.id)
    return fork


def _commit_id(claimed: Claimed, joined: bool, number: int) -> str:
    """The commit id: derived from the event, and if the server fences attempts, from the lease of this one."""
    seed = f"{claimed.handler}\n{claimed.event.id}\n{claimed.lease if joined else ''}"
    if joined and number:
        seed += f"\n{number}"
    digest = hashlib.sha256(seed.encode()).hexdigest()[:32]
    return f"handler:{claimed.handler[:60]}:{digest}:{answered(claimed.event) + 1}"


def _commit(fork: Session, supervision: Supervision) -> CommitResult | None:
    """Commit; without a reply, send the same again until there is one, or until the process stops."""
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
    """Report a failure to the server. A failure caused by an unreachable server never makes a dead letter."""
    failures = claimed.failures + 1
    away = _is_away(error)
    delay = handler.wait(failures) if away else handler.pause(failures)
    if not report(claimed, queue, failure_of(error), delay, stopping):
        return "overtaken"
    return "dead" if delay is None else "failed"


def report(claimed: Claimed, queue: WorkQueue, failure: FailureText, delay: float | None, stopping: Flag) -> bool:
    """Report a failure to the server; returns whether this worker still had the event.

    A refused report is sent again without the texts, one without a reply unchanged, until the lease expires; then the
    last error is raised.
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
    """Whether the cause is that the server is unreachable."""
    return _cause(error, TransportError) or _cause(error, Unavailable)


def _cause(error: BaseException | None, kind: type[CallsheetError]) -> bool:
    """Whether an error is of this class, or was raised from one that is."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, kind):
            return True
        seen.add(id(error))
        error = error.__cause__
    return False


_LEVELS: dict[str, Callable[..., Any]] = {"handled": log.info, "dead": log.error}


def note_outcome(claimed: Claimed, outcome: Outcome) -> None:
    """Log the outcome of an attempt."""
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
