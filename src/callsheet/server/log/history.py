"""The actions of history: pages of commits, and of the changes of one entity.

Every read uses a key or an index, so its cost depends on the size of the answer, not of the log. An account gets only
changes of entities that it may read; a deleted entity counts as in its last project. A page is limited by its commits
and by their changes: a commit with more changes than that continues on the next page.
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
"""The most commits, and approximately the most changes, on one page."""
READ = 20
"""Commits read with one statement."""
LAST_POSITION = 2**63 - 1


@frozen
class HistoryScope:
    """A reader's rights, and the last commit it may see. ``past`` is the store at that commit, for a past view."""

    store: Store
    connection: Connection
    access: Access
    until: int = LAST_POSITION
    past: Store | None = None


def answer(scope: HistoryScope, action: str, arguments: Mapping[str, Any]) -> Any:
    """The result of an action as plain data; raises `Invalid` for wrong arguments."""
    function = ACTIONS[action]
    try:
        bound = signature(function).bind(scope, **arguments)
    except TypeError as error:
        raise Invalid(f"{action}: {error}") from None
    return function(*bound.args, **bound.kwargs)


def commits(
    scope: HistoryScope,
    after: int = 0,
    limit: int = 100,
    user: str | None = None,
    since: datetime | None = None,
    commit_id: str | None = None,
    skip: int = 0,
    origin: str | None = None,
) -> dict[str, Any]:
    """Commits after a position, oldest first; ``next`` is the position after which the next page begins, or None.

    ``origin`` is a prefix of the commits' origins. ``next`` has two numbers: the next ``after``, and how many changes
    of the commit after it to ``skip``.
    """
    _check("after", after, 0, LAST_POSITION)
    _check("limit", limit, 1, COMMITS)
    _check("skip", skip, 0, LAST_POSITION)
    log.check_reached(scope.store, scope.connection, after)
    conditions = _conditions(scope, user, commit_id, origin)
    if since is not None:
        first = _first_since(scope, since)
        if first is None:
            return {"commits": [], "next": None}
        if first - 1 > after:
            after, skip = first - 1, 0
    return _page(scope, conditions, after, limit, skip)


def _conditions(scope: HistoryScope, user: Any, commit_id: Any, origin: Any) -> list[ColumnElement[bool]]:
    table = scope.store.table("_log")
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


def _first_since(scope: HistoryScope, since: Any) -> int | None:
    table = scope.store.table("_log")
    later = select(table.c.position).where(table.c.time >= _moment("since", since))
    return scope.connection.execute(later.order_by(table.c.time, table.c.position).limit(1)).scalar()


def _page(
    scope: HistoryScope, conditions: list[ColumnElement[bool]], after: int, limit: int, skip: int
) -> dict[str, Any]:
    visible = Visible(scope.store, scope.connection, scope.access)
    found: list[dict[str, Any]] = []
    room = CHANGES
    for commit in _commits(scope, conditions, after):
        if len(found) == limit or room <= 0:
            return {"commits": found, "next": [after, 0]}
        rest = commit.changes[skip:]
        if shown := visible.commit(evolve(commit, changes=rest[:room])):
            found.append(commit_to_plain(shown))
        if len(rest) > room:
            return {"commits": found, "next": [after, skip + room]}
        room -= len(rest)
        after, skip = commit.position, 0
    return {"commits": found, "next": None}


def _commits(scope: HistoryScope, conditions: list[ColumnElement[bool]], after: int) -> Iterator[Commit]:
    """The commits after a position, read a few at a time, because one may be large."""
    table = scope.store.table("_log")
    statement = select(table).where(table.c.position <= scope.until, *conditions).order_by(table.c.position)
    while True:
        rows = scope.connection.execute(statement.where(table.c.position > after).limit(READ)).all()
        for row in rows:
            yield log.entry(row, log.read_changes(scope.store, scope.connection, row.position, row.changes))
        if len(rows) < READ:
            return
        after = rows[-1].position


def history(
    scope: HistoryScope, entity_type: str, key: str, limit: int = 100, start: int | None = None
) -> dict[str, Any]:
    """The changes of an entity, newest first: commits with one change each; ``next`` is the next page's ``start``."""
    _check("limit", limit, 1, COMMITS)
    found = scope.store.schema.types.get(entity_type) if isinstance(entity_type, str) else None
    if found is None:
        raise NotFound(f"there is no entity type `{entity_type!s:.80}`")
    if not isinstance(key, str):
        raise Invalid(f"a key is a string, not {key!r:.80}")
    if start is None and scope.past is not None:
        with scope.past.reading() as connection:
            start = log.newest(scope.past, connection, found.root, [key]).get(key, 0)
    elif start is not None:
        _check("start", start, 0, scope.until)
    visible = Visible(scope.store, scope.connection, scope.access)
    page: list[dict[str, Any]] = []
    for commit, change in log.entity_history(scope.store, scope.connection, found.root, key, start):
        shown = visible.commit(commit)
        if shown is None:
            break
        page.append(commit_to_plain(shown))
        if len(page) == limit:
            return {"commits": page, "next": change.previous}
    return {"commits": page, "next": None}


def at(scope: HistoryScope, position: int | None = None, time: datetime | None = None) -> dict[str, Any]:
    """The given position, if it exists, or the position of the last commit at a time; 0 is before the first."""
    last = min(log.last_position(scope.store, scope.connection), scope.until)
    if (position is None) == (time is None):
        raise Invalid("`at` takes a position or a time")
    if time is not None:
        moment = _moment("time", time)
        return {"position": min(log.position_at(scope.store, scope.connection, moment), last)}
    check_position(position, last)
    log.check_begun(scope.store, scope.connection, position or 0)
    return {"position": position}


def check_position(position: int | None, last: int) -> None:
    """Raise `Invalid` unless this is a position from 0 (before the first commit) to the last one."""
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
