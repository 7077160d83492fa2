"""A project read the way any script would: value by value, nothing fetched in advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["Reading", "read_project"]


class Reading:
    """Reads values, and counts the requests it would take at least to fetch each missing piece on its own.

    One by one means: the first touch of an entity that no query brought fetches all its plain values, the
    first touch of a collection fetches its members' keys.
    """

    def __init__(self) -> None:
        self.values = 0
        self.one_by_one = 0
        self._known: set[object] = set()

    def of(self, entity: Any, name: str) -> Any:
        """The value, from memory or from the server."""
        self.values += 1
        collection = entity._type.attribute(name).kind == "collection"
        piece = (entity.identity, name) if collection else entity.identity
        if piece not in self._known:
            self._known.add(piece)
            self.one_by_one += 1
        return entity[name]

    def query(self, session: Session, text: str) -> list[Any]:
        """What a query finds: one request, which brings the plain values."""
        found = session.query(text).all()
        self.one_by_one += 1
        self._known.update(entity.identity for entity in found)
        return found


def read_project(session: Session, name: str, step: Callable[[], object] = lambda: None) -> Reading:
    """Read every shot of a project, its sequence, its status, and the tasks with their statuses and types."""
    read = Reading()
    for shot in read.query(session, f'Shot where project.name is "{name}" order by cut_order'):
        read.of(shot, "frame_count")
        read.of(read.of(shot, "status"), "name")
        sequence = read.of(shot, "parent")
        read.of(sequence, "name")
        read.of(read.of(sequence, "status"), "name")
        for task in read.of(shot, "children"):
            read.of(task, "name")
            read.of(read.of(task, "status"), "name")
            read.of(read.of(task, "type"), "name")
        step()
    return read
