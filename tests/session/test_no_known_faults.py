"""Faults that a session of this kind is known to have elsewhere, each with a test that ours has it not.

Each docstring states the fault. The laboratory of these tests is on a server in this process; what needs a network has
a server that the test steers.
"""

from __future__ import annotations

import ast
import asyncio
import csv
import gc
import json
import pickle
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

import callsheet
from callsheet import AsyncSession, CommitError, Session, errors
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import (
    CallsheetError,
    ForbiddenRequest,
    Invalid,
    NoResult,
    QueryError,
    SchemaError,
    StateError,
    Timeout,
    Unauthorised,
    UnknownAttribute,
    UnknownType,
    UsageError,
)
from callsheet.flow import Request
from callsheet.server.service import Service
from callsheet.session.connection import over
from credentials.fake_logins import PASSWORD, URL, LoginDesk

KEY = "the key of these tests"
QUICK = {"password_bytes": 8 * 2**10, "password_passes": 1}
NOW = datetime(2031, 5, 14, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[2] / "docs" / "reference" / "session.md"


class Clock:
    """A clock that the tests set; it begins far from the time of this machine."""

    time = NOW

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Nine primers P1 to P9, one made each day up to now, each in a tube; P9 has an owner. A plasmid without a tube."""
    clock = Clock()
    service = Service.open("memory:", "lab", clock=clock)
    with Session(connection=over(service.backend("admin"))) as session:
        primer, plasmid = (session.SampleType.new(name=name) for name in ("Primer", "Plasmid"))
        tube = session.ContainerType.new(name="tube", cost=1.5)
        rack = session.Location.new(name="rack")
        for number in range(1, 10):
            clock.time = NOW - timedelta(days=9 - number)
            sample = session.Sample.new(name=f"P{number}", sample_type=primer, description=f"P{10 - number}")
            if number == 9:
                sample["owner"] = session.User.new(username="anna")
            session.Item.new(barcode=f"b{number}", sample=sample, container_type=tube, location=rack, quantity=number)
            session.commit()
        session.Sample.new(name="pGFP", sample_type=plasmid)
        session.commit()
    yield service
    service.close()


@pytest.fixture
def lab(service: Service) -> Iterator[Session]:
    with Session(connection=over(service.backend("admin"))) as session:
        yield session


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server over HTTP."""
    with callsheet.serve("production", admin_key=KEY, limits=QUICK) as running:
        yield running.url


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LoginDesk]:
    """A server with logins, over HTTP."""
    monkeypatch.setenv("CALLSHEET_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("CALLSHEET_SCHEMA_CACHE", str(tmp_path / "schemas"))
    desk = LoginDesk()
    with desk.mocked():
        yield desk
    desk.service.close()


def names(found: Any) -> list[str]:
    return [each["name"] for each in found]


def items(condition: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"__model__": "Item", "__query__": condition, **more}


def numbers(lab: Session, condition: dict[str, Any]) -> list[int]:
    return sorted(each["quantity"] for each in lab.query(items(condition)).all())


# -- coming in -------------------------------------------------------------------------------------------------------


def test_the_import_changes_no_event_loop() -> None:
    """Importing the package patched ``asyncio`` for the whole process."""
    code = (
        "import asyncio; before = asyncio.run, asyncio.get_event_loop, asyncio.BaseEventLoop.run_until_complete;"
        "import callsheet; callsheet.Session, callsheet.AsyncSession;"
        "assert before == (asyncio.run, asyncio.get_event_loop, asyncio.BaseEventLoop.run_until_complete)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("url", ["localhost:3000", "callsheet.test/path", "ftp://callsheet.test", "://x", "https://"])
def test_a_wrong_address_is_an_error_of_ours(url: str) -> None:
    """An address without a scheme raised an exception of the HTTP library."""
    with pytest.raises(UsageError):
        callsheet.login_with_password(url, "anna", PASSWORD)


def test_a_slash_at_the_end_of_an_address_is_no_part_of_it(desk: LoginDesk) -> None:
    """The address was given back with the slash, so that joining it with a path gave two."""
    with callsheet.login_with_password(f"{URL}/", "anna", PASSWORD) as session:
        assert session.url == session.base_url == URL


def test_the_address_comes_first_everywhere(desk: LoginDesk) -> None:
    """The function that logs in took user and address, the constructor the other order; a swap is noticed here."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        other = Session(URL, "anna", "key")
        assert session.url == other.url
        other.close()
    with pytest.raises(UsageError, match="the address comes first"):
        callsheet.login_with_password("anna", URL, PASSWORD)


def test_a_wrong_password_is_tried_once_and_its_message_is_whole(desk: LoginDesk) -> None:
    """It was sent three times, a second apart, which locks accounts; the message had a placeholder unfilled."""
    with pytest.raises(Unauthorised) as refused:
        callsheet.login_with_password(URL, "anna", "wrong")
    assert desk.paths == {"/v1/login": 1}
    assert "{" not in str(refused.value)
    assert f"anna cannot log in to {URL}" in str(refused.value)


@pytest.mark.parametrize("wrong", [httpx.ReadTimeout("slow"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("slow")])
def test_a_time_limit_is_an_error_of_ours(desk: LoginDesk, wrong: Exception) -> None:
    """Time limits while logging in, and of every later request, raised exceptions of the HTTP library."""
    with callsheet.login_with_password(URL, "anna", PASSWORD, retries=0) as session:
        desk.down = wrong
        with pytest.raises(Timeout):
            session.query("Project").all()
        with pytest.raises(Timeout):
            callsheet.login_with_password(URL, "anna", PASSWORD, retries=0)


def test_a_password_need_not_be_in_the_script(desk: LoginDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts had passwords in them, because nothing else was read."""
    monkeypatch.setenv("CALLSHEET_PASSWORD", PASSWORD)
    callsheet.login(URL, "anna").close()


def test_the_current_user_costs_one_look(desk: LoginDesk) -> None:
    """It was fetched twice the first time, and by a search of users."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        session.create("User", {"id": "u1", "username": "anna"})
        session.commit()
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        desk.seen.clear()
        assert session.current_user["username"] == "anna"
        assert desk.paths == {"/v1/me": 1, "/v1/select": 1}
        assert session.current_user is session.query("User").one()
        assert desk.paths == {"/v1/me": 1, "/v1/select": 2}


def test_a_login_that_has_ended_is_no_login(desk: LoginDesk) -> None:
    """What was true once was true for good, and a server that sent people to its front page raised."""
    with callsheet.login_with_password(URL, "anna", PASSWORD, retries=0) as session:
        assert session.logged_in()
        for answer in (
            httpx.Response(302, headers={"location": "/signin"}),
            httpx.Response(200, text="<html>Sign in</html>", headers={"content-type": "text/html"}),
            httpx.Response(200, json={"error": "Not-logged-in"}),
        ):
            desk.down = answer
            assert session.logged_in() is False
        desk.down = None
        assert session.logged_in() is True


def test_a_page_that_is_no_answer_is_an_error(desk: LoginDesk) -> None:
    """A body that says "not logged in" with status 200 counted as success, and one without JSON broke the client."""
    with callsheet.login_with_password(URL, "anna", PASSWORD, retries=0) as session:
        session.create("Project", {"name": "p"})
        for answer in (httpx.Response(200, json={"error": "Not-logged-in"}), httpx.Response(204)):
            desk.down = answer
            with pytest.raises(CallsheetError):
                session.query("Project").all()
            with pytest.raises(CommitError):
                session.commit()


def test_a_ping_returns_its_times(lab: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """It always raised a ``TypeError``."""
    assert len(lab.ping(3)) == 3
    assert capsys.readouterr().out.startswith("3 pings took ")


def test_connections_are_used_again(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request opened a connection of its own."""
    opened: list[Any] = []
    connect = socket.create_connection

    def counted(*arguments: Any, **options: Any) -> Any:
        opened.append(arguments)
        return connect(*arguments, **options)

    monkeypatch.setattr(socket, "create_connection", counted)
    with Session(server, "admin", KEY, schema_cache=False) as session:
        for _ in range(5):
            session.query("Project").all()
        assert session.statistics.requests > 5
    assert len(opened) == 1


@pytest.mark.parametrize("make", [pickle.dumps, lambda session: session.serialize().encode()])
def test_no_copy_of_a_session_has_its_login(desk: LoginDesk, make: Any) -> None:
    """A pickle of a session had its cookie in it."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        token = (session.access_token or "").encode()
        try:
            made = make(session)
        except UsageError:
            made = b""
        assert token
        assert token not in made


def test_a_second_thread_is_refused(lab: Session) -> None:
    """Sessions had no locks, and promised nothing; here the second thread gets an error, and `fork` is the way."""
    lab.Sample.new(name="mine")
    refused: list[Exception] = []

    def other() -> None:
        try:
            lab.query("Sample").all()
        except StateError as error:
            refused.append(error)
        with lab.fork() as fork:
            assert fork.Sample.count() == 10

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert "fork" in str(refused[0])


def test_a_time_limit_of_a_fork_is_its_own(desk: LoginDesk) -> None:
    """The object that talks was shared by all copies; a raw request has the login as any other."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session, session.fork() as fork:
        fork.set_timeout(3)
        assert (session.api_client._settings.timeouts.read, fork.api_client._settings.timeouts.read) != (3, 3)
        assert fork.api_client.send(Request("GET", "/v1/me", safe=True)).status == 200


def test_users_have_no_secret(server: str, lab: Session) -> None:
    """Every client was sent digests of passwords, tokens and keys of users, and the raw data kept them."""
    with Session(server, "admin", KEY, schema_cache=False) as session:
        session.call("users.add", name="anna", role="user")
        session.call("users.password", name="anna", password="far over the hills 7")
        body = b'{"select": {"entity_type": "User"}, "size": 9}'
        headers = {"content-type": "application/json"}
        raw = session.api_client.send(Request("POST", "/v1/select", body, headers=headers))
    assert (raw.status, b"anna" in raw.content) == (200, True)
    assert not any(word in raw.content.lower() for word in (b"password", b"digest", b"argon2", b"token", b"api_key"))
    for name in lab.schema.types["User"].names:
        assert "password" not in name
        assert "token" not in name


# -- names -----------------------------------------------------------------------------------------------------------


def test_models_are_those_of_the_schema(lab: Session) -> None:
    """The list of models was the process's: a class that anybody had derived was in it, and shared by all sessions."""

    class Extra(lab.types["Sample"]):  # type: ignore[name-defined, misc]
        """A class of a script."""

    assert Extra.__name__ not in lab.models
    assert lab.models == list(lab.schema.types)
    with Session("memory:", schema={"types": {"Dot": {}}}) as other:
        assert other.models == ["Dot"]
        with pytest.raises(UnknownType):
            other.Sample  # noqa: B018


def test_the_query_schema_is_a_property(lab: Session) -> None:
    """It was documented as one, and was a method of the class."""
    assert lab.query_schema["$schema"].startswith("https://json-schema.org/")


def test_all_documented_names_exist(lab: Session) -> None:
    """The documentation named methods that were not there."""
    text = DOCS.read_text(encoding="utf-8")
    part = text[text.index("## Who and where") : text.index("## Verbs of one type")]
    told = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    found = {name for cell in told for name in (each.partition("(")[0] for each in cell.split("`")[1::2])}
    assert len(found) > 40
    assert sorted(found - set(dir(lab)) - set(CommitResult.__annotations__)) == []


def test_every_error_is_ours_and_none_is_a_warning() -> None:
    """Some exceptions were warnings that were raised, and a bare ``ValueError`` or ``TypeError`` for the rest."""
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert len(kinds) > 20
    assert all(issubclass(each, CallsheetError) and not issubclass(each, Warning) for each in kinds)


# -- finding ---------------------------------------------------------------------------------------------------------


def test_a_missing_key_takes_no_other_with_it(lab: Session) -> None:
    """One key without an entity, and the whole list was None; a text was taken for the number that it began with."""
    one = lab.Sample.one()
    assert lab.Sample.find([one["id"], "nowhere"]) == [one, None]
    assert lab.Sample.find(f"{one['id']}: P1") is None
    with pytest.raises(UsageError, match="find needs a key"):
        lab.Sample.find(None)


def test_a_wrong_name_is_an_error_and_never_no_result(lab: Session) -> None:
    """Misspelt fields, unknown columns and validation errors were all "nothing found"."""
    for ask in (
        lambda: lab.Sample.where({"nmae": "P1"}).all(),
        lambda: lab.Sample.where("nmae is P1").all(),
        lambda: lab.Sample.last(2, {"nmae": "P1"}),
        lambda: lab.query(items({"locaton": "rack"})).all(),
    ):
        with pytest.raises(QueryError, match="did you mean"):
            ask()
    for name in ("Samplee", "finds"):
        with pytest.raises(UnknownType):
            getattr(lab, name)
    with pytest.raises(UnknownType, match="did you mean `Sample`"):
        lab.Samplee  # noqa: B018


def test_nothing_that_was_asked_for_is_ignored(lab: Session) -> None:
    """Limits of ``all`` and options of ``find`` were dropped without a word."""
    for wrong in (lambda: lab.Sample.all(limit=2), lambda: lab.Sample.find("a", opts={"reverse": True})):
        with pytest.raises(TypeError):
            wrong()
    assert names(lab.Sample.where().order_by("name descending").limit(2).offset(1)) == ["P9", "P8"]
    with pytest.raises(UsageError, match="from 0"):
        lab.Sample.where().limit(-1)
    assert lab.Sample.where().limit(0).all() == []


def test_a_type_without_a_name_is_found_by_its_label(lab: Session) -> None:
    """``find_by_name`` of a type without that column found nothing, always."""
    assert lab.Item.find_by_name("b3")["quantity"] == 3
    assert lab.Item.find_by_name("b33") is None


def test_no_text_becomes_a_statement(lab: Session) -> None:
    """A text as criterion went into the server's SQL as it was, and quotes in values broke it."""
    for text in ('" OR "1"="1', "' OR '1'='1", "P1'; DROP TABLE sample; --", "%", '"'):
        assert lab.query(items({"barcode": text})).all() == []
        assert lab.query(items({"barcode": {"__not__": text}})).count() == 9
        assert lab.Sample.where(name=text).all() == []
    for text in ("1 = 1", "name = 'P1' OR 1=1", "1=1; DROP TABLE sample"):
        with pytest.raises(QueryError):
            lab.Sample.where(text).all()


def test_first_and_last_have_an_order_and_are_reverses(lab: Session) -> None:
    """ "First" had no order at all, "last" one with ties; a limit and an order were left to the database."""
    assert names(lab.Sample.first(3)) == ["P1", "P2", "P3"]
    newest = [each["id"] for each in lab.Sample.last(10)]
    assert [each["id"] for each in lab.Sample.first(10)] == newest[::-1]
    keys = [each["id"] for each in lab.query("Sample").all()]
    assert keys == sorted(keys)


def test_pages_end_at_the_limit(lab: Session) -> None:
    """The last page was not cut, so more came than the limit."""
    pages = list(lab.Sample.where().order_by("name").limit(5).pages_of(2))
    assert names(pages) == ["P1", "P2", "P3", "P4", "P5"]
    lengths = [len(page) for page in lab.Sample.paginate(4)]
    assert lengths == [4, 4, 2]


def test_large_results_are_streamed(lab: Session) -> None:
    """All had to be in memory before the first could be read, and no page could be counted."""
    result = iter(lab.query("Sample order by name", page_size=2))
    before = lab.statistics.requests
    assert next(result)["name"] == "P1"
    assert lab.statistics.requests == before + 1


# -- sessions that know something -----------------------------------------------------------------------------------


def test_an_edit_survives_what_is_read_again(lab: Session) -> None:
    """Reading a row again overwrote what was changed and not saved."""
    sample = lab.Sample.find_by_name("P1")
    sample["project"] = "mine"
    assert lab.query("Sample where name is P1").one() is sample
    assert sample["project"] == "mine"


def test_two_reads_of_a_row_are_one_object(lab: Session) -> None:
    """They were two, and not equal."""
    assert lab.Sample.find_by_name("P1") is lab.query('Sample where name is "P1"').first()


def test_what_nobody_holds_goes(service: Service) -> None:
    """Everything that was ever read stayed in memory."""
    with Session(connection=over(service.backend("admin")), window=2) as lab:
        lab.query("Sample").all()
        gc.collect()
        assert len(list(lab.identities)) < 10


def test_pages_are_right_whatever_is_known(lab: Session) -> None:
    """With a cache, an offset gave the first page again, and limits were applied to what happened to be there."""
    plain = names(lab.query("Sample order by name").all())
    with lab.with_cache(using_models=True) as derived:
        for offset in (0, 3, 8, 20):
            for use_cache in (False, True):
                query = derived.query("Sample order by name", use_cache=use_cache).offset(offset).limit(3)
                assert names(query) == plain[offset : offset + 3]


def test_a_derived_session_has_the_same_verbs(lab: Session) -> None:
    """There were two kinds of interface: with a cache the first was the last, and several calls failed."""
    with lab.with_cache() as derived:
        assert type(derived.Sample) is type(lab.Sample)
        for ask in (
            lambda session: session.Sample.one(first=True)["name"],
            lambda session: session.Sample.one()["name"],
            lambda session: names(session.Sample.first(2, {"name": {"__gt__": "P3"}})),
            lambda session: [len(page) for page in session.Sample.paginate(4)],
            lambda session: session.Sample(name="new")["name"],
            lambda session: session.Sample.find(session.Sample.one()["id"])["name"],
        ):
            assert ask(derived) == ask(lab)


def test_every_forbidden_request_is_named(lab: Session) -> None:
    """A read in a session that may not talk raised a ``KeyError``."""
    with lab.with_cache(using_requests=False) as offline:
        for act in (lambda: offline.query("Sample").all(), lambda: offline.ping(1), lambda: offline.Sample.count()):
            with pytest.raises(ForbiddenRequest, match="would have sent"):
                act()


def test_a_derived_session_leaves_nothing_behind(lab: Session) -> None:
    """Its whole cache was copied into its maker's at the end, for good, also after an error, and served stale later."""
    known = len(list(lab.identities))

    def fails() -> None:
        with lab.with_cache() as derived:
            derived.query("Sample").all()
            derived.query("Sample where name is nothing").one()

    with pytest.raises(NoResult):
        fails()
    assert len(list(lab.identities)) == known
    with lab:
        assert lab.Sample.count() == 10


def test_no_relation_is_fetched_again_and_again(lab: Session) -> None:
    """Where a relation led nowhere nothing was noted, so each access asked again, one entity after the other."""
    samples = lab.query("Sample").all()
    lab.browse("Sample").get(samples, "parents")
    before = lab.statistics.requests
    assert [list(each["parents"]) for each in samples] == [[]] * 10
    assert lab.statistics.requests == before


def test_every_kind_of_relation_can_be_fetched_for_many(lab: Session) -> None:
    """Only some kinds could be loaded in advance, a condition on a second-hand relation was lost."""
    samples = lab.query('Sample where sample_type is "Primer"').all()
    spec = {"sample_type": {}, "items": {"location": {}}, "parents": {}, "derived": {}, "owner": {}}
    lab.browse("Sample").get(samples, spec)
    before = lab.statistics.requests
    for sample in samples:
        assert sample["sample_type"]["name"] == "Primer"
        assert [each["location"]["name"] for each in sample["items"]] == ["rack"]
        assert (list(sample["parents"]), list(sample["derived"])) == ([], [])
    assert lab.statistics.requests == before
    assert names(lab.query("Location where items any (sample.name is P1)").all()) == ["rack"]


def test_relations_of_one_name_at_two_depths_are_two(lab: Session) -> None:
    """Results of nested relations were put together by name, whatever they belonged to."""
    samples = lab.query("Sample where name is P9").all()
    found = lab.browse("Sample").get(samples, {"items": {"sample": {"items": {}}}})
    assert {"items", "items.sample", "items.sample.items"} <= set(found)


def test_a_search_looks_at_names_only(lab: Session) -> None:
    """It looked at "key: name", so that keys matched too, and read all names to the client as objects."""
    key = lab.Sample.find_by_name("P1")["id"]
    assert names(lab.browse("Sample").search("^P[12]$")) == ["P1", "P2"]
    assert lab.browse("Sample").search(key[:6]) == []


def test_rows_become_a_file(lab: Session, tmp_path: Path) -> None:
    """The export to CSV called a function that was gone."""
    lab.query("select name, sample_type.name from Sample order by name").limit(2).to_csv(tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as file:
        assert [row["sample_type.name"] for row in csv.DictReader(file)] == ["Primer", "Primer"]


def test_a_path_is_never_run_as_code(lab: Session) -> None:
    """Paths of attributes were evaluated as Python."""
    sample = lab.Sample.one()
    for path in ("__class__", "name.upper()", "__import__('os').getcwd()", "name]; raise SystemExit; [0"):
        with pytest.raises(CallsheetError):
            lab.populate(sample, path)
        with pytest.raises(CallsheetError):
            lab.query("Sample").select(path)
    package = Path(callsheet.__file__).parent
    calls = (
        node.func.id
        for path in (package / "session").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    assert {"eval", "exec"}.isdisjoint(calls)


def test_awaited_sessions_may_be_nested(service: Service) -> None:
    """There was one kind of session, which blocked; its helper for many requests at once could not be nested."""

    async def count() -> int:
        async with AsyncSession(connection=over(service.backend("admin"))) as session:

            async def one() -> int:
                async with session.fork() as fork:
                    return int(await fork.Sample.count())

            return sum(await asyncio.gather(*(one() for _ in range(3))))

    assert asyncio.run(count()) == 30


# -- queries as JSON -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({"in_use": 3}, "__query__.in_use"),
        ({"quantity": {"__gte__": 3}}, "__query__.quantity.__gte__"),
        ({"quantity": {"__gt__": "three"}}, "__query__.quantity"),
        ({"quantity": {}}, "__query__.quantity"),
        ({"created_at": {"__time__": {}}}, "__query__.created_at.__time__"),
        ({"created_at": {"__time__": {"__fortnights__": 1}}}, "__query__.created_at.__time__"),
        ({"__options__": {"limt": 3}}, "__query__.__options__"),
        ({"__options__": {"limit": "3"}}, "__query__.__options__"),
        ({"sample": {"__query__": {"nmae": "x"}}}, "__query__.sample.__query__.nmae"),
    ],
)
def test_a_query_that_is_wrong_is_refused_at_its_place(lab: Session, condition: dict[str, Any], place: str) -> None:
    """The JSON Schema accepted any value, by a slip of its own, and junk among the options went to the server.

    What was refused came as pages of the validator's output. Here it is a line with the place, and a hint.
    """
    with pytest.raises(QueryError) as refused:
        lab.query(items(condition))
    assert refused.value.place.startswith(place)
    assert len(str(refused.value)) < 500
    assert len(str(refused.value).splitlines()) <= 4


def test_schema_and_reader_take_the_same(lab: Session) -> None:
    """Nested queries were valid by accident, and minutes were read and not in the schema."""
    validator = jsonschema.Draft202012Validator(lab.query_schema)
    units = ("seconds", "minutes", "hours", "days", "weeks", "months", "years")
    right = [items({"created_at": {"__gt__": {"__time__": {f"__{unit}__": -1}}}}) for unit in units]
    right.append(items({"sample": {"__query__": {"sample_type": {"__query__": {"name": "Primer"}}}}}))
    wrong = [items({"quantity": {"__gte__": 3}}), items({"created_at": {"__time__": {}}}), items({}, query={}, junk=1)]
    for query in right:
        assert validator.is_valid(query)
        lab.query(query)
    for query in wrong:
        assert not validator.is_valid(query)
        with pytest.raises(QueryError):
            lab.query(query)


def test_times_are_relative_to_now(lab: Session, service: Service) -> None:
    """Every relative time was now; and now was the client's local time without a zone."""
    assert numbers(lab, {"created_at": {"__time__": {"__days__": -3}}}) == [6, 7, 8, 9]
    assert numbers(lab, {"created_at": {"__lt__": {"__time__": {"__days__": -7, "__hours__": 1}}}}) == [1, 2][:2]
    assert NOW.year != datetime.now(UTC).year


def test_all_operators_of_a_field_hold(lab: Session) -> None:
    """Of two only one was used; one within a list raised a ``TypeError``."""
    assert numbers(lab, {"quantity": {"__gt__": 3, "__lt__": 7, "__not__": 5}}) == [4, 6]
    assert numbers(lab, {"__or__": [{"quantity": {"__lt__": 2}}, {"quantity": {"__gt__": 8}}]}) == [1, 9]
    with pytest.raises(QueryError) as refused:
        lab.query(items({"quantity": [{"__gt__": 3}]}))
    assert refused.value.place.startswith("__query__.quantity")


def test_every_relation_can_be_asked_through_in_one_request(lab: Session) -> None:
    """Each level cost a request, and some kinds of relation failed after theirs."""
    before = lab.statistics.requests
    for condition in (
        {"sample": {"__query__": {"sample_type": {"__query__": {"name": "Primer"}}}}},
        {"sample": {"__query__": {"items": {"__query__": {"container_type": {"__query__": {"cost": 1.5}}}}}}},
        {"location": {"__query__": {"items": {"__query__": {"sample": {"__query__": {"name": "P2"}}}}}}},
    ):
        before = lab.statistics.requests
        assert numbers(lab, condition) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
        assert lab.statistics.requests == before + 1


def test_a_reference_that_is_not_set_is_in_no_list(lab: Session) -> None:
    """References without a value got into the lists that joined two queries."""
    owned = {"__model__": "Sample", "__query__": {"owner": {"__query__": {"username": "anna"}}}}
    assert names(lab.query(owned)) == ["P9"]
    none = {"__model__": "Sample", "__query__": {"owner": {"__query__": {"username": "nobody"}}}}
    assert lab.query(none).all() == []


def test_a_limit_inside_cuts_nothing_before_it_is_joined(lab: Session) -> None:
    """A limit of a nested query cut what was joined, so results were missing; here it is refused with its place."""
    with pytest.raises(QueryError) as refused:
        lab.query(items({"sample": {"__query__": {"name": "P1", "__options__": {"limit": 1}}}}))
    assert "__options__" in refused.value.place


def test_an_order_is_what_the_query_says(lab: Session) -> None:
    """Without a word the newest came first. Here it is by key, and ties of an order are too."""
    keys = [each["id"] for each in lab.query(items({}))]
    assert keys == sorted(keys)


def test_false_is_false(lab: Session) -> None:
    """``"__json__": false`` gave plain data, and what ``__return__`` named was not among them."""
    assert isinstance(lab.query(items({"quantity": 1}, __json__=False)).one(), callsheet.Entity)
    row = lab.query(items({"quantity": 1}, __json__=True, __return__=["quantity", {"sample": ["name"]}])).one()
    assert row["sample.name"] == "P1"
    assert json.loads(json.dumps(row)) == row


def test_both_spellings_are_accepted(lab: Session) -> None:
    """The documented example was refused by its own release, because a key had been renamed."""
    old = {"__model__": "Item", "query": {"sample": {"query": {"name": "P3"}}}}
    assert [each["quantity"] for each in lab.query(old)] == [3]


def test_unknown_names_and_operators_are_errors_of_a_query(lab: Session) -> None:
    """A field found nothing, a model was an ``AttributeError``, an operator a ``TypeError``."""
    for query in (items({"quantiti": 1}), {"__model__": "Itme"}, items({"quantity": {"__above__": 1}})):
        with pytest.raises(QueryError):
            lab.query(query)


# -- entities --------------------------------------------------------------------------------------------------------


def test_unknown_data_change_no_class(lab: Session) -> None:
    """Unknown keys in a row became attributes of the class, of all its objects, for good."""
    before = set(dir(lab.types["Sample"]))
    with pytest.raises(SchemaError):
        lab.Sample.new(name="x", colour="red")
    with pytest.raises(SchemaError):
        lab.load({"__model__": "Sample", "id": "k", "name": "x", "colour": "red"})
    assert set(dir(lab.types["Sample"])) == before


def test_a_misspelt_attribute_is_not_set(lab: Session) -> None:
    """It became an attribute of Python's, and was never sent."""
    sample = lab.Sample.one()
    with pytest.raises(UnknownAttribute, match="did you mean `name`"):
        sample.nmae = "x"
    with pytest.raises(UnknownAttribute, match="did you mean `name`"):
        sample["nmae"] = "x"
    assert lab.pending == ()


def test_a_wrong_value_is_said_and_nothing_is_printed(lab: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong kind raised a bare ``TypeError``, and a traceback was printed."""
    sample = lab.Sample.one()
    for name, value in (("name", 5), ("sample_type", lab.Item.one()), ("items", 3)):
        with pytest.raises(SchemaError, match=name):
            sample[name] = value
    assert capsys.readouterr() == ("", "")


def test_an_assigned_reference_is_one_with_its_key(lab: Session) -> None:
    """The two could say different things, and a reference to nothing was asked for again and again."""
    sample, anna = lab.Sample.find_by_name("P1"), lab.User.one()
    sample["owner"] = anna
    assert sample["owner_id"] == anna["id"]
    sample["owner_id"] = None
    assert sample["owner"] is None
    unowned = lab.Sample.find_by_name("P2")
    before = lab.statistics.requests
    assert (unowned["owner"], unowned["owner"]) == (None, None)
    assert lab.statistics.requests == before


def test_times_are_times(lab: Session) -> None:
    """They stayed texts."""
    assert lab.Sample.find_by_name("P9")["created_at"] == NOW


def test_a_dump_has_what_the_schema_has(lab: Session) -> None:
    """Each dump had a number of the process in it, and relations that were dumped were fetched one by one."""
    sample = lab.Sample.find_by_name("P1")
    assert set(sample.dump()) <= {"__model__", *lab.schema.types["Sample"].attributes}
    assert "rid" not in sample.dump(include="items")["items"][0]
    samples = lab.query("Sample").all()
    before = lab.statistics.requests
    lab.dump(samples, include={"items": ["location"]})
    assert lab.statistics.requests <= before + 3


def test_a_copy_is_what_the_caller_says(lab: Session) -> None:
    """What was copied and what was shared followed from the ends of class names."""
    sample = lab.Sample.find_by_name("P1")
    copied = sample.copy(["items"], name="copy")
    assert copied["id"] != sample["id"]
    assert copied["sample_type"] is sample["sample_type"]
    assert [each["id"] != sample["items"][0]["id"] for each in copied["items"]] == [True]
    assert [each["quantity"] for each in copied["items"]] == [1]


def test_an_entity_of_another_session_is_refused(lab: Session) -> None:
    """Sessions of objects could be exchanged or missing, with errors of their own in the middle of a read."""
    with lab.fork() as other, pytest.raises(CallsheetError, match="another session"):
        lab.populate(other.Sample.one(), "name")


def test_a_save_is_one_transaction_of_what_changed(desk: LoginDesk) -> None:
    """A save was several requests, which could fail in the middle; it wrote every field, and emptied those left out."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        project, user = session.create("Project", {"name": "p"}), session.create("User", {"username": "u"})
        desk.seen.clear()
        session.commit()
        assert [request.url.path.startswith("/v1/commit") for request in desk.seen] == [True]
        project["name"] = "q"
        (operation,) = session.pending
        assert dict(operation.values) == {"name": "q"}
        session.rollback()
        assert (project["name"], user["username"]) == ("p", "u")


def test_an_edit_of_another_is_noticed(lab: Session) -> None:
    """Who saved last had overwritten the others, without a word."""
    kind = lab.ContainerType.new(name="of this test", cost=1.0)
    lab.commit()
    with lab.fork() as other:
        kind["cost"] = 2.0
        other.ContainerType.find_by_name("of this test")["cost"] = 3.0
        other.commit()
        with pytest.raises(errors.ConflictError):
            lab.commit()
    lab.rollback()
    lab.refresh([kind])
    assert kind["cost"] == 3.0
    lab.delete(kind)
    lab.commit()


def test_deletes_and_wires_work(lab: Session) -> None:
    """Deleting raised a ``ValueError`` or called a function that was gone; wires of an operation never came."""
    kind = lab.OperationType.new(name="PCR", category="Cloning")
    plan = lab.Plan.new(name="plan of this test")
    first, second = plan.add_operation(kind), plan.add_operation(kind)
    output = lab.FieldValue.new(name="out", operation=first, role="output")
    entry = lab.FieldValue.new(name="in", operation=second, role="input")
    wire = lab.Wire.new(source=output, destination=entry)
    lab.commit()
    assert list(entry["incoming_wires"]) == list(output["outgoing_wires"]) == [wire]
    for each in (wire, output, entry, first, second, plan, kind):
        lab.delete(each)
    lab.commit()
    assert (lab.Wire.count(), lab.Plan.count(), lab.Operation.count()) == (0, 0, 0)


def test_errors_of_the_server_name_their_attributes(lab: Session) -> None:
    """All answers with an error were one kind, and their texts were swallowed."""
    lab.SampleType.new(name="Primer")
    with pytest.raises(CommitError) as refused:
        lab.commit()
    assert isinstance(refused.value.__cause__, Invalid)
    assert "name" in str(refused.value)


def test_nothing_warns(lab: Session) -> None:
    """Ordinary use raised warnings as exceptions."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.load(lab.Sample.one().dump())
        lab.query({"__model__": "Item", "query": {"quantity": 1}}).all()
