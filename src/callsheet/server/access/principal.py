"""Who calls the server: the account that authentication found, and the address the call came from."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Principal"]


@frozen
class Principal:
    """The caller of a verb.

    ``address`` is for the audit; it is empty for a session in the server's own process. ``provider`` names the
    provider that recognised the caller; it is empty if none had to.

    >>> Principal("anna", "10.0.0.7").account
    'anna'
    """

    account: str
    address: str = ""
    provider: str = ""
