"""`Sync`: two systems kept in step, both ways. And the plan of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.sync.files.documents import is_two_way, read_document
from callsheet.sync.runs import PREFIX, run_origin
from callsheet.sync.side import Side
from callsheet.sync.two_way.applying import TwoWayApplying, TwoWayResult, check
from callsheet.sync.two_way.conversation import aconverse, converse
from callsheet.sync.two_way.definition import two_way_definition
from callsheet.sync.two_way.outcome import Paired, PairPlan, SideWrite, TwoWayConflict, TwoWayRefusal
from callsheet.sync.two_way.pairing import SideName, TypePair, checked
from callsheet.sync.two_way.planning import Findings, TwoWayPlanning
from callsheet.sync.two_way.report import as_json, lines
from callsheet.sync.two_way.session_side import SessionSide

__all__ = ["AsyncSync", "AsyncTwoWayPlan", "Sync", "TwoWayPlan"]


class TwoWaySync:
    """What two systems need to be kept in step; see `Sync`."""

    def __init__(
        self,
        left: Core | Side,
        right: Core | Side,
        mapping: Sequence[TypePair] | TypePair,
        *,
        registry: Core | None = None,
        name: str = "",
    ) -> None:
        found = registry if registry is not None else left
        found = found.session if isinstance(found, SessionSide) else found
        if not isinstance(found, Core):
            raise UsageError("registry is the session whose server keeps what corresponds to what")
        self.registry = found
        self.right = _side(right, name or "right")
        self.name = name or self.right.name
        self.left = _side(left, "left")
        self.mapping = checked(mapping)

    @classmethod
    def from_file(
        cls, path: str | Path, left: Core | Side, right: Core | Side, *, registry: Core | None = None
    ) -> Self:
        """The sync of a file with ``[[pair]]`` tables, between these two: sessions get the file's names and scopes.

        The addresses in the file are for the command line. Raises `UsageError` for a file that cannot be used, with
        all that is wrong in it.
        """
        document = read_document(Path(path))
        if not is_two_way(document):
            raise UsageError(f"{Path(path).name} brings rows in: session.plan_file is for it; two ways need `[[pair]]`")
        found = two_way_definition(document, Path(path))
        return cls(*found.sides(left, right), found.mapping, registry=registry, name=found.name)

    def _planning(self, whole: bool) -> TwoWayPlanning:
        origin = f"{PREFIX}{quote(self.name, safe='')}/"
        return TwoWayPlanning(self.left, self.right, self.registry, self.mapping, self.name, origin, whole)


def _side(given: Any, name: str) -> Side:
    if isinstance(given, Core):
        return SessionSide(given, name)
    if not all(hasattr(given, each) for each in ("name", "run", "changes", "read", "write")):
        raise UsageError(f"a side is a session or has the methods of callsheet.sync.side.Side, not {given!r:.80}")
    found: Side = given
    return found


class Sync(TwoWaySync):
    """Two systems kept in step, both ways: what one side changed goes to the other.

    ``left`` and ``right`` are sessions, or other systems as sides (see `Side`); `SessionSide` gives a session a scope.
    ``mapping`` has a `TypePair` for each type, in any order. ``registry`` is
    the session whose server keeps links and bases (default: the left). ``name`` is what the log calls the runs, and
    the registry the right side (default: its name).

    >>> sync = Sync(ours, theirs, [TypePair("Shot", "Shot", ["name"], adopt=["name"])], name="mirror")  # doctest: +SKIP
    >>> print(sync.plan())  # doctest: +SKIP
    """

    def plan(self, *, whole: bool = False) -> TwoWayPlan:
        """Compare both sides: what changed since the last run, or (``whole``) everything. Changes nothing."""
        return TwoWayPlan(self, converse(self._planning(whole).plan()))


class AsyncSync(TwoWaySync):
    """Two systems kept in step, both ways, by `AsyncSession` and sides that are awaited; see `Sync`."""

    async def plan(self, *, whole: bool = False) -> AsyncTwoWayPlan:
        """Compare both sides: what changed since the last run, or (``whole``) everything. Changes nothing."""
        return AsyncTwoWayPlan(self, await aconverse(self._planning(whole).plan()))


class TwoWayPlanData:
    """What a two-way sync would change; see `TwoWayPlan`."""

    def __init__(self, sync: TwoWaySync, found: Findings) -> None:
        self._sync = sync
        self._found: Findings | None = found
        #: What was found for each pair of types.
        self.pairs: tuple[PairPlan, ...] = tuple(found.plans)

    @property
    def left(self) -> tuple[SideWrite, ...]:
        """The changes to the left side."""
        return self._on("left")

    @property
    def right(self) -> tuple[SideWrite, ...]:
        """The changes to the right side."""
        return self._on("right")

    def _on(self, side: SideName) -> tuple[SideWrite, ...]:
        return tuple(write for plan in self.pairs for write in plan.on(side))

    @property
    def linked(self) -> tuple[Paired, ...]:
        """Rows that are there on both sides, and are paired from now on."""
        return tuple(each for plan in self.pairs for each in plan.linked)

    @property
    def conflicts(self) -> tuple[TwoWayConflict, ...]:
        """What both sides changed, and nobody has decided. It stays as it is on both."""
        return tuple(each for plan in self.pairs for each in plan.conflicts)

    @property
    def overridden(self) -> tuple[TwoWayConflict, ...]:
        """What both sides changed, and whose value stands by policy."""
        return tuple(each for plan in self.pairs for each in plan.overridden)

    @property
    def refused(self) -> tuple[TwoWayRefusal, ...]:
        """What cannot be carried, and why."""
        return tuple(each for plan in self.pairs for each in plan.refused)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change on either side, and nothing to note."""
        return not any(plan.writes or plan.linked or plan.settled for plan in self.pairs)

    def __repr__(self) -> str:
        counts = f"{len(self.left)} to the left, {len(self.right)} to the right, {len(self.conflicts)} in conflict"
        return f"<{type(self).__name__} {counts}>"

    def __str__(self) -> str:
        """The plan as a table: a line for each thing that happens, at most 20 of a kind, and how many there are."""
        return "\n".join(line for plan in self.pairs for line in lines(plan))

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data: counts, and everything that would happen."""
        return {"pairs": [as_json(plan) for plan in self.pairs]}

    def _applying(self, chunk: int, progress: Callable[[int, int], Any] | None) -> TwoWayApplying:
        if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
            raise UsageError(f"chunk is a number of changes from 1, not {chunk!r:.80}")
        if self._found is None:
            raise UsageError("a two-way plan is applied once; plan again")
        check(self.pairs)
        found, self._found = self._found, None
        sync = self._sync
        origin = run_origin(sync.name)
        return TwoWayApplying(sync.left, sync.right, sync.registry, found, sync.name, origin, chunk, progress)


class TwoWayPlan(TwoWayPlanData):
    """What a two-way sync would change. `apply` writes it; until then nothing is.

    ``left`` and ``right`` are the changes to each side, ``linked``, ``conflicts``, ``overridden`` and ``refused`` what
    was found; ``print(plan)`` is a table.
    """

    def apply(self, *, chunk: int = 100, progress: Callable[[int, int], Any] | None = None) -> TwoWayResult:
        """Write to both sides, in runs of ``chunk`` changes; gives each change with its outcome.

        Conflicts and what is refused stay as they are; the next run looks at them again. A run that is cut off is
        finished by planning again. Raises `StateError` where more would go than may.
        """
        return converse(self._applying(chunk, progress).apply())


class AsyncTwoWayPlan(TwoWayPlanData):
    """What a two-way sync would change, of an `AsyncSync`; see `TwoWayPlan`."""

    async def apply(self, *, chunk: int = 100, progress: Callable[[int, int], Any] | None = None) -> TwoWayResult:
        """Write to both sides, in runs of ``chunk`` changes; gives each change with its outcome.

        Conflicts and what is refused stay as they are; the next run looks at them again. A run that is cut off is
        finished by planning again. Raises `StateError` where more would go than may.
        """
        return await aconverse(self._applying(chunk, progress).apply())
