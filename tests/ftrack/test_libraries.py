"""Public libraries that import the vendor's client work on Callsheet's modules as they do on the client itself.

The libraries are installed once for a user, without what they depend on; without a package index these tests are
skipped. Each step of ``libraries/with_….py`` runs on both, on the same server.
"""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import filelock
import pytest

from studios import KEY, served_vendor_studio

HERE = Path(__file__).parent / "libraries"
LIBRARIES = ("ftrack-query==2.0.0", "trackteroid==0.1.0rc5")
#: What the libraries need beside the vendor's client.
THEIRS = ("wrapt==1.17.3", "arrow==0.17.0", "python-dateutil==2.9.0.post0", "six==1.17.0")

EXPECTED: dict[str, dict[str, Any]] = {
    "with_ftrack_query": {
        "tasks_of_a_name": ["animation", "animation"],
        "a_statement_is_iterated": 6,
        "projections_and_order": ["lighting", True],
        "counts_by_group": [18],
        "a_related_entity": ["animation", "compositing", "lighting"],
        "conditions_on_relations": ["animation", "animation", "compositing", "compositing", "lighting", "lighting"],
        "a_subquery": 6,
        "a_time_that_is_naive": 18,
        "items_of_custom_attributes": ["sh0010", "sh0010", "sh0020", "sh0020", "sh0030", "sh0030"],
        "made_changed_and_deleted": [1, "described", 1, 0],
        "an_expression_for_events": 'topic="ftrack.update" and data.user.name!="nobody"',
        "several_projections_are_populated": ["sh0010", "sh0020", "sh0030"],
    },
    "with_trackteroid": {
        "names_of_all": ["animation", "animation"],
        "names_that_begin_so": ["sh0010", "sh0010"],
        "relations_of_versions": [[1, 2], ["animation"], ["animation"]],
        "parents_of_tasks": ["sh0010", "sh0010", "sh0020", "sh0020", "sh0030", "sh0030"],
        "the_first": ["sintel"],
        "a_value_is_set": ["by a library"],
        "a_version_is_made_and_deleted": 1,
        "custom_attributes": [1001],
        "groups": ["animation", "compositing", "lighting"],
        "a_filter": ["animation"],
        "links": 0,
        "a_new_connection": ["admin", "ines", "jonas", "mara", "tomas"],
    },
}


@pytest.fixture(scope="module")
def libraries() -> Path:
    """The folder that the libraries are in."""
    version = f"{sys.version_info[0]}{sys.version_info[1]}"
    folder = Path(tempfile.gettempdir()) / f"callsheet-libraries-{getpass.getuser()}-{version}"
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
            done = subprocess.run([*install, *LIBRARIES, *THEIRS], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"the libraries cannot be installed: {done.stderr.strip()[-300:]}")
            (folder / "complete").touch()
    return folder


@pytest.fixture(params=["ours", "theirs"])
def client(request: pytest.FixtureRequest) -> tuple[str, str]:
    """An interpreter, and whether Callsheet's modules stand in for the vendor's."""
    if request.param == "ours":
        return sys.executable, "stand-in"
    return str(request.getfixturevalue("vendor_python")), "own"


@pytest.mark.parametrize("module", EXPECTED)
def test_a_library_works_on_both(module: str, client: tuple[str, str], libraries: Path, tmp_path: Path) -> None:
    """Every step gives the same on Callsheet's modules and on the vendor's client."""
    python, standing_in = client
    with served_vendor_studio(tmp_path) as server:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), str(libraries)]),
            "FTRACK_SERVER": server.url,
            "FTRACK_API_USER": "admin",
            "FTRACK_API_KEY": KEY,
            "FTRACK_API_SCHEMA_CACHE_PATH": str(tmp_path),
        }
        command = [python, "-W", "ignore", str(HERE / "runner.py"), module, standing_in]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.strip().splitlines()[-1]) == EXPECTED[module]
