"""Data that leaves the server and comes back, or is stored, and that nobody else can read or make."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from callsheet.errors import Unauthorised
from callsheet.server.access.login_secret import LoginSecret

__all__ = ["Seals"]

LONGEST = 16 * 2**10


class Seals:
    """Seals of one database, each for a purpose: what is sealed for one is refused for another."""

    def __init__(self, secret: LoginSecret, clock: Callable[[], datetime]) -> None:
        self._secret, self._clock = secret, clock

    def seal(self, purpose: str, data: Any, seconds: float | None = None) -> str:
        """A text that only `open` reads, for so many seconds."""
        until = None if seconds is None else self._clock().timestamp() + seconds
        found: str = self._of(purpose).encrypt(msgspec.json.encode([until, data])).decode()
        return found

    def open(self, purpose: str, text: str) -> Any:
        """The data of a seal. Raises `Unauthorised` for what was not sealed here, or too long ago."""
        from cryptography.fernet import InvalidToken

        try:
            if len(text) > LONGEST:
                raise ValueError
            until, data = msgspec.json.decode(self._of(purpose).decrypt(text.encode("ascii")))
        except (InvalidToken, ValueError):
            raise Unauthorised("this was not made by this server, or was changed") from None
        if until is not None and self._clock().timestamp() >= until:
            raise Unauthorised("this took too long")
        return data

    def _of(self, purpose: str) -> Any:
        from cryptography.fernet import Fernet

        key = hmac.digest(self._secret.made().browser, f"sign-on\n{purpose}".encode(), "sha256")
        return Fernet(base64.urlsafe_b64encode(key))
