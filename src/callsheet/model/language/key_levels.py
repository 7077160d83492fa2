"""The levels that the keys of a parameter table are, checked against a schema."""

from __future__ import annotations

from typing import Final

from callsheet.errors import QueryError
from callsheet.model.language.aggregates import check_level
from callsheet.model.language.measures import level_text
from callsheet.model.measure import Level
from callsheet.model.schema import EntityType, Schema

__all__ = ["check_key_level"]

COMPARED: Final = ("string", "enum", "integer", "boolean", "date")
"""The data types whose values rules name."""


def check_key_level(level: Level, place: EntityType, schema: Schema, name: str) -> tuple[Level, tuple[int, ...]]:
    """A level with its names resolved, and the places of its steps that are collections; `QueryError` for one whose
    values rules of the parameter table ``name`` cannot name.
    """
    try:
        found, way = check_level(level, place, schema)
    except QueryError as error:
        raise QueryError(f"a level of the parameter table `{name:.80}`: {error.message}", hint=error.hint) from None
    kind = "key" if way.steps[-1].name == "id" else way.attribute.data_type
    if (kind not in COMPARED and level.band is None) or way.item:
        raise QueryError(
            f"rules of `{name:.80}` cannot name a value of `{level_text(level)}`, a {kind}",
            hint="a text, a whole number, a boolean, a date or a band; of a reference its name: `status.name`",
        )
    return found, way.collections
