"""The tables of FoodMart are read from CSV, joined, and give the sums that plain Python gives of the files."""

from __future__ import annotations

import csv
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from callsheet import Session

PACKED = Path(__file__).parents[1] / "mdx" / "foodmart.tar.xz"
WHOLE = Path(__file__).parents[4] / "shared" / "data" / "foodmart" / "foodmart.tar.xz"
KEYS = {
    "store": ["store_id"],
    "time_by_day": ["time_id"],
    "product": ["product_id"],
    "product_class": ["product_class_id"],
    "customer": ["customer_id"],
    "promotion": ["promotion_id"],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the seven tables of the Sales cube."""
    folder = tmp_path_factory.mktemp("foodmart")
    with tarfile.open(PACKED) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def rows(files: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of each file."""
    found = {}
    for path in sorted(files.rglob("*.csv")):
        with path.open(encoding="utf-8", newline="") as text:
            found[path.stem] = list(csv.DictReader(text))
    return found


@pytest.fixture(scope="module", params=["memory", "http"])
def foodmart(request: pytest.FixtureRequest, files: Path) -> Iterator[Any]:
    """A session whose server has the tables, joined."""
    served = request.getfixturevalue("table_server") if request.param == "http" else None
    given = ("memory:",) if served is None else (served.url, "admin", served.admin_key)
    with Session(*given) as session:
        with session.start_transaction():
            for path in sorted(files.rglob("*.csv")):
                session.read_csv(path, keys=KEYS.get(path.stem, []))
        tables = session.tables
        with session.start_transaction():
            tables["product"].join(tables["product_class"])
            for name in ("product", "time_by_day", "customer", "promotion", "store"):
                tables["sales_fact_1997"].join(tables[name])
        yield session
        if served is not None:
            with session.start_transaction():
                for table in [each for each in session.tables if each.is_user_table]:
                    session.drop_table(table)


def test_all_rows_are_there(foodmart: Any, rows: Any) -> None:
    """Each table has as many rows as its file."""
    counted = {name: foodmart.tables[name].row_count for name in rows}
    assert counted == {name: len(found) for name, found in rows.items()}


def test_money_is_summed_exactly(foodmart: Any, rows: Any) -> None:
    """Sums of fixed decimals have no error of doubles in them."""
    sales = foodmart.tables["sales_fact_1997"]
    names = ("store_sales", "store_cost", "unit_sales")
    found = sales.cube([], {name: sales[name].sum() for name in names}).to_rows()[0]
    expected = {name: float(sum(Decimal(row[name]) for row in rows["sales_fact_1997"])) for name in names}
    assert found == expected
    assert found["store_cost"] == 225627.2336
    assert found["unit_sales"] == 266773.0


def test_joined_columns_are_levels(foodmart: Any, rows: Any) -> None:
    """Sums by columns two tables away equal those of the files."""
    classes = {row["product_class_id"]: row["product_family"] for row in rows["product_class"]}
    families = {row["product_id"]: classes[row["product_class_id"]] for row in rows["product"]}
    states = {row["store_id"]: row["store_state"] for row in rows["store"]}
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows["sales_fact_1997"]:
        expected[families[row["product_id"]], states[row["store_id"]]] += Decimal(row["store_sales"])
    sales = foodmart.tables["sales_fact_1997"]
    levels = ["product.product_class.product_family", "store.store_state"]
    found = sales.cube(levels, {"sales": sales["store_sales"].sum()}).to_rows()
    assert {tuple(row.values())[:2]: tuple(row.values())[2] for row in found} == {
        key: float(value) for key, value in expected.items()
    }


def test_a_query_reads_through_joins(foodmart: Any, rows: Any) -> None:
    """Conditions and projections follow the references."""
    wanted = [row for row in rows["customer"] if row["city"] == "Sooke"]
    ids = {row["customer_id"] for row in wanted}
    expected = sum(1 for row in rows["sales_fact_1997"] if row["customer_id"] in ids)
    query = foodmart.query('select customer.fullname, unit_sales from sales_fact_1997 where customer.city is "Sooke"')
    found = query.all()
    assert len(found) == expected
    assert {each["customer"]["fullname"] for each in found} <= {row["fullname"] for row in wanted}


def test_every_table_of_the_whole_can_be_read(memory: Any, tmp_path: Path) -> None:
    """All 23 files are read, with their types found; one has the name of an entity type, and gets another."""
    if not WHOLE.exists():
        pytest.skip(f"the whole of FoodMart is not at {WHOLE}")
    with tarfile.open(WHOLE) as archive:
        archive.extractall(tmp_path, filter="data", members=[m for m in archive if "1998" not in m.name])
    for path in sorted(tmp_path.glob("*.csv")):
        if path.stat().st_size > 500_000:
            continue
        name = "departments" if path.stem == "department" else None
        table = memory.read_csv(path, name)
        with path.open(encoding="utf-8", newline="") as text:
            assert table.row_count == sum(1 for _ in csv.reader(text)) - 1, path.stem
    kinds = {each.name: each.data_type for each in memory.schema.types["currency"].attributes.values()}
    assert kinds == {
        "id": "string",
        "currency_id": "integer",
        "date": "date",
        "currency": "string",
        "conversion_ratio": "number",
    }
