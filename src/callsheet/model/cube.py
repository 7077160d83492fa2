"""A cube as data: the table of its facts, hierarchies of levels, and measures with their formats.

A definition names entity types and paths, so it means the same on every server. ``session.query_mdx`` answers queries
over it. Each aggregate is about the facts that reach a cell (see ``measure.py``), so what is counted through a relation
counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import Factory, field, frozen

from callsheet.errors import UsageError
from callsheet.model.measure import AggregateFunction, Arithmetic, Measure, Shared, as_measure, as_path, as_shared
from callsheet.model.query import Condition, Path

__all__ = ["CubeDefinition", "CubeFormula", "CubeHierarchy", "CubeLevel", "CubeMeasure", "StoredParts"]


def _paths(given: Mapping[str, Any]) -> dict[str, Path]:
    return {name: found for name, each in given.items() if (found := as_path(each)) is not None}


def _levels(given: Iterable[CubeLevel]) -> tuple[CubeLevel, ...]:
    return tuple(given)


def _hierarchies(given: Iterable[CubeHierarchy]) -> tuple[CubeHierarchy, ...]:
    return tuple(given)


def _measures(given: Iterable[CubeMeasure]) -> tuple[CubeMeasure, ...]:
    return tuple(given)


def _formulas(given: Iterable[CubeFormula]) -> tuple[CubeFormula, ...]:
    return tuple(given)


def _check_hidden(_level: CubeLevel, _field: Any, value: Any) -> None:
    if value not in ("", "blank", "parent"):
        raise UsageError(f"`hidden` of a level is `blank` or `parent`, not {value!r:.80}")


def _check_nested(hierarchy: CubeHierarchy, _field: Any, levels: tuple[CubeLevel, ...]) -> None:
    nested = next((level for level in levels if level.parent is not None), None)
    if nested is not None and len(levels) > 1:
        message = f"the level `{nested.name}` has a `parent`, so it is the only one of its hierarchy `{hierarchy.name}`"
        raise UsageError(message)


def _parts(given: Iterable[str | CubeDefinition]) -> tuple[str | CubeDefinition, ...]:
    return tuple(given)


@frozen
class CubeLevel:
    """A level: its members are the values at a path of a fact, below those of the levels above.

    ``caption`` and ``order`` are paths, of the fact too, to what members are called and sorted by; else their value is
    both. ``properties`` are paths of what else is known of a member. ``unique`` says that a value has one parent.
    With a ``band`` (year, quarter, month, week, day) members are periods, each by its first day. ``kind`` says what
    members of a time hierarchy are, one of the same words; by default the band.

    With a ``parent``, the path to the key of another member of the level, members are below each other: people below
    their supervisors. A member without a parent is one at the top. The cells of a member are about all that are below
    it, too; those of its ``DataMember`` about its own facts. The level is then the only one of its hierarchy.
    ``hidden`` says which members are left out, so that their children are those of their parent: ``blank`` without a
    name, ``parent`` with the name of their parent, too.

    >>> CubeLevel("Product Name", "product.name", unique=True).path.names
    ('product', 'name')
    """

    name: str
    path: Path = field(converter=as_path)
    caption: Path | None = field(default=None, converter=as_path)
    order: Path | None = field(default=None, converter=as_path)
    properties: Mapping[str, Path] = field(factory=dict, converter=_paths)
    unique: bool = False
    band: str | None = None
    kind: str = Factory(lambda own: own.band or "", takes_self=True)
    description: str = ""
    parent: Path | None = field(default=None, converter=as_path)
    hidden: str = field(default="", validator=_check_hidden)

    @property
    def stands_alone(self) -> bool:
        """Whether its value says which member is meant, without those of the levels above."""
        return self.unique or self.band is not None or self.parent is not None


@frozen
class CubeHierarchy:
    """Levels from the top down. ``all_name`` is the member above all, ``All …s`` by default; None: there is none.

    ``dimension`` is the dimension it belongs to, its own name by default. ``default`` is the path of the member that a
    query without it is about, from the topmost level down.
    """

    name: str
    levels: tuple[CubeLevel, ...] = field(converter=_levels, validator=_check_nested)
    all_name: str | None = Factory(lambda own: f"All {own.name}s", takes_self=True)
    dimension: str = ""
    default: tuple[Any, ...] | None = None
    time: bool = False
    folder: str = ""
    description: str = ""


@frozen
class CubeMeasure:
    """A measure with its name, and its format in the manner of MDX (``#,##0.00``, ``Percent``)."""

    name: str
    measure: Measure = field(converter=as_measure)
    format: str = "Standard"
    folder: str = ""
    description: str = ""

    @property
    def rollup(self) -> str:
        """How values of parts without common facts make that of the whole; empty if only the facts can tell."""
        return _rollup(self.measure)


def _rollup(measure: Measure) -> str:
    if isinstance(measure, Arithmetic) and measure.operator in "+-":
        return "sum" if all(_rollup(part) == "sum" for part in measure.parts) else ""
    if not isinstance(measure, AggregateFunction):
        return ""
    own = measure.repeated or measure.path is None or len(measure.path.steps) == 1
    if measure.name in ("sum", "count"):
        return "sum" if own else ""
    return {"minimum": "min", "maximum": "max"}.get(measure.name, "")


@frozen
class CubeFormula:
    """A member that a formula in MDX computes: ``CubeFormula("[Measures].[Profit]", "[Sales] - [Cost]", "0.00")``.

    ``caption`` is what MDX shows in place of the name.
    """

    name: str
    formula: str
    format: str = ""
    solve_order: int = 0
    caption: str = ""


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given)


@frozen
class StoredParts:
    """Which levels and measures of a cube the server keeps as a table of cells, by their names; empty means all.

    A level is ``Month``, or ``Time.Month`` where several hierarchies have a level of that name. It comes with those
    above it.
    """

    levels: tuple[str, ...] = field(default=(), converter=_names)
    measures: tuple[str, ...] = field(default=(), converter=_names)


@frozen
class CubeDefinition:
    """A cube over the entities of a type, or over those that fulfil a condition.

    ``shared`` are, for each second table that measures are about, paths of the facts with those that stand for them
    there (see `Aggregate`).

    ``formulas`` and ``sets`` are known to queries in MDX: members that are computed, and sets by their names. The first
    measure is the one that a query without any is about. ``stored`` says what the server keeps of it, folded at each
    commit.

    ``parts`` are other cubes, or their names, of which queries in MDX see the measures side by side, over the
    hierarchies that they share. Such a cube has no hierarchies and measures of its own; its table is that of one part.

    >>> CubeDefinition(
    ...     "Bids",
    ...     "Task",
    ...     [CubeHierarchy("Shot", [CubeLevel("Shot", "parent.name")])],
    ...     [CubeMeasure("Bid", AggregateFunction("sum", "bid"))],
    ... ).hierarchies[0].all_name
    'All Shots'
    """

    name: str
    table: str
    hierarchies: tuple[CubeHierarchy, ...] = field(converter=_hierarchies)
    measures: tuple[CubeMeasure, ...] = field(converter=_measures)
    formulas: tuple[CubeFormula, ...] = field(default=(), converter=_formulas)
    where: Condition | None = None
    folder: str = ""
    description: str = ""
    shared: Shared = field(default=(), converter=as_shared)
    sets: Mapping[str, str] = Factory(dict)
    stored: StoredParts | None = None
    parts: tuple[str | CubeDefinition, ...] = field(default=(), converter=_parts)
