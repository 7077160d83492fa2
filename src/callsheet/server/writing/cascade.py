"""The ``on_delete`` rules of a delete: referrers are deleted too, their reference is emptied, or they forbid it.

All rows that a delete may affect are read beforehand, level by level (`load_referrers`), so a delete itself sends no
query. Restricting referrers are checked after the last operation.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field, frozen

from callsheet.errors import Invalid
from callsheet.server.store.rules import Referrer
from callsheet.server.writing.overlay import Overlay, Place, WorkingRow

__all__ = ["Cascade", "load_referrers"]


def load_referrers(overlay: Overlay, targets: Iterable[WorkingRow]) -> None:
    """Read all entities that refer to these, or to those that would be deleted with them."""
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
    """The deletes of one commit.

    ``deleted`` has the entities that were deleted with others, in order; ``emptied`` has the names of the references
    that were emptied, by the place of their entity.
    """

    overlay: Overlay
    deleted: list[WorkingRow] = field(factory=list)
    emptied: dict[Place, list[str]] = field(factory=dict)
    _restrictions: list[_Restriction] = field(factory=list)

    def delete(self, entry: WorkingRow, operation: int) -> None:
        """Delete an entity and apply the schema's ``on_delete`` rules to its referrers."""
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
        """Raise `Invalid` if a restricting reference to a deleted entity still exists."""
        for found in self._restrictions:
            value = found.referrer.get(found.attribute)
            if not found.referrer.alive or value is None or self.overlay.place(value) != found.deleted.place:
                continue
            kind, key = found.deleted.identity
            other = found.referrer.identity
            visible = self.overlay.may_reveal(found.referrer.place)
            by = "it is referred to"
            if visible:
                by = f"{other.entity_type} {other.key} refers to it by `{found.attribute}`"
            raise Invalid(
                f"operation {found.operation}: {kind} {key} cannot be deleted: {by}; delete or change that first",
                operation=found.operation,
                entity=(kind, key),
                attribute=found.attribute if visible else None,
            )
