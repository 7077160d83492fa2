"""Committing: compress, write ahead, send once, settle."""

from __future__ import annotations

from collections.abc import Sequence

from callsheet.core.announcements import tell
from callsheet.core.capabilities import check_capabilities
from callsheet.core.core import Core
from callsheet.core.each import send_each
from callsheet.core.journal import JournalProtocol
from callsheet.core.meter import Meter, ProgressFunction, meter_for
from callsheet.core.opening import open_
from callsheet.core.required import check_required
from callsheet.core.sending import check_size, deliver, explain, in_doubt, is_final
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import CommitError, ServerError, StateError, TransportError, UsageError
from callsheet.events.topics import AFTER_COMMIT, BEFORE_COMMIT
from callsheet.flow import Flow, Work
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.record import Identity, new_key
from callsheet.model.table_steps import Step

__all__ = ["commit", "commit_with", "send_alone"]

POLICIES = ("raise", "ours", "theirs")


def commit(
    core: Core,
    conflicts: str | None = None,
    agree: bool | None = None,
    *,
    progress: ProgressFunction | bool | None = None,
) -> Flow[CommitResult | None]:
    """Send everything pending as one atomic batch, exactly once; None when there is nothing pending.

    A server without transactions (``features.atomic`` is False) gets one operation after the other; the error of the
    first that is refused says of each what became of it, and what was not done stays pending.

    ``conflicts`` says what happens where somebody else changed a value since it was read: ``"raise"`` a
    `ConflictError`, or let ``"ours"`` or ``"theirs"`` stand. Where the other one wrote the same value, the schema says
    whether that is a conflict; ``agree`` says otherwise for this commit: False, always one; True, never one, except of
    numbers. On any error nothing local changes.

    ``progress`` is a function that is called with how many operations the server has and how many there are, or True:
    a bar on the terminal, or lines of the log where there is none. It reaches the whole number when the commit is done.

    When no answer comes, it is unknown whether the commit was done. It is kept as *in doubt*, and the next
    ``commit()`` sends the very same again, which is safe; until then nothing else can be recorded.
    """
    return (yield from _commit(core, conflicts, agree, progress, ()))


def commit_with(core: Core, steps: Sequence[Step]) -> Flow[CommitResult | None]:
    """Send everything pending and steps of user tables as one commit, all of it or nothing."""
    return (yield from _commit(core, None, None, None, tuple(steps)))


def _commit(
    core: Core,
    conflicts: str | None,
    agree: bool | None,
    progress: ProgressFunction | bool | None,
    steps: tuple[Step, ...],
) -> Flow[CommitResult | None]:
    policy = conflicts or core.conflicts
    if policy not in POLICIES:
        raise UsageError(f"conflicts is one of {', '.join(POLICIES)}, not {policy!r}")
    core.check_present()
    errand = core.errand
    if errand is not None and errand.running:
        raise StateError("what a handler changes is committed for it, with its checkpoint, after it returns")
    unit = core.unit
    unit.check_thread()
    unit.check_no_savepoint("commit")
    changes = unit.doubtful
    again = changes is not None
    if changes is None:
        operations = core.unit.compressed()
        if operations and core.hub.wants(BEFORE_COMMIT):
            operations = yield from _announced(core)
        if errand is not None:
            operations = (*errand.operations, *operations)
        if not operations and not steps:
            _settle(core, operations, None)
            return None
        check_size(core, len(operations))
        if core.known_capabilities is not None:
            check_capabilities(core, operations)
        if not core.features.fills:
            check_required(core.schema, operations)
        changes = ChangeSet(new_key(), operations, policy=policy, origin=core.origin, agree=agree, steps=steps)
        if errand is not None:
            changes, again = errand.address(changes), errand.repeated
        if core.journal is not None:
            yield from _write_ahead(core, core.journal, changes)
    meter = meter_for(progress, len(changes.operations), "commit")
    try:
        result = yield from _send_and_learn(core, changes, again, meter)
    finally:
        meter.close()
    core.statistics.commits += 1
    core.statistics.operations += len(changes.operations)
    _settle(core, changes.operations, result)
    if changes.steps:
        yield from open_(core)
    if core.hub.wants(AFTER_COMMIT):
        yield from tell(core, AFTER_COMMIT, result=result, operations=changes.operations)
    return result


def _announced(core: Core) -> Flow[tuple[Operation, ...]]:
    """The pending operations, after the subscribers to "before commit" were called."""
    if core.asking:
        raise StateError("a commit is about to be sent; what is changed now goes with it, without another commit")
    core.asking = True
    try:
        yield from tell(core, BEFORE_COMMIT, raises=(UsageError,))
    finally:
        core.asking = False
    return core.unit.compressed()


def _send_and_learn(core: Core, changes: ChangeSet, again: bool, meter: Meter) -> Flow[CommitResult]:
    """Send, and know afterwards whether it was done, was refused, or is in doubt."""
    if not core.features.atomic:
        result = yield from send_each(core, changes, meter)
        yield from _finish(core, changes)
        return result
    unit = core.unit
    unit.doubtful = changes
    try:
        result = yield from deliver(core, changes, again, meter)
    except ServerError as error:
        if not is_final(core, error, again):
            raise in_doubt(error, changes) from error
        yield from _finish(core, changes)
        rest = "; nothing of the transaction remains" if changes.steps else "; everything is still pending"
        raise explain(error, changes.operations, rest=rest) from error
    except TransportError as error:
        raise in_doubt(error, changes) from error
    except (CommitError, UsageError):
        # Nothing was sent: it is too large, or holds what the server's language cannot say.
        if not again:
            yield from _finish(core, changes)
        raise
    yield from _finish(core, changes)
    return result


def _finish(core: Core, changes: ChangeSet) -> Flow[None]:
    """The outcome is known. If the journal write fails, the commit stays in doubt; resending it is safe."""
    if core.journal is not None:
        journal = core.journal
        yield Work(lambda: journal.finish(changes.commit_id))
    core.unit.doubtful, core.progress = None, None


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


def send_alone(
    core: Core, operations: Sequence[Operation], attempts: int = 3, origin: str = "", meter: Meter | None = None
) -> Flow[CommitResult]:
    """Commit these operations and nothing that is pending. Raises what the server raises where it refuses.

    When no answer comes it is sent again, under the same commit id; `CommitError` says that it is still not known
    whether it was done.
    """
    core.check_present()
    if core.unit.doubtful is not None:
        raise StateError("the last commit of this session is in doubt; `commit()` sends it again")
    check_size(core, len(operations))
    changes = ChangeSet(new_key(), tuple(operations), origin=origin or core.origin)
    lost: Exception | None = None
    for number in range(attempts):
        try:
            result = yield from deliver(core, changes, number > 0, meter)
        except ServerError as error:
            if is_final(core, error, number > 0):
                raise
            lost = error
        except TransportError as error:
            lost = error
        else:
            core.statistics.commits += 1
            core.statistics.operations += len(changes.operations)
            return result
    raise CommitError(f"no answer to commit {changes.commit_id}: {lost}; it may have been done or not") from lost


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
