"""Receipts make commits exactly once: the results of applied commits; and the staged parts of future ones.

A commit is identified by its user and id. Its row in the log has a digest of its operations and the result, so a commit
that is sent again (because its reply was lost) gets the first result and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from attrs import frozen
from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select

from callsheet.dialects.protocol import CommitResult, Touched
from callsheet.errors import Invalid, SchemaError, TooLarge
from callsheet.model.converter import operations_from_plain, operations_to_plain
from callsheet.model.operation import ChangeSet, Operation, Update
from callsheet.model.plain import decode, encode
from callsheet.model.record import Identity
from callsheet.model.table_steps import steps_to_plain
from callsheet.model.values import pack
from callsheet.server.log import earlier
from callsheet.server.store.store import Store

__all__ = [
    "StagedPart", "digest", "drop_old_parts", "drop_parts", "encode_result", "find", "operations_of",
    "part_content", "parts",
    "result_of", "stage",
]  # fmt: skip

KEPT = timedelta(days=1)

PARTS = 2_000
"""Parts of one commit."""


def _dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be a value of an operation")


_canonical = msgspec.json.Encoder(enc_hook=_dict, order="sorted")


def _named(operation: Operation) -> tuple[str, Any]:
    """An operation for the digest. Newer fields are omitted if empty: digests of earlier versions stay equal."""
    if isinstance(operation, Update) and not operation.adjusted:
        return "Update", {name: getattr(operation, name) for name in _EARLIER}
    return type(operation).__name__, operation


_EARLIER = ("identity", "values", "before", "added", "removed", "version")


def digest(changes: ChangeSet) -> str:
    """A digest of a commit's operations: equal for equal operations, whatever the order of their values."""
    content: list[Any] = [changes.policy, changes.parts, [_named(item) for item in changes.operations]]
    if changes.agree is not None:
        # Omitted if not set, so that digests of earlier versions stay equal.
        content.append(changes.agree)
    if changes.steps:
        content.append(pack(steps_to_plain(changes.steps)))
    try:
        return hashlib.sha256(_canonical.encode(content)).hexdigest()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid(f"a value cannot be encoded as JSON: {error}") from None


def encode_result(result: CommitResult) -> bytes:
    """A result as the log stores it."""
    deleted = [list(identity) for identity in result.deleted]
    touched = [[*each.identity, each.version, list(each.emptied)] for each in result.touched]
    return msgspec.json.encode([list(result.versions), list(result.merged), deleted, touched])


def _decode_result(data: bytes) -> dict[str, Any]:
    """The fields of a stored result. Results of earlier versions have no ``touched``."""
    versions, merged, deleted, *more = msgspec.json.decode(data)
    return {
        "versions": tuple(versions),
        "merged": tuple(merged),
        "deleted": tuple(Identity(*identity) for identity in deleted),
        "touched": tuple(
            Touched(Identity(kind, key), version, tuple(emptied))
            for kind, key, version, emptied in (more[0] if more else ())
        ),
    }


def find(store: Store, connection: Connection, user: str, changes: ChangeSet) -> CommitResult | None:
    """The result of this commit if it was applied before; `Invalid` if its id was used for other operations."""
    log = store.table("_log")

    def build() -> Select[Any]:
        wanted = select(log.c.position, log.c.time, log.c.digest, log.c.result)
        return wanted.where(log.c.user_name == bindparam("user"), log.c.commit_id == bindparam("commit_id"))

    statement = store.prepared.get("receipt", connection, build)
    rows = statement.rows(connection, {"user": user, "commit_id": changes.commit_id})
    if not rows:
        return None
    position, time, known, result = rows[0]
    if known != digest(changes):
        raise Invalid(f"commit id {changes.commit_id!r:.80} was used for other operations; use a new one")
    return result_of(changes.commit_id, position, time, result)


def result_of(commit_id: str, position: int, time: datetime, stored: bytes) -> CommitResult:
    """The result that `encode_result` was given, of a commit that is sent again."""
    return CommitResult(commit_id, position, time, **_decode_result(stored), replayed=True)


@frozen
class StagedPart:
    """A part of a future commit: its user, commit id, number, encoded operations, and time of staging."""

    user: str
    commit_id: str
    number: int
    content: bytes
    time: datetime


def part_content(operations: Sequence[Operation]) -> bytes:
    """Operations as a part keeps them; `Invalid` for a value that JSON does not hold."""
    try:
        return encode(operations_to_plain(operations))
    except SchemaError as error:
        raise Invalid(str(error)) from None


def stage(store: Store, connection: Connection, staged: StagedPart, most: int) -> None:
    """Store a part of a commit; the same number again replaces it.

    Raises `TooLarge` if the account would have more than ``most`` bytes of parts.
    """
    part = store.table("_part")
    here = (part.c.commit_id == staged.commit_id) & (part.c.number == staged.number)
    connection.execute(delete(part).where(part.c.user_name == staged.user, here))
    held = connection.execute(
        select(func.coalesce(func.sum(func.length(part.c.operations)), 0)).where(part.c.user_name == staged.user)
    ).scalar_one()
    if held + len(staged.content) > most:
        raise TooLarge(
            f"the staged parts of `{staged.user}` would have more than {most:,} bytes, its limit: commit "
            f"what is staged, or wait until parts without a commit are deleted, after {KEPT.days} day"
        )
    row = {"user_name": staged.user, "commit_id": staged.commit_id, "number": staged.number}
    connection.execute(insert(part), {**row, "operations": staged.content, "time": staged.time})


def parts(store: Store, connection: Connection, user: str, changes: ChangeSet) -> list[Operation]:
    """The operations staged for a commit, in order; raises `Invalid` if a part is missing."""
    if not changes.parts:
        return []
    if not 0 < changes.parts <= PARTS:
        raise Invalid(f"a commit has at most {PARTS:,} parts, not {changes.parts}")
    part = store.table("_part")
    here = (part.c.user_name == user) & (part.c.commit_id == changes.commit_id) & (part.c.number < changes.parts)
    rows = connection.execute(select(part.c.number, part.c.operations).where(here).order_by(part.c.number)).all()
    found = {number for number, _ in rows}
    if missing := [number for number in range(changes.parts) if number not in found]:
        raise Invalid(
            f"commit {changes.commit_id!r:.80} names {changes.parts} parts, but part {missing[0]} was not staged; "
            "stage all parts again",
            details={"missing_parts": missing},
        )
    return [operation for _, content in rows for operation in operations_of(content)]


def operations_of(content: bytes) -> Iterable[Operation]:
    """What `part_content` was given, in this version or an earlier one, in which each operation is a list."""
    plain = decode(content, list)
    if plain and isinstance(plain[0], list):
        return map(earlier.operation, plain)
    return operations_from_plain(plain)


def drop_parts(store: Store, connection: Connection, user: str, commit_id: str) -> None:
    """Delete the staged parts of a commit."""
    part = store.table("_part")
    connection.execute(delete(part).where(part.c.user_name == user, part.c.commit_id == commit_id))


def drop_old_parts(store: Store, connection: Connection, now: datetime) -> None:
    """Delete parts whose commit was not sent within `KEPT`."""
    part = store.table("_part")
    connection.execute(delete(part).where(part.c.time < now - KEPT))
