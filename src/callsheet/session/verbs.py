"""Verbs of both kinds of session that ask the server for something by name.

Each gives what ``run`` gives: an answer in a blocking session, something to await in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["Verbs"]


class Verbs:
    """What `Session` and `AsyncSession` share word for word; in the latter, await it."""

    def get_widget_url(self: Any, name: str, entity: Any = None, theme: str | None = None) -> Any:
        """The address of a page of the server's (``info``, ``tasks``, ``tasks_browser``), about an entity or not."""
        from callsheet.production import remote

        return self.run(remote.widget_url(self, name, entity, theme))

    def reset_remote(self: Any, reset_type: str, entity: Any = None) -> Any:
        """Let the server make something anew: ``"api_key"`` of a user gives the new key."""
        from callsheet.production import remote

        return self.run(remote.reset_remote(self, reset_type, entity))

    def send_user_invite(self: Any, users: Any) -> Any:
        """Let the server send an invitation to a user, or to several."""
        from callsheet.production import remote

        return self.run(remote.invite_users(self, users))

    def send_review_session_invite(self: Any, invitees: Any) -> Any:
        """Let the server send an invitation to an invitee of a review session, or to several."""
        from callsheet.production import remote

        return self.run(remote.invite_reviewers(self, invitees))

    def delayed_job(self: Any, job_type: str) -> Any:
        """Let the server begin long work, such as ``"SYNC_USERS_LDAP"``; the job that tells how it goes."""
        from callsheet.production import remote

        return self.run(remote.delayed_job(self, job_type))

    def search(
        self: Any,
        entity_type: str,
        terms: str | Sequence[str],
        context: Any = None,
        object_types: Iterable[Any] = (),
        limit: int = 50,
    ) -> Any:
        """Entities whose names have all these words in them, within a project where one is told."""
        from callsheet.production import remote

        return self.run(remote.search(self, entity_type, terms, context, object_types, limit))

    def encode_media(self: Any, media: Any, version_id: str | None = None, keep_original: bool | str = "auto") -> Any:
        """Let the server make pictures and films of a file (a path, or a component) for review; the job of it."""
        from callsheet.storage import media as encoding

        return self.run(encoding.encode(self, media, version_id, keep_original))
