"""A server in a process of its own: it starts, answers, tells why it cannot, and ends with its parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from attrs import evolve

from callsheet import Session
from callsheet.dialects.native.client import NativeDialect
from callsheet.errors import CallsheetError, Disconnected, SchemaError, Unauthorised, UsageError
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.server.process import Server, serve
from callsheet.transport.drive import run
from callsheet.transport.http import HttpTransport

DOCUMENT = {"name": "dots", "types": {"Dot": {"attributes": {"name": {"type": "string"}}}}}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(DOCUMENT) as server:
        yield server


def transport(server: Server, key: str | None = None) -> HttpTransport:
    return HttpTransport(server.url, {"authorization": f"Bearer {key or server.admin_key}"})


def wait_until_gone(process_id: int) -> bool:
    for _ in range(600):
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{process_id}/stat").exists():
            state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "Z":
                return True
        time.sleep(0.05)
    return False


def test_a_session_over_the_wire(server: Server) -> None:
    """Describe, commit (twice, once done) and select work through process, HTTP and store."""
    dialect = NativeDialect()
    with transport(server) as wire:
        description = run(dialect.describe(), wire)
        assert description.schema is not None
        assert description.schema.hash == description.schema_hash
        dialect.learn(description.schema)
        changes = ChangeSet("first", (Create(Identity("Dot", "a"), {"name": "é"}),))
        result = run(dialect.commit(changes), wire)
        assert run(dialect.commit(changes), wire) == evolve(result, replayed=True)
        page = run(dialect.select(Select("Dot"), 10), wire)
    assert [(block.entity_type, list(block.rows)) for block in page.records] == [("Dot", [("a", 1, "é")])]


def test_handle(server: Server) -> None:
    """The handle says where it is and that it runs; the key is not among the arguments of the process."""
    assert server.url.startswith("http://127.0.0.1:")
    assert server.ready
    assert not server.closed
    assert server.logs_path.exists()
    assert server.admin_key is not None
    assert server.admin_key not in server.logs_path.read_text()
    command = subprocess.run(["ps", "-o", "args=", "-p", str(server.process_id)], capture_output=True, text=True)
    assert server.admin_key not in command.stdout


def test_a_wrong_key(server: Server) -> None:
    """Without the key there is no way in."""
    with transport(server, "wrong-key") as wire, pytest.raises(Unauthorised):
        run(NativeDialect().describe(), wire)


def test_other_host_names_are_refused(server: Server) -> None:
    """A page that leads its own name to this machine gets nothing."""
    wire = HttpTransport(server.url, {"authorization": f"Bearer {server.admin_key}", "host": "evil.example"})
    with wire, pytest.raises(CallsheetError, match="host name"):
        run(NativeDialect().describe(), wire)


def test_close_and_start_again(tmp_path: Path) -> None:
    """The data outlive the server, an own admin key too; after close nobody answers."""
    database = f"sqlite:///{(tmp_path / 'dots.db').as_posix()}"
    logs = tmp_path / "logs" / "server.log"
    with serve(DOCUMENT, database, admin_key="my own key", logs_path=logs) as server:
        assert server.admin_key == "my own key"
        with transport(server) as wire:
            run(NativeDialect().commit(ChangeSet("c", (Create(Identity("Dot", "a"), {"name": "x"}),))), wire)
            server.close()
            server.close()
            assert server.closed
            assert not server.ready
            with pytest.raises(Disconnected):
                wire.send(next(NativeDialect().call("x", {})))  # type: ignore[arg-type]
    assert logs.exists()
    with serve(DOCUMENT, database) as server, transport(server, "my own key") as wire:
        assert server.admin_key is None
        page = run(NativeDialect().select(Select("Dot"), 10), wire)
        assert [list(block.rows) for block in page.records] == [[("a", 1, "x")]]


def test_errors_of_the_start_are_told() -> None:
    """What stops the child is raised by the parent, as the same error where it is one of ours."""
    with pytest.raises(SchemaError, match="Missing"):
        serve({"types": {"Dot": {"extends": "Missing"}}})
    in_use = pytest.raises(UsageError, match=r"cannot listen at 127\.0\.0\.1, port .*in use")
    with socket.create_server(("127.0.0.1", 0)) as listening, in_use:
        serve(DOCUMENT, port=listening.getsockname()[1])


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_ends_with_its_parent() -> None:
    """A parent that is killed takes its server with it."""
    code = (
        "import json, sys, time; from callsheet.server.process import serve\n"
        "server = serve(json.loads(sys.argv[1]))\n"
        "print(server.process_id, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, json.dumps(DOCUMENT)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        process_id = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert wait_until_gone(process_id)


def test_it_ends_when_the_program_does() -> None:
    """A program that forgets to close leaves no server behind."""
    code = (
        "import json, sys; from callsheet.server.process import serve\n"
        "server = serve(json.loads(sys.argv[1])); print(server.process_id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(DOCUMENT)], capture_output=True, text=True, check=True
    )
    assert wait_until_gone(int(done.stdout))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_ends_it_in_order(server: Server) -> None:
    """SIGTERM lets the store close: `wait` returns, the exit code is 0."""
    with serve(DOCUMENT) as other:
        os.kill(other.process_id, signal.SIGTERM)
        other.wait()
        assert other.closed
        assert other._process.returncode == 0


@pytest.mark.parametrize(("dialect", "answered", "other"), [("native", 200, 404), ("ftrack", 404, 200)])
def test_a_server_of_one_language(dialect: str, answered: int, other: int) -> None:
    """The other language's addresses are not there; files and events neither."""
    with serve(DOCUMENT, admin_key="my own key", dialects=[dialect]) as server:
        bearer = {"authorization": "Bearer my own key", "x-callsheet-user": "admin"}
        vendor = {"ftrack-user": "admin", "ftrack-api-key": "my own key"}
        with httpx.Client(base_url=server.url) as client:
            assert client.get("/v1/description", headers=bearer).status_code == answered
            asked = client.post("/api", json=[{"action": "query_schemas"}], headers={**vendor, **bearer})
            assert asked.status_code == other
            assert client.get("/img/thumbnail2.png", headers=bearer).status_code == other
            assert client.get("/healthz").status_code == 200
        with Session(server.url, "admin", "my own key", dialect=dialect, schema_cache=False) as session:
            assert session.query("Dot").all() == []


@pytest.mark.parametrize("dialects", [["ftrac"], []])
def test_a_language_that_nobody_speaks(dialects: list[str]) -> None:
    """Is refused before anything is started."""
    with pytest.raises(UsageError, match="a server answers native, ftrack, or both"):
        serve(DOCUMENT, dialects=dialects)
