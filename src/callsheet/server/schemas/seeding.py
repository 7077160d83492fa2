"""The first entities of a new production database: states, statuses, types, priorities, a workflow, locations.

Keys are derived from type and name, so that they are the same in every database and can be written in scripts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from callsheet.model.operation import Create, Operation
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType, Schema
from callsheet.model.well_known import LOCATION_KEYS

__all__ = ["SEED_COMMIT", "seed_operations", "well_known_key"]

_NAMESPACE: UUID = uuid5(NAMESPACE_URL, "urn:callsheet:well-known")

_STATES = {"not_started": "Not started", "in_progress": "In progress", "blocked": "Blocked", "done": "Done"}
_STATUSES = (
    # name, short, state, colour
    ("Not started", "NS", "Not started", "#9e9e9e"),
    ("Ready to start", "RDY", "Not started", "#fbc02d"),
    ("In progress", "IP", "In progress", "#1e88e5"),
    ("Pending review", "REV", "In progress", "#fb8c00"),
    ("Change requested", "CHG", "In progress", "#e53935"),
    ("On hold", "HLD", "Blocked", "#6d4c41"),
    ("Approved", "APR", "Done", "#7cb342"),
    ("Done", "DONE", "Done", "#388e3c"),
    ("Omitted", "OMT", "Done", "#424242"),
)
_TYPES = (
    # name, department, colour
    ("Generic", None, "#9e9e9e"),
    ("Production", "Production", "#78909c"),
    ("Editing", "Editorial", "#8d6e63"),
    ("Concept Art", "Art", "#ec407a"),
    ("Previz", "Layout", "#26c6da"),
    ("Layout", "Layout", "#00acc1"),
    ("Modeling", "Assets", "#5c6bc0"),
    ("Texture", "Assets", "#7e57c2"),
    ("Lookdev", "Assets", "#ab47bc"),
    ("Rigging", "Rigging", "#8e24aa"),
    ("Matchmove", "Layout", "#26a69a"),
    ("Animation", "Animation", "#43a047"),
    ("FX", "FX", "#f4511e"),
    ("Matte Painting", "Art", "#d81b60"),
    ("Lighting", "Lighting", "#fdd835"),
    ("Rendering", "Lighting", "#ffb300"),
    ("Compositing", "Compositing", "#1e88e5"),
    ("Grading", "Editorial", "#6d4c41"),
    ("Character", None, "#ef5350"),
    ("Prop", None, "#ffa726"),
    ("Vehicle", None, "#bdbdbd"),
    ("Environment", None, "#66bb6a"),
)
_TASK_TYPES = tuple(name for name, department, _ in _TYPES if department) + ("Generic",)
_BUILD_TYPES = ("Character", "Prop", "Vehicle", "Environment")
_PRIORITIES = (
    ("None", 0.0, "#bdbdbd"),
    ("Low", 1.0, "#90caf9"),
    ("Medium", 2.0, "#fdd835"),
    ("High", 3.0, "#fb8c00"),
    ("Urgent", 4.0, "#e53935"),
)
_OBJECT_TYPES = (
    # name, entity type, can be scheduled, time can be reported, is a leaf
    ("Project", "Project", True, False, False),
    ("Folder", "Folder", False, False, False),
    ("Episode", "Episode", True, False, False),
    ("Sequence", "Sequence", True, False, False),
    ("Shot", "Shot", True, False, False),
    ("Asset Build", "AssetBuild", True, False, False),
    ("Milestone", "Milestone", True, False, True),
    ("Task", "Task", True, True, True),
)
_ASSET_TYPES = {
    "Animation": "anim",
    "Audio": "audio",
    "Cache": "cache",
    "Camera": "cam",
    "Compositing Script": "comp",
    "Geometry": "geo",
    "Image Sequence": "img",
    "Light Rig": "lgt",
    "Plate": "plate",
    "Rig": "rig",
    "Scene": "scene",
    "Texture": "tex",
    "Upload": "upload",
    "Volume": "vol",
}
_LOCATION_PRIORITIES = {"unmanaged": 90, "origin": 100, "review": 110, "server": 150, "connect": 160}
_NOTE_LABELS = (("Internal", "#78909c"), ("Client feedback", "#e53935"), ("For review", "#fb8c00"), ("Todo", "#fdd835"))
_WORKFLOW = {
    "Task": tuple(name for name, *_ in _STATUSES),
    "Shot": ("Not started", "In progress", "On hold", "Done", "Omitted"),
    "Sequence": ("Not started", "In progress", "On hold", "Done", "Omitted"),
    "Episode": ("Not started", "In progress", "On hold", "Done", "Omitted"),
    "Folder": ("Not started", "In progress", "On hold", "Done", "Omitted"),
    "AssetBuild": ("Not started", "In progress", "On hold", "Done", "Omitted"),
    "Milestone": ("Not started", "Done"),
    "AssetVersion": ("Pending review", "Change requested", "Approved", "Omitted"),
}
_TEMPLATES = {
    "Shot": ("Layout", "Animation", "Lighting", "Compositing"),
    "AssetBuild": ("Modeling", "Texture", "Rigging", "Lookdev"),
}


_SAMPLE_TYPES = {
    "Primer": (
        "A short piece of DNA that starts a reaction.",
        (("Anneal sequence", "string"), ("Overhang sequence", "string"), ("T anneal", "number")),
    ),
    "Plasmid": ("A circle of DNA.", (("Length", "number"), ("Sequence", "string"), ("Marker", "string"))),
    "Fragment": (
        "A piece of DNA, made from a template by two primers.",
        (("Length", "number"), ("Template", "sample"), ("Forward primer", "sample"), ("Reverse primer", "sample")),
    ),
    "Strain": ("A line of cells.", (("Parent", "sample"), ("Marker", "string"))),
}
_CONTAINER_TYPES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Primer aliquot", "Primer", {"prefix": "PA", "unit": "tube", "cost": 0.3}),
    ("Primer stock", "Primer", {"prefix": "PS", "unit": "tube", "cost": 1.0}),
    ("Plasmid stock", "Plasmid", {"prefix": "PL", "unit": "tube", "cost": 1.0}),
    ("Fragment stock", "Fragment", {"prefix": "FR", "unit": "tube", "cost": 1.0}),
    ("Glycerol stock", "Strain", {"prefix": "GS", "unit": "tube", "cost": 1.0}),
    ("Agar plate", "", {"prefix": "AP", "unit": "plate", "cost": 0.5}),
    ("Plate of 96 wells", "", {"prefix": "W96", "unit": "plate", "rows": 8, "columns": 12, "cost": 4.0}),
)
_PLACES = {"Freezer -80 °C": -80.0, "Freezer -20 °C": -20.0, "Fridge": 4.0, "Bench": 21.0}


def well_known_key(entity_type: str, name: str) -> str:
    """The key of a standard entity, the same in every database.

    >>> well_known_key("Status", "Done")
    '5602ec46-965a-5555-8583-aa5881e6c557'
    """
    if entity_type == "Location" and name in LOCATION_KEYS:
        return LOCATION_KEYS[name]
    return str(uuid5(_NAMESPACE, f"{entity_type}/{name}"))


SEED_COMMIT = well_known_key("Commit", "seed")
"""The commit id to seed under: seeding again then does nothing."""


def seed_operations(schema: Schema) -> tuple[Operation, ...]:
    """The creates for a new database, of those types and attributes that the schema has.

    A schema without these types (your own) gets none.
    """
    made: dict[str, set[str]] = {}
    operations: list[Operation] = []
    for entity_type, name, values in _entities():
        found = schema.types.get(entity_type)
        if found is None or found.abstract or not _takes(found, values, made):
            continue
        identity = Identity(entity_type, well_known_key(entity_type, name))
        made.setdefault(entity_type, set()).add(identity.key)
        operations.append(Create(identity, values))
    return tuple(operations)


def _takes(entity_type: EntityType, values: Mapping[str, Any], made: Mapping[str, set[str]]) -> bool:
    """Whether the type has all these attributes of the right kind, and the entities they refer to were created."""
    for name, value in values.items():
        attribute = entity_type.attributes.get(name)
        if attribute is None or attribute.kind != ("reference" if isinstance(value, Identity) else "scalar"):
            return False
        if isinstance(value, Identity) and value.key not in made.get(value.entity_type, ()):
            return False
    return True


def _known(entity_type: str, name: str) -> Identity:
    return Identity(entity_type, well_known_key(entity_type, name))


def _entities() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Type, well-known name and values; referenced entities come first."""
    yield "User", "admin", {"username": "admin", "name": "Administrator"}
    yield from _states_and_types()
    yield from _workflow()
    for name, short in _ASSET_TYPES.items():
        yield "AssetType", name, {"name": name, "short": short}
    for sort, (name, color) in enumerate(_NOTE_LABELS):
        yield "NoteLabel", name, {"name": name, "color": color, "sort": sort}
    for name in ("Dailies", "Client", "Casting"):
        yield "ListCategory", name, {"name": name}
    for name, priority in _LOCATION_PRIORITIES.items():
        yield "Location", name, {"name": f"callsheet.{name}", "label": name.capitalize(), "priority": priority}
    yield from _laboratory()


def _laboratory() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kinds of samples with their fields, containers, and places of a laboratory."""
    for name, (description, fields) in _SAMPLE_TYPES.items():
        yield "SampleType", name, {"name": name, "description": description}
        for sort, (field, kind) in enumerate(fields):
            of = {"sample_type": _known("SampleType", name), "kind": kind, "sort": sort}
            yield "FieldType", f"{name}/{field}", {"name": field, **of}
    for name, sample_type, values in _CONTAINER_TYPES:
        of = {"sample_type": _known("SampleType", sample_type)} if sample_type else {}
        yield "ContainerType", name, {"name": name, **values, **of}
    for name, temperature in _PLACES.items():
        yield "Location", name, {"name": name, "temperature": temperature}


def _states_and_types() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for short, name in _STATES.items():
        yield "State", name, {"name": name, "short": short}
    for sort, (name, short, state, color) in enumerate(_STATUSES):
        values = {"name": name, "short": short, "color": color, "sort": sort, "state": _known("State", state)}
        yield "Status", name, values
    for name in dict.fromkeys(department for _, department, _ in _TYPES if department):
        yield "Department", name, {"name": name}
    for sort, (name, department, color) in enumerate(_TYPES):
        of = {"department": _known("Department", department)} if department else {}
        yield "Type", name, {"name": name, "color": color, "sort": sort, **of}
    for sort, (name, value, color) in enumerate(_PRIORITIES):
        yield "Priority", name, {"name": name, "value": value, "color": color, "sort": sort}
    for sort, (name, entity_type, schedulable, reportable, leaf) in enumerate(_OBJECT_TYPES):
        flags = {"is_schedulable": schedulable, "is_time_reportable": reportable, "is_leaf": leaf}
        yield "ObjectType", name, {"name": name, "entity_type": entity_type, "sort": sort, **flags}


def _workflow() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The default project schema: which statuses and types apply to what, and the usual tasks."""
    schema = _known("ProjectSchema", "Default")
    yield "ProjectSchema", "Default", {"name": "Default", "description": "Animation and visual effects."}
    for entity_type, statuses in _WORKFLOW.items():
        for sort, name in enumerate(statuses):
            of = {"project_schema": schema, "entity_type": entity_type, "sort": sort, "is_default": sort == 0}
            yield "SchemaStatus", f"Default/{entity_type}/{name}", {**of, "status": _known("Status", name)}
    for entity_type, types in (("Task", _TASK_TYPES), ("AssetBuild", _BUILD_TYPES)):
        for sort, name in enumerate(types):
            of = {"project_schema": schema, "entity_type": entity_type, "sort": sort, "is_default": sort == 0}
            yield "SchemaType", f"Default/{entity_type}/{name}", {**of, "type": _known("Type", name)}
    for entity_type, types in _TEMPLATES.items():
        template = {"name": entity_type, "entity_type": entity_type, "project_schema": schema}
        yield "TaskTemplate", f"Default/{entity_type}", template
        for sort, name in enumerate(types):
            of = {"task_template": _known("TaskTemplate", f"Default/{entity_type}"), "sort": sort}
            item = {**of, "name": name, "type": _known("Type", name)}
            yield "TaskTemplateItem", f"Default/{entity_type}/{name}", item
