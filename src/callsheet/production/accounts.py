"""The methods of users as accounts: invitations, keys, and security roles.

They take effect on the server at once, and are not part of the pending changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from callsheet.core import calls, populating
from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.errors import StateError
from callsheet.flow import Flow

__all__ = ["UserMethods", "check_committed", "invitation_of", "new_key_of"]


class UserMethods:
    """The methods of users."""

    __slots__ = ()
    session: Any
    id: Any

    def send_invite(self) -> Any:
        """Invite the user. A server that sends no mail returns the ``code`` to pass on, and when it ``expires``."""
        check_committed(self)
        return self.session.run(invitation_of(self.session, self))

    def reset_api_key(self) -> Annotated[Any, Gives("str")]:
        """Create a new API key, and return it, once; the old one stops working."""
        check_committed(self)
        return self.session.run(new_key_of(self.session, self))

    def add_security_role(self, role: Any) -> Any:
        """Give the user a security role, in all open projects."""
        return self._change_role("add_user_security_role", role_id=role.id)

    def remove_security_role(self, role: Any) -> Any:
        """Remove a security role from the user."""
        return self._change_role("remove_user_security_role", role_id=role.id)

    def replace_security_role(self, role: Any, new_role: Any) -> Any:
        """Replace a security role of the user by another one."""
        return self._change_role("update_user_security_role", role_id=role.id, new_role_id=new_role.id)

    def grant_project(self, role: Any, project: Any) -> Any:
        """Extend a security role of the user to a project."""
        return self._change_role("grant_user_security_role_project", role_id=role.id, project_id=project.id)

    def revoke_project(self, role: Any, project: Any) -> Any:
        """End a security role of the user in a project."""
        return self._change_role("revoke_user_security_role_project", role_id=role.id, project_id=project.id)

    def _change_role(self, action: str, **arguments: Any) -> Any:
        check_committed(self)
        return self.session.run(calls.call(self.session, action, {"user_id": self.id, **arguments}))


def new_key_of(core: Core, user: Any) -> Flow[str]:
    """A user's new key: by the dialect's own action, or by Callsheet's."""
    if "reset_remote" in core.declaration.actions:
        arguments = {"reset_type": "api_key", "entity_type": user.entity_type, "entity_key": user.id}
        answer = yield from calls.call(core, "reset_remote", arguments)
        return str(answer["api_key"])
    yield from populating.populate(core, user, "username")
    name = user.peek("username")
    own = name == core.api_user
    answer = yield from calls.call(core, "own.key" if own else "users.key", {} if own else {"name": name})
    return str(answer["key"] if isinstance(answer, Mapping) else answer)


def invitation_of(core: Core, user: Any) -> Flow[Any]:
    """A user's invitation: by the dialect's own action, or by Callsheet's."""
    if "send_user_invite" in core.declaration.actions:
        return (yield from calls.call(core, "send_user_invite", {"user_id": user.id}))
    yield from populating.populate(core, user, "username")
    return (yield from calls.call(core, "users.invite", {"name": user.peek("username")}))


def check_committed(entity: Any) -> None:
    """Raise `StateError` for an entity that is not committed yet."""
    if entity._changes is not None and entity._changes.born:
        raise StateError(f"{entity!r} is not on the server yet; `commit()` first")
