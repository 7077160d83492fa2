"""More cubes of FoodMart, read from their files: their totals are those of plain Python over the same files."""

from __future__ import annotations

import csv
import sys
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from facts import written
from foodmart_cubes import HR, STORE, WAREHOUSE

from callsheet import Session

ARCHIVES = [parent / "shared/data/foodmart/foodmart.tar.xz" for parent in Path(__file__).resolve().parents]
ARCHIVE = next((each for each in ARCHIVES if each.exists()), None)

pytestmark = pytest.mark.skipif(ARCHIVE is None, reason="the whole FoodMart is not beside the project")

KEYS = {
    "store": "store_id", "time_by_day": "time_id", "warehouse": "warehouse_id", "employee": "employee_id",
    "position": "position_id",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("foodmart")
    assert ARCHIVE is not None
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(made)
    return made


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[Session]:
    with Session("memory:") as opened:
        tables = {name: opened.read_csv(folder / f"{name}.csv", keys=[key]) for name, key in KEYS.items()}
        inventory = opened.read_csv(folder / "inventory_fact_1997.csv")
        for name in ("store", "time_by_day", "warehouse"):
            inventory.join(tables[name])
        tables["employee"].join(tables["store"])
        tables["employee"].join(tables["position"], {"position_id": "position_id"})
        salary = opened.read_csv(folder / "salary.csv")
        salary.join(tables["employee"], {"employee_id": "employee_id"})
        salary.join(tables["time_by_day"], {"pay_date": "the_date"})
        for each in (WAREHOUSE, STORE, HR):
            opened.cubes[each.name] = each
        yield opened


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_warehouses_ship_what_the_file_says(session: Session, folder: Path) -> None:
    """By store; the default member of time is 1997; a formula and a set of the cube are known."""
    inventory = rows(folder, "inventory_fact_1997")
    states = {row["store_id"]: row["store_state"] for row in rows(folder, "store")}

    def summed(column: str, state: str) -> Decimal:
        return sum((Decimal(row[column]) for row in inventory if states[row["store_id"]] == state), Decimal(0))

    found = session.query_mdx(
        "select {[Measures].[Warehouse Sales], [Measures].[Units Shipped], [Measures].[Average Warehouse Sale]} on 0, "
        "[Store].[USA].children on 1 from Warehouse"
    )
    expected = []
    for state in ("CA", "OR", "WA"):
        sales, cost = summed("warehouse_sales", state), summed("warehouse_cost", state)
        expected += [written(sales), f"{summed('units_shipped', state):.1f}", f"${sales / cost:.2f}"]
    assert [cell.text for cell in found.cells] == expected
    best = session.query_mdx("select {[Measures].[Warehouse Sales]} on 0, [Top Sellers] on 1 from Warehouse")
    values = [cell.value for cell in best.cells]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)


def test_stores_are_facts_themselves(session: Session, folder: Path) -> None:
    """Square feet by type; a hierarchy of true and false."""
    found = session.query_mdx(
        "select {[Measures].[Store Sqft]} on 0, [Store Type].[Store Type].members on 1 from [Store]"
    )
    sums: dict[str, int] = {}
    for row in rows(folder, "store"):
        sums[row["store_type"]] = sums.get(row["store_type"], 0) + int(row["store_sqft"] or 0)
    assert {row["Store Type"]: row["Store Sqft"] or 0 for row in found.to_rows()} == sums
    bars = session.query_mdx("select [Has coffee bar].members on 0 from [Store]")
    assert bars.cells[0].value == sum(sums.values()) == sum(cell.value for cell in bars.cells[1:])


def test_salaries_are_paid_to_employees(session: Session, folder: Path) -> None:
    """By quarter, as money; each employee counts once."""
    days = {row["the_date"]: row for row in rows(folder, "time_by_day")}
    paid: dict[str, Decimal] = {}
    people: dict[str, set[str]] = {}
    for row in rows(folder, "salary"):
        day = days[row["pay_date"]]
        if day["the_year"] == "1997":
            paid[day["quarter"]] = paid.get(day["quarter"], Decimal(0)) + Decimal(row["salary_paid"])
            people.setdefault(day["quarter"], set()).add(row["employee_id"])
    found = session.query_mdx(
        "select {[Measures].[Org Salary], [Measures].[Number of Employees]} on 0, [Time].[1997].children on 1 from HR"
    )
    expected = [text for q in sorted(paid) for text in (f"${written(paid[q], 2)}", f"{len(people[q]):,}")]
    assert [cell.text for cell in found.cells] == expected
    months = session.query_mdx("select [Time].[1997].[Q1].children on 0 from HR")
    assert [position[0].name for position in months.axes[0].positions] == ["January", "February", "March"]
