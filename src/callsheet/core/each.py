"""Commits to a server without transactions: one operation after the other, with an outcome for each.

Theory. Where a server does operations one by one, a commit can be done in part. So each operation is sent as a
change set of its own, under an id made of the commit's id and its place: it is done or not, and whichever way the
sending of a single change set is made safe (commit ids, verification) makes each operation safe. The journal notes an
operation as sent before it goes, and as done when its answer has come. What is not noted was never sent; what is
noted as sent and not answered is looked up before it is sent again; where the server cannot tell, it is *unknown*,
and is never sent again without a decision (``settlement.py``).
"""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

from attrs import define, evolve, field

from callsheet.core.core import Core
from callsheet.core.meter import Meter
from callsheet.core.sending import deliver, explain, is_final
from callsheet.dialects.protocol import CommitResult, VerifyingDialect
from callsheet.errors import CommitError, ServerError, TransportError, UsageError
from callsheet.flow import Flow, Work
from callsheet.model.operation import ChangeSet, Operation, OperationOutcome
from callsheet.model.record import Identity

__all__ = ["CommitProgress", "deliver_each", "keep_the_rest", "progress_of", "send_each"]

DONE, REFUSED, UNKNOWN, NOT_SENT = "done", "refused", "unknown", "not sent"


@define
class CommitProgress:
    """How far a commit has come: state and reason of each operation by place, and the answers that came."""

    changes: ChangeSet
    states: dict[int, tuple[str, str]] = field(factory=dict)
    results: dict[int, CommitResult] = field(factory=dict)

    def state(self, place: int) -> str:
        return self.states.get(place, (NOT_SENT, ""))[0]

    def outcomes(self) -> tuple[OperationOutcome, ...]:
        """The outcome of each operation."""
        each = enumerate(self.changes.operations)
        return tuple(OperationOutcome(operation, *self.states.get(place, (NOT_SENT, ""))) for place, operation in each)

    def left(self) -> list[Operation]:
        """The operations that are not known to be done."""
        return [outcome.operation for outcome in self.outcomes() if outcome.state != DONE]

    def versions(self) -> dict[Identity, int | None]:
        """The versions that the answers gave."""
        return {
            operation.identity: self.results[place].versions[0]
            for place, operation in enumerate(self.changes.operations)
            if place in self.results and self.results[place].versions
        }

    def summary(self) -> str:
        """How many operations are in which state, in words."""
        states = [outcome.state for outcome in self.outcomes()]
        counts = {state: states.count(state) for state in (DONE, REFUSED, UNKNOWN, NOT_SENT)}
        return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


def progress_of(core: Core, changes: ChangeSet) -> CommitProgress:
    """The progress of the commit of this session that is under way or in doubt."""
    if core.progress is None or core.progress.changes is not changes:
        core.progress = CommitProgress(changes)
    found: CommitProgress = core.progress
    return found


def send_each(core: Core, changes: ChangeSet, meter: Meter) -> Flow[CommitResult]:
    """Send a commit of this session; where an operation is refused, what was done is settled and the rest stays."""
    core.unit.doubtful = changes
    progress = progress_of(core, changes)
    try:
        return (yield from deliver_each(core, progress, meter))
    except TransportError as error:
        raise _undecided(progress, error) from error
    except ServerError as error:
        if not _refused(progress):
            raise _undecided(progress, error) from error
        yield from _end(core, progress)
        raise explain(error, changes.operations, progress.outcomes()) from error
    except (CommitError, UsageError):
        if _refused(progress):
            yield from _end(core, progress)
        raise


def deliver_each(core: Core, progress: CommitProgress, meter: Meter | None = None) -> Flow[CommitResult]:
    """Send what is not done yet, in order, up to the first refusal; raises what the server raises there."""
    for place in range(len(progress.changes.operations)):
        if progress.state(place) != DONE:
            yield from _deliver_one(core, progress, place)
        if meter is not None:
            yield from meter.report(place + 1)
    return _joined(progress)


def _deliver_one(core: Core, progress: CommitProgress, place: int) -> Flow[None]:
    changes = progress.changes
    operation = changes.operations[place]
    single = evolve(
        changes, commit_id=str(uuid5(NAMESPACE_OID, f"{changes.commit_id}/{place}")), operations=(operation,), parts=0
    )
    again = progress.state(place) == UNKNOWN
    if again and not core.features.commit_ids and not isinstance(core._dialect, VerifyingDialect):
        raise _undecided(progress, None)
    if not again:
        yield from _note(core, progress, place, UNKNOWN)
    try:
        progress.results[place] = yield from deliver(core, single, again)
    except ServerError as error:
        if is_final(core, error, again):
            error.operation = place
            yield from _note(core, progress, place, REFUSED, str(error))
        raise
    except (CommitError, UsageError) as error:
        # Nothing was sent: the server's language cannot say it.
        yield from _note(core, progress, place, REFUSED, str(error))
        raise
    progress.states[place] = (DONE, "")
    yield from _note(core, progress, place, DONE)


def _note(core: Core, progress: CommitProgress, place: int, state: str, reason: str = "") -> Flow[None]:
    """Write a state to the journal, then count on it."""
    if core.journal is not None:
        journal, commit_id = core.journal, progress.changes.commit_id
        yield Work(lambda: journal.note(commit_id, {place: (state, reason)}))
    progress.states[place] = (state, reason)


def _refused(progress: CommitProgress) -> bool:
    return any(state == REFUSED for state, _ in progress.states.values())


def _end(core: Core, progress: CommitProgress) -> Flow[None]:
    """The outcome of each operation is known."""
    if core.journal is not None:
        journal = core.journal
        yield Work(lambda: journal.finish(progress.changes.commit_id))
    keep_the_rest(core, progress)


def keep_the_rest(core: Core, progress: CommitProgress) -> None:
    """Settle what was done; the other operations are pending as before, and go with the next commit."""
    core.unit.doubtful, core.progress = None, None
    core.group(core.unit.settle_done(progress.left(), progress.versions()))


def _joined(progress: CommitProgress) -> CommitResult:
    """One result of all replies; operations done in an earlier attempt have no version here."""
    count = len(progress.changes.operations)
    results = [progress.results.get(place) for place in range(count)]
    known = [result for result in results if result is not None]
    versions = [result.versions[0] if result is not None and result.versions else None for result in results]
    merged = [place for place, result in enumerate(results) if result is not None and result.merged]
    deleted = [identity for result in known for identity in result.deleted]
    touched = [each for result in known for each in result.touched]
    last = known[-1]
    return evolve(
        last,
        commit_id=progress.changes.commit_id,
        versions=versions,
        merged=merged,
        deleted=deleted,
        touched=touched,
        replayed=all(result.replayed for result in known),
    )


def _undecided(progress: CommitProgress, error: Exception | None) -> CommitError:
    unknown = next((place for place, (state, _) in progress.states.items() if state == UNKNOWN), None)
    facts: dict[str, Any] = {"outcomes": progress.outcomes(), "index": unknown}
    if unknown is not None:
        operation = progress.changes.operations[unknown]
        facts |= {"operation": operation, "entity": operation.identity}
    cause = (
        f"no answer ({error}); `commit()` looks it up and goes on"
        if error is not None
        else (
            "no answer came to an operation, and this server cannot tell whether it was done; look yourself, then "
            "`abandon()` keeps what is not done pending"
        )
    )
    return CommitError(f"commit {progress.changes.commit_id} is done in part ({progress.summary()}): {cause}", **facts)
