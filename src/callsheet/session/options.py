"""The options of a session are checked in its constructor, so that the traceback ends at the caller's line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from callsheet.errors import UsageError

__all__ = ["LocalZone", "check_kinds", "zone_of"]

_TEXT = (str,)
_PATH = (str, os.PathLike)
_KINDS: dict[str, tuple[tuple[Any, ...], str]] = {
    "server_url": (_TEXT, "a text, such as 'https://callsheet.example.org'"),
    "api_user": (_TEXT, "a text"),
    "api_key": (_TEXT, "a text"),
    "dialect": (_TEXT, "the name of a dialect"),
    "workspace": (_TEXT, "the name of a workspace, such as 'lab' or 'holidays/uk'"),
    "data_view": (_TEXT, "the name of a data view"),
    "system": (_TEXT, "the name of a system"),
    "schema": ((*_PATH, Mapping), "a preset, a file or a mapping"),
    "journal": (_PATH, "a path"),
    "schema_cache": ((*_PATH, bool), "a folder or False"),
    "plugin_arguments": ((Mapping,), "a mapping"),
    "headers": ((Mapping,), "a mapping of texts"),
    "profile": (_TEXT, "the name of a profile"),
    "name": (_TEXT, "a text"),
}


def check_kinds(given: Mapping[str, Any]) -> None:
    """Raise `UsageError` for an option of the wrong type. Omitted options need not be in ``given``."""
    for name, value in given.items():
        if name in _KINDS and value is not None and not isinstance(value, _KINDS[name][0]):
            raise UsageError(f"`{name}` is {_KINDS[name][1]}, not {_shown(name, value)}")
    for name in ("page_size", "window"):
        size = given.get(name, 1)
        if isinstance(size, bool) or not isinstance(size, int) or size < (name == "page_size"):
            raise UsageError(f"`{name}` is a count, not {size!r:.80}")
    _check_texts(given.get("headers") or {})
    _check_paths(given.get("plugin_paths"))


def zone_of(naive_times: Any) -> tzinfo:
    """The zone that the option ``naive_times`` names: a ``tzinfo``, a name such as ``Europe/Berlin``, or ``local``."""
    if isinstance(naive_times, tzinfo):
        return naive_times
    if naive_times == "local":
        return LocalZone()
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(naive_times)
    except Exception:
        raise UsageError(
            f"`naive_times` is a time zone, its name (`Europe/Berlin`, `UTC`) or `local`, not {naive_times!r:.80}"
        ) from None


class LocalZone(tzinfo):
    """The zone of this machine, as the system knows it at each time.

    >>> from datetime import datetime
    >>> here = datetime(2026, 7, 1, tzinfo=LocalZone())
    >>> here.utcoffset() == datetime(2026, 7, 1).astimezone().utcoffset()
    True
    """

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return "local"

    def fromutc(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)

    def __repr__(self) -> str:
        return "local"


def _shown(name: str, value: Any) -> str:
    """A value for an error's text; of a key only the type."""
    return type(value).__name__ if name == "api_key" else f"{value!r:.80}"


def _check_texts(headers: Mapping[Any, Any]) -> None:
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise UsageError(f"the value for header `{name}` is a text, not {type(value).__name__}")


def _check_paths(paths: Any) -> None:
    if paths is None or paths is False:
        return
    if isinstance(paths, str | bytes) or not isinstance(paths, Sequence):
        raise UsageError(f"`plugin_paths` is a list of paths, or False, not {paths!r:.80}")
    for path in paths:
        if not isinstance(path, _PATH):
            raise UsageError(f"`plugin_paths` is a list of paths, and {path!r:.80} is not a path")
