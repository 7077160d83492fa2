"""Queries in MDX over FoodMart, from a session in the server's process: with and without its mirror.

``python -m tests.benchmarks.mdx [TURNS]`` loads the files of the tests, asks each query once, which reads members, and
then so many times (5). It prints the median milliseconds, the number of requests, and of the groups that the server
sent.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from callsheet import Session
from callsheet.measures import count, distinct, total
from callsheet.model.cube import CubeDefinition, CubeFormula, CubeHierarchy, CubeLevel, CubeMeasure
from callsheet.server.service import Service
from callsheet.testing import session_on

ARCHIVE = Path(__file__).parents[1] / "analytics/mdx/foodmart.tar.xz"
KEYS = {
    "store": "store_id", "time_by_day": "time_id", "product_class": "product_class_id", "product": "product_id",
    "promotion": "promotion_id", "customer": "customer_id",
}  # fmt: skip


def _flat(name: str, path: str, all_name: str = "") -> CubeHierarchy:
    return CubeHierarchy(name, [CubeLevel(name, path, unique=True)], all_name or f"All {name}s")


SALES = CubeDefinition(
    "Sales",
    "sales_fact_1997",
    [
        CubeHierarchy(
            "Store",
            [
                CubeLevel("Store Country", "store.store_country", unique=True),
                CubeLevel("Store State", "store.store_state", unique=True),
                CubeLevel("Store City", "store.store_city"),
                CubeLevel("Store Name", "store.store_name", unique=True, properties={"Store Type": "store.store_type"}),
            ],
        ),
        _flat("Store Type", "store.store_type"),
        CubeHierarchy(
            "Time",
            [
                CubeLevel("Year", "time_by_day.the_year", unique=True, kind="year"),
                CubeLevel("Quarter", "time_by_day.quarter", kind="quarter"),
                CubeLevel("Month", "time_by_day.month_of_year", kind="month"),
            ],
            None,
            default=(1997,),
            time=True,
        ),
        CubeHierarchy(
            "Product",
            [
                CubeLevel("Product Family", "product.product_class.product_family", unique=True),
                CubeLevel("Product Department", "product.product_class.product_department"),
                CubeLevel("Product Category", "product.product_class.product_category"),
                CubeLevel("Product Subcategory", "product.product_class.product_subcategory"),
                CubeLevel("Brand Name", "product.brand_name"),
                CubeLevel("Product Name", "product.product_name", unique=True),
            ],
        ),
        _flat("Promotion Media", "promotion.media_type", "All Media"),
        _flat("Promotions", "promotion.promotion_name"),
        CubeHierarchy(
            "Customers",
            [
                CubeLevel("Country", "customer.country", unique=True),
                CubeLevel("State Province", "customer.state_province", unique=True),
                CubeLevel("City", "customer.city"),
                CubeLevel("Name", "customer.customer_id", "customer.fullname", "customer.fullname", unique=True),
            ],
        ),
        _flat("Education Level", "customer.education"),
        _flat("Gender", "customer.gender", "All Gender"),
        _flat("Marital Status", "customer.marital_status", "All Marital Status"),
        _flat("Yearly Income", "customer.yearly_income"),
    ],
    [
        CubeMeasure("Unit Sales", total("unit_sales")),
        CubeMeasure("Store Cost", total("store_cost"), "#,###.00"),
        CubeMeasure("Store Sales", total("store_sales"), "#,###.00"),
        CubeMeasure("Sales Count", count(), "#,###"),
        CubeMeasure("Customer Count", distinct("customer_id"), "#,###"),
    ],
    [CubeFormula("[Measures].[Profit]", "[Measures].[Store Sales] - [Measures].[Store Cost]", "$#,##0.00")],
)
UNITS = "select {[Measures].[Unit Sales]} on 0, "
QUERIES = {
    "one cell": "select [Measures].[Unit Sales] on 0 from Sales",
    "measures by state": "select Measures.members on 0, [Store].[USA].children on 1 from Sales",
    "quarters by gender": "select [Time].[1997].children on 0, Gender.members on 1 from Sales",
    "distinct count by month": "select [Customer Count] on 0, [Time].[Month].members on 1 from Sales",
    "departments": UNITS + "[Product].[Product Department].members on 1 from Sales",
    "product x state, non empty": UNITS + "non empty [Product].[Product Category].members * "
    "[Store].[Store State].members on 1 from Sales",
    "all products, non empty": UNITS + "non empty [Product].[Product Name].members on 1 from Sales",
    "customers of a city": UNITS + "[Customers].[USA].[WA].[Yakima].children on 1 from Sales",
    "non empty customers x products": UNITS + "non empty CrossJoin([Customers].[Name].members, "
    "[Product].[Product Name].members) on 1 from Sales where ([Time].[1997].[Q1].[1], [Store].[USA].[WA].[Spokane])",
    "NonEmptyCrossJoin": UNITS + "NonEmptyCrossJoin([Store].[Store City].members, [Product].[Drink].children) "
    "on 1 from Sales",
    "TopCount of customers": UNITS + "TopCount([Customers].[Name].members, 5, [Measures].[Unit Sales]) on 1 from Sales",
    "TopCount by a formula": UNITS + "TopCount([Customers].[Name].members, 5, [Measures].[Profit]) on 1 from Sales",
    "BottomCount of customers": UNITS + "BottomCount([Customers].[Name].members, 5, [Measures].[Unit Sales]) on 1 "
    "from Sales",
    "TopPercent of products": UNITS + "TopPercent([Product].[Product Name].members, 5, [Unit Sales]) on 1 from Sales",
    "TopSum of customers": UNITS + "TopSum([Customers].[Name].members, 2000, [Unit Sales]) on 1 from Sales",
    "Filter of customers": UNITS + "Filter([Customers].[Name].members, [Unit Sales] > 300) on 1 from Sales",
    "Filter by a formula": UNITS + "Filter([Customers].[Name].members, [Profit] > 450 AND [Unit Sales] < 400) on 1 "
    "from Sales",
    "Order of products, first 10": UNITS + "Head(Order([Product].[Product Name].members, [Unit Sales], BDESC), 10) "
    "on 1 from Sales",
    "Sum over customers": "with member [Measures].[x] as Sum([Customers].[Name].members, [Unit Sales]) "
    "select [x] on 0, Gender.members on 1 from Sales",
    "Aggregate, distinct count": "with member [Store].[West] as Aggregate({[Store].[USA].[CA], [Store].[USA].[OR]}) "
    "select {[Unit Sales], [Customer Count]} on 0, {[Store].[West], [Store].[USA].children} on 1 from Sales",
    "Count of buyers": "with member [Measures].[n] as Count(Filter([Customers].[Name].members, [Unit Sales] > 0)) "
    "select [n] on 0, [Store].[USA].children on 1 from Sales",
    "year to date": "with member [Measures].[so far] as Sum(Ytd(), [Unit Sales]) select {[Unit Sales], [so far]} on 0, "
    "[Time].[Month].members on 1 from Sales",
    "period before": "with member [Measures].[last] as ([Unit Sales], [Time].PrevMember) select {[Unit Sales], [last]} "
    "on 0, [Time].[1997].children on 1 from Sales",
    "share of parent": "with member [Measures].[%] as [Unit Sales] / ([Unit Sales], [Product].Parent), "
    "format_string = '0.0%' select [%] on 0, [Product].[Product Category].members on 1 from Sales",
    "rank": "with set s as Order([Product].[Product Category].members, [Unit Sales], BDESC) member [Measures].[r] as "
    "Rank([Product].CurrentMember, s) select [r] on 0, s on 1 from Sales",
    "best three of each state": UNITS + "Generate([Store].[USA].children, TopCount(Descendants([Store].CurrentMember, "
    "[Store].[Store Name]), 3, [Unit Sales])) on 1 from Sales",
    "best products of each family": UNITS + "Generate([Product].children, TopCount("
    "Descendants([Product].CurrentMember, [Product].[Product Name]), 2, [Unit Sales])) on 1 from Sales",
    "visual totals": UNITS + "VisualTotals({[Store].[USA], [Store].[USA].[CA], [Store].[USA].[OR]}) on 1 from Sales",
    "slicer of months": UNITS + "[Store].[USA].children on 1 from Sales where {[Time].[1997].[Q1].[1], "
    "[Time].[1997].[Q2].[5]}",
    "subselect": UNITS + "[Store].[USA].children on 1 from (select {[Gender].[F]} on 0 from Sales)",
    "trend": "with member [Measures].[t] as LinRegPoint(Rank([Time].CurrentMember, [Time].[1997].children), "
    "[Time].[1997].children, [Unit Sales], Rank([Time].CurrentMember, [Time].[1997].children)) "
    "select {[Unit Sales], [t]} on 0, [Time].[1997].children on 1 from Sales",
}  # fmt: skip


def loaded(service: Service, folder: Path) -> Session:
    """A session with the tables and the cube."""
    session = session_on(service, "admin")
    tables = {name: session.read_csv(folder / f"{name}.csv", keys=[key]) for name, key in KEYS.items()}
    tables["product"].join(tables["product_class"])
    sales = session.read_csv(folder / "sales_fact_1997.csv")
    for name in ("store", "time_by_day", "product", "promotion", "customer"):
        sales.join(tables[name])
    session.cubes["Sales"] = SALES
    session.commit()
    return session


def measured(session: Session, query: str, turns: int) -> tuple[float, float, int, int]:
    """The milliseconds of the first time, and the median of the others; requests, and groups that were sent."""
    times = []
    for _ in range(turns + 1):
        begun = perf_counter()
        session.query_mdx(query)
        times.append(1000 * (perf_counter() - begun))
    plan = session.explain_mdx_query(query)
    groups = sum(len(answer.rows) for turn in plan.turns for answer in turn.answers)
    return times[0], median(times[1:]), len(plan.turns), groups


def main() -> None:
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"{'query':32s} {'from':6s} {'ms':>8s} {'first':>7s} {'requests':>8s} {'groups':>7s}")
    found: dict[bool, dict[str, tuple[float, float, int, int]]] = {}
    for mirror in (True, False):
        with tempfile.TemporaryDirectory() as name:
            with tarfile.open(ARCHIVE) as archive:
                archive.extractall(name, filter="data")
            url = f"sqlite:///{name}/foodmart.db"
            with Service.open(url, analytics=mirror) as service, loaded(service, Path(name)) as session:
                found[mirror] = {}
                for title, query in QUERIES.items():
                    first, middle, requests, groups = found[mirror][title] = measured(session, query, turns)
                    place = "mirror" if mirror else "store"
                    print(f"{title:32s} {place:6s} {middle:8.1f} {first:7.0f} {requests:8d} {groups:7,d}")
    for mirror, figures in found.items():
        every = [each[1] for each in figures.values()]
        print(f"median {'with' if mirror else 'without'} mirror {median(every):.1f} ms, longest {max(every):.0f} ms")


if __name__ == "__main__":
    main()
