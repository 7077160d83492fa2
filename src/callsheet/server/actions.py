"""Actions for administrators, which ``Backend.call`` offers by name in addition to the verbs.

Each is a function of the server's context; its parameters are the action's arguments. Results are plain data. Only the
results of ``users.add`` and ``users.key`` contain a key, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from inspect import signature
from typing import Any

from attrs import asdict

from callsheet.errors import Invalid, NotFound
from callsheet.server.context import ServerContext
from callsheet.server.files.abandoned import Unfinished

__all__ = ["ACTIONS", "perform"]


def perform(context: ServerContext, action: str, arguments: Mapping[str, Any]) -> Any:
    """Call an action; raises `NotFound` if there is none of this name, `Invalid` for wrong arguments."""
    function = ACTIONS.get(action)
    if function is None:
        raise NotFound(f"there is no action `{action:.80}`; known are {', '.join(ACTIONS)}")
    try:
        bound = signature(function).bind(context, **arguments)
    except TypeError as error:
        raise Invalid(f"{action}: {error}") from None
    for name, value in arguments.items():
        if not _takes(name, value):
            raise Invalid(f"{action}: `{name}` cannot be a value of type {type(value).__name__}")
    return function(*bound.args, **bound.kwargs)


def _takes(name: str, value: Any) -> bool:
    """Whether an argument has the type of its name."""
    if name == "rules":
        return isinstance(value, Sequence) and all(isinstance(each, str) for each in value)
    if name in ("after", "limit"):
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    if name == "days":
        return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    if name == "expires":
        return value is None or (isinstance(value, datetime) and value.tzinfo is not None)
    return isinstance(value, str) or (name in ("project", "account") and value is None)


def _add_user(context: ServerContext, name: str, role: str = "user", expires: datetime | None = None) -> dict[str, Any]:
    return {"name": name, "role": role, "key": context.accounts.add(name, role, expires=expires)}


def _list_users(context: ServerContext) -> list[dict[str, Any]]:
    return [asdict(account) for account in context.accounts.list()]


def _new_key(context: ServerContext, name: str, expires: datetime | None = None) -> dict[str, Any]:
    return {"name": name, "key": context.accounts.new_key(name, expires=expires)}


def _disable_user(context: ServerContext, name: str) -> None:
    context.accounts.disable(name)


def _enable_user(context: ServerContext, name: str) -> None:
    context.accounts.enable(name)


def _set_role(context: ServerContext, name: str, role: str) -> None:
    context.accounts.set_role(name, role)


def _set_password(context: ServerContext, name: str, password: str) -> None:
    context.logins.set_password(name, password)


def _list_sessions(context: ServerContext, name: str) -> list[dict[str, Any]]:
    return [asdict(login) for login in context.logins.of(name)]


def _sign_out(context: ServerContext, name: str) -> int:
    return context.logins.sign_out(name)


def _list_roles(context: ServerContext) -> list[dict[str, Any]]:
    return [{"name": name, "rules": rules} for name, rules in context.roles.list().items()]


def _add_role(context: ServerContext, name: str, rules: Sequence[str]) -> None:
    context.roles.add(name, rules)


def _remove_role(context: ServerContext, name: str) -> None:
    context.roles.remove(name)


def _list_grants(context: ServerContext, account: str | None = None) -> list[dict[str, Any]]:
    return [asdict(granted) for granted in context.roles.grants(account)]


def _grant(context: ServerContext, account: str, role: str, project: str | None = None) -> None:
    context.roles.grant(account, role, project)


def _revoke(context: ServerContext, account: str, role: str, project: str | None = None) -> None:
    context.roles.revoke(account, role, project)


def _list_audit(context: ServerContext, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    return [asdict(note) for note in context.audit.list(after, limit)]


def _list_uploads(context: ServerContext) -> list[dict[str, Any]]:
    return [_upload(each) for each in context.abandoned.found()]


def _remove_uploads(context: ServerContext, days: float | None = None) -> list[dict[str, Any]]:
    return [_upload(each) for each in context.abandoned.remove(days)]


def _upload(upload: Unfinished) -> dict[str, Any]:
    return {"account": upload.account, "state": upload.state, "size": upload.size, "changed": upload.changed}


ACTIONS: dict[str, Callable[..., Any]] = {
    "audit.list": _list_audit,
    "grants.add": _grant,
    "grants.list": _list_grants,
    "grants.remove": _revoke,
    "roles.add": _add_role,
    "roles.list": _list_roles,
    "roles.remove": _remove_role,
    "uploads.list": _list_uploads,
    "uploads.remove": _remove_uploads,
    "users.add": _add_user,
    "users.disable": _disable_user,
    "users.enable": _enable_user,
    "users.key": _new_key,
    "users.list": _list_users,
    "users.password": _set_password,
    "users.role": _set_role,
    "users.sessions": _list_sessions,
    "users.sign_out": _sign_out,
}
"""By name, for administrators only (``permissions.py`` refuses others by the first word)."""
