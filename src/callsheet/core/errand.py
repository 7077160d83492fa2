"""What a session is for that was made for one event of a durable handler."""

from __future__ import annotations

from attrs import define, evolve

from callsheet.model.operation import ChangeSet, Effect

__all__ = ["Errand"]


@define
class Errand:
    """The event that the session's one commit answers.

    ``commit_id`` is the commit's, made of the event and the attempt; ``repeated`` says that an earlier attempt may
    have committed the same on a server that knows no commit ids; while ``running``, nothing may be committed, since
    what the handler has done so far is not all.
    """

    commit_id: str
    effect: Effect | None = None
    repeated: bool = False
    running: bool = True

    def address(self, changes: ChangeSet) -> ChangeSet:
        """The change set as the answer to the event. What it was based on must still be there, whatever is there now:
        two handlers that saw the same may both have counted on from it."""
        return evolve(changes, commit_id=self.commit_id, effect=self.effect, agree=False)
