"""Modules that are imported when one of their functions is first called.

``from callsheet import Session`` is in every script, also in very short ones, so it must be fast. It imports only what
the class itself needs; the modules that its methods call are imported by the first call. A module declares them so:

    if TYPE_CHECKING:
        from callsheet.core import opening
    else:
        opening = Later("callsheet.core.opening")

Type checkers and the contracts on imports see the module itself. After its first call, a function replaces its
placeholder.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Later", "LaterFunction"]


class Later:
    """Stands for a module of functions and classes that are called, not inherited from.

    >>> json = Later("json")
    >>> json.loads("[1]")
    [1]
    >>> import json as module
    >>> json.loads is module.loads
    True
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return LaterFunction(self, name)


class LaterFunction:
    """A function, or a class to make an object of, whose module is imported by the first call."""

    def __init__(self, home: Later, name: str) -> None:
        self._home, self.__name__ = home, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.load()(*args, **kwargs)

    def load(self) -> Any:
        """The function."""
        found = getattr(import_module(self._home._module), self.__name__)
        self._home.__dict__[self.__name__] = found
        return found
