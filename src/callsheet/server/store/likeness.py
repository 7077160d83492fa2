"""``like`` in SQL with bounded time: every comparison can be interrupted.

A database compares a text with a pattern in one step, in time proportional to the product of their lengths, and checks
its deadline only between steps. On SQLite, long comparisons are therefore made by `like` of ``model/language/matching``
in time proportional to the sum of the lengths, after a check of the connection's deadline. ``reading/cost.py`` limits
the length of patterns, so that one comparison on PostgreSQL takes seconds at worst.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import Boolean, case, func, literal, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from callsheet.model.language.matching import like
from callsheet.server.store.columns import TEXT
from callsheet.server.store.sqlite_statistics import register

__all__ = ["SHORT", "Clocked", "bounded_like", "never"]

SHORT = 100_000
"""Up to this product of the lengths of text and pattern, SQLite's own ``LIKE`` is used."""
_NAME = "callsheet_like"


def never() -> bool:
    """No deadline."""
    return False


class Clocked(sqlite3.Connection):
    """A connection that interrupts long comparisons when ``is_over`` returns true."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_over: Callable[[], bool] = never
        self.long_comparisons = 0
        """How many long comparisons were made."""
        self.create_function(_NAME, 2, self._like, deterministic=True)
        register(self)

    def _like(self, text: Any, pattern: Any) -> int | None:
        if text is None:
            return None
        self.long_comparisons += 1
        if self.is_over():
            raise TimeoutError
        return like(str(text), pattern)


class bounded_like(FunctionElement[bool]):
    """Whether a text matches a ``like`` pattern; ``written`` is the pattern for SQL, in lower case."""

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


@compiles(bounded_like, "duckdb")
def _compile_for_duckdb(element: bounded_like, compiler: Any, **options: Any) -> str:
    # DuckDB's `lower` changes letters beyond ASCII, too.
    text, written = list(element.clauses)[:2]
    lowered = func.translate(text, literal_column(f"'{ascii_uppercase}'"), literal_column(f"'{ascii_lowercase}'"))
    compiled: str = compiler.process(lowered.like(written, escape="\\").self_group(), **options)
    return compiled


@compiles(bounded_like, "mariadb")
def _compile_for_mariadb(element: bounded_like, compiler: Any, **options: Any) -> str:
    # Its `lower` changes letters beyond ASCII, too. In a character set of single bytes in which only ASCII has letters
    # of two cases, the bytes of UTF-8 stay as they are.
    text, written = (
        f"convert(CAST({compiler.process(clause, **options)} AS BINARY) USING hebrew) COLLATE hebrew_bin"
        for clause in list(element.clauses)[:2]
    )
    escape = compiler.render_literal_value("\\", TEXT)
    return f"(lower({text}) LIKE {written} ESCAPE {escape})"


@compiles(bounded_like, "sqlite")
def _compile_for_sqlite(element: bounded_like, compiler: Any, **options: Any) -> str:
    text, written, pattern = element.clauses
    short = func.length(text) * func.length(written) <= literal_column(str(SHORT))
    chosen = case((short, _native(element)), else_=getattr(func, _NAME)(text, pattern) == 1)
    compiled: str = compiler.process(chosen.self_group(), **options)
    return compiled
