"""Keys of accounts, and who calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.errors import Invalid, NotFound

__all__ = ["permissions", "reset_remote"]

Arguments = Mapping[str, Any]


def reset_remote(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """A new API key for a user's account: one's own, or any for administrators."""
    if arguments.get("reset_type") != "api_key":
        raise Invalid(f"There is nothing called {arguments.get('reset_type')!r:.80} to reset.")
    if arguments.get("entity_type") != "User":
        raise Invalid("Only users have an API key.")
    key = arguments.get("entity_key")
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


def permissions(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """Who calls, and when."""
    return {"action": "permissions", "data": {"user": work.asked.user, "time": datetime.now(UTC).isoformat()}}
