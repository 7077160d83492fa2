"""Client after server is identity: what goes through both halves is what the store says without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import Session
from callsheet.errors import QueryError
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Path
from callsheet.testing import memory_service, session_on
from dialects.embedded import Direct, session_over

NAMES = ["a", "b", 'say "c"', "it's", "d\\e", "f%g", "_", "None", "ž", "both ' and \"", ""]
NUMBERS = [None, 0.0, 1.0, 2.5, -3.0]
EXAMPLES = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def service() -> Iterator[Any]:
    """A service with shots and tasks of all these names and numbers."""
    service = memory_service()
    with session_on(service) as session:
        project = session.create("Project", {"name": "p"})
        tags = [session.create("Tag", {"name": name}) for name in NAMES[:3]]
        for place, name in enumerate(NAMES):
            shot = session.create("Shot", {"name": name, "parent": project, "fstart": place % 3 or None})
            for number, bid in enumerate(NUMBERS[: place % 6]):
                data = {"name": f"{name}{number}", "parent": shot, "bid": bid, "description": name if number else None}
                task = session.create("Task", {**data, "tags": tags[: number % 4]})
                if number:
                    shot["metadata"][f"k{number}"] = name
                    task["metadata"]["k"] = name
            session.create("Task", {"name": f"{name} alone", "parent": project})
        session.create("Shot", {"name": "box", "parent": project})
        session.commit()
    yield service
    service.close()


@pytest.fixture(scope="module")
def plain(service: Any) -> Iterator[Session]:
    with session_on(service) as session:
        yield session


@pytest.fixture(scope="module")
def through(service: Any) -> Iterator[Session]:
    with session_over(Direct(service)) as session:
        yield session


def comparison(path: str, operators: list[str], values: list[Any]) -> st.SearchStrategy[Condition]:
    """Comparisons of one path."""
    one = st.builds(Comparison, st.just(Path.of(path)), st.sampled_from(operators), st.sampled_from(values))
    several = st.lists(st.sampled_from([*values, None]), max_size=3).map(tuple)
    among = st.builds(Comparison, st.just(Path.of(path)), st.sampled_from(["in", "not_in"]), several)
    return st.one_of(one, among)


TEXTS = [*NAMES, "%e%", "a%"]
SAME = ["=", "!="]
ORDERED = [*SAME, "<", "<=", ">", ">="]
LIKE = ["like", "not_like"]
MEMBERS = comparison("name", SAME, NAMES)
LEAVES = st.one_of(
    comparison("name", ORDERED, NAMES),
    comparison("description", SAME, [*NAMES, None]),
    st.builds(Comparison, st.just(Path.of("description")), st.sampled_from(LIKE), st.sampled_from(["%a%", "a%", "%"])),
    comparison("bid", ORDERED, NUMBERS[1:]),
    comparison("bid", SAME, [None]),
    comparison("parent.name", SAME, NAMES),
    comparison("parent[Shot].fstart", SAME, [1, 2, None]),
    comparison("metadata.k", SAME, [*NAMES, None]),
    comparison("parent[Shot].metadata.k1", SAME, [*NAMES, None]),
    comparison("tags.name", SAME, NAMES),
    comparison("parent.children.name", SAME, NAMES),
    st.builds(Any_, st.just(Path.of("tags")), st.none() | MEMBERS, st.just("any")),
    st.builds(Any_, st.just(Path.of("parent")), st.none() | MEMBERS, st.just("has")),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@EXAMPLES
@given(condition=CONDITIONS)
def test_a_condition_selects_the_same(plain: Session, through: Session, condition: Condition) -> None:
    """Through both halves and without them, in the same order; or is refused before it is sent."""
    expected = [record["id"] for record in plain.query("select name from Task").where(condition).records()]
    try:
        found = [record["id"] for record in through.query("select name from Task").where(condition).records()]
    except QueryError:
        return
    assert found == expected


@EXAMPLES
@given(
    name=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20),
    bid=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    items=st.dictionaries(st.text("ab'\" \\%", min_size=1, max_size=4), st.text("xy'\"\\ ", max_size=4), max_size=3),
)
def test_values_come_back(
    plain: Session, through: Session, name: str, bid: float | None, items: dict[str, str]
) -> None:
    """As they went, created and updated, and are found by their name where a query can hold it."""
    name = normalize("NFC", name)  # Names are kept composed; tests/server/test_names.py has the others.
    box = through.query("Shot where name is box").one()
    task = through.create("Task", {"name": name, "parent": box, "bid": bid, "metadata": items})
    through.commit()
    found = plain.fork().get("Task", task.id)
    assert (found["name"], found["bid"], dict(found["metadata"])) == (name, bid, items)
    again = through.fork().get("Task", task.id)
    assert (again["name"], again["bid"], dict(again["metadata"])) == (name, bid, items)
    query = through.query("Task").where(name=name)
    if name.isprintable():
        assert task.id in [each.id for each in query]
    through.delete(task)
    through.commit()
