"""Endpoints of plugins: who may call, what they take, what they answer, and what their faults do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from endpoint_desk import EndpointDesk, open_endpoint_desk

import callsheet
from callsheet.endpoints.routes import load_endpoints
from callsheet.errors import PluginError, UsageError

Desk = Callable[[str], EndpointDesk]
PLUGIN = Path(__file__).parents[2] / "plugins" / "late_tasks.py"


def test_only_accounts_call_an_endpoint(desk: Desk) -> None:
    """A request without a key, or with a wrong one, never reaches the function."""
    opened = desk("""
        @callsheet.endpoint("hello")
        def hello(session):
            return {"account": session.api_user}
    """)
    assert opened.client("").get("/endpoints/hello").status_code == 401
    assert opened.client("").get("/endpoints/hello", headers={"authorization": "Bearer cs_no"}).status_code == 401
    assert opened.client("anna").get("/endpoints/hello").json() == {"account": "anna"}


def test_roles_are_checked_before_the_function_runs(desk: Desk) -> None:
    """One of the roles is enough; an administrator needs none of them."""
    opened = desk("""
        @callsheet.endpoint("budget", roles=["producer", "accountant"])
        def budget():
            return 7
    """)
    refused = opened.client("anna").get("/endpoints/budget")
    assert (refused.status_code, refused.json()["error"]["kind"]) == (403, "forbidden")
    assert "producer, accountant" in refused.json()["error"]["message"]
    assert opened.client("vera").get("/endpoints/budget").json() == 7
    assert opened.client("admin").get("/endpoints/budget").json() == 7


def test_a_public_endpoint_needs_no_account(desk: Desk) -> None:
    """It has a session if there is a caller, and None if there is none; a wrong key is refused all the same."""
    opened = desk("""
        @callsheet.endpoint("status", public=True)
        def status(session):
            return {"known": session is not None}

        @callsheet.endpoint("inbox", methods="POST", public=True)
        def inbox(text: str):
            return text.upper()
    """)
    assert opened.client("").get("/endpoints/status").json() == {"known": False}
    assert opened.client("anna").get("/endpoints/status").json() == {"known": True}
    assert opened.client("").get("/endpoints/status", headers={"authorization": "Bearer cs_no"}).status_code == 401
    assert opened.client("").post("/endpoints/inbox", json={"text": "wrap"}).text == "WRAP"


def test_arguments_have_the_types_of_their_annotations(desk: Desk) -> None:
    """They come from the path, the parameters, or the body's object; what does not fit is named."""
    opened = desk("""
        from datetime import date
        from typing import Literal

        @callsheet.endpoint("shots/{number}/frames")
        def frames(number: int, first: date, view: Literal["left", "right"] = "left", tag: list[str] = ()):
            return [number, first, view, list(tag)]

        @callsheet.endpoint("shots", methods=["POST", "PUT"])
        def shots(names: list[str], count: int = 1, request=None):
            return {"names": names, "count": count, "method": request.method}
    """)
    client = opened.client()
    assert client.get("/endpoints/shots/12/frames?first=2026-12-01&tag=a&tag=b").json() == [
        12,
        "2026-12-01",
        "left",
        ["a", "b"],
    ]
    assert client.put("/endpoints/shots", json={"names": ["sh010"]}).json() == {
        "names": ["sh010"],
        "count": 1,
        "method": "PUT",
    }
    wrong = {
        "/endpoints/shots/x/frames?first=2026-12-01": "`number`: Expected `int`",
        "/endpoints/shots/1/frames": "the argument `first` is missing",
        "/endpoints/shots/1/frames?first=2026-12-01&view=up": "`view`: Invalid enum value 'up'",
        "/endpoints/shots/1/frames?first=2026-12-01&frist=2": "there is no argument `frist`; known are first, ",
    }
    for address, reason in wrong.items():
        answer = client.get(address)
        assert answer.status_code == 422 or answer.status_code == 400, address
        assert reason in answer.json()["error"]["message"]
    for body in (b"{", b"[1]", b'{"names": "sh010"}', b'{"names": [], "count": "1"}', b"\xff", b"[" * 100_000):
        answer = client.post("/endpoints/shots", content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, body


def test_changes_of_the_callers_session_are_committed_when_the_function_returns(desk: Desk) -> None:
    """By the caller's rights: what a caller may not change, its endpoint cannot change."""
    opened = desk("""
        @callsheet.endpoint("projects", methods="POST")
        def add(name: str, session):
            made = session.create("Project", {"name": name})
            return made

        @callsheet.endpoint("broken", methods="POST")
        def broken(session):
            session.create("Project", {"name": "never"})
            raise ValueError("a secret of the server")
    """)
    made = opened.client("anna").post("/endpoints/projects", json={"name": "tide"})
    assert made.json()["type"] == "Project"
    assert opened.client("vera").post("/endpoints/projects", json={"name": "reef"}).status_code == 403
    failed = opened.client("anna").post("/endpoints/broken")
    assert failed.status_code == 500
    assert "secret" not in failed.text
    assert "reference" in failed.json()["error"]["details"]
    with opened.session() as session:
        assert [each["name"] for each in session.query("Project")] == ["tide"]
        (entry,) = session.history(session.get("Project", made.json()["id"]))
        assert entry.user == "anna"


def test_functions_may_be_asynchronous(desk: Desk) -> None:
    """They take an asynchronous session, and what they changed is committed, too."""
    opened = desk("""
        import asyncio

        @callsheet.endpoint("later", methods="POST")
        async def later(name: str, session):
            await asyncio.sleep(0)
            session.create("Project", {"name": name})
            return {"projects": len(await session.query("Project").all())}

        @callsheet.endpoint("count")
        async def count(session):
            for project in await session.query("Project").all():
                yield {"name": project["name"]}
    """)
    assert opened.client().post("/endpoints/later", json={"name": "tide"}).json() == {"projects": 0}
    lines = opened.client().get("/endpoints/count").text.splitlines()
    assert [json.loads(line) for line in lines] == [{"name": "tide"}]


def test_streams_are_sent_as_they_are_made(desk: Desk) -> None:
    """Texts and bytes as they are, other values as lines of JSON; a session goes from thread to thread."""
    opened = desk("""
        @callsheet.endpoint("statuses")
        def statuses(session):
            for status in session.query("Status").order_by("name"):
                yield {"name": status["name"]}

        @callsheet.endpoint("pieces")
        def pieces():
            yield b"a"
            yield "b"

        @callsheet.endpoint("early")
        def early():
            raise callsheet.UsageError("not today")
            yield b""

        @callsheet.endpoint("midway")
        def midway():
            yield b"a"
            raise ValueError("half")
    """)
    client = opened.client()
    lines = client.get("/endpoints/statuses").text.splitlines()
    assert len(lines) > 5
    assert all(json.loads(line)["name"] for line in lines)
    assert client.get("/endpoints/pieces").content == b"ab"
    assert client.get("/endpoints/early").status_code >= 400


def test_a_stream_ends_when_its_reader_leaves(tmp_path: Path) -> None:
    """The rest is not made, and the generator is closed."""
    import httpx

    source = """
        from pathlib import Path

        @callsheet.endpoint("endless")
        def endless(mark: str):
            try:
                while True:
                    yield b"x" * 65536
            finally:
                Path(mark).write_text("closed")
    """
    path, mark = tmp_path / "own.py", tmp_path / "closed"
    from textwrap import dedent

    path.write_text("import callsheet\n" + dedent(source))
    with callsheet.serve(plugins=[path], limits={"threads": 4}) as server:
        headers = {"authorization": f"Bearer {server.admin_key}"}
        with httpx.stream(
            "GET", f"{server.url}/endpoints/endless", params={"mark": str(mark)}, headers=headers
        ) as read:
            assert len(next(read.iter_raw(1_000))) == 1_000
        deadline = 200
        while not mark.exists() and deadline:
            import time

            time.sleep(0.05)
            deadline -= 1
        assert mark.read_text() == "closed"


def test_what_is_sent_cannot_run_as_the_servers_page(desk: Desk) -> None:
    """HTML of an endpoint is shown without scripts and apart from the server's cookies, and sets none."""
    opened = desk("""
        from callsheet.flow import Response

        @callsheet.endpoint("page")
        def page():
            return Response(200, b"<script>1</script>", {"Content-Type": "text/html", "Set-Cookie": "callsheet=x"})

        @callsheet.endpoint("text")
        def text():
            return "<script>"
    """)
    answer = opened.client().get("/endpoints/page")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    text = opened.client().get("/endpoints/text")
    assert text.headers["content-type"].startswith("text/plain")
    assert text.headers["x-content-type-options"] == "nosniff"


def test_faults_of_a_function_end_no_server(desk: Desk) -> None:
    """Whatever it raises or returns, the next request is answered."""
    opened = desk("""
        import sys

        @callsheet.endpoint("exit")
        def leave():
            sys.exit(3)

        @callsheet.endpoint("deep")
        def deep():
            return deep()

        @callsheet.endpoint("odd")
        def odd():
            return {"a": object()}

        @callsheet.endpoint("loop")
        def loop():
            found = []
            found.append(found)
            return found

        @callsheet.endpoint("fine")
        def fine():
            return None
    """)
    for name in ("exit", "deep", "odd", "loop"):
        assert opened.client().get(f"/endpoints/{name}").status_code == 500, name
    assert opened.client().get("/endpoints/fine").status_code == 204
    assert opened.client().get("/endpoints/nothing").status_code == 404
    assert opened.client().post("/endpoints/fine").status_code == 405


def test_a_pages_cookie_needs_its_token_for_what_changes(desk: Desk) -> None:
    """Another site can make a browser send the cookie, and not the token."""
    opened = desk("""
        @callsheet.endpoint("do", methods="POST")
        def do():
            return "done"
    """)
    code = opened.service.backend("anna").call("own.page", {})["code"]
    browser = opened.client("")
    token = browser.post("/explorer/x/session", json={"code": code}).json()["token"]
    assert browser.post("/endpoints/do").status_code == 401
    assert browser.post("/endpoints/do", headers={"x-callsheet-token": token}).text == "done"


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ('@callsheet.endpoint("/a")\ndef f(): ...', "is no path of an endpoint"),
        ('@callsheet.endpoint("a/../b")\ndef f(): ...', "is no path of an endpoint"),
        ('@callsheet.endpoint("a/{x}/{x}")\ndef f(x): ...', "names a part twice"),
        ('@callsheet.endpoint("a/{x}")\ndef f(): ...', "has no argument `x`"),
        ('@callsheet.endpoint("a", methods="FETCH")\ndef f(): ...', "methods are some of GET"),
        ('@callsheet.endpoint("a", methods=["GET", "POST"])\ndef f(): ...', "some have a body"),
        ('@callsheet.endpoint("a", roles="x", public=True)\ndef f(): ...', "cannot have roles"),
        ('@callsheet.endpoint("a")\ndef f(*rest): ...', "has no name that a request could have"),
        ('@callsheet.endpoint("a")\ndef f(x: type(lambda: 0)): ...', "no request can have `x`"),
        ('@callsheet.endpoint("a", methods="POST")\ndef f(body: dict, x: int): ...', "whole `body`"),
        ('@callsheet.endpoint("a")\ndef f(): ...\n@callsheet.endpoint("a")\ndef g(): ...', "declared twice"),
        ('@callsheet.endpoint("a/{x}")\ndef f(x): ...\n@callsheet.endpoint("a/{y}")\ndef g(y): ...', "declared twice"),
        ('t = callsheet.forward("a", to="ftp://host")', "is forwarded to an address"),
        ('t = callsheet.forward("a/{b}/c", to="http://host")', "one named part"),
    ],
)
def test_what_cannot_be_served_is_refused_when_the_server_starts(tmp_path: Path, declared: str, reason: str) -> None:
    """With the file, so that nothing is found missing later."""
    path = tmp_path / "own.py"
    path.write_text("import callsheet\n" + declared)
    with pytest.raises(UsageError, match=reason) as found:
        load_endpoints([path], allow_writable=True)
    assert "own.py" in str(found.value)


def test_files_that_cannot_be_run_stop_the_start(tmp_path: Path) -> None:
    """A server does not start with a part of what it should serve."""
    with pytest.raises(PluginError, match="does not exist"):
        load_endpoints([tmp_path / "none.py"])
    broken = tmp_path / "broken.py"
    broken.write_text("import callsheet.endpoints\nraise KeyError('studio')")
    with pytest.raises(PluginError, match="KeyError: 'studio'"):
        load_endpoints([broken], allow_writable=True)
    broken.write_text("# endpoint")
    broken.chmod(0o666)
    with pytest.raises(PluginError, match="every account may write"):
        load_endpoints([broken])


def test_the_shipped_plugin_answers_late_tasks(tmp_path: Path) -> None:
    """As the caller may see them, as JSON and as text, and it moves a day."""
    from datetime import UTC, datetime, timedelta

    with open_endpoint_desk(tmp_path, PLUGIN) as opened, opened.session() as session:
        today = datetime.now(UTC).date()
        project = session.create("Project", {"name": "tide"})
        shot = session.create("Shot", {"name": "sh010", "parent": project})
        days: dict[str, Any] = {"comp, final": today - timedelta(days=3), "anim": today + timedelta(days=1)}
        tasks = {
            name: session.create("Task", {"name": name, "parent": shot, "due_date": due}) for name, due in days.items()
        }
        session.commit()
        client = opened.client("anna")
        (found,) = client.get("/endpoints/late-tasks").json()
        assert (found["name"], found["of"], found["due"]) == ("comp, final", "sh010", str(days["comp, final"]))
        assert client.get("/endpoints/late-tasks?days=7").json() == []
        assert client.get("/endpoints/late-tasks.csv").text == f'name,of,due\n"comp, final",sh010,{found["due"]}\n'
        moved = client.post(f"/endpoints/tasks/{tasks['comp, final']['id']}/postpone", json={"days": 5})
        assert moved.json() == {"due": str(today + timedelta(days=2))}
        assert client.get("/endpoints/late-tasks").json() == []
