"""What is reported of an exception: texts that every wire, database and log can take.

An exception of foreign code can hold a file name that is no Unicode, text without end, or a ``__str__`` that raises
itself. None of it may keep the failure from being reported.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from threading import current_thread, main_thread

from attrs import frozen

__all__ = ["FailureText", "ends_program", "failure_of", "writable"]

ERROR = 2_000
TRACEBACK = 20_000


@frozen
class FailureText:
    """An exception as a line, and its traceback, both bounded."""

    error: str
    traceback: str


def failure_of(error: BaseException) -> FailureText:
    """The texts of an exception, whatever it is.

    >>> class Silent(Exception):
    ...     def __str__(self):
    ...         raise KeyError("x")
    >>> failure_of(Silent()).error, failure_of(ValueError("plate-\\udcff.exr")).error
    ('Silent: <its text raised KeyError>', 'ValueError: plate-\\\\udcff.exr')
    """
    message = _text(lambda: str(error))
    line = f"{type(error).__name__}: {message}" if message else type(error).__name__
    lines = _text(lambda: "".join(traceback.format_exception(error)), line)
    return FailureText(_bounded(writable(line), ERROR), writable(lines)[-TRACEBACK:])


def writable(text: str) -> str:
    """The text with escapes for what is no Unicode, and for U+0000, which databases refuse."""
    return str.encode(text, "utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def ends_program(error: BaseException) -> bool:
    """Whether an error is a person's Ctrl-C: Python raises that in the main thread, and nowhere else.

    >>> ends_program(KeyboardInterrupt()), ends_program(SystemExit())
    (True, False)
    """
    return isinstance(error, KeyboardInterrupt) and current_thread() is main_thread()


def _text(of: Callable[[], str], otherwise: str = "") -> str:
    """A text computed by foreign code, or a substitute if that raises."""
    try:
        return of()
    except BaseException as fault:
        return otherwise or f"<its text raised {type(fault).__name__}>"


def _bounded(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
