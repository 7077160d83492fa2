"""What is set is what is read again, of the same exact type, wherever the server is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.dialects.embedded import Direct, session_over
from tests.model.test_normalisation import DATA, KINDS, Colour, Nowhere, Word, exactly
from tests.server.databases import postgres_database

from callsheet import CommitError, Event, SchemaError, Session, serve
from callsheet.errors import Conflict, Invalid, UsageError
from callsheet.model.normalisation import normalised
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity, same
from callsheet.model.schema import Schema
from callsheet.testing import memory_service, session_on
from strategies import EXAMPLES

SCHEMA = {
    "name": "values",
    "types": {
        "Thing": {
            "attributes": {
                "name": {"type": "string"},
                "metadata": {"type": "mapping"},
                "other": {"type": "reference", "target": "Thing"},
                **{kind: {"type": kind} for kind in KINDS if kind != "enum"},
                "enum": {"type": "enum", "choices": ["red", "blue"]},
                "code": {"type": "string", "indexed": True},
                "label": {"type": "string", "unique": True},
            }
        },
        "Pair": {
            "unique": [["one", "two"]],
            "attributes": {"name": {"type": "string"}, "one": {"type": "string"}, "two": {"type": "string"}},
        },
    },
}
THING = Schema(SCHEMA).types["Thing"]
REFUSED = object()
BERLIN = ZoneInfo("Europe/Berlin")
Connect = Callable[[], Session]


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgres", "http", "ftrack"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Connect]]:
    """A server, and how to connect to it."""
    name = request.param
    if name == "http":
        with serve(SCHEMA) as server:
            yield name, partial(Session, server.url, "admin", server.admin_key, schema_cache=False)
    elif name == "sqlite":
        folder: Path = tmp_path_factory.mktemp("values")
        with Session(f"sqlite:///{folder}/values.db", schema=SCHEMA) as session:
            yield name, session.fork
    elif name == "postgres":
        with postgres_database() as url, Session(url, schema=SCHEMA) as session:
            yield name, session.fork
    else:
        service = memory_service(SCHEMA)
        yield name, partial(session_over, Direct(service)) if name == "ftrack" else partial(session_on, service)
        service.close()


def told(connect: Connect, kind: str, value: Any, born: bool) -> tuple[Any, Any]:
    """The value as the entity shows it when it is set, and as another session reads it after the commit."""
    with connect() as session:
        thing = session.create("Thing", {"name": "it", kind: value} if born else {"name": "it"})
        if not born:
            session.commit()
            thing[kind] = value
        shown = thing[kind]
        session.commit()
        key = thing.key
    with connect() as other:
        return shown, other.get("Thing", key)[kind]


def taken(kind: str, value: Any) -> Any:
    """The value as the attribute holds it, or `REFUSED`."""
    try:
        return normalised("Thing", THING.attributes[kind], value)
    except SchemaError:
        return REFUSED


def plainly(value: Any) -> Any:
    """JSON data as ordinary dicts and lists."""
    if isinstance(value, dict):
        return {key: plainly(item) for key, item in value.items()}
    return [plainly(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=25 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), value=DATA, born=st.booleans())
def test_a_value_that_is_taken_is_read_again(place: tuple[str, Connect], kind: str, value: Any, born: bool) -> None:
    """As it was shown when it was set; what is not taken is refused in that line."""
    name, connect = place
    # The vendor's wire does not say that a text is one of some choices.
    assume((name, kind) != ("ftrack", "enum"))
    held = taken(kind, value)
    if held is REFUSED:
        with connect() as session, pytest.raises(SchemaError, match=rf"Thing\.{kind}"):
            session.create("Thing", {kind: value})
        return
    if name == "ftrack" and isinstance(held, datetime):
        # This wire keeps whole seconds.
        value = held.replace(microsecond=0)
    shown, found = told(connect, kind, value, born)
    assert same(plainly(found), plainly(shown))
    assert exactly(plainly(found))


ODD: list[tuple[str, Any, Any]] = [
    ("string", Word("a"), "a"),
    ("string", np.str_("é"), "é"),
    ("string", float("nan"), None),
    ("integer", np.int64(7), 7),
    ("integer", 1001.0, 1001),
    ("number", np.float32(0.5), 0.5),
    ("number", Decimal("23.976"), 23.976),
    ("number", pd.NA, None),
    ("boolean", np.bool_(True), True),
    ("date", "2026-01-31", datetime(2026, 1, 31).date()),
    ("datetime", pd.Timestamp("2026-05-01 14:00", tz="Europe/Berlin"), datetime(2026, 5, 1, 12, tzinfo=UTC)),
    ("enum", Colour.RED, "red"),
    ("json", {"a": [np.float64(1.5), Word("b"), float("nan")]}, {"a": [1.5, "b", None]}),
]


@pytest.mark.parametrize("born", [True, False])
@pytest.mark.parametrize(("kind", "value", "expected"), ODD)
def test_values_of_others_go_in_as_they_are(
    place: tuple[str, Connect], kind: str, value: Any, expected: Any, born: bool
) -> None:
    """In a create and in an update; on every transport."""
    shown, found = told(place[1], kind, value, born)
    assert same(plainly(shown), expected)
    assert same(plainly(found), expected)


class Broken(tzinfo):
    """A zone that knows no answer."""


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("datetime", datetime(2026, 1, 1, tzinfo=Nowhere()), "with a time zone"),
        ("datetime", datetime(2026, 1, 1, tzinfo=Broken()), "with a time zone"),
        ("datetime", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "years 1 to 9999"),
        ("number", np.float64("inf"), "finite"),
        ("json", {"a": [{1: 2}]}, r"Thing.json\['a'\]\[0\]"),
        ("metadata", {np.int64(1): "x"}, "as its key"),
        ("metadata", {"x" * 256: "x"}, "as its key"),
        ("other_id", "x" * 256, "Thing.id"),
        ("id", np.int64(3), "Thing.id takes a string"),
    ],
)
def test_a_refusal_is_in_the_line_that_sets(place: tuple[str, Connect], kind: str, value: Any, message: str) -> None:
    """Not in the commit; nothing is recorded."""
    with place[1]() as session:
        thing = session.create("Thing", {"name": "it"})
        with pytest.raises(SchemaError, match=message):
            session.create("Thing", {"name": "it", kind: value})
        if kind != "id":
            with pytest.raises(SchemaError, match=message):
                thing[kind] = value
        assert len(session.recorded_operations) == 1


def test_keys_and_items_are_plain(place: tuple[str, Connect]) -> None:
    """A key of numpy's text is the key; so is that of an item."""
    with place[1]() as session:
        thing = session.create("Thing", {"name": np.str_("keyed"), "metadata": {np.str_("a"): Word("b")}})
        second = session.create("Thing", {"name": "second", "other_id": np.str_(thing.key)})
        second["metadata"][Colour.RED] = np.str_("c")
        session.commit()
        keys = thing.key, second.key
        assert session.get("Thing", np.str_(thing.key)) is thing
    with place[1]() as session:
        thing, second = (session.get("Thing", Word(key)) for key in keys)
        assert second["other"] is thing
        assert [dict(each["metadata"]) for each in (thing, second)] == [{"a": "b"}, {"red": "c"}]
        assert {type(each.key) for each in (thing, second)} == {str}


def test_a_condition_finds_what_was_set(place: tuple[str, Connect]) -> None:
    """With the values of the scientific stack on both sides."""
    with place[1]() as session:
        name = f"found {place[0]}"
        thing = session.create("Thing", {"name": np.str_(name), "number": np.float32(0.5), "integer": 7.0})
        session.commit()
        types: Any = session.types["Thing"]
        for condition in (types.number == np.float64(0.5), types.integer.in_([np.int64(7)]), types.number > Decimal(0)):
            query = session.query("Thing").where(types.name == Word(name)).where(condition)
            assert query.all() == [thing]


@pytest.mark.parametrize("fold", [0, 1])
def test_a_repeated_hour_is_written_once(place: tuple[str, Connect], fold: int) -> None:
    """The second `ensure` of the same time finds it and changes nothing."""
    moment = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
    data = {"name": f"night {fold}", "datetime": moment, "number": np.float64(2), "json": {"a": (1,)}}
    with place[1]() as session:
        session.ensure("Thing", data, ["name"])
        session.commit()
        thing = session.ensure("Thing", data, ["name"])
        assert thing["datetime"] == datetime(2026, 10, 25, 0 if fold == 0 else 1, 30, tzinfo=UTC)
        assert session.pending == ()
    with place[1]() as session:
        session.ensure("Thing", data, ["name"])
        assert session.pending == ()
        again = session.ensure("Thing", data, ["name", "datetime"])
        assert (again["name"], session.pending) == (f"night {fold}", ())


def test_the_server_makes_plain_what_no_session_did() -> None:
    """It trusts no client; the same rules hold."""
    service = memory_service(SCHEMA)
    with session_on(service) as session:
        operation = Create(Identity("Thing", "a"), {"integer": 3.0, "number": 3, "date": "2026-01-31"})
        service.backend("admin").commit(ChangeSet("one", (operation,)))
        thing = session.get("Thing", "a")
        found = [thing["integer"], thing["number"], thing["date"]]
        assert same(found, [3, 3.0, datetime(2026, 1, 31).date()])
    service.close()


def test_the_order_of_setting_and_committing_plays_no_part(callsheet_session: Any) -> None:
    """A plain value that equals the one set is no change, whatever it was written as."""
    session = callsheet_session
    project = session.create("Project", {"name": "sintel", "fps": np.float64(24)})
    session.commit()
    for value in (24, 24.0, Decimal("24"), np.int8(24), np.float32(24)):
        project["fps"] = value
        assert session.pending == ()
    with pytest.raises((SchemaError, CommitError)):
        project["fps"] = np.float64("inf")


def incompressible(size: int) -> str:
    """A text that PostgreSQL cannot make shorter."""
    return "".join(f"{number * 2_654_435_761 % 2**32:08x}" for number in range(size // 8 + 1))[:size]


def told_later(place: str, session: Session, thing: Any, born: bool, name: str, text: str) -> None:
    """Set a text. The vendor's wire does not say what is indexed: there the server refuses it, for good."""
    if born:
        session.create("Thing", {name: text})
    else:
        thing[name] = text
    try:
        assert place == "ftrack"
        session.commit()
    finally:
        session.rollback()


@pytest.mark.parametrize("name", ["code", "label"])
def test_an_indexed_text_has_room_in_every_index(place: tuple[str, Connect], name: str) -> None:
    """The longest that is taken is taken by all databases; a longer one is refused in the line that sets it."""
    longest = incompressible(2_598) + "é"
    with place[1]() as session:
        thing = session.create("Thing", {"name": "long", name: longest})
        session.commit()
        for text in (longest + "x", "x" * 2_601, "é" * 1_301):
            for born in (False, True):
                with pytest.raises((SchemaError, CommitError), match=rf"Thing\.{name} takes a string of up to 2,600 b"):
                    told_later(place[0], session, thing, born, name, text)
        assert session.pending == ()
        thing["string"] = longest * 4
        session.commit()
        key = thing.key
    with place[1]() as session:
        thing = session.get("Thing", key)
        assert thing[name] == longest
        assert thing["string"] == longest * 4
        assert session.query(f'Thing where {name} is "{longest}x"').all() == []
        session.delete(thing)
        session.commit()


def test_the_texts_of_a_unique_combination_have_room_together(place: tuple[str, Connect]) -> None:
    """Too long a combination is a final refusal that names the attribute; the session goes on."""
    half = incompressible(1_300)
    with place[1]() as session:
        pair = session.create("Pair", {"one": half, "two": half[::-1]})
        session.commit()
        pair["two"] = half + "x"
        with pytest.raises(CommitError, match="the unique combination one, two have up to 2,600 bytes") as caught:
            session.commit()
        assert isinstance(caught.value.__cause__, Invalid | Conflict)
        session.rollback()
        pair["two"] = "short"
        session.commit()
        session.delete(pair)
        session.commit()


def test_a_text_that_was_too_long_before_the_limit_can_be_shortened() -> None:
    """What is there already is not judged."""
    service = memory_service(SCHEMA)
    long = "x" * 3_000
    with session_on(service) as session:
        thing = session.create("Thing", {"name": "old", "code": "short"})
        session.commit()
        service.store.database.write(
            lambda connection: connection.exec_driver_sql('UPDATE "Thing" SET code = ?', (long,))
        )
        session.refresh(thing)
        assert thing["code"] == long
        thing["code"] = "short again"
        session.commit()
    service.close()


@pytest.mark.parametrize("key", [3, 1.5, True, b"x", UUID(int=1), Decimal(1) / 3])
def test_what_is_no_key_is_refused_alike(place: tuple[str, Connect], key: Any) -> None:
    """With one error on every transport, before anything is sent."""
    with place[1]() as session:
        with pytest.raises(SchemaError, match=r"key|Thing.id takes a string"):
            session.get("Thing", key)
        # No key is nobody's.
        assert session.get("Thing", None) is None
        assert session.get("Thing", float("nan")) is None


@pytest.mark.parametrize("value", [float("nan"), np.float64("nan"), pd.NaT, np.array([1]), {1: 2}, object()])
def test_what_no_wire_carries_is_refused_alike(place: tuple[str, Connect], value: Any) -> None:
    """In the data of an event as in the arguments of a call."""
    with place[1]() as session:
        with pytest.raises(SchemaError, match=r"cannot be sent|are strings"):
            session.event_hub.publish(Event("studio.values", {"value": value}))
        with pytest.raises(SchemaError, match=r"cannot be sent|are strings"):
            session.call("history", value=value)


@pytest.mark.parametrize("zone", ["Europe/Berlin", ZoneInfo("Europe/Berlin")])
def test_naive_times_are_in_the_zone_of_the_session(zone: Any) -> None:
    """Set as a value or as text, in conditions, in forks too; the first of a repeated hour."""
    with Session("memory:", naive_times=zone) as session:
        noon = datetime(2026, 7, 1, 12)
        data = {"name": "shoot", "start": noon, "end": "2026-01-01T12:00:00"}
        event = session.create("CalendarEvent", data)
        assert event["start"] == datetime(2026, 7, 1, 10, tzinfo=UTC)
        assert event["end"] == datetime(2026, 1, 1, 11, tzinfo=UTC)
        session.commit()
        kind = session.types["CalendarEvent"]
        assert session.query("CalendarEvent").where(kind.start == noon).one() is event
        fork = session.fork()
        assert fork.create("CalendarEvent", data)["start"] == datetime(2026, 7, 1, 10, tzinfo=UTC)
        for fold, hour in ((0, 0), (1, 1)):
            event["start"] = datetime(2026, 10, 25, 2, 30, fold=fold)
            assert event["start"] == datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        with pytest.raises(SchemaError, match="does not exist in Europe/Berlin, where clocks are put forward"):
            event["start"] = datetime(2026, 3, 29, 2, 30)
        event["start"] = datetime(2026, 7, 1, 12, tzinfo=UTC)
        assert event["start"] == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_the_local_zone_is_that_of_the_system() -> None:
    """At each time by itself, in summer and in winter."""
    with Session("memory:", naive_times="local") as session:
        for moment in (datetime(2026, 1, 1, 12), datetime(2026, 7, 1, 12)):
            event = session.create("CalendarEvent", {"name": "x", "start": moment, "end": moment})
            assert event["start"] == moment.astimezone(UTC)


@pytest.mark.parametrize("zone", ["Nowhere/At All", "", 3, True, b"UTC"])
def test_what_is_no_zone_is_refused(zone: Any) -> None:
    """When the session is made; without a zone naive times are refused, and the option is named."""
    with pytest.raises(UsageError, match="`naive_times` is a time zone, its name"):
        Session("memory:", naive_times=zone)
    with Session("memory:") as session, pytest.raises(SchemaError, match="the option `naive_times` of a session"):
        session.create("CalendarEvent", {"name": "x", "start": datetime(2026, 1, 1)})
