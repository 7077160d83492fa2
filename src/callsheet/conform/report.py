"""What an edit changes, shot by shot."""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen

__all__ = ["ConformReport", "ShotChange", "ValueChange"]


@frozen
class ValueChange:
    """An attribute with its value before and after; the values are as people read them."""

    attribute: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.attribute} {_shown(self.before)} → {_shown(self.after)}"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


@frozen
class ShotChange:
    """One shot that the edit makes, changes or omits."""

    kind: Literal["new", "changed", "omitted"]
    sequence: str
    shot: str
    values: tuple[ValueChange, ...] = ()

    def __str__(self) -> str:
        """What happens to it: ``frame_count 48 → 60``."""
        if self.kind == "new":
            facts = {each.attribute: each.after for each in self.values}
            return f"{facts.get('frame_count')} frames at {_shown(facts.get('fps'))}"
        return ", ".join(map(str, self.values))


@frozen
class ConformReport:
    """What an edit does to a project. ``same`` shots are as the edit says already; ``notes`` say what was left out."""

    project: str
    changes: tuple[ShotChange, ...]
    same: int
    notes: tuple[str, ...] = ()

    @property
    def made(self) -> tuple[str, ...]:
        """The names of new shots."""
        return self._named("new")

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of shots with other values."""
        return self._named("changed")

    @property
    def omitted(self) -> tuple[str, ...]:
        """The names of shots that are gone from the edit."""
        return self._named("omitted")

    def _named(self, kind: str) -> tuple[str, ...]:
        return tuple(each.shot for each in self.changes if each.kind == kind)

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """A row for each shot that changes: what happens, sequence, shot, values from → to."""
        return [(each.kind, each.sequence, each.shot, str(each)) for each in self.changes]

    def __str__(self) -> str:
        counts = f"{len(self.made)} made, {len(self.changed)} changed, {len(self.omitted)} omitted"
        return f"{counts}, {self.same} as they were"
