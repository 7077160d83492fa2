"""Committing: compress, send once, settle.

A change set larger than one request may hold is *staged*: its parts are sent ahead under the commit id and
kept by the server, and the last request applies all of them in one transaction. So a commit of any size is
atomic, and each of its requests may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve, frozen

from callsheet.core.announcements import tell
from callsheet.dialects.protocol import CommitResult, VerifyingDialect
from callsheet.errors import (
    CommitError,
    Conflict,
    ConflictError,
    Forbidden,
    ServerError,
    StateError,
    TransportError,
    Unauthorised,
    UsageError,
)
from callsheet.events.topics import AFTER_COMMIT, BEFORE_COMMIT
from callsheet.flow import Flow, Work
from callsheet.model.operation import Change, ChangeSet, Delete, Operation, Update
from callsheet.model.record import Identity, new_key

if TYPE_CHECKING:
    from callsheet.core.state import Core

__all__ = ["JournalProtocol", "Resumed", "commit", "resume", "send_alone"]

POLICIES = ("raise", "ours", "theirs")


class JournalProtocol(Protocol):
    """What the core needs of a journal (``transport/journal.py``)."""

    def write(self, changes: ChangeSet) -> None: ...

    def finish(self, commit_id: str) -> None: ...

    def refuse(self, commit_id: str, reason: str) -> None: ...

    def unfinished(self) -> list[Any]: ...

    def left_behind(self) -> list[Any]: ...

    def close(self) -> None: ...


@frozen
class Resumed:
    """What became of a commit found in a journal: ``outcome`` is one of finished now, had finished, refused."""

    commit_id: str
    outcome: str
    operations: tuple[Operation, ...]
    result: CommitResult | None = None
    reason: str = ""


def commit(core: Core, conflicts: str | None = None) -> Flow[CommitResult | None]:
    """Send everything pending as one atomic batch; None when there was nothing to send.

    ``conflicts`` says what happens where somebody else changed a value since it was read: ``"raise"`` a
    `ConflictError`, or let ``"ours"`` or ``"theirs"`` stand. On any error nothing local changes.

    When no answer comes, nobody knows whether the commit was done. It is kept as *in doubt*, and the next
    ``commit()`` sends the very same again, which is safe; until then nothing else can be recorded.
    """
    policy = conflicts or core.conflicts
    if policy not in POLICIES:
        raise UsageError(f"conflicts is one of {', '.join(POLICIES)}, not {policy!r}")
    core.check_present()
    errand = core.errand
    if errand is not None and errand.running:
        raise StateError("what a handler changes is committed for it, with its checkpoint, after it returns")
    unit = core.unit
    unit.check_thread()
    changes = unit.doubtful
    again = changes is not None
    if changes is None:
        operations = core.pending
        if operations and core.hub.wants(BEFORE_COMMIT):
            operations = yield from _asked(core)
        if not operations:
            _settle(core, operations, None)
            return None
        changes = ChangeSet(new_key(), operations, policy=policy, origin=core.origin)
        if errand is not None:
            changes, again = evolve(changes, commit_id=errand.commit_id, effect=errand.effect), errand.repeated
        if core.journal is not None:
            yield from _write_ahead(core, core.journal, changes)
    result = yield from _send_and_learn(core, changes, again)
    core.statistics.commits += 1
    core.statistics.operations += len(changes.operations)
    _settle(core, changes.operations, result)
    if core.hub.wants(AFTER_COMMIT):
        yield from tell(core, AFTER_COMMIT, result=result, operations=changes.operations)
    return result


def _asked(core: Core) -> Flow[tuple[Operation, ...]]:
    """What is pending after those who want to know of commits have had their say."""
    if core.asking:
        raise StateError("a commit is about to be sent; what is changed now goes with it, without another commit")
    core.asking = True
    try:
        yield from tell(core, BEFORE_COMMIT, raises=(UsageError,))
    finally:
        core.asking = False
    return core.pending


def _send_and_learn(core: Core, changes: ChangeSet, again: bool = False) -> Flow[CommitResult]:
    """Send, and know afterwards whether it was done, was refused, or is in doubt."""
    unit = core.unit
    unit.doubtful = changes
    try:
        result = yield from _deliver(core, changes, again)
    except ServerError as error:
        if not _is_final(core, error, again):
            raise _in_doubt(error, changes) from error
        yield from _finish(core, changes)
        raise _explain(error, changes.operations) from error
    except TransportError as error:
        raise _in_doubt(error, changes) from error
    except (CommitError, UsageError):
        # Nothing was sent: it is too large, or holds what the server's language cannot say.
        if not again:
            yield from _finish(core, changes)
        raise
    yield from _finish(core, changes)
    return result


def _deliver(core: Core, changes: ChangeSet, again: bool) -> Flow[CommitResult]:
    """Send a change set such that it is done once, however often this is called with it.

    A server that knows commit ids sees to it. With any other, what may have been done before (``again``) is
    looked up first, and once more where sending it again is refused: it may have come through meanwhile.
    """
    if not again or core.features.commit_ids:
        return (yield from send(core, changes))
    done = yield from _verify(core, changes)
    if done is not None:
        return done
    try:
        return (yield from send(core, changes))
    except ServerError as error:
        if not _is_final(core, error, again):
            raise
        done = yield from _verify(core, changes)
        if done is None:
            raise
        return done


def _verify(core: Core, changes: ChangeSet) -> Flow[CommitResult | None]:
    """The result of a change set that was done, as far as it can be seen; None where it was not."""
    if not isinstance(core._dialect, VerifyingDialect):
        return None
    core.statistics.count("verify")
    return (yield from core._dialect.verify(changes))


def _is_final(core: Core, error: ServerError, again: bool) -> bool:
    """Whether the refusal is the server's own, and says that the commit was not done and will not be.

    Who is not let in (any more) does not hear what became of a commit that was sent before (``again``): with
    the right key it will go. A server that forbids one of the operations has looked for the commit first; one
    without commit ids was asked before.
    """
    if again and isinstance(error, Unauthorised):
        return False
    if again and isinstance(error, Forbidden) and core.features.commit_ids and error.operation is None:
        return False
    return error.status < 500


def _in_doubt(error: Exception, changes: ChangeSet) -> CommitError:
    return CommitError(
        f"no answer to commit {changes.commit_id}: {error}; it may have been done or not. `commit()` sends the "
        "same again, which is safe: it is done once"
    )


def _finish(core: Core, changes: ChangeSet) -> Flow[None]:
    """The outcome is known. Where the journal cannot take that, all stays in doubt: sent again, it is known again."""
    if core.journal is not None:
        journal = core.journal
        yield Work(lambda: journal.finish(changes.commit_id))
    core.unit.doubtful = None


def _write_ahead(core: Core, journal: JournalProtocol, changes: ChangeSet) -> Flow[None]:
    if not core.journal_checked:
        left = yield Work(journal.left_behind)
        if left:
            raise StateError(
                f"the journal holds {len(left)} commits that an earlier session did not finish; "
                "`session.resume()` finishes them, then commit again"
            )
        core.journal_checked = True
    yield Work(lambda: journal.write(changes))


def resume(core: Core) -> Flow[list[Resumed]]:
    """Finish what the journal says was under way when an earlier session ended, in its order.

    Each is sent under its own commit id, so what had been done is not done again. What the server refuses
    stays in the journal with the reason and is not sent again.
    """
    if core.journal is None:
        raise UsageError("this session has no journal: Session(…, journal=PATH)")
    journal = core.journal
    if core.unit.doubtful is not None:
        raise StateError("the last commit of this session is in doubt; `commit()` sends it again")
    done: list[Resumed] = []
    for entry in (yield Work(journal.unfinished)):
        commit_id = entry.changes.commit_id
        try:
            result = yield from _deliver(core, entry.changes, again=True)
        except ServerError as error:
            if not _is_final(core, error, again=True):
                raise
            reason = str(_explain(error, entry.changes.operations))
            yield Work(partial(journal.refuse, commit_id, reason))
            done.append(Resumed(commit_id, "refused", entry.changes.operations, reason=reason))
            continue
        yield Work(partial(journal.finish, commit_id))
        outcome = "had finished" if result.replayed else "finished now"
        done.append(Resumed(commit_id, outcome, entry.changes.operations, result))
    core.journal_checked = True
    return done


def send(core: Core, changes: ChangeSet) -> Flow[CommitResult]:
    """Send a change set, staged in parts where it is too large for one request."""
    parts = list(_parts(changes.operations, core.features.operations, core.features.bytes))
    if len(parts) == 1:
        core.statistics.count("commit")
        return (yield from core._dialect.commit(changes))
    if not core.features.staging:
        raise CommitError(
            f"the server takes {core.features.operations} operations at once and this commit has "
            f"{len(changes.operations)}; commit more often"
        )
    for number, part in enumerate(parts):
        core.statistics.count("stage")
        yield from core._dialect.stage(changes.commit_id, number, part)
    core.statistics.count("commit")
    last = ChangeSet(changes.commit_id, (), len(parts), changes.policy, changes.origin, changes.effect)
    return (yield from core._dialect.commit(last))


def send_alone(core: Core, operations: Sequence[Operation], attempts: int = 3) -> Flow[CommitResult]:
    """Commit these operations and nothing that is pending. Raises what the server raises where it refuses.

    When no answer comes it is sent again, under the same commit id; `CommitError` says that it is still not known
    whether it was done.
    """
    core.check_present()
    if core.unit.doubtful is not None:
        raise StateError("the last commit of this session is in doubt; `commit()` sends it again")
    changes = ChangeSet(new_key(), tuple(operations), origin=core.origin)
    lost: Exception | None = None
    for number in range(attempts):
        try:
            result = yield from _deliver(core, changes, number > 0)
        except ServerError as error:
            if _is_final(core, error, number > 0):
                raise
            lost = error
        except TransportError as error:
            lost = error
        else:
            core.statistics.commits += 1
            core.statistics.operations += len(changes.operations)
            return result
    raise CommitError(f"no answer to commit {changes.commit_id}: {lost}; it may have been done or not") from lost


def _parts(operations: Sequence[Operation], count: int, size: int) -> Iterator[tuple[Operation, ...]]:
    """The operations in parts of at most so many, and at most so many bytes as estimated."""
    part: list[Operation] = []
    weight = 0
    for operation in operations:
        heavy = _weight(operation)
        if part and (len(part) >= count or weight + heavy > size * 3 // 4):
            yield tuple(part)
            part, weight = [], 0
        part.append(operation)
        weight += heavy
    yield tuple(part)


#: What takes no more than a hundred bytes, whatever its value.
_LIGHT = frozenset((int, float, bool, type(None), date, datetime, Identity))


def _weight(operation: Operation) -> int:
    """About how many bytes the operation has on the wire; more rather than less."""
    if isinstance(operation, Delete):
        return 120
    total = 120 + _cells_weight(operation.values)
    links = operation.added
    if isinstance(operation, Update):
        if operation.before:
            total += _cells_weight(operation.before)
        if operation.removed:
            links = {**links, **{f"-{name}": found for name, found in operation.removed.items()}}
    for name, found in links.items():
        total += len(name) + 100 * len(found)
    return total


def _cells_weight(values: Mapping[str, Any]) -> int:
    total = len("".join(values)) + 108 * len(values)
    for value in values.values():
        kind = type(value)
        if kind is str:
            total += 6 * len(value)
        elif kind not in _LIGHT:
            total += 6 * len(str(value))
    return total


def _settle(core: Core, operations: Sequence[Operation], result: CommitResult | None) -> None:
    versions: dict[Identity, int | None] = {}
    merged: list[Identity] = []
    if result is not None:
        for operation, version in zip(operations, result.versions):
            versions[operation.identity] = version
        merged = [operations[index].identity for index in result.merged]
    created = core.unit.settle(versions, merged)
    core.group(created)
    for touched in result.touched if result is not None else ():
        entity = core.identities.family(core.schema.types[touched.identity.entity_type].root).get(touched.identity.key)
        if entity is not None:
            core.unit.learn_touched(entity, touched.version, touched.emptied)
    for identity in result.deleted if result is not None else ():
        found = core.identities.family(core.schema.types[identity.entity_type].root).get(identity.key)
        if found is not None:
            core.unit.detach(found)


def _explain(error: ServerError, operations: Sequence[Operation]) -> CommitError:
    """The server's refusal, with the operation it is about."""
    index = error.operation
    operation = operations[index] if index is not None and 0 <= index < len(operations) else None
    facts: dict[str, Any] = {
        "operation": operation,
        "index": index if operation is not None else None,
        "entity": operation.identity if operation is not None else error.entity,
        "attribute": error.attribute,
    }
    where = ""
    if operation is not None:
        kind = type(operation).__name__.lower()
        place = "" if str(error).startswith("operation ") else f"operation {index}: "
        where = f" ({place}{kind} {operation.identity.entity_type} {operation.identity.key})"
    message = f"nothing was committed: {error}{where}; everything is still pending"
    if isinstance(error, Conflict):
        changes = tuple(
            Change(Identity(*told["entity"]), told["attribute"], told["base"], told["ours"], told["theirs"])
            for told in error.details.get("conflicts", ())
        )
        return ConflictError(message, conflicts=changes, **facts)
    return CommitError(message, **facts)
