"""Studios to try behaviours on: ftrack's schema in ftrack's dialect, and the preset in our own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callsheet import Session
from callsheet.dialects.ftrack.client.dialect import FtrackDialect
from callsheet.server.service import Service
from callsheet.session.connection import ServerConnection, over
from dialects.embedded import Direct
from studios import KEY, vendor_studio


@pytest.fixture(scope="module")
def vendor_service() -> Iterator[Service]:
    """A store of ftrack's schema with a small studio in it; one for each file of tests."""
    with vendor_studio() as service:
        yield service


@pytest.fixture
def wire(vendor_service: Service) -> Direct:
    """The way to that store; tells what was sent."""
    return Direct(vendor_service)


@pytest.fixture
def vendor(wire: Direct) -> Iterator[Session]:
    """A session of the user ``admin`` in ftrack's dialect."""
    with Session(connection=ServerConnection(FtrackDialect(), wire, None, user="admin")) as session:
        yield session


@pytest.fixture(scope="module")
def preset_service() -> Iterator[Service]:
    """A seeded store of the preset ``production``; one for each file of tests."""
    with Service.open("memory:", "production", KEY, seed=True) as service:
        yield service


@pytest.fixture
def preset(preset_service: Service) -> Iterator[Session]:
    """A session of the user ``admin`` in this process."""
    with Session(connection=over(preset_service.backend("admin"))) as session:
        if session.query("User where username is admin").first() is None:
            session.create("User", {"username": "admin", "name": "Ada"})
            session.commit()
        yield session


@pytest.fixture
def over_wire(preset_service: Service, preset: Session) -> Iterator[Session]:
    """A session in ftrack's dialect on the preset."""
    connection = ServerConnection(FtrackDialect(), Direct(preset_service), None, user="admin")
    with Session(connection=connection) as session:
        yield session


@pytest.fixture(params=["vendor", "preset", "over_wire"])
def session(request: pytest.FixtureRequest) -> Any:
    """Each of the three."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["vendor", "preset"])
def either(request: pytest.FixtureRequest) -> Any:
    """ftrack's schema, and ours."""
    return request.getfixturevalue(request.param)
