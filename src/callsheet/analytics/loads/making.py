"""Tables are made, filled from a source, and dropped: the verbs of a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from callsheet.analytics.loads import sending
from callsheet.analytics.loads.casting import TargetColumn
from callsheet.analytics.loads.delimited import csv_stream, csv_types
from callsheet.analytics.loads.sources import files, parquet_stream, spark_stream, sql_stream
from callsheet.analytics.loads.streams import RowStream, renamed, stream_of
from callsheet.analytics.loads.types import column_spec, spec_of_arrow
from callsheet.errors import UsageError
from callsheet.flow import Flow, Work
from callsheet.model.table_steps import ColumnSpec, CreateTable, RemoveTable

__all__ = [
    "create_table",
    "drop_table",
    "read_arrow",
    "read_csv",
    "read_numpy",
    "read_pandas",
    "read_parquet",
    "read_spark",
    "read_sql",
]

Types = Mapping[str, Any]


def create_table(
    session: Any,
    name: str,
    types: Mapping[str, Any],
    *,
    keys: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> Flow[Any]:
    """Add an empty table; gives it. It is there for everybody who uses the server, until its owner drops it.

    ``types`` are words (``text``, ``integer``, ``number``, ``decimal(2)``, ``boolean``, ``date``, ``datetime``), or
    Python types. Rows with the same ``keys`` replace each other; without keys all rows are kept. ``defaults`` are the
    values of rows without one. Raises `Invalid` for a name that is taken.

    >>> from callsheet import Session
    >>> session = Session("memory:")
    >>> prices = session.create_table("Prices", {"city": "text", "price": "decimal(2)"}, keys=["city"])
    >>> prices += ("Paris", 12.5)
    >>> prices.row_count
    1
    >>> session.close()
    """
    if not isinstance(types, Mapping):
        raise UsageError(f"the types of a table are a mapping of columns to types, not {types!r:.60}")
    given = dict(defaults or {})
    specs = [column_spec(str(column), kind, given.pop(column, None)) for column, kind in types.items()]
    if given:
        raise UsageError(f"a default is given for `{next(iter(given))}`, which is no column")
    return (yield from _made(session, CreateTable(name, specs, _listed(keys)), None))


def drop_table(session: Any, table: Any) -> Flow[None]:
    """Take a table away, with its rows. Only its owner may, or an administrator; and no other table may join it."""
    step = RemoveTable(table if isinstance(table, str) else table.name)
    if session._table_block is not None:
        session._table_block.add(step)
        return
    yield from sending.change(session, [step])


def read_csv(
    session: Any,
    path: Any,
    name: str | None = None,
    *,
    keys: Sequence[str] = (),
    types: Types | None = None,
    defaults: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    date_patterns: Mapping[str, str] | None = None,
    separator: str | None = None,
    encoding: str = "utf-8",
    bad_rows: str = "fail",
) -> Flow[Any]:
    """Read files of delimited text into a new table, which is named like the file unless ``name`` is given.

    ``path`` may be a pattern, such as ``sales_*.csv``. Types are found by reading all values once, unless ``types``
    states them; numbers with a fixed number of digits after the point are summed exactly. ``columns`` renames columns,
    ``date_patterns`` has the form of dates that are not ISO's (``%d.%m.%Y``). A compressed file (``.gz``) is read too.
    Rows with a wrong value make it ``fail``, or are left out, with a line in the log for each (``warn``) or not
    (``skip``): ``table.report`` names their row, column and value.

    >>> table = session.read_csv("shared/data/sales_*.csv", keys=["id"])  # doctest: +SKIP
    """
    patterns = dict(date_patterns or {})
    found = files(path)

    def prepare() -> tuple[list[ColumnSpec], list[RowStream]]:
        sources = [renamed(csv_stream(each, separator, encoding), columns) for each in found]
        stated = dict(types or {})
        if missing := [each for each in (*stated, *patterns) if each not in sources[0].schema.names]:
            raise UsageError(f"there is no column `{missing[0]}` in {found[0].name}")
        inferred = csv_types(sources, [each for each in sources[0].schema.names if each not in stated], patterns)
        specs = [
            column_spec(each, stated[each]) if each in stated else inferred[each] for each in sources[0].schema.names
        ]
        return specs, [renamed(csv_stream(each, separator, encoding), columns) for each in found]

    specs, streams = yield Work(prepare)
    step = _create_step(name or found[0].name.partition(".")[0], specs, keys, defaults)
    return (yield from _made(session, step, streams, bad_rows, patterns))


def read_parquet(
    session: Any,
    path: Any,
    name: str | None = None,
    *,
    keys: Sequence[str] = (),
    types: Types | None = None,
    defaults: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    bad_rows: str = "fail",
) -> Flow[Any]:
    """Read Parquet files into a new table, with the types that they have; see `read_csv`."""
    found = files(path)
    streams = yield Work(lambda: [parquet_stream(each) for each in found])
    named = name or found[0].name.partition(".")[0]
    return (yield from _read(session, streams, named, keys, types, defaults, columns, bad_rows))


def read_pandas(
    session: Any,
    frame: Any,
    name: str,
    *,
    keys: Sequence[str] = (),
    types: Types | None = None,
    defaults: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    bad_rows: str = "fail",
) -> Flow[Any]:
    """Read a ``pandas.DataFrame`` into a new table; index levels with names are columns; see `read_csv`."""
    return (yield from _read(session, [stream_of(frame)], name, keys, types, defaults, columns, bad_rows))


def read_arrow(
    session: Any,
    source: Any,
    name: str,
    *,
    keys: Sequence[str] = (),
    types: Types | None = None,
    defaults: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    bad_rows: str = "fail",
) -> Flow[Any]:
    """Read an Arrow table, or what offers an Arrow stream (polars, DuckDB), into a new table; see `read_csv`."""
    return (yield from _read(session, [stream_of(source)], name, keys, types, defaults, columns, bad_rows))


def read_numpy(
    session: Any,
    array: Any,
    columns: Sequence[str],
    name: str,
    *,
    keys: Sequence[str] = (),
    types: Types | None = None,
    defaults: Mapping[str, Any] | None = None,
    bad_rows: str = "fail",
) -> Flow[Any]:
    """Read an array of two dimensions into a new table, with these names of columns; see `read_csv`."""
    return (yield from _read(session, [stream_of(array, columns)], name, keys, types, defaults, None, bad_rows))


def read_sql(
    session: Any,
    query: str,
    url: str,
    name: str,
    *,
    keys: Sequence[str] = (),
    types: Types | None = None,
    defaults: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    bad_rows: str = "fail",
) -> Flow[Any]:
    """Read the rows of an SQL query of another database into a new table; see `read_csv`.

    ``url`` is an address of SQLAlchemy (``postgresql://…``, ``sqlite:///…``, ``mariadb://…``), which this process
    connects to. With ``parameters``, ``:name`` in the query stands for a value.
    """
    stream = yield Work(lambda: sql_stream(query, url, parameters or {}))
    return (yield from _read(session, [stream], name, keys, types, defaults, None, bad_rows))


def read_spark(
    session: Any,
    frame: Any,
    name: str,
    *,
    keys: Sequence[str] = (),
    types: Types | None = None,
    defaults: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    bad_rows: str = "fail",
) -> Flow[Any]:
    """Read a DataFrame of Spark into a new table, by its hand-over of Arrow data; see `read_csv`."""
    stream = yield Work(lambda: spark_stream(frame))
    return (yield from _read(session, [stream], name, keys, types, defaults, columns, bad_rows))


def _read(
    session: Any,
    streams: Sequence[RowStream],
    name: str,
    keys: Sequence[str],
    types: Types | None,
    defaults: Mapping[str, Any] | None,
    columns: Mapping[str, str] | None,
    bad_rows: str,
) -> Flow[Any]:
    """A new table of streams that have types."""
    sources = [renamed(stream, columns) for stream in streams]
    stated = dict(types or {})
    if missing := [each for each in stated if each not in sources[0].schema.names]:
        raise UsageError(f"there is no column `{missing[0]}`; there are {', '.join(sources[0].schema.names[:20])}")
    specs = []
    for each in sources[0].schema:
        spec = column_spec(each.name, stated[each.name]) if each.name in stated else spec_of_arrow(each.name, each.type)
        if spec.decimals is None and each.name in sources[0].decimals and spec.type == "number":
            spec = ColumnSpec(spec.name, spec.type, spec.default, sources[0].decimals[each.name])
        specs.append(spec)
    return (yield from _made(session, _create_step(name, specs, keys, defaults), sources, bad_rows))


def _create_step(
    name: str, specs: Sequence[ColumnSpec], keys: Sequence[str], defaults: Mapping[str, Any] | None
) -> CreateTable:
    given = dict(defaults or {})
    specs = [ColumnSpec(each.name, each.type, given.pop(each.name, None), each.decimals) for each in specs]
    if given:
        raise UsageError(f"a default is given for `{next(iter(given))}`, which is no column")
    return CreateTable(name, specs, _listed(keys))


def _listed(keys: Any) -> list[str]:
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise UsageError(f"keys are a list of columns, not {keys!r:.60}: write [{keys!r:.60}]")
    return sorted(keys) if isinstance(keys, set | frozenset) else list(keys)


def _made(
    session: Any,
    step: CreateTable,
    streams: Sequence[RowStream] | None,
    bad_rows: str = "fail",
    patterns: Mapping[str, str] | None = None,
) -> Flow[Any]:
    """Create a table and load it, both or nothing; gives the table."""
    sending.check_tables(session)
    if not isinstance(step.table, str):
        raise UsageError(f"the name of a table is a text, not {step.table!r:.60}")
    if bad_rows not in sending.BAD_ROWS:
        raise UsageError(f"bad_rows is one of {', '.join(sending.BAD_ROWS)}, not {bad_rows!r:.40}")
    steps: list[Any] = [step]
    report = None
    if streams is not None:
        patterns = patterns or {}
        columns = {
            each.name: TargetColumn(
                each.name, each.type, each.name in step.keys and each.default is None, patterns.get(each.name)
            )
            for each in step.columns
        }
        load, report = yield from sending.stage(session, step.table, columns, streams, bad_rows)
        steps.append(load)
    if session._table_block is not None:
        return session._table_block.created(step, steps, report)
    done = yield from sending.change(session, steps)
    table = session._dictionary.table(done["steps"][0][0])
    if report is not None:
        report.position = done["position"]
    table.report = report
    return table
