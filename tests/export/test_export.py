"""What a query finds leaves as columns of the schema's types, and comes back as it was."""

from __future__ import annotations

import csv
import json
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


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "xlsx"])
def test_what_is_written_is_read_again(show: Session, tmp_path: Path, ending: str) -> None:
    """A file of each format, read by `rows`, has the same values; a sheet keeps 15 digits."""
    path = tmp_path / f"tasks.{ending}"
    assert show.query("select name, bid, end_date from Task order by name").export(path) == 3
    found = [list(row.values()) for row in rows(path)]
    dated = str if ending == "jsonl" else date.fromisoformat
    number = pytest.approx(0.3) if ending == "xlsx" else 0.1 + 0.2
    assert found == [["a,b", number, None], ["c", 0.0, None], ["zwei\nZeilen", 0.0, dated("2026-12-01")]]


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
