"""The processes of a run: the stub, the measured clients, and the peer's environment, made once and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Client", "peer_python", "stub_counts", "stub_server"]

ROOT = Path(__file__).parents[2]
PEER = ("ftrack-python-api==3.1.0", "setuptools<81")


def environment() -> dict[str, str]:
    """This one, with the sources importable and nothing that differs from run to run."""
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}


def peer_python() -> str:
    """The interpreter of the peer's environment, in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / "callsheet" / f"benchmark-peer-3.1.0-python-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.exists():
        print(f"making the peer's environment in {folder} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER], check=True)
        ready.touch()
    return str(python)


@contextmanager
def stub_server() -> Iterator[str]:
    """The URL of a stub in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.stub"], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def stub_counts(url: str, latency: float = 0.0) -> dict[str, int]:
    """What arrived since this was last asked; ``latency`` in milliseconds from now on."""
    with urllib.request.urlopen(f"{url}/_counts?latency={latency:g}") as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


class Client:
    """One measured client: give it jobs, get figures."""

    def __init__(self, name: str, python: str, *arguments: str) -> None:
        self.name = name
        self._folder = tempfile.TemporaryDirectory(prefix="callsheet-benchmark-")
        self._process = subprocess.Popen(
            [python, "-m", f"tests.benchmarks.{name}", *arguments, self._folder.name],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

        # What it sends while it starts belongs to no measurement.
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def do(self, job: str, **arguments: Any) -> dict[str, Any]:
        """The figures of one job."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"job": job, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client {self.name} ended during {job}")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()
