"""Components out of files, put into locations and found again, in a session."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from callsheet import AsyncSession
from callsheet.errors import (
    AlreadyThere,
    DamagedCopy,
    FileMissing,
    NotInLocation,
    SchemaError,
    StorageError,
    StructureError,
    UnsafePath,
    Unsupported,
    UsageError,
)
from callsheet.storage.disk import DiskAccessor
from callsheet.storage.filesystem import FsspecAccessor
from callsheet.storage.locations import WELL_KNOWN
from callsheet.storage.structure import EntityIdStructure, IdStructure, StandardStructure
from callsheet.storage.transfer import Progress


def test_a_file_becomes_a_component_on_the_disk(studio: Any) -> None:
    """The preferred location gets a copy, under the structure's path; nothing is pending afterwards."""
    path = studio.file("shot.mov", b"movie")
    component = studio.session.create_component(path, {"version": studio.version, "name": "movie"})
    assert (component["size"], component["file_type"], component.state) == (5, ".mov", "clean")
    location = studio.session.pick_location(component)
    assert location["name"] == "studio"
    assert location.get_resource_identifier(component) == "sintel/sq010/sh_020/comp/v001/movie.mov"
    assert Path(location.get_filesystem_path(component)).read_bytes() == b"movie"
    assert studio.stored() == ["sintel/sq010/sh_020/comp/v001/movie.mov"]
    assert studio.session.pending == ()


def test_a_sequence_has_its_frames_as_members(studio: Any) -> None:
    """With the digits of the files as names, and their sizes."""
    component = studio.session.create_component(studio.frames(3), {"version": studio.version, "name": "plate"})
    assert component.entity_type == "SequenceComponent"
    assert (component["padding"], component["size"]) == (4, 600)
    members = studio.session.fork().get("SequenceComponent", component.id)["members"]
    assert sorted((each["name"], each["size"], each["file_type"]) for each in members) == [
        ("0001", 100, ".exr"),
        ("0002", 200, ".exr"),
        ("0003", 300, ".exr"),
    ]
    assert studio.stored() == [f"sintel/sq010/sh_020/comp/v001/plate.000{number}.exr" for number in (1, 2, 3)]


def test_a_list_becomes_a_container(studio: Any) -> None:
    """Of files and sequences; nested ones need a structure that takes them."""
    paths = [studio.file("notes.txt", b"n"), studio.frames(2)]
    disk = studio.disk
    studio.session.locations.add("studio", accessor=DiskAccessor(disk), structure=IdStructure("x"), priority=1)
    component = studio.session.create_component(paths, {"version": studio.version, "name": "package"})
    assert component.entity_type == "ContainerComponent"
    assert studio.session.get_component_availability(component, "studio") == {
        studio.session.location("studio").id: 100.0
    }
    assert len(studio.stored()) == 3


def test_without_a_location_nothing_is_copied_or_committed(studio: Any) -> None:
    """The component is pending, and its files are known to this session."""
    path = studio.file("a.txt", b"a")
    component = studio.session.create_component(path, {"version": studio.version}, location=None)
    assert component.state == "created"
    assert studio.stored() == []
    studio.session.commit()
    assert studio.session.pick_location(component)["name"] == "callsheet.origin"
    studio.session.location("studio").add_component(component)
    assert studio.stored() == ["sintel/sq010/sh_020/comp/v001/main.txt"]


def test_what_else_is_pending_stays_pending(studio: Any) -> None:
    """Placing what is committed commits its rows and nothing else."""
    component = studio.session.create_component(studio.file("a.txt", b"a"), {"version": studio.version}, None)
    studio.session.commit()
    location = studio.session.location("studio")
    studio.version["comment"] = "not yet"
    location.add_component(component)
    assert [type(each).__name__ for each in studio.session.pending] == ["Update"]
    assert studio.session.fork().get("AssetVersion", studio.version.id)["comment"] is None


def test_a_version_can_be_published_with_its_components_at_once(studio: Any) -> None:
    """Version, component and row are one commit, where the structure needs no number of the version."""
    session = studio.session
    session.locations.add("flat", accessor=DiskAccessor(studio.disk), structure=EntityIdStructure())
    version = session.create("AssetVersion", {"asset": studio.version["asset"]})
    before = len(session.commits())
    session.location("flat")
    made = len(session.commits())
    component = session.create_component(studio.file("a.txt", b"a"), {"version": version}, "flat")
    assert (made - before, len(session.commits()) - made) == (1, 1)
    assert (version["version"], component.state) == (2, "clean")


def test_a_component_is_in_a_location_once(studio: Any) -> None:
    """Whoever adds it again is told, before anything is copied."""
    component = studio.session.create_component(studio.file("a.txt", b"a"), {"version": studio.version})
    with pytest.raises(AlreadyThere, match="in 'studio' already"):
        studio.session.location("studio").add_component(component)


def test_files_in_the_way_are_kept(studio: Any) -> None:
    """A file that somebody put there by hand is neither overwritten nor removed, and no component is left over."""
    place = studio.disk / "sintel/sq010/sh_020/comp/v001/main.txt"
    place.parent.mkdir(parents=True)
    place.write_text("precious")
    with pytest.raises(AlreadyThere, match="kept"):
        studio.session.create_component(studio.file("a.txt", b"a"), {"version": studio.version})
    assert place.read_text() == "precious"
    assert studio.stored() == ["sintel/sq010/sh_020/comp/v001/main.txt"]
    assert studio.session.pending == ()


def test_the_component_whose_file_is_in_the_way_is_named(studio: Any) -> None:
    """A second component of the same name in one version is refused with the name and key of the first."""
    first = studio.session.create_component(studio.file("a.txt", b"a"), {"version": studio.version})
    with pytest.raises(AlreadyThere, match=f"of component 'main' \\({first.id}\\); it is kept"):
        studio.session.create_component(studio.file("b.txt", b"b"), {"version": studio.version})


def test_two_components_cannot_have_one_place(studio: Any) -> None:
    """Within one call too."""
    session, data = studio.session, {"version": studio.version, "name": "same"}
    first = session.create_component(studio.file("a.txt", b"a"), data, None)
    second = session.create_component(studio.file("b.txt", b"b"), data, None)
    session.commit()
    with pytest.raises(AlreadyThere, match="different names"):
        session.location("studio").add_components([first, second])
    assert studio.stored() == []


def test_a_missing_file_creates_nothing(studio: Any) -> None:
    """Of a sequence, too; the first that is missing is named."""
    with pytest.raises(FileMissing, match=r"none\.txt"):
        studio.session.create_component("none.txt", {"version": studio.version})
    studio.frames(2)
    with pytest.raises(FileMissing, match=r"frame\.0003\.exr"):
        studio.session.create_component(str(studio.files / "frame.%04d.exr [1-3]"), {"version": studio.version})
    assert studio.session.pending == ()


def test_a_structure_that_refuses_leaves_nothing(studio: Any) -> None:
    """A component without a version has no standard path."""
    with pytest.raises(StructureError, match="commit the version first"):
        studio.session.create_component(studio.file("a.txt", b"a"))
    assert studio.session.pending == ()
    assert studio.stored() == []


def test_components_move_from_place_to_place(studio: Any) -> None:
    """From the disk to the server, from there to a bucket; removing takes the files, and only those."""
    session = studio.session
    component = session.create_component(studio.frames(3), {"version": studio.version, "name": "plate"})
    bucket = FsspecAccessor(f"memory://bucket-{os.getpid()}-{id(studio)}")
    session.locations.add("bucket", accessor=bucket, structure=StandardStructure())
    disk, server, cloud = (session.location(name) for name in ("studio", "server", "bucket"))
    server.add_component(component, disk)
    disk.remove_component(component)
    assert studio.stored() == []
    cloud.add_component(component, server)
    names = [f"sintel/sq010/sh_020/comp/v001/plate.000{number}.exr" for number in (1, 2, 3)]
    assert bucket.list() == names
    with bucket.open(names[2]) as file:
        assert file.read() == b"\3" * 300
    assert session.get_component_availability(component, [disk, server, cloud]) == {
        disk.id: 0.0,
        server.id: 100.0,
        cloud.id: 100.0,
    }
    assert [each["name"] for each in session.pick_locations([component])] == ["bucket"]
    cloud.remove_component(component)
    assert bucket.list() == []


def test_availability_of_a_sequence_is_the_mean_of_its_frames(studio: Any) -> None:
    """Two of three frames: two thirds."""
    session = studio.session
    component = session.create_component(studio.frames(3), {"version": studio.version, "name": "plate"})
    disk = session.location("studio")
    disk.remove_component(component["members"][0])
    assert disk.get_component_availability(component) == 66.666666667
    assert disk.get_component_availabilities(list(component["members"])) == [0.0, 100.0, 100.0]
    assert component.get_availability("studio") == {disk.id: 66.666666667}


def test_what_is_not_there_is_named(studio: Any) -> None:
    """For identifiers, paths and removal."""
    session = studio.session
    component = session.create_component(studio.file("a.txt", b"a"), {"version": studio.version}, None)
    session.commit()
    disk = session.location("studio")
    for verb in (disk.get_resource_identifier, disk.get_filesystem_path, disk.remove_component):
        with pytest.raises(NotInLocation) as caught:
            verb(component)
        assert caught.value.components == (component.id,)


def test_the_server_has_no_path_and_an_unknown_place_no_accessor(studio: Any) -> None:
    """The errors tell what to do instead."""
    session = studio.session
    component = session.create_component(studio.file("a.txt", b"a"), {"version": studio.version}, "server")
    with pytest.raises(Unsupported, match="not a disk"):
        session.location("server").get_filesystem_path(component)
    bare = session.create("Location", {"name": "elsewhere"})
    session.commit()
    with pytest.raises(StorageError, match=r"locations\.add\('elsewhere'"):
        bare.add_component(component)
    with pytest.raises(UsageError, match="no location 'nowhere' is configured; known are unmanaged"):
        session.location("nowhere")
    with pytest.raises(UsageError, match="1 components and 2 sources"):
        session.location("studio").add_components([component], ["server", "server"])


def test_unmanaged_files_stay_where_they_are(studio: Any) -> None:
    """Only their paths are kept; removing does not touch them."""
    session, path = studio.session, studio.frames(2)
    component = session.create_component(path, {"version": studio.version, "name": "plate"}, "unmanaged")
    place = session.location("unmanaged")
    assert place.id == WELL_KNOWN["unmanaged"]
    assert place.get_filesystem_path(component) == path
    assert place.get_filesystem_paths(component["members"]) == [
        str(studio.files / f"frame.000{number}.exr") for number in (1, 2)
    ]
    place.remove_component(component)
    assert (studio.files / "frame.0001.exr").exists()


def test_a_relative_path_in_an_unmanaged_location_leads_nowhere(studio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wrote the row, no session takes it for a file of its own working folder."""
    session = studio.session
    studio.frames(1)
    path = str(studio.files / "frame.0001.exr")
    monkeypatch.chdir(studio.files)
    component = session.create_component(path, {"version": studio.version, "name": "plate"}, None)
    session.commit()
    place = session.location("unmanaged")
    row = {"component": component, "location": place, "resource_identifier": "frame.0001.exr"}
    session.create("ComponentLocation", row)
    session.commit()
    for read in (place.get_filesystem_path, place.get_url):
        with pytest.raises(UnsafePath, match="is relative"):
            read(component)
    with pytest.raises(UnsafePath, match="is relative"):
        session.location("studio").add_component(component, "unmanaged")


def test_progress_is_told(studio: Any) -> None:
    """Bytes done of all bytes, file by file."""
    told: list[Progress] = []
    studio.session.create_component(studio.frames(2), {"version": studio.version, "name": "p"}, progress=told.append)
    start = "sintel/sq010/sh_020/comp/v001/p"
    assert told == [Progress(f"{start}.0001.exr", 100, 300), Progress(f"{start}.0002.exr", 300, 300)]


def test_a_copy_that_is_not_what_was_read_is_removed(studio: Any) -> None:
    """A disk that stores something else is found out, since what is stored is read back."""

    class Lying(DiskAccessor):
        def begin(self, identifier: str, token: str) -> Any:
            upload = super().begin(identifier, token)
            write = upload.write
            upload.write = lambda data: write(data[:-1] + b"?")  # type: ignore[method-assign]
            return upload

    studio.session.locations.add("studio", accessor=Lying(studio.disk), structure=StandardStructure(), priority=1)
    with pytest.raises(DamagedCopy, match="differs from its source"):
        studio.session.create_component(studio.file("a.txt", b"abc"), {"version": studio.version})
    assert studio.stored() == []
    assert studio.session.pending == ()


def test_half_a_copy_is_gone_on_with(studio: Any) -> None:
    """After the process was killed in the middle, only the rest is written; a half that differs is not used."""
    session = studio.session
    content = os.urandom(9 * 2**20)
    path = studio.file("a.mov", content)
    component = session.create_component(path, {"version": studio.version}, None)
    session.commit()
    disk = session.location("studio")
    written: list[int] = []

    class Counting(DiskAccessor):
        def begin(self, identifier: str, token: str) -> Any:
            upload = super().begin(identifier, token)
            write = upload.write
            upload.write = lambda data: (written.append(len(data)), write(data))  # type: ignore
            return upload

    def stop(progress: Progress) -> None:
        if progress.done > 4 * 2**20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        disk.add_component(component, progress=stop)
    halves = [name for name in studio.stored() if name.endswith(".part")]
    assert len(halves) == 1
    assert (studio.disk / halves[0]).stat().st_size == 8 * 2**20
    session.locations.add("studio", accessor=Counting(studio.disk), structure=StandardStructure(), priority=1)
    disk.add_component(component)
    assert sum(written) == 2**20
    assert Path(disk.get_filesystem_path(component)).read_bytes() == content
    assert studio.stored() == ["sintel/sq010/sh_020/comp/v001/main.mov"]


def test_a_half_that_differs_is_written_again(studio: Any) -> None:
    """From where it differs on."""
    session = studio.session
    path = studio.file("a.mov", b"x" * (5 * 2**20))
    component = session.create_component(path, {"version": studio.version}, None)
    session.commit()
    half = studio.disk / f"sintel/sq010/sh_020/comp/v001/.main.mov.{component.id}.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"x" * (4 * 2**20) + b"other")
    session.location("studio").add_component(component)
    assert Path(session.location("studio").get_filesystem_path(component)).read_bytes() == b"x" * (5 * 2**20)


def test_another_session_at_work_is_left_alone(studio: Any) -> None:
    """Two sessions put the same component into one location: the second is told, and may recover later."""
    session = studio.session
    component = session.create_component(studio.file("a.mov", b"x"), {"version": studio.version}, None)
    session.commit()
    disk = session.location("studio")
    told: list[Exception] = []
    with session.fork() as other:
        same = other.get("FileComponent", component.id)
        other.locations.origins[same] = str(studio.files / "a.mov")
        place = other.location("studio")

        def compete(progress: Progress) -> None:
            with pytest.raises(AlreadyThere, match="another session") as caught:
                place.add_component(same)
            told.append(caught.value)

        disk.add_component(component, progress=compete)
    assert len(told) == 1
    assert studio.stored() == ["sintel/sq010/sh_020/comp/v001/main.mov"]


def test_transformers_change_what_the_server_is_told(studio: Any) -> None:
    """And back: files stay where the structure says."""

    class Prefixed:
        def encode(self, identifier: str, component: Any) -> str:
            return f"studio:{identifier}"

        def decode(self, identifier: str, component: Any) -> str:
            return identifier.removeprefix("studio:")

    session = studio.session
    session.locations.add("studio", accessor=DiskAccessor(studio.disk), transformer=Prefixed(), priority=1)
    component = session.create_component(studio.file("a.mov", b"x"), {"version": studio.version})
    row = session.query(f"ComponentLocation where component.id is '{component.id}'").one()
    assert row["resource_identifier"] == f"studio:{component.id}"
    assert session.location("studio").get_resource_identifier(component) == component.id
    assert studio.stored() == [component.id]
    session.location("studio").remove_component(component)
    assert studio.stored() == []


def test_a_location_can_be_described_on_the_server(studio: Any) -> None:
    """Its row tells how it is reached and laid out, for every session that asks for it."""
    row = {"type": "disk", "prefix": str(studio.disk)}
    studio.session.create("Location", {"name": "told", "accessor": row, "structure": {"type": "id"}, "priority": 0})
    studio.session.commit()
    with studio.session.fork() as session:
        with pytest.raises(StructureError):
            session.create_component(studio.file("a.mov", b"x"), {"name": "m"})
        session.locations.learn()
        component = session.create_component(studio.file("a.mov", b"x"), {"name": "m"})
        assert session.pick_location(component)["name"] == "told"
    assert len(studio.stored()) == 1


def test_plugins_configure_locations_when_they_are_first_used(studio: Any) -> None:
    """Once; the session's forks are configured too."""
    called: list[Any] = []
    studio.session.locations.when_used(lambda session: called.append(session))
    assert called == []
    studio.session.pick_location()
    studio.session.pick_location()
    assert called == [studio.session]


def test_subscribers_hear_of_components(studio: Any) -> None:
    """Added and removed, with the keys of component and location."""
    told: list[tuple[str, str, str]] = []
    hub = studio.session.event_hub
    hub.subscribe(
        "topic=callsheet.location.*",
        lambda event: told.append((event.topic, event.data["component_id"], event.data["location_id"])),
    )
    component = studio.session.create_component(studio.file("a.mov", b"x"), {"version": studio.version})
    disk = studio.session.location("studio")
    disk.remove_component(component)
    assert told == [
        ("callsheet.location.component-added", component.id, disk.id),
        ("callsheet.location.component-removed", component.id, disk.id),
    ]


def test_a_schema_without_components_is_told_so() -> None:
    """Rather than an error about a type."""
    from callsheet import Session

    with Session("memory:", schema={"name": "tiny", "types": {"Dot": {}}}) as session:
        session.open()
        with pytest.raises(SchemaError, match="has no Component, ComponentLocation, Location"):
            session.create_component("x")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_same_verbs_can_be_awaited(backend: str, tmp_path: Path) -> None:
    """Creating, placing, finding, removing."""
    import anyio

    (tmp_path / "a.mov").write_bytes(b"movie")

    async def main() -> None:
        async with AsyncSession("memory:") as session:
            session.locations.add("disk", accessor=DiskAccessor(tmp_path / "disk"), priority=1)
            component = await session.create_component(str(tmp_path / "a.mov"))
            location = await session.pick_location(component)
            assert await location.get_filesystem_path(component) == str(tmp_path.resolve() / "disk" / component.id)
            server = await session.location("server")
            await server.add_component(component)
            assert await session.get_component_availability(component, [location, server]) == {
                location.id: 100.0,
                server.id: 100.0,
            }
            await location.remove_component(component)
            assert await component.get_availability([location]) == {location.id: 0.0}

    anyio.run(main, backend=backend)
