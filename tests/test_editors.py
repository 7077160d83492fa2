"""What an editor shows: pyright and mypy infer the types of the public surface and of README's screen of code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TYPING = ROOT / "tests" / "typing"
CACHE = str(ROOT / ".mypy_cache" / "surface")
MYPY = ["mypy", "--strict", "--cache-dir", CACHE, "--config-file", "", "--follow-imports", "silent"]
PYRIGHT = ["pyright", "--pythonpath", sys.executable]

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="pyright runs on node, which is not installed")


def checked(command: list[str], path: Path) -> subprocess.CompletedProcess[str]:
    """The outcome of a type checker for one file; it reads the package from this repository."""
    return subprocess.run(
        [sys.executable, "-m", *command, str(path)],
        cwd=path.parent,
        env={**os.environ, "MYPYPATH": str(ROOT / "src"), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
    )


@needs_node
@pytest.mark.parametrize("path", sorted(TYPING.glob("*.py")), ids=lambda path: path.name)
def test_pyright_infers_the_typed_surface(path: Path) -> None:
    """Pyright accepts what mypy accepts in the typing tests, every ``assert_type`` included."""
    done = checked(PYRIGHT, path)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_node
def test_pyright_refuses_what_is_marked(tmp_path: Path) -> None:
    """Without its ``type: ignore`` comments, pyright finds an error on each line of the typing tests that has one."""
    marked: set[int] = set()
    for path in sorted(TYPING.glob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        marked = {number for number, line in enumerate(lines, 1) if "# type: ignore" in line}
        bare = tmp_path / path.name
        bare.write_text("\n".join(line.partition("  # type: ignore")[0] for line in lines) + "\n", encoding="utf-8")
        done = checked(PYRIGHT, bare)
        found = {int(number) for number in re.findall(r":(\d+):\d+ - error", done.stdout)}
        assert found == marked, done.stdout


@pytest.mark.parametrize("command", [MYPY, pytest.param(PYRIGHT, marks=needs_node)], ids=lambda command: command[0])
def test_the_screen_of_code_in_the_readme_is_typed(command: list[str], tmp_path: Path) -> None:
    """The first block of Python in README passes strict type checks as it stands."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert code is not None
    path = tmp_path / "screen.py"
    header = "# pyright: strict\n" if command is PYRIGHT else ""
    path.write_text(header + code[1], encoding="utf-8")
    done = checked(command, path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [MYPY, pytest.param(PYRIGHT, marks=needs_node)], ids=lambda command: command[0])
def test_a_misspelt_name_of_the_package_is_an_error(command: list[str], tmp_path: Path) -> None:
    """Type checkers know all public names, so `callsheet.Sesion` is an error although names are imported on demand."""
    path = tmp_path / "misspelt.py"
    path.write_text('import callsheet\n\ncallsheet.Sesion("memory:")\n', encoding="utf-8")
    done = checked(command, path)
    assert done.returncode == 1
    assert "Sesion" in done.stdout
