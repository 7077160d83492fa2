"""Publishing onto disks through the vendor's locations and structures, with the server that keeps the rows."""

import json
import os
import tempfile

import ftrack_api
import ftrack_api.structure.standard

SERVER = ftrack_api.symbol.SERVER_LOCATION_ID


def _file(folder, name, content=b"content"):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def _disk(place, session):
    location = session.create("Location", {"name": place.name("studio")})
    session.commit()
    location.accessor = ftrack_api.accessor.disk.DiskAccessor(prefix=tempfile.mkdtemp())
    location.structure = ftrack_api.structure.standard.StandardStructure()
    location.priority = 1
    return location


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def check_publishing_by_the_standard_structure(place):
    """A file, a sequence and a container of a version get their paths; both ways of asking for them agree."""
    session = place.fresh()
    version, disk = place.version(session), _disk(place, session)
    folder = tempfile.mkdtemp()
    single = version.create_component(_file(folder, "a.mov"), {"name": "movie"}, location=disk)
    for number in (1, 2):
        _file(folder, f"b.{number:04d}.exr", b"x" * number)
    frames = version.create_component(os.path.join(folder, "b.%04d.exr [1-2]"), {"name": "beauty"}, location=disk)
    project = session.get("Project", version["link"][0]["id"])["name"]
    path = disk.get_filesystem_path(single)
    assert path.endswith(os.path.join("v001", "movie.mov"))
    assert project in path
    assert _read(path) == b"content"
    members = sorted(frames["members"], key=lambda each: each["name"])
    assert [_read(each) for each in disk.get_filesystem_paths(members)] == [b"x", b"xx"]
    other = place.fresh()
    rows = other.query(f"ComponentLocation where component_id is {single['id']} and location_id is {disk['id']}").all()
    assert [path.endswith(row["resource_identifier"]) for row in rows] == [True]
    found = other.query(
        f"select components.component_locations, components.name from AssetVersion where id is {version['id']}"
    )
    assert {each["name"] for each in found.one()["components"]} == {"movie", "beauty"}


def check_adding_twice_and_removing(place):
    """A component is in a location once; moved and removed, rows and files follow."""
    session = place.fresh()
    version, disk = place.version(session), _disk(place, session)
    server = session.get("Location", SERVER)
    component = version.create_component(_file(tempfile.mkdtemp(), "a.txt"), {"name": "main"}, location=disk)
    try:
        disk.add_component(component, server)
    except ftrack_api.exception.ComponentInLocationError:
        pass
    else:
        raise AssertionError("it is there twice")
    server.add_components([component], [disk])
    found = component.get_availability([disk, server])
    assert found == {disk["id"]: 100.0, SERVER: 100.0}
    path = disk.get_filesystem_path(component)
    disk.remove_components([component])
    assert not os.path.exists(path)
    assert session.pick_location(component)["id"] == SERVER
    assert component.get_availability([disk, server]) == {disk["id"]: 0.0, SERVER: 100.0}
    try:
        disk.get_resource_identifier(component)
    except ftrack_api.exception.ComponentNotInLocationError:
        return
    raise AssertionError("it has an identifier where it is not")


def check_a_sequence_through_the_server(place):
    """Frames go up to the server's location and come down from it, each as it was."""
    session = place.fresh()
    version, disk = place.version(session), _disk(place, session)
    folder = tempfile.mkdtemp()
    for number in (8, 9, 10):
        _file(folder, f"c.{number:03d}.exr", bytes([number]) * 10)
    server = session.get("Location", SERVER)
    frames = version.create_component(os.path.join(folder, "c.%03d.exr [8-10]"), {"name": "up"}, location=server)
    assert frames.get_availability([server]) == {SERVER: 100.0}
    fresh = place.fresh()
    found = fresh.get("SequenceComponent", frames["id"])
    assert sorted(each["name"] for each in found["members"]) == ["008", "009", "010"]
    disk.add_component(frames, server)
    for member in frames["members"]:
        assert _read(disk.get_filesystem_path(member)) == bytes([int(member["name"])]) * 10


def check_a_container(place):
    """A container of two files; its availability is that of its members."""
    session = place.fresh()
    version, server = place.version(session), session.get("Location", SERVER)
    container = session.create("ContainerComponent", {"name": "package", "version": version})
    for name in ("a", "b"):
        path = _file(tempfile.mkdtemp(), f"{name}.txt", name.encode())
        session.create_component(path, {"name": name, "container": container}, location=None)
    session.commit()
    server.add_component(container["members"][0], session.query("Location where name is ftrack.origin").one())
    assert container.get_availability([server])[SERVER] == 50.0
    found = place.fresh().get("ContainerComponent", container["id"])
    assert {each["name"] for each in found["members"]} == {"a", "b"}


def check_web_review(place):
    """What is named for the review page is found by its metadata, and stays where it is."""
    session = place.fresh()
    version = place.version(session)
    component = version.create_component(
        _file(tempfile.mkdtemp(), "a.mp4"), {"name": "ftrackreview-mp4"}, location=session.get("Location", SERVER)
    )
    component["metadata"]["ftr_meta"] = json.dumps({"frameIn": 0, "frameOut": 150, "frameRate": 25})
    session.commit()
    where = f'version.id is {version["id"]} and metadata any (key is "ftr_meta")'
    assert place.fresh().query(f"Component where {where}").one()["name"] == "ftrackreview-mp4"


def check_centralised_storage(place):
    """The setting that the vendor's own wizard writes reaches every session as a location on a disk."""
    session = place.fresh()
    prefix = tempfile.mkdtemp()
    location = session.create("Location", {"name": place.name("central"), "label": "Central"})
    session.commit()
    points = {"linux": prefix, "osx": prefix, "windows": prefix}
    data = {"location_id": location["id"], "location_name": location["name"], "accessor": {"mount_points": points}}
    wanted = 'select value from Setting where name is "storage_scenario" and group is "STORAGE"'
    setting = session.query(wanted).one()
    automatic = setting["value"]
    setting["value"] = json.dumps({"scenario": "ftrack.centralized-storage", "data": data})
    session.commit()
    try:
        other = place.fresh()
        assert other.server_information["storage_scenario"]["data"] == data
        picked = other.pick_location()
        assert (picked["id"], picked.priority) == (location["id"], 1)
        version = place.version(other)
        component = version.create_component(_file(tempfile.mkdtemp(), "a.txt"), {"name": "main"}, location="auto")
        assert picked.get_filesystem_path(component).startswith(prefix)
    finally:
        setting["value"] = automatic
        session.commit()
    assert place.fresh().server_information["storage_scenario"]["scenario"] == "ftrack.automatic"
