"""A two-way sync as a file: both sides, and what corresponds to what. See ``docs/reference/two-way-sync.md``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.sync.files.structuring import either, structured, text, texts
from callsheet.sync.files.variables import variable, with_variables
from callsheet.sync.two_way.pairing import Carried, TypePair, checked
from callsheet.sync.two_way.session_side import SessionSide
from callsheet.sync.two_way.tables import PairTable, SideTable, TwoWayDocument

__all__ = ["TwoWayDefinition", "two_way_definition"]


@frozen
class TwoWayDefinition:
    """A sync file of two ways: its name, its sides with the values of variables, and its pairs in order."""

    name: str
    left: SideTable
    right: SideTable
    mapping: tuple[TypePair, ...]

    def sides(self, left: Any, right: Any) -> tuple[Any, Any]:
        """Sessions as the sides that the file declares; another system is a side as it is, with its own scope."""
        return _side(left, self.left, "left"), _side(right, self.right, "right")


def two_way_definition(given: dict[str, Any], path: Path) -> TwoWayDefinition:
    """What a document says; `UsageError` lists all that is wrong with it. ``path`` is where it was read."""
    document = structured(given, TwoWayDocument, "pair", path.name, _hooks)
    name = document.name or path.stem
    left, right = _filled(document.left, "left"), _filled(document.right, "right")
    left, right = evolve(left, name=left.name or "left"), evolve(right, name=right.name or name)
    try:
        return TwoWayDefinition(name, left, right, checked([_pair(each) for each in document.pair]))
    except UsageError as error:
        raise UsageError(f"{path.name} cannot be used: {error}") from None


def _hooks(converter: Any) -> None:
    """How attributes are read: a list of names, or a table."""
    converter.register_structure_hook(str | Carried, either(converter, Carried))
    converter.register_structure_hook(Carried, lambda value, _: _carried(value))
    names_or_table = tuple[str, ...] | dict[str, str | Carried]
    converter.register_structure_hook(names_or_table, _names_or_table(converter))


def _names_or_table(converter: Any) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            return tuple(texts([value] if isinstance(value, str) else value))
        return converter.structure(value, dict[str, str | Carried])

    return structure


def _carried(value: dict[str, Any]) -> Carried:
    """``values`` of a carried attribute may be anything."""
    if extra := sorted(value.keys() - {"to", "values", "only"}):
        raise TypeError(f"an attribute has no {', '.join(extra)}")
    if "to" not in value:
        raise TypeError("an attribute needs `to`, its name on the right")
    if not isinstance(values := value.get("values", {}), dict):
        raise TypeError(f"`values` is a table of left and right values, not {values!r:.60}")
    return Carried(text(value["to"], str), values, text(value.get("only", ""), str))


def _pair(table: PairTable) -> TypePair:
    adopt = (table.adopt,) if isinstance(table.adopt, str) else table.adopt
    return TypePair(
        table.left,
        table.right or table.left,
        table.attributes,
        adopt,
        table.conflicts,
        table.delete,
        table.creates,
        table.max_deleted,
    )


def _filled(side: SideTable, where: str) -> SideTable:
    """The side with the values of its variables."""
    server, user, key = (with_variables(getattr(side, name), f"{where}.{name}") for name in ("server", "user", "key"))
    if side.environment:
        server = server or variable(f"{side.environment}_SERVER", f"{where}.environment")
        user = user or os.environ.get(f"{side.environment}_API_USER", "")
        key = key or os.environ.get(f"{side.environment}_API_KEY", "")
    return evolve(side, server=server, user=user, key=key)


def _side(given: Any, side: SideTable, where: str) -> Any:
    if isinstance(given, Core):
        return SessionSide(given, side.name, side.scope, side.omitted)
    if side.scope or side.omitted:
        name = "scope" if side.scope else "omitted"
        raise UsageError(f"{where}.{name} is for sessions; a side of another system has its own")
    return given
