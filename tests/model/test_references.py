"""`Schema.references_to`: who may refer to the entities of a root type."""

from __future__ import annotations

from callsheet.model.schema import Schema

DOCUMENT = {
    "types": {
        "Node": {"attributes": {"parent": {"type": "reference", "target": "Node"}}},
        "Project": {"extends": "Node"},
        "Task": {
            "extends": "Node",
            "attributes": {
                "parent": {"type": "reference", "target": "Project", "required": True},
                "top": {"type": "reference", "target": "Project", "computed": "ancestor:Project"},
                "status": {"type": "reference", "target": "Status"},
            },
        },
        "Status": {"attributes": {"name": {"type": "string"}}},
        "Note": {"attributes": {"about": {"type": "reference", "target": "Task"}}},
        "Reply": {"extends": "Note"},
    }
}


def _names(schema: Schema, root: str) -> set[tuple[str, str]]:
    return {(each.entity_type, each.attribute.name) for each in schema.references_to(root)}


def test_references_lead_to_a_whole_family() -> None:
    """References to a subtype count for its root; one that a subtype inherits unchanged is given once."""
    schema = Schema(DOCUMENT)
    assert _names(schema, "Node") == {("Node", "parent"), ("Task", "parent"), ("Task", "top"), ("Note", "about")}
    assert _names(schema, "Status") == {("Task", "status")}


def test_a_type_without_referrers_has_no_references() -> None:
    """The answer is empty, not an error, if nothing refers to a type."""
    assert Schema(DOCUMENT).references_to("Note") == ()
