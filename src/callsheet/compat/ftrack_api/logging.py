"""A message that is formatted when it is written."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["LazyLogMessage", "deprecation_warning"]


class LazyLogMessage:
    """A message for a log, formatted when it is written.

    >>> str(LazyLogMessage("{} of {total}", 1, total=2))
    '1 of 2'
    """

    def __init__(self, message: str, *args: Any, **kwargs: Any) -> None:
        self.message, self.args, self.kwargs = message, args, kwargs

    def __str__(self) -> str:
        return self.message.format(*self.args, **self.kwargs)


def deprecation_warning(message: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: who calls the function is warned."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def warned(*args: Any, **kwargs: Any) -> Any:
            warnings.warn(message, PendingDeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)

        return warned

    return decorate
