"""Who is kept out of a project learns nothing of it from the links of its entities to another system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import callsheet
from callsheet import Session
from callsheet.server.service import Service
from callsheet.session.connection import over

KEY = callsheet.external("tracker")
ROWS = [{"id": 1, "name": "open"}, {"id": 2, "name": "secret"}]


@pytest.fixture
def service() -> Iterator[Service]:
    """Two linked projects, one of them private, and an account that is no member of it."""
    with Service.open("memory:", "production") as opened:
        opened.accounts.add("anna", "user")
        with Session(connection=over(opened.backend("admin"))) as session:
            session.plan("Project", ROWS, KEY, {"name": "name"}, conflicts="raise").apply()
            session.query('Project where name is "secret"').one()["is_private"] = True
            session.commit()
        yield opened


def test_neither_links_nor_bases_of_a_private_project_are_seen(service: Service) -> None:
    """By their ids, by a query, and in a plan, whose row for it finds nothing."""
    with (
        Session(connection=over(service.backend("admin"))) as admin,
        Session(connection=over(service.backend("anna"))) as anna,
    ):
        secret = admin.external("tracker", "Project", "2")
        assert admin.external_ids(secret) == [callsheet.ForeignId("tracker", "Project", "2")]
        assert anna.external("tracker", "Project", "1")["name"] == "open"
        assert anna.external("tracker", "Project", "2") is None
        assert anna.external_ids(secret.identity) == []
        assert [each["base"] for each in anna.query("ExternalId")] == [{"name": "open"}]
        plan = anna.plan("Project", ROWS, KEY, {"name": "name"}, conflicts="raise")
        assert [each.key for each in plan.unchanged] == [("1",)]
