"""A store with a vendor's schema: its document, its hash, its seed, its files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from callsheet.cli.commands import callsheet as commands
from callsheet.dialects.ftrack.server.schema.catalogue import catalogue_of
from callsheet.dialects.ftrack.server.schema.rendering import rendered
from callsheet.dialects.ftrack.server.schema.store_document import store_document
from callsheet.errors import Invalid, TooLarge
from callsheet.model.schema import Schema
from callsheet.server.files.uploads import FileStore, placeholder
from callsheet.server.schemas.document import load_schema_document
from callsheet.server.service import Service
from recorded import LISTS, replies, schema_list


@pytest.mark.parametrize("name", LISTS)
def test_a_list_keeps_its_hash(name: str) -> None:
    """A list of schemas is recognised, stored, and given again with its own hash."""
    with Service.open("memory:", schema_list(name)) as service:
        catalogue, schema_hash = catalogue_of(service.store.schema)
    assert schema_hash == replies(name)["query_server_information"]["schema_hash"]
    assert list(catalogue.schemas) == json.loads(schema_list(name).read_text())


def test_the_answer_of_a_site_is_recognised_whole(schemas: Path, tmp_path: Path) -> None:
    """A file may also hold the answer to ``query_schemas`` as it came: the list within a list."""
    path = tmp_path / "answer.json"
    path.write_text(json.dumps([json.loads(schemas.read_text())]))
    assert load_schema_document(path) == load_schema_document(schemas)


def test_relations_that_a_list_leaves_out(schemas: Path) -> None:
    """Families, foreign keys and inverses that the list itself does not tell."""
    schema = Schema(load_schema_document(schemas))
    assert schema.types["Shot"].ancestors == ("TypedContext", "Context")
    assert schema.types["Asset"].aliases["context_id"] == "parent"
    assert schema.types["Note"].aliases["user_id"] == "author"
    assert schema.types["Context"].attributes["children"].inverse == "parent"
    assert schema.types["SequenceComponent"].attributes["members"].inverse == "container"
    assert schema.types["AssetVersion"].attributes["asset"].on_delete == "cascade"
    assert schema.types["TypedContext"].attributes["status"].on_delete == "restrict"
    assert "Metadata" not in schema.types
    assert "ContextCustomAttributeValue" not in schema.types


def test_a_user_defined_type_is_a_typed_context() -> None:
    """A type whose classifier is an object type extends TypedContext, whatever its name."""
    told = [
        {
            "id": name,
            "primary_key": ["id"],
            "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
            **more,
        }
        for name, more in {
            "Context": {},
            "TypedContext": {},
            "Scene": {"alias_for": {"id": "Task", "classifiers": {"object_typeid": "x"}}},
        }.items()
    ]
    assert store_document(told)["types"]["Scene"] == {"extends": "TypedContext", "attributes": {}}


def test_the_production_schema_in_the_vendors_format() -> None:
    """Names stay; relations, foreign keys and mappings are told as the vendor tells them."""
    told = {each["id"]: each for each in rendered(Schema(load_schema_document("production")))}
    task = told["Task"]["properties"]
    assert told["Task"]["primary_key"] == ["id"]
    assert told["Task"]["default_projections"] == ["id", "name"]
    assert task["parent"] == {"$ref": "Context"}
    assert task["parent_id"]["format"] == "foreign_key"
    assert task["metadata"]["items"] == {"$ref": "Metadata"}
    assert task["custom_attributes"]["items"] == {"$ref": "ContextCustomAttributeValue"}
    assert "link" in told["Task"]["computed"]


def test_seeding_from_the_command_line(schemas: Path, tmp_path: Path) -> None:
    """``callsheet seed`` makes a database and fills it; doing it again changes nothing."""
    url = f"sqlite:///{(tmp_path / 'studio.db').as_posix()}"
    arguments = ["seed", "--database", url, "--schema", str(schemas)]
    first = CliRunner().invoke(commands, arguments)
    assert first.exit_code == 0, first.output
    assert "made" in first.output
    assert "were there already" in CliRunner().invoke(commands, arguments).output
    with Service.open(url) as service, service.store.reading() as connection:
        table = service.store.tables["Context"]
        kinds = [row[0] for row in connection.execute(table.select().with_only_columns(table.c._type))]
    assert kinds.count("Shot") == 6
    assert kinds.count("Task") == 18


def test_seeding_needs_the_vendors_schema(tmp_path: Path) -> None:
    """A database with another schema is refused."""
    url = f"sqlite:///{(tmp_path / 'own.db').as_posix()}"
    Service.open(url).close()
    result = CliRunner().invoke(commands, ["seed", "--database", url])
    assert result.exit_code == 1
    assert "no ftrack schema" in result.output


# Files


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _save(files: FileStore, key: str, *chunks: bytes) -> str:
    return asyncio.run(files.save("anna", lambda: files.path(key), _chunks(*chunks)))


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "a/b", "..\\x", "\x00", "", "é" * 300, "CON"])
def test_a_file_is_always_in_its_folder(tmp_path: Path, key: str) -> None:
    """Whatever a component's id is, its file has a plain name two levels below the folder."""
    files = FileStore(lambda: tmp_path)
    assert _save(files, key, b"con", b"tent") == "9a0364b9e99bb480dd25e1f0284c8555"
    path = files.find(key)
    assert path.parent.parent == tmp_path
    assert path.name.isalnum()
    assert path.read_bytes() == b"content"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """What is larger than allowed is refused while it comes, and leaves nothing behind."""
    files = FileStore(lambda: tmp_path, largest=10)
    with pytest.raises(TooLarge, match="larger than 10 bytes"):
        _save(files, "a", b"12345", b"123456")
    assert not files.exists("a")
    assert list(tmp_path.rglob("*.part")) == []


def test_parts_are_joined_in_order(tmp_path: Path) -> None:
    """Parts become one file; one that is missing is refused."""
    files = FileStore(lambda: tmp_path)
    asyncio.run(files.save("anna", lambda: files.part("a", "anna", 2), _chunks(b"two")))
    with pytest.raises(Invalid, match="have not been uploaded"):
        files.join("a", "anna", [1, 2], files.path("a"))
    asyncio.run(files.save("anna", lambda: files.part("a", "anna", 1), _chunks(b"one-")))
    files.join("a", "anna", [1, 2], files.path("a"))
    assert files.find("a").read_bytes() == b"one-two"
    assert not files.part("a", "anna", 1).exists()


def test_a_picture_for_everything(tmp_path: Path) -> None:
    """A component whose file is no picture, or that has none, gets a grey square."""
    files = FileStore(lambda: tmp_path)
    _save(files, "text", b"<script>alert(1)</script>")
    _save(files, "picture", placeholder(4))
    assert files.image("text") == (placeholder(), "image/png")
    assert files.image("nothing") == (placeholder(), "image/png")
    assert files.image("picture") == (files.path("picture"), "image/png")
