"""``Session.start``: a server in a process of its own, and the session of its administrator, as one thing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from attrs import asdict, field, frozen

from callsheet.errors import StateError, UsageError

if TYPE_CHECKING:
    from callsheet.server.process import Server

__all__ = [
    "HttpsConfig",
    "SecurityConfig",
    "SessionConfig",
    "start",
    "start_async",
]

TAIL = 100
_named: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""The sessions that were started in this process, by the names that they were given."""


@frozen(kw_only=True)
class HttpsConfig:
    """A certificate and its key, as PEM files."""

    certificate: str | Path
    certificate_key: str | Path


@frozen(kw_only=True)
class SecurityConfig:
    """How people sign on, beside names, passwords and API keys; as `callsheet.serve` takes it."""

    authentication: Mapping[str, Any] = field(factory=dict)
    same_site: str = "lax"


@frozen(kw_only=True)
class SessionConfig:
    """What `Session.start` starts. ``name`` is that of the session: a new one of the same name closes the older one.

    ``options`` are further arguments of `callsheet.serve`, by name: ``{"schema": "lab", "analytics": True}``.
    """

    name: str | None = None
    port: int = 0
    database: str | None = None
    https: HttpsConfig | None = None
    security: SecurityConfig = field(factory=SecurityConfig)
    logs_path: str | Path | None = None
    options: Mapping[str, Any] = field(factory=dict)


class _Started:
    """What both kinds have of their server."""

    #: None in forks, and in sessions of the past and of scenarios, which do not own the server.
    _own_server: Server | None = None

    @property
    def _server(self) -> Server:
        if self._own_server is None:
            raise StateError("the server belongs to the session that started it; ask that one")
        return self._own_server

    @property
    def port(self) -> int:
        """The port that the server listens at."""
        return int(self._server.url.rpartition(":")[2])

    @property
    def ready(self) -> bool:
        """Whether the server answers now."""
        return self._server.ready

    @property
    def logs_path(self) -> Path:
        """The file of the server's log."""
        return self._server.logs_path

    def logs(self, tail: int = TAIL) -> list[str]:
        """The last lines of the server's log."""
        if isinstance(tail, bool) or not isinstance(tail, int) or tail < 0:
            raise UsageError(f"`tail` is a number of lines, not {tail!r:.40}")
        text = self._server.logs_path.read_text("utf-8", "replace")
        return text.splitlines()[-tail:] if tail else []

    def _began(self, server: Server, name: str | None) -> None:
        self._own_server = server
        if name is not None:
            _named[name] = self


class _BlockingStarted(_Started):
    """A session of the administrator of a server that it started; closing it ends the server."""

    def wait(self) -> None:
        """Block until the server ends."""
        self._server.wait()

    def close(self) -> None:
        """End the session and its server. Pending changes are discarded."""
        super().close()  # type: ignore[misc]
        if self._own_server is not None:
            self._own_server.close()


class _AwaitedStarted(_Started):
    """A session of the administrator of a server that it started; closing it ends the server."""

    async def wait(self) -> None:
        """Wait until the server ends."""
        from anyio import to_thread

        await to_thread.run_sync(self._server.wait)

    async def close(self) -> None:
        """End the session and its server. Pending changes are discarded."""
        from anyio import to_thread

        await super().close()  # type: ignore[misc]
        if self._own_server is not None:
            await to_thread.run_sync(self._own_server.close)


@cache
def _started(kind: type) -> Any:
    """The class of sessions of this kind that own their server."""
    mixed = _AwaitedStarted if kind._awaits else _BlockingStarted  # type: ignore[attr-defined]
    return type(f"Started{kind.__name__}", (mixed, kind), {"__doc__": mixed.__doc__, "__module__": __name__})


def start(kind: type, config: SessionConfig | None = None) -> Any:
    """Start a server, and give an open session of its administrator, of a kind that blocks; see `Session.start`."""
    chosen = config or SessionConfig()
    if (previous := _taken_over(chosen)) is not None:
        previous.close()
    server = _served(chosen)
    try:
        session = _session(kind, server, chosen)
        session.open()
    except BaseException:
        server.close()
        raise
    return session


async def start_async(kind: type, config: SessionConfig | None = None) -> Any:
    """The same as `start`, for a kind that is awaited."""
    from anyio import to_thread

    chosen = config or SessionConfig()
    if (previous := _taken_over(chosen)) is not None:
        await to_thread.run_sync(previous.close)
    server = await to_thread.run_sync(_served, chosen)
    try:
        session = _session(kind, server, chosen)
        await session.open()
    except BaseException:
        await to_thread.run_sync(server.close)
        raise
    return session


def _taken_over(config: SessionConfig) -> Server | None:
    """The server of the older session of this name, if there is one."""
    previous = _named.pop(config.name, None) if config.name is not None else None
    return None if previous is None else previous._server


def _session(kind: type, server: Server, config: SessionConfig) -> Any:
    session = _started(kind)(server.url, **_administrator(server, config))
    session._began(server, config.name)
    session.started_server = True
    return session


def _served(config: SessionConfig) -> Server:
    from callsheet.server.process import serve

    given: dict[str, Any] = {
        "port": config.port,
        "database": config.database,
        "logs_path": config.logs_path,
        "authentication": dict(config.security.authentication),
        "same_site": config.security.same_site,
        **({} if config.https is None else asdict(config.https)),
    }
    if double := sorted({*given} & {*config.options}):
        raise UsageError(f"`{double[0]}` is a field of the configuration itself, and not one of its `options`")
    try:
        return serve(**given, **config.options)
    except TypeError as error:
        raise UsageError(f"`options` are arguments of callsheet.serve: {error}") from None


def _administrator(server: Server, config: SessionConfig) -> dict[str, Any]:
    key = server.admin_key or config.options.get("admin_key")
    if key is None:
        server.close()
        raise UsageError(
            "the database has an administrator already: give its key, options={'admin_key': …}, or connect to a server "
            "that runs with callsheet.connect"
        )
    found: dict[str, Any] = {"api_user": "admin", "api_key": key, "name": config.name}
    # The server's certificate may be signed by nobody else.
    return found if config.https is None else {**found, "verify": config.https.certificate}
