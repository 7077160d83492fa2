"""Recorded exchanges of a release, and what the present client makes of an answer."""

from __future__ import annotations

from typing import Any

import httpx
from dialogue import STEPS
from meaning import covers, plain
from present import NAMES
from releases import Release

from callsheet.dialects.native.client import NativeDialect
from callsheet.errors import CallsheetError
from callsheet.flow import Response

__all__ = ["ADMIN_KEY", "ANNA_KEY", "Understanding", "ask", "keys_on", "recorded"]

EXPECTED = ("describe.version", "describe what is known.version")
"""A server says its own version, which another one does not have."""
DROPPED = (".features.assigns_keys is not there",)
"""Facts that no client of any release reads, and that are not sent any more."""
ADMIN_KEY, ANNA_KEY = "the-key-of-the-admin", "the-key-of-anna-the-lead"


def recorded(release: Release) -> list[dict[str, Any]]:
    """The exchanges of a release's conversation, in order."""
    found: list[dict[str, Any]] = release.json("conversation.json")
    return found


def ask(client: httpx.Client, exchange: dict[str, Any], keys: dict[str, str]) -> Response:
    """The answer of a server to a request as the release sent it."""
    request = exchange["request"]
    key = STEPS[exchange["step"]].key or keys[exchange["user"]]
    sent = client.request(
        request["method"],
        request["path"],
        params=request["params"],
        content=request["content"].encode("latin-1"),
        headers={**request["headers"], "authorization": f"Bearer {key}"},
    )
    return Response(sent.status_code, sent.content, dict(sent.headers))


def keys_on(client: httpx.Client) -> dict[str, str]:
    """The keys of those who ask, on a server of the release's database; dora gets hers now."""
    made = client.post(
        "/v1/call/users.key", json={"name": "dora"}, headers={"authorization": f"Bearer {ADMIN_KEY}"}
    ).json()
    return {"admin": ADMIN_KEY, "anna": ANNA_KEY, "dora": made["result"]["key"]}


class Understanding:
    """The present client in a conversation: it is given the answers in order and compares what they mean."""

    def __init__(self) -> None:
        self._dialect = NativeDialect()
        self._meanings: dict[str, Any] = {}

    def faults(self, exchange: dict[str, Any], response: Response) -> list[str]:
        """Where the answer means less than, or something else than, what the release understood of its own."""
        name = exchange["step"]
        understood = plain(self._meaning(name, response))
        if name.startswith("describe"):
            meaning = self._meanings[name]
            understood["schema"] = None if meaning.schema is None else meaning.schema.hash
        return [
            fault
            for fault in covers(understood, exchange["meaning"], name)
            if not fault.startswith(EXPECTED) and not fault.endswith(DROPPED)
        ]

    def _meaning(self, name: str, response: Response) -> Any:
        step = STEPS[name]
        spoken = self._dialect if step.position is None else self._dialect.at(step.position)
        if step.position is not None:
            spoken.learn(self._meanings["describe"].schema)
        flow = step.make(spoken, NAMES, self._meanings)
        next(flow)
        try:
            flow.send(response)
        except StopIteration as end:
            self._meanings[name] = end.value
            if name == "describe":
                self._dialect.learn(end.value.schema)
            return end.value
        except CallsheetError as error:
            return error
        raise AssertionError(f"{name} takes more than one request")
