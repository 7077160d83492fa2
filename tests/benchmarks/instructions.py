"""Instructions per entity, counted by callgrind: two sizes in processes of their own, and their difference.

Unlike times these repeat, whatever else the machine does.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile

from .processes import ROOT, environment

__all__ = ["instructions"]

SIZES = (2_000, 6_000)
_TOTAL = re.compile(r"Collected : (\d+)")


def instructions(client: str, url: str) -> float | None:
    """Of one entity of the query; None where there is no callgrind."""
    if shutil.which("valgrind") is None:
        return None
    few, many = (_count(client, url, size) for size in SIZES)
    return (many - few) / (SIZES[1] - SIZES[0])


def _count(client: str, url: str, size: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", sys.executable]
        done = subprocess.run(
            [*command, "-m", f"tests.benchmarks.{client}", url, folder, str(size)],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
    found = _TOTAL.search(done.stderr)
    assert found is not None, done.stderr
    return int(found[1])
