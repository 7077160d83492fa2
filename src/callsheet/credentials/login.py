"""A login: the tokens that a session sends now, and how they are renewed.

Theory. An access token is valid for minutes. Before it expires it is exchanged, with a refresh token, for new ones. A
refresh token is used once: if it is used again, the server takes it for stolen and ends the login. Two things must not
look like a theft: a lost answer, and two processes that renew the same login. Both send the *same request id* with the
same token, and the server gives the same answer. So the id is stored where the tokens are before it is sent (by a
`TokenKeeper`), and a process that finds it there sends it again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

from attrs import frozen

from callsheet.dialects.accounts import LoginDialect, LoginTokens, checked_for_logins, checked_for_sign_on
from callsheet.errors import Unauthorised
from callsheet.flow import Flow, Work
from callsheet.secret import Secret

__all__ = ["TokenKeeper", "SessionLogin", "MemoryKeeper", "Need", "Renewable"]

SHARE, LONGEST, SLACK = 0.2, 60.0, 2.0
"""Tokens are renewed in the last fifth of their lifetime, at most a minute before; two seconds before, they count as
expired, because a request takes time."""

Need: TypeAlias = Literal["none", "soon", "now"]


@frozen
class Renewable:
    """Tokens, and the id of the request that renews them."""

    tokens: LoginTokens
    request: str


class TokenKeeper(Protocol):
    """Where the tokens of a login are kept, perhaps for several processes."""

    cure: str
    """What to do when the login has ended."""

    def read(self) -> LoginTokens | None:
        """The tokens as they are now; None if there are none any more."""

    def begin(self, tokens: LoginTokens) -> Renewable:
        """The newest tokens, and the id of the request that renews them, which is stored when this returns."""

    def finish(self, sent: LoginTokens, fresh: LoginTokens) -> LoginTokens:
        """Store the tokens that were exchanged for others, unless there are newer ones; returns the newest."""

    def forget(self) -> None:
        """Remove the tokens."""


class MemoryKeeper:
    """Keeps tokens in this process only. Processes that were forked from it send the same ids."""

    cure = "log in again with `callsheet.login`"

    def __init__(self) -> None:
        self._origin = uuid.uuid4()

    def read(self) -> LoginTokens | None:
        """None: the login itself has them."""
        return None

    def begin(self, tokens: LoginTokens) -> Renewable:
        """The same tokens; the id follows from them and from a secret of this process."""
        return Renewable(tokens, str(uuid.uuid5(self._origin, tokens.refresh.reveal())))

    def finish(self, sent: LoginTokens, fresh: LoginTokens) -> LoginTokens:
        """The new tokens."""
        return fresh

    def forget(self) -> None:
        """There is nothing to remove."""


class SessionLogin:
    """The tokens of a session, of its forks and of its connections for events. It sends nothing by itself.

    ``dialect`` is the server's, and may be bound later; ``tokens`` are None before the first login.
    """

    def __init__(
        self, dialect: Any = None, tokens: LoginTokens | None = None, keeper: TokenKeeper | None = None
    ) -> None:
        self._dialect = dialect
        self._keeper = keeper or MemoryKeeper()
        self._ended = False
        self.tokens = tokens

    def __repr__(self) -> str:
        account = self.tokens.account if self.tokens else "nobody"
        return f"<SessionLogin of {account}{' (ended)' if self._ended else ''}>"

    @property
    def access(self) -> Secret | None:
        """The token that requests are sent with now."""
        return self.tokens.access if self.tokens else None

    def bind(self, dialect: Any) -> None:
        """Use this dialect, unless there is one already."""
        if self._dialect is None:
            self._dialect = dialect

    def headers(self) -> Mapping[str, str]:
        """The headers of a request; raises `Unauthorised` after `end`."""
        if self._ended:
            raise Unauthorised(f"this session has logged out; {self._keeper.cure}")
        return self._dialect.credentials("", self.tokens.access.reveal()) if self.tokens else {}

    def need(self, now: float | None = None) -> Need:
        """Whether the tokens must be renewed before the next request, or soon."""
        if self.tokens is None or self._ended:
            return "none"
        left = self.tokens.expires - (time.time() if now is None else now)
        if left <= SLACK:
            return "now"
        return "soon" if left <= min(LONGEST, self.tokens.lifetime * SHARE) else "none"

    @property
    def awaits_password(self) -> bool:
        """Whether there has been no login yet."""
        return self.tokens is None and not self._ended

    def keep_in(self, keeper: TokenKeeper) -> None:
        """Keep the tokens there from now on."""
        self._keeper = keeper

    def accept(self, tokens: LoginTokens) -> None:
        """Use these tokens from now on."""
        self.tokens, self._ended = tokens, False

    def entering(self, name: str, password: Secret, device: str = "") -> Flow[LoginTokens]:
        """Exchange a name and a password for tokens. ``device`` is what the server lists the login under."""
        tokens: LoginTokens = yield from self._speaking().login(name, password, device)
        self.accept(tokens)
        return tokens

    def signing_on(self, handle: Secret, device: str = "") -> Flow[LoginTokens | None]:
        """The tokens of the person who entered a code at the provider; None while nobody has."""
        tokens: LoginTokens | None = yield from checked_for_sign_on(self._dialect).finish_sign_on(handle, device)
        if tokens is not None:
            self.accept(tokens)
        return tokens

    def accepting(self, code: Secret, password: Secret, device: str = "") -> Flow[LoginTokens]:
        """Exchange an invitation for tokens; the password is the account's from now on."""
        tokens: LoginTokens = yield from self._speaking().accept_invitation(code, password, device)
        self.accept(tokens)
        return tokens

    def renewing(self, stale: Secret | None) -> Flow[None]:
        """Exchange the tokens for new ones, unless the access token is another than ``stale`` already."""
        mine = self.tokens
        if mine is None or mine.access != stale or self._ended:
            return
        begun: Renewable = yield Work(lambda: self._keeper.begin(mine))
        if begun.tokens.access != stale and begun.tokens.expires - time.time() > SLACK:
            # Another process has renewed them.
            self.accept(begun.tokens)
            return
        try:
            fresh = yield from self._speaking().renew(begun.tokens.refresh, begun.request)
        except Unauthorised as error:
            newer: LoginTokens | None = yield Work(self._keeper.read)
            if newer is None or newer.refresh == begun.tokens.refresh:
                raise Unauthorised(f"the login of {mine.account} has ended ({error}); {self._keeper.cure}") from None
            self.accept(newer)
            return
        self.accept((yield Work(lambda: self._keeper.finish(begun.tokens, fresh))))

    def ending(self, everywhere: bool = False) -> Flow[None]:
        """End the login at the server, and forget the tokens. One that the server has ended already is no error."""
        tokens = (yield Work(self._keeper.read)) or self.tokens
        if tokens is not None and not self._ended:
            try:
                yield from self._speaking().logout(tokens.refresh, everywhere)
            except Unauthorised:
                pass
        yield Work(self._keeper.forget)
        self.tokens, self._ended = None, True

    def _speaking(self) -> LoginDialect:
        return checked_for_logins(self._dialect)
