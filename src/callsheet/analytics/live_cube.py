"""`Cube`: facts, hierarchies and measures that one edits, and questions about them. Nothing is read before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from callsheet.analytics.asked import AwaitingMember, BlockingMember
from callsheet.analytics.cube_changes import cells_of, explain_changes
from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.cube_homes import CubeHome, plain_definition
from callsheet.analytics.cube_levels import Hierarchies, Levels
from callsheet.analytics.cube_measures import Measures, check_text
from callsheet.analytics.cube_questions import query
from callsheet.analytics.cube_reading import shared_with
from callsheet.analytics.cube_text import cube_toml
from callsheet.analytics.cube_watching import CubeChange, watch
from callsheet.analytics.display import Shown
from callsheet.analytics.frames import Frame
from callsheet.analytics.storing_cubes import names_of, stored_as
from callsheet.core.verb import Verb
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.cube import CubeDefinition, CubeFormula, StoredParts
from callsheet.model.query import Condition

if TYPE_CHECKING:
    from callsheet.analytics.dictionary import DataDictionary

__all__ = ["AsyncCube", "Cube", "CubeVerbs"]


class CubeVerbs(Shown):
    """A cube over the entities of a type; see `Cube`."""

    def __init__(self, core: Any, home: CubeHome) -> None:
        self._core, self._home = core, home

    # -- what it is ----------------------------------------------------------------------------------------

    @property
    def _raw(self) -> CubeDefinition:
        """The definition in which measures name each other."""
        return self._home.read()

    @property
    def _dictionary(self) -> DataDictionary:
        found: DataDictionary = self._core._dictionary
        return found

    @property
    def definition(self) -> CubeDefinition:
        """What it is now, as data: `callsheet.model.cube.CubeDefinition`. No measure in it names another."""
        return plain_definition(self._raw)

    @property
    def name(self) -> str:
        """Its name."""
        return self._raw.name

    @property
    def table(self) -> Any:
        """The table of its facts."""
        return self._dictionary.table(self._raw.table)

    @property
    def filter(self) -> Condition | None:
        """The condition that all of its facts fulfil."""
        return self._raw.where

    @property
    def entity(self) -> Any:
        """The entity that it is kept in, with a history and permissions; None if it is the session's alone."""
        return self._home.entity

    @property
    def description(self) -> str:
        """What it is about, for people."""
        return self._raw.description

    @description.setter
    def description(self, description: str) -> None:
        self._home.change(description=check_text("description", description))

    @property
    def folder(self) -> str:
        """The folder that it is listed in."""
        return self._raw.folder

    @folder.setter
    def folder(self, folder: str) -> None:
        self._home.change(folder=check_text("folder", folder))

    @property
    def stored(self) -> StoredParts | None:
        """Which levels and measures the server keeps, by their names; None if it keeps nothing."""
        return self._raw.stored

    def store(self, levels: Iterable[str] = (), measures: Iterable[str] = ()) -> None:
        """Have the server keep the numbers of each combination of these levels' members, folded at each commit.

        Without ``levels`` all are kept, without ``measures`` all that can be. A question by some of the levels, with
        conditions about them only, is then answered without reading facts; what cannot is answered as before. The next
        commit makes it so. Raises `UsageError` that names what cannot be kept.

        >>> cube.store(levels=["Sequence", "Month"], measures=["Hours"])  # doctest: +SKIP
        """
        if self._home.entity is None:
            raise UsageError(f"the cube `{self.name}` is of this session alone, so no server can store it")
        parts = StoredParts(names_of("levels", levels), names_of("measures", measures))
        self._home.change(stored=stored_as(self._core.schema, self._raw, parts).stored)

    def unstore(self) -> None:
        """Have the server keep nothing of it; its questions are answered from the facts."""
        self._home.change(stored=None)

    # -- what it is made of ----------------------------------------------------------------------------------

    @property
    def hierarchies(self) -> Hierarchies:
        """Its hierarchies by name, to be edited: ``h["Time"] = ["year(start)", "month(start)"]``, ``del h["Time"]``."""
        return Hierarchies(self)

    @property
    def levels(self) -> Levels:
        """The levels of all hierarchies by name."""
        return Levels(self)

    @property
    def measures(self) -> Measures:
        """Its measures by name, to be edited: ``m["Ratio"] = m["Actual"] / m["Bid"]``, ``del m["Ratio"]``."""
        return Measures(self)

    @property
    def formulas(self) -> tuple[CubeFormula, ...]:
        """The members that formulas in MDX compute; can be set. Only queries in MDX know them."""
        return self._raw.formulas

    @formulas.setter
    def formulas(self, formulas: Iterable[CubeFormula]) -> None:
        given = tuple(formulas)
        if wrong := [each for each in given if not isinstance(each, CubeFormula)]:
            raise UsageError(f"a formula is a CubeFormula of callsheet.model.cube, not {wrong[0]!r:.80}")
        self._home.change(formulas=given)

    @property
    def sets(self) -> Mapping[str, str]:
        """The sets that queries in MDX may name, each with its expression; can be set."""
        return dict(self._raw.sets)

    @sets.setter
    def sets(self, sets: Mapping[str, str]) -> None:
        self._home.change(sets={check_text("name", name): check_text("set", each) for name, each in sets.items()})

    def share(self, table: Any, levels: Mapping[str, Any]) -> None:
        """Say by which paths a second table's entities are distinguished at levels of the cube, by the levels' names.

        Measures of it (``measures.total("bid", table="Task")``) then stand beside those of the facts. Without levels it
        is no second table any more.

        >>> cube.share("Task", {"Project": "project.name"})  # doctest: +SKIP
        """
        self._home.change(shared=shared_with(self._raw, self.table, self.levels, table, levels))

    def to_toml(self) -> str:
        """Its text in TOML, for review and version control; `create_cube_from_toml` of a session reads it.

        >>> Path("hours.toml").write_text(cube.to_toml())  # doctest: +SKIP
        """
        return cube_toml(self._raw)

    # -- questions -------------------------------------------------------------------------------------------

    @Verb
    def query(
        self,
        *measures: Any,
        levels: Any = (),
        filter: Any = None,
        totals: bool | Iterable[Any] = False,
        scenario: Any = None,
        at: Any = None,
        order: Any = None,
        limit: int | None = None,
        explain: bool = False,
        include_empty_rows: bool = False,
        mdx: bool = False,
    ) -> Flow[CubeFrame]:
        """Measures of the facts in each combination of members, computed by the server.

        ``measures`` are names, measures of the cube, or any others; without any, all of the cube. A level comes with
        those above it, unless its members are known without them (dates). ``filter`` is a condition, a selection, or a
        text of the query language about the facts. With ``totals`` there are rows for each shorter list of levels,
        too; or it lists which levels stay. ``scenario`` and ``at``
        (positions of the log, or commits) may be lists: then they are the first columns, and all is read in one
        snapshot. ``order`` names columns, with ``-`` first for the largest first; ``limit`` keeps the first rows.
        ``explain`` gives the frame a `plan`. ``include_empty_rows`` adds members of the levels without facts.
        With ``mdx`` the frame's `mdx` is the same question as a query in MDX.

        >>> cube.query("Sum(duration)", levels=["Sequence", "Week"], totals=True)  # doctest: +SKIP
        """
        return query(
            self, measures, levels, filter, totals, scenario, at, order, limit, explain, include_empty_rows, mdx
        )

    @Verb
    def explain_changes(
        self, first: Any, second: Any, *measures: Any, levels: Any = (), filter: Any = None
    ) -> Flow[Frame]:
        """The cells that differ between two moments, with old and new value; both are read by one request.

        A moment is a position, a commit or a time; None is now. A row for each cell and measure that differ, the
        largest difference first. A cell that is not there has None.

        >>> cube.explain_changes(monday, None, "Hours", levels=["Sequence"])  # doctest: +SKIP
        """
        return explain_changes(self, first, second, measures, levels, filter)

    def watch(
        self,
        *measures: Any,
        levels: Any = (),
        filter: Any = None,
        totals: bool | Iterable[Any] = False,
        order: Any = None,
        limit: int | None = None,
        include_empty_rows: bool = False,
        since: Any = None,
        callback: Callable[[CubeChange], Any] | None = None,
    ) -> Any:
        """The answer now, and again whenever commits have changed it: an iterator of `CubeChange`, to be closed.

        What is asked is written as in `query`. Each change has the whole answer (``frame``), the rows that differ from
        the last one (``cells``), and the ``position`` of the log. A loop that is slow gets one change for many commits.
        A broken connection is opened again, and nothing is missed. ``since`` continues from an earlier change, or from
        a position: the first change is then what differs. With a ``callback``, it is called with each change in a
        thread of its own (in a task, where the session is awaited), and what is returned has `close`.

        >>> with cube.watch("Hours", levels=["Sequence"]) as changes:  # doctest: +SKIP
        ...     for change in changes:
        ...         print(change.position, change.cells)
        """
        return watch(self, measures, levels, filter, totals, order, limit, include_empty_rows, since, callback)

    def drill(self, row: Any, measure: str | None = None, owners: bool = False) -> Any:
        """The entities behind a row of an answer, totals included, as a query: to be read, changed and exported.

        The same as `CubeFrame.drill` of the frame that the row is of.

        >>> cube.drill(frame[3]).all()  # doctest: +SKIP
        """
        return cells_of(self, row).drill(row, measure, owners)

    def why(self, row: Any, since: Any, until: Any = None, measure: str | None = None) -> Any:
        """Why a number of a row of an answer changed since a moment: the commits that changed it, ranked.

        The same as `CubeFrame.why` of the frame that the row is of; awaited where the session is.

        >>> for cause in cube.why(frame[3], since=monday):  # doctest: +SKIP
        ...     print(cause.user, cause.effect, cause.entities)
        """
        return cells_of(self, row).why(row, since, until, measure)

    # -- how it is shown -------------------------------------------------------------------------------------

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        _, hierarchies = self.hierarchies._grid()
        _, measures = self.measures._grid()
        return ("", "name", "is"), [
            *(("hierarchy", name, levels) for name, levels, *_ in hierarchies),
            *(("measure", name, text) for name, text, *_ in measures),
        ]

    def _title(self) -> str:
        return f"<{type(self).__name__} {self.name} of {self._raw.table}>"


class Cube(BlockingMember, CubeVerbs):
    """A cube: numbers about the entities of a table by the levels of hierarchies. What it is made of can be edited.

    >>> cube = session.create_cube("Timelog", "Hours")  # doctest: +SKIP
    >>> cube.measures["Hours"] = cube.measures["Sum(duration)"] / 3600  # doctest: +SKIP
    >>> cube.query("Hours", levels=["Sequence"])  # doctest: +SKIP
    """


class AsyncCube(AwaitingMember, CubeVerbs):
    """`Cube` of an `AsyncSession`: what the server is asked for is awaited."""
