"""Actions for administrators, which ``Backend.call`` offers by name in addition to the verbs.

Each is a function of the server's context and the acting account; its other parameters are the action's arguments.
Results are plain data. Only the results of ``users.add``, ``users.key`` and ``workspaces.add`` contain a key, and that
of ``users.invite`` a code, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from inspect import signature
from typing import Any

from attrs import asdict, frozen

from callsheet.errors import Forbidden, Invalid, NotFound
from callsheet.server import members
from callsheet.server.access.principal import Principal
from callsheet.server.context import ServerContext
from callsheet.server.files.abandoned import Unfinished
from callsheet.server.schemas.document import PRESETS
from callsheet.server.workspaces.hosting import Workspaces
from callsheet.server.workspaces.registry import RegistryEntry

__all__ = ["ACTIONS", "perform"]


@frozen
class ActionCall:
    """A call of an action: the server that it works on, and who calls it."""

    context: ServerContext
    principal: Principal


def perform(context: ServerContext, principal: Principal, action: str, arguments: Mapping[str, Any]) -> Any:
    """Call an action; raises `NotFound` if there is none of this name, `Invalid` for wrong arguments."""
    function = ACTIONS.get(action)
    if function is None:
        raise NotFound(f"there is no action `{action:.80}`; known are {', '.join(ACTIONS)}")
    try:
        bound = signature(function).bind(ActionCall(context, principal), **arguments)
    except TypeError as error:
        raise Invalid(f"{action}: {error}") from None
    for name, value in arguments.items():
        if not _takes(name, value):
            raise Invalid(f"{action}: `{name}` cannot be a value of type {type(value).__name__}")
    result = function(*bound.args, **bound.kwargs)
    if action in RECORDED:
        what = f"{RECORDED[action]} `{arguments['name']}`"
        context.audit.happened(action, what, account=principal.account, address=principal.address)
    return result


def _takes(name: str, value: Any) -> bool:
    """Whether an argument has the type of its name."""
    if name == "rules":
        return isinstance(value, Sequence) and all(isinstance(each, str) for each in value)
    if name == "schema":
        return value is None or isinstance(value, str | Mapping)
    if name in ("after", "limit"):
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    if name == "days":
        return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    if name == "expires":
        return value is None or (isinstance(value, datetime) and value.tzinfo is not None)
    return isinstance(value, str) or (name in ("project", "account") and value is None)


def _add_user(
    call: ActionCall,
    name: str,
    role: str = "user",
    expires: datetime | None = None,
    first_name: str = "",
    last_name: str = "",
    email: str = "",
) -> dict[str, Any]:
    person = {"first_name": first_name, "last_name": last_name, "email": email}
    return members.add(call.context, call.principal.account, name, role, expires, person)


def _list_users(call: ActionCall) -> list[dict[str, Any]]:
    return [asdict(account) for account in call.context.accounts.list()]


def _new_key(call: ActionCall, name: str, expires: datetime | None = None) -> dict[str, Any]:
    return {"name": name, "key": members.new_key(call.context, name, expires)}


def _invite(call: ActionCall, name: str, days: float | None = None) -> dict[str, Any]:
    made = members.invite(call.context, name, days)
    return {"name": name, "code": made.code, "expires": made.expires}


def _disable_user(call: ActionCall, name: str) -> None:
    call.context.accounts.disable(name)


def _enable_user(call: ActionCall, name: str) -> None:
    call.context.accounts.enable(name)


def _set_role(call: ActionCall, name: str, role: str) -> None:
    call.context.accounts.set_role(name, role)


def _set_password(call: ActionCall, name: str, password: str) -> None:
    call.context.logins.set_password(name, password)


def _list_sessions(call: ActionCall, name: str) -> list[dict[str, Any]]:
    return [asdict(login) for login in call.context.logins.of(name)]


def _sign_out(call: ActionCall, name: str) -> int:
    return call.context.logins.sign_out(name)


def _link_user(call: ActionCall, name: str, provider: str, subject: str) -> None:
    members.link(call.context, name, provider, subject)


def _unlink_user(call: ActionCall, provider: str, subject: str) -> None:
    members.unlink(call.context, provider, subject)


def _list_identities(call: ActionCall, name: str) -> list[dict[str, Any]]:
    found = members.identities(call.context, name)
    return [{**asdict(each, filter=lambda part, _: part.name != "state"), "roles": list(each.roles)} for each in found]


def _list_roles(call: ActionCall) -> list[dict[str, Any]]:
    return [{"name": name, "rules": rules} for name, rules in call.context.roles.list().items()]


def _add_role(call: ActionCall, name: str, rules: Sequence[str]) -> None:
    call.context.roles.add(name, rules)


def _remove_role(call: ActionCall, name: str) -> None:
    call.context.roles.remove(name)


def _list_grants(call: ActionCall, account: str | None = None) -> list[dict[str, Any]]:
    return [asdict(granted) for granted in call.context.roles.grants(account)]


def _grant(call: ActionCall, account: str, role: str, project: str | None = None) -> None:
    call.context.roles.grant(account, role, project)


def _revoke(call: ActionCall, account: str, role: str, project: str | None = None) -> None:
    call.context.roles.revoke(account, role, project)


def _list_audit(call: ActionCall, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    return [asdict(note) for note in call.context.audit.list(after, limit)]


def _list_uploads(call: ActionCall) -> list[dict[str, Any]]:
    return [_upload(each) for each in call.context.abandoned.found()]


def _remove_uploads(call: ActionCall, days: float | None = None) -> list[dict[str, Any]]:
    return [_upload(each) for each in call.context.abandoned.remove(days)]


def _upload(upload: Unfinished) -> dict[str, Any]:
    return {"account": upload.account, "state": upload.state, "size": upload.size, "changed": upload.changed}


def _add_workspace(
    call: ActionCall, name: str, schema: str | Mapping[str, Any] | None = None, description: str = ""
) -> dict[str, Any]:
    added = _workspaces(call.context).add(name, _sent_schema(schema), description)
    return {**_workspace(call.context, added.entry), "user": "admin", "key": added.key}


def _list_workspaces(call: ActionCall) -> list[dict[str, Any]]:
    return [_workspace(call.context, entry) for entry in _workspaces(call.context).list()]


def _drop_workspace(call: ActionCall, name: str, data: str) -> dict[str, Any]:
    return {"name": name, "data": data, "address": _workspaces(call.context).drop(name, data)}


def _workspaces(context: ServerContext) -> Workspaces[Any]:
    if context.workspaces is None:
        raise Forbidden(
            f"the workspace `{context.workspace}` manages no others; connect to the server's default one: "
            "Session(…) without a workspace"
        )
    return context.workspaces


def _workspace(context: ServerContext, entry: RegistryEntry) -> dict[str, Any]:
    facts = {"name": entry.name, "schema": entry.schema_name, "description": entry.description}
    return {**facts, "created": entry.created, "address": _workspaces(context).address_of(entry)}


def _sent_schema(schema: str | Mapping[str, Any] | None) -> str | Mapping[str, Any] | None:
    """A schema that a client sent; it may name presets, and no file of the server's machine."""
    below = schema.get("extends") if isinstance(schema, Mapping) else schema
    if below is not None and below not in PRESETS:
        raise Invalid(f"a schema is sent as a document, or as the name of a preset: {', '.join(PRESETS)}")
    return schema


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
    "users.identities": _list_identities,
    "users.invite": _invite,
    "users.key": _new_key,
    "users.link": _link_user,
    "users.list": _list_users,
    "users.password": _set_password,
    "users.role": _set_role,
    "users.sessions": _list_sessions,
    "users.sign_out": _sign_out,
    "users.unlink": _unlink_user,
    "workspaces.add": _add_workspace,
    "workspaces.drop": _drop_workspace,
    "workspaces.list": _list_workspaces,
}
"""By name, for administrators only (``permissions.py`` refuses others by the first word)."""

RECORDED = {
    "users.invite": "invited",
    "users.key": "made another key for",
    "users.link": "linked",
    "users.password": "set the password of",
    "users.sign_out": "ended all logins of",
    "workspaces.add": "added the workspace",
    "workspaces.drop": "dropped the workspace",
}
"""Actions that the audit records: they let somebody in, or out, or add and drop workspaces."""
