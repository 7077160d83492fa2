"""History for those who ask: pages of commits, and of what happened to one entity.

Every read is by a key or an index, so its cost hangs on what is told and not on how much there is. An account
is told of the entities it may read; a deleted one counts as where it was last. A page is bounded by its
commits and by their changes: a commit with more changes than a page holds goes on on the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from inspect import signature
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, Connection, select

from callsheet.errors import Invalid, NotFound
from callsheet.model.history import Commit, commit_to_plain
from callsheet.model.moments import in_utc
from callsheet.server.access.access import Access
from callsheet.server.log import commits as log
from callsheet.server.log.visible import Visible
from callsheet.server.store.store import Store

__all__ = ["ACTIONS", "LAST_POSITION", "HistoryScope", "answer", "check_position"]

COMMITS = 1_000
CHANGES = 10_000
"""At most so many commits, and about so many changes, in one answer."""
READ = 20
"""Commits read with one statement."""
LAST_POSITION = 2**63 - 1


@frozen
class HistoryScope:
    """Who asks, and up to which commit. ``past`` is the store as it was then, for a reader in the past."""

    store: Store
    connection: Connection
    access: Access
    until: int = LAST_POSITION
    past: Store | None = None


def answer(asking: HistoryScope, action: str, arguments: Mapping[str, Any]) -> Any:
    """What an action says, as plain data; `Invalid` for arguments it does not take."""
    function = ACTIONS[action]
    try:
        bound = signature(function).bind(asking, **arguments)
    except TypeError as error:
        raise Invalid(f"{action}: {error}") from None
    return function(*bound.args, **bound.kwargs)


def commits(
    asking: HistoryScope,
    after: int = 0,
    limit: int = 100,
    user: str | None = None,
    since: datetime | None = None,
    commit_id: str | None = None,
    skip: int = 0,
    origin: str | None = None,
) -> dict[str, Any]:
    """Commits after a position, oldest first; ``next`` is where the next page begins, or None.

    ``origin`` is what the origin of each begins with.
    ``next`` is the position to ask after, and how many changes of the commit behind it to ``skip``.
    """
    _check("after", after, 0, LAST_POSITION)
    _check("limit", limit, 1, COMMITS)
    _check("skip", skip, 0, LAST_POSITION)
    log.check_reached(asking.store, asking.connection, after)
    conditions = _conditions(asking, user, commit_id, origin)
    if since is not None:
        first = _first_since(asking, since)
        if first is None:
            return {"commits": [], "next": None}
        if first - 1 > after:
            after, skip = first - 1, 0
    return _page(asking, conditions, after, limit, skip)


def _conditions(asking: HistoryScope, user: Any, commit_id: Any, origin: Any) -> list[ColumnElement[bool]]:
    table = asking.store.table("_log")
    found = []
    for name, column, value in (("user", table.c.user_name, user), ("commit_id", table.c.commit_id, commit_id)):
        if value is not None:
            found.append(column == _string(name, value))
    if origin is not None:
        found.append(table.c.origin.startswith(_string("origin", origin), autoescape=True))
    return found


def _string(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid(f"`{name}` is a string, not {value!r:.80}")
    return value


def _first_since(asking: HistoryScope, since: Any) -> int | None:
    table = asking.store.table("_log")
    later = select(table.c.position).where(table.c.time >= _moment("since", since))
    return asking.connection.execute(later.order_by(table.c.time, table.c.position).limit(1)).scalar()


def _page(
    asking: HistoryScope, conditions: list[ColumnElement[bool]], after: int, limit: int, skip: int
) -> dict[str, Any]:
    visible = Visible(asking.store, asking.connection, asking.access)
    told: list[dict[str, Any]] = []
    room = CHANGES
    for commit in _commits(asking, conditions, after):
        if len(told) == limit or room <= 0:
            return {"commits": told, "next": [after, 0]}
        rest = commit.changes[skip:]
        if shown := visible.commit(evolve(commit, changes=rest[:room])):
            told.append(commit_to_plain(shown))
        if len(rest) > room:
            return {"commits": told, "next": [after, skip + room]}
        room -= len(rest)
        after, skip = commit.position, 0
    return {"commits": told, "next": None}


def _commits(asking: HistoryScope, conditions: list[ColumnElement[bool]], after: int) -> Iterator[Commit]:
    """The commits after a position, a few at a time, since one may be large."""
    table = asking.store.table("_log")
    statement = select(table).where(table.c.position <= asking.until, *conditions).order_by(table.c.position)
    while True:
        rows = asking.connection.execute(statement.where(table.c.position > after).limit(READ)).all()
        for row in rows:
            yield log.entry(row)
        if len(rows) < READ:
            return
        after = rows[-1].position


def history(
    asking: HistoryScope, entity_type: str, key: str, limit: int = 100, start: int | None = None
) -> dict[str, Any]:
    """What happened to an entity, newest first: commits with one change each; ``next`` is where to ``start`` again."""
    _check("limit", limit, 1, COMMITS)
    found = asking.store.schema.types.get(entity_type) if isinstance(entity_type, str) else None
    if found is None:
        raise NotFound(f"there is no entity type `{entity_type!s:.80}`")
    if not isinstance(key, str):
        raise Invalid(f"a key is a string, not {key!r:.80}")
    if start is None and asking.past is not None:
        with asking.past.reading() as connection:
            start = log.newest(asking.past, connection, found.root, [key]).get(key, 0)
    elif start is not None:
        _check("start", start, 0, asking.until)
    visible = Visible(asking.store, asking.connection, asking.access)
    told: list[dict[str, Any]] = []
    for commit, change in log.entity_history(asking.store, asking.connection, found.root, key, start):
        shown = visible.commit(commit)
        if shown is None:
            break
        told.append(commit_to_plain(shown))
        if len(told) == limit:
            return {"commits": told, "next": change.previous}
    return {"commits": told, "next": None}


def at(asking: HistoryScope, position: int | None = None, time: datetime | None = None) -> dict[str, Any]:
    """The position of a commit that is there, or of the last one at a time; 0 is before the first."""
    last = min(log.last_position(asking.store, asking.connection), asking.until)
    if (position is None) == (time is None):
        raise Invalid("`at` takes a position or a time")
    if time is not None:
        moment = _moment("time", time)
        return {"position": min(log.position_at(asking.store, asking.connection, moment), last)}
    check_position(position, last)
    log.check_begun(asking.store, asking.connection, position or 0)
    return {"position": position}


def check_position(position: int | None, last: int) -> None:
    """Raise `Invalid` where this is no position up to the last commit; 0 is before the first."""
    _check("position", position, 0, LAST_POSITION)
    if position is not None and position > last:
        raise Invalid(f"there is no commit {position} yet; the last is {last}")


ACTIONS: dict[str, Callable[..., Any]] = {"at": at, "commits": commits, "history": history}


def _check(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Invalid(f"`{name}` is an integer from {least:,} to {most:,}, not {value!r:.80}")


def _moment(name: str, value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise Invalid(f"`{name}` is a datetime with a time zone, not {value!r:.80}")
    try:
        return in_utc(value)
    except ValueError as error:
        raise Invalid(f"`{name}` is a datetime with a time zone; {value!r} {error}") from None
