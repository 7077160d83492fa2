"""The newest commits of the server's log, newest first: the log is read backwards, a stretch at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from callsheet.core.calls import call
from callsheet.core.core import Core
from callsheet.core.past.history import commits
from callsheet.errors import Invalid, UsageError
from callsheet.flow import Flow
from callsheet.model.history import Commit

__all__ = ["newest_commits"]

STRETCH = 100


def newest_commits(
    core: Core,
    limit: int | None = 20,
    user: str | None = None,
    since: datetime | None = None,
    origin: str | None = None,
    entity_type: str | None = None,
) -> Flow[list[Commit]]:
    """At most ``limit`` commits, newest first; with an ``entity_type`` those that changed such entities."""
    if entity_type is not None:
        core.schema.type(entity_type)
    if not core.features.history:
        raise UsageError("this server keeps no history")
    if user is not None or since is not None or origin is not None:
        # The server leaves out the others, so one pass is enough.
        part = yield from commits(core, 0, None, user, since, origin)
        return _wanted(core, part, entity_type)[:limit]
    answer = yield from call(core, "at", {"time": datetime.now(UTC) + timedelta(days=1)})
    upper: int = answer["position"]
    found: list[Commit] = []
    stretch = STRETCH
    while upper > 0 and (limit is None or len(found) < limit):
        lower = max(0, upper - stretch)
        part, lower = yield from _between(core, lower, upper)
        found += _wanted(core, part, entity_type)
        upper, stretch = lower, stretch * 2
    return found[:limit]


def _between(core: Core, lower: int, upper: int) -> Flow[tuple[list[Commit], int]]:
    """The commits after ``lower`` up to ``upper``, and where they begin: a loaded log may begin later than 0."""
    try:
        part = yield from commits(core, lower, upper - lower)
    except Invalid:
        if not lower:
            raise
        lower = 0
        part = yield from commits(core, lower, None)
    return [each for each in part if each.position <= upper], lower


def _wanted(core: Core, part: list[Commit], entity_type: str | None) -> list[Commit]:
    """Those that concern the type, newest first."""
    return [each for each in reversed(part) if entity_type is None or _concerns(core, each, entity_type)]


def _concerns(core: Core, commit: Commit, entity_type: str) -> bool:
    schema = core.schema
    names = {change.identity.entity_type for change in commit.changes}
    return any(name in schema.types and schema.is_a(name, entity_type) for name in names)
