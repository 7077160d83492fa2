"""What relations may lead to, before and after: whether entities that one may hold are gone, or of another kind."""

from __future__ import annotations

from callsheet.server.migration.correspondence import Correspondence

__all__ = ["changes_target", "loses_rows", "old_kinds"]


def old_kinds(both: Correspondence, target: str) -> set[str]:
    """The old concrete types of what is of a type now."""
    return {both.origins[name] for name in both.new.concrete(target) if name in both.origins}


def loses_rows(both: Correspondence, target: str) -> bool:
    """Whether what was of a type is so no more: a type below it is gone, or stands elsewhere now."""
    origin = both.origins.get(target)
    if origin is None:
        return True
    return not set(both.old.concrete(origin)) <= old_kinds(both, target)


def changes_target(both: Correspondence, root: str, name: str) -> bool:
    """Whether a reference, in any type of a family, may hold now less than it held."""
    for entity_type in both.new.types.values():
        if entity_type.root != root or name not in entity_type.attributes:
            continue
        here, there = entity_type.attributes[name], both.carried(entity_type.name, name)
        if there is None or here.kind != "reference":
            continue
        if not set(both.old.concrete(str(there.target))) <= old_kinds(both, str(here.target)):
            return True
    return False
