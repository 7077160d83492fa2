"""The dialect of a session that may not talk: every request is refused, with its name and the caller's line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from callsheet.dialects.declaration import DialectDeclaration
from callsheet.errors import ForbiddenRequest

__all__ = ["OfflineDialect"]

PACKAGE = str(Path(__file__).parents[1])


class OfflineDialect:
    """Stands for another dialect, of which it has the declaration; each of its verbs raises `ForbiddenRequest`.

    >>> from callsheet.dialects import declaration_named
    >>> OfflineDialect(declaration_named("native")).call("history", {})
    Traceback (most recent call last):
    callsheet.errors.ForbiddenRequest: this session may not talk to its server, and would have sent call('history', ...
    """

    def __init__(self, declaration: DialectDeclaration) -> None:
        self.declaration, self.name = declaration, declaration.name

    def learn(self, schema: Any) -> None:
        """Nothing is decoded here."""

    def __getattr__(self, verb: str) -> Callable[..., NoReturn]:
        if verb.startswith("_"):
            raise AttributeError(verb)

        def refused(*arguments: Any, **options: Any) -> NoReturn:
            shown = ", ".join(f"{each!r:.120}" for each in (*arguments, *options.values()) if each is not None)
            raise ForbiddenRequest(
                f"this session may not talk to its server, and would have sent {verb}({shown:.400}) for {_line()}; "
                "load it before, or use the session that this one was made of"
            )

        return refused


def _line() -> str:
    """The place in the caller's code: the first that is not in this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"
