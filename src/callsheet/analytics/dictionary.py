"""The data dictionary of a session: its schema as tables and variables, and what the server said of them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from attrs import frozen

from callsheet.analytics.catalog import Catalog
from callsheet.analytics.figures import Figures
from callsheet.analytics.relations import TableGraph
from callsheet.core.core import Core
from callsheet.model.query import Path
from callsheet.model.schema import EntityType, Schema

__all__ = ["DataDictionary", "Kinds"]


@frozen
class Kinds:
    """The classes of what belongs to a session: those that block, or those that are awaited."""

    table: type[Any]
    variable: type[Any]
    selection: type[Any]
    quantified: type[Any]
    datagrid: type[Any]


class DataDictionary:
    """Tables and variables are made once for a schema: each is one object, and has the figures of all."""

    def __init__(self, core: Core, kinds: Kinds) -> None:
        self.core, self.kinds = core, kinds
        self.schema: Schema = core.schema
        self.relations = TableGraph(self.schema)
        self.figures = Figures(core)
        self._made: dict[str, Any] = {}

    def follow(self) -> None:
        """Take in user tables that were added, changed or dropped since; what stays keeps its object."""
        if self.schema is self.core.schema:
            return
        self.schema = self.core.schema
        self.relations = TableGraph(self.schema)
        self.figures.forget()
        for name in ("tables", "variables", "_by_type"):
            self.__dict__.pop(name, None)

    def _table_of(self, entity_type: EntityType) -> Any:
        """The table of an entity type, made once; one of a changed user table gets its new attributes."""
        found = self._made.get(entity_type.name)
        if found is None or not found._follows(entity_type):
            found = self._made[entity_type.name] = self.kinds.table(self, entity_type)
        return found

    @cached_property
    def tables(self) -> Catalog[Any]:
        """One table for each entity type, in the order of the schema."""
        found = [self._table_of(entity_type) for entity_type in self.schema.types.values()]
        return Catalog("table", ("table", "plural", "parent", "records"), found)

    @cached_property
    def variables(self) -> Catalog[Any]:
        """The variables of all tables; an attribute that types inherit is a variable of each."""
        found = [variable for table in self.tables for variable in table.variables]
        return Catalog("variable", ("variable", "description", "table", "type"), found)

    @property
    def master_table(self) -> Any:
        """The table that the others belong to."""
        return self.tables[list(self.schema.types).index(self.relations.master)]

    def table(self, name: str) -> Any:
        """The table of an entity type."""
        return self._by_type[name]

    @cached_property
    def _by_type(self) -> dict[str, Any]:
        return {table.name: table for table in self.tables}

    def key_of(self, name: str) -> Path:
        """The path to the key of a type's entities."""
        return Path.of(self.schema.types[name].key[0])
