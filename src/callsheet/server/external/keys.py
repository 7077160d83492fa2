"""Keys of external tables: texts made of the columns that tell rows apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, type_coerce

from callsheet.server.external.columns import value_of
from callsheet.server.store.columns import TEXT

__all__ = ["key_text"]

Column = ColumnElement[Any]


def key_text(engine: str, columns: Sequence[tuple[Column, str]]) -> Column:
    r"""The text of a key: that of its column, or those of several joined by commas (in texts, ``\`` precedes one)."""
    texts = [_key_part(engine, column, form, len(columns) > 1) for column, form in columns]
    found = texts[0]
    for text in texts[1:]:
        found = found + type_coerce(literal_column("','"), TEXT) + text
    return type_coerce(found, TEXT) if len(texts) == 1 else value_of(engine, found, "text")


def _key_part(engine: str, column: Column, form: str, several: bool) -> Column:
    if form == "whole" or form == "day":
        inner = value_of(engine, column, form)
        return value_of(engine, inner if engine == "sqlite" and form == "day" else column, "words")
    found = value_of(engine, column, form)
    if not several:
        return found
    back: Column = literal_column("'\\\\'" if engine == "mariadb" else "'\\'")
    twice: Column = literal_column("'\\\\\\\\'" if engine == "mariadb" else "'\\\\'")
    escaped: Column = literal_column("'\\\\,'" if engine == "mariadb" else "'\\,'")
    inner = func.replace(found, back, twice, type_=TEXT)
    return func.replace(inner, literal_column("','"), escaped, type_=TEXT)
