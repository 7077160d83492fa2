"""Components and their files through the vendor's client."""

import os
import tempfile

import ftrack_api
import ftrack_api.structure.id
import requests

SERVER = ftrack_api.symbol.SERVER_LOCATION_ID


def _file(content=b"content", suffix=".txt"):
    handle, path = tempfile.mkstemp(suffix=suffix)
    os.write(handle, content)
    os.close(handle)
    return path


def check_upload_and_download(place):
    """A file goes up to the server's location and comes down again."""
    session = place.fresh()
    version = place.version(session)
    content = os.urandom(300_000)
    component = version.create_component(_file(content), {"name": "main"}, location=session.get("Location", SERVER))
    assert component["size"] == 300_000
    assert component["file_type"] == ".txt"
    other = place.fresh()
    found = other.get("FileComponent", component["id"])
    location = other.get("Location", SERVER)
    assert location.get_component_availability(found) == 100.0
    url = location.get_url(found)
    assert requests.get(url).content == content
    disk = other.create("Location", {"name": place.name("disk")})
    other.commit()
    disk.accessor = ftrack_api.accessor.disk.DiskAccessor(prefix=tempfile.mkdtemp())
    disk.structure = ftrack_api.structure.id.IdStructure()
    disk.priority = 1
    disk.add_component(found, location)
    with open(disk.get_filesystem_path(found), "rb") as file:
        assert file.read() == content
    assert found.get_availability([disk, location]) == {disk["id"]: 100.0, location["id"]: 100.0}
    location.remove_component(found)
    assert location.get_component_availability(found) == 0.0
    assert requests.get(url).status_code == 404


def check_sequences_and_containers(place):
    """Sequences have members, each with its file."""
    session = place.fresh()
    folder = tempfile.mkdtemp()
    for number in range(1, 4):
        with open(os.path.join(folder, f"frame.{number:04d}.exr"), "wb") as file:
            file.write(b"x" * number)
    location = session.get("Location", SERVER)
    component = session.create_component(os.path.join(folder, "frame.%04d.exr [1-3]"), location=None)
    session.commit()
    found = place.fresh().query(f"SequenceComponent where id is {component['id']}").one()
    assert found["padding"] == 4
    assert len(found["members"]) == 3
    assert sorted(member["name"] for member in found["members"]) == ["0001", "0002", "0003"]
    assert component.get_availability([location]) == {location["id"]: 0.0}


def check_availability(place):
    """Which locations have which components is one question."""
    session = place.fresh()
    version = place.version(session)
    first = version.create_component(_file(), {"name": "a"}, location=session.get("Location", SERVER))
    second = version.create_component(_file(), {"name": "b"}, location=None)
    found = session.get_component_availabilities([first, second])
    assert [each[SERVER] for each in found] == [100.0, 0.0]
    assert session.pick_location(first) is not None


def check_thumbnails(place):
    """A thumbnail is uploaded, set, and answers as a picture."""
    session = place.fresh()
    task = place.task(session)
    picture = requests.get(f"{place.url}/img/thumbnail2.png").content
    component = task.create_thumbnail(_file(picture, ".png"))
    assert task["thumbnail_id"] == component["id"]
    fresh = place.fresh()
    found = fresh.get("Task", task["id"])
    url = fresh.get("Location", SERVER).get_thumbnail_url(found["thumbnail"], size=100)
    answer = requests.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == picture
    assert "/component/thumbnail" in found["thumbnail_url"]["value"]


def check_encode_media(place):
    """Media are given to be encoded; the job can be read."""
    session = place.fresh()
    version = place.version(session)
    job = session.encode_media(_file(b"movie", ".mov"), version_id=version["id"])
    assert job.entity_type == "Job"
    assert "source_component_id" in job["data"]
    component = version.create_component(_file(b"movie", ".mov"), location=session.get("Location", SERVER))
    assert version.encode_media(component)["status"] == "failed"


def check_multipart_upload(place):
    """Large files go up in parts, which are put together."""
    session = place.session
    key = "55555555-aaaa-4aaa-8aaa-" + place.name("x")[-4:].zfill(12)
    told = session.call(
        [
            {
                "action": "get_upload_metadata",
                "component_id": key,
                "file_name": "a.bin",
                "file_size": 10,
                "parts": 3,
                "checksum": None,
            }
        ]
    )[0]
    parts = []
    for url, content in zip(told["urls"], (b"aaa", b"bbb", b"c")):
        answer = requests.put(url["signed_url"], data=content)
        assert answer.status_code == 200
        parts.append({"part_number": url["part_number"], "e_tag": answer.headers["ETag"]})
    answer = session.call(
        [
            {
                "action": "complete_multipart_upload",
                "component_id": key,
                "upload_id": told["upload_id"],
                "parts": parts,
            },
            {
                "action": "create",
                "entity_type": "FileComponent",
                "entity_data": {
                    "__entity_type__": "FileComponent",
                    "id": key,
                    "name": "a",
                    "file_type": ".bin",
                    "size": 7,
                },
            },
            {
                "action": "create",
                "entity_type": "ComponentLocation",
                "entity_data": {
                    "__entity_type__": "ComponentLocation",
                    "component_id": key,
                    "location_id": SERVER,
                    "resource_identifier": key,
                },
            },
        ]
    )
    assert answer[0]["action"] == "complete_multipart_upload"
    got = requests.get(f"{place.url}/component/get", params={"id": key, "username": place.user, "apiKey": place.key})
    assert got.content == b"aaabbbc"


def check_names_are_never_paths(place):
    """Whatever a component's name or id is, its file stays in the server's folder."""
    session = place.session
    for key in ("../../../../tmp/callsheet-evil", "/tmp/callsheet-evil", "..\\evil", "a\x00b"[:1] + "%2e%2e/evil"):
        metadata = session.get_upload_metadata(component_id=key, file_name="../../evil.sh", file_size=4)
        assert requests.put(metadata["url"], data=b"evil", headers=metadata["headers"]).status_code == 200
        got = requests.get(
            f"{place.url}/component/get", params={"id": key, "username": place.user, "apiKey": place.key}
        )
        assert got.content == b"evil"
    assert not os.path.exists("/tmp/callsheet-evil")


def check_uploads_need_a_signed_address(place):
    """Nobody can put a file where the server did not say so, and a changed address is refused."""
    metadata = place.session.get_upload_metadata(component_id="key-1", file_name="a", file_size=4)
    for url in (metadata["url"].replace("key-1", "key-2"), f"{place.url}/component/put?id=key-1", metadata["url"][:-2]):
        assert requests.put(url, data=b"evil").status_code == 403


def check_files_need_a_key(place):
    """Files are read and removed only by users with their own key."""
    from callsheet_keys import other_user

    for verb in ("get", "remove", "thumbnail"):
        for params in (
            {},
            {"username": place.user, "apiKey": "wrong-key"},
            {"username": other_user, "apiKey": place.key},
        ):
            assert requests.get(f"{place.url}/component/{verb}", params={"id": "x", **params}).status_code == 401


def check_missing_files(place):
    """A file that is not there is 404; its thumbnail a grey square."""
    params = {"id": "nothing", "username": place.user, "apiKey": place.key}
    assert requests.get(f"{place.url}/component/get", params=params).status_code == 404
    assert requests.get(f"{place.url}/component/thumbnail", params=params).content.startswith(b"\x89PNG")
