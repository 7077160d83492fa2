"""Sending a change set so that it is done once, and telling apart what was done, was refused, or is in doubt.

A change set larger than one request may hold is *staged*: its parts are sent ahead under the commit id and
kept by the server, and the last request applies all of them in one transaction. So a commit of any size is
atomic, and each of its requests may be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from callsheet.core.core import Core
from callsheet.core.meter import Meter
from callsheet.core.parts import split
from callsheet.dialects.protocol import CommitResult, VerifyingDialect
from callsheet.errors import CommitError, Conflict, ConflictError, Forbidden, ServerError, Unauthorised
from callsheet.flow import Flow
from callsheet.model.operation import Change, ChangeSet, Operation, OperationOutcome
from callsheet.model.record import Identity

__all__ = ["check_size", "deliver", "explain", "in_doubt", "is_final", "send", "verify"]


def deliver(core: Core, changes: ChangeSet, again: bool, meter: Meter | None = None) -> Flow[CommitResult]:
    """Send a change set such that it is done once, however often this is called with it.

    A server that knows commit ids sees to it. With any other, what may have been done before (``again``) is
    looked up first, and once more where sending it again is refused: it may have come through meanwhile.
    """
    meter = meter or Meter()
    if not again or core.features.commit_ids:
        return (yield from send(core, changes, meter))
    done = yield from verify(core, changes)
    if done is not None:
        return done
    try:
        return (yield from send(core, changes, meter))
    except ServerError as error:
        if not is_final(core, error, again):
            raise
        done = yield from verify(core, changes)
        if done is None:
            raise
        return done


def verify(core: Core, changes: ChangeSet) -> Flow[CommitResult | None]:
    """The result of a change set that was done, as far as it can be seen; None where it was not."""
    if not isinstance(core._dialect, VerifyingDialect):
        return None
    core.statistics.count("verify")
    return (yield from core._dialect.verify(changes))


def is_final(core: Core, error: ServerError, again: bool) -> bool:
    """Whether the refusal is the server's own, and says that the commit was not done and will not be.

    A client whose key is refused does not learn what became of a commit that was sent before (``again``): with
    the right key it can be sent again. A server that forbids one of the operations has looked for the commit first; on
    one without commit ids it was verified before.
    """
    if again and isinstance(error, Unauthorised):
        return False
    if again and isinstance(error, Forbidden) and core.features.commit_ids and error.operation is None:
        return False
    return error.status < 500


def in_doubt(error: Exception, changes: ChangeSet) -> CommitError:
    return CommitError(
        f"no answer to commit {changes.commit_id}: {error}; it may have been done or not. `commit()` sends the "
        "same again, which is safe: it is done once"
    )


def check_size(core: Core, operations: int) -> None:
    """Raise `CommitError` for more operations than the server does in one transaction, before anything is sent."""
    most = core.features.commit_operations
    if core.features.atomic and core.features.staging and operations > most:
        raise CommitError(
            f"this commit has {operations:,} operations, and the server does {most:,} in one transaction; nothing was "
            "sent. Commit more often, say every 50,000 operations; a plan goes in several commits with "
            "`plan.apply(atomic=False)`"
        )


def send(core: Core, changes: ChangeSet, meter: Meter) -> Flow[CommitResult]:
    """Send a change set, staged in parts where it is too large for one request."""
    parts = list(split(changes.operations, core.features.operations, core.features.bytes))
    if len(parts) == 1:
        core.statistics.count("commit")
        result = yield from core._dialect.commit(changes)
        yield from meter.report(len(changes.operations))
        return result
    if not core.features.staging:
        raise CommitError(
            f"the server takes {core.features.operations} operations at once and this commit has "
            f"{len(changes.operations)}; commit more often"
        )
    staged = 0
    for number, part in enumerate(parts):
        core.statistics.count("stage")
        yield from core._dialect.stage(changes.commit_id, number, part)
        staged += len(part)
        if staged < len(changes.operations):
            yield from meter.report(staged)
    yield from meter.applying()
    core.statistics.count("commit")
    result = yield from core._dialect.commit(evolve(changes, operations=(), parts=len(parts)))
    yield from meter.report(len(changes.operations))
    return result


def explain(
    error: ServerError,
    operations: Sequence[Operation],
    outcomes: tuple[OperationOutcome, ...] = (),
    rest: str = "; everything is still pending",
) -> CommitError:
    """The server's refusal, with the operation it is about; ``rest`` says what becomes of the others."""
    index = error.operation
    operation = operations[index] if index is not None and 0 <= index < len(operations) else None
    facts: dict[str, Any] = {
        "operation": operation,
        "index": index if operation is not None else None,
        "entity": operation.identity if operation is not None else error.entity,
        "attribute": error.attribute,
        "outcomes": outcomes,
    }
    where = ""
    if operation is not None:
        kind = type(operation).__name__.lower()
        place = "" if str(error).startswith("operation ") else f"operation {index}: "
        where = f" ({place}{kind} {operation.identity.entity_type} {operation.identity.key})"
    done = sum(outcome.state == "done" for outcome in outcomes)
    if done:
        message = f"{done} of {len(outcomes)} operations were done, then: {error}{where}; the others are still pending"
    else:
        message = f"nothing was committed: {error}{where}{rest}"
    if isinstance(error, Conflict):
        changes = tuple(
            Change(Identity(*each["entity"]), each["attribute"], each["base"], each["ours"], each["theirs"])
            for each in error.details.get("conflicts", ())
        )
        return ConflictError(message + "".join(map(_conflict_line, changes[:5])), conflicts=changes, **facts)
    return CommitError(message, **facts)


def _conflict_line(change: Change) -> str:
    """A line on one value in conflict."""
    base, ours, theirs = (f"{value!r:.60}" for value in (change.base, change.ours, change.theirs))
    if not change.attribute:
        return f"\n  {change.identity.entity_type} {change.identity.key}: deleted here, changed there"
    return f"\n  {change.identity.entity_type}.{change.attribute}: was {base}, here {ours}, there {theirs}"
