"""One exchange with a server, as the blocking and the awaiting transport agree on it. It sends nothing itself.

An error names the server's host and never a header, since headers hold the API key.
"""

from __future__ import annotations

import gzip
import os
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypedDict

from attrs import frozen

from callsheet.errors import Closed, Disconnected, Timeout, TransportError, UsageError
from callsheet.flow import Request, Response
from callsheet.transport.address import read_address
from callsheet.transport.retry import Attempts, Budget, Failure, RetryPolicy, status_failure

if TYPE_CHECKING:
    import httpx

__all__ = [
    "OnExchange",
    "Options",
    "Reception",
    "Timeouts",
    "TransportOptions",
    "TransportSettings",
    "conclude",
    "failure_of_error",
    "failure_of_status",
    "is_elsewhere",
    "raise_closed",
]

OnExchange: TypeAlias = Callable[[Request, Response | None, int, int, float, int], None]
"""Called as ``(request, response, bytes_out, bytes_in, seconds, attempts)``; no response: it failed."""

COMPRESSED_FROM = 4 * 2**10
LARGEST_RESPONSE = 512 * 2**20
ACCEPTS = "x-callsheet-accepts"


@frozen
class Timeouts:
    """Seconds to wait for a connection, and for the next bytes of an answer."""

    connect: float = 3.0
    read: float = 30.0


class TransportOptions(TypedDict, total=False):
    """The options of a session that its transport gets; `HttpTransport` says what each means."""

    timeout: Timeouts | float | None
    retries: RetryPolicy | int | None
    verify: bool | str | Path


class Options(TransportOptions, total=False):
    """The options of a transport besides its address and headers."""

    on_exchange: OnExchange | None
    random: Callable[[], float] | None


class TransportSettings:
    """What both transports know: where to send, with which headers, and how patiently."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: Timeouts | float | None = None,
        retries: RetryPolicy | int | None = None,
        verify: bool | str | Path = True,
        on_exchange: OnExchange | None = None,
        random: Callable[[], float] | None = None,
    ) -> None:
        self.address = read_address(url)
        self.host = self.address.host
        self.headers = _checked_headers(headers or {}, self.address.loopback)
        self.timeouts = Timeouts(read=timeout) if isinstance(timeout, int | float) else timeout or Timeouts()
        self.policy = RetryPolicy(retries=retries) if isinstance(retries, int) else retries or RetryPolicy()
        self.verify = verify
        self.on_exchange = on_exchange
        self.budget = Budget()
        self._random = random
        self._compresses = False

    def attempts(self, request: Request) -> Attempts:
        self.budget.request()
        start = time.monotonic()
        if self._random is None:
            return Attempts(self.policy, self.budget, request.safe, start)
        return Attempts(self.policy, self.budget, request.safe, start, self._random)

    def content(self, request: Request) -> tuple[bytes, dict[str, str]]:
        """The body as it travels and the headers that go with it."""
        headers = dict(request.headers)
        packed = headers.get("content-type") == "application/octet-stream"
        packed = packed or is_elsewhere(request)
        if self._compresses and not packed and not self.address.loopback and len(request.content) > COMPRESSED_FROM:
            headers["content-encoding"] = "gzip"
            return gzip.compress(request.content, 1, mtime=0), headers
        return request.content, headers

    def received(self, response: Response) -> None:
        if ACCEPTS in response.headers:
            self._compresses = "gzip" in response.headers[ACCEPTS]

    def url(self, request: Request) -> str:
        """Where a request goes: a path on the server, or an address elsewhere that the server has signed."""
        if not is_elsewhere(request):
            return self.address.url + request.path
        if self.address.encrypted and not request.path.startswith("https://"):
            raise TransportError(f"{self.host} leads to an address without encryption: {_place(request)}")
        return request.path

    def options(self, elsewhere: bool = False) -> dict[str, Any]:
        """The arguments of an httpx client. One that asks elsewhere knows nothing of the user and the key."""
        import httpx

        return {
            "headers": {"user-agent": self.headers[b"user-agent"]} if elsewhere else self.headers,
            "timeout": httpx.Timeout(self.timeouts.read, connect=self.timeouts.connect),
            "limits": httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=30.0),
            "verify": self._ssl_context() if self.address.encrypted or not elsewhere else True,
            # A proxy for the outer world must not be asked for a server on this machine.
            "trust_env": not self.address.loopback,
        }

    def timeout(self, attempts: Attempts) -> httpx.Timeout:
        """The time limits of one attempt: none reaches beyond the deadline."""
        import httpx

        left = max(0.001, attempts.remaining(time.monotonic()))
        return httpx.Timeout(min(left, self.timeouts.read), connect=min(left, self.timeouts.connect))

    def _ssl_context(self) -> ssl.SSLContext | bool:
        if self.verify is False:
            return False
        if self.verify is not True:
            path = Path(self.verify)
            if not path.exists():
                raise UsageError(f"there is no certificate file or folder `{path}` (verify=…)")
            return ssl.create_default_context(
                cafile=None if path.is_dir() else path, capath=path if path.is_dir() else None
            )
        if not self.address.encrypted and not _encrypted_proxy():
            # Reading the system's certificates takes longer than a session's start; plain HTTP needs none.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            if bundle := os.environ.get(name):
                if not Path(bundle).exists():
                    raise UsageError(f"{name} names `{bundle}`, which does not exist")
                return ssl.create_default_context(cafile=bundle)
        return True


def is_elsewhere(request: Request) -> bool:
    """Whether a request goes to an address of its own instead of a path on the server."""
    return request.path.startswith(("https://", "http://"))


class Reception:
    """The bytes of one answer as they come, bounded in time and size."""

    def __init__(self, settings: TransportSettings, attempts: Attempts) -> None:
        self._host, self._attempts = settings.host, attempts
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > LARGEST_RESPONSE:
            raise TransportError(f"{self._host} sent more than {LARGEST_RESPONSE >> 20} MiB in one answer")
        if self._attempts.remaining(time.monotonic()) < 0:
            raise Timeout(f"still sending after {self._attempts.policy.deadline:g} s")

    def response(self, answer: httpx.Response) -> Response:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, b"".join(self._chunks), headers)


def failure_of_status(response: Response) -> Failure | None:
    """What an answer's status means for another attempt."""
    return status_failure(response.status, response.headers.get("retry-after"))


def failure_of_error(error: Exception, closed: bool) -> Failure:
    """What an exception of an attempt means; exceptions that are no failure of the network go on up.

    Only the system's words are kept, never the exception: it refers to the request, and so to the key.
    """
    import httpx

    if isinstance(error, Timeout):
        return Failure(str(error), lasting=True, timeout=True)
    if closed and isinstance(error, RuntimeError | httpx.RequestError):
        return Failure("closed", lasting=True)
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        # Its text may quote a header.
        return Failure("the request cannot be sent as HTTP", sent=False, lasting=True)
    if isinstance(error, httpx.DecodingError):
        return Failure("the compressed answer is damaged")
    if isinstance(error, httpx.TimeoutException):
        sent = not isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
        return Failure("no answer in time" if sent else "no connection in time", sent=sent, timeout=True)
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        lasting = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return Failure(str(error) or "no connection", sent=False, lasting=lasting)
    if isinstance(error, httpx.TransportError):
        return Failure(str(error) or "the connection was lost")
    raise error


def conclude(
    settings: TransportSettings,
    request: Request,
    attempts: Attempts,
    response: Response | None,
    failure: Failure | None,
    bytes_out: int,
    bytes_in: int,
    number: int,
) -> Response:
    """Count the exchange and return its answer, or raise what stands for none."""
    seconds = time.monotonic() - attempts.start
    if settings.on_exchange is not None:
        settings.on_exchange(request, response, bytes_out * number, bytes_in, seconds, number)
    if response is not None:
        if not is_elsewhere(request):
            settings.received(response)
        return response
    assert failure is not None
    if failure.reason == "closed":
        raise_closed(settings.host)
    tried = f" ({number} attempts in {seconds:.1f} s)" if number > 1 else ""
    doubt = "" if request.safe or not failure.sent else "; whether the server did what was asked is not known"
    kind = Timeout if failure.timeout else Disconnected
    raise kind(f"{settings.host}: {request.method} {_place(request)}: {failure.reason}{tried}{doubt}")


def _place(request: Request) -> str:
    """Where a request went, without what an address may be signed with."""
    return request.path.partition("?")[0]


def raise_closed(host: str) -> NoReturn:
    raise Closed(f"the connection to {host} is closed; open a new session")


def _checked_headers(headers: Mapping[str, str], loopback: bool) -> dict[bytes, bytes]:
    """Headers as bytes (UTF-8: account names may have any letters), none of which HTTP would refuse."""
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


def _encrypted_proxy() -> bool:
    return any(name.lower().endswith("_proxy") and value.startswith("https:") for name, value in os.environ.items())
