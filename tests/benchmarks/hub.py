"""The local hub with a thousand subscriptions: what one event costs. ``python -m tests.benchmarks.hub`` prints it.

The budget is 20 microseconds for an event that one of a thousand subscriptions matches. The ratio to a hub with that
one subscription alone says whether the others cost anything.
"""

from __future__ import annotations

from timeit import repeat

from callsheet.events.hub import Hub
from callsheet.model.event import Event

__all__ = ["main", "microseconds"]

EVENT = Event(
    "studio.mine",
    {"entity_type": "Task", "entity": {"type": "Task", "id": "t", "types": ["Task", "Context"]}, "changes": {}},
)
TIMES = 2_000


def microseconds(others: int, wildcards: int = 0) -> float:
    """The best of ten runs, for one dispatch of an event that one subscription matches."""
    hub = Hub()
    for number in range(others):
        hub.subscribe(f"topic=studio.t{number} and data.entity_type=Task", lambda event: None)
    for number in range(wildcards):
        hub.subscribe(f"topic=other{number}.*", lambda event: None)
    hub.subscribe("topic=studio.mine and data.entity_type=Task", lambda event: None)
    return min(repeat(lambda: hub.dispatch(EVENT), number=TIMES, repeat=10)) / TIMES * 1e6


def main() -> None:
    """Print three lines: a thousand subscriptions, the one alone, and with ten that name no topic."""
    alone = microseconds(0)
    for text, found in (("999 others", microseconds(999)), ("alone", alone), ("10 wildcards", microseconds(0, 10))):
        print(f"dispatch, one match, {text:<14} {found:6.1f} us  {found / alone:5.2f} x alone")


if __name__ == "__main__":
    main()
