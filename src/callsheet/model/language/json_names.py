"""The words of queries as JSON, which their reader, their writer and their JSON Schema share."""

from __future__ import annotations

from typing import Final

from callsheet.model.relative_time import UNITS

__all__ = [
    "COMPARISONS",
    "LITERALS",
    "OPTIONS",
    "PAGE_SIZES",
    "PARTS",
    "PATTERNS",
    "SAMPLE_PARTS",
    "TIME",
    "TOP",
    "TOP_PARTS",
    "VALUE_WORDS",
    "is_word",
]

#: What each word compares by.
COMPARISONS: Final = {
    "__eq__": "=",
    "__ne__": "!=",
    "__lt__": "<",
    "__le__": "<=",
    "__gt__": ">",
    "__ge__": ">=",
    "__like__": "like",
    "__not_like__": "not_like",
    "__in__": "in",
    "__not_in__": "not_in",
}
#: Words that compare with a text that is meant literally.
PATTERNS: Final = ("__contains__", "__starts_with__", "__ends_with__", "__matches__")
#: Words that nothing else stands beside: one value.
LITERALS: Final = ("__time__", "__date__", "__datetime__")
_RELATIONS: Final = ("__query__", "query", "__any__", "__has__")
VALUE_WORDS: Final = (
    *COMPARISONS,
    *PATTERNS,
    *LITERALS,
    *_RELATIONS,
    "__not__",
    "__between__",
    "__is_null__",
)
#: What a query object holds beside attributes.
PARTS: Final = ("__and__", "__or__", "__not__")
#: The most rows of a page that a query can ask for.
PAGE_SIZES: Final = 10_000
OPTIONS: Final = ("limit", "offset", "order", "page_size", "pageSize", "top", "sample")
#: What keeps some of the entities.
TOP_PARTS: Final = ("number", "by", "per")
SAMPLE_PARTS: Final = ("number", "fraction", "method", "seed", "per")
TOP: Final = ("__model__", "__query__", "query", "__description__", "__options__", "__return__", "__json__")
#: The words of a time, and what they are in `RelativeTime`.
TIME: Final = {f"__{name}__": name for name in (*UNITS, "start", "zone")}


def is_word(key: str) -> bool:
    """Whether a key is a word of the language, and no attribute."""
    return len(key) > 4 and key.startswith("__") and key.endswith("__")
