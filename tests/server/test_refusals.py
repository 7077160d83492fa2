"""Requests that could bring a server down are refused with a reason; tests/faults found them."""

from __future__ import annotations

import pytest

from callsheet.errors import Invalid, QueryError
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet
from callsheet.model.query import Select
from callsheet.server.service import Service

DOCUMENT = {"name": "dots", "types": {"Dot": {"attributes": {"name": {"type": "string"}}}}}


def test_a_commit_cannot_name_parts_without_end() -> None:
    """A number of parts that nobody can have sent is refused at once."""
    with Service.open("memory:", DOCUMENT) as service, pytest.raises(Invalid, match="at most 2,000 parts"):
        service.commit(ChangeSet("endless", (), 2**63 - 1), "anna")


def test_an_aggregate_asks_for_something() -> None:
    """Without functions and groups there is nothing to answer."""
    with Service.open("memory:", DOCUMENT) as service, pytest.raises(QueryError, match="asks for nothing"):
        service.backend("anna").aggregate(Aggregate(Select("Dot"), ()))
