"""Connections by whoever holds them: an address, until one of its requests shows a right key; then the account.

Who has no key cannot take the places of others. An address has so many connections without a key, and where one more
comes, the oldest of them is hung up on: never one that has shown a key. When there are as many without a key as half of
all that the server takes, the address with the most of them loses one. An account that has too many loses one that is
idle.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol, TypeAlias

from callsheet.errors import UsageError
from callsheet.server.access.authentication import network_of
from callsheet.server.deadline import Deadline
from callsheet.server.limits import Limits
from callsheet.server.web.asgi import Scope

__all__ = ["Connection", "Connections", "Networks", "SIGNED", "networks", "vouch", "watch"]

CONNECTION = "callsheet.connection"
"""In the state of a scope: the connection that the request came over."""
SIGNED = "(a signed address)"
"""Who holds the connections over which files go to and from addresses that were signed for somebody."""

Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]
_Holder: TypeAlias = tuple[str, str]


class Connection(Hashable, Protocol):
    """One connection, as its protocol knows it."""

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""

    def turn_away(self, reason: str) -> None:
        """Hang up, and say why if nothing was said yet."""

    def watched(self, deadline: Deadline) -> None:
        """Give this up when the connection ends, or if it has ended; it belongs to the request under way."""

    def vouched(self, account: str) -> None:
        """One of its requests has shown the key of this account, or an address that the account has signed."""


class Connections:
    """All connections of one server. Those of proxies that are named belong to no address: many come through them."""

    def __init__(self, limits: Limits, proxies: Networks = ()) -> None:
        self._limits, self._proxies = limits, proxies
        self._held: dict[_Holder, dict[Connection, None]] = {}
        self._holder: dict[Connection, _Holder] = {}
        self._without_key = 0

    def came(self, connection: Connection, address: str) -> None:
        """A connection is there, and has shown no key yet."""
        if _is_within(address, self._proxies):
            return
        holder = "address", network_of(address)
        self._hold(connection, holder)
        self._without_key += 1
        most = self._limits.address_connections
        if len(self._held[holder]) > most:
            self._hang_up_on_oldest(holder, f"your address has {most} connections without an API key, its limit")
        elif self._without_key > self._limits.connections // 2:
            crowded = max((each for each in self._held if each[0] == "address"), key=lambda each: len(self._held[each]))
            self._hang_up_on_oldest(crowded, "the server has no room for more connections without an API key")

    def vouched(self, connection: Connection, account: str) -> None:
        """A connection belongs to an account from now on."""
        holder = "account", account
        known = self._holder.get(connection)
        if known == holder or (account == SIGNED and known is not None and known[0] == "account"):
            return
        self.left(connection)
        self._hold(connection, holder)
        if len(self._held[holder]) > self._limits.account_connections:
            idle = next((each for each in self._held[holder] if each.idle), None)
            if idle is not None:
                self.left(idle)
                idle.turn_away("")

    def left(self, connection: Connection) -> None:
        """A connection has ended."""
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

    def _hang_up_on_oldest(self, holder: _Holder, reason: str) -> None:
        oldest = next(iter(self._held[holder]))
        self.left(oldest)
        oldest.turn_away(f"{reason}; close some, or show a key")


def vouch(scope: Scope, account: str) -> None:
    """The connection of this request has shown a right key."""
    connection = scope.get("state", {}).get(CONNECTION)
    if connection is not None:
        connection.vouched(account)


def watch(scope: Scope, deadline: Deadline) -> None:
    """Give a request up when its connection ends."""
    connection = scope.get("state", {}).get(CONNECTION)
    if connection is not None:
        connection.watched(deadline)


def networks(texts: Iterable[str]) -> Networks:
    """Addresses and networks as they are written; `UsageError` for what is neither.

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
