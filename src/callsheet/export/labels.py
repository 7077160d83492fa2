"""The labels of entities that rows refer to by key, fetched for a page at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import define, field

from callsheet.chunks import chunks
from callsheet.core import reading
from callsheet.core.core import Core
from callsheet.core.paging import every_page
from callsheet.core.rows import flat_records
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.query import Path, Select

__all__ = ["Labels"]

KEPT = 50_000
"""Labels that are kept for later pages; statuses and people occur on each."""


@define
class Labels:
    """The labels of one type, by key."""

    core: Core
    entity_type: str
    _known: dict[Any, Any] = field(factory=dict)

    def of(self, keys: Iterable[Any]) -> Flow[list[Any]]:
        """The labels of these keys, in their order; None for no key, and for an entity that nobody may see."""
        keys = list(keys)
        if len(self._known) > KEPT:
            self._known.clear()
        missing = sorted({key for key in keys if key is not None} - self._known.keys(), key=str)
        for run in chunks(missing, max(1, min(self.core.features.literals, self.core.page_size))):
            yield from self._fetch(run)
        return [self._known.get(key) for key in keys]

    def _fetch(self, keys: list[Any]) -> Flow[None]:
        target = self.core.schema.types[self.entity_type]
        where = reading.key_condition(target, keys)
        select = check(Select(target.name, (Path.of(target.label),), where), self.core.schema)
        self._known |= dict.fromkeys(keys)

        def read(page: Any) -> None:
            for record in flat_records(self.core, select, page):
                self._known[record[target.key[0]]] = record[target.label]

        yield from every_page(self.core, select, self.core.page_size, read)
