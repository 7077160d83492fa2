"""Who a session acts for, and how far the server is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from statistics import median
from time import perf_counter
from typing import Any

from attrs import frozen

from callsheet.core import reading
from callsheet.core.core import Core
from callsheet.dialects.accounts import AccountDescription, AccountDialect, Person, SystemInfo, checked_for_logins
from callsheet.entity.entity import Entity
from callsheet.entity.peers import Peers
from callsheet.errors import Forbidden, NotFound, TransportError, Unauthorised, Unavailable, UsageError
from callsheet.flow import Call, Flow, Work
from callsheet.model.query import Comparison, Path, Select
from callsheet.secret import Secret

__all__ = [
    "PageLink",
    "PingTimes",
    "current_user",
    "link",
    "logged_in",
    "logout",
    "open_page",
    "person",
    "ping",
    "system_info",
]

_log = logging.getLogger("callsheet")
USER, USERNAME = "User", "username"
MOST_PINGS = 1_000
NOT_THERE = TransportError, Unavailable, Unauthorised, Forbidden
"""Nobody answers, a proxy answers for a server that is down, or the server refuses the session."""


@frozen
class PingTimes:
    """The seconds that each request of a `ping` took.

    >>> times = PingTimes((0.002, 0.004, 0.003))
    >>> print(times)
    3 pings took 3.0 ms on average (2.0 to 4.0 ms)
    >>> len(times), times.fastest, times.median
    (3, 0.002, 0.003)
    """

    seconds: tuple[float, ...]

    def __iter__(self) -> Iterator[float]:
        return iter(self.seconds)

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def average(self) -> float:
        """The arithmetic mean, in seconds."""
        return sum(self.seconds) / len(self.seconds)

    @property
    def median(self) -> float:
        """The middle one, in seconds: one slow request does not change it."""
        return median(self.seconds)

    @property
    def fastest(self) -> float:
        """The shortest, in seconds."""
        return min(self.seconds)

    @property
    def slowest(self) -> float:
        """The longest, in seconds."""
        return max(self.seconds)

    def __str__(self) -> str:
        many = f"{len(self)} pings" if len(self) != 1 else "1 ping"
        span = f"{self.fastest * 1e3:.1f} to {self.slowest * 1e3:.1f} ms"
        return f"{many} took {self.average * 1e3:.1f} ms on average ({span})"


def ping(core: Core, num: int = 5) -> Flow[PingTimes]:
    """Time some small requests, one after the other, print their average, and return the seconds of each.

    Raises `UsageError` if ``num`` is no count from 1 to 1,000; an error of a request is raised, not hidden.

    >>> times = session.ping(3)  # doctest: +SKIP
    3 pings took 2.1 ms on average (1.9 to 2.4 ms)
    """
    if isinstance(num, bool) or not isinstance(num, int) or not 1 <= num <= MOST_PINGS:
        raise UsageError(f"`num` is a count of pings from 1 to {MOST_PINGS:,}, not {num!r:.40}")
    known = core.server_information.schema_hash
    seconds = []
    for _ in range(num):
        core.statistics.count("ping")
        begun = perf_counter()
        yield from core._dialect.describe(known)
        seconds.append(perf_counter() - begun)
    times = PingTimes(tuple(seconds))
    yield Call(partial(print, times))
    return times


def described(core: Core) -> Flow[AccountDescription]:
    """What the server says of the caller; of a server that cannot say it, what its description and its users say."""
    dialect = core._dialect
    core.statistics.count("account")
    try:
        if isinstance(dialect, AccountDialect):
            return (yield from dialect.account())
    except NotFound:
        _log.debug("the server is older than logins")
    yield from _opened(core)
    description = core.server_information
    user = yield from _user_named(core, core.api_user)
    person = Person(core.api_user) if user is None else _person_of(user, core.api_user)
    key = None if user is None else str(user._key)
    return AccountDescription(core.api_user, person=person, user_key=key, system=SystemInfo(description.server))


def person(core: Core) -> Flow[Person]:
    """The person that the session acts for: user name, first name, surname and email address.

    The server is asked once.
    """
    return (yield from _known(core)).person


def system_info(core: Core) -> Flow[SystemInfo]:
    """The system that the session works on: its name, description, build date and view name.

    The server is asked once.
    """
    return (yield from _known(core)).system


def _known(core: Core) -> Flow[AccountDescription]:
    if core._caller is None:
        core._caller = yield from described(core)
    return core._caller


def current_user(core: Core) -> Flow[Any]:
    """The ``User`` entity of the account that the session acts for.

    None if the account has none, if the login has ended, or if the server is down; the log says why. Once it was found,
    it is kept, and costs no request: `logged_in` says whether the server still accepts the session.
    """
    kept: Any = core._account_user
    if kept is not None and kept._core is core:
        return kept
    try:
        yield from _opened(core)
        account = yield from _known(core)
        if account.user_key is None or USER not in core.schema.types:
            return None
        core._account_user = yield from reading.get(core, USER, account.user_key)
    except NOT_THERE as error:
        _log.info("the current user is not known: %s", error)
        return None
    return core._account_user


def logged_in(core: Core) -> Flow[bool]:
    """Whether the server accepts the session's login or key now. It is asked each time.

    False, too, if the server is down: it cannot be reached, or what answers in its place has no answer; the log says
    why. The attempts and the time that it takes are those of any request (the options ``retries`` and ``timeout``).
    """
    try:
        core._caller = yield from described(core)
    except NOT_THERE as error:
        _log.info("not logged in: %s", error)
        return False
    return True


def logout(core: Core, everywhere: bool = False) -> Flow[None]:
    """End the login at the server, for this session and its forks; ``everywhere`` ends all logins of the account.

    The login of a profile is removed from it. Raises `UsageError` if the session has no login but an API key.
    """
    if core._login is None:
        raise UsageError("this session has no login that could end: it acts by an API key, or in its own process")
    core._caller = core._account_user = None
    yield from core._login.ending(everywhere)


def changing_password(core: Core, old: Secret, new: Secret) -> Flow[None]:
    """Replace the password of the session's account (see `Session.change_password`)."""
    core.statistics.count("account")
    yield from checked_for_logins(core._dialect).change_password(old, new)


class PageLink(str):
    """The address of a page, which notebooks show as a link.

    >>> PageLink("https://callsheet.example.org/explorer/")._repr_html_()
    '<a href="https://callsheet.example.org/explorer/" target="_blank" rel="noopener">Open the explorer</a>'
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f'<a href="{escape(self)}" target="_blank" rel="noopener">Open the explorer</a>'


def open_page(core: Core, entity: Any = None) -> Flow[str]:
    """Open the web page of the server, or of an entity, in a browser; returns its address.

    The browser is signed in as the session's account, by a code that is good once, for half a minute. Raises
    `UsageError` if there is no page or no browser; the message has the address.
    """
    import webbrowser

    address = page_address(core, entity)
    signed = yield from _with_code(core, address)
    if not (yield Work(partial(webbrowser.open, signed))):
        raise UsageError(f"no browser can be opened here; the page is {address}")
    return address


def link(core: Core) -> Flow[PageLink]:
    """The address of the explorer, by which one browser is signed in as the session's account.

    The code in it is good once, for half a minute, so each reading gives another one. Raises `UsageError` if there is
    no page.
    """
    return PageLink((yield from _with_code(core, page_address(core))))


def _with_code(core: Core, address: str) -> Flow[str]:
    """An address with a code by which a browser signs in, where the server makes such codes."""
    if not core.declaration.page_codes:
        return address
    core.statistics.count("account")
    try:
        made = yield from core._dialect.call("own.page", {})
    except (NotFound, Forbidden) as error:
        _log.info("the browser is not signed in: %s", error)
        return address
    return f"{address}#code={made['code']}"


def page_address(core: Any, entity: Any = None) -> str:
    """The address of a page, by the rule that the dialect declares."""
    url: str = core.url
    page: Callable[[str, str, str], str] = core.declaration.page
    if not url.startswith(("https://", "http://")):
        raise UsageError("a server inside this process has no web page; `callsheet serve` runs one that has")
    if entity is None:
        return page(url, "", "")
    if not isinstance(entity, Entity):
        raise UsageError(f"this takes an entity, not {type(entity).__name__}: {entity!r:.80}")
    if entity.state == "created":
        raise UsageError(f"{entity!r} is not on the server yet; commit it first")
    return page(url, entity.entity_type, str(entity._key))


def _opened(core: Any) -> Flow[None]:
    """Open the session if it is not; here, so that a flow can handle the errors of opening."""
    core._check_open()
    if core._description is None:
        yield from core._opening()


def _user_named(core: Core, name: str) -> Flow[Entity | None]:
    """The user of this name, where the schema has users with names."""
    kind = core.schema.types.get(USER)
    if not name or kind is None or USERNAME not in kind.attributes:
        return None
    select = Select(USER, where=Comparison(Path.of(USERNAME), "=", name), limit=1)
    found, _ = yield from reading.fetch(core, select, 1, None, Peers(kind.root))
    return found[0] if found else None


def _person_of(user: Entity, name: str) -> Person:
    def value(*names: str) -> str:
        for each in names:
            if isinstance(found := user.peek(each) if each in user._type.attributes else None, str):
                return found
        return ""

    return Person(name, value("first_name"), value("last_name", "surname"), value("email", "email_address"))
