"""What changed in the target since a moment: only that is read, and the base has the rest.

Theory. An entity that nobody changed since the moment is as the last run left it, and the base says how. So a row that
equals its base needs no reading; one that differs is read, and compared as usual. Where rows say when they
were changed, older ones are not even looked up, unless somebody changed their entity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from attrs import frozen

from callsheet.core.core import Core
from callsheet.core.past.history import commits_where
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.moments import in_utc
from callsheet.model.query import Comparison, Path
from callsheet.model.record import NOT_SET
from callsheet.model.schema import EntityType
from callsheet.sync.cells import Cells
from callsheet.sync.finding import Found, find_all
from callsheet.sync.judging import based
from callsheet.sync.layout import RowLayout
from callsheet.sync.registry import ForeignLink

__all__ = ["Since", "as_moment"]


def as_moment(given: Any) -> int | datetime | None:
    """A moment from what a caller gives: a position in the server's log, a time with a zone, or None."""
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and given >= 0):
        return given
    if isinstance(given, datetime) and given.tzinfo is not None:
        return in_utc(given)
    raise UsageError(f"since is a position in the server's log or a time with its zone, not {given!r:.80}")


@frozen
class Since:
    """A moment, the layout of what is compared, and the target of the cell that says when a row was changed."""

    moment: int | datetime
    layout: RowLayout
    time: str = ""

    def changed(self, core: Core, entity_type: EntityType) -> Flow[set[str]]:
        """The keys of the entities that were changed since."""
        if core.features.history:
            where = {"since": self.moment} if isinstance(self.moment, datetime) else {}
            after = self.moment if isinstance(self.moment, int) else 0
            kinds = frozenset(core.schema.concrete(entity_type.name))
            commits = yield from commits_where(core, after, None, **where)
            changes = (change.identity for commit in commits for change in commit.changes)
            return {str(each.key) for each in changes if each.entity_type in kinds}
        time = next((each.name for each in entity_type.attributes.values() if each.computed == "updated_at"), None)
        if time is None or isinstance(self.moment, int):
            raise UsageError("since: this server keeps no history, and nothing else says what was changed")
        where_time = Comparison(Path.of(time), ">=", self.moment)
        found = yield from find_all(core, entity_type, [Path.of(entity_type.key[0])], (), where_time)
        return {str(each.identity.key) for each in found}

    def is_old(self, cells: Cells) -> bool:
        """Whether the row says that it was changed before."""
        time = cells.values.get(self.time) if self.time else None
        return isinstance(time, datetime) and isinstance(self.moment, datetime) and time < self.moment

    def believed(self, link: ForeignLink) -> Found:
        """The entity as the base has it; `NOT_SET` for values that the base lacks."""
        base: Mapping[str, Any] = link.base or {}
        whole = self.layout.whole
        values = tuple(_items(base, name) if name in whole else base.get(name, NOT_SET) for name in self._names)
        return Found(link.entity, None, (link.entity.key,), values)

    def agrees(self, found: Found, values: Mapping[str, Any]) -> bool:
        """Whether a row equals its base, so that nothing has to be read."""
        known = dict(zip(self._names, found.values))
        return all(
            self._agrees(name, based(known, name, value), value) for name, value in values.items() if name in known
        )

    @property
    def _names(self) -> Iterable[str]:
        return (target.name for target in self.layout.written)

    def _agrees(self, name: str, base: Any, value: Any) -> bool:
        adds = name in self.layout.added_to and base is not NOT_SET
        if name in self.layout.whole:
            return all(base.get(key) == item for key, item in value.items()) and (adds or value.keys() >= base.keys())
        return bool(value <= base if adds else base == value)


def _items(base: Mapping[str, Any], mapping: str) -> dict[str, Any]:
    """The items of a mapping in a base."""
    start = f"{mapping}."
    return {name.removeprefix(start): value for name, value in base.items() if name.startswith(start)}
