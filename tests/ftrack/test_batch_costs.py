"""What a request to ``/api`` costs the store: reads are counted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from callsheet.dialects.ftrack.server.dispatch import VendorRequest, handle
from callsheet.model.operation import ChangeSet, Update
from callsheet.model.record import Identity
from callsheet.server.backend import ServiceBackend
from callsheet.server.service import Service
from callsheet.server.views import TransactionView
from studios import vendor_studio


def ask(service: Service, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to one request of the administrator."""
    request = VendorRequest("admin", "http://localhost", msgspec.json.encode(operations), {})
    answer = handle(service.backend("admin"), request)
    answers: list[dict[str, Any]] = msgspec.json.decode(answer.content)
    return answers


def found(service: Service, expression: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = ask(service, [{"action": "query", "expression": expression}])[0]["data"]
    return data


def test_values_of_custom_attributes_are_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many values of an entity a request sets, the store is read as often as for one."""
    reads = [0]
    select = ServiceBackend.select

    def counted(self: ServiceBackend, *arguments: Any) -> Any:
        reads[0] += 1
        return select(self, *arguments)

    with vendor_studio() as service:
        key = found(service, "select id from Task limit 1")[0]["id"]
        (configuration,) = found(service, "select id from CustomAttributeConfiguration where key is brief")
        project = found(service, "select id from Project limit 1")[0]["id"]
        row = Identity("CustomAttributeConfiguration", configuration["id"])
        service.commit(ChangeSet("own", (Update(row, {"project_id": project}),)), "admin")
        monkeypatch.setattr(ServiceBackend, "select", counted)
        costs = []
        for count in (1, 40):
            reads[0] = 0
            order: dict[str, Any] = {"action": "update", "entity_type": "CustomAttributeValue"}
            order["entity_key"] = [configuration["id"], key]
            done = ask(service, [{**order, "entity_data": {"value": f"text {number}"}} for number in range(count)])
            assert len(done) == count
            costs.append(reads[0])
    assert costs[0] == costs[1]


def test_what_is_read_before_the_first_write_needs_no_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of many queries and a create holds the only writer for the create; answers keep their places."""
    inside = [0]
    connect = TransactionView.connect

    def counted(self: TransactionView, store: Any) -> Any:
        inside[0] += 1
        return connect(self, store)

    with vendor_studio() as service:
        monkeypatch.setattr(TransactionView, "connect", counted)
        query = {"action": "query", "expression": "select id from Task limit 1"}
        create = {"action": "create", "entity_type": "Project", "entity_data": {"name": "p", "full_name": "p"}}
        costs = []
        for count in (1, 50):
            inside[0] = 0
            create["entity_data"] = {"name": f"p{count}", "full_name": f"p{count}"}
            done = ask(service, [*[query] * count, create, query])
            assert [each["action"] for each in done] == ["query"] * count + ["create", "query"]
            costs.append(inside[0])
        assert costs[0] == costs[1] > 0
        refused = ask(service, [query, query, {**create, "entity_data": {"name": 5, "bogus": []}}])
        assert isinstance(refused, dict)
        assert refused.get("operation") == 2
