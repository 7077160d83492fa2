"""The limits of a server, as settings: each limit is a number with a name and a default.

The guard (``web/guard.py``) and the connections (``web/newcomers.py``) enforce those of requests before a request is
read. ``docs/reference/limits.md`` describes each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from attrs import fields, frozen

from callsheet.dialects.routes import Size
from callsheet.errors import UsageError

__all__ = ["Limits", "limits_of", "limits_read"]


@frozen
class Limits:
    """Bytes, seconds and numbers; ``hosts`` are the host names that are served (None: any).

    Limits of an *address* count requests from there without a valid key; limits of an *account* count requests with its
    key, from any address.
    """

    header_bytes: int = 32 * 2**10
    header_seconds: float = 10.0
    body_bytes: int = 8 * 2**20
    parts_bytes: int = 16 * 2**20
    decompressed_bytes: int = 64 * 2**20
    body_seconds: float = 30.0
    body_rate: int = 16 * 2**10
    answer_seconds: float = 60.0
    requests: int = 100
    account_requests: int = 40
    held_bytes: int = 2**30
    account_bytes: int = 256 * 2**20
    connections: int = 2_000
    address_connections: int = 64
    account_connections: int = 256
    address_attempts: int = 30
    account_attempts: int = 100
    attempt_seconds: float = 2.0
    threads: int = 40
    account_threads: int = 8
    request_seconds: float = 120.0
    batch_seconds: float = 5.0
    streams: int = 1_000
    account_streams: int = 64
    account_filters: int = 2_000
    account_watches: int = 200
    account_event_bytes: int = 256 * 2**20
    event_seconds: float = 3_600.0
    account_staged_bytes: int = 512 * 2**20
    upload_days: float = 7.0
    address_logins: int = 20
    account_logins: int = 20
    login_attempt_seconds: float = 30.0
    login_requests: int = 16
    access_seconds: float = 900.0
    login_days: float = 30.0
    login_most_days: float = 90.0
    browser_idle_hours: float = 12.0
    browser_most_hours: float = 168.0
    invitation_days: float = 7.0
    password_bytes: int = 19 * 2**20
    password_passes: int = 2
    password_lanes: int = 1
    password_hashes: int = 4
    analytics_bytes: int = 256 * 2**20
    analytics_threads: int = 2
    analytics_questions: int = 4
    stored_cubes: int = 20
    stored_cells: int = 1_000_000
    hosts: frozenset[str] | None = None

    def body(self, size: Size | int) -> int:
        """The most bytes of a body of this size."""
        if isinstance(size, int):
            return size
        return self.parts_bytes if size is Size.LARGE else self.body_bytes


_NUMBERS: dict[str, type[int] | type[float]] = {
    each.name: int if isinstance(each.default, int) else float for each in fields(Limits) if each.name != "hosts"
}


def limits_of(given: Mapping[str, float], hosts: Iterable[str] | None = None) -> Limits:
    """The given limits, and the defaults of the others. Raises `UsageError` for unknown names and invalid numbers.

    >>> limits_of({"requests": 200}).requests
    200
    >>> limits_of({"request": 200})
    Traceback (most recent call last):
    callsheet.errors.UsageError: there is no limit `request`; did you mean `requests`?
    """
    checked = {name: _number(name, value) for name, value in given.items()}
    return Limits(**checked, hosts=None if hosts is None else frozenset(hosts))  # type: ignore[arg-type]


def limits_read(texts: Iterable[str]) -> dict[str, float]:
    """Parse limits from the command line.

    >>> limits_read(["requests=200", "body_seconds=7.5"])
    {'requests': 200.0, 'body_seconds': 7.5}
    """
    read = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            read[name.strip()] = float(value.replace("_", ""))
        except ValueError:
            raise UsageError(f"a limit is written as NAME=NUMBER, such as requests=200, not {text!r:.80}") from None
    return read


def _number(name: str, value: float) -> float:
    kind = _NUMBERS.get(name)
    if kind is None:
        near = get_close_matches(name, _NUMBERS, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(_NUMBERS)}"
        raise UsageError(f"there is no limit `{name:.80}`; {hint}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise UsageError(f"the limit `{name}` is a number greater than 0, not {value!r:.80}")
    if kind is int and int(value) != value:
        raise UsageError(f"the limit `{name}` is a whole number, not {value!r:.80}")
    return kind(value)
