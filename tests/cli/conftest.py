"""A server with a small production on it, and the command line that talks to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

import callsheet
from callsheet.cli.commands import callsheet as commands
from callsheet.server.process import Server

Invoke = Callable[..., Result]


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    """A running server with one project, two shots and three tasks."""
    with callsheet.serve(admin_key="a key for tests") as running:
        with callsheet.Session(running.url, api_user="admin", api_key="a key for tests") as session:
            project = session.create("Project", {"name": "sintel", "full_name": "Sintel"})
            for number in (10, 20):
                shot = session.create("Shot", {"name": f"sh{number:03d}", "parent": project, "fend": 1000 + number})
                session.create("Task", {"name": "layout", "parent": shot, "bid": 3.5})
            session.create("Task", {"name": "edit, and mix", "parent": project})
            session.commit()
        yield running


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """The log is written as before, once a command that sets it up has run in this process."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def invoke(server: Server) -> Invoke:
    """Run a command as the administrator of the server."""

    def run(*arguments: str, key: str = "a key for tests", columns: str = "160", **options: object) -> Result:
        environment = {
            "CALLSHEET_SERVER": server.url,
            "CALLSHEET_API_USER": "admin",
            "CALLSHEET_API_KEY": key,
            "COLUMNS": columns,
        }
        return CliRunner().invoke(commands, arguments, env=environment, **options)  # type: ignore[arg-type]

    return run
