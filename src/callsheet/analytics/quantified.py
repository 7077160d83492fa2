"""Any, all or none of the entities of a table: a selection of whatever table it is joined with."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from callsheet.analytics.carrying import quantified, route_between
from callsheet.analytics.relations import TablePath
from callsheet.analytics.selections import AsyncSelection, Selection, SelectionVerbs
from callsheet.errors import UsageError
from callsheet.model.language.checking import check
from callsheet.model.query import Select

if TYPE_CHECKING:
    from callsheet.analytics.dictionary import DataDictionary

__all__ = ["AsyncQuantified", "Quantified", "QuantifiedVerbs"]

S = TypeVar("S")


class QuantifiedVerbs(SelectionVerbs[S], Generic[S]):
    """Those of whose entities of a table any, all or none are selected; see `Quantified`."""

    _word: str
    _inner: SelectionVerbs[Any]
    _through: str | TablePath | None

    @classmethod
    def quantify(
        cls, dictionary: DataDictionary, table: Any, word: str, selection: Any, through: str | TablePath | None
    ) -> Any:
        """The selection of those of whose entities of ``table`` ``word`` (any, all, none) are selected."""
        if not isinstance(selection, SelectionVerbs):
            raise UsageError(f"`{word}` takes a selection, not {selection!r:.60}")
        made = cls(dictionary, Select(table.name))
        made._word, made._inner, made._through = word, selection.of(table), through
        return made

    @cached_property
    def select_statement(self) -> Select:
        """The query underneath, of the table above the one that is asked about."""
        return self._select_of(self.table, self._through)

    @property
    def table(self) -> Any:
        """The table whose entities are selected: the parent of the one that is asked about."""
        parent = self._inner.table.parent
        if parent is None:
            name = self._inner.table.name
            raise UsageError(
                f"`{self._word}` of {name}: for whom? {name} belongs to no table; write `.of(table)`, or join it with "
                "a selection of that table: `selection & …`"
            )
        return parent

    def of(self, table: Any, through: str | TablePath | None = None) -> S:
        """The same question about the entities of another table: of *its* entities below, any, all or none."""
        target = self._inner.table._table_of(table)
        return self._selection(self._select_of(target, self._through if through is None else through))

    def _select_of(self, table: Any, through: str | TablePath | None) -> Select:
        schema, about = self._dictionary.schema, self._inner.table.name
        route = route_between(self._dictionary.relations, schema, table.name, about, through)
        if not route.links:
            raise UsageError(f"`{self._word}` asks about the {about} of another table; this is {table.name} itself")
        condition = quantified(schema, self._word, route, self._inner.condition, about)
        return check(Select(table.name, where=condition), schema)


class Quantified(QuantifiedVerbs["Selection"], Selection):
    """Those of whose entities of a table any, all or none are selected.

    By itself it is about the table above: ``bookings.all(bookings["Cost"] > 200)`` are people all of whose bookings
    cost more. Joined with a selection of another table, or given to `of`, it is about that one.
    """


class AsyncQuantified(QuantifiedVerbs["AsyncSelection"], AsyncSelection):
    """`Quantified` of an `AsyncSession`."""
