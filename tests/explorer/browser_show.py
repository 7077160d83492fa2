"""A show that a browser looks at."""

from __future__ import annotations

from typing import Any

from attrs import define, field

import callsheet

__all__ = ["Show"]


@define
class Show:
    """A server with a show of 1,500 shots, and a session of its administrator."""

    server: Any
    session: Any
    shots: list[Any] = field(factory=list)

    def value(self, number: int, name: str) -> Any:
        """What the server has now."""
        with callsheet.Session(self.server.url, api_user="admin", api_key=self.server.admin_key) as session:
            shot = session.get("Shot", self.shots[number]["id"])
            value = shot[name]
            return value["name"] if isinstance(value, callsheet.Entity) else value
