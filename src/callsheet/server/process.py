"""A server in a process of its own: `serve` starts one and returns the handle that stops it.

Parent and child communicate over two pipes. The settings are written to the child's standard input, so that the admin
key does not appear in a process list. The pipe stays open: when it is closed, the parent has ended or stops the server,
and the child shuts down. The first line of the child's output has its port, or the error of its start; all later output
goes to the log.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http.client import BadStatusLine, HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import msgspec

from callsheet import errors
from callsheet.errors import CallsheetError, Unavailable, UsageError
from callsheet.model.record import NOT_SET, NotSet
from callsheet.private import make_folder, opener
from callsheet.server.child import Ready, ServerSettings
from callsheet.server.limits import limits_of
from callsheet.server.sign_on.settings import checked_sign_on, https_files
from callsheet.server.user_content import storage_address
from callsheet.server.web.connections import check_dialects, check_exposure, served_dialects
from callsheet.server.web.newcomers import networks
from callsheet.transport.address import is_loopback

__all__ = ["Server", "serve"]

START_SECONDS = 30.0
STOP_SECONDS = 10.0
LOG_TAIL = 4_000
EXTRAS = ("uvicorn", "starlette", "websockets", "sqlalchemy", "filelock")


def serve(
    schema: str | Path | Mapping[str, Any] | None = None,
    database: str | None = None,
    port: int = 0,
    host: str = "127.0.0.1",
    admin_key: str | None = None,
    certificate: str | Path | None = None,
    certificate_key: str | Path | None = None,
    logs_path: str | Path | None = None,
    hosts: Iterable[str] = (),
    seed: bool = False,
    insecure: bool = False,
    files: str | Path | None = None,
    dialects: Iterable[str] | None = None,
    limits: Mapping[str, float] | None = None,
    trusted_proxies: Iterable[str] = (),
    analytics: bool = False,
    analytics_folder: str | Path | None = None,
    authentication: Mapping[str, Any] | None = None,
    https: Mapping[str, str] | None = None,
    client_certificate: Mapping[str, Any] | None = None,
    jwt: Mapping[str, Any] | None = None,
    same_site: str = "lax",
    plugins: Iterable[str | Path] = (),
    user_content_storage: str | Path | NotSet | None = NOT_SET,
) -> Server:
    """Start a server and return when it answers; use it as a context manager, or ``close()`` it.

    ``schema`` is a preset's name (default ``production``), a schema file or a document, for a new database.
    ``database`` is ``sqlite:///path`` or ``postgresql+psycopg://…``; without one, the data are in a temporary folder
    that is removed with the server. Uploaded files are in the folder ``files`` (default: next to the database). With
    ``port`` 0 the server uses a free port (see ``url``). ``admin_key`` becomes the key of the account ``admin``;
    without one, a new database gets a generated key (see ``Server.admin_key``). ``seed`` creates the schema's standard
    entities in a new database.

    With ``certificate`` and ``certificate_key`` (PEM files) the server uses HTTPS. A server bound to this machine
    serves only its local host names and ``hosts``, so that no web page can reach it under a name of its own. One that
    other machines can reach needs a certificate, or ``insecure``, which permits keys and data to cross the network
    unencrypted. ``dialects`` are the dialects to serve (default: all).

    ``limits`` changes limits by name: ``{"requests": 200}``. ``trusted_proxies`` are the addresses or networks of
    proxies whose ``X-Forwarded-For`` is accepted; from all others the header is ignored. With ``analytics`` aggregates
    are answered by a mirror of the database in DuckDB (extra ``analytics``), whose file is in ``analytics_folder``
    (default: beside the database's file; for PostgreSQL a temporary folder). ``plugins`` are files, or folders of them,
    whose endpoints the server answers (`callsheet.endpoint`). ``user_content_storage`` is a path, or the address of a
    database, for the views and dashboards that people keep on the page (default: beside the database's file); None
    keeps them in memory.

    ``authentication`` names the providers that people sign on by, such as
    ``{"oidc": {"issuer": "https://login.example.org", "client_id": "callsheet", "roles": {"artists": "user"}}}``.
    ``jwt`` names an external issuer of tokens, ``client_certificate`` the authority of clients' certificates; ``https``
    is ``{"certificate": …, "key": …}``, another way to give the server's own.
    ``same_site`` says from which links of other sites the explorer's cookie is sent: ``lax``, ``strict`` or ``none``.
    """
    if https is not None:
        certificate, certificate_key = https_files(https)
    signing = {"jwt": jwt, "client_certificate": client_certificate}
    authentication = {**(authentication or {}), **{name: each for name, each in signing.items() if each is not None}}
    checked_sign_on(authentication, same_site, certificate is not None)
    check_exposure(host, certificate is not None, insecure)
    limits, proxies = dict(limits or {}), list(trusted_proxies)
    limits_of(limits)
    networks(proxies)
    answered = check_dialects(served_dialects() if dialects is None else dialects)
    _check_installed()
    folder = Path(tempfile.mkdtemp(prefix="callsheet-"))
    settings = ServerSettings(
        schema=dict(schema) if isinstance(schema, Mapping) else _text(schema),
        database=database or f"sqlite:///{(folder / 'callsheet.db').as_posix()}",
        host=host,
        port=port,
        admin_key=admin_key,
        certificate=_text(certificate),
        certificate_key=_text(certificate_key),
        hosts=_hosts(host, hosts),
        seed=seed,
        files=_text(files),
        dialects=sorted(answered),
        limits=limits,
        trusted_proxies=proxies,
        analytics=analytics,
        analytics_folder=_text(analytics_folder),
        authentication=authentication,
        same_site=same_site,
        plugins=[str(Path(each).absolute()) for each in plugins],
        user_content=_content(user_content_storage),
    )
    return _started(settings, folder, Path(logs_path) if logs_path else folder / "server.log")


def _check_installed() -> None:
    """Raise `UsageError` if a library of the extra ``server`` is missing."""
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the server needs {', '.join(missing)}: install callsheet with its extra, `callsheet[server]`"
        )


def _content(storage: str | Path | NotSet | None) -> str | None:
    if isinstance(storage, NotSet):
        return ""
    return None if storage is None else storage_address(storage)


def _text(value: str | Path | None) -> str | None:
    return None if value is None else str(value)


def _started(settings: ServerSettings, folder: Path, logs_path: Path) -> Server:
    """A running server; its temporary folder is removed if it cannot start."""
    try:
        return Server(settings, folder, logs_path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class Server:
    """A running server process, started by `serve`.

    ``url`` is its address, ``admin_key`` the key of the account ``admin`` (None if the database had one before),
    ``logs_path`` the file of its log, ``process_id`` the child's process id.
    """

    def __init__(self, settings: ServerSettings, folder: Path, logs_path: Path) -> None:
        self.logs_path = logs_path
        self._process = _start(settings, logs_path)
        # Also at the interpreter's exit, and when the handle is collected.
        self._stop = weakref.finalize(self, _stop, self._process, folder, os.getpid())
        self.process_id: int = self._process.pid
        try:
            ready = self._first_line()
            self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
            self._port, self._encrypted = ready.port, settings.certificate is not None
            self._selective = bool(settings.authentication.get("client_certificate", {}).get("required"))
            self.admin_key = ready.admin_key
            self._await_health()
        except BaseException:
            self._stop()
            raise

    def __repr__(self) -> str:
        return f"<Server {self.process_id}{' (closed)' if self.closed else ''}>"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._encrypted else 'http'}://{host}:{self._port}"

    @property
    def ready(self) -> bool:
        """Whether the server answers now."""
        return not self.closed and self._is_healthy()

    @property
    def closed(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Block until the process ends."""
        self._process.wait()

    def close(self) -> None:
        """Let the server finish running requests, then end it. Idempotent."""
        self._stop()

    def _first_line(self) -> Ready:
        """The child's first line; raises the error with which it ended."""
        lines: Queue[bytes] = Queue()
        output = self._process.stdout
        assert output is not None
        Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=START_SECONDS)
        except Empty:
            raise Unavailable(self._story(f"the server did not start within {START_SECONDS:g} s")) from None
        if not line:
            code = self._process.wait()
            raise Unavailable(self._story(f"the server ended while it was starting (exit code {code})"))
        ready = msgspec.json.decode(line, type=Ready)
        if ready.error:
            raise _error(ready)
        return ready

    def _await_health(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._is_healthy():
            if self.closed:
                raise Unavailable(self._story("the server ended while it was starting"))
            if time.monotonic() > end:
                raise Unavailable(self._story(f"{self.url} did not answer within {START_SECONDS:g} s"))
            time.sleep(0.02)

    def _is_healthy(self) -> bool:
        connection: HTTPConnection
        if self._encrypted:
            # The certificate is not verified: the health check sends and receives nothing secret.
            context = ssl._create_unverified_context()
            connection = HTTPSConnection(self._host, self._port, timeout=2.0, context=context)
        else:
            connection = HTTPConnection(self._host, self._port, timeout=2.0)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException) as error:
            # A server that requires certificates of its clients answers nothing else to one without.
            return self._selective and isinstance(error, ssl.SSLError | ConnectionResetError | BadStatusLine)
        finally:
            connection.close()

    def _story(self, message: str) -> str:
        """The message with the end of the log, which has the reason."""
        try:
            tail = self.logs_path.read_bytes()[-LOG_TAIL:].decode("utf-8", "replace").strip()
        except OSError:
            tail = ""
        return f"{message}; the end of its log {self.logs_path}:\n{tail or '(empty)'}"


def _start(settings: ServerSettings, logs_path: Path) -> subprocess.Popen[bytes]:
    make_folder(logs_path.parent)
    with open(logs_path, "ab", opener=opener) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "callsheet.server.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(),
            # Ctrl-C in the terminal interrupts only the parent; the child ends when its input closes.
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        process.stdin.write(msgspec.json.encode(settings) + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # The child has ended already; reading its first line reports it.
    return process


def _environment() -> dict[str, str]:
    """The child's environment, in which it imports the same callsheet, also from a source tree in ``sys.path``."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    root = Path(__file__).parents[2]
    if root.name not in ("site-packages", "dist-packages"):
        paths = [str(root), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def _stop(process: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # In a fork of the parent, which must not stop the server.
    ends: tuple[Callable[[], None], ...] = (partial(_close_input, process), process.terminate, process.kill)
    for end in ends:
        end()
        try:
            process.wait(STOP_SECONDS)
            break
        except subprocess.TimeoutExpired:
            continue
    if process.stdout is not None:
        process.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


def _close_input(process: subprocess.Popen[bytes]) -> None:
    try:
        if process.stdin is not None:
            process.stdin.close()
    except OSError:
        pass


def _error(ready: Ready) -> CallsheetError:
    """The child's error, as the class that it had there."""
    kind = getattr(errors, ready.error, None)
    if isinstance(kind, type) and issubclass(kind, CallsheetError):
        return kind(ready.message)
    return Unavailable(f"the server cannot start: {ready.error}: {ready.message}")


def _hosts(host: str, more: Iterable[str]) -> list[str] | None:
    if not is_loopback(host):
        return None
    return ["127.0.0.1", "localhost", "[::1]", host.lower(), *(name.lower() for name in more)]
