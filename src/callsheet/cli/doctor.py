"""``callsheet doctor``: checks the connection between this machine and the server."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

import click
from attrs import frozen

from callsheet.cli.connection import ServerChoice, server_options
from callsheet.cli.terminal import Terminal
from callsheet.errors import CallsheetError, Forbidden, Timeout, TransportError, Unauthorised

if TYPE_CHECKING:
    from callsheet.dialects.protocol import Description
    from callsheet.session.blocking import Session

__all__ = ["Check", "command"]

ROUND_TRIPS = 5
CLOCK_SECONDS = 5.0
SLOW_SECONDS = 0.25


@frozen
class Check:
    """The result of one check, and the remedy if it failed."""

    name: str
    well: bool
    result: str
    cure: str = ""


@click.command("doctor", short_help="Check connection, versions, clocks and round-trip time.")
@server_options
def command(**choice: str | None) -> None:
    """Check the connection, the versions, the clocks and the round-trip time.

    Ends with exit code 1 when something is wrong.
    """
    terminal = Terminal()
    sick = 0
    for check in _checks(ServerChoice(**choice)):
        mark = ("ok  ", "green") if check.well else ("fail", "red")
        terminal.say(mark, f"  {check.name:<12} {check.result}")
        if not check.well:
            sick += 1
            terminal.say(f"      → {check.cure}")
    if sick:
        raise click.exceptions.Exit(1)


def _checks(
    choice: ServerChoice,
) -> Iterator[Check]:
    from callsheet import __version__

    server, user = choice.server or "", choice.user
    yield Check("here", True, f"callsheet {__version__}, Python {platform.python_version()}, {platform.system()}")
    try:
        with closing(choice.session()) as session:
            server = session.url
            before, started = datetime.now(UTC), time.perf_counter()
            description = session.open()
            elapsed = time.perf_counter() - started
            yield Check("connection", True, f"{server} answers to {description.user or user or 'this key'}")
            if description.server == "callsheet":
                yield version(__version__, description.version)
            else:
                yield vendor(__version__, description)
            yield Check("schema", True, f"{session.schema.name}: {len(session.schema.types)} entity types")
            yield clock((description.time - before).total_seconds(), elapsed)
            yield round_trip(_measure(session))
    except CallsheetError as error:
        yield Check("connection", False, f"{server}: {error}", cure(error, server))


def version(here: str, there: str) -> Check:
    """Two versions are compatible if their first two numbers are equal.

    >>> version("1.2.0", "1.2.9").well
    True
    """
    well = here.split(".")[:2] == there.split(".")[:2]
    return Check("versions", well, f"here {here}, server {there}", "install the same version on both sides")


def vendor(here: str, description: Description) -> Check:
    """The versions of a vendor's server are not compared with ours."""
    return Check("versions", True, f"here {here}, server {description.server} {description.version}")


def clock(ahead: float, elapsed: float) -> Check:
    """The server read its clock between the request and the response.

    >>> clock(0.1, 0.2).result
    'the clocks agree within 0.2 s'
    """
    if -CLOCK_SECONDS < ahead < elapsed + CLOCK_SECONDS:
        return Check("clocks", True, f"the clocks agree within {max(abs(ahead), elapsed):.1f} s")
    word = "ahead of" if ahead > 0 else "behind"
    result = f"the server's clock is {abs(ahead):.0f} s {word} this one"
    return Check("clocks", False, result, "let both machines set their clocks by the network (NTP)")


def round_trip(seconds: list[float]) -> Check:
    """The time of a request and its response.

    >>> round_trip([0.002, 0.004, 0.003]).result
    'median 3.0 ms, fastest 2.0 ms of 3'
    """
    middle = median(seconds)
    result = f"median {middle * 1000:.1f} ms, fastest {min(seconds) * 1000:.1f} ms of {len(seconds)}"
    advice = "the network or the server is slow: look for a VPN or a proxy in between, and at the server's load"
    return Check("round trip", middle < SLOW_SECONDS, result, advice)


def cure(error: CallsheetError, server: str) -> str:
    """What to do about an error."""
    if isinstance(error, Unauthorised | Forbidden):
        return (
            "log in again (`callsheet login`), or check CALLSHEET_API_USER and CALLSHEET_API_KEY; "
            "administrators make new keys: callsheet users key NAME"
        )
    if isinstance(error, Timeout):
        return f"{server} does not answer: is it the right address, and does a firewall let you through?"
    if isinstance(error, TransportError):
        return f"start a server (callsheet serve), or name the right one: --server URL (this was {server})"
    return "see the message above"


def _measure(session: Session) -> list[float]:
    seconds = []
    for _ in range(ROUND_TRIPS):
        started = time.perf_counter()
        session.reload_schema()
        seconds.append(time.perf_counter() - started)
    return seconds
