"""The caller of the server: its authenticated account, and its network address."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

__all__ = ["Principal"]


@frozen
class Principal:
    """The caller of a verb.

    ``address`` is for the audit log; it is empty for a session in the server's own process. ``provider`` is the name of
    the provider that authenticated the caller; it is empty if none was needed. ``login`` is the login of an access
    token, and ``expires`` when the token does; with an API key there is neither.

    >>> Principal("anna", "10.0.0.7").account
    'anna'
    """

    account: str
    address: str = ""
    provider: str = ""
    login: str = ""
    expires: datetime | None = None
