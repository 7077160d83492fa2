"""When a session opens, its plugins are registered, and then it publishes that it is ready."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from attrs import field, frozen

from callsheet import plugins
from callsheet.core import announcements as occasions
from callsheet.flow import Call, Flow, Work
from callsheet.plugins import Plugin

__all__ = ["Plugging", "enter"]


@frozen
class Plugging:
    """The plugins of a session: their ``paths`` (None: those of the environment, False: none) and options."""

    paths: Sequence[str | Path] | Literal[False] | None = None
    arguments: Mapping[str, Any] = field(factory=dict)
    strict: bool = False
    allow_writable: bool = False
    #: The plugins that were found, once the session is open.
    found: list[Plugin] = field(factory=list)

    def at(self, paths: Sequence[str | Path]) -> Plugging:
        """The same with other paths."""
        return Plugging(paths, self.arguments, self.strict, self.allow_writable)

    def discover(self, dialect: str) -> list[Plugin]:
        """Find the plugins, and import them."""
        if self.paths is False:
            return []
        named = self.paths if self.paths is not None else plugins.environment_paths(os.environ, dialect)
        listed = [named] if isinstance(named, str | Path) else named
        allowed = self.allow_writable or os.environ.get("CALLSHEET_ALLOW_WRITABLE_PLUGINS", "") == "1"
        return plugins.discover(listed, allow_writable=allowed)


def enter(session: Any) -> Flow[None]:
    """Register the session's plugins, and publish that it is open. If a plugin raises, the session is not open."""
    plugging: Plugging = session.plugging
    try:
        found = yield Work(lambda: plugging.discover(session._dialect.name))
        if found:
            plugging.found[:] = found
            session._busy = False
            yield Call(lambda: plugins.register(session, found, plugging.arguments, plugging.strict))
            session._busy = True
        yield from occasions.welcome(session)
    except BaseException:
        session._description = None
        raise
