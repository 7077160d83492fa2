"""The sources are typed throughout and follow the rules set in ``pyproject.toml``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _run(*command: str) -> str:
    """What a tool printed, and nothing when it is content."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_types_are_strict(tmp_path: Path) -> None:
    """mypy in its strict mode finds nothing."""
    assert _run("mypy", "--cache-dir", str(tmp_path)) == ""


def test_the_rules_are_kept() -> None:
    """ruff finds nothing, in the sources, the tests and the plugins."""
    assert _run("ruff", "check", "--no-cache", "src", "tests", "plugins") == ""
