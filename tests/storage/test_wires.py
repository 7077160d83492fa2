"""Files go up and down over both wires: in parts, with checksums, and without keys in addresses."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import callsheet
from callsheet import Session
from callsheet.errors import Conflict, Forbidden, Invalid, NotFound, TransportError
from callsheet.server.service import Service
from callsheet.storage.disk import DiskAccessor
from callsheet.storage.structure import StandardStructure

KEY = "the key of these tests"


@pytest.fixture(scope="module", params=["native", "ftrack"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with Callsheet's own schema, and the wire to speak."""
    folder = tmp_path_factory.mktemp("served")
    url = f"sqlite:///{(folder / 's.db').as_posix()}"
    with Service.open(url, "production", KEY, seed=True) as service:
        service.accounts.add("reader", "reader", KEY + " of the reader")
    with callsheet.serve("production", url, files=folder / "files") as server:
        yield server.url, request.param


@pytest.fixture
def session(served: Any) -> Iterator[Any]:
    """A session over the wire."""
    url, dialect = served
    with Session(url, "admin", KEY, dialect=dialect) as session:
        yield session


def version_of(session: Any) -> Any:
    """A new committed version."""
    project = session.create("Project", {"name": f"p{os.urandom(4).hex()}"})
    asset = session.create("Asset", {"name": "comp", "parent": project})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return version


@pytest.mark.parametrize("size", [0, 1, 300_000, 17 * 2**20 + 5], ids=["empty", "byte", "small", "in parts"])
def test_a_file_goes_up_and_comes_down(session: Any, tmp_path: Path, size: int) -> None:
    """As it was, through the server and onto a disk; then it is gone."""
    content = os.urandom(size)
    path = tmp_path / "a.mov"
    path.write_bytes(content)
    session.locations.add("disk", accessor=DiskAccessor(tmp_path / "disk"), structure=StandardStructure(), priority=1)
    server, disk = session.location("server"), session.location("disk")
    component = session.create_component(str(path), {"version": version_of(session), "name": "m"}, "server")
    disk.add_component(component, server)
    assert Path(disk.get_filesystem_path(component)).read_bytes() == content
    url = server.get_url(component)
    assert KEY not in url
    assert httpx.get(url).content == content
    server.remove_component(component)
    assert httpx.get(url).status_code == 404
    assert session.get_component_availability(component, [server, disk]) == {server.id: 0.0, disk.id: 100.0}


def test_signed_addresses_cannot_be_changed(session: Any, tmp_path: Path) -> None:
    """Neither the component, nor the time, nor the signature."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"secret")
    component = session.create_component(str(path), {"version": version_of(session)}, "server")
    url = httpx.URL(session.location("server").get_url(component))
    params = dict(url.params)
    for name, value in (("id", "other"), ("until", "99999999999"), ("until", ""), ("signature", ""), ("until", "x")):
        answer = httpx.get(url.copy_with(params={**params, name: value}))
        assert answer.status_code == 403, name
    assert httpx.get(url.copy_with(params={"id": component.id})).status_code == 401


def test_a_wrong_checksum_is_refused(served: Any) -> None:
    """Of a part and of the whole; what was uploaded is gone then. Only the native wire goes in such parts."""
    url, dialect = served
    if dialect != "native":
        pytest.skip("the vendor's wire has no such verbs")
    headers = {"authorization": f"Bearer {KEY}", "x-callsheet-user": "admin"}
    binary = {**headers, "content-type": "application/octet-stream"}
    with httpx.Client(base_url=f"{url}/v1/files/k1", headers=headers) as client:
        wrong = client.put("/data", params={"offset": 0, "checksum": "0" * 64}, content=b"abc", headers=binary)
        assert wrong.status_code == 422
        told = hashlib.sha256(b"abc").hexdigest()
        for _ in range(2):
            good = client.put("/data", params={"offset": 0, "checksum": told}, content=b"abc", headers=binary)
            assert good.json()["received"] == 3
        gap = client.put("/data", params={"offset": 7, "checksum": told}, content=b"abc", headers=binary)
        assert (gap.status_code, gap.json()["error"]["details"]) == (409, {"received": 3})
        assert client.post("/finish", json={"size": 3, "checksum": "0" * 64}).status_code == 422
        assert client.get(f"{url}/v1/files/k1").json() == {"size": None, "received": 0}
        large = client.put("/data", params={"offset": 0, "checksum": told}, content=bytes(17 * 2**20), headers=binary)
        assert large.status_code == 413
        odd = client.put("/data", params={"offset": "-1", "checksum": told}, content=b"abc", headers=binary)
        assert odd.status_code == 422


def test_readers_read_and_change_nothing(served: Any, session: Any, tmp_path: Path) -> None:
    """An account that may not write uploads nothing, removes nothing, and reads."""
    url, dialect = served
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    component = session.create_component(str(path), {"version": version_of(session)}, "server")
    with Session(url, "reader", KEY + " of the reader", dialect=dialect) as reader:
        same = reader.get("FileComponent", component.id)
        reader.locations.add("disk", accessor=DiskAccessor(tmp_path / "disk"))
        assert httpx.get(reader.location("server").get_url(same)).content == b"abc"
        upload = reader.run(reader._dialect.upload(component.id, "a", 3))
        with pytest.raises((Forbidden, Conflict)):
            reader.run(upload.send(b"xyz"))
        if dialect == "native":
            with pytest.raises(Forbidden):
                reader.run(reader._dialect.remove_file(component.id))
        with pytest.raises((Forbidden, NotFound, Invalid)):
            reader.location("server").remove_component(same)
    assert httpx.get(session.location("server").get_url(component)).content == b"abc"


def test_an_upload_goes_on_where_it_stopped(served: Any, tmp_path: Path) -> None:
    """After the session died in the middle, what the server has is not sent again; over the native wire."""
    url, dialect = served
    if dialect != "native":
        pytest.skip("the vendor's wire begins anew")
    path = tmp_path / "a.mov"
    path.write_bytes(os.urandom(20 * 2**20))

    def stop(progress: Any) -> None:
        if progress.done > 8 * 2**20:
            raise KeyboardInterrupt

    with Session(url, "admin", KEY, dialect=dialect) as session:
        component = session.create_component(str(path), {"version": version_of(session)}, None)
        session.commit()
        server = session.location("server")
        with pytest.raises(KeyboardInterrupt):
            server.add_component(component, progress=stop)
        before = session.statistics.bytes_sent
        server.add_component(component)
        assert session.statistics.bytes_sent - before < 5 * 2**20
        assert httpx.get(server.get_url(component)).content == path.read_bytes()


def test_the_key_goes_to_the_server_alone(served: Any) -> None:
    """A request to an address elsewhere has no header of the user's."""
    import respx

    from callsheet.flow import Request
    from callsheet.transport.http import HttpTransport

    transport = HttpTransport("https://studio.example.org", {"ftrack-api-key": KEY, "authorization": KEY})
    with respx.mock:
        route = respx.put("https://bucket.example.com/x?signature=1").respond(200)
        request = Request("PUT", "https://bucket.example.com/x?signature=1", b"abc", safe=True)
        assert transport.send(request).status == 200
    with pytest.raises(TransportError, match="without encryption"):
        transport.send(Request("GET", "http://bucket.example.com/x", safe=True))
    transport.close()
    sent = route.calls.last.request
    assert KEY not in str(sent.headers)
    assert sent.content == b"abc"
