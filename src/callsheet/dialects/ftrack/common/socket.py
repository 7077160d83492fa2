"""The packets of Socket.IO 0.9, as far as ftrack uses it: text in, text out. Pure, for both halves.

A packet is ``code:id:path:data``. What is left out at the end may be missing (``2``, ``2::``, ``2:::`` are all a
heartbeat). An id with a ``+`` requests an acknowledgement, whose data name that id. An event's data are
``{"name": "ftrack.event", "args": [envelope]}``; what an envelope holds is in ``envelope.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from attrs import frozen

from callsheet.model.plain import Malformed, decode, encode

__all__ = [
    "Acknowledgement",
    "Handshake",
    "Kind",
    "Packet",
    "acknowledgement",
    "event_packet",
    "read_acknowledgement",
    "read_envelopes",
    "read_handshake",
    "read_packet",
]

NAMESPACE = "ftrack.event"
_ID = re.compile(r"(\d{1,18})(\+?)\Z", re.ASCII)


class Kind(IntEnum):
    """What a packet is."""

    DISCONNECT = 0
    CONNECT = 1
    HEARTBEAT = 2
    MESSAGE = 3
    JSON = 4
    EVENT = 5
    ACKNOWLEDGE = 6
    ERROR = 7
    NOOP = 8


@frozen
class Packet:
    """One packet. ``number`` is its id; with ``wants`` it is to be acknowledged, which takes a number.

    >>> str(Packet(Kind.HEARTBEAT)), str(Packet(Kind.EVENT, 3, True, data="{}"))
    ('2::', '5:3+::{}')
    """

    kind: Kind
    number: int | None = None
    wants: bool = False
    path: str = ""
    data: str = ""

    def __str__(self) -> str:
        name = "" if self.number is None else f"{self.number}{'+' if self.wants else ''}"
        text = f"{self.kind.value}:{name}:{self.path}"
        return f"{text}:{self.data}" if self.data else text


def read_packet(text: str) -> Packet:
    """The packet that a frame holds; `Malformed` for anything else.

    >>> read_packet("5:1+::{}") == Packet(Kind.EVENT, 1, True, "", "{}")
    True
    >>> read_packet("2").kind.name
    'HEARTBEAT'
    """
    code, name, path, data = (*text.split(":", 3), "", "", "")[:4]
    if len(code) != 1 or code not in "012345678":
        raise Malformed(f"{text!r:.60} is no packet: it begins with none of the codes 0 to 8")
    found = _ID.match(name)
    if name and found is None:
        raise Malformed(f"{name!r:.60} is no packet's id")
    if found is None:
        return Packet(Kind(int(code)), None, False, path, data)
    return Packet(Kind(int(code)), int(found[1]), bool(found[2]), path, data)


# -- events ----------------------------------------------------------------------------------------------------


def event_packet(envelope: Mapping[str, Any], number: int | None = None) -> Packet:
    """The packet that carries an event. One with a number is to be acknowledged; a server's has none."""
    data = encode({"name": NAMESPACE, "args": [envelope]}).decode()
    return Packet(Kind.EVENT, number, number is not None, "", data)


def read_envelopes(packet: Packet) -> list[Mapping[str, Any]]:
    """The envelopes in an event's packet: one, or none where the event is of another name."""
    decoded = decode(packet.data.encode("utf-8", "surrogatepass"))
    if not isinstance(decoded, dict) or not isinstance(decoded.get("args", []), list):
        raise Malformed("an event's packet holds a name and a list of arguments")
    if decoded.get("name") != NAMESPACE:
        return []
    envelopes = decoded.get("args", [])
    if len(envelopes) != 1 or not isinstance(envelopes[0], dict):
        raise Malformed("an event's packet has one argument, the event")
    return [envelopes[0]]


# -- acknowledgements ------------------------------------------------------------------------------------------


@frozen
class Acknowledgement:
    """What became of the packet of a number."""

    number: int
    success: bool = True
    message: str = ""


def acknowledgement(number: int, refused: str | None = None) -> Packet:
    """The packet that acknowledges another one, or has the reason why it was refused.

    >>> str(acknowledgement(7))
    '6:::7+[{"success":true}]'
    """
    answer: dict[str, Any] = {"success": True} if refused is None else {"success": False, "message": refused}
    return Packet(Kind.ACKNOWLEDGE, data=f"{number}+{encode([answer]).decode()}")


def read_acknowledgement(packet: Packet) -> Acknowledgement:
    """Which packet is acknowledged; without arguments it went well.

    >>> read_acknowledgement(acknowledgement(7, "no"))
    Acknowledgement(number=7, success=False, message='no')
    """
    name, _, arguments = packet.data.partition("+")
    if _ID.match(name) is None:
        raise Malformed(f"{name!r:.60} is no packet's id")
    decoded = decode(arguments.encode("utf-8", "surrogatepass")) if arguments else []
    first = decoded[0] if isinstance(decoded, Sequence) and decoded else None
    if not isinstance(first, dict):
        return Acknowledgement(int(name))
    return Acknowledgement(int(name), first.get("success", True) is not False, str(first.get("message") or ""))


# -- the handshake ---------------------------------------------------------------------------------------------


@frozen
class Handshake:
    """What a server answers before a socket is opened: who bears the session, and after how long silence means an end.

    >>> str(Handshake("a1", 15, 25))
    'a1:15:25:websocket'
    """

    session: str
    heartbeat: int
    close: int

    def __str__(self) -> str:
        return f"{self.session}:{self.heartbeat}:{self.close}:websocket"


def read_handshake(text: str) -> Handshake:
    """The answer to a handshake; `Malformed` where it is none, or offers no websocket.

    >>> read_handshake("a1:15:25:xhr-polling,websocket").session
    'a1'
    """
    parts = text.strip().split(":")
    if len(parts) < 4 or not re.fullmatch(r"[\w.~-]+", parts[0], re.ASCII):
        raise Malformed(f"{text!r:.80} is no answer to a handshake")
    if "websocket" not in parts[3].split(","):
        raise Malformed(f"the server offers {parts[3]!r:.60}, and no websocket")
    heartbeat, close = (int(part) if part.isascii() and part.isdigit() and len(part) < 7 else 60 for part in parts[1:3])
    return Handshake(parts[0], heartbeat, close)
