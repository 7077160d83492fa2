"""``like`` in SQL, bounded: no pattern and no text make a comparison that cannot be given up.

The databases compare a text with a pattern in one step, which takes as long as the product of their lengths, and look
at the clock between steps only. On SQLite a long comparison is therefore made by `like` of ``model/language/matching``,
which takes as long as their sum, and looks at the clock of its connection. The pattern itself is bounded by
``reading/cost.py``, so that on PostgreSQL one comparison takes seconds at the worst.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import Boolean, case, func, literal, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from callsheet.model.language.matching import like
from callsheet.server.store.columns import TEXT

__all__ = ["SHORT", "Clocked", "bounded_like", "never"]

SHORT = 100_000
"""Steps of a comparison that SQLite may make by itself: length of the text times length of the pattern."""
_NAME = "callsheet_like"


def never() -> bool:
    """No deadline."""
    return False


class Clocked(sqlite3.Connection):
    """A connection that gives up a long comparison when ``is_over`` says so."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_over: Callable[[], bool] = never
        self.long_comparisons = 0
        """How many long comparisons it has made."""
        self.create_function(_NAME, 2, self._like, deterministic=True)

    def _like(self, text: Any, pattern: Any) -> int | None:
        if text is None:
            return None
        self.long_comparisons += 1
        if self.is_over():
            raise TimeoutError
        return like(str(text), pattern)


class bounded_like(FunctionElement[bool]):
    """Whether a text is like a pattern of ours; ``written`` is the pattern in SQL, in lower case."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, text: Any, written: str, pattern: str) -> None:
        super().__init__(text, literal(written, TEXT), literal(pattern, TEXT))


def _native(element: bounded_like) -> Any:
    text, written, _ = element.clauses
    return func.lower(text, type_=TEXT).like(written, escape="\\")


@compiles(bounded_like)
def _compile(element: bounded_like, compiler: Any, **options: Any) -> str:
    compiled: str = compiler.process(_native(element).self_group(), **options)
    return compiled


@compiles(bounded_like, "sqlite")
def _compile_for_sqlite(element: bounded_like, compiler: Any, **options: Any) -> str:
    text, written, pattern = element.clauses
    short = func.length(text) * func.length(written) <= literal_column(str(SHORT))
    chosen = case((short, _native(element)), else_=getattr(func, _NAME)(text, pattern) == 1)
    compiled: str = compiler.process(chosen.self_group(), **options)
    return compiled
