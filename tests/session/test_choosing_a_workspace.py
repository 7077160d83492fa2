"""Which workspace a session is in: by argument, by address, by environment; contradictions are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import AsyncSession, Session, UsageError
from callsheet.config import resolve
from callsheet.model.workspace import address_with, name_in_path, split_address

URL = "https://callsheet.example.org"
PART = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,39}\Z")
NAMES = st.one_of(PART, st.tuples(PART, PART).map("/".join))


def chosen(url: str = URL, workspace: str | None = None, **environment: str) -> tuple[str, str]:
    found = resolve(url, "anna", "a key of hers", False, environment, workspace=workspace)
    return found.url, found.workspace


def test_arguments_win_over_the_environment_and_the_address_names_one_too() -> None:
    assert chosen() == (URL, "default")
    assert chosen(workspace="lab") == (f"{URL}/workspaces/lab", "lab")
    assert chosen(CALLSHEET_WORKSPACE="lab") == (f"{URL}/workspaces/lab", "lab")
    assert chosen(workspace="holidays/uk", CALLSHEET_WORKSPACE="lab") == (
        f"{URL}/workspaces/holidays~uk",
        "holidays/uk",
    )
    assert chosen(workspace="default", CALLSHEET_WORKSPACE="lab") == (URL, "default")
    assert chosen(f"{URL}/workspaces/lab/", CALLSHEET_WORKSPACE="other") == (f"{URL}/workspaces/lab", "lab")
    assert chosen(f"{URL}/below/", workspace="lab") == (f"{URL}/below/workspaces/lab", "lab")
    assert chosen("sqlite:///show.db", workspace="lab") == ("sqlite:///show.db", "lab")
    assert chosen("sqlite:///show.db?workspace=lab") == ("sqlite:///show.db", "lab")


@given(NAMES)
def test_an_address_names_its_workspace(name: str) -> None:
    """Every name survives the way into an address of a server, and of a database, and back."""
    for url in (URL, "sqlite:///show.db", "postgresql+psycopg://ann@db/show?sslmode=require"):
        address = address_with(url, name)
        assert split_address(address) == (url, None if name == "default" else name)
    assert name_in_path(name.replace("/", "~")) == name


@pytest.mark.parametrize("kind", [Session, AsyncSession])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workspace": "a b"}, "a workspace has one or two parts"),
        ({"workspace": "a", "data_view": "b"}, "the workspace is 'a' or 'b'; give one of them"),
        ({"system": "uk"}, "the system 'uk' needs a data view"),
        ({"data_view": "holidays/uk"}, "one part of a name each"),
        ({"workspace": 3}, "`workspace` is the name of a workspace"),
    ],
)
def test_contradictions_are_refused_in_the_constructor(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        kind(URL, "anna", "a key of hers", **options)


def test_an_address_and_an_argument_must_agree() -> None:
    assert chosen(f"{URL}/workspaces/lab", workspace="lab")[1] == "lab"
    with pytest.raises(UsageError, match="the address names the workspace `lab`, and the option `other`"):
        chosen(f"{URL}/workspaces/lab", workspace="other")
