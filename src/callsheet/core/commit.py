"""Committing: compress, send once, settle.

A change set larger than one request may hold is *staged*: its parts are sent ahead under the commit id and
kept by the server, and the last request applies all of them in one transaction. So a commit of any size is
atomic, and each of its requests may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from callsheet.dialects.protocol import CommitResult
from callsheet.errors import CommitError, Conflict, ConflictError, ServerError, StateError
from callsheet.flow import Flow
from callsheet.model.operation import Change, ChangeSet, Operation
from callsheet.model.record import Identity, new_key

if TYPE_CHECKING:
    from callsheet.core.state import Core

__all__ = ["commit"]

POLICIES = ("raise", "ours", "theirs")


def commit(core: Core, conflicts: str | None = None) -> Flow[CommitResult | None]:
    """Send everything pending as one atomic batch; None when there was nothing to send.

    ``conflicts`` says what happens where somebody else changed a value since it was read: ``"raise"`` a
    `ConflictError`, or let ``"ours"`` or ``"theirs"`` stand. On any error nothing local changes.
    """
    policy = conflicts or core.conflicts
    if policy not in POLICIES:
        raise StateError(f"conflicts is one of {', '.join(POLICIES)}, not {policy!r}")
    unit = core.unit
    unit._check_turn()
    operations = core.pending
    if not operations:
        _settle(core, operations, None)
        return None
    changes = ChangeSet(new_key(), operations, policy=policy, origin=core.origin)
    unit.committing = True
    try:
        result = yield from send(core, changes)
    except ServerError as error:
        raise _explain(error, operations) from error
    finally:
        unit.committing = False
    core.statistics.commits += 1
    core.statistics.operations += len(operations)
    _settle(core, operations, result)
    return result


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
    last = ChangeSet(changes.commit_id, (), len(parts), changes.policy, changes.origin)
    return (yield from core._dialect.commit(last))


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


def _weight(operation: Operation) -> int:
    """About how many bytes the operation has on the wire; more rather than less."""
    total = 120
    for field in ("values", "before"):
        for name, value in (getattr(operation, field, None) or {}).items():
            total += len(name) + (6 * len(value) if isinstance(value, str) else 100) + 8
            if isinstance(value, list | dict):
                total += 6 * len(str(value))
    for field in ("added", "removed"):
        for name, members in (getattr(operation, field, None) or {}).items():
            total += len(name) + 100 * len(members)
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
        where = f" (operation {index}: {kind} {operation.identity.entity_type} {operation.identity.key})"
    message = f"nothing was committed: {error}{where}; everything is still pending"
    if isinstance(error, Conflict):
        changes = tuple(
            Change(Identity(*told["entity"]), told["attribute"], told["base"], told["ours"], told["theirs"])
            for told in error.details.get("conflicts", ())
        )
        return ConflictError(message, conflicts=changes, **facts)
    return CommitError(message, **facts)
