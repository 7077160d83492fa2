"""The server's own process: it reads its settings, listens, and ends when its standard input closes (`process.py`)."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from pathlib import Path
from threading import Thread
from typing import IO, Any

import msgspec

from callsheet.config import log_level
from callsheet.errors import CallsheetError
from callsheet.model.record import NOT_SET

__all__ = ["Ready", "ServerSettings", "main"]


class ServerSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The settings of the child process. Its ``repr`` shows no key, and no password of the database."""

    schema: str | dict[str, Any] | None
    database: str
    host: str
    port: int
    admin_key: str | None
    certificate: str | None
    certificate_key: str | None
    hosts: list[str] | None
    seed: bool
    files: str | None = None
    dialects: list[str] | None = None
    limits: dict[str, float] = {}
    trusted_proxies: list[str] = []
    analytics: bool = False
    analytics_folder: str | None = None
    authentication: dict[str, Any] = {}
    same_site: str = "lax"
    plugins: list[str] = []
    #: A path or an address; empty for the place beside the database, None for memory.
    user_content: str | None = ""

    def __repr__(self) -> str:
        return f"<ServerSettings of a server at {self.host}:{self.port}>"


class Ready(msgspec.Struct, omit_defaults=True):
    """The first line of the child's output: a port and a key, or an error."""

    port: int = 0
    admin_key: str | None = None
    error: str = ""
    message: str = ""

    def __repr__(self) -> str:
        return f"<Ready at port {self.port}>" if self.port else f"<Not ready: {self.error}>"


def main() -> None:
    """Run a server until standard input closes."""
    settings = msgspec.json.decode(_read_line(0), type=ServerSettings)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    logging.basicConfig(level=log_level(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        _listen(settings, output)
    except (CallsheetError, OSError) as error:
        logging.getLogger("callsheet.server").error("%s: %s", type(error).__name__, error)
        _send(output, Ready(error=type(error).__name__, message=str(error)))
        sys.exit(1)


def _listen(settings: ServerSettings, output: IO[bytes]) -> None:
    from callsheet.endpoints.routes import endpoint_routes, load_endpoints
    from callsheet.explorer.routes import explorer_routes
    from callsheet.server.limits import limits_of
    from callsheet.server.service import Service
    from callsheet.server.sign_on.signing_on import client_authority, sign_on_by
    from callsheet.server.web.application import application
    from callsheet.server.web.connections import bound, configured, served_dialects, stoppable_server
    from callsheet.server.web.routing import routes_of

    files = None if settings.files is None else Path(settings.files)
    limits = limits_of(settings.limits, settings.hosts)
    added = endpoint_routes(load_endpoints(settings.plugins))
    service = Service.open(
        settings.database,
        settings.schema,
        settings.admin_key,
        seed=settings.seed,
        files=files,
        limits=limits,
        analytics=settings.analytics,
        analytics_folder=None if settings.analytics_folder is None else Path(settings.analytics_folder),
        user_content=NOT_SET if settings.user_content == "" else settings.user_content,
    )
    try:
        sign_on_by(service, settings.authentication, settings.same_site)
        # The schema and the modules stay: the garbage collector need not examine them again.
        gc.freeze()
        admin_key = settings.admin_key or service.new_admin_key
        config = configured(
            application(service, limits, [added, explorer_routes(), routes_of(settings.dialects or served_dialects())]),
            settings.host,
            settings.port,
            settings.certificate,
            settings.certificate_key,
            limits,
            settings.trusted_proxies,
            **client_authority(settings.authentication),
            log_config=None,
        )
        listening = bound(settings.host, settings.port)
        server = stoppable_server(config, service.stop)
        # uvicorn raises the signal again after its shutdown, which must not end the process before the store is closed.
        signal.signal(signal.SIGTERM, lambda *_: None)
        _send(output, Ready(port=listening.getsockname()[1], admin_key=admin_key))
        Thread(target=_end_with_input, args=(server,), daemon=True).start()
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        service.close()


def _end_with_input(server: Any) -> None:
    """Stop the server when the parent closes the pipe, or has ended."""
    while os.read(0, 4096):
        pass
    server.should_exit = True


def _read_line(descriptor: int) -> bytes:
    # Unbuffered, because a thread reads the rest, and a buffer's lock held at exit would abort the interpreter.
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(descriptor, 65536)
        if not chunk:
            sys.exit("no settings received; start servers with callsheet.serve()")
        line += chunk
    return bytes(line)


def _send(output: IO[bytes], ready: Ready) -> None:
    if not output.closed:
        output.write(msgspec.json.encode(ready) + b"\n")
        output.close()


if __name__ == "__main__":
    main()
