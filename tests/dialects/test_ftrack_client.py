"""The client's half over HTTP and over the server's half: opening, errors, and commits whose answers are lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from callsheet import Session
from callsheet.config import resolve
from callsheet.dialects import dialect_class, dialect_names
from callsheet.dialects.ftrack.common.schema import vendor_hash
from callsheet.errors import (
    CommitError,
    ConflictError,
    Disconnected,
    Forbidden,
    Invalid,
    NotFound,
    SchemaError,
    ServerError,
    StateError,
    TooLarge,
    TransportError,
    Unauthorised,
    Unavailable,
    UsageError,
)
from callsheet.flow import Request
from callsheet.server.service import Service
from dialects.embedded import Direct, session_over
from dialects.vendor_schema import TASK, small_schema
from recorded import LISTS, replies, schema_list

URL = "https://studio.ftrackapp.com"
INFORMATION = {"version": "4.13.8", "schema_hash": vendor_hash(small_schema())}
NOTHING: dict[str, Any] = {"action": "query", "data": [], "metadata": {"next": {"offset": None}}}


# -- over HTTP -------------------------------------------------------------------------------------------


@pytest.fixture
def site() -> Iterator[respx.MockRouter]:
    """A site that answers what it is asked in the order of ``side_effect``."""
    with respx.mock(assert_all_called=False) as mock:
        yield mock


def answers(site: respx.MockRouter, *replies: Any, status: int = 200) -> respx.Route:
    """Let the site give these, one after another."""
    responses = [
        reply if isinstance(reply, httpx.Response) else httpx.Response(status, json=reply) for reply in replies
    ]
    return site.post(f"{URL}/api").mock(side_effect=responses)


def asked(route: respx.Route, number: int = -1) -> list[dict[str, Any]]:
    """The operations of a request."""
    return json.loads(route.calls[number].request.content)  # type: ignore[no-any-return]


def session(cache: Path | bool = False) -> Session:
    """On the site; nothing is sent twice by the transport."""
    return Session(URL, "ann", "secret", schema_cache=cache, retries=0)


UPLOADING = ("get_upload_metadata", "complete_multipart_upload")
OPENING = [INFORMATION, small_schema(), NOTHING]


def test_opening_takes_one_request(site: respx.MockRouter) -> None:
    """The dialect is known by the address; the key is in the headers, errors are asked for with their status."""
    route = answers(site, OPENING)
    with session() as opened:
        assert opened.server_information.version == "4.13.8"
        assert opened.schema.hash == INFORMATION["schema_hash"]
        assert not opened.features.versions
    assert [each["action"] for each in asked(route)] == ["query_server_information", "query_schemas", "query"]
    headers = route.calls[0].request.headers
    assert (headers["ftrack-user"], headers["ftrack-api-key"]) == ("ann", "secret")
    assert headers["ftrack-strict-api"] == "true"


def test_a_known_schema_is_not_sent_again(site: respx.MockRouter, tmp_path: Path) -> None:
    """While its hash, and the configurations of custom attributes, are the same."""
    row = {
        "id": "c",
        "key": "fps",
        "entity_type": "task",
        "object_type_id": TASK,
        "type": {"id": "n", "name": "number"},
    }
    configured = {**NOTHING, "data": [row]}
    route = answers(
        site, OPENING, [INFORMATION, NOTHING], [INFORMATION, configured], [small_schema()], [INFORMATION, configured]
    )
    for _ in range(2):
        with session(tmp_path) as opened:
            assert opened.schema.types["Task"].custom == {}
    for _ in range(2):
        with session(tmp_path) as opened:
            assert opened.schema.types["Task"].custom["fps"].data_type == "number"
    assert [len(asked(route, number)) for number in range(5)] == [3, 2, 2, 1, 2]


def test_a_site_without_configurations_can_be_opened(site: respx.MockRouter) -> None:
    """It refuses the question, and is asked without it."""
    refusal = httpx.Response(400, json={"exception": "ParseError", "content": "no such type"})
    answers(site, refusal, [INFORMATION, small_schema()])
    with session() as opened:
        assert "Task" in opened.schema.types


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"exception": "ValidationError", "content": "no name"}, Invalid, "no name"),
        (200, {"exception": "ValidationError", "content": "no name"}, Invalid, "no name"),
        (400, {"exception": "ParseError", "content": "bad {query}"}, Invalid, "bad {query}"),
        (403, {"exception": "PermissionError", "content": "not you"}, Forbidden, "not you"),
        (401, {"exception": "InvalidCredentialsError", "content": "who?"}, Unauthorised, "who"),
        (404, {"exception": "NotFoundError", "content": "gone"}, NotFound, "gone"),
        (400, {"exception": "ServerError", "content": "Invalid action u'dance'"}, Invalid, "dance"),
        (500, {"exception": "ServerError", "content": "division"}, ServerError, "division"),
        (400, {"exception": "NewError", "content": "unheard of"}, Invalid, "unheard of"),
        (401, "<html>login</html>", Unauthorised, "login"),
        (413, "<html>large</html>", TooLarge, "large"),
        (502, "<html><b>Bad gateway</b></html>", Unavailable, "cannot answer now.*Bad gateway"),
        (503, {"detail": "restarting"}, Unavailable, "restarting"),
        (302, "", TransportError, "leads on to https://elsewhere"),
        (200, "<html>hello</html>", TransportError, "no answer of an ftrack server"),
        (200, [], TransportError, "no list of 1 results"),
    ],
)
def test_errors_are_typed(site: respx.MockRouter, status: int, body: Any, kind: type[Exception], words: str) -> None:
    """By the vendor's name for them, or by the status where somebody else answers."""
    headers = {"location": "https://elsewhere"} if status == 302 else {}
    told = {"json": body} if not isinstance(body, str) else {"html": body}
    answers(site, OPENING, httpx.Response(status, headers=headers, **told))
    with session() as opened, pytest.raises(kind, match=words) as caught:
        opened.call("dance", partner="x")
    assert type(caught.value) is kind


@pytest.mark.parametrize("name", LISTS)
def test_answers_of_a_whole_site(site: respx.MockRouter, name: str) -> None:
    """A site's answers to opening, and to the two actions of an upload, are returned unchanged."""
    found = replies(name)
    opening = found.get("query_server_information_query_schemas")
    opening = opening or [INFORMATION, json.loads(schema_list(name).read_text())]
    answers(site, [*opening, NOTHING], *([found[action]] for action in UPLOADING))
    with session() as opened:
        for action in UPLOADING:
            assert opened.call(action, component_id="x") == found[action]
        assert len(opened.types.schema.types) == 116


def test_an_error_tells_the_operation(site: respx.MockRouter) -> None:
    """By the number that the server names, or by the only key that it quotes."""
    quoting = {"exception": "ValidationError", "content": "no status in 22222222-0000-0000-0000-000000000000"}
    naming = {"exception": "ValidationError", "content": "no", "operation": 0}
    answers(site, OPENING, httpx.Response(400, json=quoting), httpx.Response(400, json=naming))
    with session() as opened:
        for key in ("11111111", "22222222"):
            opened.create("Scope", {"id": f"{key}-0000-0000-0000-000000000000", "name": key})
        for index in (1, 0):
            with pytest.raises(CommitError) as caught:
                opened.commit()
            assert caught.value.index == index


def test_a_duplicate_is_a_conflict(site: respx.MockRouter) -> None:
    """Although nothing is known of both sides."""
    answers(site, OPENING, httpx.Response(409, json={"exception": "DuplicateEntryError", "content": "taken"}))
    with session() as opened:
        opened.create("Scope", {"name": "a"})
        with pytest.raises(ConflictError, match="taken") as caught:
            opened.commit()
    assert caught.value.conflicts == ()


def test_a_lost_answer_is_not_sent_again_by_itself(site: respx.MockRouter) -> None:
    """A commit is the one request that the transport must not repeat."""
    route = answers(site, OPENING)
    with Session(URL, "ann", "secret", schema_cache=False) as opened:
        opened.create("Scope", {"name": "a"})
        route.mock(side_effect=httpx.ReadError("lost"))
        with pytest.raises(CommitError, match="no answer"):
            opened.commit()
        assert route.call_count == 2


# -- over the server's half ------------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Any]:
    """A server on the small schema, with a status and a user."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps(small_schema()))
    service = Service.open("memory:", path)
    yield service
    service.close()


@pytest.fixture
def direct(service: Any) -> Direct:
    return Direct(service)


@pytest.fixture
def work(direct: Direct) -> Iterator[Session]:
    """A session with a project, a shot and two tasks."""
    with session_over(direct) as opened:
        status = opened.create("Status", {"name": "Open"})
        if opened.query("User where username is admin").first() is None:
            opened.create("User", {"username": "admin"})
        opened.create("User", {"username": "bo"})
        project = opened.create("Project", {"name": "sintel", "full_name": "Sintel"})
        shot = opened.create("Shot", {"name": "sh", "parent": project, "status": status})
        for name in ("a", "b"):
            opened.create("Task", {"name": name, "parent": shot, "status": status, "metadata": {"is": name}})
        opened.commit()
        yield opened


def test_relations_and_items_are_read_and_written(work: Session, direct: Direct) -> None:
    """As on any server."""
    with session_over(direct) as other:
        task = other.query("select name, parent.name, metadata, status.name from Task where name is a").one()
        assert (task["parent"]["name"], task["metadata"]["is"], task["status"]["name"]) == ("sh", "a", "Open")
        assert task["status_id"] == task["status"]["id"]
        assert [child["name"] for child in task["parent"]["children"]] == ["a", "b"]
        task["metadata"]["of"] = "x"
        del task["metadata"]["is"]
        task["parent"] = other.query("Project").one()
        other.commit()
    again = work.query("Task where name is a").one()
    work.refresh(again)
    assert dict(again["metadata"]) == {"of": "x"}
    assert again["parent"]["name"] == "sintel"


def test_members_join_and_leave(work: Session, direct: Direct) -> None:
    """Where pairs are rows, and where the server takes whole lists, from either side."""
    tasks = work.query("Task order by name").all()
    scope, gone = (work.create("Scope", {"name": name}) for name in ("in", "out"))
    flow = work.create("WorkflowSchema", {"name": "w"})
    chosen = work.create("TypedContextList", {"name": "l", "project": work.query("Project").one()})
    tasks[0]["scopes"].extend([scope, gone])
    work.commit()
    tasks[0]["scopes"].remove(gone)
    flow["statuses"].append(work.query("Status where name is Open").one())
    chosen["items"].extend(tasks)
    work.commit()
    tasks[1]["lists"].remove(chosen)
    work.commit()
    with session_over(direct) as other:
        assert [each["name"] for each in other.query("Task where name is a").one()["scopes"]] == ["in"]
        assert [each["name"] for each in other.query("TypedContextList").one()["items"]] == ["a"]
        found = other.query("WorkflowSchema where name is w").one()
        assert [each["name"] for each in found["statuses"]] == ["Open"]
        assert len(other.query(f"WorkflowSchemaStatus where workflow_schema_id is {found.id}").all()) == 1


def test_keys_of_several_parts_work_everywhere(work: Session, direct: Direct) -> None:
    """Created by references or by keys, got, populated, refreshed, compared and deleted."""
    note = work.create("Note", {"content": "hello", "author": work.query("User where username is admin").one()})
    work.commit()
    user = work.query("User where username is bo").one()
    recipient = work.create("Recipient", {"note": note, "recipient": user, "text_mentioned": "bo"})
    assert recipient.identity.key == (note["id"], user["id"])
    assert (recipient["note_id"], recipient["resource_id"]) == recipient.identity.key
    work.commit()
    with pytest.raises(SchemaError, match=r"immutable|primary key"):
        recipient["note"] = None
    with session_over(direct) as other:
        found = other.get("Recipient", [note["id"], user["id"]])
        assert found is other.get("Recipient", (note["id"], user["id"]))
        assert (found["text_mentioned"], found["recipient"]["username"]) == ("bo", "bo")
        both = other.query("Recipient where note.content is hello order by text_mentioned").all()
        assert found in both
        other.populate(both, "recipient, note.content")
        assert {each["note"]["content"] for each in both} == {"hello"}
        assert [each["note_id"] for each in other.query("select text_mentioned from Recipient").records()] == [
            note["id"] for _ in both
        ]
        found["text_mentioned"] = "you"
        other.commit()
    work.refresh(recipient)
    assert recipient["text_mentioned"] == "you"
    work.delete(recipient)
    work.commit()
    assert work.get("Recipient", recipient.identity.key) is None
    with pytest.raises(UsageError, match="note_id, resource_id"):
        work.get("Recipient", "x")
    with pytest.raises(SchemaError, match="make its key"):
        work.create("Recipient", {"note": note})


def test_numbers_about_all_are_put_together(work: Session) -> None:
    """From what the server tells of groups."""
    for number, task in enumerate(work.query("Task order by name"), 1):
        task["bid"] = float(number)
    work.commit()
    query = work.query("Task where bid > 0")
    assert query.count() == 2
    assert query.aggregate("sum(bid)", "average(bid)", "maximum(bid)", "count") == [
        {"sum(bid)": 3.0, "average(bid)": 1.5, "maximum(bid)": 2.0, "count": 2}
    ]
    assert work.query("Task where bid > 9").aggregate("count", "sum(bid)") == [{"count": 0, "sum(bid)": None}]
    assert work.query("Task").aggregate("count", group_by=["status.name"]) == [{"status.name": "Open", "count": 2}]


def test_pages_follow_the_last_row_or_the_offset(work: Session, direct: Direct) -> None:
    """And a limit holds across them."""
    names = [f"{number:02}" for number in range(12)]
    for number, name in enumerate(names):
        work.create("Scope", {"name": name, "id": f"scope-{11 - number:02}"})
    work.commit()
    for order in ("", " order by name", " order by name descending"):
        assert sorted(each["name"] for each in work.query(f"Scope{order}", page_size=5)) == names
    assert [each["name"] for each in work.query("Scope order by name offset 2 limit 7", page_size=3)] == names[2:9]
    texts = [json.loads(request.content)[0].get("expression", "") for request in direct.sent]
    assert any('name > "' in text for text in texts)


def lose(direct: Direct, place: str) -> Callable[[Request], None]:
    """Lose the next commit, on its way to the server or on its way back."""

    def interrupt(request: Request) -> None:
        if not request.safe:
            setattr(direct, place, lambda request: None)
            raise Disconnected("the cable was cut")

    setattr(direct, place, interrupt)
    return interrupt


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_lost_commit_is_done_once(work: Session, direct: Direct, place: str) -> None:
    """Whether the request or the answer was lost: what became of it is looked up first."""
    task = work.query("Task where name is a").one()
    work.create("Scope", {"name": "new"})
    task["metadata"]["x"] = "y"
    task["name"] = "renamed"
    lose(direct, place)
    with pytest.raises(CommitError, match="no answer"):
        work.commit()
    with pytest.raises(StateError, match="in doubt"):
        task["name"] = "later"
    sent = len(direct.sent)
    result = work.commit()
    assert result is not None
    assert result.replayed is (place == "after")
    written = [request for request in direct.sent[sent:] if not request.safe]
    assert len(written) == (1 if place == "before" else 0)
    with session_over(direct) as other:
        assert other.query("Scope where name is new").count() == 1
        assert dict(other.query("Task where name is renamed").one()["metadata"]) == {"is": "a", "x": "y"}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("what", ["update", "delete", "join"])
def test_what_creates_nothing_is_looked_up_too(work: Session, direct: Direct, place: str, what: str) -> None:
    """By its deletes, or by its values and members."""
    task = work.query("Task where name is a").one()
    scope = work.create("Scope", {"name": "s"})
    work.commit()
    if what == "update":
        task["bid"] = 3.5
        task["metadata"]["x"] = "y"
    elif what == "delete":
        work.delete(task)
    else:
        task["scopes"].append(scope)
    lose(direct, place)
    with pytest.raises(CommitError, match="no answer"):
        work.commit()
    result = work.commit()
    assert result is not None
    assert result.replayed is (place == "after")
    with session_over(direct) as other:
        found = other.query("Task where name is a").first()
        if what == "delete":
            assert found is None
        elif what == "update":
            assert (found["bid"], found["metadata"]["x"]) == (3.5, "y")
        else:
            assert [each["name"] for each in found["scopes"]] == ["s"]


def test_a_commit_that_comes_through_late_is_not_doubled(work: Session, direct: Direct) -> None:
    """It is refused the second time, and found to be done then."""
    work.create("Scope", {"id": "late", "name": "late"})
    kept: list[Request] = []

    def hold(request: Request) -> None:
        if not request.safe:
            direct.before = release
            kept.append(request)
            raise Disconnected("no answer in time")

    def release(request: Request) -> None:
        if not request.safe:
            direct.before = lambda request: None
            direct.send(kept.pop())

    direct.before = hold
    with pytest.raises(CommitError, match="no answer"):
        work.commit()
    result = work.commit()
    assert result is not None
    assert result.replayed
    assert work.query("Scope where name is late").count() == 1


def test_a_journal_is_finished_once(work: Session, direct: Direct, tmp_path: Path) -> None:
    """Although the server knows no commit ids."""
    path = tmp_path / "journal.db"
    for place in ("before", "after"):
        with session_over(direct, journal=path) as first:
            first.create("Scope", {"name": place})
            lose(direct, place)
            with pytest.raises(CommitError, match="no answer"):
                first.commit()
        with session_over(direct, journal=path) as second:
            (done,) = second.resume()
            assert done.outcome == ("finished now" if place == "before" else "had finished")
    assert [each["name"] for each in work.query("Scope order by name")] == ["after", "before"]


def test_what_cannot_be_sent_leaves_nothing_in_doubt(work: Session) -> None:
    """It is told at once, and can be repaired."""
    task = work.query("Task where name is a").one()
    task["name"] = "x"
    work.unit.log.add((1, task.identity, "custom_attributes.none", 3, None, None))
    with pytest.raises(SchemaError, match="no configuration"):
        work.commit()
    work.rollback()
    task["name"] = "y"
    work.commit()


def test_a_call_tells_what_the_server_tells(work: Session) -> None:
    """Its data where there is such; entities may be among the arguments."""
    assert work.call("query_server_information")["version"] == "dev"
    rows = work.call("query", expression="select name from Task where name is a")
    assert [row["name"] for row in rows] == ["a"]


# -- settings --------------------------------------------------------------------------------------------


def test_the_vendor_s_environment_is_read() -> None:
    """Where the session is for an ftrack server, and says nothing else."""
    named = {"FTRACK_SERVER": "https://here.test", "FTRACK_API_USER": "bo", "FTRACK_API_KEY": "k"}
    found = resolve(None, None, None, False, named)
    assert (found.url, found.user, found.key, found.dialect) == ("https://here.test", "bo", "k", "ftrack")
    assert resolve("https://x.ftrackapp.com/", None, None, False, named).dialect == "ftrack"
    assert resolve("https://other.test", "a", "b", False, named).dialect == "native"
    assert resolve("https://other.test", None, None, False, named, "ftrack").key == "k"
    assert resolve(None, None, None, False, {**named, "CALLSHEET_SERVER": "memory:"}).embedded
    with pytest.raises(UsageError, match="CALLSHEET_API_KEY"):
        resolve("https://other.test", None, None, False, named)
    with pytest.raises(UsageError, match="FTRACK_API_KEY"):
        resolve("https://x.ftrackapp.com", None, None, False, {})


def test_dialects_have_names() -> None:
    """Those built in, and those of other packages."""
    assert {"ftrack", "native"} <= set(dialect_names())
    assert dialect_class("ftrack").name == "ftrack"
    with pytest.raises(UsageError, match="there is no dialect `ftrak`"):
        dialect_class("ftrak")
