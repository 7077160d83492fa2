"""The verbs that count numbers on from what they are on the server, without having read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callsheet.errors import Closed, UsageError
from callsheet.later import Later

if TYPE_CHECKING:
    from callsheet.model import adjustment as adjustments
    from callsheet.model.adjustment import Adjustment
else:
    adjustments = Later("callsheet.model.adjustment")

__all__ = ["Counting"]


class Counting:
    """Increments and bounds: recorded like all that is done to entities, and in conflict with nothing."""

    def increment(self, entity: Any, attribute: str, by: float = 1) -> None:
        """Add to a number, whatever it is when the commit arrives; it is pending until then.

        A dotted name is an item of a mapping (``custom_attributes.fps``). No value counts as 0, and adding 0 records
        nothing. The entity shows the sum at once. Raises `SchemaError` where the attribute is no number, or ``by`` is
        none of its type, and `UsageError` where the server's language has no increments.

        >>> session.increment(shot, "bid", 1.5)  # doctest: +SKIP
        """
        self._adjust(entity, attribute, adjustments.increment(by))

    def raise_to(self, entity: Any, attribute: str, value: float) -> None:
        """Raise a number to this value, unless it is larger when the commit arrives. No value becomes this one.

        Otherwise as `increment`.
        """
        self._adjust(entity, attribute, adjustments.raise_to(value))

    def lower_to(self, entity: Any, attribute: str, value: float) -> None:
        """Lower a number to this value, unless it is smaller when the commit arrives. No value becomes this one.

        Otherwise as `increment`.
        """
        self._adjust(entity, attribute, adjustments.lower_to(value))

    def _adjust(self, entity: Any, attribute: str, adjustment: Adjustment) -> None:
        core: Any = self
        if core.closed:
            raise Closed("this session is closed; open a new one")
        unit = core.unit
        core.check_present()
        if not core.features.adjustments:
            raise UsageError(
                "this server's language cannot count on from a number unseen: read it, write it, and commit; where the "
                "server keeps versions, what somebody else wrote meanwhile is then a conflict"
            )
        unit.adjust(entity, attribute, adjustment)
