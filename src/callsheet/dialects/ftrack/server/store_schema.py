"""The store that can serve a vendor's schema: a native schema document made from the list a site gives.

The document keeps the list as it came (under ``vendor``), so that it can be served again with its own hash.
What the list does not say (which foreign key a relation follows, what goes with a delete) is in the tables
below. Relations without a key of their own are left out here and are made by ``catalogue.py`` when they are
asked for: notes of anything, metadata, values of custom attributes, assignments, dependencies of versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["ALIASED", "FAMILIES", "MAPPINGS", "RENAMED", "store_document"]

Vendor = Mapping[str, Any]
Told = dict[str, Any]

FAMILIES = {
    "Project": "Context",
    "TypedContext": "Context",
    "FileComponent": "Component",
    "SequenceComponent": "Component",
    "ContainerComponent": "Component",
    "User": "Resource",
    "Group": "Resource",
    "AssetVersionList": "List",
    "TypedContextList": "List",
    "TypedContextStatusChange": "StatusChange",
    "AssetVersionStatusChange": "StatusChange",
    "CustomAttributeConfiguration": "CustomConfigurationBase",
    "CustomAttributeLinkConfiguration": "CustomConfigurationBase",
}
"""Which type is below which; every type with an object type of its own is below TypedContext."""

ALIASED = {"NoteLabel": "NoteCategory"}
"""Types that are another name for the rows of another."""

RENAMED = {("Project", "status"): "project_status"}
"""Attributes that would clash with one of another type in the same family's table."""

MAPPINGS = {"metadata": "string", "custom_attributes": "custom"}

_LINKS = re.compile(r"CustomAttributeLink(From)?\Z")
_VALUES = re.compile(r"CustomAttributeValue\Z")
_FOREIGN = re.compile(r"Foreign key\(s\): (\w+)")

_KEYS = {
    ("Note", "author"): "user_id",
    ("List", "owner"): "user_id",
    ("AssetVersionList", "owner"): "user_id",
    ("TypedContextList", "owner"): "user_id",
    ("Asset", "parent"): "context_id",
    ("ReviewSessionObject", "asset_version"): "version_id",
    ("ReviewSessionObjectStatus", "invitee"): "review_session_invitee_id",
    ("Recipient", "recipient"): "resource_id",
    ("SchemaStatus", "task_status"): "status_id",
    ("SchemaType", "task_type"): "type_id",
}
"""References whose foreign key is not their own name with ``_id``."""

_SAME = {
    ("Recipient", "user"),
    ("ProjectSchema", "_task_workflow"),
    ("ProjectSchema", "_version_workflow"),
    ("ProjectSchema", "_task_type_schema"),
    ("SettingComponent", "setting"),
    ("TypedContextStatusChange", "parent"),
    ("AssetVersionStatusChange", "parent"),
}
"""References that are not kept: another name for one that is, or made when they are asked for."""

_TARGETS = {("Component", "container"): "Component"}

_INVERSES = {
    ("Context", "children"): "parent",
    ("Context", "assets"): "parent",
    ("Context", "timelogs"): "context",
    ("Context", "appointments"): "context",
    ("Resource", "appointments"): "resource",
    ("TypedContext", "incoming_links"): "to",
    ("TypedContext", "outgoing_links"): "from",
    ("AssetVersion", "incoming_links"): "to",
    ("AssetVersion", "outgoing_links"): "from",
    ("AssetVersion", "lists"): "items",
    ("TypedContext", "lists"): "items",
    ("AssetVersionList", "items"): "lists",
    ("TypedContextList", "items"): "lists",
    ("ContainerComponent", "members"): "container",
    ("SequenceComponent", "members"): "container",
    ("Note", "replies"): "in_reply_to",
    ("ReviewSessionInvitee", "statuses"): "invitee",
    ("TaskTemplate", "items"): "template",
}
"""What the members of a collection refer back by, where there is more than one way."""

_LINKED = {"scopes", "read_security_roles", "write_security_roles"}
"""Many-to-many relations without another side."""

MADE = {
    "ancestors",
    "descendants",
    "assignments",
    "allocations",
    "notes",
    "settings",
    "status_changes",
    "uses_versions",
    "used_in_versions",
    "custom_attribute_links",
    "custom_attribute_links_from",
    "values",
    "types",
    "object_types",
    "project_schemas",
    "task_type_schemas",
    "_schemas",
    "_overrides",
}
"""Collections that are made when they are asked for (``Schema.types`` is kept, see `_collection`)."""

_NOT_STORED = {"_link", "thumbnail_url", "url", "time_logged", "bid_time_logged_difference"}
_RESTRICTING = {"Status", "Type", "Priority", "ObjectType", "AssetType", "ProjectSchema"}
_PARTS = {
    ("Context", "parent"),
    ("Asset", "parent"),
    ("AssetVersion", "asset"),
    ("Component", "version"),
    ("Component", "container"),
    ("ComponentLocation", "component"),
    ("Note", "in_reply_to"),
    ("Timer", "user"),
    ("UserSecurityRole", "user"),
    ("UserSecurityRoleProject", "user_security_role"),
    ("Manager", "context"),
    ("DashboardWidget", "dashboard"),
    ("ProjectSchemaOverride", "project_schema"),
    ("ReviewSessionObjectStatus", "review_session_object"),
}
"""References whose end is the end of what refers, though the schema does not require them."""

_ADMINISTRATIVE = {
    "Setting",
    "SettingComponent",
    "Disk",
    "SecurityRole",
    "UserSecurityRole",
    "UserSecurityRoleProject",
    "CustomAttributeConfiguration",
    "CustomAttributeLinkConfiguration",
    "CustomAttributeGroup",
}
"""Types that decide where files go, or who may do what."""

_AUTHOR = {"default": "{user}", "administrative": True}
_PATH = {"within": ["Disk.unix", "Disk.windows"]}
_MARKS: dict[tuple[str, str], Told] = {
    ("User", "username"): {"administrative": True},
    ("Project", "is_private"): {"administrative": True, "confidential": []},
    ("Project", "root"): _PATH,
    ("ComponentLocation", "resource_identifier"): _PATH,
    ("Note", "author"): _AUTHOR,
    ("AssetVersion", "user"): _AUTHOR,
    **{(name, "created_by"): _AUTHOR for name in ("Conversation", "Message", "ReviewSession", "ReviewSessionInvitee")},
    **{(name, "created_by"): _AUTHOR for name in ("CalendarEvent", "CalendarEventResource", "Dashboard")},
}
"""Attributes that only administrators set to anything else than the server would."""

_UNIQUE = {"User": ("username",), "Timer": ("user",)}


def store_document(schemas: Sequence[Vendor], name: str = "ftrack") -> dict[str, Any]:
    """The native schema document of a store that can serve this list of schemas.

    >>> told = {"id": "Dot", "primary_key": ["id"], "properties": {"size": {"type": "number"}}}
    >>> store_document([told])["types"]
    {'Dot': {'label': 'id', 'attributes': {'size': {'type': 'number'}}}}
    """
    return _Maker(schemas).document(name)


class _Maker:
    """One document on its way; ``vendor`` has the schemas by name."""

    def __init__(self, schemas: Sequence[Vendor]) -> None:
        self.schemas = schemas
        self.vendor = {told["id"]: told for told in schemas}
        self.kept = [name for name in self.vendor if self._is_kept(name)]
        self.types: dict[str, Told] = {}

    def document(self, name: str) -> dict[str, Any]:
        for each in self.kept:
            self.types[each] = self._type(each)
        for each in self.kept:
            self.types[each]["attributes"].update(self._collections(each))
        for each in self.kept:
            self._forget_inherited(each)
        return {"name": name, "types": self.types, "vendor": {"ftrack": list(self.schemas)}}

    def _is_kept(self, name: str) -> bool:
        if name in ALIASED and ALIASED[name] in self.vendor:
            return False
        links = _LINKS.search(name) is not None and name != "CustomAttributeLink"
        return not links and _VALUES.search(name) is None and name != "Metadata"

    def above(self, name: str) -> str | None:
        """The type that this one extends."""
        found = FAMILIES.get(name)
        if found is None and name != "TypedContext" and _is_typed(self.vendor[name]):
            found = "TypedContext"
        return found if found in self.vendor else None

    def root(self, name: str) -> str:
        above = self.above(name)
        return name if above is None else self.root(above)

    def _lineage(self, name: str) -> list[str]:
        above = self.above(name)
        return [name] if above is None else [name, *self._lineage(above)]

    def _target(self, name: str) -> str:
        return ALIASED.get(name, name) if ALIASED.get(name, name) in self.vendor else name

    def _type(self, name: str) -> Told:
        told: Told = {}
        above = self.above(name)
        if above is not None:
            told["extends"] = above
        if name in ("TypedContext",) or name in FAMILIES.values():
            told["abstract"] = True
        if name in _ADMINISTRATIVE:
            told["administrative"] = True
        properties = self.vendor[name]["properties"]
        if "name" not in properties:
            told["label"] = "id"
        unique = [
            [attribute]
            for attribute in _UNIQUE.get(name, ())
            if f"{attribute}_id" in properties or attribute in properties
        ]
        if unique:
            told["unique"] = unique
        told["attributes"] = {}
        keyed: set[str] = set()
        for attribute, found in self._references(name):
            told["attributes"][attribute] = found
            keyed.add(found["foreign_key"])
        for attribute, prop in properties.items():
            scalar = None if attribute in keyed or attribute == "id" else self._scalar(name, attribute, prop)
            if scalar is not None:
                told["attributes"][RENAMED.get((name, attribute), attribute)] = scalar
        for mapping, items in MAPPINGS.items():
            if properties.get(mapping, {}).get("type") == "mapped_array":
                told["attributes"][mapping] = {"type": "mapping", "items": items}
        for (owner, attribute), marks in _MARKS.items():
            if owner == name and attribute in told["attributes"]:
                told["attributes"][attribute] |= marks
        if name == "CustomAttributeLink":
            told["attributes"].update({each: {"type": "string"} for each in ("from_entity_type", "to_entity_type")})
        if name == "TypedContext" and "metadata" not in told["attributes"]:
            told["attributes"]["metadata"] = {"type": "mapping", "items": "string"}
        return told

    def _references(self, name: str) -> Iterator[tuple[str, Told]]:
        """References of a type, and foreign keys that no reference stands for."""
        told = self.vendor[name]
        properties = told["properties"]
        keys: set[str] = set()
        for attribute, prop in properties.items():
            if "$ref" not in prop or "type" in prop or (name, attribute) in _SAME:
                continue
            key = self._foreign_key(name, attribute)
            target = self._target(_TARGETS.get((self.root(name), attribute), prop["$ref"]))
            if target in self.vendor and key not in keys:
                keys.add(key)
                yield attribute, self._reference(name, attribute, target, key, told)
        if "project_id" in properties and "project" not in properties and self.root(name) == "Context":
            keys.add("project_id")
            yield "project", self._reference(name, "project", "Project", "project_id", told)
        for key, prop in properties.items():
            match = _FOREIGN.match(prop.get("description", ""))
            if match is None or key in keys or not key.endswith("_id") or key == "id" or key.startswith("social"):
                continue
            target = self._target(match[1])
            if target in self.vendor and key.removesuffix("_id") not in properties:
                yield key.removesuffix("_id"), self._reference(name, key.removesuffix("_id"), target, key, told)

    def _foreign_key(self, name: str, attribute: str) -> str:
        for each in self._lineage(name):
            if (each, attribute) in _KEYS:
                return _KEYS[each, attribute]
        return f"{attribute}_id"

    def _reference(self, name: str, attribute: str, target: str, key: str, told: Vendor) -> Told:
        found: Told = {"type": "reference", "target": target, "foreign_key": key, "indexed": True}
        if self.root(name) == "Context" and attribute == "project":
            return {**found, "computed": "ancestor:Project"}
        if attribute == "created_by" and self.root(name) == "Context":
            return {**found, "computed": "created_by"}
        place = (self.root(name), attribute)
        part = place in _PARTS or (name, attribute) in _PARTS
        people = self.root(target) == "Resource" and key not in told["primary_key"] and not _joins(name)
        required = key in told.get("required", ()) and target not in _RESTRICTING and not people
        if required:
            found["required"] = True
        if target in _RESTRICTING and key not in told["primary_key"] and not _joins(name):
            found["on_delete"] = "restrict"
        elif required or part:
            found["on_delete"] = "cascade"
        return found

    def _scalar(self, name: str, attribute: str, prop: Vendor) -> Told | None:
        stated = prop.get("type")
        if attribute in _NOT_STORED or attribute.startswith("_"):
            return None
        if attribute == "link":
            return {"type": "json", "computed": "link"} if self.root(name) in ("Context", "Resource") else None
        types = {"string": "string", "boolean": "boolean", "integer": "integer", "number": "number", "variable": "json"}
        if stated not in types:
            return None
        found: Told = {"type": types[stated]}
        if attribute == "created_at" and self.root(name) == "Context":
            return {"type": "datetime", "computed": "created_at"}
        if prop.get("format") == "date-time":
            found["type"] = "datetime"
        if attribute in ("parent_id", "entity_id", "from_id", "to_id", "username", "version"):
            found["indexed"] = True
        return found

    # Collections

    def _collections(self, name: str) -> Told:
        found: Told = {}
        for attribute, prop in self.vendor[name]["properties"].items():
            target = self._target(prop.get("items", {}).get("$ref", ""))
            if prop.get("type") == "array" and target in self.types:
                told = self._collection(name, attribute, target)
                if told is not None:
                    found[attribute] = told
        return found

    def _collection(self, name: str, attribute: str, target: str) -> Told | None:
        if attribute in _LINKED:
            return {"type": "collection", "target": target}
        if (
            attribute in MADE and target not in ("SchemaType", "Schema", "ProjectSchemaOverride")
        ) or attribute.startswith("_"):
            return None
        if attribute == "statuses" and target == "Status":
            return None
        if attribute == "items" and self.root(name) == "List":
            target = "TypedContext" if target == "Task" and "TypedContext" in self.types else target
            return {"type": "collection", "target": target, "inverse": "lists"}
        inverse = next(
            (_INVERSES[each, attribute] for each in self._lineage(name) if (each, attribute) in _INVERSES), None
        )
        if inverse is None:
            inverse = self._guess(name, target)
        if inverse is None or self._inherited(target, inverse) is None:
            return None
        return {"type": "collection", "target": target, "inverse": inverse}

    def _guess(self, name: str, target: str) -> str | None:
        """The one reference of the members that can hold their owner."""
        line = self._lineage(name)
        ways = [
            attribute
            for each in reversed(self._lineage(target))
            for attribute, told in self.types[each]["attributes"].items()
            if told["type"] == "reference" and told["target"] in line
        ]
        return ways[0] if ways else None

    def _inherited(self, name: str, attribute: str) -> Told | None:
        for each in self._lineage(name):
            found: Told | None = self.types[each]["attributes"].get(attribute)
            if found is not None:
                return found
            if attribute in self.vendor[each]["properties"]:
                return {}
        return None

    def _forget_inherited(self, name: str) -> None:
        """What the type above says as well is not said again."""
        above = self.above(name)
        if above is None:
            return
        own = self.types[name]["attributes"]
        inherited: Told = {}
        for each in reversed(self._lineage(above)):
            inherited.update(self.types[each]["attributes"])
        self.types[name]["attributes"] = {key: told for key, told in own.items() if inherited.get(key) != told}


def _is_typed(told: Vendor) -> bool:
    alias = told.get("alias_for")
    return isinstance(alias, Mapping) and alias.get("id") == "Task" and "object_typeid" in alias.get("classifiers", {})


def _joins(name: str) -> bool:
    """Whether the rows of a type do nothing but join two others, and end with either."""
    return name in {
        "Appointment",
        "Membership",
        "Recipient",
        "Participant",
        "CalendarEventResource",
        "DashboardResource",
    }
