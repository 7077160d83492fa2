"""Authentication in workspaces other than the default one, and for names of which there is no workspace.

No caller without a valid key learns which workspaces a server has: a name without a workspace answers like one whose
accounts the caller does not have, in the same words. Only administrators of the default workspace, who may list them
all, learn that there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from callsheet.dialects.routes import Credentials
from callsheet.errors import CallsheetError, NotFound, Unauthorised
from callsheet.server.access.authentication import Authentication, Provider, utc_now
from callsheet.server.access.principal import Principal
from callsheet.server.limits import Limits

__all__ = ["NoWorkspace", "WorkspaceAuthentication"]


class NamedWorkspace(Protocol):
    """A workspace, by its name."""

    @property
    def name(self) -> str: ...


CURE = (
    "in this workspace, if the server has one of this name. Each workspace has accounts of its own; "
    "administrators of the server list the names by `callsheet workspaces list`"
)


class WorkspaceAuthentication(Authentication):
    """The chain of a workspace. Failed attempts of an address count in all workspaces of the server together."""

    def __init__(
        self, providers: Sequence[Provider], main: Authentication, limits: Limits, now: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(providers, limits=limits, now=now)
        self._of_addresses = main._of_addresses

    def principal(self, credentials: Credentials, address: str = "") -> Principal:
        """The caller. Raises `Unauthorised`, or `TooManyAttempts`."""
        try:
            return super().principal(credentials, address)
        except Unauthorised as error:
            raise Unauthorised(f"{error}, {CURE}") from None


class NoWorkspace:
    """The provider of names without a workspace: administrators of the server learn that there is none."""

    generation = 0

    def __init__(
        self,
        providers: Sequence[Provider],
        is_administrator: Callable[[str], bool],
        known: Callable[[], Iterable[NamedWorkspace]],
    ) -> None:
        self._providers, self._is_administrator, self._known = tuple(providers), is_administrator, known

    def is_guessable(self, credentials: Credentials) -> bool:
        """True: the other providers decide, as in every workspace."""
        return True

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """None for all but administrators of the default workspace; raises `NotFound` for them."""
        try:
            found = next(filter(None, (each.authenticate(credentials) for each in self._providers)), None)
            may_know = found is not None and self._is_administrator(found.account)
        except CallsheetError:
            return None
        if may_know:
            names = ", ".join(["default", *(each.name for each in self._known())][:20])
            raise NotFound(
                f"this server has no workspace of that name; there are {names}. `callsheet workspaces add` makes one"
            )
        return None
