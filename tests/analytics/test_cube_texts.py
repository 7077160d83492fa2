"""A cube's text is read back as an equal cube, and faults are named with their line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_live_cubes import fill

from callsheet import Session, measures
from callsheet.analytics.cube_text import cube_from_toml, cube_toml
from callsheet.errors import UsageError
from callsheet.model.cube import CubeDefinition, CubeFormula, CubeHierarchy, CubeLevel, CubeMeasure
from callsheet.model.language.parser import parse_condition, parse_path
from callsheet.model.measure import BANDS
from callsheet.model.named import NamedMeasure

ODD = ["Bid", "Sum(bid)", "a b", "x]y", "is", "[Measures].[A]", "q\"uo'te", "ü 😀", "a.b", "# no", "a = b"]
ANY = st.characters(blacklist_categories=("Cs", "Cc"))
NAMES = st.sampled_from(ODD) | st.text(ANY, min_size=1, max_size=8).filter(lambda name: name.strip() == name)
TEXTS = st.one_of(st.just(""), st.text(st.characters(blacklist_categories=("Cs",)), max_size=20))
PATHS = st.sampled_from(["name", "parent[Shot].name", 'metadata."frame rate"', "context[Task].parent.name"]).map(
    parse_path
)
MEASURES = st.recursive(
    st.one_of(
        st.sampled_from(["count", "sum(bid)", "quantile(bid, 0.123456789)", "sum(context.bid, repeated)"]).map(
            measures.measure
        ),
        NAMES.map(NamedMeasure),
        st.just(measures.total("bid", where='name in ("a)", "b") and bid > 3')),
        st.just(measures.total("bid", table="Task")),
    ),
    lambda part: st.one_of(
        st.tuples(part, part, st.sampled_from("+-*/")).map(
            lambda t: {"+": t[0] + t[1], "-": t[0] - t[1], "*": t[0] * t[1], "/": t[0] / t[1]}[t[2]]
        ),
        st.tuples(part, st.floats(-1e6, 1e6)).map(lambda t: t[0] * t[1]),
        part.map(lambda of: measures.share(of, "parent.name")),
        part.map(lambda of: measures.moving(of, "month(due_date)", 3)),
    ),
    max_leaves=4,
)
LEVELS = st.builds(
    CubeLevel,
    NAMES,
    st.just("due_date"),
    caption=st.none() | PATHS,
    order=st.none() | PATHS,
    properties=st.dictionaries(NAMES, PATHS, max_size=2),
    unique=st.booleans(),
    band=st.none() | st.sampled_from(BANDS),
    description=TEXTS,
)
HIERARCHIES = st.builds(
    CubeHierarchy,
    NAMES,
    st.lists(LEVELS, min_size=1, max_size=3, unique_by=lambda level: level.name),
    all_name=st.none() | NAMES,
    dimension=st.just("") | NAMES,
    default=st.none() | st.lists(st.none() | st.text(max_size=3) | st.integers(0, 9), max_size=2).map(tuple),
    time=st.booleans(),
    folder=TEXTS,
    description=TEXTS,
)
CUBES = st.builds(
    CubeDefinition,
    NAMES,
    st.just("Task"),
    st.lists(HIERARCHIES, max_size=2, unique_by=lambda each: each.name),
    st.lists(
        st.builds(CubeMeasure, NAMES, MEASURES, st.sampled_from(["Standard", "0.0%", "", '"x";(0)']), TEXTS, TEXTS),
        max_size=3,
        unique_by=lambda each: each.name,
    ),
    st.lists(
        st.builds(CubeFormula, NAMES, NAMES, TEXTS, st.integers(0, 9)), max_size=2, unique_by=lambda each: each.name
    ),
    st.none() | st.just(parse_condition("bid > 3 and not name like 'a%'")),
    TEXTS,
    TEXTS,
    st.sampled_from([(), {"Shot": {"parent.name": "name"}}]),
)


@given(CUBES)
@settings(max_examples=60, deadline=None)
def test_the_text_of_a_cube_is_read_back(cube: CubeDefinition) -> None:
    """Whatever it is called and made of."""
    assert cube_from_toml(cube_toml(cube)) == cube


@given(
    st.one_of(
        st.text(max_size=60), st.sampled_from(["name", "table", "measures", "[a]", "\n", "="]).map(lambda t: t * 5)
    )
)
@settings(max_examples=60, deadline=None)
def test_any_text_is_a_cube_or_an_error(text: str) -> None:
    """Nothing else comes of it."""
    with pytest.raises(UsageError):
        cube_from_toml(text)


HEAD = 'name = "x"\ntable = "Task"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + '\n[measures.A]\nis = "sum(bid"\n', "line 5: expected `)`"),
        (HEAD + '[measures."B = c"]\nis = "count"\nformt = "0"', "line 3: the measure `B = c` has no `formt`"),
        (HEAD + "mesures = 1", "line 1: a cube has no `mesures`; did you mean `measures`"),
        (HEAD + '[hierarchies.T.levels]\nA = "name"\n"B c" = "mnth(name)"', "line 5: there is no band `mnth`"),
        (HEAD + "[hierarchies.T]\nall = 3", "line 4: `all` is a name, or false"),
        (HEAD + 'filter = "bid >"', "line 3: "),
        (HEAD + "[measures.A]\n", "line 3: `is` is missing"),
        ('name = "x"', "line 1: `table` is missing"),
        (HEAD + "x = ", "this is no TOML"),
    ],
)
def test_faults_have_lines(text: str, message: str) -> None:
    """The line of the key, or of the nearest header."""
    with pytest.raises(UsageError) as error:
        cube_from_toml(text)
    assert message in str(error.value)


def test_a_session_reads_texts() -> None:
    """A cube of a text is like any other; a changed text records what differs."""
    with Session("memory:") as session:
        fill(session)
        cube = session.create_cube("Timelog", "Hours")
        cube.measures["Hours"] = "sum(duration) / 3600"
        session.commit()
        text = cube.to_toml()
        with pytest.raises(UsageError, match="`replace=True` makes it equal"):
            session.create_cube_from_toml(text)
        assert session.create_cube_from_toml(text, replace=True) is cube
        assert session.pending == ()
        session.create_cube_from_toml(text.replace("/ 3600", "/ 60"), replace=True)
        assert [each.values for each in session.pending] == [{"definition": "sum(duration) / 60"}]  # type: ignore[union-attr]
        other: Any = session.create_cube_from_toml(text.replace('"Hours"', '"More"'), keep=False)
        assert other.query("Hours")[0]["Hours"] == 24.0
        for wrong in ("sum(duratoin)", "[Hors]"):
            with pytest.raises(UsageError, match=r"Hors|duratoin"):
                session.create_cube_from_toml(HEAD.replace("Task", "Timelog") + f'[measures.A]\nis = "{wrong}"')


def test_a_second_table_and_members_without_facts() -> None:
    """A plan of tasks that nobody worked on stands beside the hours; members without hours are shown."""
    with Session("memory:") as session:
        fill(session)
        shot = session.query("Shot").first()
        session.create("Task", {"name": "extra", "parent": shot, "bid": 100 * 3600.0})
        session.commit()
        cube = session.create_cube("Timelog", "Hours")
        cube.share("Task", {"Project": "project.name", "Sequence": "parent[Shot].parent[Sequence].name"})
        cube.measures["Hours"] = "sum(duration) / 3600"
        cube.measures["Plan"] = measures.total("bid", table="Task") / 3600
        frame = cube.query("Hours", "Plan", levels=["Sequence"], totals=[[]])
        assert sorted(frame["Plan"]) == [24.0, 124.0, 148.0]
        tasks = cube.query("Hours", levels=["Task"], include_empty_rows=True)
        assert [row["Hours"] for row in tasks if row["Task"] == "extra"] == [0.0]
        session.commit()
        assert session.cubes["Hours"].definition.shared == cube.definition.shared != ()
        cube.share("Task", {})
        assert cube.definition.shared == ()
