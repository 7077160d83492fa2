"""One exchange with a server: the common part of the blocking and the awaiting transport. It sends nothing itself.

An error's text has the server's host, and never a header, because a header has the API key.
"""

from __future__ import annotations

import gzip
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypedDict
from urllib.parse import urlsplit

from attrs import evolve

from callsheet.errors import CallsheetError, Closed, Disconnected, Timeout, TransportError, UsageError
from callsheet.flow import Request, Response
from callsheet.transport.address import read_address
from callsheet.transport.certificates import checked_certificate, checked_verify, presenting, trusted
from callsheet.transport.patience import Timeouts, checked_policy, checked_timeouts
from callsheet.transport.proxies import proxy_for
from callsheet.transport.renewals import Renewals
from callsheet.transport.retry import Attempts, Budget, Failure, RetryPolicy, status_failure

if TYPE_CHECKING:
    import httpx

    from callsheet.credentials.login import SessionLogin

__all__ = [
    "Exchange",
    "OnExchange",
    "Options",
    "Timeouts",
    "TransportOptions",
    "TransportSettings",
    "error_of_connection",
    "failure_of_error",
    "is_elsewhere",
    "raise_closed",
]

OnExchange: TypeAlias = Callable[[Request, Response | None, int, int, float, int], None]
"""Called as ``(request, response, bytes_out, bytes_in, seconds, attempts)``; the response is None after a failure."""

COMPRESSED_FROM = 4 * 2**10
LARGEST_RESPONSE = 512 * 2**20
ACCEPTS = "x-callsheet-accepts"
CLOSED = "closed"
CUT = "; a server that restarts does that, or a proxy: try again, and see what they have logged"


class TransportOptions(TypedDict, total=False):
    """The options of a session for its transport; `HttpTransport` describes them."""

    timeout: Timeouts | float | None
    retries: RetryPolicy | int | None
    verify: bool | str | Path
    certificate: tuple[str | Path, str | Path] | None


class Options(TransportOptions, total=False):
    """The options of a transport, except its address and headers."""

    on_exchange: OnExchange | None
    random: Callable[[], float] | None
    login: SessionLogin | None


class TransportSettings:
    """The settings of both transports: address, headers, login, time limits and retries."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: Timeouts | float | None = None,
        retries: RetryPolicy | int | None = None,
        verify: bool | str | Path = True,
        certificate: tuple[str | Path, str | Path] | None = None,
        on_exchange: OnExchange | None = None,
        random: Callable[[], float] | None = None,
        login: SessionLogin | None = None,
    ) -> None:
        self.address = read_address(url)
        self.host = self.address.host
        self.headers = _checked_headers(headers or {}, self.address.loopback)
        self.timeouts = checked_timeouts(timeout)
        self.policy = checked_policy(retries)
        self.verify = checked_verify(verify)
        self.certificate = checked_certificate(certificate)
        self.on_exchange = on_exchange
        self.budget = Budget()
        self.renewals = None if login is None else Renewals(login)
        self._random = random
        self._compresses = False

    def attempts(self, request: Request) -> Attempts:
        self.budget.request()
        start = time.monotonic()
        if self._random is None:
            return Attempts(self.policy, self.budget, request.safe, start)
        return Attempts(self.policy, self.budget, request.safe, start, self._random)

    def content(self, request: Request) -> tuple[bytes, dict[str, str]]:
        """The body as it is sent, and its headers."""
        headers = {**self.login_headers(request), **request.headers}
        packed = headers.get("content-type") == "application/octet-stream"
        packed = packed or is_elsewhere(request)
        if self._compresses and not packed and not self.address.loopback and len(request.content) > COMPRESSED_FROM:
            headers["content-encoding"] = "gzip"
            return gzip.compress(request.content, 1, mtime=0), headers
        return request.content, headers

    def login_headers(self, request: Request) -> Mapping[str, str]:
        """The login's headers of a request; none for a request that makes a login, or that goes elsewhere."""
        if self.renewals is None or request.anonymous or is_elsewhere(request):
            return {}
        return self.renewals.login.headers()

    def received(self, response: Response) -> None:
        if ACCEPTS in response.headers:
            self._compresses = "gzip" in response.headers[ACCEPTS]

    def url(self, request: Request) -> str:
        """The URL of a request: a path on the server, or another address that the server has signed."""
        if not is_elsewhere(request):
            return self.address.url + request.path
        if self.address.encrypted and not request.path.startswith("https://"):
            raise TransportError(f"{self.host} redirects to an address without encryption: {_place(request)}")
        return request.path

    def proxy(self, url: str = "") -> str | None:
        """The proxy for an address, or for the server; None for this machine."""
        address = read_address(_origin(url)) if url else self.address
        return None if address.loopback else proxy_for(url or address.url)

    def options(self, elsewhere: bool = False, proxy: str | None = None) -> dict[str, Any]:
        """The arguments of an httpx client. A client for other addresses does not get the user and the key."""
        import httpx

        proxy = proxy if elsewhere else self.proxy()
        return {
            "headers": {"user-agent": self.headers[b"user-agent"]} if elsewhere else self.headers,
            "timeout": httpx.Timeout(self.timeouts.read, connect=self.timeouts.connect),
            "limits": httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=30.0),
            "verify": self._certificates(elsewhere, proxy),
            "proxy": proxy,
            # The environment is read by Callsheet, which checks it.
            "trust_env": False,
        }

    def timeout(self, attempts: Attempts) -> httpx.Timeout:
        """The time limits of one attempt, cut at the deadline."""
        import httpx

        left = max(0.001, attempts.remaining(time.monotonic()))
        return httpx.Timeout(min(left, self.timeouts.read), connect=min(left, self.timeouts.connect))

    def _certificates(self, elsewhere: bool, proxy: str | None) -> ssl.SSLContext | bool:
        if self.certificate is not None and self.address.encrypted and not elsewhere:
            # Presented to the server only: others need not know who reads their files.
            return presenting(self.certificate, self.verify)
        if elsewhere or self.address.encrypted or (proxy or "").startswith("https:"):
            return trusted(self.verify)
        # Plain HTTP needs no certificates, and reading the system's takes longer than starting a session.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def is_elsewhere(request: Request) -> bool:
    """Whether a request goes to an address of its own instead of a path on the server."""
    return request.path.startswith(("https://", "http://"))


class Exchange:
    """A request and its attempts: everything except the sending itself.

    Each attempt begins with `arguments`, collects its response by `add`, and ends with `answered` or `failed`. Then
    `wait` returns the seconds until the next attempt, or None if there is none: then `conclude` returns the response.
    """

    def __init__(self, settings: TransportSettings, request: Request) -> None:
        self._settings, self._request = settings, request
        self._content, self._headers = settings.content(request)
        self._attempts = settings.attempts(request)
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        self._chunks: list[bytes] = []
        self._size = self._received = 0
        self._response: Response | None = None
        self._failure: Failure | None = None

    def arguments(self) -> dict[str, Any]:
        """Begin an attempt; returns the arguments for httpx."""
        self._begin()
        return {
            "method": self._request.method,
            "url": self._settings.url(self._request),
            "content": self._content or None,
            "params": dict(self._request.params) or None,
            "headers": self._headers,
            "timeout": self._settings.timeout(self._attempts),
        }

    def add(self, chunk: bytes) -> None:
        """Add bytes of the response, which is limited in time and size."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > LARGEST_RESPONSE:
            raise TransportError(f"{self._settings.host} sent more than {LARGEST_RESPONSE >> 20} MiB in one answer")
        if self.remaining < 0:
            raise self.overdue()

    @property
    def until(self) -> float:
        """When the exchange has to be over, on the monotonic clock."""
        return self._attempts.until

    @property
    def remaining(self) -> float:
        """The seconds left of the deadline."""
        return self._attempts.remaining(time.monotonic())

    def overdue(self) -> Timeout:
        """The error of an answer that is still coming at the deadline."""
        return Timeout(f"still sending after {self._attempts.policy.deadline:g} s")

    def answered(self, answer: httpx.Response) -> None:
        """The attempt has a response; its status may require another attempt."""
        headers = {name.lower(): value for name, value in answer.headers.items()}
        self._received = answer.num_bytes_downloaded
        self._response = Response(answer.status_code, b"".join(self._chunks), headers)
        # A person, not a retry, repeats a password.
        if self._request.safe or not self._request.anonymous:
            self._failure = status_failure(self._response.status, headers.get("retry-after"))

    def failed(self, error: Exception, closed: bool) -> None:
        """The attempt ended with an error."""
        self._failure = failure_of_error(error, closed)

    def wait(self) -> float | None:
        """The seconds until the next attempt; None when this was the last one."""
        number, self._number = self._number, self._number + 1
        return self._attempts.wait(number, self._failure, time.monotonic()) if self._failure else None

    def conclude(self) -> Response:
        """Report the exchange and return its response, or raise the error of its last attempt."""
        settings, request, response, number = self._settings, self._request, self._response, self._number
        seconds = time.monotonic() - self._attempts.start
        if settings.on_exchange is not None:
            sent = len(self._content) * number
            settings.on_exchange(request, response, sent, self._received, seconds, number)
        if response is not None:
            if not is_elsewhere(request):
                settings.received(response)
            return response
        failure = self._failure
        assert failure is not None
        if failure.reason == CLOSED:
            raise_closed(settings.host)
        tried = f" ({number} attempts in {seconds:.1f} s)" if number > 1 else ""
        doubt = "" if request.safe or not failure.sent else "; it is unknown whether the server processed the request"
        kind = Timeout if failure.timeout else Disconnected
        raise kind(f"{settings.host}: {request.method} {_place(request)}: {failure.reason}{tried}{doubt}")


@cache
def _failures() -> tuple[tuple[tuple[type[Exception], ...], Failure, bool], ...]:
    """The failures of httpx's errors, and whether an error's own text is shown; the first match is used."""
    import httpx

    return (
        # The error's own text may quote a header.
        (
            (httpx.LocalProtocolError, httpx.UnsupportedProtocol),
            Failure("the request cannot be sent as HTTP", sent=False, lasting=True),
            False,
        ),
        ((httpx.DecodingError,), Failure("the compressed answer is damaged"), False),
        ((httpx.ConnectTimeout, httpx.PoolTimeout), Failure("no connection in time", sent=False, timeout=True), False),
        ((httpx.TimeoutException,), Failure("no answer in time", timeout=True), False),
        ((httpx.ConnectError, httpx.ProxyError), Failure("no connection", sent=False), True),
        ((httpx.RemoteProtocolError,), Failure("the answer is no HTTP, or was cut off"), True),
        ((httpx.TransportError,), Failure("the connection was lost"), True),
    )


def failure_of_error(error: Exception, closed: bool) -> Failure:
    """The failure of an attempt's exception. Exceptions of libraries are converted, Callsheet's own are raised.

    Only the text is kept, never the exception, because it refers to the request, and so to the key.
    """
    import httpx

    if isinstance(error, Timeout):
        return Failure(str(error), lasting=True, timeout=True)
    if closed and isinstance(error, RuntimeError | httpx.RequestError):
        return Failure(CLOSED, lasting=True)
    for kinds, failure, own_text in _failures():
        if isinstance(error, kinds):
            if not own_text or not str(error):
                return failure
            lasting = not failure.sent and "CERTIFICATE_VERIFY_FAILED" in str(error)
            cut = isinstance(error, httpx.RemoteProtocolError)
            return evolve(failure, reason=f"{failure.reason}: {error}{CUT}" if cut else str(error), lasting=lasting)
    if isinstance(error, CallsheetError | AssertionError):
        raise error
    return Failure(f"the exchange failed: {type(error).__name__}", lasting=True)


def error_of_connection(error: Exception, settings: TransportSettings, what: str) -> Exception:
    """The error to raise for an exception of a connection for events (``what``)."""
    if isinstance(error, CallsheetError):
        return error
    failure = failure_of_error(error, closed=False)
    if failure.lasting:
        return TransportError(f"{settings.host}: {failure.reason}")
    kind = Timeout if failure.timeout else Disconnected
    return kind(f"{settings.host}: {what}: {failure.reason}")


def _place(request: Request) -> str:
    """The address of a request, without its signature."""
    return request.path.partition("?")[0]


def raise_closed(host: str) -> NoReturn:
    raise Closed(f"the connection to {host} is closed; open a new session")


def _checked_headers(headers: Mapping[str, str], loopback: bool) -> dict[bytes, bytes]:
    """Headers as bytes (UTF-8, because account names may have any letters); raises for those that HTTP forbids."""
    from callsheet import __version__

    checked = {
        b"user-agent": f"callsheet/{__version__}".encode(),
        b"accept": b"application/json",
        # Within one machine, compressing costs more than it saves.
        b"accept-encoding": b"identity" if loopback else b"gzip",
    }
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(f"{name!r} cannot be the name of a header")
        if any(character < " " or character == "\x7f" for character in value) or value != value.strip():
            raise UsageError(
                f"the value for header `{name}` has characters that HTTP does not allow, or spaces around it"
            )
        checked[name.lower().encode()] = value.encode()
    return checked


def _origin(url: str) -> str:
    """An address without its path and signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
