"""Public is what is exported and documented; both directions."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import callsheet
from callsheet.core.verb import Verb

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
TYPING = ROOT / "tests" / "typing"


def reference_text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(REFERENCE.glob("*.md")))


@pytest.mark.parametrize("name", callsheet.__all__)
def test_a_public_name_resolves_and_is_described(name: str) -> None:
    """It is there, it says what it is, and its home is in the package."""
    found = getattr(callsheet, name)
    if name == "Operation":
        assert found == callsheet.Create | callsheet.Update | callsheet.Delete
        return
    described = type(found) if name == "NOT_SET" else found
    assert described.__module__.startswith("callsheet.")
    assert inspect.getdoc(described)
    assert described.__doc__ is not None, f"{name} inherits its docstring"


def test_public_names_are_sorted() -> None:
    """So that a reader finds them."""
    assert list(callsheet.__all__) == sorted(callsheet.__all__)


@pytest.mark.parametrize("name", callsheet.__all__)
def test_a_public_name_is_in_the_reference(name: str) -> None:
    """As code, in one of the pages."""
    assert re.search(rf"`(callsheet\.)?{name}\b", reference_text()), f"docs/reference does not tell of `{name}`"


DESCRIBED = [
    "Session",
    "AsyncSession",
    "QueryResult",
    "AsyncQueryResult",
    "Entity",
    "Collection",
    "Table",
    "Variable",
    "Selection",
]


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_public_method_is_described(name: str) -> None:
    """A docstring for each, its own or that of what it overrides."""
    cls = getattr(callsheet, name)
    bare = [
        member
        for member, value in inspect.getmembers_static(cls)
        if not member.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, property | Verb))
        and not inspect.getdoc(getattr(cls, member))
    ]
    assert bare == []


def test_the_package_tells_its_types() -> None:
    """The marker of PEP 561 is in the package."""
    assert files("callsheet").joinpath("py.typed").is_file()


@pytest.mark.parametrize("path", sorted(TYPING.glob("*.py")), ids=lambda path: path.name)
def test_the_typed_surface(path: Path) -> None:
    """What users write type-checks under ``mypy --strict``; every ``type: ignore`` in it is needed."""
    mypy = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--cache-dir", ".mypy_cache/surface"]
    done = subprocess.run(
        [*mypy, "--config-file", "", "--follow-imports", "silent", str(path)],
        cwd=ROOT,
        env={"MYPYPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
