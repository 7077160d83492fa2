"""What the vendor's server does beside reading and writing: files, media, invitations, roles, addresses of pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.dialects.ftrack.server.translation.query_text import VendorQuery, parse_vendor_query
from callsheet.dialects.ftrack.server.writing.deserialization import key_of
from callsheet.errors import Invalid, NotFound
from callsheet.model.query import And, Any_, Comparison, Condition, Or, Path
from callsheet.model.record import new_key

__all__ = ["ACTIONS", "AFTERWARDS", "WRITING_ACTIONS"]

Told = Mapping[str, Any]
WIDGETS = ("info", "tasks", "tasks_browser")
PART = 10_000
"""Parts of one upload."""


def _text(told: Told, name: str, optional: bool = False) -> str:
    value = told.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise Invalid(f"{name} is a text of 1 to 255 characters.")
    return value


def _existing(work: RequestContext, kind: str, key: str) -> dict[str, Any]:
    if kind not in work.catalogue.types:
        raise NotFound(f"There is no entity type {kind!r:.80}.")
    row = work.reader.rows(kind, [key], []).get(key)
    if row is None:
        raise NotFound(f"There is no {kind} with the id {key!r:.80}.")
    return row


# Files


def _get_upload_metadata(work: RequestContext, told: Told) -> dict[str, Any]:
    key, name = _text(told, "component_id"), told.get("file_name") or ""
    size, parts = told.get("file_size", 0), told.get("parts")
    if not isinstance(name, str) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise Invalid("file_name is a text and file_size a number of bytes.")
    if parts:
        if not isinstance(parts, int) or isinstance(parts, bool) or not 0 < parts <= PART:
            raise Invalid(f"parts is a number from 1 to {PART:,}.")
        upload = work.files.new_upload(key, parts)
        numbers = range(1, parts + 1)
        urls = [
            {"signed_url": work.asked.url + address, "part_number": number}
            for number, address in zip(numbers, work.files.upload_addresses(key, numbers))
        ]
        return {"component_id": key, "urls": urls, "upload_id": upload}
    headers = {"Content-Type": "application/octet-stream"}
    return {"component_id": key, "url": work.asked.url + work.files.upload_addresses(key)[0], "headers": headers}


def _complete_multipart_upload(work: RequestContext, told: Told) -> dict[str, Any]:
    key, upload, parts = _text(told, "component_id"), _text(told, "upload_id"), told.get("parts")
    numbers = (
        [part.get("part_number") for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    )
    if not numbers or len(numbers) != len(parts or ()) or not all(type(number) is int for number in numbers):
        raise Invalid("parts is a list of tables with part_number and e_tag.")
    work.files.join(key, upload, [int(number) for number in numbers if number is not None])
    url = f"{work.asked.url}/component/get?id={quote(key, safe='')}"
    return {"action": "complete_multipart_upload", "component_id": key, "url": url}


def _encode_media(work: RequestContext, told: Told) -> dict[str, Any]:
    component = _text(told, "component_id")
    _existing(work, "Component", component)
    version = told.get("version_id")
    if version is not None:
        _existing(work, "AssetVersion", _text(told, "version_id"))
    data = {
        "description": "This server encodes no media: make the files for review elsewhere, and publish them.",
        "source_component_id": component,
        "keep_original": bool(told.get("keep_original")),
        "output": [],
    }
    return {"job_id": _job(work, {"data": json.dumps(data), "status": "failed", "type": "api_job"})}


def _job(work: RequestContext, values: dict[str, Any]) -> str:
    key = new_key()
    if "Job" not in work.catalogue.types:
        raise Invalid("This server has no jobs.")
    work.batch.add(-1, "create", {"entity_type": "Job", "entity_key": [key], "entity_data": values})
    work.flush()
    return key


def _delayed_job(work: RequestContext, told: Told) -> dict[str, Any]:
    key = _job(work, {"data": json.dumps({"description": _text(told, "job_type")}), "status": "done"})
    found = work.catalogue.types["Job"]
    question = VendorQuery("Job", tuple(Path.of(name) for name in found.scalars), Comparison(Path.of("id"), "=", key))
    return {"action": "delayed_job", "data": work.answers.answer(question)[0][0]}


def _generate_signed_url(work: RequestContext, told: Told) -> dict[str, Any]:
    key = _text(told, "component_id")
    return {"url": work.asked.url + work.files.reading_address(key)}


# Pages, invitations, roles


def _get_widget_url(work: RequestContext, told: Told) -> dict[str, Any]:
    name = _text(told, "name")
    if name not in WIDGETS:
        raise Invalid(f"There is no widget {name!r:.80}; there are {', '.join(WIDGETS)}.")
    params = {"theme": _text(told, "theme", True) or "light"}
    if told.get("entity_type") is not None:
        found = work.catalogue.type(_text(told, "entity_type"))
        params |= {"entity_type": found.name, "entity_id": key_of(found, told.get("entity_key"), {}) or ""}
    return {"widget_url": f"{work.asked.url}/widget/{name}?{urlencode(params)}"}


def _send_user_invite(work: RequestContext, told: Told) -> dict[str, Any]:
    _existing(work, "User", _text(told, "user_id"))
    return {"sent": True}


def _send_review_session_invite(work: RequestContext, told: Told) -> dict[str, Any]:
    _existing(work, "ReviewSessionInvitee", _text(told, "review_session_invitee_id"))
    return {"sent": True}


def _role(work: RequestContext, told: Told) -> list[str]:
    """The rows that give a user a role."""
    user, role = _text(told, "user_id"), _text(told, "role_id")
    _existing(work, "User", user)
    _existing(work, "SecurityRole", role)
    where = And((Comparison(Path.of("user_id"), "=", user), Comparison(Path.of("security_role_id"), "=", role)))
    return list(work.reader.rows("UserSecurityRole", where, []))


def _write(work: RequestContext, action: str, kind: str, key: str, data: dict[str, Any]) -> None:
    work.batch.add(-1, action, {"entity_type": kind, "entity_key": [key], "entity_data": data})
    work.flush()


def _add_role(work: RequestContext, told: Told) -> dict[str, Any]:
    if not _role(work, told):
        row = {"user_id": told["user_id"], "security_role_id": told["role_id"], "is_all_open_projects": True}
        _write(work, "create", "UserSecurityRole", new_key(), row)
    return {"action": told["action"], "success": True}


def _remove_role(work: RequestContext, told: Told) -> dict[str, Any]:
    for key in _role(work, told):
        _write(work, "delete", "UserSecurityRole", key, {})
    return {"action": told["action"], "success": True}


def _update_role(work: RequestContext, told: Told) -> dict[str, Any]:
    _existing(work, "SecurityRole", _text(told, "new_role_id"))
    for key in _role(work, told):
        _write(work, "update", "UserSecurityRole", key, {"security_role_id": told["new_role_id"]})
    return {"action": told["action"], "success": True}


def _project_role(work: RequestContext, told: Told) -> dict[str, Any]:
    project, granting = _text(told, "project_id"), told["action"].startswith("grant")
    _existing(work, "Project", project)
    for role in _role(work, told):
        where = And(
            (Comparison(Path.of("user_security_role_id"), "=", role), Comparison(Path.of("project_id"), "=", project))
        )
        found = list(work.reader.rows("UserSecurityRoleProject", where, []))
        if granting and not found:
            row = {"user_security_role_id": role, "project_id": project}
            _write(work, "create", "UserSecurityRoleProject", new_key(), row)
        for key in [] if granting else found:
            _write(work, "delete", "UserSecurityRoleProject", key, {})
    return {"action": told["action"], "success": True}


# Search


def _search(work: RequestContext, told: Told) -> dict[str, Any]:
    """Entities of a type whose names hold all the words, within a context where one is told."""
    expression = told.get("expression") or _text(told, "entity_type")
    if not isinstance(expression, str):
        raise Invalid("expression is a text.")
    question = parse_vendor_query(expression)
    found = work.catalogue.type(question.entity_type)
    parts: list[Condition] = [] if question.where is None else [question.where]
    terms = told.get("terms") or []
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
        raise Invalid("terms is a list of texts.")
    names = [name for name in _SEARCHED.get(found.name, ("name",)) if name.partition(".")[0] in found.properties]
    for term in terms if names else ():
        pattern = "%" + term.replace("\\", "\\\\").replace("%", "\\%") + "%"
        parts.append(Or(tuple(Comparison(Path.of(name), "like", pattern) for name in names)))
    context = told.get("context_id")
    if isinstance(context, str):
        parts.append(_within(found.name, context, "ancestors" in found.properties))
    object_types = told.get("object_type_ids")
    if isinstance(object_types, list) and object_types and "object_type_id" in found.properties:
        parts.append(Comparison(Path.of("object_type_id"), "in", tuple(map(str, object_types))))
    where = None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))
    asked = VendorQuery(
        question.entity_type, question.projections, where, question.order, question.limit, question.offset
    )
    data, following = work.answers.answer(asked)
    return {"action": "search", "data": data, "metadata": {"next": {"offset": following}}}


_SEARCHED = {"User": ("username", "first_name", "last_name"), "AssetVersion": ("asset.name",), "Note": ("content",)}


def _within(name: str, context: str, nested: bool) -> Condition:
    way = {"AssetVersion": "asset.parent.", "Asset": "parent."}.get(name, "")
    project: Condition = Comparison(Path.of(f"{way}project_id"), "=", context)
    if not nested:
        return project
    return Or((project, Any_(Path.of("ancestors"), Comparison(Path.of("id"), "=", context))))


# Keys


def _reset_remote(work: RequestContext, told: Told) -> dict[str, Any]:
    """A new API key for a user's account: one's own, or any for administrators."""
    if told.get("reset_type") != "api_key":
        raise Invalid(f"There is nothing called {told.get('reset_type')!r:.80} to reset.")
    if told.get("entity_type") != "User":
        raise Invalid("Only users have an API key.")
    key = told.get("entity_key")
    rows = work.reader.rows("User", [key], ["username"]) if isinstance(key, str) else {}
    if key not in rows:
        raise NotFound(f"There is no User with the id {key!r:.80}.")
    name = rows[key]["username"]
    own = name == work.asked.user
    answer = work.backend.call("own.key", {}) if own else _key_of_account(work, name)
    return {"action": "reset_remote", "data": {"api_key": answer["key"]}}


def _key_of_account(work: RequestContext, name: str) -> Any:
    """The new key of an account. A user that was made over the wire has none yet, and gets one."""
    if any(account["name"] == name for account in work.backend.call("users.list", {})):
        return work.backend.call("users.key", {"name": name})
    return work.backend.call("users.add", {"name": name})


def _permissions(work: RequestContext, told: Told) -> dict[str, Any]:
    return {"action": "permissions", "data": {"user": work.asked.user, "time": datetime.now(UTC).isoformat()}}


ACTIONS: dict[str, Callable[[RequestContext, Told], Any]] = {
    "search": _search,
    "get_upload_metadata": _get_upload_metadata,
    "complete_multipart_upload": _complete_multipart_upload,
    "encode_media": _encode_media,
    "delayed_job": _delayed_job,
    "generate_signed_url": _generate_signed_url,
    "get_widget_url": _get_widget_url,
    "send_user_invite": _send_user_invite,
    "send_review_session_invite": _send_review_session_invite,
    "add_user_security_role": _add_role,
    "remove_user_security_role": _remove_role,
    "update_user_security_role": _update_role,
    "grant_user_security_role_project": _project_role,
    "revoke_user_security_role_project": _project_role,
    "permissions": _permissions,
}
WRITING_ACTIONS = ("encode_media", "delayed_job", *(name for name in ACTIONS if "security_role" in name))
AFTERWARDS: dict[str, Callable[[RequestContext, Told], Any]] = {"reset_remote": _reset_remote}
"""What has a transaction of its own, and happens when the rest of the request is done."""
