"""Entities are found by what their names look like: by a regular expression, or by likeness.

Theory. Servers know no regular expressions that mean the same everywhere, and no likeness. So names come as a column of
a query, in pages of bounded size, and Python compares them; no entity is made of what does not match. Only the keys of
matches are held; their entities are fetched together at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from heapq import nlargest
from typing import Any, TypeAlias

from attrs import evolve

from callsheet.core import paging, reading
from callsheet.core.core import Core
from callsheet.core.rows import PageTables
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse_path
from callsheet.model.query import Select
from callsheet.model.record import Page
from callsheet.model.scalar import shown
from callsheet.model.schema import EntityType

__all__ = ["close_matches", "name_of_type", "search"]

#: The texts of a row, with its key.
Named: TypeAlias = tuple[Any, list[str]]
LONGEST = 1_000
"""The most characters of a text that is compared by likeness, which takes time by the square of its length."""


def name_of_type(entity_type: EntityType) -> str:
    """The attribute that names entities of a type: ``name``, else its label; `UsageError` where it has none."""
    attribute = entity_type.attributes.get("name") or entity_type.attributes.get(entity_type.label)
    if attribute is None or attribute.name in entity_type.key:
        raise UsageError(f"a {entity_type.name} has no name: use `find(key)`, or `where({{…}})`")
    return attribute.name


def search(
    core: Core, select: Select, pattern: str | re.Pattern[str], attribute: str | None, ignore_case: bool
) -> Flow[list[Any]]:
    """The entities of a query with a text in which the pattern is found, in the order of the query."""
    expression = _compiled(pattern, ignore_case)

    def fits(rows: Iterable[Named]) -> list[Any]:
        return [key for key, texts in rows if any(expression.search(text) for text in texts)]

    pages = yield from _column(core, select, attribute, "search", fits)
    return (yield from _entities(core, select, [key for page in pages for key in page]))


def close_matches(
    core: Core, select: Select, name: str, number: int, cutoff: float, attribute: str | None, ignore_case: bool
) -> Flow[list[Any]]:
    """The entities of a query whose text is most like a name, the most alike first."""
    if not isinstance(name, str):
        raise UsageError(f"close_matches takes a text, not {shown(name)}")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise UsageError(f"close_matches finds a whole number from 1, not {shown(number)}")
    if isinstance(cutoff, bool) or not isinstance(cutoff, int | float) or not 0 <= cutoff <= 1:
        raise UsageError(f"cutoff is a number from 0 (all) to 1 (equal), not {shown(cutoff)}")
    likeness = _Likeness(name, cutoff, ignore_case)

    def best(rows: Iterable[Named]) -> list[tuple[float, Any]]:
        scored = ((likeness.of(texts), key) for key, texts in rows)
        return nlargest(number, ((score, key) for score, key in scored if score is not None), key=_score)

    pages = yield from _column(core, select, attribute, "close_matches", best)
    chosen = nlargest(number, (each for page in pages for each in page), key=_score)
    return (yield from _entities(core, select, [key for _, key in chosen]))


class _Likeness:
    """How like a name other texts are, as `difflib.get_close_matches` counts it."""

    def __init__(self, name: str, cutoff: float, ignore_case: bool) -> None:
        self._cutoff, self._fold = cutoff, str.casefold if ignore_case else str
        self._matcher = SequenceMatcher()
        self._matcher.set_seq2(self._fold(name[:LONGEST]))

    def of(self, texts: Iterable[str]) -> float | None:
        """From 0 to 1, the most of several texts; None below the cutoff."""
        found = [self._ratio(self._fold(text[:LONGEST])) for text in texts]
        return max((each for each in found if each is not None), default=None)

    def _ratio(self, text: str) -> float | None:
        matcher, cutoff = self._matcher, self._cutoff
        matcher.set_seq1(text)
        if matcher.real_quick_ratio() < cutoff or matcher.quick_ratio() < cutoff:
            return None
        found = matcher.ratio()
        return found if found >= cutoff else None


def _score(found: tuple[Any, Any]) -> float:
    return float(found[0])


def _compiled(pattern: str | re.Pattern[str], ignore_case: bool) -> re.Pattern[str]:
    if isinstance(pattern, re.Pattern):
        if isinstance(pattern.pattern, str):
            return pattern
    elif isinstance(pattern, str):
        try:
            return re.compile(pattern, re.IGNORECASE if ignore_case else 0)
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(f"`{pattern:.80}` is no regular expression: {error}; `re.escape` quotes a text") from None
    raise UsageError(f"search takes a regular expression, as a text or compiled, not {shown(pattern)}")


def _column(
    core: Core, select: Select, attribute: str | None, verb: str, read: Callable[[Iterable[Named]], list[Any]]
) -> Flow[list[list[Any]]]:
    """What ``read`` makes of the texts of each page."""
    entity_type = core.schema.types[select.entity_type]
    if attribute is not None and not isinstance(attribute, str):
        raise UsageError(f"{verb} takes the name of an attribute, not {shown(attribute)}")
    path = parse_path(attribute or name_of_type(entity_type))
    narrow = check(evolve(select, projections=(path,)), core.schema)

    def of_page(page: Page) -> list[Any]:
        return read(_named(core, narrow, page))

    return (yield from paging.every_page(core, narrow, min(core.page_size, core.features.rows), of_page))


def _named(core: Core, select: Select, page: Page) -> Iterable[Named]:
    """The rows of a page, without those that are deleted here."""
    tables, (path,) = PageTables(core.schema, page), select.projections
    blocks = page.records[: page.roots]
    found = [(row[0], value) for records in blocks for row, value in zip(records.rows, tables.column(records, path))]
    root = core.schema.types[select.entity_type].root
    deleted = {each._key for each in core.deleted if each._type.root == root}
    for key, value in found if page.order is None else [found[place] for place in page.order]:
        texts = [each for each in (value if isinstance(value, list | tuple) else [value]) if each is not None]
        if not all(isinstance(each, str) for each in texts):
            raise UsageError(f"{select.entity_type}.{'.'.join(path.names)} is no text: {shown(texts[0])}")
        plain = tuple(key) if isinstance(key, list) else key
        if plain not in deleted:
            yield plain, texts


def _entities(core: Core, select: Select, keys: list[Any]) -> Flow[list[Any]]:
    """The entities of keys, in their order; those that were deleted meanwhile, or here, are left out."""
    found = yield from reading.get_each(core, select.entity_type, list(dict.fromkeys(keys)))
    return [each for each in found if each is not None]
