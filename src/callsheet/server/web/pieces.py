"""Responses whose content is made while it is sent, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

import anyio

from callsheet.dialects.routes import Refuse, StreamedContent
from callsheet.errors import CallsheetError
from callsheet.server.deadline import Deadline, within
from callsheet.server.web.asgi import ACCOUNT, Gone, Message, Scope, Send, send_response
from callsheet.server.web.newcomers import cancel_on_close
from callsheet.server.web.turns import Turns

__all__ = ["SEND_SECONDS", "send_pieces", "sent_within"]

SEND_SECONDS = 60.0
"""How long a reader may read nothing."""


async def send_pieces(
    content: StreamedContent, scope: Scope, send: Send, turns: Turns, seconds: float, refuse: Refuse | None
) -> None:
    """Send a response; each piece has a turn, and a deadline, of its own.

    It ends when its reader leaves, or reads nothing for a minute: the rest of the content is not made then. ``refuse``
    returns the response for an error before the first piece.
    """
    account: str = scope.get(ACCOUNT, "")
    pieces = content.pieces
    begun = False
    try:
        while True:
            deadline = Deadline(account, seconds)
            cancel_on_close(scope, deadline)
            try:
                piece = await turns.run(account, _next, deadline, pieces)
            except Gone:
                return
            except CallsheetError as error:
                if begun or refuse is None:
                    raise
                await send_response(send, refuse(error))
                return
            if not begun:
                begun = True
                await send(_start(content))
            if piece is None:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            if not await sent_within(SEND_SECONDS, send, piece):
                return
    finally:
        with anyio.CancelScope(shield=True):
            await turns.run(account, _close, pieces)


def _next(deadline: Deadline, pieces: Iterator[bytes]) -> bytes | None:
    if deadline.gone:
        raise Gone
    with within(deadline):
        return next(pieces, None)


def _close(pieces: Iterator[bytes]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()


def _start(content: StreamedContent) -> Message:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **content.headers}
    encoded = [(name.encode("latin-1"), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": content.status, "headers": encoded}


async def sent_within(seconds: float, send: Send, piece: bytes) -> bool:
    """Whether the reader read a piece of a response, which goes on after it, in time."""
    with anyio.move_on_after(seconds) as clock:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    return not clock.cancelled_caught
