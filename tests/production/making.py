"""Small productions, made by one call."""

from __future__ import annotations

from typing import Any

from callsheet import Session
from callsheet.model.record import new_key

__all__ = ["again", "make_project", "make_shot", "make_task", "make_user", "make_version"]


def make_project(session: Session) -> Any:
    """A project with a name of its own, committed."""
    project = session.create("Project", {"name": f"show-{new_key()[-12:]}"})
    if "project_schema" in project and session.query("ProjectSchema").first() is not None:
        project["project_schema"] = session.query("ProjectSchema").first()
    session.commit()
    return project


def make_shot(session: Session, parent: Any = None, name: str = "sh010") -> Any:
    """A shot in a project, committed."""
    shot = session.create("Shot", {"name": name, "parent": parent or make_project(session)})
    session.commit()
    return shot


def make_task(session: Session, parent: Any = None, name: str = "comp") -> Any:
    """A task in a shot, committed."""
    task = session.create("Task", {"name": name, "parent": parent or make_shot(session)})
    session.commit()
    return task


def make_user(session: Session) -> Any:
    """A user with a name of their own, committed."""
    user = session.create("User", {"username": f"user-{new_key()[-12:]}"})
    if "is_active" in user:
        user["is_active"] = True
    session.commit()
    return user


def make_version(session: Session, parent: Any = None) -> Any:
    """The first version of an asset, committed."""
    parent = parent or make_shot(session)
    asset = session.create("Asset", {"name": f"comp-{new_key()[-12:]}", "parent": parent})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return version


def again(session: Session, entity: Any) -> Any:
    """The entity as another session reads it."""
    return session.fork().get(entity.entity_type, entity.id)
