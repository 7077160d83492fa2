"""Roles of users, on all projects or on some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.dialects.ftrack.server.actions.arguments import existing, text_of
from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.model.query import And, Comparison, Path
from callsheet.model.record import new_key

__all__ = ["add_role", "change_project_role", "remove_role", "update_role"]

Arguments = Mapping[str, Any]


def _role(work: RequestContext, arguments: Arguments) -> list[str]:
    """The rows that give a user a role."""
    user, role = text_of(arguments, "user_id"), text_of(arguments, "role_id")
    existing(work, "User", user)
    existing(work, "SecurityRole", role)
    where = And((Comparison(Path.of("user_id"), "=", user), Comparison(Path.of("security_role_id"), "=", role)))
    return list(work.reader.rows("UserSecurityRole", where, []))


def _write(work: RequestContext, action: str, kind: str, key: str, data: dict[str, Any]) -> None:
    work.batch.add(-1, action, {"entity_type": kind, "entity_key": [key], "entity_data": data})
    work.flush()


def add_role(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Give a user a role on all projects, unless the user has it."""
    if not _role(work, arguments):
        row = {"user_id": arguments["user_id"], "security_role_id": arguments["role_id"], "is_all_open_projects": True}
        _write(work, "create", "UserSecurityRole", new_key(), row)
    return {"action": arguments["action"], "success": True}


def remove_role(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Take a role from a user."""
    for key in _role(work, arguments):
        _write(work, "delete", "UserSecurityRole", key, {})
    return {"action": arguments["action"], "success": True}


def update_role(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Replace a role of a user by another."""
    existing(work, "SecurityRole", text_of(arguments, "new_role_id"))
    for key in _role(work, arguments):
        _write(work, "update", "UserSecurityRole", key, {"security_role_id": arguments["new_role_id"]})
    return {"action": arguments["action"], "success": True}


def change_project_role(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Grant a role of a user on a project, or revoke it."""
    project, granting = text_of(arguments, "project_id"), arguments["action"].startswith("grant")
    existing(work, "Project", project)
    for role in _role(work, arguments):
        where = And(
            (Comparison(Path.of("user_security_role_id"), "=", role), Comparison(Path.of("project_id"), "=", project))
        )
        found = list(work.reader.rows("UserSecurityRoleProject", where, []))
        if granting and not found:
            row = {"user_security_role_id": role, "project_id": project}
            _write(work, "create", "UserSecurityRoleProject", new_key(), row)
        for key in [] if granting else found:
            _write(work, "delete", "UserSecurityRoleProject", key, {})
    return {"action": arguments["action"], "success": True}
