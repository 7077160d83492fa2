"""The address of a server: its URL is checked, and whether it is this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import frozen

from callsheet.errors import UsageError

__all__ = ["Address", "is_loopback", "read_address"]


@frozen
class Address:
    """``url`` has no final slash; ``host`` (with its port) is shown in messages."""

    url: str
    host: str
    loopback: bool
    encrypted: bool


def read_address(url: str) -> Address:
    """Parse a URL; raises `UsageError`, without showing a password, if it cannot be a server's.

    >>> read_address("https://callsheet.example.org:8443/").host
    'callsheet.example.org:8443'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"the server's URL cannot be read: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("the server's URL must look like `https://callsheet.example.org`")
    if parts.username or parts.password:
        raise UsageError(f"the URL of {host} contains a user name or password; give `user` and `key` instead")
    if parts.query or parts.fragment:
        raise UsageError(f"the URL of {host} must end with its path, without `?` or `#`")
    if not _is_host(host):
        raise UsageError(f"the server's URL has an invalid host name: {host!r:.80}")
    shown = f"{host}:{port}" if port else host
    return Address(url.rstrip("/"), shown, is_loopback(host), parts.scheme == "https")


def _is_host(host: str) -> bool:
    """Whether this can be the name or address of a machine."""
    if any(character.isspace() or not character.isprintable() for character in host):
        return False
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host.strip("."))


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine, judged by name or address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("example.org")
    (True, True, False)
    """
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
