"""The way into a workspace: ``/workspaces/NAME`` before a path chooses it, for every route of every dialect.

The rest of the path is routed in the workspace's own application. Its prefix becomes the ``root_path`` of ASGI, so that
addresses that the server makes of itself have it too. The guard stands before this: its limits are of the process.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from anyio import CapacityLimiter, to_thread
from attrs import frozen

from callsheet.errors import CallsheetError, ServerError, Unavailable
from callsheet.model.workspace import DEFAULT, FOLDER, name_in_path
from callsheet.server.web.admission import Admitted
from callsheet.server.web.asgi import WORKSPACE, Application, Receive, Scope, Send
from callsheet.server.workspaces.hosting import Workspaces

__all__ = ["WorkspaceApplication", "WorkspaceDoor"]

log = logging.getLogger("callsheet.server")

CHOSEN = "callsheet.chosen"
"""In the scope: the application of the workspace that the guard has admitted the request to."""
OPENING_THREADS = 4


@frozen(eq=False)
class WorkspaceApplication:
    """The routes of one workspace, and what authenticates its callers."""

    routes: Application
    admit: Callable[[Scope], Awaitable[Admitted]]


class WorkspaceDoor:
    """Passes each request to the application of the workspace that its path names.

    ``made`` makes the application of a service; it may block.
    """

    def __init__(
        self,
        main: WorkspaceApplication,
        workspaces: Workspaces[Any],
        made: Callable[[Any], WorkspaceApplication],
        nobody: Callable[[], WorkspaceApplication],
    ) -> None:
        self._main, self._workspaces, self._make, self._make_nobody = main, workspaces, made, nobody
        self._made: dict[str, tuple[Any, WorkspaceApplication]] = {}
        self._nobody: WorkspaceApplication | None = None
        self._limiter: CapacityLimiter | None = None

    async def admit(self, scope: Scope) -> Admitted:
        """Choose the workspace, and authenticate the caller in it."""
        chosen = scope[CHOSEN] = await self._chosen(scope)
        return await chosen.admit(scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._main.routes(scope, receive, send)
            return
        chosen = scope.pop(CHOSEN, None)
        if chosen is None:
            try:
                chosen = await self._chosen(scope)
            except ServerError:
                # Only websockets come without admission.
                await send({"type": "websocket.close"})
                return
        await chosen.routes(scope, receive, send)

    async def _chosen(self, scope: Scope) -> WorkspaceApplication:
        """The application for a request; moves the prefix of its path to the ``root_path``."""
        before = scope.get("root_path", "")
        raw = (scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1") or scope["path"]
        path = raw.removeprefix(before)
        if not path.startswith(FOLDER):
            return self._main
        part, _, rest = path.removeprefix(FOLDER).partition("/")
        name = name_in_path(part)
        prefix = f"{before}{FOLDER}{(name or part).replace('/', '~')}"
        scope["root_path"], scope["path"] = prefix, f"{prefix}/{unquote(rest)}"
        scope["raw_path"] = f"{prefix}/{rest}".encode("latin-1", "replace")
        if name == DEFAULT:
            return self._main
        scope[WORKSPACE] = name or part
        return await self._application(name)

    async def _application(self, name: str | None) -> WorkspaceApplication:
        if name is not None and name in self._made:
            service, found = self._made[name]
            if self._workspaces.known(name) is service:
                return found
        self._limiter = self._limiter or CapacityLimiter(OPENING_THREADS)
        return await to_thread.run_sync(self._opened, name, limiter=self._limiter)

    def _opened(self, name: str | None) -> WorkspaceApplication:
        """The application of a name; opens its service if needed."""
        try:
            service = None if name is None else self._workspaces.service(name)
        except CallsheetError as error:
            log.error("the workspace %s cannot be opened: %s", name, error)
            raise Unavailable("this workspace cannot be opened now; the server's log has the reason") from None
        if name is None or service is None:
            self._made.pop(name or "", None)
            self._nobody = self._nobody or self._make_nobody()
            return self._nobody
        known = self._made.get(name)
        if known is None or known[0] is not service:
            known = self._made[name] = service, self._make(service)
        return known[1]
