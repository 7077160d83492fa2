"""Watches over HTTP: the text of the stream, who may read it and for how long, and what is refused before it begins."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from studio import Studio, open_studio, project, task, update
from test_revocation import OWN_KEY, PRIVATE, WAYS
from test_streaming import A, House, P, Q, Reader, running

from callsheet import Session
from callsheet.server.limits import Limits
from callsheet.server.process import serve
from callsheet.server.web.application import application

BY_NAME = {"select": {"entity_type": "Task"}, "functions": [["count", None]], "group": [["name"]]}


class WatchingReader(Reader):
    """One request for watches."""

    def __init__(self, app: Any, key: str, body: Any) -> None:
        self.body = json.dumps(body).encode()
        super().__init__(app, key, {"content-type": "application/json"}, [])
        self.scope |= {"method": "POST", "path": "/v1/watch", "raw_path": b"/v1/watch"}

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}


def watching(house: House, *watches: Any, key: str | None = None) -> WatchingReader:
    body = {"watches": list(watches) or [{"aggregate": BY_NAME}]}
    house.readers.append(WatchingReader(house.app, house.key if key is None else key, body))
    found = house.readers[-1]
    assert isinstance(found, WatchingReader)
    return found


def test_the_text_is_one_whole_answer_and_then_changes(studio: Studio) -> None:
    """Each with its position as id; fields that are empty are left out."""
    studio.commit(project("p"), task("a", P), task("b", P))

    async def test(house: House) -> None:
        reader = watching(house)
        await reader.until(lambda: len(reader.events()) == 1)
        assert reader.text.startswith(b"retry: 1000\n\nid: 1\ndata: {")
        (first,) = reader.events()
        digest = first.pop("digest")
        assert first == {"watch": 0, "position": 1, "rows": [["a", 1], ["b", 1]]}
        await house.do(lambda: studio.commit(update(A, name="c")))
        await reader.until(lambda: len(reader.events()) == 2)
        change = reader.events()[1]
        assert change.pop("digest") != digest
        assert change == {
            "watch": 0, "position": 2, "rows": [["c", 1]], "before": 1, "places": [1], "gone": [["a"]],
        }  # fmt: skip
        again = watching(house, {"aggregate": BY_NAME, "since": {"position": 1, "digest": digest}})
        await again.until(lambda: len(again.events()) == 1)
        assert again.events()[0] == reader.events()[1]
        lost = watching(house, {"aggregate": BY_NAME, "since": {"position": 1, "digest": "?"}})
        await lost.until(lambda: len(lost.events()) == 1)
        assert lost.events()[0]["reason"] == "lost"
        assert "before" not in lost.events()[0]

    running(test, studio)


def test_a_slow_reader_is_sent_one_change_for_many_commits(studio: Studio) -> None:
    """While it takes nothing, no text is made for it."""
    studio.commit(project("p"), task("a", P))

    async def test(house: House) -> None:
        slow, quick = watching(house), watching(house)
        await slow.until(lambda: b"id: 1\n\nid: 1\n\n" in slow.text or slow.text.count(b"id: ") == 2)
        slow.taking.clear()
        for number in range(5):
            await house.do(lambda number=number: studio.commit(update(A, name=f"n{number}")))
            await quick.until(lambda number=number: f'"n{number}"'.encode() in quick.text)
        slow.taking.set()
        await slow.until(lambda: b'"n4"' in slow.text)
        # One change may have been on its way when the reader stopped; all later ones are one.
        assert len(slow.events()) in (2, 3)
        assert len(quick.events()) == 6

    running(test, studio)


@pytest.mark.parametrize("take", WAYS)
def test_what_is_taken_from_an_account_leaves_its_watch(take: Any) -> None:
    """Rows are gone, or the stream ends; nothing that is committed afterwards is sent."""
    everywhere = take.__name__ == "make_private"
    with open_studio(document=PRIVATE) as studio:
        service = studio.service
        service.accounts.add("gina", "guest", OWN_KEY)
        studio.commit(project("p"), project("q"))
        service.roles.grant("gina", "reader", "q")
        service.roles.add("looker", ["read:*"])
        service.roles.grant("gina", "looker", None if everywhere else "p")
        studio.commit(task("a", P), task("b", Q))

        async def test(house: House) -> None:
            reader = watching(house, key=OWN_KEY)
            await reader.until(lambda: len(reader.events()) == 1)
            assert reader.events()[0]["rows"] == [["a", 1], ["b", 1]]
            await house.do(lambda: take(service))
            await house.do(lambda: studio.commit(task("secret", P)))
            await reader.until(lambda: reader.over or ["a"] in reader.events()[-1].get("gone", []))
            assert b"secret" not in reader.text

        running(test, studio)


REFUSED: list[tuple[Any, str]] = [
    ({"watches": []}, "from 1 to 100"),
    ({"watches": [{"aggregate": BY_NAME}] * 101}, "from 1 to 100"),
    ({}, "watches"),
    ([], "object"),
    ({"watches": [{"aggregate": BY_NAME, "sinze": 1}]}, "sinze"),
    ({"watches": [{"aggregate": BY_NAME, "since": {"position": -1}}]}, "position"),
    ({"watches": [{"aggregate": BY_NAME, "since": {"position": 99}}]}, "99"),
    ({"watches": [{"aggregate": BY_NAME, "at": 1}]}, "of the present"),
    ({"watches": [{"aggregate": BY_NAME, "scenario": "x"}]}, "of the present"),
    ({"watches": [{"aggregate": {**BY_NAME, "group": [["nam"]]}}]}, "nam"),
    ({"watches": [{"aggregate": {**BY_NAME, "select": {"entity_type": "Tusk"}}}]}, "Tusk"),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_what_cannot_be_watched_is_refused_before_the_stream_begins(studio: Studio, body: Any, message: str) -> None:
    """With status 422 and a text that names it; nothing stays watched."""
    studio.commit(project("p"))
    with TestClient(application(studio.service)) as client:
        headers = {"authorization": f"Bearer {studio.service.new_admin_key}"}
        answer = client.post("/v1/watch", json=body, headers=headers)
    assert answer.status_code == 422
    assert message in answer.json()["error"]["message"]
    assert not studio.service.watches._watched


def test_only_accounts_watch_and_only_the_present(studio: Studio) -> None:
    """Without a key 401; with a header of a past or a scenario 422; by GET 405, with what it takes."""
    with TestClient(application(studio.service)) as client:
        body, key = {"watches": [{"aggregate": BY_NAME}]}, {"authorization": f"Bearer {studio.service.new_admin_key}"}
        assert client.post("/v1/watch", json=body).status_code == 401
        for name in ("x-callsheet-at", "x-callsheet-scenario"):
            assert client.post("/v1/watch", json=body, headers={**key, name: "1"}).status_code == 422
        assert client.get("/v1/watch", headers=key).status_code in (404, 405)


def test_an_account_has_so_many_streams_of_watches(studio: Studio) -> None:
    """One more is 429; those that are over count no more."""

    async def test(house: House) -> None:
        first = watching(house)
        await first.until(lambda: len(first.events()) == 1)
        second = watching(house)
        await second.until(lambda: second.over)
        assert second.status == 429
        await first.leave()
        third = watching(house)
        await third.until(lambda: third.over or len(third.events()) == 1)
        assert third.status == 200
        await asyncio.sleep(0)

    running(test, studio, Limits(account_streams=1))


def test_a_watch_goes_on_when_its_server_was_killed(tmp_path: Path) -> None:
    """On the server that follows, with the answer that is here: what was committed meanwhile is the next change."""
    database = f"sqlite:///{(tmp_path / 'show.db').as_posix()}"
    with serve("production", database=database) as server:
        port, key = server._port, server.admin_key
        session = Session(server.url, "admin", key)
        shot = session.create("Shot", {"name": "sh1", "parent": session.create("Project", {"name": "sintel"})})
        session.commit()
        cube = session.create_cube("Task", "Work", keep=False)
        changes = cube.watch("Tasks")
        first = changes.next(30)
        assert first is not None
        server._process.kill()
    with serve("production", database=database, port=port, admin_key=key):
        session.create("Task", {"name": "anim", "parent": shot})
        position = session.commit().position
        change = changes.next(60)
        assert change is not None
        assert (change.before, change.position) == (first.position, position)
        assert [(cell.before, cell.after) for cell in change.cells] == [({"Tasks": 0}, {"Tasks": 1})]
        session.close()
