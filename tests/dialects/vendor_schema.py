"""A small schema list in ftrack's format, and what stands in it for the tests."""

from __future__ import annotations

from typing import Any

__all__ = ["SHOT", "TASK", "small_schema"]

TASK = "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"
SHOT = "bad911de-3bd6-47b9-8b46-3476e237cb36"

UID = {"type": "string", "default": "{uid}"}
TEXT = {"type": "string"}
MOMENT = {"type": "string", "format": "date-time"}
NUMBER = {"type": "number"}
VALUES = {"key": "key", "value": "value"}


def keyed(target: str) -> dict[str, Any]:
    """A foreign key."""
    return {"type": "string", "format": "foreign_key", "description": f"Foreign key(s): {target}.id"}


def many(target: str) -> dict[str, Any]:
    """A collection."""
    return {"type": "array", "items": {"$ref": target}}


def mapped(target: str, **more: Any) -> dict[str, Any]:
    """A mapping, or a collection of links."""
    return {"type": "mapped_array", "items": {"$ref": target}, **more}


def told(name: str, properties: dict[str, Any], key: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """One type."""
    key = key or ["id"]
    own = {"id": UID} if key == ["id"] else {}
    facts = {"required": key, "immutable": key, "default_projections": key, **more}
    return {"id": name, "type": "object", "primary_key": key, "properties": {**own, **properties}, **facts}


CONTEXT: dict[str, Any] = {
    "name": {"type": "string", "default": ""},
    "context_type": TEXT,
    "link": TEXT,
    "created_at": MOMENT,
    "parent_id": keyed("Context"),
    "parent": {"$ref": "Context"},
    "project_id": keyed("Project"),
    "children": many("Context"),
    "notes": many("Note"),
    "scopes": many("Scope"),
    "timelogs": many("Timelog"),
    "custom_attributes": mapped("ContextCustomAttributeValue", key_value_attributes=VALUES),
    "custom_attribute_links": mapped("CustomAttributeLink", restricted_projection=True),
}
TYPED: dict[str, Any] = {
    **CONTEXT,
    "bid": NUMBER,
    "description": TEXT,
    "start_date": MOMENT,
    "thumbnail_url": {"type": "object"},
    "project": {"$ref": "Project"},
    "status_id": keyed("Status"),
    "status": {"$ref": "Status"},
    "type_id": keyed("Type"),
    "type": {"$ref": "Type"},
    "priority_id": keyed("Priority"),
    "priority": {"$ref": "Priority"},
    "object_type_id": keyed("ObjectType"),
    "object_type": {"$ref": "ObjectType"},
    "lists": many("TypedContextList"),
    "ancestors": many("TypedContext"),
    "metadata": mapped("Metadata", key_value_attributes=VALUES),
}
LIST: dict[str, Any] = {
    "name": {"type": "string", "default": ""},
    "is_open": {"type": "boolean", "default": True},
    "user_id": {**keyed("User"), "description": "Foreign key(s): User.user_id"},
    "owner": {"$ref": "User"},
    "project_id": keyed("Project"),
    "project": {"$ref": "Project"},
}
RESOURCE: dict[str, Any] = {"resource_type": TEXT, "link": TEXT}
VALUE = {"configuration_id": keyed("CustomAttributeConfiguration"), "entity_id": TEXT, "key": TEXT}
CONFIGURED = {"configuration": {"$ref": "CustomAttributeConfiguration"}, "value": {"type": "variable"}}


def typed(name: str, object_type: str) -> dict[str, Any]:
    """An object type: TypedContext, told again."""
    properties = {**TYPED, "object_type_id": {**keyed("ObjectType"), "default": object_type}}
    alias = {"id": "Task", "classifiers": {"object_typeid": object_type}}
    return told(name, properties, alias_for=alias, **FACTS)


FACTS: dict[str, Any] = {
    "required": ["id", "name", "status_id"],
    "immutable": ["id", "object_type_id", "link", "created_at"],
    "computed": ["thumbnail_url"],
}


def small_schema() -> list[dict[str, Any]]:
    """Every kind of type and property that the vendor's format has."""
    return [
        told("Context", CONTEXT),
        told("Project", {**CONTEXT, "full_name": TEXT, "status": TEXT, "metadata": TYPED["metadata"]}),
        told("TypedContext", TYPED, **FACTS),
        typed("Task", TASK),
        typed("Shot", SHOT),
        told("ObjectType", {"name": TEXT}),
        told("State", {"name": TEXT, "short": TEXT}),
        told("Status", {"name": TEXT, "sort": {"type": "integer", "default": 0}, "state": {"$ref": "State"}}),
        told("Type", {"name": TEXT, "sort": {"type": "integer", "default": 0}}),
        told("Priority", {"name": TEXT, "sort": {"type": "integer", "default": 0}}),
        told("Scope", {"name": TEXT}),
        told("Resource", RESOURCE),
        told("User", {**RESOURCE, "username": TEXT, "is_active": {"type": "boolean"}}),
        told("Group", {**RESOURCE, "name": TEXT}),
        told(
            "Note",
            {
                "content": TEXT,
                "date": MOMENT,
                "parent_id": TEXT,
                "parent_type": TEXT,
                "user_id": keyed("User"),
                "author": {"$ref": "User"},
                "in_reply_to_id": keyed("Note"),
                "in_reply_to": {"$ref": "Note"},
                "replies": many("Note"),
                "recipients": many("Recipient"),
            },
        ),
        told(
            "Recipient",
            {
                "note_id": keyed("Note"),
                "note": {"$ref": "Note"},
                "text_mentioned": TEXT,
                "resource_id": keyed("Resource"),
                "recipient": {"$ref": "Resource"},
                "user": {"$ref": "User"},
            },
            ["note_id", "resource_id"],
        ),
        told(
            "Metadata",
            {"key": TEXT, "parent_id": TEXT, "parent_type": TEXT, "value": TEXT},
            ["parent_id", "key"],
        ),
        told(
            "Timelog",
            {
                "comment": TEXT,
                "duration": NUMBER,
                "start": MOMENT,
                "context_id": keyed("Context"),
                "context": {"$ref": "Context"},
                "user_id": keyed("User"),
                "user": {"$ref": "User"},
            },
        ),
        told("List", LIST),
        told("TypedContextList", {**LIST, "items": many("Task")}),
        told("ListObject", {"entity_id": TEXT, "list_id": keyed("List"), "list": {"$ref": "List"}}),
        told("WorkflowSchema", {"name": TEXT, "statuses": many("Status")}),
        told(
            "WorkflowSchemaStatus",
            {"workflow_schema_id": keyed("WorkflowSchema"), "status_id": keyed("Status")},
            ["workflow_schema_id", "status_id"],
        ),
        told(
            "Job",
            {
                "type": TEXT,
                "status": {"type": "string", "enum": ["queued", "running", "done", "failed"], "default": "queued"},
                "data": {"type": "string", "format": "json"},
            },
        ),
        told("CustomAttributeType", {"name": TEXT}),
        told(
            "CustomAttributeConfiguration",
            {
                "key": TEXT,
                "label": TEXT,
                "config": TEXT,
                "entity_type": TEXT,
                "project_id": TEXT,
                "default": {"type": "variable"},
                "is_hierarchical": {"type": "boolean", "default": False},
                "object_type_id": TEXT,
                "object_type": {"$ref": "ObjectType"},
                "type_id": keyed("CustomAttributeType"),
                "type": {"$ref": "CustomAttributeType"},
            },
        ),
        told("CustomAttributeValue", {**VALUE, **CONFIGURED}, ["configuration_id", "entity_id"]),
        told("ContextCustomAttributeValue", {**VALUE, **CONFIGURED}, ["configuration_id", "entity_id"]),
        told("CustomAttributeLink", {"from_id": TEXT, "to_id": TEXT}),
        told("Location", {"name": TEXT, "label": TEXT}),
    ]
