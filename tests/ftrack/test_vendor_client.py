"""The vendor's unmodified client works against ``callsheet serve``.

What must hold stands in ``vendor/checks_*.py``, which run in the client's own environment: a process for each
module, since the client is slow to start, and a test for each check.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def _checks(module: str) -> list[str]:
    """The checks of a module that runs in the vendor's environment."""
    tree = ast.parse((HERE / "vendor" / f"{module}.py").read_text(encoding="utf-8"))
    return [each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("check_")]


MODULES = (
    "checks_reading", "checks_writing", "checks_items", "checks_work", "checks_files", "checks_errors", "checks_events",
    "checks_session", "checks_locations",
)  # fmt: skip


def _all() -> Iterator[Any]:
    for module in MODULES:
        for name in _checks(module):
            yield pytest.param(module, name, id=f"{module.removeprefix('checks_')}-{name.removeprefix('check_')}")


@pytest.mark.parametrize(("module", "name"), list(_all()))
def test_on_the_vendors_schema(module: str, name: str, run: Any, studio: Any) -> None:
    """What the check's docstring says holds on a store with a schema of the vendor's."""
    told = run(module, studio)[name]
    assert not told, told


@pytest.mark.parametrize("name", _checks("checks_production"))
def test_on_the_production_schema(name: str, run: Any, production: Any) -> None:
    """What the check's docstring says holds on a store with Callsheet's own schema."""
    told = run("checks_production", production)[name]
    assert not told, told
