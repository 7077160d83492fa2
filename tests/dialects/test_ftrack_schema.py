"""The vendor's schema list becomes a schema of ours, with nothing lost that the other half needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callsheet.dialects.ftrack.common.schema import document_from_vendor, vendor_hash, vendor_schemas
from callsheet.dialects.ftrack.common.wiring import wiring
from callsheet.entity.types import Types
from callsheet.errors import SchemaError
from callsheet.model.schema import Attribute, Schema
from callsheet.server.schemas.document import load_schema_document
from dialects.vendor_schema import SHOT, TASK, small_schema
from recorded import recorded_schemas

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "ftrack"
recorded = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded replies are not here")


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(document_from_vendor(small_schema()))


@pytest.fixture(scope="module")
def real() -> Schema:
    return Schema(document_from_vendor(real_list()))


def real_list() -> list[dict[str, Any]]:
    """The list of a real site."""
    return json.loads((RECORDED / "query_schemas.json").read_bytes())  # type: ignore[no-any-return]


def shape(attribute: Attribute) -> tuple[Any, ...]:
    """What matters of a relation."""
    return attribute.kind, attribute.target, attribute.inverse, attribute.foreign_key


def test_types_stand_in_families(schema: Schema) -> None:
    """An object type is known by its classifier, the others by the wiring."""
    assert schema.types["Shot"].ancestors == ("TypedContext", "Context")
    assert schema.concrete("Context") == ["Project", "Shot", "Task"]
    assert schema.types["Context"].abstract
    assert schema.types["User"].root == "Resource"
    assert schema.types["ContextCustomAttributeValue"].ancestors == ("CustomAttributeValue",)


def test_an_object_type_of_the_users_is_one_like_others() -> None:
    """It is told like TypedContext, with a classifier of its own."""
    dragon = next(told for told in small_schema() if told["id"] == "Shot") | {"id": "Dragon"}
    dragon["alias_for"] = {"id": "Task", "classifiers": {"object_typeid": "6d6d"}}
    schema = Schema(document_from_vendor([*small_schema(), dragon]))
    assert schema.types["Dragon"].ancestors == ("TypedContext", "Context")
    assert schema.types["Dragon"].attributes["status"].target == "Status"


def test_scalars_have_our_types(schema: Schema) -> None:
    """Formats count, and what an object or a variable holds is JSON data."""
    told = {
        ("Task", "name"): "string",
        ("Task", "bid"): "number",
        ("Task", "start_date"): "datetime",
        ("Task", "thumbnail_url"): "json",
        ("Task", "link"): "json",
        ("Status", "sort"): "integer",
        ("User", "is_active"): "boolean",
        ("Job", "status"): "enum",
        ("Job", "data"): "json",
        ("ContextCustomAttributeValue", "value"): "json",
    }
    assert {place: schema.types[place[0]].attributes[place[1]].data_type for place in told} == told
    assert schema.types["Job"].attributes["status"].choices == ("queued", "running", "done", "failed")


def test_references_have_their_foreign_keys(schema: Schema) -> None:
    """By the rule, by the wiring, by none, and made for a foreign key that has no reference."""
    types = schema.types
    assert shape(types["Task"].attributes["parent"]) == ("reference", "Context", None, "parent_id")
    assert shape(types["Note"].attributes["author"]) == ("reference", "User", None, "user_id")
    assert shape(types["TypedContextList"].attributes["owner"]) == ("reference", "User", None, "user_id")
    assert shape(types["Status"].attributes["state"]) == ("reference", "State", None, None)
    assert shape(types["WorkflowSchemaStatus"].attributes["status"]) == ("reference", "Status", None, "status_id")
    assert "parent_id" not in types["Task"].attributes
    assert types["Task"].attributes["object_type"].default == TASK
    assert types["Shot"].attributes["object_type"].default == SHOT
    assert types["Shot"].attributes["object_type"].immutable


def test_collections_have_their_inverses(schema: Schema) -> None:
    """The only reference that leads back, or what the wiring says."""
    types = schema.types
    assert shape(types["Task"].attributes["children"]) == ("collection", "Context", "parent", None)
    assert shape(types["Task"].attributes["timelogs"]) == ("collection", "Timelog", "context", None)
    assert shape(types["Note"].attributes["replies"]) == ("collection", "Note", "in_reply_to", None)
    assert shape(types["TypedContextList"].attributes["items"]) == ("collection", "TypedContext", "lists", None)
    assert types["Task"].attributes["notes"].inverse is None
    assert types["Task"].attributes["ancestors"].computed


def test_mappings_are_mappings(schema: Schema) -> None:
    """Of strings, and of what is configured."""
    assert shape(schema.types["Task"].attributes["metadata"])[0] == "mapping"
    assert schema.types["Task"].attributes["metadata"].data_type == "string"
    assert schema.types["Task"].attributes["custom_attributes"].data_type == "custom"


def test_keys_of_several_parts_are_told(schema: Schema) -> None:
    """With a plain part, and with one that is a reference's."""
    assert schema.types["Metadata"].key == ("parent_id", "key")
    assert schema.types["Recipient"].key == ("note_id", "resource_id")
    assert "id" not in schema.types["Metadata"].attributes
    assert schema.types["Task"].key == ("id",)


def test_a_key_of_an_unknown_attribute_is_refused() -> None:
    """With the nearest names."""
    with pytest.raises(SchemaError, match=r"the key of Pair names `lef`; did you mean `left`\?"):
        Schema({"types": {"Pair": {"key": ["lef"], "attributes": {"left": {"type": "string"}}}}})


def test_what_users_cannot_write_is_computed(schema: Schema) -> None:
    """Because the vendor says so, or the wiring."""
    computed = {name for name, found in schema.types["Task"].attributes.items() if found.computed}
    assert computed == {"ancestors", "custom_attribute_links", "link", "thumbnail_url"}


def test_configurations_become_items() -> None:
    """Of the types they are for; of several of one key, what all of them say."""
    told = {"is_hierarchical": False, "project_id": None, "object_type_id": TASK, "entity_type": "task"}
    rows = [
        {**told, "id": "1", "key": "fps", "label": "Frame rate", "type": "number", "default": 24},
        {**told, "id": "2", "key": "lens", "type": "text", "default": ""},
        {**told, "id": "3", "key": "lens", "type": "enumerator", "project_id": "p"},
        {**told, "id": "4", "key": "due", "type": "date", "is_hierarchical": True},
        {**told, "id": "5", "key": "code", "type": "text", "entity_type": "show", "object_type_id": None},
    ]
    schema = Schema(document_from_vendor(small_schema(), configurations=rows))
    custom = {name: {key: item.data_type for key, item in schema.types[name].custom.items()} for name in schema.types}
    assert custom["Task"] == {"due": "datetime", "fps": "number", "lens": "json"}
    assert custom["Shot"] == {"due": "datetime"}
    assert custom["Project"] == {"due": "datetime", "code": "string"}
    assert schema.types["Task"].custom["fps"].default == 24


def test_the_list_is_kept_as_it_came() -> None:
    """The other half renders it again, under its own hash."""
    document = document_from_vendor(small_schema())
    assert vendor_schemas(document) == small_schema()
    assert vendor_hash(vendor_schemas(document)) == vendor_hash(small_schema())
    assert vendor_schemas({"types": {}}) == []


def test_the_order_of_the_list_does_not_matter() -> None:
    """But for the list itself."""
    assert document_from_vendor(small_schema())["types"] == document_from_vendor(small_schema()[::-1])["types"]


@recorded
def test_the_hash_is_the_server_s() -> None:
    """As it told it itself."""
    told = json.loads((RECORDED / "query_server_information.json").read_bytes())
    assert vendor_hash(real_list()) == told["schema_hash"] == "23a1157b8b1730fd91c76f63dcd67a8f"


@recorded
def test_all_recorded_types_become_classes(real: Schema) -> None:
    """All 116, with every relation leading somewhere and back."""
    assert len(real.types) == 116
    types = Types(real)
    for name, entity_type in real.types.items():
        assert types[name]._type is entity_type
        for attribute in entity_type.attributes.values():
            if attribute.kind in ("reference", "collection"):
                target = real.type(str(attribute.target))
                assert attribute.inverse is None or attribute.inverse in target.attributes, (name, attribute)


@recorded
def test_every_recorded_property_is_told(real: Schema) -> None:
    """As an attribute, as a foreign key, or as part of a key; but for the deprecated link."""
    for told in real_list():
        entity_type = real.types[told["id"]]
        missing = set(told["properties"]) - set(entity_type.names) - set(entity_type.key)
        assert missing <= {"_link"}, told["id"]


@recorded
def test_recorded_collections_mirror_references(real: Schema) -> None:
    """But for those that are kept elsewhere: pairs, notes, and what is worked out."""
    many = {
        f"{entity_type.name}.{attribute.name}"
        for entity_type in real.types.values()
        for attribute in entity_type.attributes.values()
        if attribute.kind == "collection" and attribute.inverse is None and not attribute.computed
        if real.declarer(entity_type.name, attribute.name) == entity_type.name
    }
    roles = {f"{name}.{verb}_security_roles" for name in ROLED for verb in ("read", "write")}
    notes = {"AssetVersion.notes", "Context.notes", "ReviewSessionObject.notes"}
    assert many == {"Context.scopes", "WorkflowSchema.statuses"} | roles | notes


ROLED = ("CustomAttributeConfiguration", "CustomAttributeLinkConfiguration", "CustomConfigurationBase")


def test_the_wiring_is_asked_by_the_nearest_name() -> None:
    """The exact name of a type or one above it, then the longest pattern."""
    assert wiring().find("inverses", ["Dashboard"], "dashboard_resources") == "dashboard"
    assert wiring().find("inverses", ["Group", "Resource"], "dashboard_resources") == "resource"
    assert wiring().find("inverses", ["Group", "Resource"], "memberships") is None
    assert wiring().of_type("extends", "CustomAttributeValue") is None


def test_the_client_and_the_store_know_the_same_relations() -> None:
    """What the list of schemas leaves out is known to both in tables of their own, and these agree.

    Only the store has families for a table that several types share, and one name for notes' labels.
    """
    client = Schema(document_from_vendor(json.loads(recorded_schemas().read_text())))
    store = Schema(load_schema_document(recorded_schemas()))
    own, compared = {"StatusChange", "CustomConfigurationBase"}, 0
    for name in client.types.keys() & store.types.keys():
        told, kept = client.types[name], store.types[name]
        assert [each for each in told.ancestors if each in store.types] == [e for e in kept.ancestors if e not in own]
        for key in told.aliases.keys() & kept.aliases.keys():
            assert told.aliases[key] == kept.aliases[key], f"{name}.{key}"
            compared += 1
        for key in told.attributes.keys() & kept.attributes.keys():
            one, other = told.attributes[key], kept.attributes[key]
            if "collection" in (one.kind, other.kind) and one.kind == other.kind:
                assert one.inverse == other.inverse, f"{name}.{key}"
            if one.kind == other.kind == "reference" and (name, key) != ("NoteLabelLink", "label"):
                assert one.target == other.target, f"{name}.{key}"
    assert compared > 200
