"""The two kinds of session have the same verbs, each declared once; what differs between them is listed here."""

from __future__ import annotations

import inspect
import pydoc
from typing import Any

import pytest

from callsheet import AsyncQueryResult, AsyncSession, QueryResult, Session
from callsheet.core import commit, populating
from callsheet.core.verb import Verb
from callsheet.session.events import AsyncEventHub, EventHub

PAIRS = [(Session, AsyncSession), (QueryResult, AsyncQueryResult)]

#: Names that one kind has and the other has not, and why.
ONLY: dict[type, dict[str, str]] = {
    Session: {"__enter__": "`with`", "__exit__": "`with`"},
    AsyncSession: {"__aenter__": "`async with`", "__aexit__": "`async with`"},
    QueryResult: {
        "__iter__": "`for`",
        "__len__": "fetches",
        "__bool__": "fetches",
        "__getitem__": "fetches: `await result.slice(…)`",
    },
    AsyncQueryResult: {"__aiter__": "`async for`", "slice": "what `result[a:b]` does, awaited"},
}
SPECIAL = {name for found in ONLY.values() for name in found if name.startswith("__")}
#: What each kind writes out itself, because it waits in its own way or gives objects of its own kind.
WRITTEN_OUT = {
    Session: {
        *("run", "open", "close", "query", "select", "model_interface", "browse", "selection", "__getitem__"),
        *("change_password", "create_cube", "create_cube_from_toml"),
    },
    QueryResult: {"run", "records"},
}
#: Methods that make no request are plain in both.
PLAIN = {
    *("query", "select", "model_interface", "browse", "selection", "__getitem__"),
    *("create_cube", "create_cube_from_toml"),
}


def names(cls: type) -> set[str]:
    """What users of a class see of it."""
    return {name for name in dir(cls) if not name.startswith("_") or name in SPECIAL}


def verbs(cls: type) -> dict[str, Verb[..., Any]]:
    """The verbs of a class that are declared once."""
    found = inspect.getmembers_static(cls)
    return {name: value for name, value in found if isinstance(value, Verb)}


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_the_names_are_the_same(blocking: type, awaiting: type) -> None:
    """Both kinds have the same names, except those listed in ONLY."""
    assert names(blocking) - names(awaiting) == set(ONLY[blocking])
    assert names(awaiting) - names(blocking) == set(ONLY[awaiting])


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_what_is_written_out_twice_is_alike(blocking: type, awaiting: type) -> None:
    """Methods that each kind writes out itself have equal parameters, equal docstrings, and wait in their own way."""
    both = {name for name in names(blocking) & names(awaiting) if name in vars(blocking) and name in vars(awaiting)}
    written = {name for name in both if inspect.isfunction(vars(blocking)[name])}
    assert written == WRITTEN_OUT[blocking]
    for name in sorted(written):
        one, other = vars(blocking)[name], vars(awaiting)[name]
        assert list(inspect.signature(one).parameters.values()) == list(inspect.signature(other).parameters.values())
        assert inspect.getdoc(one) == inspect.getdoc(other)
        assert not inspect.iscoroutinefunction(one)
        waits = inspect.iscoroutinefunction(other) or inspect.isasyncgenfunction(other)
        assert waits == (name not in PLAIN), name


@pytest.mark.parametrize(
    ("pair", "name"), [(pair, name) for pair in PAIRS for name in sorted(verbs(pair[0]))], ids=lambda value: str(value)
)
def test_a_verb_has_the_docstring_and_parameters_of_its_flow(pair: tuple[type, type], name: str) -> None:
    """`help(session.commit)` and `inspect.signature` show those of the flow, in both kinds; one kind is awaited."""
    flow = verbs(pair[0])[name].flow
    for kind in pair:
        method = getattr(kind, name)
        assert method.__name__ == name
        assert inspect.getdoc(method)
        assert inspect.getdoc(method) == inspect.getdoc(flow)
        parameters = list(inspect.signature(method).parameters.values())
        assert parameters[0].name == "self"
        assert parameters[1:] == list(inspect.signature(flow).parameters.values())[1:]
        assert "Flow" not in str(inspect.signature(method).return_annotation)
        assert inspect.iscoroutinefunction(method) == (kind is pair[1])


def test_help_shows_a_verb() -> None:
    """The text of `help(session.commit)` has the signature without the session, the result, and the docstring."""
    with Session("memory:") as session:
        text = pydoc.render_doc(session.commit, renderer=pydoc.plaintext)
        parameters = "conflicts: 'str | None' = None, agree: 'bool | None' = None"
        last = "progress: 'ProgressFunction | bool | None' = None"
        assert f"commit({parameters}, *, {last}) -> " in " ".join(text.split())
        assert "-> 'CommitResult | None'" in text
        assert "Send everything pending as one atomic batch" in text
    assert verbs(Session)["commit"].flow is commit.commit
    assert verbs(AsyncSession)["populate"].flow is populating.populate


def test_what_needs_no_network_is_shared() -> None:
    """Recording, rolling back and looking at what is pending come from one class."""
    for name in ("create", "delete", "rollback", "pending", "created", "modified", "deleted", "auto_populating"):
        assert inspect.getattr_static(Session, name) is inspect.getattr_static(AsyncSession, name)
    for name in ("where", "order_by", "limit", "offset", "pages_of"):
        assert inspect.getattr_static(QueryResult, name) is inspect.getattr_static(AsyncQueryResult, name)


def test_a_hub_has_the_same_verbs_in_both_kinds() -> None:
    """Each is declared once; `connect` takes the group of its task where it is awaited, and starting is no talking."""
    assert names(EventHub) == names(AsyncEventHub)
    shared = {"disconnect", "publish", "publish_reply", "request", "wait"}
    assert set(verbs(EventHub)) == shared | {"connect"}
    assert set(verbs(AsyncEventHub)) == shared
    for name in shared:
        assert inspect.getattr_static(EventHub, name) is inspect.getattr_static(AsyncEventHub, name)
        assert inspect.iscoroutinefunction(getattr(AsyncEventHub, name))
        assert inspect.signature(getattr(EventHub, name)) == inspect.signature(getattr(AsyncEventHub, name))
    assert inspect.getdoc(EventHub.connect) == inspect.getdoc(AsyncEventHub.connect)
    written = {name for name in names(EventHub) if name in vars(EventHub) and name in vars(AsyncEventHub)}
    assert written == {"connect", "run", "start", "stop"}
