"""MDX over entities of a server gives what it gives over the files: members, cells, formats; in few requests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from foodmart import CALCULATED, CUSTOMER_PROPERTIES, HIERARCHIES, MEASURES, FoodMart, tables

from callsheet import Session
from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.members import CubeSpace
from callsheet.analytics.mdx.query import answer_mdx
from callsheet.analytics.mdx.writing import mdx_of
from callsheet.errors import UsageError
from callsheet.measures import count, distinct, total
from callsheet.model.cube import CubeDefinition, CubeFormula, CubeHierarchy, CubeLevel, CubeMeasure

FACTS = 2_000


def _texts(*names: str) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names}


SCHEMA: dict[str, Any] = {
    "types": {
        "Store": {"attributes": _texts("country", "state", "city", "name", "kind")},
        "Day": {
            "attributes": {"year": {"type": "integer"}, "month": {"type": "integer"}, "quarter": {"type": "string"}}
        },
        "Product": {"attributes": _texts("family", "department", "category", "subcategory", "brand", "name")},
        "Customer": {
            "attributes": {
                "number": {"type": "integer"},
                **_texts("country", "state", "city", "fullname", "gender", "married", "education", "income"),
            }
        },
        "Sale": {
            "attributes": {
                "store": {"type": "reference", "target": "Store"},
                "day": {"type": "reference", "target": "Day"},
                "product": {"type": "reference", "target": "Product"},
                "customer": {"type": "reference", "target": "Customer"},
                "units": {"type": "integer"},
                "sales": {"type": "number"},
                "cost": {"type": "number"},
            }
        },
    }
}
PROPERTIES = dict(zip(CUSTOMER_PROPERTIES, ("gender", "married", "education", "income")))
SALES = CubeDefinition(
    "Sales",
    "Sale",
    [
        CubeHierarchy(
            "Store",
            [
                CubeLevel("Store Country", "store.country", unique=True),
                CubeLevel("Store State", "store.state", unique=True),
                CubeLevel("Store City", "store.city"),
                CubeLevel("Store Name", "store.name", unique=True),
            ],
        ),
        CubeHierarchy("Store Type", [CubeLevel("Store Type", "store.kind", unique=True)]),
        CubeHierarchy(
            "Time",
            [
                CubeLevel("Year", "day.year", unique=True, kind="year"),
                CubeLevel("Quarter", "day.quarter", kind="quarter"),
                CubeLevel("Month", "day.month", kind="month"),
            ],
            all_name=None,
            time=True,
            default=(1997,),
        ),
        CubeHierarchy(
            "Product",
            [
                CubeLevel("Product Family", "product.family", unique=True),
                CubeLevel("Product Department", "product.department"),
                CubeLevel("Product Category", "product.category"),
                CubeLevel("Product Subcategory", "product.subcategory"),
                CubeLevel("Brand Name", "product.brand"),
                CubeLevel("Product Name", "product.name", unique=True),
            ],
        ),
        CubeHierarchy(
            "Customers",
            [
                CubeLevel("Country", "customer.country", unique=True),
                CubeLevel("State Province", "customer.state", unique=True),
                CubeLevel("City", "customer.city"),
                CubeLevel(
                    "Name",
                    "customer.number",
                    "customer.fullname",
                    "customer.fullname",
                    {name: f"customer.{column}" for name, column in PROPERTIES.items()},
                    unique=True,
                ),
            ],
        ),
        CubeHierarchy("Gender", [CubeLevel("Gender", "customer.gender", unique=True)], all_name="All Gender"),
    ],
    [
        CubeMeasure("Unit Sales", total("units")),
        CubeMeasure("Store Cost", total("cost"), "#,###.00"),
        CubeMeasure("Store Sales", total("sales"), "#,###.00"),
        CubeMeasure("Sales Count", count(), "#,###"),
        CubeMeasure("Customer Count", distinct("customer.number"), "#,###"),
    ],
    [CubeFormula(each.name, each.formula, each.format) for each in CALCULATED],
)
KEPT = {each.name for each in SALES.hierarchies}


class SomeFoodMart(FoodMart):
    """The same cube over some facts of the files, with the members that these facts have."""

    def __init__(self, facts: list[dict[str, str]]) -> None:
        super().__init__()
        places = {id(fact): place for place, fact in enumerate(self.facts)}
        chosen = [places[id(fact)] for fact in facts]
        self.facts = facts
        for name in ("units", "cost", "sales", "promoted", "customers"):
            column = getattr(self, name)
            setattr(self, name, [column[place] for place in chosen])
        for dimension in self.dimensions.values():
            used = {fact[dimension["key"]] for fact in facts}
            dimension["rows"] = {key: row for key, row in dimension["rows"].items() if key in used}

    def cube(self) -> Any:
        described = super().cube()
        return evolve(
            described,
            hierarchies=tuple(each for each in HIERARCHIES if each.name in KEPT),
            measures=MEASURES[:5],
        )


def _facts() -> list[dict[str, str]]:
    every = tables()["sales_fact_1997"]
    return every[:: len(every) // FACTS]


@frozen
class Customer:
    gender: str


def _customers() -> list[Customer]:
    """The customer of each sale."""
    known = {row["customer_id"]: Customer(row["gender"]) for row in tables()["customer"]}
    return [known[fact["customer_id"]] for fact in _facts()]


@pytest.fixture(scope="module")
def files() -> CubeSpace:
    return CubeSpace(SomeFoodMart(_facts()))


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    read, facts = tables(), _facts()
    classes = {row["product_class_id"]: row for row in read["product_class"]}
    dimensions = {
        "Store": ("store", lambda r: {"country": r["store_country"], "state": r["store_state"],
                                      "city": r["store_city"], "name": r["store_name"], "kind": r["store_type"]}),
        "Day": ("time_by_day", lambda r: {"year": int(r["the_year"]), "month": int(r["month_of_year"]),
                                          "quarter": r["quarter"]}),
        "Product": ("product", lambda r: {
            **{name: classes[r["product_class_id"]][f"product_{name}"]
               for name in ("family", "department", "category", "subcategory")},
            "brand": r["brand_name"], "name": r["product_name"]}),
        "Customer": ("customer", lambda r: {
            "number": int(r["customer_id"]), "country": r["country"], "state": r["state_province"], "city": r["city"],
            "fullname": r["fullname"], "gender": r["gender"], "married": r["marital_status"],
            "education": r["education"], "income": r["yearly_income"]}),
    }  # fmt: skip
    keys = {"Store": "store_id", "Day": "time_id", "Product": "product_id", "Customer": "customer_id"}
    with Session("memory:", schema=SCHEMA) as opened:
        made: dict[str, dict[str, Any]] = {}
        for kind, (table, values) in dimensions.items():
            used = {fact[keys[kind]] for fact in facts}
            rows = [row for row in read[table] if row[keys[kind]] in used]
            made[kind] = {row[keys[kind]]: opened.create(kind, values(row)) for row in rows}
        for fact in facts:
            relations = {kind.lower(): made[kind][fact[key]] for kind, key in keys.items()}
            numbers = {"units": int(float(fact["unit_sales"])), "sales": float(fact["store_sales"])}
            opened.create("Sale", {**relations, **numbers, "cost": float(fact["store_cost"])})
        opened.commit()
        yield opened


QUERIES = [
    "select {[Measures].[Unit Sales], [Measures].[Store Sales]} on columns from Sales",
    "select [Measures].members on columns, [Store].[USA].children on rows from Sales",
    "select {[Measures].[Profit], [Measures].[Profit Growth]} on columns, [Time].[1997].children on rows from Sales",
    "select [Gender].members on columns, non empty [Product].[Product Family].members on rows from Sales where "
    "[Store].[USA].[CA]",
    "select [Measures].[Customer Count] on columns, topcount([Product].[Brand Name].members, 5, "
    "[Measures].[Unit Sales]) on rows from Sales",
    "select non empty crossjoin([Gender].members, [Store].[Store City].members) on rows, "
    "[Time].[Quarter].members on columns from Sales",
    "select filter([Customers].[City].members, [Measures].[Unit Sales] > 60) on rows, "
    "[Measures].[Unit Sales] on columns from Sales",
    "select head(order([Customers].[Name].members, [Measures].[Store Sales], bdesc), 4) dimension properties "
    "[Customers].[Name].[Gender] on rows, [Measures].[Store Sales] on columns from Sales",
    "with member [Measures].[So far] as 'Sum(YTD(), [Measures].[Unit Sales])' select [Measures].[So far] on columns, "
    "[Time].[Month].members on rows from Sales",
    "select [Measures].[Unit Sales] on columns, [Store Type].members on rows from Sales where "
    "{([Time].[1997].[Q1], [Gender].[F]), ([Time].[1997].[Q2], [Gender].[M])}",
    "select [Product].[Drink].children on rows, [Measures].[Unit Sales] on columns from "
    "(select {[Store].[USA].[WA], [Store].[USA].[OR].[Salem]} on columns from Sales)",
]


@pytest.mark.parametrize("query", QUERIES)
def test_entities_give_what_the_files_give(session: Session, files: CubeSpace, query: str) -> None:
    """The printed answers are equal, to the letter."""
    assert session.query_mdx(query, SALES).to_text() == answer_mdx(files, query).to_text()


def test_many_cells_take_few_requests(session: Session) -> None:
    """One for the members of all levels, one for all cells; the members are kept for the next query."""
    before = session.statistics.by_verb["ask"]
    query = "select [Measures].members on columns, [Product].[Brand Name].members on rows from Sales"
    result = session.query_mdx(query, evolve(SALES, folder="new"))
    assert len(result.axes[1].positions) > 100
    assert session.statistics.by_verb["ask"] - before == 2
    session.query_mdx(query, evolve(SALES, folder="new"))
    assert session.statistics.by_verb["ask"] - before == 3


def test_a_cube_of_the_session_is_found_by_its_name(session: Session) -> None:
    """FROM names it, in any case; a cube or a name that is given is meant instead."""
    session.cubes["Sales"] = SALES
    query = "select [Gender].members on columns from {} where [Measures].[Sales Count]"
    expected = [len(_facts()), *(sum(each.gender == sex for each in _customers()) for sex in "FM")]
    for found in (
        session.query_mdx(query.format("[sales]")),
        session.query_mdx(query.format("Sales"), session.cubes["Sales"]),
        session.query_mdx(query.format("Sales"), "sales"),
    ):
        assert [cell.value for cell in found.cells] == expected
    with pytest.raises(MdxError, match="did you mean `Sales`") as error:
        session.query_mdx(query.format("[Sails]"))
    assert error.value.position == 40
    with pytest.raises(MdxError, match="there is no cube `Sails`"):
        session.query_mdx(query.format("Sales"), "Sails")


def test_an_answer_is_of_one_position(session: Session) -> None:
    """Which it has; it can be asked for, also later; a query whose state changes meanwhile is evaluated again."""
    query = "select [Measures].[Sales Count] on columns, [Gender].members on rows from Sales"
    first = session.query_mdx(query, SALES)
    assert first.position is not None
    sale = session.query("Sale").first()
    copied = {name: sale[name] for name in ("store", "day", "product", "customer", "units")}
    new = session.create("Sale", copied)
    session.commit()
    try:
        second = session.query_mdx(query, SALES)
        assert second.position is not None
        assert second.position > first.position
        assert second.cells[0].value == first.cells[0].value + 1
        assert session.query_mdx(query, SALES, at=first.position).to_text() == first.to_text()
    finally:
        session.delete(new)
        session.commit()
    assert session.query_mdx(query, SALES).to_text() == first.to_text()


def test_an_explanation_has_the_statements_and_the_times(session: Session) -> None:
    """Of each request; members that are known are not read again. EXPLAIN PLAN FOR gives the same."""
    query = "select [Measures].[Sales Count] on columns, [Store Type].members on rows from Sales"
    made = evolve(SALES, description="explained")
    found = session.explain_mdx_query(query, made)
    assert found.result.to_text() == session.query_mdx(query, SALES).to_text()
    assert len(found.turns) == 2
    assert len(found.statements) == sum(len(turn.answers) for turn in found.turns) >= 3
    assert all("SELECT" in each.upper() for each in found.statements)
    assert {"reading", "evaluating", "whole"} == set(found.milliseconds)
    plain = found.to_dict()
    assert plain["summary"]["cells"] == len(found.result.cells)
    assert plain["turns"][0]["levels"] == ["Time, level 1", "Store Type, level 1"]
    assert "request 2:" in str(found)
    again = session.query_mdx("explain plan for " + query, made)
    assert len(again.turns) == 1
    assert again.result.to_text() == found.result.to_text()


def test_answers_are_frames(session: Session) -> None:
    """The hierarchies on the rows are the index of a pandas frame, the positions of the columns its columns."""
    result = session.query_mdx(
        "select {[Measures].[Sales Count], [Measures].[Profit]} on columns, "
        "[Gender].[Gender].members * [Store].[Store Country].members on rows from Sales",
        SALES,
    )
    frame = result.to_pandas()
    assert list(frame.index.names) == ["Gender", "Store"]
    assert list(frame.columns) == ["Sales Count", "Profit"]
    count = sum(each.gender == "F" for each in _customers())
    assert frame.loc[("F", "USA"), "Sales Count"] == count
    assert result.to_frame().to_rows()[0] == result.to_rows()[0]
    single = session.query_mdx("select from Sales", SALES).to_pandas()
    assert single["Sales"].tolist() == [sum(int(float(each["unit_sales"])) for each in _facts())]


def test_a_cell_is_drilled_to_its_entities(session: Session) -> None:
    """As many as it counts, with the columns that RETURN names; a slicer of several members counts."""
    where = "{[Store].[USA].[WA], [Store].[USA].[OR].[Salem]}"
    (cell,) = session.query_mdx(f"select [Measures].[Sales Count] on 0 from Sales where {where}", SALES).cells
    found = session.query_mdx(
        f"drillthrough select [Gender].[All Gender] on 0 from Sales where {where} "
        "return [Store].[Store State], [Customers].[Name], Name([Gender].[Gender]), [Measures].[Unit Sales]",
        SALES,
    )
    assert len(found) == cell.value == len(found.entities.all())
    assert found.columns == (
        "[Store].[Store State]",
        "[Customers].[Name]",
        "[Gender].[Gender]",
        "[Measures].[Unit Sales]",
    )
    assert {row["[Store].[Store State]"] for row in found.to_rows()} == {"WA", "OR"}
    some = session.query_mdx("drillthrough maxrows 3 select [Gender].[F] on 0 from Sales", SALES)
    assert len(some.to_pandas()) == 3
    assert {"Store City", "Month", "Product Name", "Gender", "Store Sales"} <= set(some.columns)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("drillthrough select [Gender].[Gender].members on 0 from Sales", "one cell, not 2"),
        ("drillthrough select [Measures].[Profit] on 0 from Sales", "is calculated"),
        ("drillthrough select [Gender].[F] on 0 from Sales return [Gendr]", "cannot give `Gendr`"),
        ("drillthrough select [Gender].[X] on 0 from Sales", "there is no `X`"),
    ],
)
def test_what_cannot_be_drilled_is_refused(session: Session, query: str, message: str) -> None:
    """With its place in the query."""
    with pytest.raises(MdxError, match=message) as error:
        session.query_mdx(query.replace("[Gendr]", "Gendr"), SALES)
    assert error.value.position >= 0


def test_what_is_wrong_is_named(session: Session) -> None:
    """A name that the cube lacks, with its place; what is no definition."""
    with pytest.raises(MdxError, match="Sails"):
        session.query_mdx("select [Measures].[Unit Sails] on columns from Sales", SALES)
    with pytest.raises(UsageError, match="needs a cube"):
        session.query_mdx("select [Measures].[Unit Sales] on columns from Sales", 7)


LEVELS = [(each.name, level.name) for each in SALES.hierarchies for level in each.levels[:4]]
CHOSEN: dict[str, list[tuple[list[list[Any]], str]]] = {
    "Gender": [([["F"]], "customer.gender is F")],
    "Store": [
        ([["USA", "WA"], ["USA", "CA"]], "store.state in (WA, CA)"),
        ([["USA", "OR", "Salem"]], "store.state is 'OR' and store.city is Salem"),
    ],
    "Product": [([["Food"]], "product.family is Food")],
}


@given(
    st.lists(st.sampled_from([each.name for each in SALES.measures]), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(LEVELS), max_size=2, unique_by=lambda level: level[0]),
    st.lists(st.sampled_from([(name, *each) for name, some in CHOSEN.items() for each in some]), max_size=2,
             unique_by=lambda each: each[0]),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_mdx_gives_what_the_cube_gives(
    session: Session, measures: list[str], levels: list[tuple[str, str]], chosen: list[tuple[str, Any, str]]
) -> None:
    """For any measures, levels and members; no fact of this cube is of another year than the default one."""
    session.cubes["Sales"] = SALES
    cube = session.cubes["Sales"]
    text = mdx_of(cube.definition, measures, levels, {name: paths for name, paths, _ in chosen})
    found = session.query_mdx(text)
    condition = " and ".join(f"({each})" for _, _, each in chosen) or None
    frame = cube.query(*measures, levels=levels, filter=condition)
    lowest = [
        frame.dimensions.index(level if level in frame.dimensions else f"{name}.{level}") for name, level in levels
    ]
    width = len(frame.dimensions)
    every = [[each[name] for name in frame.columns] for each in frame]
    expected = sorted(
        (*(_caption(levels[at][0], row[place]) for at, place in enumerate(lowest)), *row[width:]) for row in every
    )
    rows = [
        (*(member.caption for position in place for member in position), *(cell.value for cell in cells))
        for place, cells in zip(
            found.places(), [found.cells[at : at + len(measures)] for at in range(0, len(found.cells), len(measures))]
        )
    ]
    assert [row[: len(levels)] for row in sorted(rows)] == [row[: len(levels)] for row in expected]
    for one, two in zip(sorted(rows), expected):
        assert one[len(levels) :] == pytest.approx(
            [None if each is None else float(each) for each in two[len(levels) :]]
        )


@cache
def _names() -> dict[int, str]:
    return {int(row["customer_id"]): row["fullname"] for row in tables()["customer"]}


def _caption(hierarchy: str, value: Any) -> str:
    """What a member is called: customers by their names."""
    known = _names() if hierarchy == "Customers" and isinstance(value, int) else {}
    return str(known.get(value, value))
