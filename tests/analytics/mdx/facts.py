"""Sums over the sales of FoodMart, computed from the rows of the files: what tests compare answers with.

Nothing here knows MDX. A condition is a function of one joined row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

from foodmart import tables

Row = dict[str, str]
Condition = Callable[[Row], bool]


@cache
def rows() -> list[Row]:
    """The facts, each with some columns of its store, day, product and customer."""
    read = tables()
    classes = {row["product_class_id"]: row for row in read["product_class"]}
    stores = _some("store", "store_id", "store_state", "store_city")
    days = _some("time_by_day", "time_id", "quarter", "month_of_year")
    customers = _some("customer", "customer_id", "gender", "marital_status")
    products = {
        row["product_id"]: {
            "product_name": row["product_name"],
            "product_department": classes[row["product_class_id"]]["product_department"],
        }
        for row in read["product"]
    }
    return [
        stores[fact["store_id"]]
        | days[fact["time_id"]]
        | products[fact["product_id"]]
        | customers[fact["customer_id"]]
        | fact
        for fact in read["sales_fact_1997"]
    ]


def _some(table: str, key: str, *columns: str) -> dict[str, Row]:
    return {row[key]: {column: row[column] for column in columns} for row in tables()[table]}


def chosen(**wanted: str) -> Iterator[Row]:
    """The facts whose columns have these values."""
    pairs = list(wanted.items())
    return (row for row in rows() if all(row[name] == value for name, value in pairs))


def units(**wanted: str) -> int:
    """Unit Sales."""
    return sum(int(Decimal(row["unit_sales"])) for row in chosen(**wanted))


def money(column: str, **wanted: str) -> Decimal:
    """The sum of ``store_sales`` or ``store_cost``."""
    return sum((Decimal(row[column]) for row in chosen(**wanted)), Decimal(0))


def buyers(condition: Condition) -> int:
    """The number of different customers of the facts for which a condition holds."""
    return len({row["customer_id"] for row in rows() if condition(row)})


def written(number: Any, places: int = 0) -> str:
    """A number with commas, half rounded up."""
    return f"{Decimal(number).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,}"
