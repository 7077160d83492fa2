"""The sources are typed throughout, plain in their words, and follow the rules set in ``pyproject.toml``."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _run(*command: str) -> str:
    """What a tool printed, and nothing when it is content."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_types_are_strict() -> None:
    """mypy in its strict mode finds nothing."""
    assert _run("mypy") == ""


def test_the_rules_are_kept() -> None:
    """ruff finds nothing, in the sources, the tests and the plugins."""
    assert _run("ruff", "check", "--no-cache", "src", "tests", "plugins") == ""


PLAIN_NAMES = {"told", "asking", "saying", "believed", "heard", "whoever"}
"""Names of this kind do not say what a value is; ``definition``, ``reply`` or ``header`` do."""

PLAIN_WORDS = re.compile(
    r"\b(whoever|anybody|(is|are|was|were|be|been) told|of our making|has the word|(start|begin)s? anew)\b",
    re.I,
)
"""Phrases that a plain word replaces, such as "the caller", "every account", "gets", "restarts"."""

NOT_YET_PLAIN = ("compat/", "dialects/ftrack/", "export/", "sync/")
NAMES_OF_STORED_VALUES = {"storage/intent.py: told"}


def test_names_and_phrases_are_plain() -> None:
    """A value has the name of what it is, and a sentence says what holds."""
    found = []
    package = ROOT / "src" / "callsheet"
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).as_posix()
        if not place.startswith(NOT_YET_PLAIN):
            found += [f"{place}: {each}" for each in _mannered(path.read_text(encoding="utf-8"))]
    assert sorted(set(found) - NAMES_OF_STORED_VALUES) == []


def _mannered(source: str) -> list[str]:
    """The names and phrases that are not plain."""
    found = [match.group() for match in PLAIN_WORDS.finditer(source)]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found += [node.id] * (node.id.strip("_") in PLAIN_NAMES)
        elif isinstance(node, ast.arg):
            found += [node.arg] * (node.arg.strip("_") in PLAIN_NAMES)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found += [node.name] * (node.name.strip("_") in PLAIN_NAMES)
    return found
