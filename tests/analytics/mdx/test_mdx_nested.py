"""Hierarchies whose members are below each other, and those that leave members out, add up as their trees do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import Session
from callsheet.analytics.cube_text import cube_from_toml, cube_toml
from callsheet.errors import UsageError
from callsheet.measures import count, distinct, total
from callsheet.model.cube import CubeDefinition, CubeHierarchy, CubeLevel, CubeMeasure

PAY = CubeDefinition(
    "Pay",
    "pay",
    [
        CubeHierarchy(
            "People",
            [CubeLevel("Person", "person.person_id", "person.name", parent="person.boss")],
            all_name="Everybody",
        ),
        CubeHierarchy(
            "Place",
            [
                CubeLevel("Country", "person.country", unique=True),
                CubeLevel("State", "person.state", hidden="parent"),
                CubeLevel("City", "person.city", hidden="blank"),
                CubeLevel("Street", "person.street"),
            ],
        ),
    ],
    [CubeMeasure("Paid", total("amount")), CubeMeasure("Slips", count()), CubeMeasure("Kinds", distinct("kind"))],
)
PLACES = [("US", "CA", "LA", "1st"), ("US", "WA", "Yakima", "2nd"), ("Israel", "Israel", "Haifa", "3rd"),
          ("Vatican", "Vatican", "", "4th"), ("Israel", "Israel", "Tel Aviv", "5th")]  # fmt: skip
BOSSES = [0, 1, 1, 2, 2, 5, 0, 7]


def opened(folder: Path, bosses: list[int], slips: list[tuple[int, int, str]]) -> Session:
    """People, numbered from 1, with the numbers of those above them; and what they were paid."""
    people = ["person_id,name,boss,country,state,city,street"]
    people += [f"{n},P{n},{boss},{','.join(PLACES[n % len(PLACES)])}" for n, boss in enumerate(bosses, 1)]
    (folder / "person.csv").write_text("\n".join(people), encoding="utf-8")
    rows = [f"{person},{amount},{kind}" for person, amount, kind in slips]
    (folder / "pay.csv").write_text("\n".join(["person_id,amount,kind", *rows]), encoding="utf-8")
    session = Session("memory:")
    person = session.read_csv(folder / "person.csv", keys=["person_id"])
    session.read_csv(folder / "pay.csv").join(person)
    session.cubes["Pay"] = PAY
    return session


def under(bosses: list[int], top: int) -> set[int]:
    """A person, and all below."""
    found = {top}
    while more := {n for n, boss in enumerate(bosses, 1) if boss in found} - found:
        found |= more
    return found


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Any:
    slips = [(n, 10 * n, "ab"[n % 2]) for n in range(1, 9)] + [(1, 5, "c"), (6, 7, "a")]
    with opened(tmp_path_factory.mktemp("pay"), BOSSES, slips) as made:
        yield made


def names(session: Session, expression: str) -> list[str]:
    """The members of a set."""
    found = session.query_mdx(f"select {{{expression}}} on 0 from Pay")
    return [position[0].unique_name for position in found.axes[0].positions]


def number(session: Session, member: str, measure: str = "Paid") -> Any:
    """The value of a measure for a member."""
    return session.query_mdx(f"select {member} on 0, [Measures].[{measure}] on 1 from Pay").cells[0].value


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_members_of_a_nested_level_add_up_what_is_below_them(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever the tree is, also for a distinct count; each member is in front of those below it."""
    size = data.draw(st.integers(1, 9))
    bosses = [data.draw(st.integers(0, n - 1)) for n in range(1, size + 1)]
    slip = st.tuples(st.integers(1, size), st.integers(1, 99), st.sampled_from("abc"))
    slips = data.draw(st.lists(slip, min_size=1, max_size=20))
    with opened(tmp_path, bosses, slips) as made:
        found = made.query_mdx("select Measures.members on 0, [People].[Person].members on 1 from Pay").to_rows()
    assert sorted(row["People"] for row in found) == sorted(f"P{n}" for n in range(1, size + 1))
    seen = []
    for row in found:
        person = int(row["People"][1:])
        own = [each for each in slips if each[0] in under(bosses, person)]
        assert (row["Paid"] or 0) == sum(each[1] for each in own)
        assert (row["Slips"] or 0) == len(own)
        assert (row["Kinds"] or 0) == len({each[2] for each in own})
        assert bosses[person - 1] == 0 or bosses[person - 1] in seen
        seen.append(person)


def test_a_nested_level_is_walked_by_its_members(session: Session) -> None:
    """Children, parents, ancestors, those at a distance, those of the level; the next one is at the same depth."""
    top = "[People].[P1]"
    assert names(session, f"{top}.children") == [f"{top}.[P2]", f"{top}.[P3]"]
    assert names(session, f"{top}.[P2].[P5].[P6].parent") == [f"{top}.[P2].[P5]"]
    assert names(session, f"Ancestor({top}.[P2].[P5], 2)") == [top]
    assert names(session, f"Descendants({top}, 2)") == [f"{top}.[P2].[P4]", f"{top}.[P2].[P5]"]
    assert names(session, f"Descendants({top}.[P2], [People].[Person])") == [
        f"{top}.[P2]", f"{top}.[P2].[P4]", f"{top}.[P2].[P5]", f"{top}.[P2].[P5].[P6]",
    ]  # fmt: skip
    assert names(session, f"Descendants({top}, , LEAVES)") == [
        f"{top}.[P2].[P4]", f"{top}.[P2].[P5].[P6]", f"{top}.[P3]",
    ]  # fmt: skip
    assert names(session, f"{top}.[P3].nextmember, {top}.nextmember") == ["[People].[P7].[P8]", "[People].[P7]"]
    assert names(session, f"DrilldownMember({{{top}}}, {{{top}}})") == [top, f"{top}.[P2]", f"{top}.[P3]"]


def test_a_data_member_has_its_own_facts_only(session: Session) -> None:
    """Of a leaf it is the member itself."""
    assert number(session, "[People].[P1]") == 10 + 20 + 30 + 40 + 50 + 60 + 5 + 7
    assert number(session, "[People].[P1].DataMember") == 15
    assert number(session, "[People].[P1].[P3].DataMember") == number(session, "[People].[P1].[P3]") == 30


def test_slicers_and_products_know_what_is_below(session: Session) -> None:
    """Members of which one covers the other count once."""
    query = "select [Measures].[Paid] on 0 from Pay where {[People].[P1].[P2], [People].[P1].[P2].[P5], [People].[P7]}"
    assert session.query_mdx(query).cells[0].value == 20 + 40 + 50 + 60 + 7 + 70 + 80
    rows = session.query_mdx(
        "select [Measures].[Paid] on 0, NonEmptyCrossJoin([Place].[Country].members, {[People].[P1], [People].[P7]}) "
        "on 1 from Pay"
    ).to_rows()
    assert {(row["Place"], row["People"]): row["Paid"] for row in rows} == {
        ("Israel", "P1"): 20 + 40, ("Israel", "P7"): 70, ("US", "P1"): 10 + 50 + 60 + 5 + 7, ("Vatican", "P1"): 30,
        ("Vatican", "P7"): 80,
    }  # fmt: skip


def test_hidden_members_leave_their_children_to_their_parent(session: Session) -> None:
    """Israel has no states, the Vatican neither states nor cities."""
    assert names(session, "[Place].[Israel].children") == ["[Place].[Israel].[Haifa]", "[Place].[Israel].[Tel Aviv]"]
    assert names(session, "[Place].[Vatican].children") == ["[Place].[Vatican].[4th]"]
    assert names(session, "[Place].[State].members") == ["[Place].[US].[CA]", "[Place].[US].[WA]"]
    assert names(session, "[Place].[Israel].[Haifa].parent") == ["[Place].[Israel]"]
    assert names(session, "[Place].[US].[CA].[LA].prevmember") == ["[Place].[Israel].[Tel Aviv]"]
    assert names(session, "[Place].[City].members") == [
        "[Place].[Israel].[Haifa]", "[Place].[Israel].[Tel Aviv]", "[Place].[US].[CA].[LA]",
        "[Place].[US].[WA].[Yakima]",
    ]  # fmt: skip
    assert number(session, "[Place].[Israel].[Haifa]") == 20 + 70
    assert number(session, "[Place].[Vatican].[4th]") == 30 + 80


def test_such_levels_are_written_and_read() -> None:
    """As TOML; a level below a nested one, and a wrong word, are refused."""
    assert cube_from_toml(cube_toml(PAY)) == PAY
    with pytest.raises(UsageError, match="the only one of its hierarchy `People`"):
        CubeHierarchy("People", [CubeLevel("A", "name"), CubeLevel("B", "name", parent="boss")])
    with pytest.raises(UsageError, match="`blank` or `parent`"):
        CubeLevel("A", "name", hidden="never")
