"""Finishing what a journal holds: the commits that an earlier session did not see the outcome of."""

from __future__ import annotations

from functools import partial

from attrs import frozen

from callsheet.core.core import Core
from callsheet.core.each import CommitProgress, deliver_each
from callsheet.core.sending import deliver, explain, is_final
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import CommitError, ServerError, StateError, UsageError
from callsheet.flow import Flow, Work
from callsheet.model.operation import Operation, OperationOutcome

__all__ = ["Resumed", "resume"]


@frozen
class Resumed:
    """The outcome of a commit that was in doubt, or in a journal.

    ``outcome`` is one of finished now, had finished, refused, unknown, not done, abandoned. On a server without
    transactions ``outcomes`` says what became of each operation.
    """

    commit_id: str
    outcome: str
    operations: tuple[Operation, ...]
    result: CommitResult | None = None
    reason: str = ""
    outcomes: tuple[OperationOutcome, ...] = ()


def resume(core: Core) -> Flow[list[Resumed]]:
    """Finish the commits that the journal holds from a session that ended before their answers came.

    They are sent in the journal's order, each under its own commit id, so that each is done once; the result says
    what became of each. What the server refuses stays in the journal with the reason and is not sent again.
    """
    if core.journal is None:
        raise UsageError("this session has no journal: Session(…, journal=PATH)")
    journal = core.journal
    if core.unit.doubtful is not None:
        raise StateError("the last commit of this session is in doubt; `commit()` sends it again")
    done: list[Resumed] = []
    for entry in (yield Work(journal.unfinished)):
        commit_id = entry.changes.commit_id
        progress: CommitProgress | None = None
        if not core.features.atomic:
            progress = CommitProgress(entry.changes, (yield Work(partial(journal.noted, commit_id))))
        try:
            if progress is None:
                result = yield from deliver(core, entry.changes, again=True)
            else:
                result = yield from deliver_each(core, progress)
        except CommitError as error:
            # The server cannot tell what became of an operation.
            outcomes = progress.outcomes() if progress is not None else ()
            done.append(Resumed(commit_id, "unknown", entry.changes.operations, reason=str(error), outcomes=outcomes))
            continue
        except ServerError as error:
            if not is_final(core, error, again=True):
                raise
            outcomes = progress.outcomes() if progress is not None else ()
            reason = str(explain(error, entry.changes.operations, outcomes))
            yield Work(partial(journal.refuse, commit_id, reason))
            done.append(Resumed(commit_id, "refused", entry.changes.operations, reason=reason, outcomes=outcomes))
            continue
        yield Work(partial(journal.finish, commit_id))
        outcome = "had finished" if result.replayed else "finished now"
        outcomes = progress.outcomes() if progress is not None else ()
        done.append(Resumed(commit_id, outcome, entry.changes.operations, result, outcomes=outcomes))
    core.journal_checked = all(each.outcome != "unknown" for each in done)
    return done
