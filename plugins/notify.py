"""Tells a webhook what happens: one signed POST for each event.

Run it with ``callsheet listen --plugins plugins/`` and these variables:

- ``CALLSHEET_WEBHOOK_URL``: where to. Without it nothing is sent.
- ``CALLSHEET_WEBHOOK_SECRET``: what the body is signed with, so that the receiver knows who sent it.

The body is the event as JSON. ``X-Callsheet-Event`` is its id: an event may be told more than once, and the receiver
knows by the id. ``X-Callsheet-Signature`` is ``sha256=`` and the HMAC-SHA256 of the body in hexadecimal. A receiver
that does not answer, or answers with an error, is told again, later and later; after that the event is a dead letter
(``callsheet events list``), which can be replayed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from datetime import date
from typing import Any

import httpx

import callsheet
from callsheet import CallsheetError

__all__ = ["NotTold", "body_of", "notify", "register", "signature"]

EVENTS = "topic=callsheet.update and entity.type=Task and changes.status"
SECONDS = 10.0


class NotTold(CallsheetError):
    """The receiver did not take the event."""


def body_of(event: Any) -> bytes:
    """What is sent: the event as JSON, times in ISO 8601."""
    told = {"id": event.id, "topic": event.topic, "data": event.data}
    return json.dumps(told, default=_text, ensure_ascii=False, sort_keys=True).encode()


def signature(body: bytes, secret: str) -> str:
    """The header that proves who sent a body.

    >>> signature(b"{}", "secret")
    'sha256=77325902caca812dc259733aacd046b73817372c777b8d95b402647474516e13'
    """
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@callsheet.handler(EVENTS, name="notify", retries=8, delay=2.0)
def notify(event: Any, session: Any) -> None:
    """Post one event. Raises `NotTold` where it was not taken, so that it is told again."""
    url = os.environ.get("CALLSHEET_WEBHOOK_URL", "")
    if not url:
        return
    body = body_of(event)
    headers = {"content-type": "application/json", "x-callsheet-event": event.id}
    if secret := os.environ.get("CALLSHEET_WEBHOOK_SECRET", ""):
        headers["x-callsheet-signature"] = signature(body, secret)
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise NotTold(f"the webhook did not answer: {type(error).__name__}") from error
    if not answer.is_success:
        raise NotTold(f"the webhook answered {answer.status_code}; the event is told again")


def _text(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def register(session: Any) -> None:
    """Nothing to do: the handler is found by its mark."""
