"""External ids: rows identified by their ids in another system, whatever their names here are."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen, validators

from callsheet.errors import UsageError

__all__ = ["External", "as_external", "external"]

_text = field(validator=validators.instance_of(str))


@frozen
class External:
    """Ids of another system: its name, the column that holds them, and its name of the type.

    Without a ``type`` a key means the entity type's own name, and a reference any type that it may refer to.
    """

    system: str = _text
    column: str = field(default="id", validator=validators.instance_of(str))
    type: str = field(default="", validator=validators.instance_of(str))

    @property
    def text(self) -> str:
        """How a plan names the key."""
        return f"{self.system} {self.column}"


def external(system: str, column: str = "id", type: str = "") -> External:
    """The key of rows whose entities are found by their ids in another system, for `Session.plan`.

    ``system`` is the name of the other system in the registry, ``column`` the rows' column with its ids, ``type`` its
    name of the type (default: the entity type's own).

    >>> external("tracker", column="id", type="Shot")
    External(system='tracker', column='id', type='Shot')
    """
    return as_external(External, system=system, column=column, type=type)


def as_external(given: Any, **named: Any) -> External:
    """External ids from what a caller gives: the name of a system, an `External`, or its class and parts."""
    try:
        found = given if isinstance(given, External) else External(**named) if named else External(given)
    except TypeError:
        raise UsageError(f"external ids are named by texts, not {named or given!r:.80}") from None
    if not found.system or not found.column:
        raise UsageError("external ids need the name of a system and a column")
    if found.system.startswith("sync/"):
        raise UsageError(f"{found.system!r:.80}: names that begin with sync/ are those of bases in the registry")
    return found
