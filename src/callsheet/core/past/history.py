"""The server's log: the history of an entity, commits, and moments in the past."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

from callsheet.core.calls import call
from callsheet.core.core import Core
from callsheet.dialects.protocol import CommitResult
from callsheet.entity.entity import Entity
from callsheet.errors import Invalid, UsageError
from callsheet.flow import Flow
from callsheet.model.history import Commit, HistoryEntry, commit_from_plain
from callsheet.model.moments import in_utc
from callsheet.model.record import Identity
from callsheet.model.scalar import plain_scalar

__all__ = ["CommitName", "Moment", "commits", "commits_where", "find_commit", "history", "moment_of"]

PAGE = 1_000

#: How a commit can be named: itself, what `commit` gave, its position in the log, its id.
CommitName: TypeAlias = Commit | CommitResult | int | str
#: A moment: a time with a zone, or the commit after which it is.
Moment: TypeAlias = datetime | Commit | CommitResult | int


def history(core: Core, entity: Any, limit: int | None = 100) -> Flow[list[HistoryEntry]]:
    """What happened to an entity, newest first: who, when, what it was before and is after.

    ``entity`` may be an `Identity`, so that deleted ones have a history too; ``limit`` None gives all of it.
    """
    _check_limit(limit)
    entity_type, key = _identity(entity)
    core.schema.type(entity_type)
    found: list[HistoryEntry] = []
    start: int | None = None
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        parameters = {"entity_type": entity_type, "key": key, "limit": size}
        answer = yield from _ask(core, "history", parameters if start is None else {**parameters, "start": start})
        for plain in answer["commits"]:
            commit = commit_from_plain(plain)
            found.append(HistoryEntry.of(commit, commit.changes[0]))
        start = answer["next"]
        if start is None:
            break
    return found


def _identity(entity: Any) -> Identity:
    if isinstance(entity, Entity):
        return entity.identity
    if isinstance(entity, tuple) and len(entity) == 2:
        return Identity(*entity)
    raise UsageError(f"this takes an entity or an Identity, not {type(entity).__name__}: {entity!r:.80}")


def commits(
    core: Core,
    after: int = 0,
    limit: int | None = 100,
    user: str | None = None,
    since: datetime | None = None,
    origin: str | None = None,
) -> Flow[list[Commit]]:
    """The commits after a position of the server's log, oldest first, with all that they changed.

    ``limit`` None gives all of them; ``origin`` is what the origin of each begins with. Raises `Invalid` for a position
    that the log has not reached.
    """
    return commits_where(core, after, limit, user=user, since=since if since is None else _zoned(since), origin=origin)


def commits_where(core: Core, after: int, limit: int | None, **wanted: Any) -> Flow[list[Commit]]:
    """The commits after a position of which these values are true."""
    _check_limit(limit)
    parameters = {name: value for name, value in wanted.items() if value is not None}
    found: list[Commit] = []
    skip = 0
    while True:
        # A commit that goes on on the next page is among those that count already.
        room = PAGE if limit is None else min(PAGE, limit - len(found) + (1 if skip else 0))
        if room <= 0:
            return found
        answer = yield from _ask(core, "commits", {**parameters, "after": after, "limit": room, "skip": skip})
        for plain in answer["commits"]:
            _join(found, commit_from_plain(plain))
        if answer["next"] is None:
            return found
        after, skip = answer["next"]


def _join(found: list[Commit], commit: Commit) -> None:
    """Add a commit, or the rest of the last one."""
    if found and found[-1].position == commit.position:
        last = found.pop()
        commit = Commit(
            last.position, last.commit_id, last.user, last.origin, last.time, (*last.changes, *commit.changes)
        )
    found.append(commit)


def find_commit(core: Core, name: CommitName) -> Flow[Commit]:
    """The commit that is meant; `UsageError` where there is none, or an id that two users used."""
    if isinstance(name, Commit):
        return name
    position = _position(name)
    if position is not None:
        found = yield from _at(core, position) if position > 0 else _none()
    elif isinstance(name, str):
        found = yield from commits_where(core, 0, 2, commit_id=name)
    else:
        raise UsageError(f"a commit is named by itself, its position or its id, not {name!r:.80}")
    if len(found) > 1:
        raise UsageError(f"several users made a commit {name!r:.80}; name it by its position")
    if not found:
        raise UsageError(f"there is no commit {name!r:.80} that you could read")
    return found[0]


def _at(core: Core, position: int) -> Flow[list[Commit]]:
    """The commit at a position, if there is one."""
    try:
        found = yield from commits(core, after=position - 1, limit=1)
    except Invalid:
        # The log does not reach so far.
        return []
    return [commit for commit in found if commit.position == position]


def _none() -> Flow[list[Commit]]:
    yield from ()
    return []


def _position(name: Any) -> int | None:
    if isinstance(name, Commit | CommitResult):
        return name.position
    return name if isinstance(name, int) and not isinstance(name, bool) else None


def moment_of(moment: Moment) -> int | datetime:
    """A moment as a position or a time with a zone; `UsageError` for what is neither."""
    position = _position(moment)
    if position is not None and position >= 0:
        return position
    if isinstance(moment, datetime):
        return _zoned(moment)
    raise UsageError(f"a moment is a datetime, or the position of a commit from 0, not {moment!r:.80}")


def _ask(core: Core, action: str, arguments: dict[str, Any]) -> Flow[Any]:
    if not core.features.history:
        raise UsageError("this server keeps no history")
    return (yield from call(core, action, arguments))


def _zoned(time: Any) -> datetime:
    try:
        found = plain_scalar(time)
        if not isinstance(found, datetime):
            raise UsageError(f"this takes a datetime, not {type(time).__name__}: {time!r:.80}")
        return in_utc(found)
    except ValueError as error:
        raise UsageError(f"{time!r} {error}; `.astimezone()` adds the local zone") from None


def _check_limit(limit: Any) -> None:
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise UsageError(f"limit is a count, or None for all, not {limit!r:.80}")
