"""What goes with a delete: referrers that are deleted too, let go of, or forbid it.

All rows that may be concerned are read beforehand, level by level (`load_referrers`), so a delete itself
asks the database nothing. Whether a restricting referrer still stands is judged at the end of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field, frozen

from callsheet.errors import Invalid
from callsheet.server.store.rules import Referrer
from callsheet.server.writing.overlay import Overlay, Place, WorkingRow

__all__ = ["Cascade", "load_referrers"]


def load_referrers(overlay: Overlay, targets: Iterable[WorkingRow]) -> None:
    """Read whatever refers to these entities, and to what would be deleted with them."""
    level = [entry for entry in targets if not entry.created]
    seen: set[Place] = {entry.place for entry in level}
    while level:
        columns: dict[Referrer, dict[str, None]] = {}
        for entry in level:
            for referrer in entry.rules.referrers:
                columns.setdefault(referrer, {})[entry.identity.key] = None
        level = []
        for referrer, keys in columns.items():
            for entry in overlay.load_where(referrer.root, referrer.name, keys, lock=True):
                attribute = entry.rules.entity_type.attributes.get(referrer.name)
                value = entry.original(referrer.name) if attribute is not None else None
                if attribute is None or value is None:
                    continue
                overlay.refer(entry, referrer.name, overlay.place(value))
                if attribute.on_delete == "cascade" and entry.place not in seen:
                    seen.add(entry.place)
                    level.append(entry)


@frozen
class _Restriction:
    deleted: WorkingRow
    referrer: WorkingRow
    attribute: str
    operation: int


@define
class Cascade:
    """Deletes entities of one commit; ``deleted`` is what went with them, in order, ``emptied`` the references
    to them that were emptied, by place."""

    overlay: Overlay
    deleted: list[WorkingRow] = field(factory=list)
    emptied: dict[Place, list[str]] = field(factory=dict)
    _restrictions: list[_Restriction] = field(factory=list)

    def delete(self, entry: WorkingRow, operation: int) -> None:
        """Delete an entity and do with its referrers what the schema says."""
        entry.alive = False
        waiting = [entry]
        while waiting:
            dying = waiting.pop()
            for other, name in self.overlay.incoming(dying):
                rule = other.rules.entity_type.attributes[name].on_delete
                if rule == "cascade":
                    other.alive, other.operation = False, operation
                    self.deleted.append(other)
                    waiting.append(other)
                elif rule == "restrict":
                    self._restrictions.append(_Restriction(dying, other, name, operation))
                else:
                    self.overlay.write(other, name, None)
                    other.touch(operation)
                    self.emptied.setdefault(other.place, []).append(name)

    def check_restrictions(self) -> None:
        """Raise `Invalid` where something that restricts a delete still refers to what was deleted."""
        for found in self._restrictions:
            value = found.referrer.get(found.attribute)
            if not found.referrer.alive or value is None or self.overlay.place(value) != found.deleted.place:
                continue
            kind, key = found.deleted.identity
            other = found.referrer.identity
            known = self.overlay.tells(found.referrer.place)
            by = "it is referred to"
            if known:
                by = f"{other.entity_type} {other.key} refers to it by `{found.attribute}`"
            raise Invalid(
                f"operation {found.operation}: {kind} {key} cannot be deleted: {by}; delete or change that first",
                operation=found.operation,
                entity=(kind, key),
                attribute=found.attribute if known else None,
            )
