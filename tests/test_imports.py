"""Importing is cheap: what is heavy is imported by those who use it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import callsheet

HEAVY = ("anyio", "click", "filelock", "httpx", "rich", "sqlalchemy", "starlette", "trio", "uvicorn")
PROGRAM = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def modules_after(statement: str) -> list[str]:
    """The modules that a statement imports, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)], capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(done.stdout)
    return found


def heavy(modules: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} & set(HEAVY)


def test_importing_callsheet_imports_next_to_nothing() -> None:
    """The public names are imported when they are first used."""
    modules = modules_after("import callsheet")
    assert heavy(modules) == set()
    assert [name for name in modules if name.startswith("callsheet.")] == []
    assert len(modules) <= 130


def test_the_session_class_needs_no_network_and_no_server() -> None:
    """httpx and the server's libraries come with the first connection."""
    modules = modules_after("import callsheet; callsheet.Session; callsheet.AsyncSession; callsheet.QueryResult")
    assert heavy(modules) == set()
    assert [name for name in modules if name.startswith(("callsheet.server", "callsheet.cli"))] == []


def test_the_session_class_brings_few_modules() -> None:
    """It needs no library but Python's, and of Callsheet what it is declared of; the rest comes with its first use."""
    modules = modules_after("from callsheet import Session")
    assert [name for name in modules if name.partition(".")[0] in ("attr", "cattrs", "msgspec", "inspect")] == []
    assert len([name for name in modules if name.startswith("callsheet.")]) <= 15
    assert len(modules) <= 60


def test_a_first_query_needs_no_rare_verb() -> None:
    """Neither history, nor undo, nor a journal's resumption, nor files, nor the event hub come with a query."""
    statement = "from callsheet import Session; s = Session('memory:'); s.query('Status').all(); s.close()"
    rare = {"callsheet.core.past.history", "callsheet.core.past.undo", "callsheet.core.resume", "callsheet.core.commit"}
    rare |= {"callsheet.session.events", "callsheet.storage.components", "cattrs", "websockets"}
    assert rare & set(modules_after(statement)) == set()


def test_a_session_on_a_url_needs_no_server() -> None:
    """Not even when it is made: the client runs without the server's extras."""
    modules = modules_after("import callsheet; callsheet.Session('https://example.test', api_key='key')")
    assert heavy(modules) <= {"httpx", "anyio"}
    assert [name for name in modules if name.startswith("callsheet.server")] == []


def test_a_wrong_name_is_an_attribute_error() -> None:
    """As of any module; and ``dir`` shows the names that are there."""
    with pytest.raises(AttributeError, match="has no attribute 'Sesion'"):
        callsheet.Sesion  # noqa: B018
    assert set(callsheet.__all__) <= set(dir(callsheet))
