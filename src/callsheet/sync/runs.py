"""Runs of syncs in the server's log: each is the commits that bear its origin, and can be taken back.

The origin of a run's commits is ``sync/NAME/RUN/DIGEST``: the sync's name (percent-encoded), the run's id, and the
first half of the SHA-256 of the files that were read. So the log itself says who ran what and when, in the
transaction of the changes, and nothing is kept beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from attrs import field, frozen

from callsheet.core.commit import commit
from callsheet.core.core import Core
from callsheet.core.past.history import commits_where
from callsheet.core.past.undo import undo
from callsheet.errors import NoResult, StateError, UsageError
from callsheet.flow import Flow
from callsheet.model.history import Commit
from callsheet.model.operation import Change
from callsheet.model.record import new_key

__all__ = ["SyncRun", "digest_of", "run_origin", "sync_runs", "undo_sync"]

PREFIX = "sync/"
REGISTRY = "ExternalId"


@frozen
class SyncRun:
    """One run of a sync: its id, the sync's name, who ran it, when it began, what it did.

    ``digest`` is half of the SHA-256 of the files that were read, in hexadecimal; empty where rows came from elsewhere.
    """

    id: str
    name: str
    digest: str
    user: str
    time: datetime
    commits: tuple[Commit, ...] = field(repr=False)

    def count(self, kind: str) -> int:
        """How many entities it touched by ``create``, ``update`` or ``delete``; links to other systems do not count."""
        changes = (change for commit in self.commits for change in commit.changes)
        return sum(change.kind == kind and change.identity.entity_type != REGISTRY for change in changes)


def run_origin(name: str, digest: str = "") -> str:
    """The origin of the commits of a new run."""
    return f"{PREFIX}{quote(name, safe='')}/{new_key()}/{digest}"


def digest_of(sources: Iterable[Any]) -> str:
    """The digest of the files among the sources."""
    paths = [source.path for source in sources if isinstance(getattr(source, "path", None), Path)]
    if not paths:
        return ""
    found = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as stream:
            while block := stream.read(2**20):
                found.update(block)
    return found.hexdigest()[:32]


def sync_runs(core: Core, name: str = "", limit: int | None = 20) -> Flow[list[SyncRun]]:
    """The runs of a sync (of all, without a name), newest first; ``limit`` None gives all of them.

    >>> session.sync_runs("nightly")[0].count("create")  # doctest: +SKIP
    12
    """
    if not isinstance(name, str):
        raise UsageError(f"the name of a sync is a text, not {name!r:.80}")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise UsageError(f"limit is a number of runs, or None for all, not {limit!r:.80}")
    prefix = f"{PREFIX}{quote(name, safe='')}/" if name else PREFIX
    found: dict[str, list[Commit]] = {}
    for each in (yield from commits_where(core, 0, None, origin=prefix)):
        found.setdefault(each.origin, []).append(each)
    runs = [_run(origin, done) for origin, done in found.items()]
    return runs[::-1][:limit]


def _run(origin: str, done: list[Commit]) -> SyncRun:
    _, name, run, digest = (*origin.split("/"), "", "", "")[:4]
    first = done[0]
    return SyncRun(run, unquote(name), digest, first.user, first.time, tuple(done))


def undo_sync(core: Core, run: str | SyncRun, conflicts: str = "raise") -> Flow[tuple[Change, ...]]:
    """Take a run back, with all its commits, in one commit of its own.

    ``run`` is a `SyncRun` or its id; ``conflicts`` says what happens to values that were changed since, as in `undo`.
    Gives the conflicts that were passed over. Raises `NoResult` where there is no such run, `StateError` where
    changes are pending.
    """
    if core.pending:
        raise StateError("there are pending changes: commit or roll back before a run is taken back")
    found = run if isinstance(run, SyncRun) else (yield from _find(core, run))
    passed: list[Change] = []
    try:
        for each in reversed(found.commits):
            passed += yield from undo(core, each, conflicts)
        yield from commit(core)
    except BaseException:
        if core.unit.doubtful is None:
            core.rollback()
        raise
    return tuple(passed)


def _find(core: Core, run: str) -> Flow[SyncRun]:
    for each in (yield from sync_runs(core, limit=None)):
        if each.id == run:
            return each
    raise NoResult(f"the log has no run {run!r:.60}; `callsheet sync log` shows them")
