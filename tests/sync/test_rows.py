"""Rows of files: what was written is read, however it was saved."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet import rows
from callsheet.errors import StorageError, UsageError
from callsheet.sync.rows import open_rows

TABLE = [
    {"Shot": "sh010", "Künstler": "Zoë"},
    {"Shot": "#020", "Künstler": "a,b;c\td"},
    {"Shot": "x\ny", "Künstler": ""},
]


def written(path: Path, separator: str, encoding: str) -> Path:
    """The table, as an office would save it."""
    lines = [["Shot", "Künstler"], *([row["Shot"], row["Künstler"]] for row in TABLE)]
    quoted = [separator.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
    path.write_bytes("\r\n".join([*quoted, "", ""]).encode(encoding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separator_and_encoding_are_found(tmp_path: Path, separator: str, encoding: str) -> None:
    """Of any usual separator, in any usual encoding, quotes and ends of lines included."""
    assert list(rows(written(tmp_path / "shots.csv", separator, encoding))) == TABLE


def test_a_row_is_numbered_by_its_line(tmp_path: Path) -> None:
    """The header is line 1; a value of several lines counts them, an empty line is passed over."""
    path = tmp_path / "a.csv"
    path.write_text('n,m\n1,"a\nb"\n\n2,c\n')
    assert [(each.number, each.values["n"]) for each in open_rows(rows(path))] == [(2, "1"), (5, "2")]


def test_a_file_without_a_header_gets_columns(tmp_path: Path) -> None:
    """The first line is a row then."""
    path = tmp_path / "a.txt"
    path.write_text("1;2\n3;4\n")
    assert list(rows(path, columns=["a", "b"])) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"a,a\n1,2\n", "two columns called 'a'"),
        ("a.csv", b"a,b\n1,2,3\n", "line 2: 3 values for 2 columns"),
        ("a.csv", b'a,b\n"1,2\n', "unexpected end of data"),
        ("a.jsonl", b'{"a": 1}\nnix\n', "line 2: this is no JSON"),
        ("a.jsonl", b"[1]\n", "line 1: a row is an object, not list"),
        ("a.xlsx", b"nix", "cannot be read as a sheet"),
        ("a.parquet", b"nix", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """With its name, its line, and what is wrong."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        list(rows(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """An error of Callsheet, not of the operating system."""
    with pytest.raises(StorageError, match=r"nix\.csv: No such file"):
        list(rows(tmp_path / "nix.csv"))


def test_an_ending_that_says_nothing_is_asked_about() -> None:
    """The format can be given; a misspelt one gets a hint."""
    with pytest.raises(UsageError, match="its ending does not say what it is"):
        rows("shots.data")
    with pytest.raises(UsageError, match="did you mean `jsonl`"):
        rows("shots.data", "jsnl")
    with pytest.raises(UsageError, match="there is no encoding 'nix'"):
        list(rows("shots.csv", encoding="nix"))


VALUES: list[dict[str, Any]] = [
    {"name": "a", "bid": 1.5, "n": 3, "ok": True, "due": date(2026, 11, 30)},
    {"name": "b", "bid": None, "n": 4, "ok": False, "due": None},
]


def test_json_lines_are_read(tmp_path: Path) -> None:
    """Values keep their kinds."""
    path = tmp_path / "a.jsonl"
    plain = [{**row, "due": str(row["due"])} for row in VALUES]
    path.write_text("\n".join(map(json.dumps, plain)))
    assert list(rows(path)) == plain


def test_excel_is_read(tmp_path: Path) -> None:
    """Dates are dates, empty cells are no values; rows are numbered as in the sheet."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.create_sheet("Shots", 0)
    sheet.append(list(VALUES[0]))
    for row in VALUES:
        sheet.append(list(row.values()))
    book.save(tmp_path / "a.xlsx")
    found = list(open_rows(rows(tmp_path / "a.xlsx", sheet="Shots")))
    assert [each.number for each in found] == [2, 3]
    assert [dict(each.values) for each in found] == VALUES
    with pytest.raises(UsageError, match="its sheets: Shots, Sheet"):
        list(rows(tmp_path / "a.xlsx", sheet="Nix"))


def test_parquet_and_frames_are_read(tmp_path: Path) -> None:
    """Anything that offers an Arrow stream; NaN is no value."""
    import pandas
    import polars
    import pyarrow

    table = pyarrow.Table.from_pylist(VALUES)
    polars.DataFrame(VALUES).write_parquet(tmp_path / "a.parquet")
    assert list(rows(tmp_path / "a.parquet")) == VALUES
    for source in (table, polars.DataFrame(VALUES), pandas.DataFrame({"x": [1.0, float("nan")]})):
        found = [dict(each.values) for each in open_rows(source)]
        assert found == ([{"x": 1.0}, {"x": None}] if hasattr(source, "iloc") else VALUES)


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_through_arrow(moment: datetime) -> None:
    """To the microsecond, in their zone."""
    import pyarrow

    table = pyarrow.Table.from_pylist([{"at": moment}])
    assert [each.values["at"] for each in open_rows(table)] == [moment]
