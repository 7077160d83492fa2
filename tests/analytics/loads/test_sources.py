"""Every source of rows gives the same table: files, frames, arrays, queries; wrong values are named."""

from __future__ import annotations

import gzip
import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
from pyarrow import parquet

from callsheet import AsyncSession, Session
from callsheet.errors import CallsheetError, Invalid, StorageError, UsageError

ROWS = [
    {"city": "Paris", "n": 3, "price": 1.5, "day": date(2026, 5, 1), "open": True},
    {"city": "Zürich", "n": None, "price": None, "day": None, "open": None},
]
FRAME = pyarrow.Table.from_pylist(ROWS)


def kinds(session: Any, name: str) -> dict[str, str]:
    """The data types of the columns."""
    return {each.label: each.data_type for each in session.schema.types[name].attributes.values() if each.name != "id"}


@pytest.mark.parametrize(
    "source",
    [
        FRAME,
        FRAME.to_batches()[0],
        pyarrow.RecordBatchReader.from_batches(FRAME.schema, FRAME.to_batches()),
        polars.from_arrow(FRAME),
        FRAME.to_pandas(),
        FRAME.to_pandas().set_index("city"),
        ROWS,
        [tuple(row.values()) for row in ROWS],
        {name: [row[name] for row in ROWS] for name in ROWS[0]},
        FRAME.set_column(0, "city", FRAME["city"].dictionary_encode()),
    ],
    ids=["table", "batch", "reader", "polars", "pandas", "index", "dicts", "tuples", "columns", "dictionary"],
)
def test_any_source_of_rows_is_loaded(memory: Any, source: Any) -> None:
    """Frames, Arrow data and plain rows give the same rows."""
    types = {"city": "text", "n": "integer", "price": "number", "day": "date", "open": "boolean"}
    table = memory.create_table("Loaded", types)
    assert table.load(source).rows == 2
    assert table.query().to_rows() == ROWS


def test_sources_with_types_make_tables(session: Any, tmp_path: Path) -> None:
    """Arrow, pandas, Parquet, polars and numpy bring their types along."""
    parquet.write_table(FRAME, tmp_path / "towns.parquet")
    expected = {"city": "string", "n": "integer", "price": "number", "day": "date", "open": "boolean"}
    made = [
        session.read_arrow(FRAME, "one"),
        session.read_arrow(polars.from_arrow(FRAME), "two"),
        session.read_parquet(tmp_path / "*.parquet", "three"),
        session.read_parquet(tmp_path / "towns.parquet"),
    ]
    for table in made:
        assert kinds(session, table.name) == expected, table
        assert table.query().to_rows() == ROWS
    frame = pandas.DataFrame({"when": [datetime(2026, 5, 1, 12, tzinfo=UTC)], "n": [1], "text": ["a"]})
    table = session.read_pandas(frame, "five", keys=["n"])
    assert kinds(session, "five") == {"when": "datetime", "n": "integer", "text": "string"}
    assert table.query("when").to_rows() == [{"when": datetime(2026, 5, 1, 12, tzinfo=UTC)}]
    table = session.read_numpy(numpy.array([[1, 2], [3, 4]]), ["a", "b"], "six")
    assert table.query().to_rows() == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_a_query_of_another_database_is_read(session: Any, tmp_path: Path) -> None:
    """`read_sql` connects to a database itself; decimals stay exact in sums."""
    from sqlalchemy import Column, Date, Integer, MetaData, Numeric, Table, create_engine, insert

    url = f"sqlite:///{(tmp_path / 'other.db').as_posix()}"
    engine = create_engine(url)
    metadata = MetaData()
    bids = Table("bids", metadata, Column("n", Integer), Column("price", Numeric(9, 2)), Column("day", Date))
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(
            insert(bids),
            [{"n": 1, "price": Decimal("0.10"), "day": None}, {"n": 2, "price": Decimal("0.20"), "day": None}],
        )
    engine.dispose()
    table = session.read_sql("select n, price from bids order by n", url, "Bids", types={"price": "decimal(2)"})
    assert table.query().to_rows() == [{"n": 1, "price": 0.1}, {"n": 2, "price": 0.2}]
    one = session.read_sql("select n from bids where n = :n", url, "One", parameters={"n": 2})
    assert one.query().to_rows() == [{"n": 2}]
    with pytest.raises(UsageError, match="no rows"):
        session.read_sql("select n from bids where n > 9", url, "None")


CSV = """id;Postal code;amount;rate;day;when;yes;note;mixed
1;01234;12.50;1.5e3;2026-05-01;2026-05-01 12:30:00;true;a;1
2;99999;-0.75;2;2026-05-02;2026-05-02T00:00:01;FALSE;"b;
c";x
3;;;;;;;;
"""


def test_types_of_a_file_are_found(session: Any, tmp_path: Path) -> None:
    """Each column has the narrowest type that all its values have; a leading zero makes a text."""
    path = tmp_path / "Some file.csv"
    path.write_text(CSV, encoding="utf-8")
    table = session.read_csv(path, keys=["id"])
    assert kinds(session, table.name) == {
        "id": "integer",
        "Postal code": "string",
        "amount": "number",
        "rate": "number",
        "day": "date",
        "when": "datetime",
        "yes": "boolean",
        "note": "string",
        "mixed": "string",
    }
    assert table.singular == "Some file"
    rows = sorted(table.query().to_rows(), key=lambda row: row["id"])
    assert rows[1] == {
        "id": 2,
        "Postal code": "99999",
        "amount": -0.75,
        "rate": 2.0,
        "day": date(2026, 5, 2),
        "when": datetime(2026, 5, 2, 0, 0, 1, tzinfo=UTC),
        "yes": False,
        "note": "b;\nc",
        "mixed": "x",
    }
    assert rows[2] == {**dict.fromkeys(rows[0]), "id": 3}
    assert rows[0]["rate"] == 1500.0


def test_a_file_is_read_as_it_is_told(memory: Any, tmp_path: Path) -> None:
    """Patterns of names, stated types, other names of columns, dates of another form, defaults, gzip."""
    for number in (1, 2):
        with gzip.open(tmp_path / f"part_{number}.csv.gz", "wt", encoding="latin-1") as file:
            file.write(f"Ort,Tag,n\nKöln,0{number}.05.2026,{number}\n,03.05.2026,\n")
    table = memory.read_csv(
        tmp_path / "part_*.csv.gz",
        "Parts",
        columns={"Ort": "town", "Tag": "day"},
        types={"n": "number"},
        defaults={"n": 9.0, "town": "-"},
        date_patterns={"day": "%d.%m.%Y"},
        encoding="latin-1",
    )
    assert kinds(memory, "Parts") == {"town": "string", "day": "date", "n": "number"}
    assert table.query().to_rows() == [
        {"town": "Köln", "day": date(2026, 5, 1), "n": 1.0},
        {"town": "-", "day": date(2026, 5, 3), "n": 9.0},
        {"town": "Köln", "day": date(2026, 5, 2), "n": 2.0},
        {"town": "-", "day": date(2026, 5, 3), "n": 9.0},
    ]


def test_wrong_rows_are_named(memory: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`fail` loads nothing and says where; `warn` and `skip` leave rows out and report them."""
    path = tmp_path / "bad.csv"
    path.write_text("n,day\n1,2026-01-01\ntwo,2026-01-02\n3,2026-02-30\n4,\n", encoding="utf-8")
    types = {"n": "integer", "day": "date"}
    with pytest.raises(Invalid, match=r"bad.csv: row 2, column `n`: this is no integer: 'two'") as failed:
        memory.read_csv(path, types=types)
    assert failed.value.details["row"] == 2
    assert "bad" not in memory.tables
    table = memory.read_csv(path, types=types, bad_rows="skip")
    assert [row["n"] for row in table.query("n").to_rows()] == [1, 4]
    assert (table.report.rows, table.report.bad) == (2, 2)
    assert [(bad.row, bad.column, bad.value) for bad in table.report.bad_rows] == [
        (2, "n", "two"),
        (3, "day", "2026-02-30"),
    ]
    with caplog.at_level(logging.WARNING, "callsheet.tables"):
        table.load([{"n": "x"}, {"n": 5}], bad_rows="warn")
    assert "row 1, column `n`" in caplog.text
    keyed = memory.create_table("Keyed", {"k": "text", "n": "integer"}, keys=["k"])
    with pytest.raises(Invalid, match="a key has no value"):
        keyed.load([("a", 1), (None, 2)])
    assert keyed.load([("a", 1), (None, 2)], bad_rows="skip").bad == 1
    assert keyed.row_count == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", 1.5), ("integer", 2**63), ("integer", True), ("number", "x"), ("number", float("inf")),
        ("number", False), ("boolean", 2), ("boolean", 0.5), ("boolean", "maybe"), ("date", 5), ("date", "2026-13-01"),
        ("date", datetime(2026, 1, 1, 12)), ("datetime", "noon"), ("decimal(2)", 1e15), ("text", "a\0b"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(memory: Any, kind: str, value: Any) -> None:
    """What is no value of the column's type is named, and nothing is loaded."""
    table = memory.create_table("Strict", {"value": kind})
    with pytest.raises((Invalid, UsageError), match="value"):
        table.load([(value,)])
    assert table.row_count == 0


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("integer", 2.0, 2), ("integer", " 7 ", 7), ("number", 3, 3.0), ("number", float("nan"), None),
        ("number", Decimal("1.25"), 1.25), ("boolean", "Yes", True), ("boolean", 0, False), ("text", 5, "5"),
        ("date", "2026-05-01", date(2026, 5, 1)), ("date", datetime(2026, 5, 1), date(2026, 5, 1)),
        ("datetime", "2026-05-01T12:00:00+02:00", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("datetime", date(2026, 5, 1), datetime(2026, 5, 1, tzinfo=UTC)), ("decimal(2)", 1.005, 1.0),
        ("text", "", ""), ("integer", "", None),
        ("datetime", datetime(1, 1, 2, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_value_is_read_as_its_type(session: Any, kind: str, value: Any, kept: Any) -> None:
    """What stands for a value of the column's type becomes one, also next to other values."""
    table = session.create_table("Lenient", {"value": kind})
    table.load([(value,)])
    assert table.query().to_rows() == [{"value": kept}]


def test_times_are_in_the_zone_of_the_session() -> None:
    """Times that name no zone are in UTC, or in the zone that the session was given."""
    with Session("memory:", naive_times="Europe/Zurich") as session:
        table = session.create_table("Times", {"at": "datetime"})
        table += (datetime(2026, 7, 1, 12),)
        assert table.query().to_rows() == [{"at": datetime(2026, 7, 1, 10, tzinfo=UTC)}]


def test_what_cannot_be_read_says_why(memory: Any, tmp_path: Path) -> None:
    """Missing files, empty ones, columns that are twice there, columns and types that no table has."""
    table = memory.create_table("T", {"n": "integer"})
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n", encoding="utf-8")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n", encoding="utf-8")
    (tmp_path / "not.parquet").write_text("no", encoding="utf-8")
    for call, problem in (
        (lambda: memory.read_csv(tmp_path / "no.csv"), "there is no file"),
        (lambda: memory.read_csv(tmp_path / "empty.csv"), "is empty"),
        (lambda: memory.read_csv(tmp_path / "twice.csv"), "two columns `a`"),
        (lambda: memory.read_csv(tmp_path / "ragged.csv"), "cannot be read as delimited text"),
        (lambda: memory.read_parquet(tmp_path / "not.parquet"), "cannot be read as Parquet"),
        (lambda: memory.read_arrow(pyarrow.table({"a": [[1]]}), "L"), "which no table keeps"),
        (lambda: memory.read_arrow(FRAME, "K", types={"town": "text"}), "no column `town`"),
        (lambda: memory.read_arrow(FRAME, "K", keys="city"), "a list of columns"),
        (lambda: memory.read_arrow(FRAME, "K", defaults={"town": 1}), "no column"),
        (lambda: memory.read_arrow(FRAME, "K", bad_rows="ignore"), "bad_rows is one of"),
        (lambda: table.load([{"m": 1}]), "no column `m`"),
        (lambda: table.load("text"), "rows are dicts"),
        (lambda: table.load(5), "rows are dicts"),
        (lambda: table.append((1, 2)), "row 1 has a value for each"),
        (lambda: table.drop("m > 1"), "no attribute `m`"),
        (lambda: table.drop("n >"), "n >"),
        (lambda: memory.drop_table("Nothing"), "there is no table `Nothing`"),
        (lambda: memory.drop_table("Task"), "is an entity type"),
    ):
        with pytest.raises((UsageError, StorageError, CallsheetError), match=problem):
            call()
    assert [each.name for each in memory.tables if each.is_user_table] == ["T"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_an_awaiting_session_loads_too() -> None:
    """The same verbs are awaited; `+=` says what to write instead."""
    async with AsyncSession("memory:") as session:
        table = await session.create_table("Awaited", {"n": "integer"})
        await table.append((1,), (2,))
        assert (await table.query()).to_rows() == [{"n": 1}, {"n": 2}]
        with pytest.raises(UsageError, match="await"):
            table += (3,)
        async with session.start_transaction():
            await table.drop("n = 1")
            await table.load([{"n": 5}])
        assert await table.row_count == 2


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_load_is_awaited_in_both_kinds_of_session(session: Any) -> None:
    """`load_async` loads in a thread where the session blocks; afterwards the session is used as before."""
    table = session.create_table("Later", {"n": "integer"})
    assert (await table.load_async([(1,), (2,)])).rows == 2
    table += (3,)
    assert table.row_count == 3
    async with AsyncSession("memory:") as other:
        awaited = await other.create_table("Later", {"n": "integer"})
        assert (await awaited.load_async([(1,)])).rows == 1


class FrameOfSpark:
    """What a DataFrame of Spark has for this: its Arrow data at once, or (before Spark 4) in batches."""

    def __init__(self, name: str) -> None:
        setattr(self, name, (lambda: FRAME) if name == "toArrow" else FRAME.to_batches)


def test_a_frame_of_spark_hands_over_arrow_data(memory: Any) -> None:
    """Both ways of handing over are known; anything else is refused."""
    for name in ("toArrow", "_collect_as_arrow"):
        assert memory.read_spark(FrameOfSpark(name), name).query().to_rows() == ROWS
    with pytest.raises(UsageError, match="DataFrame of Spark"):
        memory.read_spark(ROWS, "none")


def test_a_real_frame_of_spark_is_read(memory: Any) -> None:
    """A local Spark computes a frame, which becomes a table."""
    spark = pytest.importorskip("pyspark.sql", reason="the package pyspark, which needs Java, is not installed")
    with spark.SparkSession.builder.master("local[1]").getOrCreate() as running:
        frame = running.createDataFrame([("Paris", 3), ("Rome", 4)], ["city", "n"])
        table = memory.read_spark(frame, "Spark", keys=["city"])
    assert sorted(row["n"] for row in table.query("n").to_rows()) == [3, 4]
