"""The vendor's schema list becomes a schema of ours, with nothing lost that the other half needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callsheet.dialects.ftrack.common.schema import document_from_vendor, vendor_hash, vendor_schemas
from callsheet.dialects.ftrack.common.wiring import wiring
from callsheet.entity.types import Types
from callsheet.errors import SchemaError
from callsheet.model.schema import Attribute, Schema
from callsheet.server.schemas.document import load_schema_document
from dialects.vendor_schema import SHOT, TASK, small_schema
from recorded import LISTS, replies, schema_list


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(document_from_vendor(small_schema()))


@pytest.fixture(scope="module", params=LISTS)
def listed(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The list of a whole site: the studio's, and a recorded one where it is on this machine."""
    return json.loads(schema_list(request.param).read_text())  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def site(listed: list[dict[str, Any]]) -> Schema:
    return Schema(document_from_vendor(listed))


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


HASHES = {"studio": "c751390c237d9e3ff6bbe5217a0548c3", "recorded": "23a1157b8b1730fd91c76f63dcd67a8f"}


@pytest.mark.parametrize("name", LISTS)
def test_the_hash_is_the_server_s(name: str) -> None:
    """The hash of a list is the one that its server gives."""
    given = replies(name)["query_server_information"]["schema_hash"]
    assert vendor_hash(json.loads(schema_list(name).read_text())) == given == HASHES[name]


def test_all_types_of_a_site_become_classes(site: Schema) -> None:
    """All 116, with every relation leading somewhere and back."""
    assert len(site.types) == 116
    types = Types(site)
    for name, entity_type in site.types.items():
        assert types[name]._type is entity_type
        for attribute in entity_type.attributes.values():
            if attribute.kind in ("reference", "collection"):
                target = site.type(str(attribute.target))
                assert attribute.inverse is None or attribute.inverse in target.attributes, (name, attribute)


def test_every_property_of_a_site_is_known(site: Schema, listed: list[dict[str, Any]]) -> None:
    """Each becomes an attribute, a foreign key, or a part of a key, except the deprecated link."""
    for told in listed:
        entity_type = site.types[told["id"]]
        missing = set(told["properties"]) - set(entity_type.names) - set(entity_type.key)
        assert missing <= {"_link"}, told["id"]


def test_collections_of_a_site_mirror_references(site: Schema) -> None:
    """Every collection mirrors a reference, except those kept elsewhere: pairs, notes, and what is computed."""
    many = {
        f"{entity_type.name}.{attribute.name}"
        for entity_type in site.types.values()
        for attribute in entity_type.attributes.values()
        if attribute.kind == "collection" and attribute.inverse is None and not attribute.computed
        if site.declarer(entity_type.name, attribute.name) == entity_type.name
    }
    roles = {f"{name}.{verb}_security_roles" for name in ROLED for verb in ("read", "write")}
    notes = {"AssetVersion.notes", "Context.notes", "ReviewSessionObject.notes"}
    assert many == {"Context.scopes", "WorkflowSchema.statuses"} | roles | notes


ROLED = ("CustomAttributeConfiguration", "CustomAttributeLinkConfiguration", "CustomConfigurationBase")


def test_the_wiring_is_asked_by_the_nearest_name() -> None:
    """The exact name of a type or one above it, then the longest pattern."""
    assert wiring().inverses.find(["Dashboard"], "dashboard_resources") == "dashboard"
    assert wiring().inverses.find(["Group", "Resource"], "dashboard_resources") == "resource"
    assert wiring().inverses.find(["Group", "Resource"], "memberships") is None
    assert wiring().extends.of_type("CustomAttributeValue") is None


@pytest.mark.parametrize("name", LISTS)
def test_the_client_and_the_store_know_the_same_relations(name: str) -> None:
    """What the list of schemas leaves out is known to both in tables of their own, and these agree.

    Only the store has families for a table that several types share, and one name for notes' labels.
    """
    client = Schema(document_from_vendor(json.loads(schema_list(name).read_text())))
    store = Schema(load_schema_document(schema_list(name)))
    own, compared = {"StatusChange", "CustomConfigurationBase"}, 0
    for each in client.types.keys() & store.types.keys():
        told, kept = client.types[each], store.types[each]
        above = [one for one in told.ancestors if one in store.types]
        assert above == [one for one in kept.ancestors if one not in own]
        for key in told.aliases.keys() & kept.aliases.keys():
            assert told.aliases[key] == kept.aliases[key], f"{each}.{key}"
            compared += 1
        for key in told.attributes.keys() & kept.attributes.keys():
            one, other = told.attributes[key], kept.attributes[key]
            if "collection" in (one.kind, other.kind) and one.kind == other.kind:
                assert one.inverse == other.inverse, f"{each}.{key}"
            if one.kind == other.kind == "reference" and (each, key) != ("NoteLabelLink", "label"):
                assert one.target == other.target, f"{each}.{key}"
    assert compared > 200
