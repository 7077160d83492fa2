"""HTTP: what is repeated, what is raised, and that no error ever tells the key."""

from __future__ import annotations

import asyncio
import gzip
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from callsheet.errors import Closed, Disconnected, Timeout, TransportError, UsageError
from callsheet.flow import Request, Response
from callsheet.transport.http import AsyncHttpTransport, HttpTransport
from callsheet.transport.retry import RetryPolicy

URL = "https://callsheet.example.org"
KEY = "cs_12345678_verysecret_0000"
HEADERS = {"authorization": f"Bearer {KEY}", "x-callsheet-user": "zoë"}
AT_ONCE = {"retries": RetryPolicy(first=0.0)}
SAFE = Request("GET", "/v1/description", safe=True)
UNSAFE = Request("POST", "/v1/call/x", b"{}")

Send = Callable[..., Response]


def blocking(*requests: Request, url: str = URL, **options: Any) -> Response:
    with HttpTransport(url, HEADERS, **{**AT_ONCE, **options}) as transport:
        return [transport.send(request) for request in requests][-1]


def awaiting(*requests: Request, url: str = URL, **options: Any) -> Response:
    async def main() -> Response:
        async with AsyncHttpTransport(url, HEADERS, **{**AT_ONCE, **options}) as transport:
            return [await transport.send(request) for request in requests][-1]

    return asyncio.run(main())


@pytest.fixture(params=[blocking, awaiting])
def send(request: pytest.FixtureRequest) -> Send:
    """Each test holds for both transports."""
    found: Send = request.param
    return found


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        yield router


def test_request_and_response(send: Send, server: respx.MockRouter) -> None:
    """Method, path, parameters, headers and body go out; status, body and lower-case headers come back."""
    route = server.post("/v1/x", params={"known": "a b"}).respond(201, content=b"body", headers={"X-Some": "Thing"})
    response = send(Request("POST", "/v1/x", b"{}", {"known": "a b"}, {"content-type": "application/json"}))
    assert (response.status, response.content, response.headers["x-some"]) == (201, b"body", "Thing")
    sent = route.calls[0].request
    assert sent.content == b"{}"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert dict(sent.headers.raw)[b"x-callsheet-user"] == "zoë".encode()
    assert sent.headers["accept-encoding"] == "gzip"


def test_a_path_below_the_url(send: Send) -> None:
    """The server may live below a path of its host."""
    with respx.mock() as router:
        route = router.get("https://example.org/callsheet/v1/description").respond(200)
        send(SAFE, url="https://example.org/callsheet/")
    assert route.call_count == 1


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed without an answer"),
        httpx.Response(429),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
    ],
)
def test_safe_requests_are_repeated(send: Send, server: respx.MockRouter, failure: Any) -> None:
    """A request that may be sent twice survives what passes."""
    route = server.get("/v1/description")
    route.side_effect = [failure, failure, httpx.Response(200, content=b"ok")]
    assert send(SAFE).content == b"ok"
    assert route.call_count == 3


@pytest.mark.parametrize("failure", [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), httpx.WriteError("broken")])
def test_others_are_not_repeated_once_sent(send: Send, server: respx.MockRouter, failure: Any) -> None:
    """A request that may have been done is not sent again, and the error says that its effect is unknown."""
    route = server.post("/v1/call/x")
    route.side_effect = [failure, httpx.Response(200)]
    with pytest.raises(TransportError, match="it is unknown"):
        send(UNSAFE)
    assert route.call_count == 1


@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.Response(503, headers={"retry-after": "0"})],
)
def test_others_are_repeated_when_nothing_was_done(send: Send, server: respx.MockRouter, failure: Any) -> None:
    """What never reached the server, or was turned away with a time to come again, is sent again."""
    route = server.post("/v1/call/x")
    route.side_effect = [failure, httpx.Response(200, content=b"ok")]
    assert send(UNSAFE).content == b"ok"
    assert route.call_count == 2


@pytest.mark.parametrize("status", [502, 503])
def test_statuses_without_retry_are_returned(send: Send, server: respx.MockRouter, status: int) -> None:
    """A gateway's trouble is returned at once where the request may have been done."""
    route = server.post("/v1/call/x").respond(status)
    assert send(UNSAFE).status == status
    assert route.call_count == 1


def test_500_is_an_answer(send: Send, server: respx.MockRouter) -> None:
    """An internal error would be the same again: no retry."""
    route = server.get("/v1/description").respond(500)
    assert send(SAFE).status == 500
    assert route.call_count == 1


def test_the_last_answer_is_returned(send: Send, server: respx.MockRouter) -> None:
    """When retries end, the caller gets what the server said last."""
    route = server.get("/v1/description").respond(503, content=b"busy")
    assert send(SAFE).content == b"busy"
    assert route.call_count == 5


def test_retry_after_beyond_the_deadline(send: Send, server: respx.MockRouter) -> None:
    """A server that asks for more time than there is, is not waited for."""
    route = server.get("/v1/description").respond(429, headers={"retry-after": "3600"})
    assert send(SAFE).status == 429
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectTimeout("x"), Timeout),
        (httpx.ReadTimeout("x"), Timeout),
        (httpx.PoolTimeout("x"), Timeout),
        (httpx.ConnectError("[Errno 111] Connection refused"), Disconnected),
        (httpx.ReadError("reset"), Disconnected),
        (httpx.RemoteProtocolError("peer closed connection"), Disconnected),
        (httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"), Disconnected),
        (httpx.DecodingError("bad gzip"), Disconnected),
    ],
)
def test_errors_name_the_host_and_never_the_key(
    send: Send, server: respx.MockRouter, failure: Any, kind: type[Exception]
) -> None:
    """The error is of our tree, names the host, and neither it nor its chain can tell the key."""
    server.get("/v1/description").mock(side_effect=failure)
    with pytest.raises(kind, match=r"callsheet\.example\.org") as caught:
        send(SAFE)
    assert type(caught.value) is kind
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_certificate_errors_are_not_repeated(send: Send, server: respx.MockRouter) -> None:
    """A certificate does not become right by asking again."""
    route = server.get("/v1/description")
    route.mock(side_effect=httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"))
    with pytest.raises(Disconnected, match="self-signed"):
        send(SAFE)
    assert route.call_count == 1


def test_exchanges_are_reported(send: Send, server: respx.MockRouter) -> None:
    """The statistics hook sees every exchange once, failed ones without a response."""
    seen: list[Any] = []

    def hook(request: Request, response: Response | None, out: int, back: int, seconds: float, attempts: int) -> None:
        seen.append((request.path, response and response.status, out, back, seconds >= 0, attempts))

    server.post("/v1/call/x").mock(side_effect=[httpx.ConnectError("x"), httpx.Response(200, content=b"answer")])
    server.get("/v1/description").mock(side_effect=httpx.ReadError("x"))
    send(UNSAFE, on_exchange=hook)
    with pytest.raises(Disconnected):
        send(SAFE, on_exchange=hook)
    assert seen == [("/v1/call/x", 200, 4, 6, True, 2), ("/v1/description", None, 0, 0, True, 5)]


def test_bodies_are_compressed_once_the_server_said_so(send: Send, server: respx.MockRouter) -> None:
    """Large bodies go compressed after an answer that allows it; small ones never."""
    route = server.post("/v1/x").respond(200, headers={"x-callsheet-accepts": "gzip"})
    large = Request("POST", "/v1/x", b"a" * 5000)
    send(large, large, Request("POST", "/v1/x", b"a" * 4096))
    first, second, third = (call.request for call in route.calls)
    assert first.content == b"a" * 5000
    assert second.headers["content-encoding"] == "gzip"
    assert gzip.decompress(second.content) == b"a" * 5000
    assert "content-encoding" not in third.headers


def test_nothing_is_compressed_within_a_machine(send: Send) -> None:
    """Loopback is faster than gzip."""
    with respx.mock() as router:
        route = router.post("http://127.0.0.1:8080/v1/x").respond(200, headers={"x-callsheet-accepts": "gzip"})
        large = Request("POST", "/v1/x", b"a" * 5000)
        send(large, large, url="http://127.0.0.1:8080")
    assert route.calls[1].request.content == b"a" * 5000
    assert route.calls[1].request.headers["accept-encoding"] == "identity"


def test_compressed_answers_are_read(send: Send, server: respx.MockRouter) -> None:
    """An answer's gzip is undone."""
    server.get("/v1/description").respond(200, content=gzip.compress(b"hello"), headers={"content-encoding": "gzip"})
    assert send(SAFE).content == b"hello"


def test_a_closed_transport_says_so() -> None:
    """After close, every request raises Closed; closing twice is fine."""
    transport = HttpTransport(URL, HEADERS)
    transport.close()
    transport.close()
    with pytest.raises(Closed, match=r"callsheet\.example\.org"):
        transport.send(SAFE)

    async def main() -> None:
        other = AsyncHttpTransport(URL, HEADERS)
        await other.aclose()
        await other.send(SAFE)

    with pytest.raises(Closed):
        asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["callsheet.example.org", "ftp://example.org", "https://", "http://[::1", "https://me:secret@example.org"]
)
def test_bad_urls(url: str) -> None:
    """A URL that cannot work is refused at once, without telling a password in it."""
    with pytest.raises(UsageError) as caught:
        HttpTransport(url)
    assert "secret" not in str(caught.value)


def test_bad_header_values() -> None:
    """A key with a line break is refused without being shown."""
    with pytest.raises(UsageError) as caught:
        HttpTransport(URL, {"authorization": f"Bearer {KEY}\n"})
    assert KEY not in str(caught.value)
    assert KEY not in repr(HttpTransport(URL, HEADERS))


def test_a_certificate_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong path of certificates is told by name, not as a failed connection."""
    with pytest.raises(UsageError, match="no certificate file or folder `/nowhere"):
        blocking(SAFE, verify="/nowhere.pem")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(UsageError, match=r"REQUESTS_CA_BUNDLE names `/nowhere\.pem`"):
        blocking(SAFE)


def test_importing_is_cheap() -> None:
    """httpx is not imported before something is sent."""
    code = "import sys, callsheet.transport.http, callsheet.transport.drive; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def wire(*answers: bytes) -> Iterator[str]:
    """A server on a real socket that sends each answer to one connection and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def test_a_truncated_body_is_asked_for_again(send: Send) -> None:
    """An answer that ends early is no answer; a safe request is repeated."""
    short = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole"
    for url in wire(short, whole):
        assert send(SAFE, url=url).content == b"whole"


def test_a_truncated_body_is_an_error(send: Send) -> None:
    """Where it may not be repeated, the caller is told that the connection was lost."""
    for url in wire(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"):
        with pytest.raises(Disconnected, match=r"127\.0\.0\.1"):
            send(UNSAFE, url=url)


def test_connection_refused(send: Send) -> None:
    """A port nobody listens at: Disconnected, with the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Disconnected, match=f"127.0.0.1:{port}.*5 attempts"):
        send(SAFE, url=f"http://127.0.0.1:{port}")


def test_a_proxy_is_not_asked_for_this_machine(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on this machine is reached even where a proxy is set for the world."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    for url in wire(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"):
        assert send(SAFE, url=url).content == b"ok"


def test_trio() -> None:
    """The awaiting transport works under trio too."""
    import trio

    async def main(url: str) -> Response:
        async with AsyncHttpTransport(url, HEADERS, **AT_ONCE) as transport:
            return await transport.send(SAFE)

    short = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
    for url in wire(short, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"):
        assert trio.run(main, url).content == b"ok"
