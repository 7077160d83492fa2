"""`session.Sample`: the verbs of one entity type, by its name, on a laboratory."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from callsheet import AsyncSession, Session, TypeAccessor, UsageError
from callsheet.errors import MultipleResults, QueryError, SchemaError, StateError, UnknownAttribute, UnknownType
from callsheet.session.connection import over
from callsheet.testing import memory_service


@pytest.fixture
def lab(lab_session: Session) -> Session:
    """A laboratory with two types of sample, five primers and a plasmid, made one after another."""
    session = lab_session
    primer = session.create("SampleType", {"name": "Primer"})
    plasmid = session.create("SampleType", {"name": "Plasmid"})
    for number in range(1, 6):
        session.create(
            "Sample", {"name": f"P{number}", "sample_type": primer, "project": "odd" if number % 2 else "even"}
        )
        session.commit()
    session.create("Sample", {"name": "pGFP 50%_x", "sample_type": plasmid})
    session.commit()
    return session.fork()


def names(found: Any) -> list[str]:
    return [each["name"] for each in found]


def test_every_type_of_the_schema_is_a_name_of_the_session(lab: Session) -> None:
    """`session.Sample` and `session["Sample"]` are the verbs of the type; `types["Sample"]` stays its class."""
    assert isinstance(lab.Sample, TypeAccessor)
    assert repr(lab["Sample"]) == repr(lab.model_interface("Sample")) == repr(lab.Sample) == "<TypeAccessor Sample>"
    assert isinstance(lab.types["Sample"], type)
    assert lab.Sample.model is lab.types["Sample"]
    assert lab.models == list(lab.schema.types)
    assert {"Sample", "Item", "query"} <= set(dir(lab))
    assert "Sample" in lab._ipython_key_completions_()
    assert {"last", "name", "sample_type", "sample_type_id"} <= set(dir(lab.Sample))
    assert names(lab.query(lab.Sample).order_by("name").limit(1)) == ["P1"]
    assert names([lab.create(lab.Sample, {"name": "made", "sample_type": None})]) == ["made"]


def test_the_oldest_and_the_newest_are_lists_in_a_defined_order(lab: Session) -> None:
    """`first` is by time of creation, then key; `last` is its exact reverse."""
    assert names(lab.Sample.first(2)) == ["P1", "P2"]
    assert names(lab.Sample.last(3)) == ["pGFP 50%_x", "P5", "P4"]
    assert names(lab.Sample.first()) == ["P1"]
    assert lab.Sample.first(0) == []
    assert (
        names(lab.Sample.first(99))
        == names(lab.Sample.last(99))[::-1]
        == [*(f"P{n}" for n in range(1, 6)), "pGFP 50%_x"]
    )
    assert names(lab.Sample.last(10, query={"project": "odd"})) == ["P5", "P3", "P1"]
    assert names(lab.Sample.last(1, query="name like 'P%' and project is even")) == ["P4"]


def test_ties_of_time_are_ordered_by_key(lab_session: Session) -> None:
    """Entities of one commit have one time of creation; both directions still are exact reverses."""
    kind = lab_session.create("SampleType", {"name": "Primer"})
    for number in range(20):
        lab_session.create("Sample", {"name": f"s{number}", "sample_type": kind})
    lab_session.commit()
    keys = [each.key for each in lab_session.Sample.all()]
    assert [each.key for each in lab_session.Sample.first(20)] == sorted(keys)
    assert [each.key for each in lab_session.Sample.last(20)] == sorted(keys, reverse=True)
    assert [each.key for each in lab_session.Sample.last(7)] == sorted(keys, reverse=True)[:7]


def test_one_is_the_newest_or_none(lab: Session) -> None:
    """Of any number of them; `session.query(…).one()` is the strict one."""
    assert lab.Sample.one()["name"] == "pGFP 50%_x"
    assert lab.Sample.one(first=True)["name"] == "P1"
    assert lab.Sample.one({"project": "even"})["name"] == "P4"
    assert lab.Sample.one({"project": "none such"}) is None
    with pytest.raises(MultipleResults):
        lab.query("Sample").one()


def test_find_keeps_the_order_and_the_places_of_keys(lab: Session) -> None:
    """One key gives the entity or None; several give a list as long as theirs, by one request."""
    keys = [each.key for each in lab.fork().Sample.first(4)]
    unknown = "00000000-0000-0000-0000-000000000000"
    assert lab.Sample.find(keys[0])["name"] == "P1"
    assert lab.Sample.find(unknown) is None
    lab.statistics.reset()
    found = lab.Sample.find([keys[3], unknown, keys[0], keys[3]])
    assert [each and each["name"] for each in found] == ["P4", None, "P1", "P4"]
    assert lab.statistics.requests == 1
    assert lab.Sample.find([]) == []
    assert names(lab.Sample.find(key for key in keys[:2])) == ["P1", "P2"]
    for wrong in (None, 0, [0], 1.5):
        with pytest.raises(UsageError, match=r"key|takes a string"):
            lab.Sample.find(wrong)


def test_find_by_name_finds_one_none_or_says_that_there_are_several(lab: Session) -> None:
    """A blank name is no name; a type without a `name` is searched by its label."""
    assert lab.Sample.find_by_name("P3")["project"] == "odd"
    assert lab.Sample.find_by_name("P33") is None
    assert lab.Sample.find_by_name("  ") is None
    with pytest.raises(UsageError, match="needs a text, not None"):
        lab.Sample.find_by_name(None)
    tube = lab.ContainerType.new(name="Tube")
    lab.Item.new(container_type=tube, barcode="7")
    for _ in range(2):
        lab.Plan.new(name="twice")
    lab.commit()
    assert lab.Item.find_by_name("7")["container_type"]["name"] == "Tube"
    with pytest.raises(MultipleResults, match="several have this name"):
        lab.Plan.find_by_name("twice")
    with pytest.raises(UsageError, match="a Part has no name"):
        lab.Part.find_by_name("x")


def test_where_gives_a_query_to_go_on_with(lab: Session) -> None:
    """A mapping, a text, an expression, keywords; it is lazy, and is refined like every query."""
    lab.statistics.reset()
    query = lab.Sample.where({"project": ["odd", None]}).order_by("name descending")
    assert lab.statistics.requests == 0
    assert names(query) == ["pGFP 50%_x", "P5", "P3", "P1"]
    assert len(query) == 4
    assert names(lab.Sample.where(lab.Sample.name > "P3", project="odd")) == ["P5"]
    assert names(lab.Sample.where("sample_type is Plasmid")) == ["pGFP 50%_x"]
    assert lab.Sample.where().count() == lab.Sample.where({}).count() == 6
    with pytest.raises(QueryError, match="did you mean `project`"):
        lab.Sample.where({"projekt": "odd"})
    with pytest.raises(QueryError, match="did you mean `project`"):
        lab.Sample.last(3, query={"projekt": "odd"})


def test_numbers_pages_and_all(lab: Session) -> None:
    """`count`, `exists`, `all`, `paginate`: pages are fetched one by one, and none is larger than it should be."""
    assert (lab.Sample.count(), lab.Sample.count({"project": "odd"})) == (6, 3)
    assert (lab.Sample.exists(), lab.Sample.exists({"name": "P9"})) == (True, False)
    assert len(lab.Sample.all()) == 6
    lab.statistics.reset()
    pages = lab.Sample.paginate(4)
    assert names(next(pages)) == ["P1", "P2", "P3", "P4"]
    assert lab.statistics.requests == 1
    assert [names(page) for page in pages] == [["P5", "pGFP 50%_x"]]
    assert [len(page) for page in lab.Sample.paginate(2, {"project": "odd"})] == [2, 1]
    assert list(lab.Sample.paginate(2, {"name": "P9"})) == []
    for wrong in (0, -1, True, "3"):
        with pytest.raises(UsageError, match=r"page has at least one|paginate takes a whole number"):
            next(lab.Sample.paginate(wrong))


def test_random_ones_are_different_and_of_the_set(lab: Session) -> None:
    """So many of those that fulfil the query, none twice; every one of them comes up in the end."""
    seen = set()
    for _ in range(40):
        chosen = names(lab.Sample.random(2, {"project": "odd"}))
        assert len(set(chosen)) == 2
        seen.update(chosen)
    assert seen == {"P1", "P3", "P5"}
    assert sorted(names(lab.Sample.random(99))) == sorted(names(lab.Sample.all()))
    assert lab.Sample.random(0) == []


def test_new_and_upsert_record_and_do_not_send(lab: Session) -> None:
    """`new` creates; `upsert` finds by what is unique and brings up to date, or creates."""
    primer = lab.SampleType.find_by_name("Primer")
    lab.statistics.reset()
    new = lab.Sample.new(name="P6", sample_type=primer)
    assert lab.created == [new]
    called = lab.Sample({"name": "P7"}, sample_type=primer)
    assert lab.statistics.requests == 0
    assert lab.Sample.upsert(name="P6", project="late") is new
    changed = lab.Sample.upsert({"name": "P1"}, project="late")
    assert (changed.state, changed["project"]) == ("modified", "late")
    lab.commit()
    assert lab.Sample.count({"project": "late"}) == 2
    assert called.state == "clean"
    with pytest.raises(UnknownAttribute, match="did you mean `name`"):
        lab.Sample.new(nmae="x")


def test_attributes_of_the_schema_win_over_verbs() -> None:
    """`session.Race.first` is the attribute of that name; every attribute is reached by its name in brackets."""
    text = {"type": "string"}
    schema = {"types": {"Race": {"attributes": {"name": text, "first": text, "run": text}}, "query": {}}}
    with Session("memory:", schema=schema) as session:
        session.Race.new(name="a", first="anna", run="r")
        session.commit()
        found = session.Race.where(session.Race.first == "anna", session.Race["run"] == "r")
        assert names(found) == ["a"]
        assert names(session.Race.last(1)) == ["a"]
        assert callable(session.query), "the session's own names win over types"
        assert repr(session["query"]) == "<TypeAccessor query>"
        assert session["query"].count() == 0


def test_a_wrong_name_says_what_was_meant(lab: Session) -> None:
    """Misspelt types, verbs at the wrong place, misspelt verbs and attributes; each is an AttributeError."""
    with pytest.raises(UnknownType, match="did you mean `Sample"):
        lab.Sampel  # noqa: B018
    with pytest.raises(UnknownType, match="did you mean `commit"):
        lab.comit()
    with pytest.raises(UnknownType, match=r"its types have: `session\.\w+\.find`"):
        lab.find(3)
    with pytest.raises(UnknownAttribute, match="did you mean `name`"):
        lab.Sample.nmae  # noqa: B018
    with pytest.raises(UnknownAttribute, match="did you mean `find_by_name`"):
        lab.Sample.find_by_nam("x")
    with pytest.raises(SchemaError, match="did you mean `Sample`"):
        lab["Sampel"]
    with pytest.raises(UsageError, match="by its name or its class, not by 0"):
        list(lab)  # type: ignore[call-overload]
    assert not hasattr(lab, "Sampel")
    assert not hasattr(lab.Sample, "nmae")


def test_looking_at_a_session_asks_no_network(lab_service: Any) -> None:
    """Names with an underscore, copies and pickles do not open a session; the first type does."""
    session = Session(connection=over(lab_service.backend("admin")))
    assert "Sample" not in dir(session)
    assert not hasattr(session, "_repr_latex_")
    assert not hasattr(session, "__array__")
    assert session._ipython_key_completions_() == []
    hollow = object.__new__(Session)
    assert not hasattr(hollow, "Sample")
    for refused in (copy.copy, pickle.dumps):
        with pytest.raises(UsageError, match="a session is not pickled or copied"):
            refused(session)
    assert session.statistics.requests == 0
    assert session.Sample.count() == 0
    assert "Sample" in dir(session)
    session.close()


def test_the_error_of_a_property_is_its_own(lab: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """An AttributeError inside a property of the session is not disguised as an unknown type."""

    def broken(self: Session) -> Any:
        return self.journal.nothing_of_this_name

    monkeypatch.setattr(Session, "models", property(broken))
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        lab.models  # noqa: B018


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_verbs_are_awaited_in_an_async_session(lab: Session, lab_service: Any) -> None:
    """With the same results; before it is open, an accessor's name says what to await."""
    session = AsyncSession(connection=over(lab_service.backend("admin")))
    with pytest.raises(UnknownType, match=r"await session\.open\(\)") as caught:
        session.Sample  # noqa: B018
    assert isinstance(caught.value.__cause__, StateError)
    async with session:
        assert names(await session.Sample.last(2)) == ["pGFP 50%_x", "P5"]
        assert (await session.Sample.one())["name"] == "pGFP 50%_x"
        assert names(await session.Sample.where({"project": "even"}).all()) == ["P2", "P4"]
        assert [names(page) async for page in session.Sample.paginate(5)] == [
            ["P1", "P2", "P3", "P4", "P5"],
            ["pGFP 50%_x"],
        ]
        assert await session.Sample.count() == 6
        assert len(await session.Sample.random(3)) == 3
        assert session.Sample.new(name="P8").state == "created"
        (found, missing) = await session.Sample.find([(await session.Sample.one()).key, "none"])
        assert (found["name"], missing) == ("pGFP 50%_x", None)


def test_texts_are_escaped(lab: Session) -> None:
    """`contains`, `starts_with`, `ends_with` mean their text; `matches` knows one wildcard."""
    name = lab.Sample.name
    assert names(lab.Sample.where(name.contains("%_"))) == ["pGFP 50%_x"]
    assert names(lab.Sample.where(name.contains("5")).order_by("name")) == ["P5", "pGFP 50%_x"]
    assert names(lab.Sample.where(name.startswith("pg"))) == ["pGFP 50%_x"]
    assert names(lab.Sample.where(name.starts_with("%"))) == []
    assert names(lab.Sample.where(name.endswith("%_X"))) == ["pGFP 50%_x"]
    assert names(lab.Sample.where(name.matches("pGFP*%_x"))) == ["pGFP 50%_x"]
    assert names(lab.Sample.where(name.matches("P%"))) == []
    with pytest.raises(UsageError, match=r"`\?` is no wildcard here"):
        name.matches("P?")
    with pytest.raises(UsageError, match="made of text, not of"):
        name.contains(3)


@pytest.fixture
def lab_service() -> Iterator[Any]:
    """An empty laboratory's server, in this process."""
    service = memory_service("lab")
    yield service
    service.close()


@pytest.fixture
def lab_session(lab_service: Any) -> Iterator[Session]:
    """A session on an empty laboratory."""
    with Session(connection=over(lab_service.backend("admin"))) as session:
        yield session
