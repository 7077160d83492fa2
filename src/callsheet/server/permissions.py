"""Who may do what. One seam: every verb of the service asks here first.

There are two roles: an ``admin`` may do everything, a ``user`` everything but manage accounts.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from callsheet.errors import Forbidden

__all__ = ["ROLES", "Permissions"]

ROLES = ("admin", "user")


@frozen
class Permissions:
    """What one account may do.

    >>> Permissions("anna", "user").authorise("select", ["Task"])
    >>> Permissions("anna", "user").authorise("users.list")
    Traceback (most recent call last):
    callsheet.errors.Forbidden: `anna` may not do users.list; ask an administrator
    """

    user: str
    role: str

    def authorise(self, action: str, entity_types: Iterable[str] = ()) -> None:
        """Return if the account may do this with entities of these types, else raise `Forbidden`."""
        if action.startswith("users.") and self.role != "admin":
            raise Forbidden(f"`{self.user}` may not do {action}; ask an administrator")
