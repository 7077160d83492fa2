"""Selections: which entities of a table are meant. Each is a `Select` of the model underneath."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import evolve

from callsheet.analytics import limiting
from callsheet.analytics.asked import Asked, AwaitingMember, BlockingMember
from callsheet.analytics.carrying import along, route_between
from callsheet.analytics.counting import TableCounts, count_with_ancestors
from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.cubes import cube
from callsheet.analytics.datagrids import datagrid
from callsheet.analytics.relations import TablePath
from callsheet.analytics.storing import to_json
from callsheet.core.verb import Verb
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.language.text import select_text
from callsheet.model.query import And, Comparison, Condition, Not, Or, Select

if TYPE_CHECKING:
    from callsheet.analytics.dictionary import DataDictionary
    from callsheet.entity.entity import Entity

__all__ = ["AsyncSelection", "Selection", "SelectionVerbs"]

S = TypeVar("S")


class SelectionVerbs(Generic[S]):
    """Some entities of a table; see `Selection`."""

    def __init__(self, dictionary: DataDictionary, select: Select) -> None:
        self._dictionary = dictionary
        self._core: Any = dictionary.core
        self._given = select
        self._counts: TableCounts | None = None

    @property
    def select_statement(self) -> Select:
        """The query underneath."""
        return self._given

    @property
    def table(self) -> Any:
        """The table whose entities are selected."""
        return self._dictionary.table(self.select_statement.entity_type)

    @property
    def condition(self) -> Condition | None:
        """What selects the same entities of the table; None selects all. Limits become a query of their own in it."""
        select = self.select_statement
        if not limiting.is_limited(select):
            return select.where
        key = self._dictionary.key_of(select.entity_type)
        return Comparison(key, "in", evolve(select, projections=(key,)))

    def __str__(self) -> str:
        """The selection as a text of the query language."""
        return select_text(self.select_statement)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    # -- logic -----------------------------------------------------------------------------------------------

    def __and__(self, other: Any) -> S:
        return self._joined(And, "&", other)

    def __or__(self, other: Any) -> S:
        return self._joined(Or, "|", other)

    def __invert__(self) -> S:
        condition = self.condition
        if condition is None:
            key = self._dictionary.key_of(self.table.name)
            return self._new(Comparison(key, "in", ()))
        return self._new(condition.condition if isinstance(condition, Not) else Not(condition))

    def __rand__(self, other: Any) -> Any:
        raise UsageError(f"`&` joins selections, not {other!r:.60}; write parentheses around each comparison")

    def __ror__(self, other: Any) -> Any:
        raise UsageError(f"`|` joins selections, not {other!r:.60}; write parentheses around each comparison")

    def __bool__(self) -> bool:
        raise UsageError(
            "a selection is neither true nor false: join selections with `&`, `|` and `~` instead of and, or, not; "
            "write `between(low, high)` for a chained comparison, and `.count()` to see whether there are any"
        )

    __contains__ = None  # `in` would fetch every entity.

    def _joined(self, kind: type[And | Or], sign: str, other: Any) -> S:
        if not isinstance(other, SelectionVerbs):
            raise UsageError(f"`{sign}` joins selections, not {other!r:.60}; write parentheses around each comparison")
        self._check_same_session(other)
        one, two = self.condition, other.of(self.table).condition
        if one is None or two is None:
            return self._new((two if one is None else one) if kind is And else None)
        return self._new(kind((*_parts(one, kind), *_parts(two, kind))))

    def _new(self, condition: Condition | None) -> S:
        return self._selection(Select(self.table.name, where=condition))

    def _selection(self, select: Select) -> S:
        found: S = self._dictionary.kinds.selection(self._dictionary, check(select, self._dictionary.schema))
        return found

    def _check_same_session(self, other: SelectionVerbs[Any]) -> None:
        if other._dictionary.schema.hash != self._dictionary.schema.hash:
            raise UsageError("these selections are of different schemas and cannot be joined")

    def of(self, table: Any, through: str | TablePath | None = None) -> S:
        """The entities of another table that are related to those selected.

        Of a table above: those that have any selected entity; of a table below: those that belong to a selected one.
        The way is that of the tree of tables, else the only shortest one. Where there are several, choose by
        ``through``: a `TablePath` of `Table.paths_to`, or an attribute that only one of them follows.
        """
        target = self.table._table_of(table)
        relations, schema = self._dictionary.relations, self._dictionary.schema
        if through is None and target.is_same(self.table):
            return self._selection(self.select_statement)
        route = route_between(relations, schema, target.name, self.table.name, through)
        return self._selection(Select(target.name, where=along(schema, route, self.condition, self.table.name)))

    # -- how many, and which -----------------------------------------------------------------------------------

    @Verb
    def count(self) -> Flow[int]:
        """How many entities are selected. `counts` of the tables above come with the same request."""
        self._counts = yield from count_with_ancestors(self)
        return self._counts[self.table.name]

    @Asked
    def counts(self) -> Flow[TableCounts]:
        """How many entities are selected, and how many of each table above they belong to, by table or its name."""
        if self._counts is None:
            self._counts = yield from count_with_ancestors(self)
        return self._counts

    def limit(self, number: int | tuple[int, int], by: Any = None, per: Any = None, *, ascending: bool = False) -> S:
        """At most ``number`` of them: those with the largest values of the variable ``by``; of equal ones any, but
        always the same.

        With ``per``, a table above or a variable, as many for each of its records or values. ``ascending`` takes the
        smallest. ``number`` may be a pair of ranks, both included: ``limit((11, 20), by=cost)``.
        """
        return self._selection(limiting.limited(self, number, by, per, ascending))

    def sample(
        self,
        n: int | None = None,
        frac: float | Fraction | None = None,
        method: str = "random",
        *,
        seed: int = 0,
        per: Any = None,
    ) -> S:
        """Some of them: ``n``, or a share from 0 to 1.

        ``random`` draws the same ones for the same ``seed``; ``first`` takes the first ones; ``stratified`` gives each
        value of ``per`` its share.
        """
        return self._selection(limiting.sampled(self, n, frac, method, seed, per))

    def to_query(self) -> Any:
        """The query of the selected entities (`QueryResult`), to be ordered, read and exported."""
        return self._core.select(self.select_statement)

    def to_json(self) -> str:
        """The selection as JSON; ``session.selection(text)`` reads it."""
        return to_json(self.select_statement)

    @Verb
    def datagrid(self, columns: Any = None, max_rows: int = 1_000) -> Flow[Any]:
        """Rows of some columns of the selected entities; see `Table.datagrid`."""
        return datagrid(self.table, columns, self, max_rows)

    @Verb
    def cube(
        self,
        dimensions: Any = (),
        measures: Any = None,
        totals: bool = False,
        order: Any = None,
        limit: int | None = None,
    ) -> Flow[CubeFrame]:
        """Numbers about the selected entities; see `Table.cube`."""
        return cube(self.table, dimensions, measures, self, totals, order, limit)


def _parts(condition: Condition, kind: type[And | Or]) -> tuple[Condition, ...]:
    return condition.conditions if isinstance(condition, kind) else (condition,)


class Selection(BlockingMember, SelectionVerbs["Selection"]):
    """Some entities of a table, by a condition; joined with ``&``, ``|`` and ``~``.

    Of two tables the result is about the left one: ``people & costly`` are the people who have any costly booking.
    Iterating gives the entities, page by page.

    >>> people, bookings = session.tables["People"], session.tables["Bookings"]  # doctest: +SKIP
    >>> chosen = people["Occupation"].is_in(["Sales", "Retired"]) & (bookings["Cost"] > 200)  # doctest: +SKIP
    >>> chosen.count()  # doctest: +SKIP
    4811
    """

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.to_query())


class AsyncSelection(AwaitingMember, SelectionVerbs["AsyncSelection"]):
    """`Selection` of an `AsyncSession`: ``await selection.count()``, ``async for entity in selection``."""

    def __aiter__(self) -> AsyncIterator[Entity]:
        found: AsyncIterator[Entity] = self.to_query().__aiter__()
        return found
