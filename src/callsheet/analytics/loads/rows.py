"""The rows of a table: loaded, appended, dropped, joined and read. A user table is written at once.

What is written to an entity type is only recorded: the session's next commit sends it, as it sends all changes.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

from callsheet.analytics.asked import Asked
from callsheet.analytics.loads import sending
from callsheet.analytics.loads.casting import TargetColumn
from callsheet.analytics.loads.recorded import record_drop, record_rows
from callsheet.analytics.loads.sending import LoadReport
from callsheet.analytics.loads.streams import renamed, stream_of
from callsheet.core.calls import call
from callsheet.core.opening import open_
from callsheet.core.verb import Verb
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.language.parser import parse_condition
from callsheet.model.language.text import condition_text
from callsheet.model.query import Condition, Select
from callsheet.model.schema import EntityType
from callsheet.model.table_steps import DropRows, JoinTable, ShareTable, Step

__all__ = ["ReadVerbs", "RowVerbs"]


class RowVerbs:
    """What is written to a table: `load`, `append`, ``+=``, `drop`, `join`, `share`."""

    _core: Any
    _type: EntityType

    @property
    def name(self) -> str:
        """The name of the entity type."""
        return self._type.name

    #: What became of the last load.
    report: LoadReport | None = None

    @property
    def is_user_table(self) -> bool:
        """Whether people added it, so that it is written at once; an entity type is written by commits."""
        return self._type.table is not None

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns whose values tell rows apart; rows of a table without any are never replaced."""
        facts = self._type.table
        if facts is None:
            return self._type.key
        return tuple(self._type.attributes[key].label or key for key in facts.keys)

    @Verb
    def load(
        self, source: Any, *, columns: Mapping[str, str] | None = None, bad_rows: str = "fail"
    ) -> Flow[LoadReport]:
        """Add the rows of a source: a frame, an Arrow table, dicts, tuples in the order of the columns, or lists.

        Rows of a table with keys replace those with the same keys. ``columns`` renames the columns of the source, and
        ``bad_rows`` says what becomes of rows with a wrong value, as in `read_csv`. It is one transaction. Rows of an
        entity type are recorded: those with an ``id`` change that entity, all others are new ones.
        """
        return load_rows(self, source, columns, bad_rows)

    def load_async(
        self, source: Any, *, columns: Mapping[str, str] | None = None, bad_rows: str = "fail"
    ) -> Coroutine[Any, Any, LoadReport]:
        """`load`, to be awaited in both kinds of session: ``report = await table.load_async(frame)``.

        A session that blocks loads in a thread meanwhile, and does nothing else until it is done.
        """
        flow = load_rows(self, source, columns, bad_rows)
        found: Coroutine[Any, Any, LoadReport] = (
            self._core.run(flow) if self._core._awaits else self._core._run_elsewhere(flow)
        )
        return found

    @Verb
    def append(self, *rows: Any) -> Flow[LoadReport]:
        """Add rows, tuples in the order of the columns or dicts: ``table.append(("Paris", 3), ("Rome", 4))``."""
        return load_rows(self, [*rows], None, "fail")

    def __iadd__(self, row: Any) -> Any:
        """Add a row: ``table += ("Paris", 3)``."""
        if self._core._awaits:
            raise UsageError("`+=` cannot be awaited: `await table.append(row)`")
        rows = row if isinstance(row, list) else [row]
        self._core.run(load_rows(self, rows, None, "fail"))
        return self

    @Verb
    def drop(self, condition: Any = None) -> Flow[int | None]:
        """Delete the rows that fulfil a condition, or all; gives how many (None inside a transaction).

        A condition is a text of the query language, a selection (``table["city"] == "Rome"``), or a condition.
        Entities of an entity type are deleted by the next commit.
        """
        return drop_rows(self, condition)

    @Verb
    def join(self, other: Any, columns: Mapping[str, str] | None = None, name: str | None = None) -> Flow[None]:
        """Make each row refer to a row of another table: the one whose columns are equal.

        ``columns`` maps columns here to those there; without them, the keys of the other table are looked for here. At
        most one row there may have these values, which is checked. The reference has the other table's name, unless
        ``name`` is given, so its columns are read as ``product.brand``, and are levels of cubes. A row without one
        there refers to nothing until it is loaded. The rows of an entity type are joined by their ``id``. A table of an
        external database is joined with another one of it by the columns that tell rows apart there, by administrators.
        """
        return join_table(self, other, columns, name)

    @Verb
    def share(self, account: str, writes: bool = True) -> Flow[None]:
        """Let another account write the table, or with ``writes=False`` no more. Only its owner may drop it."""
        return changed(self, ShareTable(self.name, account, writes))

    def _columns(self) -> dict[str, TargetColumn]:
        """The columns that rows are loaded into, by the names they were given, and by their words."""
        facts = self._type.table
        keys = () if facts is None else facts.keys
        found: dict[str, TargetColumn] = {}
        for attribute in self._type.attributes.values():
            if attribute.kind == "scalar" and attribute.name != "id":
                label = attribute.label or attribute.name
                found[label] = TargetColumn(label, attribute.data_type, attribute.name in keys)
        for attribute in self._type.attributes.values():
            if attribute.kind == "scalar" and attribute.name not in found and attribute.name != "id":
                found[attribute.name] = TargetColumn(attribute.name, attribute.data_type, attribute.name in keys)
        return found

    def _order(self) -> list[str]:
        """The names of the columns in their order."""
        scalars = [each for each in self._type.attributes.values() if each.kind == "scalar" and each.name != "id"]
        return [attribute.label or attribute.name for attribute in scalars]


class ReadVerbs(RowVerbs):
    """What is read of a table: `head`, `query`, `row_count`."""

    @Asked
    def row_count(self: Any) -> Flow[int]:
        """How many rows it has now."""
        figures = self._dictionary.figures
        figures.records.pop(self.name, None)
        return figures.total(self.name)  # type: ignore[no-any-return]

    @Verb
    def head(self, rows: int = 5) -> Flow[Any]:
        """The first rows, as a frame."""
        return query_rows(self, (), None, rows)

    @Verb
    def query(self, *columns: Any, filter: Any = None, max_rows: int | None = None) -> Flow[Any]:
        """The rows as a frame: of some columns, or all; those that fulfil a condition, or all.

        Columns are named, also those of joined tables (``product.brand``), or are variables. The condition is a text, a
        selection or a condition, as for `drop`.

        >>> from callsheet import Session
        >>> session = Session("memory:")
        >>> table = session.create_table("Fruit", {"name": "text", "price": "decimal(2)"})
        >>> table.append(("apple", 0.5), ("pear", 0.75)).rows
        2
        >>> table.query("name", filter="price > 0.6").to_rows()
        [{'name': 'pear'}]
        >>> session.close()
        """
        return query_rows(self, columns, filter, max_rows)


def load_rows(table: Any, source: Any, columns: Mapping[str, str] | None, bad_rows: str) -> Flow[LoadReport]:
    """Add the rows of a source."""
    if bad_rows not in sending.BAD_ROWS:
        raise UsageError(f"bad_rows is one of {', '.join(sending.BAD_ROWS)}, not {bad_rows!r:.40}")
    stream = renamed(stream_of(source, table._order()), columns)
    if not table.is_user_table:
        return (yield from record_rows(table, stream))
    step, report = yield from sending.stage(table._core, table.name, table._columns(), [stream], bad_rows)
    done = yield from _sent(table, step)
    if done is None:
        table._core._table_block.reported(report)
    else:
        report.position = done["position"]
    table.report = report
    return report


def drop_rows(table: Any, condition: Any) -> Flow[int | None]:
    """Delete rows."""
    where = _condition(table, condition)
    if not table.is_user_table:
        return (yield from record_drop(table, where))
    done = yield from _sent(table, DropRows(table.name, None if where is None else condition_text(where)))
    return None if done is None else int(done["steps"][0][1])


def join_table(table: Any, other: Any, columns: Mapping[str, str] | None, name: str | None) -> Flow[None]:
    """Add a reference."""
    target = other if isinstance(other, str) else other.name
    if table._type.external is not None:
        return _join_external(table, target, columns, name)
    return changed(table, JoinTable(table.name, target, name or "", None if columns is None else dict(columns)))


def _join_external(table: Any, target: str, columns: Mapping[str, str] | None, name: str | None) -> Flow[None]:
    """Add a reference between two tables of an external database."""
    if not columns:
        raise UsageError(f"say which columns of {table.name} are equal to those of {target}, like {{'shop': 'code'}}")
    asked = {"name": table.name, "target": target, "columns": dict(columns), "attribute": name}
    yield from call(table._core, "externals.join", asked)
    yield from open_(table._core)


def changed(table: Any, step: Step) -> Flow[None]:
    """Apply a step to a user table."""
    if not table.is_user_table:
        raise UsageError(f"{table.name} is an entity type of the schema, and no table that was added")
    yield from _sent(table, step)


def _sent(table: Any, step: Step) -> Flow[Any]:
    """Apply a step, or let it be part of the open transaction (then None)."""
    sending.check_tables(table._core)
    block = table._core._table_block
    if block is not None:
        block.add(step)
        return None
    return (yield from sending.change(table._core, [step]))


def _condition(table: Any, given: Any) -> Condition | None:
    if given is None:
        return None
    if isinstance(given, str):
        return parse_condition(given)
    if hasattr(given, "select_statement"):
        select: Select = (given.of(table) if hasattr(given, "of") else given).select_statement
        if select.limit is not None or select.offset:
            raise UsageError("rows are dropped by a condition, not by a number of them")
        return select.where
    if hasattr(given, "condition"):
        given = given.condition
    return given  # type: ignore[no-any-return]


def _own(table: Any, column: Any) -> Any:
    """A column of a user table by the name that it was given, which may be ``id`` too."""
    if isinstance(column, str) and table.is_user_table:
        for attribute in table._type.attributes.values():
            if attribute.label == column:
                return table.variables[attribute.name]
    return column


def query_rows(table: Any, columns: Sequence[Any], condition: Any, max_rows: int | None) -> Flow[Any]:
    """Rows as a frame."""
    from callsheet.analytics.datagrids import datagrid

    where = _condition(table, condition)
    selection = None
    if where is not None:
        selection = table._dictionary.kinds.selection(table._dictionary, Select(table.name, where=where))
    chosen: Iterable[Any] | None = [_own(table, each) for each in columns] or None
    if chosen is None and table.is_user_table:
        chosen = [each for each in table.variables if each.name != "id" and each.type != "Reference"]
    return (yield from datagrid(table, chosen, selection, max_rows))
