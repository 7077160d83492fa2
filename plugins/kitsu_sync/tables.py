"""What Kitsu's rows are, as data: which type has which attributes, and in which column each is kept.

Kitsu keeps episodes, sequences, shots and assets in one table, told apart by their entity type. Its OpenAPI document
names half of the columns that are served, so this table was made from rows of a real server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.model.schema import did_you_mean

__all__ = ["TYPES", "KitsuColumn", "KitsuType", "columns_of", "type_named"]

ColumnKind: TypeAlias = Literal[
    "plain",
    "day",
    "reference",
    "parent",
    "entity",
    "name",
    "members",
    "casting",
    "entries",
    "label",
    "data",
    "number",
    "half",
]


@frozen
class KitsuColumn:
    """Where one attribute is kept.

    ========= =================================================================================
    plain     a value as it is
    day       a date, served as a time at midnight
    reference the id of a row of ``target``
    parent    the same; where it is empty, the parent is the project
    entity    the id of a row whose type only that row says
    name      the id of a row of the studio's list ``target``, known by its name
    members   a list of ids of rows of ``target``
    casting   the assets seen in a shot, kept as links with a count
    entries   the shots of a playlist, in its order
    label     a task's name; that of its type where Kitsu calls it ``main``, as it calls nearly all
    data      a key of the free JSON of the row
    number    the same, a number that Kitsu's pages keep as text
    half      one of the two halves of an assignment's id
    ========= =================================================================================
    """

    column: str
    kind: ColumnKind = "plain"
    target: str = ""


@frozen
class KitsuType:
    """One type: the plural in its routes, and its columns by attribute. ``entity`` is in the shared table."""

    name: str
    plural: str
    columns: Mapping[str, KitsuColumn] = field(factory=dict)
    entity: bool = False
    #: Rows that Kitsu can set aside (``canceled``) instead of deleting them.
    archives: bool = False


def _entity(name: str, **columns: KitsuColumn) -> KitsuType:
    shared = {"name": KitsuColumn("name"), "description": KitsuColumn("description")}
    return KitsuType(name, "entities", {**shared, **columns}, entity=True, archives=True)


TYPES: Mapping[str, KitsuType] = {
    each.name: each
    for each in (
        KitsuType("Project", "projects", {"name": KitsuColumn("name")}),
        KitsuType(
            "Person",
            "persons",
            {
                "email": KitsuColumn("email"),
                "first_name": KitsuColumn("first_name"),
                "last_name": KitsuColumn("last_name"),
                "active": KitsuColumn("active"),
            },
        ),
        _entity("Episode", parent=KitsuColumn("parent_id", "parent", "Project")),
        _entity("Sequence", parent=KitsuColumn("parent_id", "parent", "Episode")),
        _entity(
            "Asset",
            type=KitsuColumn("entity_type_id", "name", "entity-types"),
            parent=KitsuColumn("source_id", "parent", "Episode"),
        ),
        _entity(
            "Shot",
            parent=KitsuColumn("parent_id", "parent", "Sequence"),
            nb_frames=KitsuColumn("nb_frames"),
            frame_in=KitsuColumn("frame_in", "number"),
            frame_out=KitsuColumn("frame_out", "number"),
            fps=KitsuColumn("fps", "number"),
            assets=KitsuColumn("entity_out_id", "casting", "Asset"),
        ),
        KitsuType(
            "Task",
            "tasks",
            {
                "name": KitsuColumn("name", "label", "task-types"),
                "description": KitsuColumn("description"),
                "entity": KitsuColumn("entity_id", "entity"),
                "type": KitsuColumn("task_type_id", "name", "task-types"),
                "status": KitsuColumn("task_status_id", "name", "task-status"),
                "assignees": KitsuColumn("assignees", "members", "Person"),
                "priority": KitsuColumn("priority"),
                "estimation": KitsuColumn("estimation"),
                "start_date": KitsuColumn("start_date", "day"),
                "due_date": KitsuColumn("due_date", "day"),
            },
        ),
        KitsuType(
            "Comment",
            "comments",
            {
                "task": KitsuColumn("object_id", "reference", "Task"),
                "text": KitsuColumn("text"),
                "author": KitsuColumn("person_id", "reference", "Person"),
            },
        ),
        KitsuType(
            "Assignment",
            "tasks",
            {"task": KitsuColumn("task", "half", "Task"), "person": KitsuColumn("person", "half", "Person")},
        ),
        KitsuType(
            "Playlist",
            "playlists",
            {
                "name": KitsuColumn("name"),
                "project": KitsuColumn("project_id", "reference", "Project"),
                "shots": KitsuColumn("shots", "entries", "Shot"),
            },
        ),
    )
}
"""Every type of the side, those that others refer to first."""


def type_named(name: str) -> KitsuType:
    """The type of a name. Raises `UsageError` with what it may mean."""
    if name not in TYPES:
        raise UsageError(f"Kitsu has no type {name!r:.60} here{did_you_mean(name, TYPES)}")
    return TYPES[name]


def columns_of(kind: KitsuType, attributes: Any) -> dict[str, KitsuColumn]:
    """The columns of attributes; ``data.KEY`` is any key of a row's free JSON. `UsageError` for unknown ones."""
    found: dict[str, KitsuColumn] = {}
    for name in attributes:
        if name in kind.columns:
            found[name] = kind.columns[name]
        elif kind.plural in ("entities", "tasks", "persons") and name.startswith("data.") and len(name) > 5:
            found[name] = KitsuColumn(name[5:], "data")
        else:
            raise UsageError(f"a Kitsu {kind.name} has no {name!r:.60}{did_you_mean(name, kind.columns)}")
    return found
