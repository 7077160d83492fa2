"""More cubes of FoodMart as definitions: Warehouse, Store and HR, over tables that `read_csv` makes."""

from __future__ import annotations

from callsheet.measures import count, distinct, total
from callsheet.model.cube import CubeDefinition, CubeFormula, CubeHierarchy, CubeLevel, CubeMeasure

__all__ = ["HR", "STORE", "WAREHOUSE"]


def _flat(name: str, path: str, level: str = "", all_name: str = "") -> CubeHierarchy:
    return CubeHierarchy(name, [CubeLevel(level or name, path, unique=True)], all_name or f"All {name}s")


def _store(way: str) -> CubeHierarchy:
    return CubeHierarchy(
        "Store",
        [
            CubeLevel("Store Country", f"{way}store_country", unique=True),
            CubeLevel("Store State", f"{way}store_state", unique=True),
            CubeLevel("Store City", f"{way}store_city"),
            CubeLevel("Store Name", f"{way}store_name", unique=True),
        ],
    )


def _time(month: str | None = None) -> CubeHierarchy:
    way = "time_by_day."
    return CubeHierarchy(
        "Time",
        [
            CubeLevel("Year", f"{way}the_year", unique=True, kind="year"),
            CubeLevel("Quarter", f"{way}quarter", kind="quarter"),
            CubeLevel("Month", f"{way}month_of_year", month and f"{way}{month}", f"{way}month_of_year", kind="month"),
        ],
        None,
        default=(1997,),
        time=True,
    )


WAREHOUSE = CubeDefinition(
    "Warehouse",
    "inventory_fact_1997",
    [
        _store("store."),
        _flat("Store Size in SQFT", "store.store_sqft", "Store Sqft"),
        _flat("Store Type", "store.store_type"),
        _time(),
        CubeHierarchy(
            "Warehouse",
            [
                CubeLevel("Country", "warehouse.warehouse_country", unique=True),
                CubeLevel("State Province", "warehouse.warehouse_state_province", unique=True),
                CubeLevel("City", "warehouse.warehouse_city"),
                CubeLevel("Warehouse Name", "warehouse.warehouse_name", unique=True),
            ],
        ),
    ],
    [
        CubeMeasure("Store Invoice", total("store_invoice")),
        CubeMeasure("Supply Time", total("supply_time")),
        CubeMeasure("Warehouse Cost", total("warehouse_cost")),
        CubeMeasure("Warehouse Sales", total("warehouse_sales")),
        CubeMeasure("Units Shipped", total("units_shipped"), "#.0"),
        CubeMeasure("Units Ordered", total("units_ordered"), "#.0"),
        CubeMeasure("Warehouse Profit", total("warehouse_sales") - total("warehouse_cost")),
    ],
    [
        CubeFormula(
            "[Measures].[Average Warehouse Sale]",
            "[Measures].[Warehouse Sales] / [Measures].[Warehouse Cost]",
            "$#,##0.00",
        )
    ],
    sets={"Top Sellers": "TopCount([Warehouse].[Warehouse Name].MEMBERS, 5, [Measures].[Warehouse Sales])"},
)

STORE = CubeDefinition(
    "Store",
    "store",
    [_flat("Store Type", "store_type"), _store(""), _flat("Has coffee bar", "coffee_bar")],
    [
        CubeMeasure("Store Sqft", total("store_sqft"), "#,###"),
        CubeMeasure("Grocery Sqft", total("grocery_sqft"), "#,###"),
    ],
)

HR = CubeDefinition(
    "HR",
    "salary",
    [
        _time("the_month"),
        _store("employee.store."),
        _flat("Pay Type", "employee.position.pay_type"),
        _flat("Store Type", "employee.store.store_type"),
        CubeHierarchy(
            "Position",
            [
                CubeLevel("Management Role", "employee.management_role", unique=True),
                CubeLevel("Position Title", "employee.position_title", None, "employee.position_id"),
            ],
            "All Position",
        ),
        _flat("Department", "department_id", "Department Description"),
        _flat("Employees", "employee.full_name", "Employee Id", "All Employees"),
    ],
    [
        CubeMeasure("Org Salary", total("salary_paid"), "Currency"),
        CubeMeasure("Count", count(), "#,#"),
        CubeMeasure("Number of Employees", distinct("employee_id"), "#,#"),
    ],
    [CubeFormula("[Measures].[Avg Salary]", "[Measures].[Org Salary]/[Measures].[Number of Employees]", "Currency")],
)
