"""Files that Callsheet's own client put on the server, and files for it."""

import os
import tempfile

import ftrack_api
import ftrack_api.structure.id

SERVER = ftrack_api.symbol.SERVER_LOCATION_ID


def check_what_callsheet_uploaded_comes_down(place):
    """A file and the frames of a sequence, as they were."""
    session = place.fresh()
    server = session.get("Location", SERVER)
    disk = session.create("Location", {"name": place.name("disk")})
    session.commit()
    disk.accessor = ftrack_api.accessor.disk.DiskAccessor(prefix=tempfile.mkdtemp())
    disk.structure = ftrack_api.structure.id.IdStructure()
    disk.priority = 1
    single = session.query('FileComponent where name is "from callsheet"').one()
    frames = session.query('SequenceComponent where name is "frames from callsheet"').one()
    assert [server.get_component_availability(each) for each in (single, frames)] == [100.0, 100.0]
    disk.add_component(single, server)
    with open(disk.get_filesystem_path(single), "rb") as file:
        assert file.read() == b"made by callsheet"
    disk.add_component(frames, server)
    for member in frames["members"]:
        with open(disk.get_filesystem_path(member), "rb") as file:
            assert file.read() == b"frame " + member["name"].encode()


def check_something_for_callsheet(place):
    """A file and a sequence, uploaded by the vendor's client."""
    session = place.fresh()
    version = place.version(session)
    server = session.get("Location", SERVER)
    folder = tempfile.mkdtemp()
    for name in ("single.txt", "frame.0001.exr", "frame.0002.exr"):
        with open(os.path.join(folder, name), "w") as file:
            file.write("vendor " + name)
    version.create_component(os.path.join(folder, "single.txt"), {"name": "from vendor"}, location=server)
    frames = os.path.join(folder, "frame.%04d.exr [1-2]")
    version.create_component(frames, {"name": "frames from vendor"}, location=server)
