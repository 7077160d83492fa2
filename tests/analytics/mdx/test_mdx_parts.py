"""A cube made of others: measures side by side, each with the facts of its own cube."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callsheet import Session
from callsheet.analytics.cube_text import cube_from_toml, cube_toml
from callsheet.analytics.mdx.errors import MdxError
from callsheet.errors import UsageError
from callsheet.measures import distinct, total
from callsheet.model.cube import CubeDefinition, CubeFormula, CubeHierarchy, CubeLevel, CubeMeasure

SOLD = [(1, "F", 5), (1, "M", 7), (2, "F", 11)]
STOCK = [(1, "north", 100), (3, "north", 30), (3, "south", 4)]
CITIES = {1: "LA", 2: "Haifa", 3: "Bonn"}


def _city() -> CubeHierarchy:
    return CubeHierarchy("City", [CubeLevel("City", "shop.city", unique=True)], all_name="All")


SALES = CubeDefinition(
    "Sales",
    "sold",
    [_city(), CubeHierarchy("Sex", [CubeLevel("Sex", "sex", unique=True)], all_name="All")],
    [CubeMeasure("Sold", total("units")), CubeMeasure("Sexes", distinct("sex"))],
    [CubeFormula("[Measures].[Twice]", "[Measures].[Sold] * 2")],
)
STORES = CubeDefinition(
    "Stores",
    "stock",
    [CubeHierarchy("House", [CubeLevel("House", "house", unique=True)], all_name="All"), _city()],
    [CubeMeasure("Kept", total("units"))],
    sets={"Full": "Filter(City.City.members, [Measures].[Kept] > 50)"},
)
BOTH = CubeDefinition(
    "Both", "sold", (), (), [CubeFormula("[Measures].[Left]", "[Kept] - [Sold]")], parts=("Sales", "Stores")
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("parts")
    texts = {
        "shop": ["shop_id,city", *(f"{key},{city}" for key, city in CITIES.items())],
        "sold": ["shop_id,sex,units", *(f"{shop},{sex},{units}" for shop, sex, units in SOLD)],
        "stock": ["shop_id,house,units", *(f"{shop},{house},{units}" for shop, house, units in STOCK)],
    }
    for name, lines in texts.items():
        (folder / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    with Session("memory:") as opened:
        shops = opened.read_csv(folder / "shop.csv", keys=["shop_id"])
        for name in ("sold", "stock"):
            opened.read_csv(folder / f"{name}.csv").join(shops)
        for each in (SALES, STORES, BOTH):
            opened.cubes[each.name] = each
        yield opened


def table(session: Session, query: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in session.query_mdx(query).to_rows()]


def test_measures_of_all_parts_stand_side_by_side(session: Session) -> None:
    """A city without facts of one part has an empty cell; formulas may be about all."""
    rows = table(session, "select {[Sold], [Kept], [Twice], [Left], [Sexes]} on 0, City.members on 1 from Both")
    assert rows == [
        ("All", 23, 134, 46, 111, 2), ("Bonn", None, 34, None, 34, None), ("Haifa", 11, None, 22, -11, 1),
        ("LA", 12, 100, 24, 88, 2),
    ]  # fmt: skip


def test_a_measure_is_empty_where_its_cube_lacks_the_hierarchy(session: Session) -> None:
    """Except for ValidMeasure, and at All."""
    rows = table(
        session,
        "with member [Measures].[V] as ValidMeasure([Kept]) "
        "select {[Sold], [Kept], [V]} on 0, Sex.members on 1 from Both",
    )
    assert rows == [("All", 23, 134, 134), ("F", 16, None, 134), ("M", 7, None, 134)]
    assert table(session, "select {[Sold], [Kept]} on 0 from Both where {House.north}") == [(None, 130)]
    assert table(session, "select {[Sold], [Kept]} on 0 from Both where {(Sex.F, City.LA), (Sex.M, City.LA)}") == [
        (12, None)
    ]


def test_empty_rows_are_empty_in_all_parts(session: Session) -> None:
    """A product keeps the tuples with facts of any part; the largest are found in the measure's own."""
    product = "CrossJoin(City.City.members, {House.[All], House.south})"
    both = f"select {{[Sold], [Kept]}} on 0, non empty {product} on 1 from Both"
    assert [row[0] for row in table(session, both)] == ["Bonn", "Bonn", "Haifa", "LA"]
    assert table(session, "select {[Kept]} on 0, TopCount(City.City.members, 2, [Kept]) on 1 from Both") == [
        ("LA", 100), ("Bonn", 34),
    ]  # fmt: skip
    assert table(session, "select {[Kept]} on 0, [Full] on 1 from Both") == [("LA", 100)]


def test_parts_must_exist_and_agree(session: Session) -> None:
    """What cannot be is said by name; facts are drilled in a part."""
    for part, message in (("Salez", "did you mean `Sales`"), ("Both", "made of others itself")):
        wrong = CubeDefinition("Wrong", "sold", (), (), parts=(part,))
        with pytest.raises(UsageError, match=message):
            session.query_mdx("select from Wrong", cube=wrong)
    other = CubeDefinition("Other", "sold", [CubeHierarchy("City", [CubeLevel("Town", "sex")])], SALES.measures)
    with pytest.raises(UsageError, match="`City` of `Other` has other levels"):
        session.query_mdx("select from Wrong", cube=CubeDefinition("Wrong", "sold", (), (), parts=(SALES, other)))
    with pytest.raises(MdxError, match="ask Sales or Stores"):
        session.query_mdx("drillthrough select [Sold] on 0 from Both")
    with pytest.raises(UsageError, match="made of the cubes Sales and Stores"):
        session.cubes["Both"].query()


def test_parts_and_sets_are_written_and_read() -> None:
    """As TOML."""
    for each in (BOTH, STORES):
        assert cube_from_toml(cube_toml(each)) == each
