"""Actions for administrators, by name: what ``Backend.call`` offers beside the verbs.

Each is a function of the service; its parameters are the action's arguments. Answers are plain data; a key is
in the answer to ``users.add`` and ``users.key`` only, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from inspect import signature
from typing import Any, Protocol

from attrs import asdict

from callsheet.errors import Invalid, NotFound
from callsheet.server.access.accounts import Account, Accounts
from callsheet.server.access.audit import Audit
from callsheet.server.access.roles import Roles

__all__ = ["ACTIONS", "Managed", "perform"]


class Managed(Protocol):
    """What the actions need of a service."""

    accounts: Accounts
    roles: Roles
    audit: Audit


def perform(service: Managed, action: str, arguments: Mapping[str, Any]) -> Any:
    """Call an action that is known; `Invalid` where the arguments are not its own."""
    function = ACTIONS.get(action)
    if function is None:
        raise NotFound(f"there is no action `{action:.80}`; known are {', '.join(ACTIONS)}")
    try:
        bound = signature(function).bind(service, **arguments)
    except TypeError as error:
        raise Invalid(f"{action}: {error}") from None
    for name, value in arguments.items():
        if not _takes(name, value):
            raise Invalid(f"{action}: `{name}` cannot be a value of type {type(value).__name__}")
    return function(*bound.args, **bound.kwargs)


def _takes(name: str, value: Any) -> bool:
    """Whether an argument has the type its name stands for."""
    if name == "rules":
        return isinstance(value, Sequence) and all(isinstance(each, str) for each in value)
    if name in ("after", "limit"):
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    if name == "expires":
        return value is None or (isinstance(value, datetime) and value.tzinfo is not None)
    return isinstance(value, str) or (name in ("project", "account") and value is None)


def _told(account: Account) -> dict[str, Any]:
    return asdict(account)


def _add_user(service: Managed, name: str, role: str = "user", expires: datetime | None = None) -> dict[str, Any]:
    return {"name": name, "role": role, "key": service.accounts.add(name, role, expires=expires)}


def _list_users(service: Managed) -> list[dict[str, Any]]:
    return [_told(account) for account in service.accounts.list()]


def _new_key(service: Managed, name: str, expires: datetime | None = None) -> dict[str, Any]:
    return {"name": name, "key": service.accounts.new_key(name, expires=expires)}


def _disable_user(service: Managed, name: str) -> None:
    service.accounts.disable(name)


def _enable_user(service: Managed, name: str) -> None:
    service.accounts.enable(name)


def _set_role(service: Managed, name: str, role: str) -> None:
    service.accounts.set_role(name, role)


def _list_roles(service: Managed) -> list[dict[str, Any]]:
    return [{"name": name, "rules": rules} for name, rules in service.roles.list().items()]


def _add_role(service: Managed, name: str, rules: Sequence[str]) -> None:
    service.roles.add(name, rules)


def _remove_role(service: Managed, name: str) -> None:
    service.roles.remove(name)


def _list_grants(service: Managed, account: str | None = None) -> list[dict[str, Any]]:
    return [asdict(granted) for granted in service.roles.grants(account)]


def _grant(service: Managed, account: str, role: str, project: str | None = None) -> None:
    service.roles.grant(account, role, project)


def _revoke(service: Managed, account: str, role: str, project: str | None = None) -> None:
    service.roles.revoke(account, role, project)


def _list_audit(service: Managed, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    return [asdict(note) for note in service.audit.list(after, limit)]


ACTIONS: dict[str, Callable[..., Any]] = {
    "audit.list": _list_audit,
    "grants.add": _grant,
    "grants.list": _list_grants,
    "grants.remove": _revoke,
    "roles.add": _add_role,
    "roles.list": _list_roles,
    "roles.remove": _remove_role,
    "users.add": _add_user,
    "users.disable": _disable_user,
    "users.enable": _enable_user,
    "users.key": _new_key,
    "users.list": _list_users,
    "users.role": _set_role,
}
"""By name, for administrators only (``permissions.py`` refuses others by the first word)."""
