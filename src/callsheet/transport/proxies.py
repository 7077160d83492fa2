"""The proxy of a request is found by the usual environment variables.

``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY`` are addresses of proxies. ``NO_PROXY`` lists exceptions: ``*``, a host
with its subdomains, an address, or a network (``10.0.0.0/8``, ``fd00::/8``), each with an optional port. Other texts
match nothing, as in other programs.
"""

from __future__ import annotations

from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies

from callsheet.errors import UsageError

__all__ = ["proxy_for"]

SCHEMES = ("http", "https", "socks5", "socks5h")
_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str) -> str | None:
    """The proxy for an address; None for a direct connection. Raises `UsageError` for an invalid proxy address."""
    found = getproxies()
    parts = urlsplit(url)
    name = parts.scheme if found.get(parts.scheme) else "all"
    proxy = found.get(name)
    if not proxy or _is_direct(parts.hostname or "", parts.port or _PORTS.get(parts.scheme), found.get("no", "")):
        return None
    return _checked(proxy.strip(), f"{name.upper()}_PROXY")


def _checked(proxy: str, variable: str) -> str:
    """The proxy's address. Messages do not contain it, because it may have a password."""
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(proxy)
        sound = parts.scheme in SCHEMES and bool(parts.hostname) and proxy.isprintable() and " " not in proxy
        _ = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(f"{variable} is not the address of a proxy, such as http://proxy.example.org:3128")
    if parts.scheme.startswith("socks"):
        _need_socks(variable)
    return proxy


def _need_socks(variable: str) -> None:
    if find_spec("socksio") is None:
        raise UsageError(f"{variable} names a SOCKS proxy, which needs: pip install 'httpx[socks]'")


def _is_direct(host: str, port: int | None, exceptions: str) -> bool:
    """Whether a host is among the exceptions.

    >>> [_is_direct("sub.corp.example", 443, each) for each in ("corp.example", ".corp.example:443", "*", "a, b")]
    [True, True, True, False]
    >>> [_is_direct("fd00::1", 80, each) for each in ("fd00::/8", "[fd00::1]", "[fd00::1]:81", "10.0.0.0/8")]
    [True, True, False, False]
    """
    return any(_matches(each.strip().lower(), host.lower(), port) for each in exceptions.split(","))


def _matches(exception: str, host: str, port: int | None) -> bool:
    exception = exception.partition("://")[2] or exception
    if exception in ("", "*"):
        return exception == "*"
    if _is_network(exception, host):
        return True
    name, _, wanted = exception.rpartition(":")
    if name and wanted.isdigit() and (":" not in name or name.endswith("]")):
        if int(wanted) != port:
            return False
        exception = name
    exception = exception.strip("[]").lstrip("*").lstrip(".")
    return bool(exception) and (host == exception or host.endswith(f".{exception}"))


def _is_network(exception: str, host: str) -> bool:
    try:
        return ip_address(host) in ip_network(exception.strip("[]"), strict=False)
    except ValueError:
        return False
