"""Ending a commit in doubt for good: by looking what became of it, or by decision.

A commit in doubt is normally ended by sending it again (`commit`, `resume`). Where the server answers with a fault each
time, or cannot tell what became of an operation, one of these two ends it. What is given up stays in the journal, with
the decision as its reason, until it is dropped; so nothing is lost silently.
"""

from __future__ import annotations

from functools import partial

from attrs import evolve

from callsheet.core.core import Core
from callsheet.core.each import DONE, NOT_SENT, UNKNOWN, CommitProgress, keep_the_rest, progress_of
from callsheet.core.past.history import commits_where
from callsheet.core.resume import Resumed
from callsheet.core.sending import verify
from callsheet.dialects.protocol import VerifyingDialect
from callsheet.errors import StateError, UsageError
from callsheet.flow import Flow, Work
from callsheet.model.operation import ChangeSet

__all__ = ["abandon", "settle"]


def settle(core: Core, commit_id: str | None = None) -> Flow[Resumed]:
    """End a commit in doubt by looking what became of it, without sending it again.

    Without an id it is this session's own; else one in the journal. If it was done, it is settled. If not, its
    work is pending again (this session's own) or stays in the journal, marked as not done. Raises `UsageError` where
    the server cannot tell: `abandon` decides there.
    """
    progress = yield from _find(core, commit_id)
    found = yield from _look(core, progress)
    if found:
        if core.journal is not None:
            yield Work(partial(core.journal.finish, progress.changes.commit_id))
        if _is_own(core, progress.changes):
            core.unit.doubtful, core.progress = None, None
            operations = progress.changes.operations
            core.group(core.unit.settle(progress.versions(), [each.identity for each in operations]))
        return _resumed(core, progress, "had finished", "")
    reason = "looked up: not done" if core.features.atomic else f"looked up: {progress.summary()}"
    yield from _give_up(core, progress, reason)
    return _resumed(core, progress, "not done", reason)


def abandon(core: Core, commit_id: str | None = None, reason: str = "") -> Flow[Resumed]:
    """End a commit in doubt by decision: it is not sent again under its id.

    Without an id it is this session's own, whose work is pending again, except what is known to be done; else one in
    the journal. The journal keeps it, marked as abandoned with the ``reason``, until it is dropped.
    """
    progress = yield from _find(core, commit_id)
    summary = "outcome unknown" if core.features.atomic else progress.summary()
    decision = f"abandoned{f' ({reason})' if reason else ''}: {summary}"
    yield from _give_up(core, progress, decision)
    return _resumed(core, progress, "abandoned", decision)


def _find(core: Core, commit_id: str | None) -> Flow[CommitProgress]:
    own = core.unit.doubtful
    if own is not None and commit_id in (None, own.commit_id):
        return progress_of(core, own)
    if commit_id is None:
        raise StateError("no commit of this session is in doubt")
    for entry in (yield Work(core.journal.unfinished)) if core.journal is not None else ():
        if entry.changes.commit_id == commit_id:
            noted = yield Work(partial(core.journal.noted, commit_id))  # type: ignore[union-attr]
            return CommitProgress(entry.changes, noted)
    raise UsageError(f"no commit {commit_id} is in doubt here; a refused one is dropped with `callsheet resume --drop`")


def _is_own(core: Core, changes: ChangeSet) -> bool:
    return core.unit.doubtful is changes


def _look(core: Core, progress: CommitProgress) -> Flow[bool]:
    """Whether all of a commit was done; notes what is seen of each operation, on a server without transactions."""
    changes = progress.changes
    if core.features.atomic:
        return (yield from _was_done(core, changes))
    for place, operation in enumerate(changes.operations):
        if progress.state(place) == UNKNOWN:
            done = yield from _was_done(core, evolve(changes, operations=(operation,), parts=0))
            progress.states[place] = (DONE if done else NOT_SENT, "")
    return not progress.left()


def _was_done(core: Core, changes: ChangeSet) -> Flow[bool]:
    if isinstance(core._dialect, VerifyingDialect):
        return (yield from verify(core, changes)) is not None
    if core.features.history and core.features.commit_ids and core.features.atomic:
        return bool((yield from commits_where(core, 0, 1, commit_id=changes.commit_id)))
    raise UsageError("this server cannot tell what became of a commit; look yourself, then `abandon()` decides")


def _give_up(core: Core, progress: CommitProgress, reason: str) -> Flow[None]:
    if core.journal is not None:
        yield Work(partial(core.journal.refuse, progress.changes.commit_id, reason))
    if not _is_own(core, progress.changes):
        return
    if core.features.atomic:
        core.unit.doubtful, core.progress = None, None
    else:
        keep_the_rest(core, progress)


def _resumed(core: Core, progress: CommitProgress, outcome: str, reason: str) -> Resumed:
    outcomes = () if core.features.atomic else progress.outcomes()
    return Resumed(progress.changes.commit_id, outcome, progress.changes.operations, None, reason, outcomes)
