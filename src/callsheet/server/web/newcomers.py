"""Open connections are counted per holder: the client's address until a request has a valid key, then its account.

So clients without a key cannot displace others. If an address opens more than its limit without a key, the oldest of
these is closed, never an authenticated one. If connections without a key make up half of the server's limit, the
address with the most of them loses one. An account with too many connections loses an idle one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol, TypeAlias

from callsheet.errors import UsageError
from callsheet.server.access.authentication import network_of
from callsheet.server.deadline import Deadline
from callsheet.server.limits import Limits
from callsheet.server.web.asgi import Scope, holder

__all__ = ["Connection", "Connections", "Networks", "SIGNED", "cancel_on_close", "mark_authenticated", "networks"]

CONNECTION = "callsheet.connection"
"""In the state of a scope: the connection of the request."""
SIGNED = "(a signed address)"
"""The holder of connections whose requests use signed addresses of files."""

Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]
_Holder: TypeAlias = tuple[str, str]


class Connection(Hashable, Protocol):
    """What `Connections` needs of a connection."""

    @property
    def idle(self) -> bool:
        """Whether no request is running."""

    def turn_away(self, reason: str) -> None:
        """Close the connection; a client without a response so far is sent the reason."""

    def cancel_on_close(self, deadline: Deadline) -> None:
        """Cancel this deadline of the running request when the connection closes, or now if it is closed."""

    def authenticated(self, account: str) -> None:
        """One of its requests had a valid key of this account, or an address that the account has signed."""


class Connections:
    """All connections of one server. Those of trusted proxies are not counted: they carry many clients."""

    def __init__(self, limits: Limits, proxies: Networks = ()) -> None:
        self._limits, self._proxies = limits, proxies
        self._held: dict[_Holder, dict[Connection, None]] = {}
        self._holder: dict[Connection, _Holder] = {}
        self._without_key = 0

    def opened(self, connection: Connection, address: str) -> None:
        """A connection was opened; it is not authenticated yet."""
        if _is_within(address, self._proxies):
            return
        holder = "address", network_of(address)
        self._hold(connection, holder)
        self._without_key += 1
        most = self._limits.address_connections
        if len(self._held[holder]) > most:
            self._close_oldest(holder, f"your address has {most} connections without an API key, its limit")
        elif self._without_key > self._limits.connections // 2:
            crowded = max((each for each in self._held if each[0] == "address"), key=lambda each: len(self._held[each]))
            self._close_oldest(crowded, "the server has no room for more connections without an API key")

    def authenticated(self, connection: Connection, account: str) -> None:
        """From now on, the account holds this connection."""
        holder = "account", account
        known = self._holder.get(connection)
        if known == holder or (account == SIGNED and known is not None and known[0] == "account"):
            return
        self.closed(connection)
        self._hold(connection, holder)
        if len(self._held[holder]) > self._limits.account_connections:
            idle = next((each for each in self._held[holder] if each.idle), None)
            if idle is not None:
                self.closed(idle)
                idle.turn_away("")

    def closed(self, connection: Connection) -> None:
        """A connection was closed."""
        holder = self._holder.pop(connection, None)
        if holder is None:
            return
        held = self._held[holder]
        del held[connection]
        if not held:
            del self._held[holder]
        self._without_key -= holder[0] == "address"

    def _hold(self, connection: Connection, holder: _Holder) -> None:
        self._holder[connection] = holder
        self._held.setdefault(holder, {})[connection] = None

    def _close_oldest(self, holder: _Holder, reason: str) -> None:
        oldest = next(iter(self._held[holder]))
        self.closed(oldest)
        oldest.turn_away(f"{reason}; close some, or send a key")


def mark_authenticated(scope: Scope, account: str) -> None:
    """The connection of this request belongs to this account."""
    connection = scope.get("state", {}).get(CONNECTION)
    if connection is not None:
        connection.authenticated(account if account == SIGNED else holder(scope, account))


def cancel_on_close(scope: Scope, deadline: Deadline) -> None:
    """Cancel a request's deadline when its connection closes."""
    connection = scope.get("state", {}).get(CONNECTION)
    if connection is not None:
        connection.cancel_on_close(deadline)


def networks(texts: Iterable[str]) -> Networks:
    """Parse addresses and networks; raises `UsageError` if a text is neither.

    >>> networks(["10.0.0.7", "192.0.2.0/24"])
    (IPv4Network('10.0.0.7/32'), IPv4Network('192.0.2.0/24'))
    """
    try:
        return tuple(ip_network(text.strip()) for text in texts)
    except ValueError as error:
        raise UsageError(f"a proxy is named by its address, or a network such as 10.0.0.0/24: {error}") from None


def _is_within(address: str, known: Networks) -> bool:
    if not known:
        return False
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in known)
