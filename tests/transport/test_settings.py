"""Options and variables of a transport: what cannot be read is one line that names it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import callsheet
from callsheet.errors import Disconnected, UsageError
from callsheet.flow import Request
from callsheet.transport.http import AsyncHttpTransport, HttpTransport
from callsheet.transport.patience import Timeouts
from callsheet.transport.proxies import proxy_for

URL = "https://callsheet.invalid"


def make(**options: Any) -> None:
    """A transport with these options, and a request over it."""
    transport = HttpTransport(URL, retries=options.pop("retries", 0), **options)
    try:
        transport.send(Request("GET", "/", safe=True))
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timeout": "5"}, "`timeout` is a number of seconds, or `Timeouts`, not '5'"),
        ({"timeout": (1, 2)}, "`timeout` is a number of seconds"),
        ({"timeout": -1}, "`timeout` is a number of seconds above 0"),
        ({"timeout": 0}, "above 0"),
        ({"timeout": float("nan")}, "above 0"),
        ({"timeout": float("inf")}, "below 1,000,000"),
        ({"timeout": 10**400}, "below 1,000,000"),
        ({"timeout": True}, "`timeout` is a number"),
        ({"timeout": Timeouts(read="5")}, "above 0"),
        ({"retries": "3"}, "`retries` is a count from 0 to 1000, or a `RetryPolicy`, not '3'"),
        ({"retries": -1}, "a count from 0"),
        ({"retries": 1.5}, "a count from 0"),
        ({"retries": True}, "a count from 0"),
        ({"verify": None}, "`verify` is True, False, or a file or folder of certificates, not None"),
        ({"verify": 1}, "`verify` is True, False"),
        ({"verify": ""}, "`verify` is True, False"),
        ({"verify": b"x"}, "`verify` is True, False"),
        ({"verify": "/nonexistent/ca.pem"}, r"no certificate file or folder `/nonexistent/ca\.pem` \(verify=…\)"),
        ({"verify": "a\0b"}, "no certificate file or folder"),
    ],
)
def test_options_of_the_wrong_kind(options: dict[str, Any], told: str) -> None:
    """The message names the option, what it takes, and what it got."""
    with pytest.raises(UsageError, match=told):
        make(**options)


@pytest.mark.parametrize("content", ["", "garbage", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize("setting", ["verify", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_none(
    setting: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty file, garbage, a damaged certificate: the file and the setting are named."""
    path = tmp_path / "ca.pem"
    path.write_text(content)
    _without_bundles(monkeypatch)
    if setting != "verify":
        monkeypatch.setenv(setting, str(path))
    with pytest.raises(UsageError, match=rf"`.*ca\.pem` \({setting}\) has no certificates that can be read"):
        make(**({"verify": path} if setting == "verify" else {}))


@pytest.mark.parametrize("setting", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"])
def test_a_folder_of_certificates(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable may name a folder; an empty variable is none; one that does not exist is named."""
    _without_bundles(monkeypatch)
    monkeypatch.setenv("CURL_CA_BUNDLE", "")
    monkeypatch.setenv(setting, str(tmp_path))
    with pytest.raises(Disconnected):
        make()
    monkeypatch.setenv(setting, str(tmp_path / "gone"))
    with pytest.raises(UsageError, match=f"{setting} names `.*gone`, which does not exist"):
        make()


def _without_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    "value",
    [
        "http://[",
        "::::",
        "http://secret:word:c",
        "nosuch://x",
        "ht!tp://x",
        "http://proxy:99999",
        "a\tb",
        " ",
        "http://",
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxies_that_are_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named; what it holds is not, since that may be a password. Both transports say the same."""
    _without_proxies(monkeypatch)
    monkeypatch.setenv(name, value)
    told = f"{name.upper()} is not the address of a proxy"
    with pytest.raises(UsageError, match=told) as raised:
        make()
    assert "secret" not in str(raised.value)

    async def awaited() -> None:
        await AsyncHttpTransport(URL, retries=0).send(Request("GET", "/", safe=True))

    with pytest.raises(UsageError, match=told):
        asyncio.run(awaited())


@pytest.mark.parametrize(
    ("exceptions", "url", "direct"),
    [
        ("*", URL, True),
        ("callsheet.invalid", URL, True),
        (".invalid", URL, True),
        ("*.invalid", URL, True),
        ("sheet.invalid", URL, False),
        ("callsheet.invalid:443", URL, True),
        ("callsheet.invalid:8443", URL, False),
        ("callsheet.invalid:8443", f"{URL}:8443", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("fd00::/8, ::1/128", "https://[fd00::7]:8765", True),
        ("[fd00::7]", "https://[fd00::7]", True),
        ("[fd00::7]:443", "https://[fd00::7]", True),
        ("http://[", URL, False),
        ("::::,,[::1, a\tb,<local>", URL, False),
    ],
)
def test_what_is_asked_directly(exceptions: str, url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts, addresses and networks; what is none of these matches nothing and does no harm."""
    _without_proxies(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", exceptions)
    assert proxy_for(url) == (None if direct else "http://proxy.example.org:3128")


def test_a_socks_proxy_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said."""
    _without_proxies(monkeypatch)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setattr("callsheet.transport.proxies.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"ALL_PROXY names a SOCKS proxy, which needs: pip install 'httpx\[socks\]'"):
        make()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://[", "the server's URL cannot be read"),
        ("http://a b", "has an invalid host name"),
        ("https://ex..com", "has an invalid host name"),
        ("http://" + "a" * 300, "has an invalid host name"),
        ("http://a:99999", "the server's URL cannot be read"),
        ("https://a\0b", "no server address"),
        ("sqlite:///a\0b", "no server address"),
        (5, "`server_url` is a text"),
        (b"http://x", "`server_url` is a text"),
    ],
)
def test_addresses_that_are_none(url: Any, told: str) -> None:
    """Refused when the session is made or opened, before anything is sent."""
    with pytest.raises(UsageError, match=told):
        callsheet.Session(url, "a", "k", schema_cache=False).open()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"api_user": 5}, "`api_user` is a text, not 5"),
        ({"schema": 5}, "`schema` is a preset, a file or a mapping, not 5"),
        ({"journal": 5}, "`journal` is a path, not 5"),
        ({"page_size": "5"}, "`page_size` is a count, not '5'"),
        ({"page_size": 0}, "`page_size` is a count, not 0"),
        ({"plugin_paths": "x"}, "`plugin_paths` is a list of paths, or False, not 'x'"),
        ({"plugin_paths": [5]}, "`plugin_paths` is a list of paths, and 5 is not a path"),
        ({"headers": {"a": 5}}, "the value for header `a` is a text, not int"),
        ({"dialect": 5}, "`dialect` is the name of a dialect, not 5"),
    ],
)
def test_options_of_a_session(options: dict[str, Any], told: str) -> None:
    """Refused at the line that gives them."""
    with pytest.raises(UsageError, match=told):
        callsheet.Session("memory:", **options)


def test_a_key_of_the_wrong_kind_is_not_shown() -> None:
    """Its kind is named, not itself."""
    with pytest.raises(UsageError, match="`api_key` is a text, not bytes"):
        callsheet.Session("https://callsheet.invalid", "a", b"secret")  # type: ignore[arg-type]
