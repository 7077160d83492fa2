"""What the vendor's client has and a session of Callsheet's has not: it can be named, and says so when it is used."""

from __future__ import annotations

from typing import Any

from callsheet.errors import UsageError

__all__ = ["NotOffered", "absent"]


class NotOffered(UsageError):
    """Something of the vendor's client that has no counterpart here."""


def absent(name: str, reason: str) -> Any:
    """A class of this name that can be imported and asked about with ``isinstance``, and not made.

    >>> absent("FileCache", "entities are not kept in files")()
    Traceback (most recent call last):
    callsheet.compat.ftrack_api.absent.NotOffered: FileCache is not offered here: entities are not kept in files
    """

    def refuse(cls: type, *arguments: Any, **named: Any) -> Any:
        raise NotOffered(f"{name} is not offered here: {reason}")

    return type(name, (), {"__new__": refuse, "__doc__": f"Not offered here: {reason}."})
