"""For the tests of people who build on Callsheet: an in-process server, fixtures, the dialect contract.

The pytest plugin is loaded by itself when Callsheet is installed; it gives four fixtures:

- ``callsheet_service``: an embedded server in memory, with the production schema and nothing in it;
- ``callsheet_session``: a session on it, as its administrator;
- ``callsheet_connect``: a function that gives further sessions on it: ``callsheet_connect(user="martin")``;
- ``fake_events``: runs durable handlers on it, on events that happen and on ones that are made up
  (``callsheet.testing.events``).

``DialectContract`` (in ``callsheet.testing.contract``) is what every dialect must pass.
"""

from __future__ import annotations

from typing import Any

__all__ = ["memory_service", "session_on"]


def memory_service(schema: Any = "production") -> Any:
    """An embedded server in memory, in this process, without a socket. Close it when done.

    >>> service = memory_service()
    >>> session_on(service).create("Project", {"name": "sintel"})["name"]
    'sintel'
    >>> service.close()
    """
    from callsheet.server.service import Service

    return Service.open("memory:", schema)


def session_on(service: Any, user: str = "admin", **options: Any) -> Any:
    """A blocking session on an embedded server; closing it leaves the server open."""
    from callsheet.session.blocking import Session
    from callsheet.session.connection import over

    return Session(connection=over(service.backend(user)), **options)
