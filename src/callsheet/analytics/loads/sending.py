"""Rows are sent: staged part by part under the id of a load, and applied by one change, once, however often it is sent.

A part is an Arrow IPC stream of bounded size, so that memory stays flat and a part that was lost is sent again. Nothing
is visible before the change, which a transaction (`transactions.py`) sends for all its tables together.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from attrs import define, field, frozen

from callsheet.analytics.loads.casting import BadRow, Caster, TargetColumn
from callsheet.analytics.loads.streams import RowStream
from callsheet.core.calls import call
from callsheet.core.opening import open_
from callsheet.dialects.protocol import TableDialect
from callsheet.errors import Invalid, Unsupported
from callsheet.export.tables import pyarrow
from callsheet.flow import Flow, Work
from callsheet.model.record import new_key
from callsheet.model.table_steps import LoadRows, Step, steps_to_plain

__all__ = ["BAD_ROWS", "LoadReport", "change", "check_tables", "stage"]

_log = logging.getLogger("callsheet.tables")

ROWS = 50_000
BYTES = 6 * 2**20
"""A part has at most so many rows, and about so many bytes."""
BAD_ROWS = ("fail", "warn", "skip")
KEPT = 1_000
"""Bad rows that a report keeps; all are counted."""


@define
class LoadReport:
    """What became of a load: how many rows were loaded, and the first of those that were not.

    ``position`` is the load's place in the server's log; None inside a transaction, which has not been sent yet.
    """

    table: str
    rows: int = 0
    bad: int = 0
    bad_rows: list[BadRow] = field(factory=list)
    position: int | None = None

    def __str__(self) -> str:
        text = f"{self.rows:,} row{'' if self.rows == 1 else 's'} loaded into {self.table}"
        if not self.bad:
            return text
        shown = "".join(f"\n  - {bad}" for bad in self.bad_rows[:10])
        return f"{text}; {self.bad:,} left out:{shown}"


@frozen
class _Policy:
    """What is done with bad rows."""

    word: str
    report: LoadReport

    def take(self, bad: BadRow) -> None:
        if self.word == "fail":
            details = {"row": bad.row, "column": bad.column, "value": str(bad.value), "source": bad.source}
            raise Invalid(f"{bad}; with bad_rows='skip' such rows are left out", details=details)
        self.report.bad += 1
        if len(self.report.bad_rows) < KEPT:
            self.report.bad_rows.append(bad)
        if self.word == "warn":
            _log.warning("left out of %s: %s", self.report.table, bad)


def check_tables(core: Any) -> TableDialect:
    """The dialect of a server with user tables; `Unsupported` for another one."""
    core.check_present()
    dialect = core._dialect
    if not core.features.tables or not isinstance(dialect, TableDialect):
        raise Unsupported("this server has no user tables; a server of Callsheet with the package pyarrow has")
    return dialect


def stage(
    core: Any,
    table: str,
    columns: Mapping[str, TargetColumn],
    streams: Sequence[RowStream],
    bad_rows: str = "fail",
) -> Flow[tuple[LoadRows, LoadReport]]:
    """Send all rows; gives the step that applies them, and the report."""
    dialect = check_tables(core)
    report = LoadReport(table)
    policy, load, parts = _Policy(bad_rows, report), new_key(), 0
    for stream in streams:
        caster = Caster(columns, core.naive_times or _utc(), policy.take, "" if stream.where == "row" else stream.where)
        caster.check(stream.schema.names)
        source = _parts(stream, caster, report)
        while (data := (yield Work(lambda source=source: next(source, None)))) is not None:  # type: ignore[misc]
            yield from dialect.stage_rows(load, parts, data)
            parts += 1
    return LoadRows(table, load, parts), report


def _utc() -> Any:
    from datetime import UTC

    return UTC


def _parts(stream: RowStream, caster: Caster, report: LoadReport) -> Iterator[bytes]:
    """The rows as parts, neither too large nor too small."""
    waiting: list[Any] = []
    rows = size = 0
    for batch in stream.batches:
        if not batch.num_rows:
            continue
        fitted = caster.fitted(batch)
        report.rows += fitted.num_rows
        for piece in _pieces(fitted):
            if waiting and (rows + piece.num_rows > ROWS or size + piece.nbytes > BYTES):
                yield _encoded(waiting)
                waiting, rows, size = [], 0, 0
            waiting.append(piece)
            rows, size = rows + piece.num_rows, size + piece.nbytes
    if waiting:
        yield _encoded(waiting)


def _pieces(batch: Any) -> Iterator[Any]:
    """A batch in slices, each not larger than a part."""
    step = min(ROWS, max(1, int(batch.num_rows * BYTES / max(1, batch.nbytes))))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def _encoded(batches: Sequence[Any]) -> bytes:
    arrow = pyarrow()
    stream = BytesIO()
    table = arrow.Table.from_batches(batches).combine_chunks()
    with arrow.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


def change(core: Any, steps: Sequence[Step]) -> Flow[dict[str, Any]]:
    """Apply steps together; the session then knows the tables that there are."""
    check_tables(core)
    found: dict[str, Any] = yield from call(core, "tables.change", {"id": new_key(), "steps": steps_to_plain(steps)})
    if found["configured"]:
        yield from open_(core)
    yield from forget(core, [name for name, _ in found["steps"]])
    return found


def forget(core: Any, tables: Sequence[str]) -> Flow[None]:
    """Forget what was known of the rows and numbers of tables, given by name or label."""
    yield from ()
    core._dictionary.figures.forget()
    for name, kind in list(core.schema.types.items()):
        if kind.table is not None and (name in tables or kind.singular in tables):
            core._leave([name])
