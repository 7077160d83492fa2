"""A request is authenticated before its body is read: without a valid key, only its headers are read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from anyio import CapacityLimiter, to_thread
from attrs import frozen

from callsheet.dialects.routes import AnyRoute, Credentials, Intake
from callsheet.errors import CallsheetError
from callsheet.server.access.authentication import Authentication
from callsheet.server.access.principal import Principal
from callsheet.server.web.asgi import Scope, client_address, has_body
from callsheet.server.web.bodies import Refusal
from callsheet.server.web.endpoints import Recognising, presented_by, recognise, web_request

__all__ = ["Admission", "Admitted"]

STRANGERS = 4
"""Threads that look up keys not seen valid before; known keys have a pool of the same size."""
ORDINARY = Intake()


@frozen
class Admitted:
    """What the guard has before it reads the body: what the route accepts, and the caller's account, if any.

    If ``body`` is false, no body is read, and the route receives an empty one.
    """

    intake: Intake = ORDINARY
    account: str = ""
    body: bool = True


UNKNOWN = Admitted(body=False)
"""No route matches: the application answers 404."""


class Admission:
    """Authenticates requests by the credentials that their route declares."""

    def __init__(
        self, service: Recognising, chain: Authentication, route_of: Callable[[Scope], AnyRoute | None]
    ) -> None:
        self._service, self._chain, self._route_of = service, chain, route_of
        self._strangers: CapacityLimiter | None = None
        self._regulars: CapacityLimiter | None = None

    async def __call__(self, scope: Scope) -> Admitted:
        """The route's intake and the caller's account; raises `Refusal` if the request is refused."""
        route = self._route_of(scope)
        if route is None:
            return UNKNOWN
        caller = await self._caller(scope, route)
        if caller is not None:
            return Admitted(route.intake, caller.account)
        return Admitted(route.intake, body=route.intake.anonymous)

    async def _caller(self, scope: Scope, route: AnyRoute) -> Principal | None:
        if route.credentials is None:
            return None
        request, address = web_request(scope), client_address(scope)
        presented = presented_by(route.credentials, request)
        if presented is None:
            return None
        if not presented.missing and (known := self._chain.remembered(presented, address)):
            return known
        try:
            work = partial(recognise, self._service, self._chain, route.credentials, request, address)
            return await to_thread.run_sync(work, limiter=self._limiter(presented))
        except CallsheetError as error:
            if route.refuse is None:
                raise
            raise Refusal(route.refuse(error), unread=has_body(scope)) from None

    def _limiter(self, presented: Credentials) -> CapacityLimiter:
        """Two thread pools, so that keys known to be valid do not wait for unknown ones."""
        self._strangers = self._strangers or CapacityLimiter(STRANGERS)
        self._regulars = self._regulars or CapacityLimiter(STRANGERS)
        return self._regulars if self._chain.was_right(presented) else self._strangers
