"""A server in a process of its own: `serve` starts one and gives the handle that stops it.

Parent and child talk over two pipes. The settings go to the child's standard input (the admin key must not be
seen in a process list), which then stays open: when it ends, the parent is gone or wants to stop, and the
child shuts down. The child's first line of output says at which port it listens, or why it cannot; all that
it writes afterwards goes to the log.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import msgspec

from callsheet import errors
from callsheet.errors import CallsheetError, Unavailable, UsageError
from callsheet.private import make_folder, opener
from callsheet.server.child import Ready, ServerSettings
from callsheet.server.limits import limits_of
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
) -> Server:
    """Start a server and return when it answers; use it as a context manager, or ``close()`` it.

    ``schema`` is a preset's name (else ``production``), a schema file or a document, for a database that is new.
    ``database`` is ``sqlite:///path`` or ``postgresql+psycopg://…``; without one, the data live in a temporary folder
    and go with the server. Uploaded files are in the folder ``files``, else beside the database. ``port`` 0 takes any
    free one (see ``url``). ``admin_key`` becomes the key of the account ``admin``; without one, a new database
    gets a new one (see ``Server.admin_key``). ``seed`` fills a new database with the schema's standard entities.
    With ``certificate`` and ``certificate_key`` (PEM files) it speaks HTTPS. A server bound to this machine alone
    answers only to its local names and to ``hosts``, so that no web page can reach it under a name of its own. One
    that other machines can reach needs a certificate, or ``insecure`` to say that keys and data may cross the
    network unencrypted. ``dialects`` are the languages it answers, all of them unless some are named.

    ``limits`` changes what it takes at most, by name: ``{"requests": 200}``. ``trusted_proxies`` are the addresses, or
    networks, of proxies that may say where a request comes from (``X-Forwarded-For``); from all others the header is
    ignored.
    """
    check_exposure(host, certificate is not None, insecure)
    limits, proxies = dict(limits or {}), list(trusted_proxies)
    limits_of(limits)
    networks(proxies)
    answered = check_dialects(served_dialects() if dialects is None else dialects)
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the server needs {', '.join(missing)}: install callsheet with its extra, `callsheet[server]`"
        )
    folder = Path(tempfile.mkdtemp(prefix="callsheet-"))
    settings = ServerSettings(
        schema=dict(schema) if isinstance(schema, Mapping) else None if schema is None else str(schema),
        database=database or f"sqlite:///{(folder / 'callsheet.db').as_posix()}",
        host=host,
        port=port,
        admin_key=admin_key,
        certificate=None if certificate is None else str(certificate),
        certificate_key=None if certificate_key is None else str(certificate_key),
        hosts=_hosts(host, hosts),
        seed=seed,
        files=None if files is None else str(files),
        dialects=sorted(answered),
        limits=limits,
        trusted_proxies=proxies,
    )
    try:
        return Server(settings, folder, Path(logs_path) if logs_path else folder / "server.log")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class Server:
    """A running server process, started by `serve`.

    ``url`` is where it listens, ``admin_key`` the key of the account ``admin`` (None where the database has one
    from before), ``logs_path`` the file it writes its log to, ``process_id`` the child's.
    """

    def __init__(self, settings: ServerSettings, folder: Path, logs_path: Path) -> None:
        self.logs_path = logs_path
        self._process = _start(settings, logs_path)
        # Also at the interpreter's exit, and when the handle is forgotten.
        self._stop = weakref.finalize(self, _stop, self._process, folder, os.getpid())
        self.process_id: int = self._process.pid
        try:
            ready = self._first_line()
            self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
            self._port, self._encrypted = ready.port, settings.certificate is not None
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
        """Whether it answers now."""
        return not self.closed and self._is_healthy()

    @property
    def closed(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Block until the process ends."""
        self._process.wait()

    def close(self) -> None:
        """Let it finish what it is answering, then end it. May be called again."""
        self._stop()

    def _first_line(self) -> Ready:
        """What the child says, or the error it died of."""
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
            import ssl

            # Whose certificate it is does not matter here: nothing secret is asked or told.
            context = ssl._create_unverified_context()
            connection = HTTPSConnection(self._host, self._port, timeout=2.0, context=context)
        else:
            connection = HTTPConnection(self._host, self._port, timeout=2.0)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _story(self, message: str) -> str:
        """The message with the end of the log, which tells why."""
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
            # Ctrl-C in the parent's terminal is the parent's; the child ends when its input does.
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        process.stdin.write(msgspec.json.encode(settings) + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # It is dead already; the first line, which does not come, tells so.
    return process


def _environment() -> dict[str, str]:
    """The child imports the same callsheet, also from a source tree that only ``sys.path`` knows."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    root = Path(__file__).parents[2]
    if root.name not in ("site-packages", "dist-packages"):
        paths = [str(root), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def _stop(process: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # A fork of the parent: the server is not its own to stop.
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
    """The child's error as it was raised there."""
    kind = getattr(errors, ready.error, None)
    if isinstance(kind, type) and issubclass(kind, CallsheetError):
        return kind(ready.message)
    return Unavailable(f"the server cannot start: {ready.error}: {ready.message}")


def _hosts(host: str, more: Iterable[str]) -> list[str] | None:
    if not is_loopback(host):
        return None
    return ["127.0.0.1", "localhost", "[::1]", host.lower(), *(name.lower() for name in more)]
