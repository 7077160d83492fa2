"""What the tests of every part of the contract share: sessions, a project, a cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.record import new_key
from callsheet.session.blocking import Session

__all__ = ["REQUIRED", "ContractCase", "mark", "send"]

#: The types and attributes the contract uses. Only ``name`` and ``parent`` may be required on create.
REQUIRED: dict[str, tuple[str, ...]] = {
    "Project": ("name", "full_name", "is_private", "lifecycle", "fps", "children", "tags", "metadata"),
    "Shot": ("name", "parent", "fstart", "children", "metadata"),
    "Task": ("name", "parent", "bid", "due_date", "description", "tags"),
    "Tag": ("name", "contexts"),
    "Location": ("name", "accessor"),
    "CalendarEvent": ("name", "start", "end"),
}


class ContractCase:
    """Sessions on one server, and entities to test with."""

    @pytest.fixture
    def session(self, session_factory: Callable[[], Session]) -> Iterator[Session]:
        """A session that knows nothing yet."""
        with session_factory() as session:
            yield session

    @pytest.fixture
    def other(self, session_factory: Callable[[], Session]) -> Iterator[Session]:
        """Somebody else."""
        with session_factory() as session:
            yield session

    @pytest.fixture
    def project(self, session: Session) -> Any:
        """A project that is committed; its name is like no other."""
        project = session.create("Project", {"name": mark()})
        session.commit()
        return project

    @pytest.fixture
    def cut(self, session: Session, project: Any) -> Any:
        """The project, with two shots and four tasks; the last task has nothing but a name and no bid."""
        one = session.create("Shot", {"name": "sh1", "parent": project, "fstart": 1001})
        two = session.create("Shot", {"name": "sh2", "parent": project, "fstart": 1002})
        days = {"a": (1.0, "one", 1), "b": (2.0, "two", 2), "c": (3.0, "three", 3)}
        for name, (bid, description, day) in days.items():
            values = {"bid": bid, "description": description, "due_date": date(2026, 1, day)}
            session.create("Task", {"name": name, "parent": one if name in "ab" else two, **values})
        session.create("Task", {"name": "d", "parent": two, "bid": None})
        tag = session.create("Tag", {"name": project["name"]})
        session.commit()
        first = session.query(f"Task where name is a and parent.parent.id is {project.id}").one()
        first["tags"].append(tag)
        session.commit()
        return project

    @staticmethod
    def _needs(session: Session, feature: str) -> None:
        if not getattr(session.features, feature):
            pytest.skip(f"this server has no {feature}")

    @staticmethod
    def _change_elsewhere(other: Session, project: Any) -> Any:
        found = other.get("Project", project.id)
        found["full_name"] = "theirs"
        other.commit()
        return found


def mark() -> str:
    """A name like no other."""
    return f"contract-{new_key()}"


def send(session: Session, commit_id: str, *operations: Operation) -> Any:
    """Commit these under an id of one's own, past the session's unit of work."""
    session.open()
    return session.run(session._dialect.commit(ChangeSet(commit_id, operations)))
