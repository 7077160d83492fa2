"""Requests of a Kitsu account, without a server: what is sent for which answer."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from kitsu_sync.account import KitsuAccount
from kitsu_sync.reading import IDS
from kitsu_sync.writing import CREATES

from callsheet.errors import Forbidden, Invalid, ServerError, TransportError, Unauthorised
from callsheet.flow import Flow, Request, Response

TOKEN = Response(200, dumps({"login": True, "access_token": "new"}).encode())


def drive(flow: Flow[Any], answers: Sequence[Response]) -> tuple[Any, list[Request]]:
    """The result of a flow that is given these answers, and the requests it made."""
    sent: list[Request] = []
    left = list(answers)
    try:
        step = next(flow)
        while True:
            assert isinstance(step, Request)
            sent.append(step)
            step = flow.send(left.pop(0))
    except StopIteration as end:
        return end.value, sent


class TestRequestsOfAnAccount:
    def test_the_first_request_logs_in(self) -> None:
        """The password is sent once, to the log-in alone; the token from then on."""
        account = KitsuAccount("ada@example.com", "secret")
        result, sent = drive(account.get("/data/projects", name="sintel"), [TOKEN, Response(200, b"[]")])
        assert result == []
        assert [(each.method, each.path) for each in sent] == [("POST", "/auth/login"), ("GET", "/data/projects")]
        assert sent[1].headers["authorization"] == "Bearer new"
        assert sent[1].params == {"name": "sintel"}
        assert "secret" not in repr(account)

    def test_an_ended_token_is_renewed_once(self) -> None:
        """A second refusal is an error, not a loop."""
        account = KitsuAccount("ada@example.com", "secret", token="old")
        refused = Response(401, b'{"msg": "Token has expired"}')
        result, sent = drive(account.put("/data/tasks/1", {}), [refused, TOKEN, Response(200, b"{}")])
        assert (result, len(sent)) == ({}, 3)
        with pytest.raises(Unauthorised):
            drive(account.get("/data/tasks"), [refused, TOKEN, refused])

    def test_a_bot_has_no_password_to_log_in_with(self) -> None:
        """A bot whose token is refused is an error at once."""
        with pytest.raises(Unauthorised):
            drive(KitsuAccount(token="old").get("/data/tasks"), [Response(401, b"{}")])

    @pytest.mark.parametrize(
        ("status", "content", "error", "message"),
        [
            (400, b'{"message": "Malformed ID."}', Invalid, "Malformed ID"),
            (403, b'{"message": "no"}', Forbidden, "403"),
            (422, b'{"message": "a value is wrong"}', Invalid, "a value is wrong"),
            (500, b"<h1>Internal Server Error</h1>", ServerError, "500"),
            (400, b"", Invalid, "no reason given"),
            (404, b'["odd"]', ServerError, "odd"),
        ],
    )
    def test_a_refusal_says_what_was_refused(
        self, status: int, content: bytes, error: type[ServerError], message: str
    ) -> None:
        """The error names method, address, status and the server's reason, in whatever form that came."""
        with pytest.raises(error, match=message) as caught:
            drive(KitsuAccount("a@example.com", "b", "t").get("/data/x"), [Response(status, content)])
        assert "GET /data/x" in str(caught.value)

    @pytest.mark.parametrize("content", [b"<html>", b"{", b"\xff"])
    def test_an_answer_that_is_no_json_is_an_error_of_the_transport(self, content: bytes) -> None:
        """What a proxy says in between is no row."""
        with pytest.raises(TransportError, match="no JSON"):
            drive(KitsuAccount(token="t").get("/data/x"), [Response(200, content)])

    def test_rows_are_a_list(self) -> None:
        """A dict where rows were meant is not iterated by its keys."""
        with pytest.raises(TransportError, match="no list of rows"):
            drive(KitsuAccount(token="t").rows("/data/x"), [Response(200, b'{"a": 1}')])

    def test_a_full_list_of_ids_fits_into_a_request_line(self) -> None:
        """Kitsu's web server refuses lines above 4,094 bytes, with a page of HTML."""
        ids = [str(uuid4()) for _ in range(IDS)]
        flow = KitsuAccount(token="t").rows("/data/entities", id=ids, fields="id,entity_type_id,canceled")
        _, (request,) = drive(flow, [Response(200, b"[]")])
        assert len(f"GET {request.path}?{urlencode(request.params)} HTTP/1.1") < 4_000
        assert CREATES <= IDS
