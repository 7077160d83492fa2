"""The examples of the text about sessions of a laboratory, and every name in it, on a served laboratory.

They are adapted in the names of servers and entities only: here samples have an owner, tubes are containers.
"""

from __future__ import annotations

import logging
import webbrowser
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

import callsheet
from callsheet import Session
from callsheet.errors import ForbiddenRequest, QueryError, SchemaError
from callsheet.flow import Request

PASSWORD = "open sesame, please"
KEY = "the key of these tests"
QUICK = {"password_bytes": 8 * 2**10, "password_passes": 1, "account_logins": 200, "address_logins": 200}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A laboratory on a server of its own: joeshmoe may write, and owns two of three primers, which are in tubes."""
    with callsheet.serve("lab", admin_key=KEY, limits=QUICK) as server:
        with Session(server.url, "admin", KEY, schema_cache=False, plugin_paths=False) as session:
            session.call("users.add", name="joeshmoe", role="user")
            session.call("users.password", name="joeshmoe", password=PASSWORD)
            user = session.query('User where username is "joeshmoe"').first()
            user = user if user is not None else session.create("User", {"username": "joeshmoe"})
            kinds = {name: session.create("SampleType", {"name": name}) for name in ("Primer", "Plasmid")}
            tubes = {
                name: session.create("ContainerType", {"name": f"{name} tube", "sample_type": kind})
                for name, kind in kinds.items()
            }
            shelf, bin_ = (session.create("Location", {"name": name}) for name in ("shelf", "deleted"))
            for number, (name, place) in enumerate(
                (("Primer", shelf), ("Primer", bin_), ("Plasmid", shelf), ("Primer", None))
            ):
                sample = session.create("Sample", {"name": f"s{number}", "sample_type": kinds[name]})
                sample["owner"] = user if number != 3 else None
                session.create(
                    "Item",
                    {"barcode": f"i{number}", "sample": sample, "container_type": tubes[name], "location": place},
                )
                session.commit()
        yield server.url


@pytest.fixture
def session(url: str) -> Iterator[Any]:
    """`AqSession('joeshmoe', 'pass123', 'http://…')`."""
    with callsheet.login_with_password(url, "joeshmoe", PASSWORD, schema_cache=False, plugin_paths=False) as opened:
        yield opened


# -- the examples --------------------------------------------------------------------------------------------------


def test_initializing_a_session(url: str) -> None:
    """With login, password and address; with a hidden password; with a name."""
    options: dict[str, Any] = {"schema_cache": False, "plugin_paths": False}
    with callsheet.login_with_password(url, "joeshmoe", PASSWORD, **options) as session:
        assert session.logged_in()
    with callsheet.login(url, "joeshmoe", ask=lambda prompt: PASSWORD, name="bench", **options) as session:
        assert session.logged_in()
        assert session.name == "bench"


def test_models_are_accessible_from_the_session(session: Any) -> None:
    """`session.Sample.one()`, `session.Item.last(50)`, `session.SampleType.first(10)`, the last ten of a user."""
    sample = session.Sample.one()
    last50 = session.Item.last(50)
    first10 = session.SampleType.first(10)
    mysamples = session.Sample.last(10, query={"owner_id": session.current_user["id"]})
    assert sample["name"] == "s3"
    assert [item["barcode"] for item in last50] == ["i3", "i2", "i1", "i0"]
    assert sorted(kind["name"] for kind in first10) == ["Plasmid", "Primer"]
    assert [each["name"] for each in mysamples] == ["s2", "s1", "s0"]


def test_finding_a_user_by_key(session: Any) -> None:
    """`session1.User.find(1)` is the user, and shows itself."""
    key = session.current_user["id"]
    user = session.User.find(key)
    assert user is session.current_user
    assert repr(user).startswith("<User 'joeshmoe' ")


QUERY: dict[str, Any] = {
    "__model__": "Item",
    "__description__": "Get available primers in last 7 days",
    "query": {
        "container_type": {"query": {"sample_type": {"query": {"name": "Primer"}}}},
        "created_at": {"__time__": {"__days__": -7}},
        "location": {"__not__": "deleted"},
        "__options__": {"limit": 1},
    },
}


@pytest.mark.parametrize("spelling", ["query", "__query__"])
def test_a_complex_query(session: Any, spelling: str) -> None:
    """The query of the text, in its old and its new spelling; the published schema accepts it."""

    def spelt(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        return {spelling if key == "query" else key: spelt(value) for key, value in part.items()}

    jsonschema.Draft202012Validator(session.query_schema).validate(spelt(QUERY))
    (found,) = session.query(spelt(QUERY))
    assert found["barcode"] in ("i0", "i3")
    whole = spelt({**QUERY, "query": {key: value for key, value in QUERY["query"].items() if key != "__options__"}})
    assert sorted(item["barcode"] for item in session.query(whole)) == ["i0", "i3"]


# -- the names -----------------------------------------------------------------------------------------------------


def test_a_query_that_is_wrong_says_where(session: Any) -> None:
    """An error of validation, with the path."""
    with pytest.raises(QueryError, match="container_typ"):
        session.query({"__model__": "Item", "__query__": {"container_typ": {"__query__": {"name": "x"}}}})


def test_who_and_where(session: Any, url: str) -> None:
    """`login`, `url`, `name`, `current_user`, `logged_in()`; the password is kept nowhere."""
    assert (session.api_user, session.url, session.base_url, session.name) == ("joeshmoe", url, url, None)
    assert session.current_user["username"] == "joeshmoe"
    assert session.logged_in() is True
    assert PASSWORD not in repr(vars(session))


def test_models_and_their_interfaces(session: Any) -> None:
    """`models`, `model_interface(name)`; what a type is looked up by is one class."""
    assert {"Sample", "Item", "User"} < set(session.models)
    interface = session.model_interface("Sample")
    assert interface.count() == session.Sample.count() == 4
    assert type(interface) is type(session.Item)
    with pytest.raises(SchemaError, match="did you mean `Sample`"):
        session.model_interface("Sampel")


def test_an_interface_creates_and_loads(session: Any) -> None:
    """What interfaces do: new ones, plain data, all, pages, raw requests for a model."""
    made = session.Sample.new(name="new", sample_type=session.SampleType.find_by_name("Primer"))
    assert made in session.created
    session.rollback()
    assert [len(page) for page in session.Sample.paginate(3)] == [3, 1]
    plain = session.Sample.one().dump(only=["name"])
    assert plain["name"] == "s3"


def test_pings(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`ping(5)` returns the times, and displays them."""
    times = session.ping(5)
    assert len(times) == 5
    assert capsys.readouterr().out == f"{times}\n"


def test_the_page_is_opened(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`open()` opens the page of the server."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert session.open_page() == f"{session.url}/explorer/"
    assert [address.partition("#")[0] for address in opened] == [f"{session.url}/explorer/"]


def test_a_timeout_is_set(session: Any) -> None:
    """`set_timeout(seconds)`."""
    session.set_timeout(11)
    assert session.api_client._settings.timeouts.read == 11
    assert session.Sample.count() == 4


def test_the_requests_interface(session: Any) -> None:
    """What makes requests with the login is there for requests of one's own; so are the actions of the server."""
    assert session.call("counts", types=["Sample"]) == {"Sample": 4}
    assert session.api_client.send(Request("GET", "/v1/me", safe=True)).status == 200


def test_requests_are_logged(session: Any, caplog: pytest.LogCaptureFixture) -> None:
    """`verbose` logs each request."""
    session.verbose = True
    with caplog.at_level(logging.INFO, "callsheet.requests"):
        session.Sample.count()
    assert any(record.getMessage().startswith("POST /v1/") for record in caplog.records)


def test_a_session_with_a_cache(session: Any) -> None:
    """`with_cache(using_requests, using_models, timeout, verbose)`, and `ForbiddenRequest`."""
    sample = session.Sample.one()
    with session.with_cache(using_requests=False, using_models=True, timeout=3, verbose=False) as offline:
        known = offline.get("Sample", sample["id"])
        assert known["name"] == sample["name"]
        with pytest.raises(ForbiddenRequest):
            offline.Sample.count()
    with session.with_cache(using_models=False) as empty:
        assert list(empty.identities) == []
        assert empty.Sample.count() == 4


def test_models_are_moved_from_one_session_to_another(session: Any) -> None:
    """Swapping sessions: what is pending goes along."""
    with session.with_cache() as other:
        made = other.Sample.new(name="moved", sample_type=other.SampleType.find_by_name("Primer"))
        (here,) = other.move([made], to=session)
        assert here["name"] == "moved"
        assert here in session.created
    session.rollback()


def test_the_browser(session: Any) -> None:
    """A class for browsing models: batches of relations, names by patterns."""
    browser = session.browse("Sample")
    assert sorted(each["name"] for each in browser.search("^s[01]$")) == ["s0", "s1"]
    found = browser.get(session.Sample.all(), {"sample_type": {}, "items": {"container_type": {}}})
    assert {each["name"] for each in found["sample_type"]} == {"Primer", "Plasmid"}
