"""Actions of servers besides reading and writing: pages, invitations, keys, long operations, search.

They take effect at once, and are not part of the pending changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from callsheet.core import calls, reading
from callsheet.core.core import Core
from callsheet.entity.entity import Entity
from callsheet.errors import TransportError, UsageError
from callsheet.flow import Flow
from callsheet.model.query import Comparison, Condition, Or, Path
from callsheet.production.accounts import check_committed, invitation_of, new_key_of
from callsheet.production.queries import entities, one_of

__all__ = ["delayed_job", "invite_users", "invite_reviewers", "reset_remote", "search", "widget_url"]

SEARCHED = {"User": ("username", "first_name", "last_name"), "AssetVersion": ("asset.name",), "Note": ("content",)}


def widget_url(core: Core, name: str, entity: Any = None, theme: str | None = None) -> Flow[str]:
    """The URL of a page of the server (``info``, ``tasks``, ``tasks_browser``), optionally of an entity.

    It is valid for some minutes.
    """
    arguments: dict[str, Any] = {"name": name, "theme": theme}
    if entity is not None:
        check_committed(entity)
        arguments |= {"entity_type": entity.entity_type, "entity_key": _key(entity)}
    answer = yield from calls.call(core, "get_widget_url", arguments)
    return str(_field(answer, "widget_url"))


def reset_remote(core: Core, reset_type: str, entity: Any = None) -> Flow[Any]:
    """Reset something on the server: ``"api_key"`` of a user returns the new key, once."""
    arguments: dict[str, Any] = {"reset_type": reset_type}
    if entity is not None:
        check_committed(entity)
        arguments |= {"entity_type": entity.entity_type, "entity_key": entity.id}
        if reset_type == "api_key" and "reset_remote" not in core.declaration.actions:
            return {"api_key": (yield from new_key_of(core, entity))}
    return (yield from calls.call(core, "reset_remote", arguments))


def invite_users(core: Core, users: Any) -> Flow[list[Any]]:
    """Invite a user, or several. A server that sends no mail returns the ``code`` to pass on for each."""
    answers = []
    for user in _committed(users):
        answers.append((yield from invitation_of(core, user)))
    return answers


def invite_reviewers(core: Core, invitees: Any) -> Flow[None]:
    """Send an invitation to an invitee of a review session, or to several."""
    chosen = _committed(invitees)
    for invitee in chosen:
        yield from calls.call(core, "send_review_session_invite", {"review_session_invitee_id": invitee.id})


def delayed_job(core: Core, job_type: str) -> Flow[Any]:
    """Begin a long operation on the server, such as ``"SYNC_USERS_LDAP"``; returns its job."""
    answer = yield from calls.call(core, "delayed_job", {"job_type": job_type})
    return (yield from reading.get(core, "Job", _field(answer, "id")))


def search(
    core: Core,
    entity_type: str,
    terms: str | Sequence[str],
    context: Any = None,
    object_types: Iterable[Any] = (),
    limit: int = 50,
) -> Flow[list[Any]]:
    """Entities whose names contain all these words, within a project if one is given; the best first."""
    words = terms.split() if isinstance(terms, str) else list(terms)
    found = core.schema.type(entity_type)
    if "search" not in core.declaration.actions:
        return (yield from _searched_here(core, found.name, words, context, limit))
    expression = f"select id from {found.name} offset 0 limit {int(limit)}"
    arguments: dict[str, Any] = {"expression": expression, "entity_type": found.name, "terms": words}
    if context is not None:
        arguments["context_id"] = context.id
    kinds = [getattr(each, "id", each) for each in object_types]
    if kinds:
        arguments["object_type_ids"] = kinds
    rows = yield from calls.call(core, "search", arguments)
    keys = [row["id"] for row in rows if isinstance(row, Mapping) and "id" in row]
    if not keys:
        return []
    known = yield from entities(core, found.name, one_of("id", keys))
    by_key = {each.id: each for each in known}
    return [by_key[key] for key in keys if key in by_key]


def _searched_here(core: Core, name: str, words: Sequence[str], context: Any, limit: int) -> Flow[list[Any]]:
    """A search by conditions, for servers without an action for it."""
    entity_type = core.schema.types[name]
    paths = [path for path in SEARCHED.get(name, ("name",)) if path.partition(".")[0] in entity_type.attributes]
    if not paths:
        raise UsageError(f"{name} has no name to search by; query it")
    conditions: list[Condition] = []
    for word in words:
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%") + "%"
        conditions.append(_any(tuple(Comparison(Path.of(path), "like", pattern) for path in paths)))
    if context is not None:
        conditions.append(Comparison(Path.of("project.id"), "=", context.id))
    return (yield from entities(core, name, *conditions, order=paths[0], limit=limit))


def _any(parts: tuple[Comparison, ...]) -> Condition:
    return parts[0] if len(parts) == 1 else Or(parts)


def _committed(chosen: Iterable[Any]) -> list[Any]:
    listed = [chosen] if isinstance(chosen, Entity) else list(chosen)
    for each in listed:
        check_committed(each)
    return listed


def _key(entity: Any) -> list[Any]:
    return list(entity._key) if isinstance(entity._key, tuple) else [entity._key]


def _field(answer: Any, name: str) -> Any:
    if not isinstance(answer, Mapping) or name not in answer:
        raise TransportError(f"the server's answer has no {name}: {answer!r:.120}")
    return answer[name]
