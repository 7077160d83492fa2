"""Selections as JSON and back: the text of the query language, with the format it is written in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from callsheet.errors import UsageError
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse
from callsheet.model.language.text import select_text
from callsheet.model.query import Select
from callsheet.model.schema import Schema

__all__ = ["from_stored", "to_json"]

FORMAT = 1


def to_json(select: Select) -> str:
    """A query as JSON.

    >>> to_json(parse('Task where bid > 3'))
    '{"format": 1, "table": "Task", "selection": "Task where bid > 3"}'
    """
    stored = {"format": FORMAT, "table": select.entity_type, "selection": select_text(select)}
    return json.dumps(stored, ensure_ascii=False)


def from_stored(stored: str | Mapping[str, Any], schema: Schema) -> Select:
    """The query that was stored: JSON, its data, or a text of the query language; checked by the schema."""
    if isinstance(stored, str) and stored.lstrip().startswith("{"):
        try:
            stored = json.loads(stored)
        except ValueError as error:
            raise UsageError(f"a stored selection is JSON; this is not: {error}") from None
    text = stored if isinstance(stored, str) else _text_of(stored)
    select = check(parse(text), schema, text)
    if select.projections:
        raise UsageError(f"a selection names entities, not columns: {text!r:.80}")
    return select


def _text_of(stored: Any) -> str:
    if not isinstance(stored, Mapping) or not isinstance(stored.get("selection"), str):
        raise UsageError(f"a stored selection has the keys `format` and `selection`: {stored!r:.80}")
    if stored.get("format") != FORMAT:
        raise UsageError(f"this selection has the format {stored.get('format')!r:.20}; format {FORMAT} can be read")
    return str(stored["selection"])
