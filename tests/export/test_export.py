"""What a query finds leaves as columns of the schema's types, and comes back as it was."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callsheet import AsyncSession, Session, rows
from callsheet.cli.commands import callsheet as commands
from callsheet.errors import StorageError, UsageError

DUE = datetime(2026, 11, 30, 8, 30, tzinfo=UTC)


@pytest.fixture
def show(callsheet_session: Any) -> Any:
    """Three tasks, one of them almost empty."""
    session = callsheet_session
    state = session.create("State", {"name": "Any", "short": "any"})
    done = session.create("Status", {"name": "Done", "state": state})
    project = session.create("Project", {"name": "sintel"})
    tags = [session.create("Tag", {"name": name}) for name in ("t1", "t2")]
    session.create("Task", {"name": "a,b", "parent": project, "status": done, "bid": 0.1 + 0.2, "tags": tags})
    session.create("Task", {"name": "zwei\nZeilen", "parent": project, "end_date": date(2026, 12, 1)})
    session.create("Task", {"name": "c", "parent": project, "metadata": {"lens": "35"}})
    session.commit()
    return session.fork()


TEXT = "select name, status.name, bid, end_date, metadata, tags.name from Task order by name"
NAMES = ["name", "status.name", "bid", "end_date", "metadata", "tags.name"]
VALUES = [
    ["a,b", "Done", 0.1 + 0.2, None, "{}", ["t1", "t2"]],
    ["c", None, 0.0, None, '{"lens":"35"}', []],
    ["zwei\nZeilen", None, 0.0, date(2026, 12, 1), "{}", []],
]


def listed(table: Any) -> list[list[Any]]:
    return [[sorted(v) if isinstance(v, list) else v for v in row.values()] for row in table.to_pylist()]


def test_columns_have_the_types_of_the_schema(show: Session) -> None:
    """Not of the values: a column without any value has its type."""
    table = show.query(TEXT).to_arrow()
    assert table.column_names == NAMES
    assert [str(kind) for kind in table.schema.types] == [
        "string", "string", "double", "date32[day]", "string", "list<item: string>",
    ]  # fmt: skip
    assert listed(table) == VALUES


def test_an_empty_result_has_its_columns(show: Session) -> None:
    """With the same types."""
    table = show.query(TEXT.replace(" order", ' where name is "nix" order')).to_arrow()
    assert (table.num_rows, table.column_names) == (0, NAMES)
    assert show.query('Task where name is "nix"').to_pandas().shape[0] == 0


def test_without_projections_a_reference_is_key_and_label(show: Session) -> None:
    """The key to join by, the label to read."""
    table = show.query("Task where name is 'a,b'").to_arrow()
    (row,) = table.to_pylist()
    status = show.query("Status").one()
    assert (row["status_id"], row["status"], row["parent"]) == (status.identity.key, "Done", "sintel")
    assert "created_at" in row
    several = show.query("Context").to_arrow()
    assert sorted(set(several.column("entity_type").to_pylist())) == ["Project", "Task"]


def test_a_type_with_others_below_it_has_the_columns_of_all(show: Session) -> None:
    """Whatever types its first rows have; labels of references are fetched for a page at once."""
    table = show.query("Context order by name", page_size=2).to_arrow()
    found = {row["name"]: (row["entity_type"], row["bid"], row["status"], row["parent"]) for row in table.to_pylist()}
    assert found == {
        "a,b": ("Task", 0.1 + 0.2, "Done", "sintel"),
        "c": ("Task", 0.0, None, "sintel"),
        "sintel": ("Project", None, None, None),
        "zwei\nZeilen": ("Task", 0.0, None, "sintel"),
    }
    fresh = show.fork()
    fresh.query("Context").to_arrow()
    assert fresh.statistics.requests <= 4


def test_pages_are_one_table(show: Session) -> None:
    """However small the pages, in the order of the query."""
    assert listed(show.query(TEXT, page_size=1).to_arrow()) == VALUES


def test_frames_read_a_query_as_it_is(show: Session) -> None:
    """polars and pandas, by Arrow's interface."""
    import polars
    import pyarrow

    query = show.query(TEXT)
    assert polars.DataFrame(query).rows() == query.to_polars().rows()
    assert pyarrow.table(query).num_rows == 3
    assert list(query.to_pandas()["name"]) == ["a,b", "c", "zwei\nZeilen"]


def test_sql_reads_a_query_as_it_is(show: Session) -> None:
    """DuckDB, by Arrow's interface: the variable is the table."""
    import duckdb

    query = show.query(TEXT)  # noqa: F841
    assert duckdb.sql("select name, bid from query where bid > 0").fetchall() == [("a,b", 0.1 + 0.2)]
    nothing = show.query('select name, end_date from Task where name is "nix"')  # noqa: F841
    assert duckdb.sql("describe select * from nothing").fetchall()[1][:2] == ("end_date", "DATE")


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "xlsx"])
def test_what_is_written_is_read_again(show: Session, tmp_path: Path, ending: str) -> None:
    """A file of each format, read by `rows`, has the same values; a sheet keeps 15 digits."""
    path = tmp_path / f"tasks.{ending}"
    assert show.query("select name, bid, end_date from Task order by name").export(path) == 3
    found = [list(row.values()) for row in rows(path)]
    dated = str if ending == "jsonl" else date.fromisoformat
    number = pytest.approx(0.3) if ending == "xlsx" else 0.1 + 0.2
    assert found == [["a,b", number, None], ["c", 0.0, None], ["zwei\nZeilen", 0.0, dated("2026-12-01")]]


@pytest.mark.parametrize(("verb", "begin"), [("csv", b"name"), ("jsonl", b"{"), ("parquet", b"PAR1"), ("excel", b"PK")])
def test_each_format_has_a_verb(show: Session, tmp_path: Path, verb: str, begin: bytes) -> None:
    """Whatever the file is called."""
    path = tmp_path / "tasks"
    assert getattr(show.query("select name from Task"), f"to_{verb}")(path) == 3
    assert path.read_bytes().startswith(begin)


def test_text_needs_no_other_package(show: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV and JSON Lines are written without pyarrow; JSON data stand in JSON Lines as they are."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    query = show.query("select name, metadata from Task where name is c")
    query.to_csv(tmp_path / "a.csv")
    query.to_jsonl(tmp_path / "a.jsonl")
    assert (tmp_path / "a.csv").read_bytes() == b'name,metadata\r\nc,"{""lens"":""35""}"\r\n'
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"name":"c","metadata":{"lens":"35"}}\n'
    with pytest.raises(UsageError, match="this needs the package pyarrow: `pip install pyarrow`"):
        query.to_parquet(tmp_path / "a.parquet")


TEXTS = ["=1+1", "a\x07b", "#N/A", "007", "_x0041_", "a\rb", "+1", " a ", "é🎬"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(callsheet_session: Session, tmp_path: Path, ending: str, text: str) -> None:
    """What looks like a formula, an error or an escape to a sheet is what the server has."""
    path = tmp_path / f"a.{ending}"
    callsheet_session.create("Project", {"name": "a", "description": text})
    callsheet_session.commit()
    callsheet_session.query("select description from Project").export(path)
    assert [row["description"] for row in rows(path)] == [text]


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "1960-02-29", "9999-12-31"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
def test_all_days_are_kept(callsheet_session: Session, tmp_path: Path, ending: str, day: str) -> None:
    """Also those before the first day of a sheet."""
    path = tmp_path / f"a.{ending}"
    callsheet_session.create("Project", {"name": "a", "end_date": date.fromisoformat(day)})
    callsheet_session.commit()
    callsheet_session.query("select end_date from Project").export(path)
    assert [str(row["end_date"]) for row in rows(path)] == [day]


def test_a_sheet_refuses_what_it_would_cut(callsheet_session: Session, tmp_path: Path) -> None:
    """Instead of losing the end of a text."""
    project = callsheet_session.create("Project", {"name": "a", "description": "x" * 32_767})
    callsheet_session.commit()
    query = callsheet_session.query("select description from Project")
    assert query.export(tmp_path / "a.xlsx") == 1
    assert [len(row["description"]) for row in rows(tmp_path / "a.xlsx")] == [32_767]
    project["description"] = "🎬" * 20_000
    callsheet_session.commit()
    with pytest.raises(StorageError, match="a cell of a sheet holds 32,767 characters"):
        query.export(tmp_path / "a.xlsx")
    assert [each.name for each in tmp_path.iterdir()] == ["a.xlsx"]


def test_the_file_at_the_end_of_a_link_is_written(show: Session, tmp_path: Path) -> None:
    """The link stays, and who may read the file stays, too; a file of a similar name is not touched."""
    path, link, other = (tmp_path / name for name in ("real.csv", "link.csv", "real.csv.part"))
    path.write_text("old")
    other.write_text("mine")
    path.chmod(0o600)
    link.symlink_to(path)
    show.query("select name from Status").export(link)
    assert (link.is_symlink(), path.read_bytes(), other.read_text()) == (True, b"name\r\nDone\r\n", "mine")
    assert path.stat().st_mode & 0o777 == 0o600


def test_csv_keeps_all_digits_and_lines(show: Session, tmp_path: Path) -> None:
    """Numbers whole, ends of lines quoted."""
    show.query(TEXT).export(tmp_path / "tasks.csv")
    with open(tmp_path / "tasks.csv", newline="", encoding="utf-8") as stream:
        header, first, *_, last = csv.reader(stream)
    assert header == NAMES
    assert first == ["a,b", "Done", "0.30000000000000004", "", "{}", json.dumps(["t1", "t2"], separators=(",", ":"))]
    assert last[0] == "zwei\nZeilen"


def test_an_export_that_fails_leaves_what_was_there(show: Session, tmp_path: Path) -> None:
    """The file is replaced when it is complete, and not before."""
    path = tmp_path / "tasks.csv"
    path.write_text("old")
    query = show.query(TEXT)
    show.close()
    with pytest.raises(Exception, match="closed"):
        query.export(path)
    assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("old", ["tasks.csv"])


def test_a_wrong_place_or_ending_is_named(show: Session, tmp_path: Path) -> None:
    """Errors of Callsheet."""
    with pytest.raises(UsageError, match="its ending does not say what it is"):
        show.query("Task").export(tmp_path / "tasks.doc")
    with pytest.raises(UsageError, match="did you mean `parquet`"):
        show.query("Task").export(tmp_path / "tasks.doc", "parket")
    with pytest.raises(UsageError, match="a path is needed, not 3"):
        show.query("Task").export(3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="format is one of csv, jsonl, parquet, excel, not 3"):
        show.query("Task").export(tmp_path / "tasks.csv", 3)  # type: ignore[arg-type]
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(StorageError, match="cannot be written: Is a directory"):
        show.query("Task").export(tmp_path / "folder.csv")
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        show.query("Task").export(tmp_path / "nix" / "tasks.csv")


def test_a_query_is_a_source_of_rows(show: Session) -> None:
    """What one session reads, another can bring in."""
    with Session("memory:") as other:
        other.create("Project", {"name": "sintel"})
        other.commit()
        query = show.query("select name, bid, parent.name from Task")
        mapping = {"name": "name", "bid": "bid", "parent.name": "parent.name"}
        other.plan("Task", query, ("parent.name", "name"), mapping).apply()
        assert other.fork().query("Task").count() == 3


@pytest.mark.anyio
async def test_it_is_awaited_in_an_async_session(tmp_path: Path) -> None:
    """The same verbs, awaited."""
    async with AsyncSession("memory:") as session:
        session.create("Project", {"name": "sintel"})
        await session.commit()
        assert (await session.query("Project").to_arrow()).num_rows == 1
        assert await session.query("Project").export(tmp_path / "a.csv") == 1


def test_the_command_writes_a_file(tmp_path: Path) -> None:
    """And says how many rows."""
    address = f"sqlite:///{tmp_path / 'show.db'}"
    with Session(address) as session:
        session.create("Project", {"name": "sintel"})
        session.commit()
    done = CliRunner().invoke(commands, ["export", "Project", "--to", str(tmp_path / "a.csv"), "--server", address])
    assert (done.exit_code, done.output) == (0, f"1 row in {tmp_path / 'a.csv'}.\n")
