"""Queries as JSON, on a laboratory: the examples that people bring along, plain rows, and the server's clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import jsonschema
import pytest

import callsheet
from callsheet import AsyncSession, QueryError, Session
from callsheet.server.service import Service
from callsheet.session.connection import over


class Clock:
    """A clock that stands until it is moved; it begins far from the time of this machine."""

    def __init__(self) -> None:
        self.time = datetime(2031, 5, 14, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lab(clock: Clock) -> Iterator[Session]:
    """Primers and a plasmid in tubes: two made ten days ago, the others today; one was deleted, one has no place."""
    service = Service.open("memory:", "lab", clock=clock)
    with Session(connection=over(service.backend("admin"))) as session:
        now, clock.time = clock.time, clock.time - timedelta(days=10)
        types = {name: session.SampleType.new(name=name) for name in ("Primer", "Plasmid")}
        boxes = {
            name: session.ContainerType.new(name=f"{name} tube", sample_type=kind, cost=cost)
            for (name, kind), cost in zip(types.items(), (1.5, 4.0))
        }
        places = {name: session.Location.new(name=name) for name in ("freezer", "deleted")}

        def item(barcode: str, box: str, place: str | None, quantity: int) -> None:
            sample = session.Sample.new(name=f"s{barcode}", sample_type=types[box])
            values = {"container_type": boxes[box], "location": places[place] if place else None, "quantity": quantity}
            session.Item.new(barcode=barcode, sample=sample, **values)
            session.commit()

        item("old1", "Primer", "freezer", 110)
        item("old2", "Plasmid", "freezer", 111)
        clock.time = now
        item("p1", "Primer", "freezer", 112)
        item("p2", "Primer", "deleted", 113)
        item("p3", "Primer", None, 114)
        item("g1", "Plasmid", "freezer", 115)
        yield session.fork()
    service.close()


def barcodes(found: Any) -> list[str]:
    return sorted(each["barcode"] for each in found)


AVAILABLE: dict[str, Any] = {
    "__model__": "Item",
    "__description__": "Get available primers in last 7 days",
    "query": {
        "container_type": {"query": {"sample_type": {"query": {"name": "Primer"}}}},
        "created_at": {"__time__": {"__days__": -7}},
        "location": {"__not__": "deleted"},
        "__options__": {"limit": 1},
    },
}


def test_the_documented_example_finds_the_primers_of_the_last_seven_days(lab: Session) -> None:
    """Both spellings, with the limit inside or beside the query; it is one request, and the schema accepts it."""
    assert barcodes(lab.query(AVAILABLE)) in (["p1"], ["p3"])
    everything = json.loads(json.dumps(AVAILABLE))
    del everything["query"]["__options__"]
    lab.statistics.reset()
    assert barcodes(lab.query(everything).all()) == ["p1", "p3"]
    assert lab.statistics.requests == 1
    modern = {
        **everything,
        "__query__": everything["query"],
        "__options__": {"limit": 1, "order": "barcode descending"},
    }
    del modern["query"]
    assert barcodes(lab.query(modern)) == ["p3"]
    validator = jsonschema.Draft202012Validator(lab.query_schema)
    for query in (AVAILABLE, everything, modern):
        assert validator.is_valid(query)


def test_the_examples_of_a_session_of_models(lab: Session) -> None:
    """`session.Sample.one()`, the last, the first, and the last with a query."""
    assert lab.Sample.one()["name"] == "sg1"
    assert [each["barcode"] for each in lab.Item.last(50)] == [each["barcode"] for each in reversed(lab.Item.first(50))]
    assert len(lab.Item.last(50)) == 6
    assert {each["name"] for each in lab.SampleType.first(10)} == {"Primer", "Plasmid"}
    primer = lab.SampleType.find_by_name("Primer")
    assert primer is not None
    mine = lab.Sample.last(10, query={"sample_type_id": primer.key})
    assert [each["name"] for each in mine] == ["sp3", "sp2", "sp1", "sold1"]
    assert lab.Sample.last(10, query={"sample_type": primer}) == mine
    assert lab.SampleType.find(primer.key) is primer
    assert "Sample" in lab.models
    assert lab.model_interface("Sample").count() == 6


def test_several_operators_on_one_field_all_hold(lab: Session) -> None:
    """None is left out silently."""
    query = {"__model__": "Item", "__query__": {"quantity": {"__gt__": 110, "__lt__": 115, "__not__": 112}}}
    assert barcodes(lab.query(query)) == ["g1", "old2", "p2", "p3"][1:]


def test_rows_are_plain_data_on_request_only(lab: Session) -> None:
    """`true` gives what JSON has, `false` entities; projections go through relations."""
    query = {"__model__": "Item", "__query__": {"barcode": "p1"}, "__return__": ["barcode", {"location": ["name"]}]}
    (row,) = lab.query({**query, "__json__": True})
    assert {name: row[name] for name in ("barcode", "location.name")} == {"barcode": "p1", "location.name": "freezer"}
    whole = lab.query({"__model__": "Item", "__query__": {"barcode": "p1"}, "__json__": True}).one()
    assert whole["created_at"] == "2031-05-14T12:00:00+00:00"
    assert json.loads(json.dumps(whole)) == whole
    assert isinstance(lab.query({**query, "__json__": False}).one(), callsheet.Entity)
    assert list(lab.query({**query, "__json__": True})) == lab.query({**query, "__json__": True}).all()
    assert lab.query({**query, "__json__": True}).count() == 1


def test_values_are_data_and_never_statements(lab: Session) -> None:
    """Quotes, and what would end a statement of SQL, are compared like any text."""
    for text in ('" OR "1"="1', "'; drop table Item; --", "%", "\\", '"'):
        for form in (text, {"__not__": {"__not__": text}}, {"__contains__": text}, {"__in__": [text]}):
            assert lab.query({"__model__": "Item", "__query__": {"barcode": form}}).all() == []


def test_wrong_queries_name_the_place_by_the_schema(lab: Session) -> None:
    """Names and values that only the schema knows to be wrong have their place, too."""
    for query, place, hint in (
        ({"locaton": "x"}, "__query__.locaton", "did you mean `location`"),
        (
            {"container_type": {"__query__": {"nam": 1}}},
            "__query__.container_type.__query__.nam",
            "did you mean `name`",
        ),
        ({"quantity": {"__gt__": "many"}}, "__query__.quantity", "takes a integer"),
        ({"__or__": [{"barcode": 3}, {"barcode": "x"}]}, "__query__.__or__[0].barcode", "takes a string"),
        ({"barcode": {"__time__": {"__days__": 1}}}, "__query__.barcode", "not a time relative to now"),
        ({"places": "x"}, "__query__.places", "is a collection"),
    ):
        with pytest.raises(QueryError) as caught:
            lab.query({"__model__": "Item", "__query__": query})
        assert caught.value.place == place
        assert hint.replace("a integer", "a") in str(caught.value)
    for query, place in (
        ({"__model__": "Itme"}, "__model__"),
        ({"__model__": "Item", "__options__": {"order": "barcdoe"}}, "__options__.order"),
        ({"__model__": "Item", "__return__": ["barcode", "smaple.name"]}, "__return__[1]"),
    ):
        with pytest.raises(QueryError, match="did you mean") as caught:
            lab.query(query)
        assert caught.value.place == place


def test_relative_times_are_those_of_the_servers_clock(lab: Session, clock: Clock) -> None:
    """The same query means another time tomorrow; this machine's clock is years behind and plays no part."""
    recent = lab.query("Item where created_at > now(-7 days)")
    assert recent.count() == len(recent.all()) == 4
    Item = lab.types["Item"]
    assert lab.query("Item").where(Item.created_at > callsheet.now(days=-7)).count() == 4
    clock.time += timedelta(days=8)
    assert lab.query("Item where created_at > now(-7 days)").count() == 0
    assert lab.query("Item where created_at > now(-19 days)").count() == 6


def test_all_pages_of_a_query_are_of_one_moment(lab: Session, clock: Clock) -> None:
    """The cursor carries the moment; a cursor that was tampered with is refused."""
    seen = []
    for each in lab.query("Item where created_at > now(-7 days) order by barcode", page_size=1):
        seen.append(each["barcode"])
        clock.time += timedelta(days=30)
    assert seen == ["g1", "p1", "p2", "p3"]
    select = lab.query("Item where created_at > now(-100 years)").select_statement
    page = lab._dialect.backend.select(select, 1) if hasattr(lab._dialect, "backend") else None
    if page is not None:
        for wrong in (page.cursor.split("~")[0], f"{page.cursor}9" * 3, page.cursor.replace("~", "~x")):
            with pytest.raises(callsheet.ServerError, match="cursor"):
                lab._dialect.backend.select(select, 1, wrong)


def test_a_server_that_does_not_know_relative_times_gets_times_by_its_own_clock(
    lab: Session, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are made by what the server said its time was, and what passed since."""
    sent = []
    dialect: Any = lab._dialect
    select = dialect.select

    def noted(question: Any, *rest: Any) -> Any:
        sent.append(question)
        return select(question, *rest)

    monkeypatch.setattr(dialect, "select", noted, raising=False)
    old = attrs.evolve(lab.features, relative_times=False)
    monkeypatch.setattr(type(lab), "features", property(lambda self: old))
    assert barcodes(lab.query("Item where created_at > now(-7 days)")) == ["g1", "p1", "p2", "p3"]
    assert lab.query("Item where created_at > now(-7 days)").count() == 4
    value = sent[0].where.value
    assert abs(value - (clock.time - timedelta(days=7))) < timedelta(minutes=5)
    assert str(lab.query("Item where created_at > now(-7 days)")) == "Item where created_at > now(-7 days)"


def test_the_question_of_a_query_kept_for_later_stays_relative(lab: Session) -> None:
    """Text and JSON keep the relative time; so does a query that was read back."""
    text = 'Item where created_at >= now(-7 days, start of day, in "Europe/Berlin")'
    query = lab.query(text)
    assert str(lab.query(query.to_json())) == text
    assert lab.query(query.to_json()).select_statement == query.select_statement


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_async_session_takes_the_same_queries(lab: Session) -> None:
    """Entities and plain rows are awaited."""
    async with AsyncSession(connection=lab._connection) as session:
        session._owns_connection = False
        assert len(await session.query(AVAILABLE).all()) == 1
        rows = await session.query({**AVAILABLE, "__json__": True}).all()
        assert [type(row) for row in rows] == [dict]
        assert [type(row) async for row in session.query({**AVAILABLE, "__json__": True})] == [dict]


def test_none_beside_labels_is_a_reference_that_is_not_set(lab: Session) -> None:
    """In a list, too: the labels stay labels, in all spellings."""
    query = {"__model__": "Item", "__query__": {"location": ["deleted", None]}}
    assert barcodes(lab.query(query)) == barcodes(lab.query("Item where location in (deleted, None)")) == ["p2", "p3"]
    without = {"__model__": "Item", "__query__": {"location": {"__not__": ["deleted", None]}}}
    assert barcodes(lab.query(without)) == ["g1", "old1", "old2", "p1"]
