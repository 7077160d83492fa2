"""Applying a plan: its operations go out as one commit, or in chunks with an outcome for each.

Theory. An update carries the value and version that the plan saw, so a value that somebody else changed since is a
conflict and is never overwritten. A commit without an answer is sent again under its own id. A run that is killed
leaves whole commits behind; planning again finds their effects, so no state is kept between runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from attrs import define, field, frozen

from callsheet.core.commit import send_alone
from callsheet.core.core import Core
from callsheet.core.errand import Errand
from callsheet.core.meter import Meter, ProgressFunction, meter_for
from callsheet.core.populating import refresh
from callsheet.core.sending import explain
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import CommitError, ConflictError, ServerError, StateError, UsageError
from callsheet.flow import Flow
from callsheet.model.operation import Change, Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.sync.plan_data import PlanData
from callsheet.sync.report import conflict_text, too_many, too_many_members
from callsheet.sync.shipment import Shipment
from callsheet.sync.steps import Disagreement

__all__ = ["SyncResult", "apply"]

REFUSALS = 100
"""Operations of a chunk that the server may refuse one by one, each at the price of sending the others again."""


@frozen
class SyncResult:
    """What applying did: entities created, changed, deleted and linked, and the commits it took.

    ``linked`` counts entities that were there and are linked from now on.
    ``refused`` has the operations that the server refused, each with the reason (only where the plan was not atomic).
    """

    created: int = 0
    changed: int = 0
    deleted: int = 0
    commits: tuple[CommitResult, ...] = ()
    refused: tuple[tuple[Operation, str], ...] = ()
    linked: int = 0


def apply(
    core: Core,
    steps: Sequence[PlanData],
    shipment: Shipment,
    *,
    atomic: bool = True,
    chunk: int = 5_000,
    progress: ProgressFunction | bool | None = None,
) -> Flow[SyncResult]:
    """Send the operations of a plan.

    With ``atomic`` all of them are one commit: all are done, or none. Without, each ``chunk`` is a commit of its own;
    operations that the server refuses are left out and listed in the result, and an interrupted run is finished by
    planning again. In a handler or a schedule they go with the one commit of the event or tick. ``progress`` is a
    function that is called with how many operations are done and how many there are, or True, as in `commit`.

    Raises `StateError` for a plan with refused rows (unless it was made with ``on_error="skip"``) and for one that
    would take away more than it may; `ConflictError` for one with open conflicts (unless ``on_error="skip"``), and
    where somebody else changed the same since; `CommitError` otherwise.
    """
    _check(steps, chunk)
    meter = meter_for(progress, len(shipment.operations), "sync")
    work = _Applying(core, shipment, meter)
    try:
        if core.errand is not None and core.errand.running:
            yield from work.hand_over(core.errand, atomic)
            return work.result()
        if not atomic:
            for part in shipment.chunks(chunk):
                yield from work.send_part(part)
        elif len(shipment.operations):
            yield from work.send_whole(tuple(shipment.operations))
    except CommitError as error:
        error.result = work.result()
        raise
    finally:
        meter.close()
    if work.held:
        yield from refresh(core, list(work.held.values()))
    return work.result()


def _check(steps: Sequence[PlanData], chunk: int) -> None:
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise UsageError(f"chunk is a number of operations from 1, not {chunk!r:.80}")
    refused = [row for step in steps if step.on_error != "skip" for row in step.refused]
    if refused:
        first = "; ".join(map(str, refused[:3]))
        more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
        raise StateError(f'{first}{more}. Mend them, or plan with on_error="skip" to leave these rows out')
    undecided = [each for step in steps if step.on_error != "skip" for each in step.conflicts]
    if undecided:
        text = f"{conflict_text(undecided[0])}{f'; and {len(undecided) - 1} more' if len(undecided) > 1 else ''}"
        cure = 'give the values a policy, mend them on one side, or plan with on_error="skip" to leave them as they are'
        raise ConflictError(f"{text}. Decide: {cure}", conflicts=tuple(map(_as_change, undecided)))
    for step in steps:
        if step.too_many_end:
            raise StateError(too_many(step))
        if step.too_many_leave:
            raise StateError(too_many_members(step))


def _as_change(each: Disagreement) -> Change:
    return Change(each.identity, each.attribute, each.base, each.source, each.target)


@define(eq=False)
class _Applying:
    """The progress of applying a plan."""

    core: Core
    shipment: Shipment
    meter: Meter
    done: int = 0
    counts: Counter[str] = field(factory=Counter)
    refused: list[tuple[Operation, str]] = field(factory=list)
    commits: list[CommitResult] = field(factory=list)
    #: Entities that the session holds and that were written to: they get the new values.
    held: dict[Identity, Any] = field(factory=dict)
    #: What was created and updated, if something may be both, or the latter twice.
    _created: set[Identity] = field(factory=set)
    _changed: set[Identity] = field(factory=set)

    def hand_over(self, errand: Errand, atomic: bool) -> Flow[None]:
        """Leave the operations to the commit that is made when the handler has returned."""
        if not atomic:
            raise StateError(
                "what a handler or a schedule changes is one commit; to commit in chunks, plan and apply in a session "
                "of your own, `session.fork()`, which may then happen more than once"
            )
        operations = tuple(self.shipment.operations)
        errand.take(operations, self.shipment.origin)
        self._count(operations)
        yield from self._announce()

    def send_whole(self, operations: Sequence[Operation]) -> Flow[None]:
        try:
            sent = send_alone(self.core, operations, origin=self.shipment.origin, meter=self.meter)
            self.commits.append((yield from sent))
        except ServerError as error:
            raise explain(error, operations, rest="") from error
        self._count(operations)

    def send_part(self, operations: Sequence[Operation]) -> Flow[None]:
        """Send a chunk without what the server refuses of it."""
        left, refusals = list(operations), 0
        while left:
            try:
                self.commits.append((yield from send_alone(self.core, left, origin=self.shipment.origin)))
            except ServerError as error:
                index = error.operation
                if error.status >= 500 or index is None or not 0 <= index < len(left):
                    raise explain(
                        error, left, rest=" (of this chunk; what the chunks before it did is done)"
                    ) from error
                refusals += 1
                if refusals > REFUSALS:
                    # An account without rights is refused each of them: that is no matter of single rows.
                    told = f" ({refusals} operations of this chunk were refused; what the chunks before it did is done)"
                    raise explain(error, left, rest=told) from error
                # Without its entity there is no link, and without its link no entity.
                concerned = self.shipment.entity(left[index])
                self.refused.append((left[index], str(error)))
                left = [each for each in left if self.shipment.entity(each) != concerned]
            else:
                self._count(left)
                break
        yield from self._announce()

    def _announce(self) -> Flow[None]:
        return self.meter.report(self.done + len(self.refused))

    def _count(self, operations: Sequence[Operation]) -> None:
        """Note what was done; operations that are not needed are released, since there may be millions."""
        links = self.shipment.links
        own = [each for each in operations if each.identity not in links]
        created = {each.identity for each in own if isinstance(each, Create)}
        changed = {each.identity for each in own if isinstance(each, Update)} - created - self._created - self._changed
        made = {links[each.identity] for each in operations if each.identity in links and isinstance(each, Create)}
        self.done += len(operations)
        self.counts["created"] += len(created)
        self.counts["changed"] += len(changed)
        self.counts["deleted"] += sum(isinstance(each, Delete) for each in own)
        self.counts["linked"] += len(made - created)
        if self.shipment.has_circles:
            self._created |= created
            self._changed |= changed
        self._note_held(own)

    def _note_held(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, Create):
                continue
            root = self.core.schema.types[operation.identity.entity_type].root
            entity = self.core.identities.family(root).get(operation.identity.key)
            if entity is not None and self.core.unit.is_alive(entity):
                self.held[operation.identity] = entity

    def result(self) -> SyncResult:
        counts = self.counts
        three = (counts["created"], counts["changed"], counts["deleted"])
        return SyncResult(*three, tuple(self.commits), tuple(self.refused), counts["linked"])
