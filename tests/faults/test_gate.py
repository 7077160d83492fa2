"""The gate: every proof holds, with a share of its faults; marked ``deep``, at full size.

Each runs as its documented command in a process of its own: some proofs fork, set limits or put another
SQLite under the store.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import PROOFS

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and forks"),
]


def run_command(*arguments: str) -> None:
    """The command's exit code is 0; what it printed is shown where it is not."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *sys.path])}
    command = [sys.executable, "-m", "tests.faults", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    for missing in ("no PostgreSQL answers", "no PostgreSQL to start"):
        if missing in done.stdout:
            pytest.skip(missing)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4_000:]}"


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", PROOFS)
def test_proof_holds(name: str) -> None:
    """Nothing is lost, doubled or partial; faults were injected; the negative control failed."""
    run_command("--only", name, "--share")


@pytest.mark.deep
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", PROOFS)
def test_proof_holds_at_full_size(name: str) -> None:
    """The same with many times the faults; runs with ``-m deep``."""
    run_command("--only", name, "--deep")
