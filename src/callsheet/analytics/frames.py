"""Rows that are here, in columns whose types the schema says: read as rows, or handed to other libraries."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from callsheet.analytics.display import Shown
from callsheet.errors import StorageError, UnknownName
from callsheet.export.delimited import DelimitedText
from callsheet.export.layout import ExportColumn
from callsheet.export.tables import batch_of, pyarrow, schema_of
from callsheet.model.schema import did_you_mean

__all__ = ["Frame", "cell_text"]


class Frame(Shown):
    """Columns of values; iterating gives the rows as dicts."""

    def __init__(self, columns: Sequence[ExportColumn], values: Sequence[Sequence[Any]]) -> None:
        self._export_columns = tuple(columns)
        self._values = [list(each) for each in values]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self._export_columns)

    def __len__(self) -> int:
        return len(self._values[0]) if self._values else 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.to_rows())

    def __getitem__(self, key: int | str) -> Any:
        """The row of a place, or the values of a column."""
        if isinstance(key, str):
            if key not in self.columns:
                raise UnknownName(f"there is no column `{key}`{did_you_mean(key, self.columns)}")
            return list(self._values[self.columns.index(key)])
        return dict(zip(self.columns, (values[key] for values in self._values)))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.columns)

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows, each as a dict by column."""
        names = self.columns
        return [dict(zip(names, row)) for row in zip(*self._values)]

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``, with the types of the schema."""
        schema = schema_of(self._export_columns)
        batch = batch_of(self._export_columns, schema, self._plain_values())
        return pyarrow().Table.from_batches([batch], schema)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """A ``polars.DataFrame``."""
        import polars

        return polars.from_arrow(self.to_arrow())

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The rows as an Arrow stream: ``polars.DataFrame(frame)``."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Delimited text with a head; written to a file, in UTF-8, if a path is given."""
        stream = io.StringIO(newline="")
        DelimitedText(stream, self._export_columns).write(self._plain_values())
        text = stream.getvalue()
        if path is not None:
            try:
                Path(path).write_text(text, encoding="utf-8", newline="")
            except OSError as error:
                raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
        return text

    def _plain_values(self) -> list[list[Any]]:
        """The values as they are written; subclasses replace what is none."""
        return self._values

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return self.columns, [tuple(cell_text(value) for value in row) for row in zip(*self._values)]

    def _title(self) -> str:
        return f"{len(self):,} row{'' if len(self) == 1 else 's'}"


def cell_text(value: Any) -> str:
    """A value as it is shown."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
