"""Notes on entities, with recipients and labels; and replies to notes.

A note is one new row that refers to its entity. Existing notes are neither loaded nor sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from callsheet.core import loading
from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.production.queries import acting_user

__all__ = ["Answerable", "Noteable", "create_note", "create_reply"]


class Noteable:
    """The methods of entities with notes."""

    __slots__ = ()
    session: Any

    def create_note(
        self,
        content: str,
        author: Any = None,
        recipients: Iterable[Any] = (),
        category: Any = None,
        labels: Iterable[Any] = (),
        **values: Any,
    ) -> Annotated[Any, Gives("Note")]:
        """A new note on this entity, pending until the next commit.

        ``author`` is a user (default: the session's), ``recipients`` are users and groups, ``labels`` are the note's
        labels; ``category`` is one label, by its older name. More ``values`` are set on the note.
        """
        return self.session.run(
            create_note(self.session, self, content, author, recipients, labels=labels, category=category, **values)
        )


class Answerable:
    """The methods of notes."""

    __slots__ = ()
    session: Any

    def create_reply(self, content: str, author: Any = None, **values: Any) -> Annotated[Any, Gives("Note")]:
        """A reply to this note, pending until the next commit."""
        return self.session.run(create_reply(self.session, self, content, author, **values))


def create_note(
    core: Core,
    entity: Any,
    content: str,
    author: Any = None,
    recipients: Iterable[Any] = (),
    *,
    labels: Iterable[Any] = (),
    category: Any = None,
    **values: Any,
) -> Flow[Any]:
    """A note on an entity."""
    filed = list(labels)
    if filed and category is not None:
        raise UsageError("a note takes either labels or a category, which is one label")
    if category is not None:
        filed = [category]
    if entity._type.abstract:
        yield from loading.load_names(core, entity, [])
    reference = entity._type.attributes["notes"].inverse
    data = {reference: entity} if reference else {"parent_id": entity.id, "parent_type": entity.entity_type}
    note = yield from _written(core, {**data, "content": content, **values}, author)
    if not reference:
        _show(core, entity, "notes", note)
    _address(core, note, recipients)
    _label(core, note, filed)
    return note


def create_reply(core: Core, note: Any, content: str, author: Any = None, **values: Any) -> Flow[Any]:
    """A reply to a note."""
    return (yield from _written(core, {"in_reply_to": note, "content": content, **values}, author))


def _written(core: Core, data: dict[str, Any], author: Any) -> Flow[Any]:
    if author is None:
        author = yield from acting_user(core)
    return core.create("Note", data if author is None else {**data, "author": author})


def _show(core: Core, entity: Any, name: str, member: Any) -> None:
    """Add a member to a loaded collection without recording a change."""
    with core.operation_recording(False):
        core.unit.link(entity, name, member, True)


def _address(core: Core, note: Any, recipients: Iterable[Any]) -> None:
    to = "recipient" if "recipient" in core.schema.types["Recipient"].attributes else "resource"
    for each in dict.fromkeys(recipients):
        core.create("Recipient", {"note": note, to: each})


def _label(core: Core, note: Any, labels: Iterable[Any]) -> None:
    for label in dict.fromkeys(labels):
        if "labels" in note._type.attributes:
            core.unit.link(note, "labels", label, True)
        else:
            # By its key, because a category is a label of another type.
            core.create("NoteLabelLink", {"note": note, "label_id": label.identity.key})
