"""What changed in a project since a position: by its ETag, by the server's log, or not known.

Theory. Kitsu's log has ids without values, is kept for 90 days, and misses changes when the server is killed between
a change and its note. A list of the project's tasks has an ETag that changes with every change of its entities, tasks,
casting and comments. So a position holds both. Where the ETag is the same nothing changed; where it differs the log
says which rows; and every ``full_every``, if the ETag differs from that of the last full reading, everything is read,
which finds what the log missed. Statuses and types are values by their names, so a position holds the names as well;
and who is not an administrator sees no events of people, so all of them are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define

from callsheet.chunks import chunks
from callsheet.errors import Forbidden
from callsheet.flow import Flow
from callsheet.sync.side import SideChanges
from kitsu_sync.account import KitsuAccount
from kitsu_sync.reading import IDS
from kitsu_sync.studio import StudioLists

__all__ = ["ProjectLog"]

OVERLAP = timedelta(seconds=30)
"""Events are noted after the change, by whole seconds: reading begins this long before the position."""

KEPT = timedelta(days=80)
"""Older positions are read whole: Kitsu drops events after 90 days."""

MOST = 1_000
"""Events in one answer, whatever is requested."""

ENTITIES = ("Episode", "Sequence", "Asset", "Shot")

FEW = 400
"""Rows that are read by their ids; of more, whole lists take fewer requests."""

PAIRS = 20_000
"""Possible assignments of changed tasks; of more, everything is read."""

_IDS = {
    "episode": ("Episode", "episode_id"),
    "sequence": ("Sequence", "sequence_id"),
    "shot": ("Shot", "shot_id"),
    "asset": ("Asset", "asset_id"),
    "task": ("Task", "task_id"),
    "comment": ("Comment", "comment_id"),
    "playlist": ("Playlist", "playlist_id"),
    "person": ("Person", "person_id"),
    "entity-link": ("Shot", "entity_in_id"),
}
_BY_ETAG = frozenset({"Project", "Episode", "Sequence", "Shot", "Asset", "Task", "Assignment", "Comment"})


@define(eq=False)
class ProjectLog:
    """The changes of one project, as the account may read them."""

    account: KitsuAccount
    lists: StudioLists
    project: str
    full_every: timedelta = timedelta(hours=1)

    def changes(self, types: Sequence[str], since: Any) -> Flow[SideChanges]:
        """The position now and the ids that changed since another; None instead of ids: read everything."""
        now = datetime.now(UTC)
        etag = yield from self._etag()
        newest = yield from self._newest()
        names = yield from self.lists.digest()
        known = {"time": newest, "etag": etag, "names": names}
        whole = SideChanges({**known, "full": now.isoformat(), "full_etag": etag})
        if since is None or newest is None or not since.get("time") or names != since["names"]:
            return whole
        position = {**since, **known}
        due = now - datetime.fromisoformat(since["full"]) >= self.full_every
        if due and etag == since["full_etag"] and set(types) <= _BY_ETAG:
            return SideChanges({**position, "full": now.isoformat()}, {})
        if due or now - _utc(since["time"]) > KEPT:
            return whole
        if etag == since["etag"] and set(types) <= _BY_ETAG:
            return SideChanges(position, {})
        ids = yield from self._logged(_utc(since["time"]) - OVERLAP)
        if ids is None or sum(map(len, ids.values())) > FEW:
            return whole
        if "Task" in types:
            ids.setdefault("Task", set()).update((yield from self._tasks_of(ids)))
        if {"Person", "Assignment"} & set(types):
            ids["Person"] = {row["id"] for row in (yield from self.account.rows("/data/persons", fields="id"))}
        if "Assignment" in types:
            pairs = {f"{task}:{person}" for task in ids.get("Task", ()) for person in ids["Person"]}
            if len(pairs) > PAIRS:
                return whole
            ids["Assignment"] = pairs
        return SideChanges(position, {each: sorted(ids.get(each, ())) for each in types})

    def _tasks_of(self, ids: Mapping[str, Iterable[str]]) -> Flow[list[str]]:
        """The tasks of entities that changed: they are gone where the entity was cancelled."""
        entities = sorted({each for name in ENTITIES for each in ids.get(name, ())})
        found: list[str] = []
        for some in chunks(entities, IDS):
            rows = yield from self.account.rows("/data/tasks", entity_id=list(some), fields="id")
            found += [row["id"] for row in rows]
        return found

    def _etag(self) -> Flow[str]:
        headers = yield from self.account.headers("/data/shots/with-tasks", project_id=self.project)
        return str(headers.get("etag", ""))

    def _newest(self) -> Flow[str | None]:
        """When the newest event was noted, by the server's clock; None for an account that may not read the log."""
        try:
            events = yield from self.account.rows("/data/events/last", limit=1)
        except Forbidden:
            return None
        return events[0]["created_at"] if events else None

    def _logged(self, after: datetime) -> Flow[dict[str, set[str]] | None]:
        """The ids that events name, by type; None if an event does not name what it is about."""
        own = yield from self.account.id()
        found: dict[str, set[str]] = {}
        cursor: dict[str, str] = {}
        while True:
            stamp = after.strftime("%Y-%m-%dT%H:%M:%S")
            events = yield from self.account.rows("/data/events/last", limit=MOST, after=stamp, **cursor)
            for event in events:
                # What this account imported has no id in its event, and is known.
                if not self._add(event, found) and event.get("user_id") != own:
                    return None
            if len(events) < MOST:
                return found
            cursor = {"cursor_event_id": events[-1]["id"]}

    def _add(self, event: Mapping[str, Any], found: dict[str, set[str]]) -> bool:
        """Note what an event is about; False if it cannot be known."""
        thing = event["name"].partition(":")[0]
        if thing not in _IDS or event.get("project_id") not in (None, self.project):
            return True
        kind, key = _IDS[thing]
        # Rows that were imported are named with a capital: `Shot_id`.
        data = {name.lower(): value for name, value in (event["data"] or {}).items()}
        if key not in data:
            return False
        found.setdefault(kind, set()).add(data[key])
        return True


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
