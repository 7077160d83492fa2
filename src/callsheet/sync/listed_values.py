"""Collections and mappings as a whole: what a row lists, beside what its entity has.

Theory. An operation writes items one by one, so a mapping as a whole becomes one value for each item, under its dotted
name: ``metadata.lens``. What the row does not list is removed, or kept where its column says ``members = "add"``. Then
items are compared, decided on and noted like any other value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from callsheet.model.record import NOT_SET
from callsheet.model.schema import EntityType
from callsheet.sync.steps import Difference, Modification

__all__ = ["lost_members", "spread"]


def spread(
    entity_type: EntityType,
    whole: Iterable[str],
    added_to: Collection[str],
    values: dict[str, Any],
    there: dict[str, Any],
) -> None:
    """Give each item of the mappings ``whole`` a value of its own, in what a row lists and in what is ``there``.

    ``added_to`` are the collections and mappings that keep what is not listed.
    """
    for name in whole:
        held = there.pop(name, None) or {}
        given = values.pop(name, NOT_SET)
        if given is NOT_SET:
            continue
        left = [] if name in added_to else [key for key in held if key not in given]
        for key in (*given, *left):
            if key in given or not entity_type.item(name, key).computed:
                values[f"{name}.{key}"], there[f"{name}.{key}"] = given.get(key), held.get(key)
    for name in added_to:
        listed = values.get(name)
        if isinstance(listed, frozenset):
            values[name] = listed | (there.get(name) or frozenset())


def lost_members(changed: Iterable[Modification], names: Collection[str]) -> int:
    """How many members and items of these collections and mappings go that no others replace."""
    return sum(_lost(each.differences, names) for each in changed)


def _lost(differences: Iterable[Difference], names: Collection[str]) -> int:
    balance: dict[str, int] = {}
    for each in differences:
        name, _, item = each.attribute.partition(".")
        if name not in names:
            continue
        if item:
            change = (each.before is not None) - (each.after is not None)
        else:
            change = len(each.before or ()) - len(each.after or ())
        balance[name] = balance.get(name, 0) + change
    return sum(max(0, each) for each in balance.values())
