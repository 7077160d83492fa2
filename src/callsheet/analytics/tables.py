"""Tables: entity types as an analyst sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from callsheet.analytics.asked import Asked, AwaitingMember, BlockingMember
from callsheet.analytics.catalog import Catalog, Named
from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.cubes import cube
from callsheet.analytics.datagrids import datagrid
from callsheet.analytics.display import Shown
from callsheet.analytics.loads.rows import ReadVerbs
from callsheet.analytics.naming import plural_of
from callsheet.analytics.quantified import AsyncQuantified, Quantified
from callsheet.analytics.relations import TablePath
from callsheet.analytics.resolving import written_variable
from callsheet.analytics.selections import AsyncSelection, Selection
from callsheet.analytics.variables import AsyncVariable, Variable
from callsheet.core.verb import Verb
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.query import Select
from callsheet.model.schema import EntityType

if TYPE_CHECKING:
    from callsheet.analytics.dictionary import DataDictionary

__all__ = ["AsyncTable", "Table", "TableVerbs"]

V = TypeVar("V", bound=Named)
S = TypeVar("S")
Q = TypeVar("Q")


class TableVerbs(ReadVerbs, Shown, Generic[V, S, Q]):
    """An entity type: its variables, the tables around it, and numbers about its entities; see `Table`."""

    def __init__(self, dictionary: DataDictionary, entity_type: EntityType) -> None:
        self._dictionary, self._type = dictionary, entity_type
        self._core: Any = dictionary.core

    def _follows(self, entity_type: EntityType) -> bool:
        """Whether this is still the table of an entity type; one whose user table was changed takes the new type."""
        if self._type is entity_type:
            return True
        mine, other = self._type.table, entity_type.table
        if mine is None or other is None or mine.number != other.number:
            return False
        self._type = entity_type
        self.__dict__.pop("variables", None)
        return True

    # -- what it is ----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the entity type."""
        return self._type.name

    @property
    def singular(self) -> str:
        """What one of its entities is called."""
        return self._type.singular or self._type.name

    @property
    def plural(self) -> str:
        """What several of its entities are called."""
        return self._type.plural or plural_of(self.singular)

    @property
    def description(self) -> str:
        """What it is, in a line of the schema; else its plural."""
        return self._type.description or self.plural

    @cached_property
    def variables(self) -> Catalog[V]:
        """Its variables, inherited ones included."""
        kind = self._dictionary.kinds.variable
        found = [kind(self, attribute) for attribute in self._type.attributes.values()]
        return Catalog("variable", ("variable", "description", "table", "type"), found)

    def __getitem__(self, name: str) -> V:
        """The variable of this name, label or description, or at a path of the query language: ``status.name``."""
        if not isinstance(name, str):
            raise TypeError(f"a variable of {self.name} is looked up by its name, not by {name!r:.80}")
        found: V | None = None if self.variables.__contains__(name) else written_variable(self, name)
        return self.variables[name] if found is None else found

    def __contains__(self, wanted: object) -> bool:
        return wanted in self.variables

    def _ipython_key_completions_(self) -> list[str]:
        return self.variables._ipython_key_completions_()

    def __iter__(self) -> Any:
        raise UsageError(f"{self.name} is a table: iterate its `variables`, or its entities by `everything`")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TableVerbs) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, str]:
        return self._dictionary.schema.hash, self.name

    @property
    def _names(self) -> tuple[str, ...]:
        return self.singular, self.plural, self.name

    @property
    def _cells(self) -> tuple[str, ...]:
        records = self._dictionary.figures.records.get(self.name)
        parent = self._dictionary.relations.parents[self.name]
        shown = "-" if records is None else f"{records:,}"
        return self.name, self.plural, parent.target if parent else "", shown

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return self.variables._grid()

    def _title(self) -> str:
        text = f"{type(self).__name__} {self.name}: {len(self.variables)} variables"
        if not self.is_user_table:
            return f"<{text}>"
        return f"<{text}, keyed by {', '.join(self.keys)}>" if self.keys else f"<{text}, unkeyed>"

    # -- how many ------------------------------------------------------------------------------------------

    @Asked
    def total_records(self) -> Flow[int]:
        """How many entities it has, as counted when first read; `refresh` lets them be counted again."""
        return self._dictionary.figures.total(self.name)

    def refresh(self) -> None:
        """Forget the numbers of all tables that the server gave: totals, smallest and largest values."""
        self._dictionary.figures.forget()

    @Verb
    def count(self) -> Flow[int]:
        """How many entities it has now."""
        figures = self._dictionary.figures
        figures.records.pop(self.name, None)
        return figures.total(self.name)

    # -- the tables around it --------------------------------------------------------------------------------

    @property
    def parent(self) -> Any:
        """The table that it belongs to, or None."""
        link = self._dictionary.relations.parents[self.name]
        return None if link is None else self._dictionary.table(link.target)

    @property
    def children(self) -> list[Any]:
        """The tables that belong to it."""
        return self._tables(self._dictionary.relations.children[self.name])

    @property
    def ancestors(self) -> list[Any]:
        """Its parent, the parent of that, and so on."""
        return self._tables(self._dictionary.relations.ancestors(self.name))

    @property
    def descendants(self) -> list[Any]:
        """Its children and theirs, each child followed by its own."""
        return self._tables(self._dictionary.relations.descendants(self.name))

    def _tables(self, names: Iterable[str]) -> list[Any]:
        return [self._dictionary.table(name) for name in names]

    def is_same(self, other: Any) -> bool:
        """Whether it is the same table."""
        return bool(self == self._table_of(other))

    def is_ancestor(self, other: Any, allow_same: bool = False) -> bool:
        """Whether the other table belongs to it, directly or by tables between."""
        other = self._table_of(other)
        return self in other.ancestors or (allow_same and self == other)

    def is_descendant(self, other: Any, allow_same: bool = False) -> bool:
        """Whether it belongs to the other table, directly or by tables between."""
        other = self._table_of(other)
        return other in self.ancestors or (allow_same and self == other)

    def is_related(self, other: Any) -> bool:
        """Whether any way of relations leads from it to the other table."""
        return self == self._table_of(other) or bool(self.paths_to(other))

    def paths_to(self, other: Any) -> list[TablePath]:
        """All ways from it to another table that pass no table twice, the shortest first."""
        return self._dictionary.relations.routes(self.name, self._table_of(other).name)

    def _table_of(self, given: Any) -> Any:
        if isinstance(given, TableVerbs):
            if given._identity[0] != self._identity[0]:
                raise UsageError(f"the table {given.name} is of another schema than {self.name}")
            return given
        if isinstance(given, str):
            return self._dictionary.tables[given]
        raise UsageError(f"a table is needed, or its name, not {given!r:.80}")

    # -- selections ------------------------------------------------------------------------------------------

    @property
    def everything(self) -> S:
        """The selection of all its entities."""
        found: S = self._dictionary.kinds.selection(self._dictionary, Select(self.name))
        return found

    def where(self, selection: Any, through: str | TablePath | None = None) -> S:
        """Its entities that a selection is about; one of another table is carried over (see `Selection.of`)."""
        found: S = selection.of(self, through)
        return found

    def any(self, selection: Any = None, through: str | TablePath | None = None) -> Q:
        """Those who have any entity of this table that is selected; without a selection: any at all."""
        return self._quantified("any", selection, through)

    def all(self, selection: Any, through: str | TablePath | None = None) -> Q:
        """Those whose entities of this table are all selected; who has none is among them."""
        return self._quantified("all", selection, through)

    def none(self, selection: Any = None, through: str | TablePath | None = None) -> Q:
        """Those who have no entity of this table that is selected."""
        return self._quantified("none", selection, through)

    def _quantified(self, word: str, selection: Any, through: str | TablePath | None) -> Q:
        kind = self._dictionary.kinds.quantified
        chosen = self.everything if selection is None else selection
        found: Q = kind.quantify(self._dictionary, self, word, chosen, through)
        return found

    # -- grids and cubes -------------------------------------------------------------------------------------

    @Verb
    def datagrid(self, columns: Iterable[Any] | None = None, selection: Any = None, max_rows: int = 1_000) -> Flow[Any]:
        """Rows of some columns: variables of this table, or of tables above it; None: all of this table's.

        At most ``max_rows``; `truncated` and `total` of the grid say what is missing.
        """
        return datagrid(self, columns, selection, max_rows)

    @Verb
    def cube(
        self,
        dimensions: Iterable[Any] = (),
        measures: Mapping[str, Any] | Iterable[Any] | None = None,
        selection: Any = None,
        totals: bool = False,
        order: Any = None,
        limit: int | None = None,
    ) -> Flow[CubeFrame]:
        """Numbers about its entities for each combination of values, computed by the server.

        ``dimensions`` are variables, or bands of dates (``date.month``); ``measures`` are such as ``cost.sum()``, or
        texts (``"sum(Cost)"``); without any, the entities are counted. With ``totals`` there are rows for each shorter
        list of dimensions, too. ``order`` names columns, with ``-`` first for the largest first.
        """
        return cube(self, dimensions, measures, selection, totals, order, limit)


class Table(BlockingMember, TableVerbs[Variable, Selection, Quantified]):
    """An entity type as an analyst sees it: its variables, the tables around it, and numbers about its entities.

    >>> people = session.tables["People"]  # doctest: +SKIP
    >>> people.total_records, people.parent.name, people["Occupation"].type  # doctest: +SKIP
    (1156553, 'Households', 'Selector')
    """


class AsyncTable(AwaitingMember, TableVerbs[AsyncVariable, AsyncSelection, AsyncQuantified]):
    """`Table` of an `AsyncSession`: what the server is asked for is awaited."""
