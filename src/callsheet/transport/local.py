"""The transport of a session whose server lives in the same process: there is nobody to send to."""

from __future__ import annotations

from typing import NoReturn

from callsheet.errors import StateError
from callsheet.flow import Request

__all__ = ["LocalTransport"]


class LocalTransport:
    """Refuses every request; a local dialect yields only `Work`. It serves blocking and awaiting sessions."""

    def __repr__(self) -> str:
        return "<LocalTransport>"

    def send(self, request: Request) -> NoReturn:
        raise StateError(
            f"this session works on a store in its own process and has no server for {request.method} {request.path}; "
            "open a session with the server's URL"
        )

    def close(self) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Nothing is open."""
