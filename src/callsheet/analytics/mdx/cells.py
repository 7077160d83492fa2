"""What MDX needs of a cube: its description, the members of a level, and cells, many at once.

A cube answers three calls: `CubeCells.cube` is the description, `CubeCells.members` reads one level, and
`CubeCells.ask` answers questions. Each question is one grouped query: measures, the levels by which rows are grouped,
conditions that restrict the facts, and an optional order and limit. Nothing else of a cube is used, so that an engine,
a test over CSV files and a server can all be behind it.

A member is named by its path: the keys from the topmost level down to its own, ``("USA", "CA", "Los Angeles")``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeAlias

from attrs import Factory, frozen

__all__ = [
    "CalculatedDescription",
    "CellValue",
    "CubeCells",
    "CubeDescription",
    "CubeQuestion",
    "CubeReading",
    "FactCondition",
    "GroupedRows",
    "HierarchyDescription",
    "LevelDescription",
    "LevelName",
    "MeasureDescription",
    "MemberPath",
    "MemberRow",
    "MembersMissing",
    "PartDescription",
    "QuestionOrder",
]

MemberKey: TypeAlias = str | int | float | bool | None
MemberPath: TypeAlias = tuple[MemberKey, ...]
CellValue: TypeAlias = str | int | float | bool | Decimal | None
LevelName: TypeAlias = tuple[str, int]
"""A hierarchy's name and the depth of a level in it: 0 is the topmost level below All."""


@frozen
class LevelDescription:
    """A level. ``unique``: a key is found once in the whole level. ``properties`` are the names that rows may have.

    ``kind`` says what members of a time dimension are: ``year``, ``quarter``, ``month``, ``week`` or ``day``. The
    members of a ``nested`` level are below each other. ``hidden`` says which are left out: ``blank`` without a name,
    ``parent`` with the name of the member above, too.
    """

    name: str
    unique: bool = False
    properties: tuple[str, ...] = ()
    kind: str = ""
    nested: bool = False
    hidden: str = ""


@frozen
class HierarchyDescription:
    """A hierarchy: its levels from the top down, and its All member, if it has one.

    ``dimension`` is the name of the dimension it belongs to, the hierarchy's own if empty. ``default`` is the path of
    the default member: without one it is All, else the first member.
    """

    name: str
    levels: tuple[LevelDescription, ...]
    dimension: str = ""
    all_name: str | None = None
    all_level: str = "(All)"
    default: MemberPath | None = None
    time: bool = False
    caption: str = ""


@frozen
class MeasureDescription:
    """A measure that the cube computes.

    ``rollup`` says how values of parts that share no fact make the value of the whole: ``sum``, ``min``, ``max``, or
    nothing, when only the facts can tell (distinct counts, means).
    """

    name: str
    format: str = "Standard"
    rollup: str = "sum"
    visible: bool = True
    caption: str = ""


@frozen
class CalculatedDescription:
    """A member that a formula computes; ``name`` is the whole name, ``[Measures].[Profit]``."""

    name: str
    formula: str
    format: str = ""
    solve_order: int = 0
    visible: bool = True
    caption: str = ""


@frozen
class PartDescription:
    """A cube that another is made of: the names of the measures that it computes, and of its hierarchies."""

    name: str
    measures: tuple[str, ...]
    hierarchies: tuple[str, ...]


@frozen
class CubeDescription:
    """A cube: its hierarchies in order, its measures (the first is the default) and what it calculates.

    With ``parts``, each measure is of one of them; it is empty below the members of hierarchies that its part lacks.
    """

    name: str
    hierarchies: tuple[HierarchyDescription, ...]
    measures: tuple[MeasureDescription, ...]
    calculated: tuple[CalculatedDescription, ...] = ()
    named_sets: Mapping[str, str] = Factory(dict)
    parts: tuple[PartDescription, ...] = ()


@frozen
class MemberRow:
    """A member of a level. ``order`` sorts it among its siblings: without one its key does, empty keys first.

    ``parent`` is, in a nested level, the key of the member above.
    """

    path: MemberPath
    name: str
    properties: Mapping[str, CellValue] = Factory(dict)
    order: CellValue = None
    caption: str = ""
    parent: MemberKey = None


@frozen
class FactCondition:
    """Only facts that belong to one of several tuples of members.

    Each tuple has a path for each of ``levels``. With one level it is a plain ``IN``. A path that is shorter than its
    level is deep means an ancestor, an empty path every fact.
    """

    levels: tuple[LevelName, ...]
    tuples: tuple[tuple[MemberPath, ...], ...]


@frozen
class QuestionOrder:
    """Rows are ordered by a measure, with an index into ``measures``; empty values come last."""

    measure: int
    descending: bool = True


@frozen
class CubeQuestion:
    """Measures, grouped by levels, over the facts for which every condition holds.

    Only groups that have facts are rows. ``limit`` is the largest number of rows, after ``order``.
    """

    measures: tuple[str, ...]
    levels: tuple[LevelName, ...] = ()
    conditions: tuple[FactCondition, ...] = ()
    order: QuestionOrder | None = None
    limit: int | None = None


@frozen
class GroupedRows:
    """An answer: for each row the path of a member at each level of the question, and the value of each measure."""

    rows: Sequence[tuple[tuple[MemberPath, ...], tuple[CellValue, ...]]]


@frozen
class CubeReading:
    """What an evaluation needs before it can go on: answers to questions, and the members of levels."""

    questions: tuple[CubeQuestion, ...] = ()
    levels: tuple[LevelName, ...] = ()


class MembersMissing(Exception):
    """Raised by a cube for levels that must be read first; the evaluation comes back to them when they are."""

    def __init__(self, levels: Iterable[LevelName]) -> None:
        super().__init__()
        self.levels = tuple(levels)


class CubeCells(Protocol):
    """A cube that can be queried."""

    def cube(self) -> CubeDescription:
        """The description of the cube; always the same."""

    def members(self, level: LevelName) -> Sequence[MemberRow]:
        """All members of a level. Members without a child at the level below are left out by the cube.

        May raise `MembersMissing`, if the caller of the evaluation can read them (see `query.answering`).
        """

    def ask(self, questions: Sequence[CubeQuestion]) -> Sequence[GroupedRows]:
        """The answers to questions, in their order."""
