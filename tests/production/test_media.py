"""Thumbnails and media: files that go to the server's own location."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from callsheet import Session
from callsheet.errors import StateError, UsageError
from callsheet.server.process import serve
from production.making import again, make_task, make_version
from recorded import schema_list


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session on a served studio, so that files go over a real wire."""
    folder = tmp_path_factory.mktemp("site")
    with serve(schema_list(), f"sqlite:///{(folder / 's.db').as_posix()}", files=folder / "files") as server:
        key = server.admin_key
        with Session(server.url, "admin", key, dialect="ftrack", schema_cache=False) as session:
            yield session


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "frame.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(200))
    return path


def test_a_thumbnail(site: Session, picture: Path) -> None:
    """The picture is a component in the server's location, which the entity refers to; its address gives it."""
    task = make_task(site)
    component = task.create_thumbnail(picture)
    assert (component["name"], component["file_type"]) == ("thumbnail", ".png")
    found = again(site, task)
    assert found["thumbnail"]["id"] == component["id"]
    assert found["thumbnail_id"] == component["id"]
    url = found.get_thumbnail_url()
    assert "apiKey" not in url
    assert site._connection.transport is not None
    assert httpx.get(url, follow_redirects=True).content == picture.read_bytes()


def test_an_entity_without_a_thumbnail(site: Session) -> None:
    """There is no address then."""
    assert make_task(site).get_thumbnail_url() is None


def test_encode_media(site: Session, picture: Path) -> None:
    """A path is sent first and not kept; the job tells of which component it is."""
    version = make_version(site)
    job = version.encode_media(str(picture))
    told = job["data"] if not isinstance(job["data"], str) else json.loads(job["data"])
    assert told["keep_original"] is False
    component = site.get("FileComponent", told["source_component_id"])
    kept = version.create_component(str(picture), {"name": "main"}, location="server")
    job = site.encode_media(kept, version["id"])
    assert job["data"]["keep_original"] is True
    assert job["data"]["source_component_id"] == kept["id"]
    assert component["id"] != kept["id"]


def test_what_cannot_be_encoded(site: Session) -> None:
    """Only files, and only those that the server has."""
    with pytest.raises(UsageError, match="FileComponent"):
        site.encode_media(make_version(site))
    with pytest.raises(UsageError, match="path"):
        site.encode_media(3)
    with pytest.raises(StateError, match="commit"):
        site.encode_media(site.create("FileComponent", {"name": "new"}))
    site.rollback()
