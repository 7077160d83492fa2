"""Capabilities: what decides each, what is said of those that are denied, and that nothing is sent then."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import callsheet
from callsheet.dialects.protocol import Features
from callsheet.errors import CapabilityError, UsageError
from callsheet.model.capability import CAPABILITIES, CONDITIONS, TIERS, Capabilities, CapabilityFacts

ALL = frozenset({"Project", "Shot", "Task", "Cube"})
NOTHING: frozenset[str] = frozenset()
EVERYTHING = dict.fromkeys(("aggregate", "history", "questions", "causes", "scenarios", "tables"), True) | {
    "handlers": True,
    "schedules": True,
}
ROLES = {
    "administrator": (True, dict.fromkeys(("read", "create", "update", "delete"), ALL)),
    "user": (False, dict.fromkeys(("read", "create", "update", "delete"), ALL)),
    "reader": (False, {"read": ALL, "create": NOTHING, "update": NOTHING, "delete": NOTHING}),
    "guest": (False, dict.fromkeys(("read", "create", "update", "delete"), NOTHING)),
}
WIRES = {"older": (0, 0), "same": (1, 1), "newer too": (1, 4), "newer": (2, 3)}
WRITES = {"entities.create", "entities.update", "entities.delete", "scenarios.create", "cubes.share"} | {
    name for name in CAPABILITIES if name.startswith("tables.") and name != "tables.read"
}
ADMINISTERS = {"external.connect", "security.manage", "workspaces.manage"}
PROCESS = {"logs.path", "server.wait", "endpoints.define"}


def facts(role: str, wire: str = "same", same_host: bool = False, features: bool = True) -> CapabilityFacts:
    administrator, rights = ROLES[role]
    had = EVERYTHING if features else dict.fromkeys(EVERYTHING, False)
    return CapabilityFacts("anna", administrator, rights, WIRES[wire], same_host, had)


def expected(role: str, wire: str, features: bool) -> set[str]:
    """The allowed set, written down apart from the rules."""
    if wire in ("older", "newer"):
        return set()
    allowed = set(CAPABILITIES) - PROCESS
    if role != "administrator":
        allowed -= ADMINISTERS
    if role in ("reader", "guest"):
        allowed -= WRITES
    if role == "guest":
        allowed &= {"pages.link"}
    if not features:
        allowed &= {"pages.link", "entities.read", "entities.create", "entities.update", "entities.delete"} | {
            "tables.read",
            "security.manage",
            "workspaces.manage",
        }
    return allowed


@pytest.mark.parametrize(("role", "wire", "features"), list(product(ROLES, WIRES, (True, False))))
def test_each_cell_of_the_matrix_has_its_allowed_set(role: str, wire: str, features: bool) -> None:
    """Role, version skew and features decide, wherever the session is; what is denied has a text and a cure."""
    for same_host in (True, False):
        known = Capabilities(facts(role, wire, same_host, features))
        assert {name for name, each in known.items() if each.granted} == expected(role, wire, features)
        for name, each in known.items():
            if each:
                continue
            with pytest.raises(CapabilityError) as found:
                known.check(name)
            error = found.value
            assert (error.capability, error.failed) == (name, each.failed)
            assert set(error.failed) <= set(CONDITIONS)
            assert str(error).startswith(f"`{name}` (")
            assert str(error).endswith(error.cure)


def test_external_databases_need_no_user_tables() -> None:
    """A server without the libraries of user tables still asks other databases."""
    without = CapabilityFacts("anna", True, ROLES["administrator"][1], features=EVERYTHING | {"tables": False})
    known = Capabilities(without)
    assert known["external.connect"]
    assert known["external.query"]
    assert known["tables.create"].failed == ("feature",)


def test_tiers_are_names_of_what_is_granted() -> None:
    """They follow from the capabilities, and take nothing away."""
    found = {role: [Capabilities(facts(role, same_host=host)).tier for host in (False, True)] for role in ROLES}
    assert found == {
        "administrator": ["remote", "local"],
        "user": ["no security management", "no security management"],
        "reader": ["read-only", "read-only"],
        "guest": ["minimal", "minimal"],
    }
    assert Capabilities(facts("administrator", "newer")).tier == "minimal"
    assert Capabilities(CapabilityFacts()).tier == TIERS[0]


def test_the_text_says_what_failed_and_what_helps() -> None:
    """Several conditions are all named."""
    with pytest.raises(CapabilityError) as found:
        Capabilities(facts("reader", "newer", features=False)).check("tables.create")
    assert str(found.value) == (
        "`tables.create` (add user tables) is denied: the server speaks versions 2 to 3 of the wire, and this release "
        "version 1, the server does not have it, `anna` has no right to it; use a client and a server that speak a "
        "version in common; use a server that has it; ask an administrator for a role that may do it"
    )


def test_unknown_names_are_refused_with_a_hint() -> None:
    """A requirement that is misspelt is not met by chance."""
    known = Capabilities(facts("user"))
    with pytest.raises(UsageError, match=r"did you mean `tables\.create`"):
        known.require({"table.create"})
    with pytest.raises(KeyError):
        known["nothing"]
    known.require("tables.create")
    known.require(["entities.create.Task"])
    with pytest.raises(CapabilityError):
        known.require(["entities.create.Nothing"])


def test_each_feature_that_is_needed_is_one() -> None:
    """A rule names fields of `Features`, else it would deny for ever."""
    names = {rule.feature for rule in CAPABILITIES.values()} - {""}
    assert names <= {each.name for each in Features.__attrs_attrs__}  # type: ignore[attr-defined]


def test_nothing_is_sent_where_a_capability_is_denied() -> None:
    """The verb, and the commit, refuse before a request; what was recorded stays pending."""
    with callsheet.Session("memory:") as session:
        session.known_capabilities = Capabilities(facts("reader"))
        requests = session.statistics.requests
        calls: dict[str, Any] = {
            "tables.create": lambda: session.create_table("Rates", {"role": "string"}),
            "tables.load.path": lambda: session.read_csv("none.csv", "Rates"),
            "external.connect": lambda: session.connect_to_external_database("sqlite:///none.db"),
            "scenarios.create": lambda: session.create_scenario("what if"),
        }
        for name, call in calls.items():
            with pytest.raises(CapabilityError) as found:
                call()
            assert found.value.capability == name
        session.create("Project", {"name": "tide"})
        with pytest.raises(CapabilityError) as found:
            session.commit()
        assert found.value.capability == "entities.create.Project"
        assert len(session.pending) == 1
        assert session.statistics.requests == requests


def test_a_session_asks_once_for_its_capabilities() -> None:
    """They are kept, and forks have them; an embedded server is the session's own."""
    with callsheet.Session("memory:") as session:
        found = session.capabilities
        assert session.capabilities is found
        assert session.fork().capabilities is found
        assert found.tier == "local"
        assert found["server.wait"]
        assert "yes  tables.create" in repr(found)


async def _tier() -> str:
    async with callsheet.AsyncSession("memory:") as session:
        return (await session.capabilities).tier


def test_they_are_awaited_where_the_session_is() -> None:
    """As other properties that the server answers."""
    import asyncio

    assert asyncio.run(_tier()) == "local"
