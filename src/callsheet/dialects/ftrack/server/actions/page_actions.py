"""Addresses of pages, and invitations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from callsheet.dialects.ftrack.server.actions.arguments import existing, text_of
from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.dialects.ftrack.server.writing.deserialization import key_of
from callsheet.errors import Invalid

__all__ = ["get_widget_url", "send_review_session_invite", "send_user_invite"]

Arguments = Mapping[str, Any]
WIDGETS = ("info", "tasks", "tasks_browser")


def get_widget_url(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """The address of a page for an entity."""
    name = text_of(arguments, "name")
    if name not in WIDGETS:
        raise Invalid(f"There is no widget {name!r:.80}; there are {', '.join(WIDGETS)}.")
    params = {"theme": text_of(arguments, "theme", True) or "light"}
    if arguments.get("entity_type") is not None:
        found = work.catalogue.type(text_of(arguments, "entity_type"))
        params |= {"entity_type": found.name, "entity_id": key_of(found, arguments.get("entity_key"), {}) or ""}
    return {"widget_url": f"{work.asked.url}/widget/{name}?{urlencode(params)}"}


def send_user_invite(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Accept the invitation of a user, who must exist; this server sends no mail."""
    existing(work, "User", text_of(arguments, "user_id"))
    return {"sent": True}


def send_review_session_invite(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Accept the invitation of an invitee, who must exist; this server sends no mail."""
    existing(work, "ReviewSessionInvitee", text_of(arguments, "review_session_invitee_id"))
    return {"sent": True}
