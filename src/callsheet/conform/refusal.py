"""Files that are refused: every reason at once, each with the clip it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from callsheet.errors import CallsheetError, UsageError

__all__ = ["collected", "foreign", "quoted", "refused"]

SHOWN = 20
LONGEST = 300
A = TypeVar("A")
B = TypeVar("B")


def refused(file: str, reasons: list[str]) -> UsageError:
    """The error for a file, with its reasons."""
    if len(reasons) == 1:
        return UsageError(f"{file}: {reasons[0]}")
    more = [f"… and {len(reasons) - SHOWN:,} more"] if len(reasons) > SHOWN else []
    return UsageError("\n  ".join([f"{file} is refused, for {len(reasons):,} reasons:", *reasons[:SHOWN], *more]))


def collected(file: str, items: Iterable[A], function: Callable[[A], B]) -> list[B]:
    """The function of each item. Raises one error with the reasons of all items that it refuses."""
    results, reasons = [], []
    for item in items:
        try:
            results.append(function(item))
        except UsageError as error:
            reasons.append(str(error))
    if reasons:
        raise refused(file, reasons)
    return results


@contextmanager
def foreign(file: str) -> Iterator[None]:
    """Turn any error of a foreign library inside the block into a refusal of the file, in one line."""
    try:
        yield
    except CallsheetError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:LONGEST]
        raise UsageError(f"OpenTimelineIO cannot read {file}: {type(error).__name__}: {text}") from None


def quoted(name: str) -> str:
    """A clip's name in a message; one that has none is said to have none.

    >>> quoted("sh010"), quoted("")
    ('`sh010`', 'without a name')
    """
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in name[:80])
    return f"`{shown}`" if shown else "without a name"
