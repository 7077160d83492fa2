"""Parameters: numbers that people set by rules, such as rates and capacities, and multiply measures with.

A *parameter table* has up to `MOST_KEYS` keys, and rules with a value each. A rule has a text for some keys; each other
key is *any*. For an entity, a rule holds if the texts are those of the entity's values at the keys' levels. Of the
rules that hold, the most specific one wins:

- the one with more keys that are not any;
- of equally many, the one that has the earlier keys: with the keys ``(artist, work)`` a rule for an artist wins over
  one for a work.

So there is one at most, because no two rules have the same texts. An entity for which no rule holds has no value, and
what is multiplied with it is None, which sums leave out. A value is compared as text (`coordinate`): an integer by its
digits, a boolean as ``true`` or ``false``, a date and a band by the (first) day, ``2026-05-04``. None has no text: only
any holds for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.model.arithmetic import Level, Measure, as_levels
from callsheet.model.query import Condition
from callsheet.model.scalar import shown

__all__ = ["ANY", "MOST_KEYS", "Coordinates", "Parameter", "Weight", "coordinate", "most_specific"]

ANY: Final = "*"
"""What a rule has in place of a text where it holds for any value."""
MOST_KEYS: Final = 6
"""The most keys of a parameter table."""
LONGEST: Final = 200

Coordinates = tuple[str, ...]
"""The texts of a rule, in the order of the keys; `ANY` for any value."""


@frozen(order=False)
class Parameter(Measure):
    """The value of a parameter table for each entity, to multiply measures with or divide them by.

    ``levels`` say where the entity has the table's keys, in their order; without them, the table says it.

    >>> Parameter("Rates", ("user.username",)).levels[0].path.names
    ('user', 'username')
    """

    name: str
    levels: tuple[Level, ...] = field(default=(), converter=as_levels)

    def where(self, condition: Condition) -> Parameter:
        """The parameter itself: conditions are those of what it is multiplied with."""
        return self


@frozen
class Weight:
    """A parameter that each value of a function is multiplied with, or divided by, before the function is computed."""

    parameter: Parameter
    divides: bool = False


def coordinate(value: Any) -> str:
    """The text of a value in rules; `UsageError` for one that rules cannot have.

    >>> coordinate(3), coordinate(True), coordinate(date(2026, 5, 4)), coordinate("comp")
    ('3', 'true', '2026-05-04', 'comp')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        raise UsageError(f"a rule has a text, a whole number, a boolean or a date, not {shown(value)}")
    if not value or value == ANY or len(value) > LONGEST:
        raise UsageError(
            f"a rule has a text of 1 to {LONGEST} characters that is not `{ANY}`, not {value!r:.80}; leave the key out "
            "for any value"
        )
    return value


def most_specific(rules: Mapping[Coordinates, float], place: Sequence[str | None]) -> float | None:
    """The value of the rule that wins at a place; None if no rule holds there.

    >>> rules = {("*", "*"): 1.0, ("anna", "*"): 2.0, ("*", "comp"): 3.0}
    >>> most_specific(rules, ("anna", "comp")), most_specific(rules, ("bert", "comp"))
    (2.0, 3.0)
    >>> most_specific(rules, ("bert", None))
    1.0
    """
    found = [each for each in rules if all(text in (ANY, here) for text, here in zip(each, place))]
    return rules[min(found, key=specificity)] if found else None


def specificity(coordinates: Sequence[str]) -> tuple[int, tuple[bool, ...]]:
    """A number that is smaller for more specific rules; equal only where the same keys are any."""
    some = tuple(text == ANY for text in coordinates)
    return sum(some), some
