"""Presets and schema files: what is read, what is completed, and how each mistake is told."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import fields

from callsheet.errors import SchemaError
from callsheet.model.schema import Attribute, Schema
from callsheet.server.schemas import check
from callsheet.server.schemas.document import PRESETS, load_schema_document

TINY: dict[str, Any] = {
    "name": "tiny",
    "types": {
        "Node": {
            "abstract": True,
            "unique": [["parent", "name"]],
            "attributes": {
                "name": {"type": "string", "required": True},
                "parent": {"type": "reference", "target": "Node", "inverse": "children", "on_delete": "cascade"},
                "children": {"type": "collection", "target": "Node", "inverse": "parent"},
            },
        },
        "Folder": {"extends": "Node"},
        "Leaf": {
            "extends": "Node",
            "attributes": {"size": {"type": "integer", "default": 0}, "owner": {"type": "reference", "target": "User"}},
        },
        "User": {"label": "username", "attributes": {"username": {"type": "string", "unique": True}}},
    },
}


def told(*ways: tuple[str, Any]) -> str:
    """The message about the tiny schema after the values at dotted places are set."""
    document = copy.deepcopy(TINY)
    for place, value in ways:
        *path, last = place.split("/")
        table = document
        for step in path:
            table = table.setdefault(step, {})
        table[last] = value
    with pytest.raises(SchemaError) as caught:
        load_schema_document(document)
    return str(caught.value)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_build_schemas(preset: str) -> None:
    """Both presets are valid and make a `Schema` of their name, whose types all describe themselves."""
    schema = Schema(load_schema_document(preset))
    assert schema.name == preset
    assert [name for name, entity_type in schema.types.items() if not entity_type.description] == []


@pytest.mark.parametrize("preset", PRESETS)
def test_inverse_pairs_are_consistent(preset: str) -> None:
    """The inverse of an attribute's inverse is the attribute, and collections know their other side."""
    schema = Schema(load_schema_document(preset))
    for entity_type in schema.types.values():
        for attribute in entity_type.attributes.values():
            if attribute.inverse is not None:
                other = schema.types[str(attribute.target)].attributes[attribute.inverse]
                assert other.inverse == attribute.name, f"{entity_type.name}.{attribute.name}"
                assert schema.is_a(entity_type.name, str(other.target)), f"{entity_type.name}.{attribute.name}"


def test_production_covers_its_field() -> None:
    """The production preset has the types the tracking of a production needs."""
    schema = Schema(load_schema_document("production"))
    needed = """Project Folder Episode Sequence Shot AssetBuild Milestone Task Asset AssetVersion FileComponent
    SequenceComponent ContainerComponent ComponentLocation Location Note User Group Status State Type Priority
    ProjectSchema TypedContextList AssetVersionList Timelog CustomAttributeConfiguration ReviewSession Job"""
    assert [name for name in needed.split() if name not in schema.types] == []
    assert schema.types["Shot"].ancestors == ("TypedContext", "Context")
    assert schema.types["Task"].attribute("project_id").computed == "ancestor:Project"


def test_lab_covers_its_field() -> None:
    """The laboratory preset has inventory, protocols, plans and data."""
    schema = Schema(load_schema_document("lab"))
    needed = "SampleType Sample Item Collection Part OperationType Operation Plan Wire Job DataAssociation Upload"
    assert [name for name in needed.split() if name not in schema.types] == []
    assert schema.is_a("Collection", "Item")


def test_custom_attribute_configuration_is_the_same_in_both() -> None:
    """What the server reads of a configuration has the same types in every preset."""
    read = ("key", "entity_type", "data_type", "choices", "default", "label")
    expected = ["string", "string", "enum", "json", "json", "string"]
    for preset in PRESETS:
        attributes = Schema(load_schema_document(preset)).types["CustomAttributeConfiguration"].attributes
        assert [attributes[name].data_type for name in read] == expected


def test_a_mapping_is_left_alone() -> None:
    """The given mapping is copied, not completed in place."""
    document = copy.deepcopy(TINY)
    load_schema_document(document)
    assert document == TINY


def test_the_other_side_of_a_relation_is_filled_in() -> None:
    """It is enough that one side names the other, and a subtype that tells a reference anew keeps its inverse."""
    document = copy.deepcopy(TINY)
    del document["types"]["Node"]["attributes"]["parent"]["inverse"]
    document["types"]["Leaf"]["attributes"]["parent"] = {"type": "reference", "target": "Node", "required": True}
    types = load_schema_document(document)["types"]
    assert types["Node"]["attributes"]["parent"]["inverse"] == "children"
    assert types["Leaf"]["attributes"]["parent"]["inverse"] == "children"


def test_toml_and_json_files_say_the_same(tmp_path: Path) -> None:
    """A TOML file and a JSON file with the same content give the same document."""
    (tmp_path / "one.json").write_text(json.dumps({"name": "one", "types": {"Dot": {"label": "id"}}}))
    (tmp_path / "one.toml").write_text('name = "one"\n[types.Dot]\nlabel = "id"\n')
    expected = {"name": "one", "types": {"Dot": {"label": "id"}}}
    assert load_schema_document(tmp_path / "one.json") == expected
    assert load_schema_document(str(tmp_path / "one.toml")) == expected


def test_a_file_extends_a_preset(tmp_path: Path) -> None:
    """A schema laid over a preset keeps all of it and adds types and attributes."""
    path = tmp_path / "studio.toml"
    path.write_text(
        'name = "studio"\nextends = "production"\n'
        '[types.Shot.attributes]\nweather = { type = "string" }\n[types.Vendor]\nlabel = "id"\n'
    )
    schema = Schema(load_schema_document(path))
    assert schema.name == "studio"
    assert schema.types["Shot"].attribute("weather").data_type == "string"
    assert schema.types["Shot"].attribute("fstart").data_type == "integer"
    assert "Vendor" in schema.types


def test_files_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    """Going round in circles is told with the way round."""
    (tmp_path / "a.toml").write_text('extends = "b.toml"')
    (tmp_path / "b.toml").write_text('extends = "a.toml"')
    with pytest.raises(SchemaError, match=r"extends itself: .*a\.toml → .*b\.toml → .*a\.toml"):
        load_schema_document(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("prodution", None, "there is no schema preset `prodution`.*did you mean `production`"),
        ("missing.toml", None, "missing.toml cannot be read: No such file"),
        ("schema.yaml", "types:", "must end in .toml or .json"),
        ("bad.toml", "a = ]", "bad.toml is not valid TOML: .*line 1"),
        ("bad.json", "{", "bad.json is not valid JSON: .*line 1"),
        ("list.json", "[]", "a schema is a table with the key `types`, not list"),
        ("date.toml", "d = 2026-01-01", "texts, numbers, booleans, lists and tables"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    """A file that is missing, of another kind or broken is named with what is wrong."""
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(SchemaError, match=message):
        load_schema_document(path if path.suffix else name)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """One error lists every problem, each with file, type and attribute."""
    path = tmp_path / "show.toml"
    path.write_text(
        '[types.Dot]\nextend = "Point"\n[types.Dot.attributes]\n'
        'size = { type = "intger" }\n_mark = { type = "string" }\n'
    )
    with pytest.raises(SchemaError) as caught:
        load_schema_document(path)
    assert str(caught.value).splitlines() == [
        "the schema has 3 problems:",
        f"  - {path}: Dot: unknown key `extend`; did you mean `extends`?",
        f"  - {path}: Dot.size: there is no attribute type `intger`; did you mean `integer`?",
        f"  - {path}: Dot._mark: attribute names with `_` or `@` first, or `__` inside, are the server's; "
        "choose another name",
    ]


LEAF = "types/Leaf/attributes"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("typs", {}, "the document: unknown key `typs`; did you mean `types`?"),
        ("name", 3, "the document: `name` takes a text, not 3"),
        ("types", {}, "the document describes no `types`"),
        ("types/Leaf", 3, "Leaf: a type is a table, not int"),
        ("types/Leaf/abstract", "yes", "Leaf: `abstract` takes true or false, not 'yes'"),
        ("types/Leaf/extends", "Nod", "Leaf: extends `Nod`, which is not described; did you mean `Node`?"),
        ("types/Node/extends", "Leaf", "Node: extends itself: Node → Leaf → Node; one of them must be the root"),
        ("types/leaf", {}, "leaf: differs from type `Leaf` by case only"),
        ("types/@Leaf", {}, "@Leaf: type names with `_` or `@` first"),
        ("types/Big Leaf", {}, "Big Leaf: type names are letters, digits and underscores"),
        ("types/Leaf/label", "nmae", "Leaf: its label `nmae` is not one of its attributes; did you mean `name`?"),
        ("types/Leaf/unique", [["siz"]], "Leaf: unique names `siz`, which is not an attribute; did you mean `size`?"),
        ("types/Leaf/unique", ["size"], "Leaf: `unique` is a list of lists of attribute names"),
        ("types/Leaf/unique", [["children"]], "only references and simple values can be unique"),
        (f"{LEAF}/id", {"type": "integer"}, "Leaf.id: every type has `id` already"),
        (f"{LEAF}/_x", {}, "Leaf._x: attribute names with `_` or `@` first"),
        (f"{LEAF}/@type", {}, "Leaf.@type: attribute names with `_` or `@` first"),
        (f"{LEAF}/Name", {}, "Leaf.Name: differs from Node.name by case only"),
        (f"{LEAF}/size", 3, "Leaf.size: an attribute is a table"),
        (f"{LEAF}/size", {"type": "intger"}, "Leaf.size: there is no attribute type `intger`; did you mean `integer`?"),
        (f"{LEAF}/size/requird", True, "Leaf.size: unknown key `requird`; did you mean `required`?"),
        (f"{LEAF}/size/required", "yes", "Leaf.size: `required` takes true or false, not 'yes'"),
        (f"{LEAF}/size/administrative", "yes", "Leaf.size: `administrative` is true, false or \"changes\", not 'yes'"),
        (f"{LEAF}/size/target", "User", "Leaf.size: unknown key `target`"),
        (f"{LEAF}/size/default", "many", "Leaf.size: bad default: takes an integer, not str: 'many'"),
        (f"{LEAF}/size", {"type": "date", "default": "soon"}, 'bad default: takes "{now}" or a text like "2026-05-01"'),
        (f"{LEAF}/at", {"type": "datetime", "default": "2026-01-01T10:00"}, 'text like "2026-05-01T12:00:00+00:00"'),
        (f"{LEAF}/home", {"type": "reference", "target": "Node", "default": "x"}, "Leaf.home: cannot have a default"),
        (f"{LEAF}/size/choices", ["a"], "Leaf.size: only an enum has `choices`"),
        (f"{LEAF}/state", {"type": "enum"}, "Leaf.state: an enum needs `choices`"),
        (f"{LEAF}/state", {"type": "enum", "choices": ["a", "a"]}, "Leaf.state: an enum needs `choices`"),
        (f"{LEAF}/state", {"type": "enum", "choices": ["a"], "default": "b"}, "bad default: takes one of 'a', not str"),
        (f"{LEAF}/data", {"type": "mapping", "items": "strings"}, "`items` is one of string, custom, not `strings`"),
        (f"{LEAF}/owner", {"type": "reference"}, "Leaf.owner: a reference needs a `target`"),
        (f"{LEAF}/owner/target", "Usr", "Leaf.owner: its target `Usr` is not described; did you mean `User`?"),
        (f"{LEAF}/owner/on_delete", "casade", "`on_delete` is one of nullify, cascade, restrict, not `casade`"),
        (f"{LEAF}/owner_id", {}, "Leaf.owner: its foreign key `owner_id` is also an attribute of Leaf"),
        (f"{LEAF}/owner/inverse", "leafs", "Leaf.owner: its inverse `leafs` is not an attribute of User"),
        (f"{LEAF}/owner/inverse", "username", "its inverse User.username must be a collection, not a string"),
        (f"{LEAF}/name", {"type": "number"}, "Leaf.name: is a number, but Node.name is a string; types below Node"),
        ("types/Folder/attributes/size", {"type": "string"}, "Leaf.size: is a integer, but Folder.size is a string"),
        (
            "types/Folder/attributes/owner",
            {"type": "reference", "target": "Node"},
            "Leaf.owner: is a reference to User (one type), but Folder.owner is a reference to Node (one of several",
        ),
        (
            "types/User/attributes/leaves",
            {"type": "collection", "target": "Leaf", "inverse": "parent"},
            "User.leaves: its inverse Leaf.parent points elsewhere, to `children`; the two must name each other",
        ),
        (
            "types/User/attributes/leaves",
            {"type": "collection", "target": "Leaf", "inverse": "ownr"},
            "User.leaves: its inverse `ownr` is not an attribute of Leaf; did you mean `owner`?",
        ),
        (
            "types/Folder/attributes/owned",
            {"type": "collection", "target": "Leaf", "inverse": "owner"},
            "Folder.owned: its inverse Leaf.owner points elsewhere, to User; its target must be Folder",
        ),
        (f"{LEAF}/n", {"type": "integer", "computed": "nxt:owner"}, "there is no computed rule `nxt:owner`"),
        (f"{LEAF}/n", {"type": "integer", "computed": "next:ownr"}, "which Leaf does not have; did you mean `owner`?"),
        (f"{LEAF}/n", {"type": "string", "computed": "created_at"}, "gives a datetime, not a string; set its type"),
        (
            f"{LEAF}/top",
            {"type": "reference", "target": "Leaf", "computed": "ancestor:Folder"},
            "gives a Folder, but the attribute's target is Leaf",
        ),
        (
            f"{LEAF}/by",
            {"type": "reference", "target": "Folder", "computed": "created_by"},
            "finds the user by the attribute `username`, which the target does not have",
        ),
        ("types/User/attributes/way", {"type": "json", "computed": "link"}, "needs a reference `parent`, which"),
        ("types/Leaf/custom", {"fps": {"type": "reference"}}, "Leaf.custom.fps: a custom attribute is one of string"),
        ("types/Leaf/custom", {"fps": {"type": "number", "default": "x"}}, "fps: bad default: takes a number"),
    ],
)
def test_each_mistake_is_told_with_its_cure(place: str, value: Any, message: str) -> None:
    """A wrong document is refused in words that name the type, the attribute and what to do."""
    assert message in told((place, value))


def test_a_reference_that_may_point_past_its_collection() -> None:
    """A collection on a subtype cannot mirror a reference to the type above it, which has no such collection."""
    message = told(
        ("types/User/attributes/home", {"type": "reference", "target": "Node"}),
        ("types/Folder/attributes/users", {"type": "collection", "target": "User", "inverse": "home"}),
    )
    assert "Folder.users: User.home may refer to any Node, which has no `users`; move the collection there" in message


def test_the_reference_page_is_true(tmp_path: Path) -> None:
    """The complete example of the page is valid, and its tables name exactly the types of the presets."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "schema.md").read_text(encoding="utf-8")
    example = tmp_path / "library.toml"
    example.write_text(page.partition("## A complete example")[2].partition("```toml\n")[2].partition("```")[0])
    assert set(load_schema_document(example)["types"]) == {"Place", "Shelf", "Book", "Author"}
    presets = page.partition("## The presets")[2]
    for preset, text in zip(("production", "lab"), presets.split("`lab` keeps"), strict=True):
        rows = [line.split("|")[2] for line in text.splitlines() if line.startswith("|") and "---" not in line]
        named = {name.strip().removesuffix(" (abstract)") for row in rows[1:] for name in row.split(",")}
        assert named == set(load_schema_document(preset)["types"])


NOT_DESCRIBED = {"name", "kind", "data_type", "inherited", "composed", "zone", "decimals"}
"""Fields of an attribute that come from its place, its ``type``, the session or a user table, and from no key."""


def test_the_check_takes_the_keys_that_the_schema_reads() -> None:
    """Every key that is let through has a field of an attribute, and every field that can be described has a key."""
    taken = {key for keys in check._KEYS.values() for key in keys} - {"type", "items"}
    assert taken == {field.name for field in fields(Attribute)} - NOT_DESCRIBED
