"""What the vendor's server does beside reading and writing, by the names that requests call it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from callsheet.dialects.ftrack.server.actions.file_actions import (
    complete_multipart_upload,
    encode_media,
    generate_signed_url,
    get_upload_metadata,
)
from callsheet.dialects.ftrack.server.actions.jobs import delayed_job
from callsheet.dialects.ftrack.server.actions.key_actions import permissions, reset_remote
from callsheet.dialects.ftrack.server.actions.page_actions import (
    get_widget_url,
    send_review_session_invite,
    send_user_invite,
)
from callsheet.dialects.ftrack.server.actions.role_actions import (
    add_role,
    change_project_role,
    remove_role,
    update_role,
)
from callsheet.dialects.ftrack.server.actions.search_action import search
from callsheet.dialects.ftrack.server.requests.request_context import RequestContext

__all__ = ["ACTIONS", "AFTERWARDS", "WRITING_ACTIONS"]

Arguments = Mapping[str, Any]

ACTIONS: dict[str, Callable[[RequestContext, Arguments], Any]] = {
    "search": search,
    "get_upload_metadata": get_upload_metadata,
    "complete_multipart_upload": complete_multipart_upload,
    "encode_media": encode_media,
    "delayed_job": delayed_job,
    "generate_signed_url": generate_signed_url,
    "get_widget_url": get_widget_url,
    "send_user_invite": send_user_invite,
    "send_review_session_invite": send_review_session_invite,
    "add_user_security_role": add_role,
    "remove_user_security_role": remove_role,
    "update_user_security_role": update_role,
    "grant_user_security_role_project": change_project_role,
    "revoke_user_security_role_project": change_project_role,
    "permissions": permissions,
}
WRITING_ACTIONS = ("encode_media", "delayed_job", *(name for name in ACTIONS if "security_role" in name))
AFTERWARDS: dict[str, Callable[[RequestContext, Arguments], Any]] = {"reset_remote": reset_remote}
"""What has a transaction of its own, and happens when the rest of the request is done."""
