"""Why a number changed: the commits that changed a cell of an aggregate, with the value before and after each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from attrs import field, frozen

from callsheet.model.measure import Aggregate
from callsheet.model.record import Identity

__all__ = ["Cause", "NumberChange", "CellQuestion"]

HANDLER = "handler:"


@frozen
class CellQuestion:
    """Which commits after the position ``since``, up to ``until`` (None: now), changed a cell of an aggregate?

    ``cell`` has a value for each level (`TOTAL` where it is a total), ``measure`` is the place of the measure.
    """

    aggregate: Aggregate
    cell: tuple[Any, ...] = field(converter=tuple)
    since: int
    until: int | None = None
    measure: int = 0


@frozen
class Cause:
    """One commit that changed the cell: what the value was before it, and is after it.

    ``entities`` are those that it changed and that the cell is made of: a hundred at most, the number of all is
    ``changed``. ``position`` is None for what commits did together that the account may not read.
    """

    position: int | None
    commit_id: str
    user: str
    time: datetime | None
    origin: str
    entities: tuple[Identity, ...]
    changed: int
    before: Any
    after: Any

    @property
    def handler(self) -> str:
        """The durable handler that made the commit; empty if none did."""
        return self.origin.removeprefix(HANDLER) if self.origin.startswith(HANDLER) else ""

    @property
    def effect(self) -> Any:
        """By how much the commit changed the number; None where there was, or is, none.

        >>> Cause(7, "c", "anna", None, "", (), 0, 2.0, 5.5).effect
        3.5
        """
        return difference(self.before, self.after)


@frozen
class NumberChange:
    """How a cell changed from one position to another, and by which commits.

    ``causes`` are ranked by their effect, the largest first. The effects add up to the ``difference``. With
    ``additive`` each is what the commit's own entities contributed, whatever the others did; else it is what the
    commit changed when it came, after those before it: `in_order` has them so.
    """

    since: int
    until: int
    before: Any
    after: Any
    additive: bool
    causes: tuple[Cause, ...]

    @property
    def difference(self) -> Any:
        """By how much the number changed; None where there was, or is, none."""
        return difference(self.before, self.after)

    @property
    def in_order(self) -> tuple[Cause, ...]:
        """The causes in the order of their commits; what may not be read comes first."""
        return tuple(sorted(self.causes, key=lambda cause: cause.position or 0))

    def __iter__(self) -> Iterator[Cause]:
        return iter(self.causes)

    def __len__(self) -> int:
        return len(self.causes)


def difference(before: Any, after: Any) -> Any:
    """A difference of numbers, as they are written: 0.3 less 0.1 is 0.2; None for anything else.

    >>> difference(0.1, 0.3), difference(2, 5), difference(None, 1)
    (0.2, 3, None)
    """
    return minus(after, before) if _is_number(before) and _is_number(after) else None


def minus(number: Any, other: Any) -> Any:
    """One number less another, as they are written; None if one is None."""
    if number is None or other is None:
        return None
    if isinstance(number, int) and isinstance(other, int):
        return number - other
    if not (isfinite(number) and isfinite(other)):
        return number - other
    return float(Decimal(repr(number)) - Decimal(repr(other)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def ranked(causes: list[Cause]) -> tuple[Cause, ...]:
    """Causes by the size of their effects, the largest first; those without a number last, the newest first."""

    def rank(cause: Cause) -> tuple[bool, float, int]:
        effect = cause.effect
        return effect is None, 0.0 if effect is None else -abs(effect), -(cause.position or 0)

    return tuple(sorted(causes, key=rank))
