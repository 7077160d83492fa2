"""Rows of files, of databases and of Spark as streams of Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from glob import glob
from itertools import islice
from pathlib import Path
from typing import Any

from callsheet.analytics.loads.streams import RowStream, stream_of
from callsheet.errors import StorageError, UsageError
from callsheet.export.tables import pyarrow
from callsheet.later import Later

__all__ = ["files", "parquet_stream", "spark_stream", "sql_stream"]

database = Later("callsheet.sync.rows.database")
ROWS = 20_000


def files(path: Any) -> list[Path]:
    """The files of a path or a pattern, in the order of their names; `StorageError` if there are none."""
    text = str(path)
    found = [Path(text)] if Path(text).is_file() else [Path(each) for each in sorted(glob(text, recursive=True))]
    found = [each for each in found if each.is_file()]
    if not found:
        raise StorageError(f"there is no file {text}")
    return found


def parquet_stream(path: Path) -> RowStream:
    """The rows of a Parquet file, batch by batch."""
    arrow = pyarrow()
    from importlib import import_module

    parquet: Any = import_module("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(path)
        schema = file.schema_arrow.remove_metadata()
    except (arrow.ArrowException, OSError) as error:
        raise StorageError(f"{path} cannot be read as Parquet: {error!s:.200}") from None

    def batches() -> Iterator[Any]:
        with file:
            yield from file.iter_batches(ROWS)

    return RowStream(schema, batches(), where=path.name)


def spark_stream(frame: Any) -> RowStream:
    """The rows of a DataFrame of Spark, which hands over Arrow data."""
    if hasattr(frame, "toArrow"):
        return stream_of(frame.toArrow())
    if hasattr(frame, "_collect_as_arrow"):
        return stream_of(pyarrow().Table.from_batches(frame._collect_as_arrow()))
    raise UsageError(f"a DataFrame of Spark is needed, not {type(frame).__name__}")


def sql_stream(query: str, url: str, parameters: Mapping[str, Any]) -> RowStream:
    """The rows of a query. The types of its columns are found by reading all values once; the query runs twice."""
    arrow = pyarrow()
    rows = database.DatabaseRows(url, query, dict(parameters))
    schema: Any = None
    decimals: dict[str, int] = {}
    for values in _columns(rows):
        table = arrow.table({name: _array(each) for name, each in values.items()})
        try:
            schema = (
                table.schema
                if schema is None
                else arrow.unify_schemas([schema, table.schema], promote_options="permissive")
            )
        except (arrow.ArrowException, TypeError):
            schema = arrow.schema([(each.name, arrow.string()) for each in table.schema])
        for name, each in values.items():
            found = [
                -int(value.as_tuple().exponent) for value in each if isinstance(value, Decimal) and value.is_finite()
            ]
            if found:
                decimals[name] = max(decimals.get(name, 0), *found, 0)
    if schema is None:
        raise UsageError("the query gives no rows, so its types are not known: create the table, and load into it")

    def batches() -> Iterator[Any]:
        for values in _columns(rows):
            yield arrow.record_batch([_array(each) for each in values.values()], names=list(values))

    return RowStream(schema, batches(), {name: n for name, n in decimals.items() if n <= 9})


def _columns(rows: Any) -> Iterator[dict[str, list[Any]]]:
    source = iter(rows)
    while chunk := list(islice(source, ROWS)):
        yield {name: [row[name] for row in chunk] for name in chunk[0]}


def _array(values: list[Any]) -> Any:
    arrow = pyarrow()
    try:
        if any(isinstance(value, Decimal) for value in values):
            return arrow.array([None if value is None else float(value) for value in values], arrow.float64())
        return arrow.array(values)
    except (arrow.ArrowException, OverflowError, TypeError, ValueError):
        return arrow.array([None if value is None else str(value) for value in values], arrow.string())
