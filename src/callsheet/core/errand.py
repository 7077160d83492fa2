"""What a session is for that was made for one event of a durable handler, or one tick of a schedule."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field

from callsheet.model.operation import ChangeSet, Effect, Operation

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
    operations: list[Operation] = field(factory=list)
    origin: str = ""

    def take(self, operations: Sequence[Operation], origin: str) -> None:
        """Let these operations go with the commit."""
        self.operations += operations
        self.origin = self.origin or origin

    def address(self, changes: ChangeSet) -> ChangeSet:
        """The change set as the answer to the event. What it was based on must still be there, whatever is there now:
        two handlers that saw the same may both have counted on from it."""
        origin = self.origin or changes.origin
        return evolve(changes, commit_id=self.commit_id, effect=self.effect, agree=False, origin=origin)
