"""Who may call an endpoint."""

from __future__ import annotations

from typing import Any, Protocol

from callsheet.dialects.routes import Visit
from callsheet.errors import Forbidden

__all__ = ["Restricted", "account_facts", "check_caller", "may_call"]


class Restricted(Protocol):
    """What says who may call it."""

    @property
    def path(self) -> str: ...

    @property
    def roles(self) -> tuple[str, ...]: ...

    @property
    def public(self) -> bool: ...


def account_facts(visit: Visit) -> dict[str, Any]:
    """The caller's roles, and whether it is an administrator; nothing of that without a caller."""
    if visit.caller is None:
        return {"roles": [], "administrator": False}
    said = visit.backend.call("own.account", {})
    return {"roles": list(said["roles"]), "administrator": bool(said["administrator"])}


def may_call(each: Restricted, visit: Visit) -> bool:
    """Whether the caller has a role that may call this: an administrator always may."""
    if each.public:
        return True
    if visit.caller is None:
        return False
    if not each.roles:
        return True
    said = account_facts(visit)
    return bool(said["administrator"] or set(said["roles"]) & set(each.roles))


def check_caller(each: Restricted, visit: Visit) -> None:
    """Raise `Forbidden` if the caller may not call this."""
    if not may_call(each, visit):
        raise Forbidden(f"`{visit.account}` has none of the roles of `{each.path}`: {', '.join(each.roles)}")
