"""A bar on standard error: how many operations are done, how fast, and how long the rest takes at that rate."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ["ProgressBar"]


class _Rate(ProgressColumn):
    """Operations a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="progress.data.speed")


class ProgressBar:
    """A bar, shown from when it is made until it is closed."""

    def __init__(self, what: str, total: int, console: Console | None = None) -> None:
        self._what = what
        numbers = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeElapsedColumn(), TimeRemainingColumn())
        columns = (TextColumn("{task.description}"), *numbers)
        self._bars = Progress(*columns, console=console or Console(stderr=True, markup=False, highlight=False))
        self._task = self._bars.add_task(what, total=total)
        self._bars.start()

    def show(self, done: int, total: int) -> None:
        self._bars.update(self._task, completed=done, total=total, description=self._what)

    def applying(self, total: int) -> None:
        """The bar moves to and fro: the speed of sending says nothing about the time that the server needs."""
        self._bars.update(self._task, completed=total, total=None, description=f"{self._what}: applying", refresh=True)

    def close(self) -> None:
        self._bars.stop()
