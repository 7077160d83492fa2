"""The house stands as it is drawn: import-linter's contracts in pyproject.toml are kept."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command(['--no-cache']))"


def test_imports_point_down() -> None:
    """Floors, purity, extras, dialects, their rooms and cycles, as the contracts say them."""
    done = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kept, 0 broken" in done.stdout


def test_every_room_has_a_floor() -> None:
    """The contract is exhaustive, and the floors are those of the picture."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(contract for contract in contracts if contract["id"] == "floors")
    assert floors["exhaustive"] is True
    assert [set(layer.replace("(", "").replace(")", "").split(" | ")) for layer in floors["layers"]] == [
        {"cli", "testing", "compat"},
        {"demo"},
        {"conform", "stubs", "explorer", "endpoints", "batch", "listening"},
        {"session", "server"},
        {"analytics"},
        {"storage", "production", "sync", "export"},
        {"core"},
        {"entity", "events", "plugins", "transport", "config"},
        {"credentials"},
        {"dialects", "measures"},
        {"model", "flow"},
        {"errors", "collector", "chunks", "bounded", "deferred", "display", "failure", "later", "private", "secret"},
    ]


def test_nobody_keeps_a_drawer() -> None:
    """No file or folder is called utils, helpers, common or base, except what both halves of a dialect share.

    The old names in `compat` are others' choice.
    """
    root = ROOT / "src" / "callsheet"
    rooms = [path for path in root.rglob("*") if path.suffix == ".py" or path.is_dir()]
    rooms = [path for path in rooms if not path.is_relative_to(root / "compat") and "node_modules" not in path.parts]
    names = {path.stem for path in rooms if not (path.name == "common" and path.parent.parent.name == "dialects")}
    assert names & {"utils", "util", "helpers", "helper", "common", "base", "misc"} == set()


def test_a_class_name_means_one_thing() -> None:
    """No two classes of the package have the same name: a name that is free says what is new about the thing."""
    homes: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src" / "callsheet").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_the_architecture_page_names_files_that_exist() -> None:
    """Every path with a folder that the architecture page and the journeys name is a file or folder of the package."""
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    page = page[: page.index("## Where the code departs")] if "## Where the code departs" in page else page
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.(?:py|toml))?)`", page))
    assert len(named) > 10
    missing = [path for path in sorted(named) if not list((ROOT / "src" / "callsheet").glob(f"**/{path}"))]
    assert missing == []


def test_every_place_named_for_a_change_exists() -> None:
    """The page that says where things go names files and folders that are there."""
    page = (ROOT / "docs" / "explanation" / "where-do-i-put.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w-]+(?:/[\w-]+)*(?:\.(?:py|md|toml)|/))`", page))
    assert len(named) > 30
    package = ROOT / "src" / "callsheet"
    assert [name for name in sorted(named) if not (ROOT / name).exists() and not (package / name).exists()] == []
