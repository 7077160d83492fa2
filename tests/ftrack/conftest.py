"""Servers for the vendor's own client, and the virtual environment that it runs in.

The environment is made once for a user and kept in the temporary folder; without a package index the tests
that need it are skipped. ``CALLSHEET_VENDOR_PYTHON`` names an interpreter that has the client already.
"""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest
from attrs import frozen

from callsheet.server.process import serve
from recorded import LISTS, replies, schema_list
from studios import KEY, vendor_studio

HERE = Path(__file__).parent
PACKAGES = ("setuptools<81", "ftrack-python-api==3.1.0")


@frozen
class Studio:
    """A served database: its address, and what the checks must know of other accounts."""

    url: str
    keys: Path


@pytest.fixture(scope="session", params=LISTS)
def list_name(request: pytest.FixtureRequest) -> str:
    """Which list of schemas a server has: the studio's, and a real site's where it is on this machine."""
    return str(request.param)


@pytest.fixture(scope="session")
def schemas(list_name: str) -> Path:
    """The file with that list."""
    return schema_list(list_name)


@pytest.fixture(scope="session")
def vendor_python() -> Path:
    """An interpreter with the vendor's client."""
    told = os.environ.get("CALLSHEET_VENDOR_PYTHON")
    if told:
        return Path(told)
    folder = (
        Path(tempfile.gettempdir()) / f"callsheet-vendor-{getpass.getuser()}-{sys.version_info[0]}{sys.version_info[1]}"
    )
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            _make(folder, python)
    return python


def _make(folder: Path, python: Path) -> None:
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
        [str(python), "-W", "ignore", "-c", "import ftrack_api"],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"the vendor's client cannot be installed: {done.stderr.strip()[-300:]}")
    (folder / "complete").touch()


@pytest.fixture(scope="session")
def studio(list_name: str, schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A served studio, one for each list of schemas."""
    folder = tmp_path_factory.mktemp("studio")
    url = f"sqlite:///{(folder / 'studio.db').as_posix()}"
    with vendor_studio(url, schemas) as service:
        told = {"schema_hash": replies(list_name)["query_server_information"]["schema_hash"]}
        told |= {"other_user": "mara", "other_key": service.accounts.add("mara")}
        told |= {"reader_user": "tomas", "reader_key": service.accounts.add("tomas", "reader")}
        service.roles.add("passer-by", ["read:Status"])
        told |= {"nobody_user": "gast", "nobody_key": service.accounts.add("gast", "passer-by")}
    (folder / "callsheet_keys.py").write_text("".join(f"{name} = {value!r}\n" for name, value in told.items()))
    with serve(schemas, url, files=folder / "files") as server:
        yield Studio(server.url, folder)


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A server with Callsheet's own schema."""
    with serve("production", admin_key=KEY, seed=True) as server:
        yield Studio(server.url, tmp_path_factory.mktemp("production"))


Run = Callable[[str, Studio], dict[str, str]]


@pytest.fixture(scope="session")
def run(vendor_python: Path) -> Run:
    """Runs all checks of a module on a server, in one process; what went wrong by check."""
    known: dict[tuple[str, str], dict[str, str]] = {}

    def run_module(name: str, on: Studio) -> dict[str, str]:
        if (name, on.url) not in known:
            script = [str(vendor_python), "-W", "ignore", str(HERE / "vendor" / "runner.py")]
            arguments = [str(HERE / "vendor" / f"{name}.py"), on.url, "admin", KEY]
            environment = {**os.environ, "PYTHONPATH": str(on.keys)}
            done = subprocess.run([*script, *arguments], capture_output=True, text=True, env=environment, timeout=280)
            lines = done.stdout.strip().splitlines()
            assert done.returncode == 0, done.stderr[-3000:]
            assert lines, done.stderr[-3000:]
            known[name, on.url] = json.loads(lines[-1])
        return known[name, on.url]

    return run_module
