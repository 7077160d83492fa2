"""Cells of a cube: which one a row is, the entities behind it, and the commits that changed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from callsheet.core.past.causes import why
from callsheet.errors import UsageError
from callsheet.model.language.drilling import drilled, drilled_owners
from callsheet.model.measure import Aggregate, Measure
from callsheet.model.scalar import shown
from callsheet.model.schema import did_you_mean

__all__ = ["CubeRow", "FrameCells"]


class CubeRow(dict[str, Any]):
    """A row of a cube's answer: a dict by column, which knows the question that it answers."""

    def __init__(self, values: Mapping[str, Any], cells: FrameCells | None) -> None:
        super().__init__(values)
        self.cells = cells


@frozen(eq=False)
class FrameCells:
    """The cells of one question of a session: ``names`` are those of its levels, then of its measures."""

    core: Any
    question: Aggregate
    names: tuple[str, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """The names of the levels."""
        return self.names[: len(self.question.group)]

    def cell(self, row: Any) -> tuple[Any, ...]:
        """The values of a row at the levels; a row is a mapping by names, or values in the order of the columns."""
        if isinstance(row, Mapping):
            missing = [name for name in self.levels if name not in row]
            if missing:
                raise UsageError(f"the row has no `{missing[0]}`{did_you_mean(missing[0], map(str, row))}")
            return tuple(row[name] for name in self.levels)
        if isinstance(row, str) or not isinstance(row, Sequence) or len(row) < len(self.levels):
            raise UsageError(f"a row of this cube has {', '.join(self.levels) or 'no dimensions'}, not {shown(row)}")
        return tuple(row[: len(self.levels)])

    def measure(self, name: str | None) -> Measure:
        """The measure of a name; the first one if there is none."""
        names = self.names[len(self.levels) :]
        if name is None:
            return self.question.functions[0]
        if name not in names:
            raise UsageError(f"there is no measure `{name}`{did_you_mean(name, names)}: {', '.join(names)}")
        return self.question.functions[names.index(name)]

    def why(self, row: Any, since: Any, until: Any = None, measure: str | None = None) -> Any:
        """The commits that changed a measure of a row since a moment; awaited where the session is."""
        place = self.question.functions.index(self.measure(measure))
        return self.core.run(why(self.core, self.question, self.cell(row), since, until, place))

    def drill(self, row: Any, measure: str | None = None, owners: bool = False) -> Any:
        """The query of the entities behind a row."""
        schema, cell = self.core.schema, self.cell(row)
        if owners:
            return self.core.select(drilled_owners(self.question, cell, schema, self.measure(measure)))
        meant = None if measure is None else self.measure(measure)
        return self.core.select(drilled(self.question, cell, schema, meant))
