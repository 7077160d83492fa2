"""The Sales cube of FoodMart over its CSV files, in plain Python: what MDX is tested with.

Every question is answered by looking at the facts one by one; nothing is shared with an engine. `FACTS` and `TABLES`
are also read by tests that compute what they expect themselves.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from callsheet.analytics.mdx.cells import (
    CalculatedDescription,
    CubeDescription,
    CubeQuestion,
    FactCondition,
    GroupedRows,
    HierarchyDescription,
    LevelDescription,
    LevelName,
    MeasureDescription,
    MemberRow,
)
from callsheet.analytics.mdx.members import CubeSpace
from callsheet.analytics.mdx.query import answer_mdx
from callsheet.analytics.mdx.result import MdxResult

ARCHIVE = Path(__file__).parent / "foodmart.tar.xz"


@cache
def tables() -> dict[str, list[dict[str, str]]]:
    """All tables: rows of texts, as the files have them."""
    found = {}
    with tarfile.open(ARCHIVE) as archive:
        for member in archive.getmembers():
            data = archive.extractfile(member)
            assert data is not None
            found[member.name.removesuffix(".csv")] = list(csv.DictReader(io.TextIOWrapper(data, "utf-8")))
    return found


def _level(name: str, unique: bool = False, properties: tuple[str, ...] = (), kind: str = "") -> LevelDescription:
    return LevelDescription(name, unique, properties, kind)


def _flat(name: str, level: str | None = None, all_name: str | None = None) -> HierarchyDescription:
    return HierarchyDescription(name, (_level(level or name, True),), all_name=all_name or f"All {name}s")


STORE_PROPERTIES = ("Store Type", "Store Manager", "Store Sqft", "Grocery Sqft", "Frozen Sqft", "Meat Sqft",
                    "Has coffee bar", "Street address")  # fmt: skip
CUSTOMER_PROPERTIES = ("Gender", "Marital Status", "Education", "Yearly Income")

HIERARCHIES = (
    HierarchyDescription(
        "Store",
        (_level("Store Country", True), _level("Store State", True), _level("Store City"),
         _level("Store Name", True, STORE_PROPERTIES)),
        all_name="All Stores",
    ),
    _flat("Store Size in SQFT", "Store Sqft"),
    _flat("Store Type"),
    HierarchyDescription(
        "Time",
        (_level("Year", True, kind="year"), _level("Quarter", kind="quarter"), _level("Month", kind="month")),
        time=True,
        default=(1997,),
    ),
    HierarchyDescription(
        "Time.Weekly",
        (_level("Year", True, kind="year"), _level("Week", kind="week"), _level("Day", kind="day")),
        dimension="Time",
        all_name="All Time.Weeklys",
        time=True,
    ),
    HierarchyDescription(
        "Product",
        (_level("Product Family", True), _level("Product Department"), _level("Product Category"),
         _level("Product Subcategory"), _level("Brand Name"), _level("Product Name", True)),
        all_name="All Products",
    ),
    _flat("Promotion Media", "Media Type", "All Media"),
    _flat("Promotions", "Promotion Name", "All Promotions"),
    HierarchyDescription(
        "Customers",
        (_level("Country", True), _level("State Province", True), _level("City"),
         _level("Name", True, CUSTOMER_PROPERTIES)),
        all_name="All Customers",
    ),
    _flat("Education Level"),
    _flat("Gender", all_name="All Gender"),
    _flat("Marital Status", all_name="All Marital Status"),
    _flat("Yearly Income"),
)  # fmt: skip

MEASURES = (
    MeasureDescription("Unit Sales", "Standard"),
    MeasureDescription("Store Cost", "#,###.00"),
    MeasureDescription("Store Sales", "#,###.00"),
    MeasureDescription("Sales Count", "#,###"),
    MeasureDescription("Customer Count", "#,###", rollup=""),
    MeasureDescription("Promotion Sales", "#,###.00"),
)
CALCULATED = (
    CalculatedDescription("[Measures].[Profit]", "[Measures].[Store Sales] - [Measures].[Store Cost]", "$#,##0.00"),
    CalculatedDescription(
        "[Measures].[Profit last Period]",
        "COALESCEEMPTY((Measures.[Profit], [Time].PREVMEMBER), Measures.[Profit])",
        "$#,##0.00",
    ),
    CalculatedDescription(
        "[Measures].[Profit Growth]",
        "([Measures].[Profit] - [Measures].[Profit last Period]) / [Measures].[Profit last Period]",
        "0.0%",
    ),
)
SALES = CubeDescription("Sales", HIERARCHIES, MEASURES, CALCULATED)

Path_ = tuple[Any, ...]


def _whole(text: str) -> int | None:
    return int(text) if text else None


def _dimension_rows() -> dict[str, dict[str, list[tuple[Path_, Any]]]]:
    """For each hierarchy, by the key of its table: the path of the lowest member; and the row."""
    all_tables = tables()
    classes = {row["product_class_id"]: row for row in all_tables["product_class"]}
    paths: dict[str, tuple[str, str, Any]] = {
        "Store": (
            "store",
            "store_id",
            lambda r: (r["store_country"], r["store_state"], r["store_city"], r["store_name"]),
        ),
        "Store Size in SQFT": ("store", "store_id", lambda r: (_whole(r["store_sqft"]),)),
        "Store Type": ("store", "store_id", lambda r: (r["store_type"],)),
        "Time": ("time_by_day", "time_id", lambda r: (int(r["the_year"]), r["quarter"], int(r["month_of_year"]))),
        "Time.Weekly": (
            "time_by_day",
            "time_id",
            lambda r: (int(r["the_year"]), int(r["week_of_year"]), int(r["day_of_month"])),
        ),
        "Product": ("product", "product_id", lambda r: _product(r, classes[r["product_class_id"]])),
        "Promotion Media": ("promotion", "promotion_id", lambda r: (r["media_type"],)),
        "Promotions": ("promotion", "promotion_id", lambda r: (r["promotion_name"],)),
        "Customers": (
            "customer",
            "customer_id",
            lambda r: (r["country"], r["state_province"], r["city"], int(r["customer_id"])),
        ),
        "Education Level": ("customer", "customer_id", lambda r: (r["education"],)),
        "Gender": ("customer", "customer_id", lambda r: (r["gender"],)),
        "Marital Status": ("customer", "customer_id", lambda r: (r["marital_status"],)),
        "Yearly Income": ("customer", "customer_id", lambda r: (r["yearly_income"],)),
    }
    return {
        name: {"key": key, "rows": {row[key]: (path(row), row) for row in all_tables[table]}}  # type: ignore[misc]
        for name, (table, key, path) in paths.items()
    }


def _product(row: dict[str, str], kind: dict[str, str]) -> Path_:
    names = ("product_family", "product_department", "product_category", "product_subcategory")
    return (*(kind[name] for name in names), row["brand_name"], row["product_name"])


class FoodMart:
    """`CubeCells` over the CSV files."""

    def __init__(self) -> None:
        self.dimensions: Any = _dimension_rows()
        facts = tables()["sales_fact_1997"]
        self.facts = facts
        self.units = [int(Decimal(row["unit_sales"])) for row in facts]
        self.cost = [int(Decimal(row["store_cost"]) * 10000) for row in facts]
        self.sales = [int(Decimal(row["store_sales"]) * 10000) for row in facts]
        self.promoted = [sale if row["promotion_id"] != "0" else 0 for row, sale in zip(facts, self.sales)]
        self.customers = [row["customer_id"] for row in facts]
        self.questions: list[CubeQuestion] = []
        self.calls = 0
        self._columns: dict[LevelName, list[Path_]] = {}
        self._answers: dict[CubeQuestion, GroupedRows] = {}
        self._fitting: dict[tuple[FactCondition, ...], Sequence[int]] = {}
        self._index: dict[LevelName, dict[Path_, list[int]]] = {}

    def cube(self) -> CubeDescription:
        return SALES

    def members(self, level: LevelName) -> Sequence[MemberRow]:
        name, depth = level
        lowest = depth == len(next(each for each in HIERARCHIES if each.name == name).levels) - 1
        found: dict[Path_, MemberRow] = {}
        for path, row in self.dimensions[name]["rows"].values():
            short = path[: depth + 1]
            if short not in found:
                found[short] = _member_row(name, short, row, lowest)
        return list(found.values())

    def column(self, level: LevelName) -> list[Path_]:
        """For each fact the path of its member at a level."""
        if level not in self._columns:
            name, depth = level
            dimension = self.dimensions[name]
            known = {key: path[: depth + 1] for key, (path, _) in dimension["rows"].items()}
            self._columns[level] = [known[row[dimension["key"]]] for row in self.facts]
        return self._columns[level]

    def ask(self, questions: Sequence[CubeQuestion]) -> Sequence[GroupedRows]:
        self.calls += 1
        self.questions += questions
        for question in questions:
            if question not in self._answers:
                self._answers[question] = self._answer(question)
        return [self._answers[question] for question in questions]

    def _answer(self, question: CubeQuestion) -> GroupedRows:
        places = self._places(question.conditions)
        columns = [self.column(level) for level in question.levels]
        groups: dict[tuple[Path_, ...], list[int]] = {}
        for place in places:
            groups.setdefault(tuple([column[place] for column in columns]), []).append(place)
        rows = [(key, tuple(self._measure(each, some) for each in question.measures)) for key, some in groups.items()]
        if question.order is not None:
            at = question.order.measure
            sign = -1 if question.order.descending else 1
            rows.sort(key=lambda row: sign * row[1][at])
        return GroupedRows(rows[: question.limit])

    def _places(self, conditions: tuple[FactCondition, ...]) -> Sequence[int]:
        """The facts for which all conditions hold."""
        if not conditions:
            return range(len(self.facts))
        if conditions not in self._fitting:
            ordered = sorted(conditions, key=lambda each: (len(each.levels), len(each.tuples)))
            places: Sequence[int] | None = None
            for condition in ordered:
                places = self._narrowed(condition, places)
            assert places is not None
            self._fitting[conditions] = places
        return self._fitting[conditions]

    def _narrowed(self, condition: FactCondition, places: Sequence[int] | None) -> Sequence[int]:
        shapes = {tuple(map(len, paths)) for paths in condition.tuples}
        if len(condition.levels) == 1 and len(shapes) == 1:
            ((size,),) = shapes
            level = (condition.levels[0][0], size - 1)
            if places is None:
                index = self._indexed(level)
                return sorted(place for (path,) in condition.tuples for place in index.get(path, ()))
            some, column = {path for (path,) in condition.tuples}, self.column(level)
            return [place for place in places if column[place] in some]
        columns = [self.column(level) for level in condition.levels]
        wanted = set(condition.tuples)
        return [
            place
            for place in (range(len(self.facts)) if places is None else places)
            if any(tuple(column[place][:size] for column, size in zip(columns, shape)) in wanted for shape in shapes)
        ]

    def _indexed(self, level: LevelName) -> dict[Path_, list[int]]:
        """The facts of each member of a level."""
        if level not in self._index:
            index: dict[Path_, list[int]] = {}
            for place, path in enumerate(self.column(level)):
                index.setdefault(path, []).append(place)
            self._index[level] = index
        return self._index[level]

    def _measure(self, name: str, places: list[int]) -> Any:
        match name:
            case "Unit Sales":
                return sum(self.units[place] for place in places)
            case "Sales Count":
                return len(places)
            case "Customer Count":
                return len({self.customers[place] for place in places})
        values = {"Store Cost": self.cost, "Store Sales": self.sales, "Promotion Sales": self.promoted}[name]
        return Decimal(sum(values[place] for place in places)) / 10000


def _member_row(hierarchy: str, path: Path_, row: dict[str, str], lowest: bool) -> MemberRow:
    key = path[-1]
    name = "#null" if key is None else str(key)
    if hierarchy == "Customers" and lowest:
        values = (row["gender"], row["marital_status"], row["education"], row["yearly_income"])
        return MemberRow(path, row["fullname"], dict(zip(CUSTOMER_PROPERTIES, values)), row["fullname"])
    if hierarchy == "Store" and lowest:
        return MemberRow(path, name, dict(zip(STORE_PROPERTIES, _store_values(row))))
    return MemberRow(path, name)


def _store_values(row: dict[str, str]) -> tuple[Any, ...]:
    return (
        row["store_type"], row["store_manager"] or None, _whole(row["store_sqft"]), _whole(row["grocery_sqft"]),
        _whole(row["frozen_sqft"]), _whole(row["meat_sqft"]), row["coffee_bar"], row["store_street_address"],
    )  # fmt: skip


@cache
def foodmart() -> FoodMart:
    """The cube, read once."""
    return FoodMart()


@cache
def space() -> CubeSpace:
    """The cube with the members that were read."""
    return CubeSpace(foodmart())


def ask(query: str, **options: Any) -> MdxResult:
    """The answer to a query over the Sales cube."""
    return answer_mdx(space(), query, **options)


def axis(expression: str) -> str:
    """The positions of an axis as text, one in a line."""
    positions = ask(f"select {{{expression}}} on columns from Sales").axes[0].positions
    return "\n".join(str(each[0]) if len(each) == 1 else "{" + ", ".join(map(str, each)) + "}" for each in positions)


def value(expression: str) -> str:
    """The text of an expression's value."""
    return (
        ask(f"with member [Measures].[Foo] as {expression} select {{[Measures].[Foo]}} on columns from Sales")
        .cells[0]
        .text
    )
