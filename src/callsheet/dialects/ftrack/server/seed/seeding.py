"""What a store with the vendor's schema begins with, and a small studio to try things on.

`essential_operations` are the rows that the vendor's clients take for granted: object types and locations by
their well-known ids, states, statuses, types, priorities, roles, a project schema. `studio_operations` adds
people and a production. Keys are well known or derived from names, so they are the same in every store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from callsheet.dialects.ftrack.server.schema.catalogue import joined_key
from callsheet.model.operation import Create, Operation
from callsheet.model.record import Identity
from callsheet.model.schema import Schema

__all__ = ["OBJECT_TYPES", "SERVER_LOCATION", "essential_operations", "seeded_key", "studio_operations"]

OBJECT_TYPES = {
    "Task": "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c",
    "Shot": "bad911de-3bd6-47b9-8b46-3476e237cb36",
    "Sequence": "e5139355-61da-4c8f-9db4-3abc870166bc",
    "Folder": "3c133785-51cb-11e3-980a-20c9d0831e59",
    "Episode": "22139355-61da-4c8f-9db4-3abc870166bc",
    "Asset Build": "4be63b64-5010-42fb-bf1f-428af9d638f0",
    "Milestone": "01decdd1-51cb-11e3-9d5b-20c9d0831e59",
}
SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"
_LOCATIONS = {
    "ftrack.origin": "ce9b348f-8809-11e3-821c-20c9d081909b",
    "ftrack.unmanaged": "cb268ecc-8809-11e3-a7e2-20c9d081909b",
    "ftrack.review": "cd41be70-8809-11e3-b98a-20c9d081909b",
    "ftrack.connect": "07b82a97-8cf9-11e3-9383-20c9d081909b",
    "ftrack.server": SERVER_LOCATION,
}
_PRIORITIES = (
    ("None", "9661b320-3a0c-11e2-81c1-0800200c9a66", 0.0, "#bdbdbd"),
    ("Low", None, 1.0, "#90caf9"),
    ("Medium", None, 2.0, "#fdd835"),
    ("High", None, 3.0, "#fb8c00"),
    ("Urgent", None, 4.0, "#e53935"),
)
_STATES = {"Not started": "NOT_STARTED", "In progress": "IN_PROGRESS", "Done": "DONE", "Blocked": "BLOCKED"}
_STATUSES = (
    ("Not started", "Not started", "#ffffff"),
    ("Ready to start", "Not started", "#ffff00"),
    ("In progress", "In progress", "#3399ff"),
    ("Pending review", "In progress", "#ff9900"),
    ("Change requested", "In progress", "#ff3300"),
    ("On hold", "Blocked", "#996633"),
    ("Approved", "Done", "#99cc33"),
    ("Completed", "Done", "#339933"),
    ("Omitted", "Done", "#333333"),
)
_TYPES = (
    "Generic",
    "Modeling",
    "Rigging",
    "Lookdev",
    "Layout",
    "Animation",
    "FX",
    "Lighting",
    "Compositing",
    "Editing",
)
_BUILD_TYPES = ("Character", "Prop", "Environment", "Vehicle")
_ASSET_TYPES = {
    "Geometry": "geo",
    "Animation": "anim",
    "Compositing": "comp",
    "Image Sequence": "img",
    "Upload": "upload",
}
_ATTRIBUTE_TYPES = ("text", "number", "boolean", "date", "enumerator", "dynamic enumerator", "expression")
_VERSION_STATUSES = ("Pending review", "Change requested", "Approved", "Omitted")
_SHOT_STATUSES = ("Not started", "In progress", "On hold", "Completed", "Omitted")

Values = dict[str, Any]
Row = tuple[str, str, Values]


def seeded_key(entity_type: str, name: str) -> str:
    """The key of a seeded entity, the same in every store.

    >>> seeded_key("Status", "In progress") == seeded_key("Status", "In progress")
    True
    """
    return str(uuid5(NAMESPACE_URL, f"urn:callsheet:ftrack:{entity_type}/{name}"))


def essential_operations(schema: Schema) -> tuple[Operation, ...]:
    """The creates without which the vendor's clients cannot work, as far as the schema has their types."""
    return _operations(schema, _essentials())


def studio_operations(schema: Schema) -> tuple[tuple[Operation, ...], ...]:
    """The creates of a small studio, as commits one after another; the essential ones must be there.

    Values of custom attributes can be written when their configurations are known.
    """
    people = (*_people(), *_configurations())
    return _operations(schema, iter(people)), _operations(schema, _production())


def _operations(schema: Schema, rows: Iterator[Row]) -> tuple[Operation, ...]:
    found: list[Operation] = []
    for entity_type, key, values in rows:
        told = schema.types.get(entity_type)
        if told is None or told.abstract:
            continue
        kept = {name: value for name, value in values.items() if _has(schema, entity_type, name, value)}
        found.append(Create(Identity(entity_type, key), kept))
    return tuple(found)


def _has(schema: Schema, entity_type: str, name: str, value: Any) -> bool:
    told = schema.types[entity_type]
    if isinstance(value, Identity) and value.entity_type not in schema.types:
        return False
    return name.partition(".")[0] in told.attributes


def _of(entity_type: str, name: str) -> Identity:
    return Identity(entity_type, seeded_key(entity_type, name))


def _named(entity_type: str, name: str, **values: Any) -> Row:
    return entity_type, seeded_key(entity_type, name), {"name": name, **values}


def _essentials() -> Iterator[Row]:
    for name, key in _LOCATIONS.items():
        yield "Location", key, {"name": name, "label": name}
    automatic = {
        "name": "storage_scenario",
        "group": "STORAGE",
        "value": '{"scenario": "ftrack.automatic", "data": {}}',
    }
    yield "Setting", joined_key(("storage_scenario", "STORAGE")), automatic
    for sort, (name, key) in enumerate(OBJECT_TYPES.items()):
        leaf = name in ("Task", "Milestone")
        flags = {"is_leaf": leaf, "is_schedulable": True, "is_time_reportable": name == "Task", "is_taskable": not leaf}
        named = {"name": name, "icon": "default", "sort": sort}
        yield (
            "ObjectType",
            key,
            {**named, **flags, "is_statusable": True, "is_typeable": name in ("Task", "Asset Build")},
        )
    for sort, (name, key_or_none, value, color) in enumerate(_PRIORITIES):
        key = key_or_none or seeded_key("Priority", name)
        yield "Priority", key, {"name": name, "value": value, "color": color, "sort": sort}
    for name, short in _STATES.items():
        yield _named("State", name, short=short)
    for sort, (name, state, color) in enumerate(_STATUSES):
        yield _named("Status", name, state=_of("State", state), color=color, sort=sort, is_active=True)
    for sort, name in enumerate((*_TYPES, *_BUILD_TYPES)):
        yield _named("Type", name, color="#510100", sort=sort, is_billable=True)
    for name, short in _ASSET_TYPES.items():
        yield _named("AssetType", name, short=short, component="main")
    for sort, name in enumerate(("Internal", "Client feedback", "For review")):
        yield _named("NoteCategory", name, sort=sort)
    for name in ("Dailies", "Client", "Casting"):
        yield _named("ListCategory", name)
    for name in ("Producer", "Supervisor", "Coordinator"):
        yield _named("ManagerType", name)
    for name in _ATTRIBUTE_TYPES:
        yield _named("CustomAttributeType", name, core=True)
    yield _named("CustomAttributeGroup", "Production")
    for name, kind in (
        ("Administrator", "PROJECT"),
        ("Project manager", "PROJECT"),
        ("User", "ASSIGNED"),
        ("API", "API"),
    ):
        yield _named("SecurityRole", name, type=kind)
    for name in ("user", "admin"):
        yield _named("UserType", name)
    yield "User", seeded_key("User", "admin"), _user("admin", "Ada", "Admin")
    yield from _project_schema()


def _user(username: str, first: str, last: str) -> dict[str, Any]:
    return {
        "username": username,
        "first_name": first,
        "last_name": last,
        "email": f"{username}@example.com",
        "is_active": True,
        "is_otp_enabled": False,
        "is_totp_enabled": False,
        "resource_type": "user",
        "user_type": _of("UserType", "admin" if username == "admin" else "user"),
    }


def _joined(
    entity_type: str, near: Identity, far: Identity, names: tuple[str, str], order: tuple[int, int], **more: Any
) -> Row:
    """A row between two others, whose key is both of theirs, in the order that the vendor has."""
    parts = (near.key, far.key)
    return entity_type, joined_key([parts[order[0]], parts[order[1]]]), {names[0]: near, names[1]: far, **more}


def _project_schema() -> Iterator[Row]:
    """The workflow: which statuses and types apply to what."""
    tasks, versions, types = (
        _of("WorkflowSchema", "Tasks"),
        _of("WorkflowSchema", "Versions"),
        _of("TaskTypeSchema", "Tasks"),
    )
    yield "WorkflowSchema", tasks.key, {"name": "Tasks"}
    yield "WorkflowSchema", versions.key, {"name": "Versions"}
    yield "TaskTypeSchema", types.key, {"name": "Tasks"}
    for workflow, names in ((tasks, [name for name, *_ in _STATUSES]), (versions, _VERSION_STATUSES)):
        for name in names:
            ends = ("workflow_schema", "status")
            yield _joined("WorkflowSchemaStatus", workflow, _of("Status", name), ends, (0, 1))
    for name in _TYPES:
        yield _joined("TaskTypeSchemaType", types, _of("Type", name), ("task_type_schema", "type"), (0, 1))
    project = _of("ProjectSchema", "VFX")
    used = {"task_workflow_schema": tasks, "asset_version_workflow_schema": versions, "task_type_schema": types}
    yield "ProjectSchema", project.key, {"name": "VFX", **used}
    for name, key in OBJECT_TYPES.items():
        kind = Identity("ObjectType", key)
        yield _joined("ProjectSchemaObjectType", project, kind, ("project_schema", "object_type"), (1, 0))
        if name == "Task":
            continue
        schema = _of("Schema", name)
        yield "Schema", schema.key, {"project_schema": project, "object_type": kind, "type": kind}
        for sort, status in enumerate(_SHOT_STATUSES):
            yield _joined("SchemaStatus", schema, _of("Status", status), ("schema", "task_status"), (1, 0), sort=sort)
        for sort, each in enumerate(_BUILD_TYPES if name == "Asset Build" else ()):
            yield _joined("SchemaType", schema, _of("Type", each), ("schema", "task_type"), (1, 0), sort=sort)
    template = _of("TaskTemplate", "Shot")
    yield "TaskTemplate", template.key, {"name": "Shot", "project_schema": project}
    for name in ("Layout", "Animation", "Lighting", "Compositing"):
        yield (
            "TaskTemplateItem",
            seeded_key("TaskTemplateItem", name),
            {"template": template, "task_type": _of("Type", name)},
        )


# A studio


_PEOPLE = (
    ("mara", "Mara", "Layout"),
    ("jonas", "Jonas", "Anim"),
    ("ines", "Ines", "Light"),
    ("tomas", "Tomas", "Comp"),
)


def _people() -> Iterator[Row]:
    yield "Group", seeded_key("Group", "Artists"), {"name": "Artists", "local": True, "resource_type": "group"}
    for username, first, last in _PEOPLE:
        user = _of("User", username)
        yield "User", user.key, _user(username, first, last)
        yield "Membership", seeded_key("Membership", username), {"user": user, "group": _of("Group", "Artists")}
        role = {"user": user, "security_role": _of("SecurityRole", "User"), "is_all_open_projects": True}
        yield "UserSecurityRole", seeded_key("UserSecurityRole", username), role


def _configurations() -> Iterator[Row]:
    """A custom attribute of every kind."""
    menu = [{"menu": name.title(), "value": name} for name in ("simple", "medium", "hard")]
    wanted: tuple[tuple[str, str, str, str | None, Any, Mapping[str, Any]], ...] = (
        ("fstart", "number", "task", "Shot", 1001.0, {"isdecimal": False}),
        ("fend", "number", "task", "Shot", 1100.0, {"isdecimal": False}),
        ("fps", "number", "show", None, 24.0, {"isdecimal": True}),
        ("brief", "text", "task", "Task", "", {"markdown": True}),
        ("is_hero", "boolean", "task", "Shot", False, {}),
        ("delivery", "date", "task", "Shot", None, {}),
        ("difficulty", "enumerator", "task", "Task", ["medium"], {"multiSelect": False, "data": json.dumps(menu)}),
        ("departments", "enumerator", "task", "Shot", [], {"multiSelect": True, "data": json.dumps(menu)}),
        ("nickname", "text", "user", None, "", {}),
        ("codec", "text", "assetversion", None, "", {}),
        ("source", "text", "asset", None, "", {}),
        ("audience", "text", "list", None, "", {}),
    )
    group = _of("CustomAttributeGroup", "Production")
    for sort, (key, kind, entity_type, object_type, default, config) in enumerate(wanted):
        values: Values = {
            "key": key,
            "label": key.title(),
            "type": _of("CustomAttributeType", kind),
            "entity_type": entity_type,
        }
        values |= {"default": default, "config": json.dumps(config), "sort": sort, "group": group, "core": False}
        if object_type is not None:
            values["object_type"] = Identity("ObjectType", OBJECT_TYPES[object_type])
        values["is_hierarchical"] = False
        yield "CustomAttributeConfiguration", seeded_key("CustomAttributeConfiguration", key), values
    values = {
        "key": "resolution",
        "label": "Resolution",
        "type": _of("CustomAttributeType", "text"),
        "entity_type": "show",
    }
    values |= {"default": "", "config": "{}", "is_hierarchical": True, "group": group, "core": False, "sort": 20}
    yield "CustomAttributeConfiguration", seeded_key("CustomAttributeConfiguration", "resolution"), values


_START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def _context(kind: str, name: str, parent: Identity, **values: Any) -> tuple[Identity, dict[str, Any]]:
    object_type = Identity("ObjectType", OBJECT_TYPES["Asset Build" if kind == "AssetBuild" else kind])
    told: Values = {
        "name": name,
        "parent": parent,
        "object_type": object_type,
        "context_type": "task",
        "bid": 0.0,
        "sort": 0.0,
    }
    told |= {"status": _of("Status", "Not started"), "type": _of("Type", "Generic")}
    told["priority"] = Identity("Priority", str(_PRIORITIES[0][1]))
    return _of(kind, f"{parent.key}/{name}"), {**told, **values}


def _production() -> Iterator[Row]:
    project = _of("Project", "sintel")
    told: Values = {
        "name": "sintel",
        "full_name": "Sintel",
        "context_type": "show",
        "project_status": "active",
        "root": "sintel",
    }
    told |= {
        "project_schema": _of("ProjectSchema", "VFX"),
        "start_date": _START,
        "end_date": _START + timedelta(days=180),
    }
    yield "Project", project.key, {**told, "metadata.client": "Blender", "is_private": False, "is_global": False}
    for number in (1, 2):
        sequence, values = _context("Sequence", f"sq{number:03d}", project)
        yield *sequence, values
        for shot_number in range(1, 4):
            yield from _shot(sequence, f"sh{shot_number:03d}0", project)
    build, values = _context("AssetBuild", "dragon", project, type=_of("Type", "Character"))
    yield *build, values
    listed = {"name": "Dailies Monday", "category": _of("ListCategory", "Dailies"), "project": project}
    yield (
        "AssetVersionList",
        seeded_key("AssetVersionList", "Dailies"),
        {**listed, "system_type": "assetversion", "is_open": True},
    )


def _shot(sequence: Identity, name: str, project: Identity) -> Iterator[Row]:
    shot, values = _context("Shot", name, sequence, description=f"Shot {name}")
    start = seeded_key("CustomAttributeConfiguration", "fstart")
    yield *shot, {**values, f"custom_attributes.{start}": 1001.0}
    for index, work in enumerate(("Animation", "Lighting", "Compositing")):
        task, values = _context("Task", work.lower(), shot, type=_of("Type", work), bid=8.0 * 3600)
        values |= {"start_date": _START + timedelta(days=index * 7), "end_date": _START + timedelta(days=index * 7 + 5)}
        yield *task, {**values, "status": _of("Status", "In progress" if index == 0 else "Not started")}
        user = _of("User", _PEOPLE[index + 1][0])
        assigned = {"context": task, "resource": user, "type": "assignment"}
        yield "Appointment", seeded_key("Appointment", task.key), assigned
        if index == 0:
            yield from _work(shot, task, user)


def _work(shot: Identity, task: Identity, user: Identity) -> Iterator[Row]:
    """What came of a task: versions, a note with its answer, time."""
    asset = _of("Asset", shot.key)
    kind = _of("AssetType", "Animation")
    latest = _of("AssetVersion", f"{shot.key}/2")
    yield *asset, {"name": "animation", "parent": shot, "type": kind, "latest_version": latest}
    for number in (1, 2):
        version = _of("AssetVersion", f"{shot.key}/{number}")
        told: Values = {
            "asset": asset,
            "version": number,
            "task": task,
            "user": user,
            "status": _of("Status", "Pending review"),
        }
        told |= {"comment": f"Take {number}", "date": _START + timedelta(days=number), "is_published": True}
        yield *version, {**told, "is_latest_version": number == 2}
    note, reply = _of("Note", shot.key), _of("Note", f"{shot.key}/reply")
    when = _START + timedelta(days=2)
    told = {
        "content": "Softer landing, please.",
        "author": _of("User", "admin"),
        "date": when,
        "thread_activity": when,
    }
    yield *note, {**told, "parent_id": task.key, "parent_type": "Task", "is_todo": True}
    answer = {"content": "Done in take 2.", "author": user, "date": when + timedelta(hours=3), "in_reply_to": note}
    yield *reply, {**answer, "is_todo": False}
    yield _joined("Recipient", note, user, ("note", "recipient"), (0, 1))
    logged = {"context": task, "user": user, "start": _START, "duration": 4 * 3600.0, "comment": "blocking"}
    yield "Timelog", seeded_key("Timelog", task.key), logged
