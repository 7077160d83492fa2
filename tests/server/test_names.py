"""Names are kept in one form; what looks alike is refused where the schema says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import CommitError, Session
from callsheet.errors import SchemaError
from callsheet.server.schemas.check import problems
from callsheet.server.store.alike import alike_form
from callsheet.testing import memory_service, session_on
from server.databases import new_database

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"
SCHEMA = {
    "name": "names",
    "types": {
        "Node": {
            "abstract": True,
            "names": ["name"],
            "unique": [["parent", "name"]],
            "distinct": [["parent", "name"]],
            "attributes": {
                "name": {"type": "string", "required": True},
                "note": {"type": "string"},
                "parent": {"type": "reference", "target": "Node", "inverse": "children", "on_delete": "cascade"},
                "children": {"type": "collection", "target": "Node", "inverse": "parent"},
            },
        },
        "Folder": {"extends": "Node", "attributes": {}},
        "Shot": {
            "extends": "Node",
            "distinct": [["code"]],
            "attributes": {"code": {"type": "string"}},
        },
    },
}


@pytest.fixture(params=["memory", "postgres"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A session on each database."""
    with new_database(request.param, tmp_path) as url, Session(url, schema=SCHEMA) as opened:
        yield opened


def test_a_name_is_composed_when_it_is_set(session: Any) -> None:
    """In create and update, for subtypes as well; other texts stay as they are."""
    folder = session.create("Folder", {"name": DECOMPOSED, "note": DECOMPOSED})
    assert (folder["name"], folder["note"]) == (COMPOSED, DECOMPOSED)
    session.commit()
    folder["name"] = DECOMPOSED
    assert session.pending == ()
    with session.fork() as other:
        found = other.query("Folder").one()
        assert (found["name"], found["note"]) == (COMPOSED, DECOMPOSED)


def test_either_spelling_finds_a_name(session: Any) -> None:
    """A condition is composed as the name is."""
    folder = session.create("Folder", {"name": COMPOSED})
    session.commit()
    for spelling in (COMPOSED, DECOMPOSED):
        assert session.query(f'Folder where name is "{spelling}"').all() == [folder]
        assert session.query(f'Folder where name like "%{spelling[2:]}"').all() == [folder]
        assert session.query("Folder").where(session.types["Folder"].name.in_([spelling])).all() == [folder]


def test_the_presets_compose_every_name() -> None:
    """So that a second spelling is the same name, and is refused as one."""
    service = memory_service()
    with session_on(service) as session:
        session.create("Project", {"name": COMPOSED})
        session.commit()
        session.create("Project", {"name": DECOMPOSED})
        with pytest.raises(CommitError, match="must be unique"):
            session.commit()
        for entity_type in session.schema.types.values():
            name = entity_type.attributes.get("name")
            if name is not None and name.data_type == "string" and name.computed is None:
                assert name.composed, entity_type.name
    service.close()


@pytest.mark.parametrize(("one", "other"), [("sh0010", "SH0010"), ("Straße", "STRASSE"), ("ﬁlm", "film"), ("É", "é")])
def test_what_looks_alike_is_refused(session: Any, one: str, other: str) -> None:
    """Beside each other, whatever their types; in one commit and in two, when made and when renamed."""
    top = session.create("Folder", {"name": "top"})
    first = session.create("Shot", {"name": one, "parent": top})
    session.create("Folder", {"name": other, "parent": top})
    with pytest.raises(CommitError, match=f"that looks like parent .*, name '{other}' exists already"):
        session.commit()
    session.rollback()
    top = session.create("Folder", {"name": "top"})
    first = session.create("Shot", {"name": one, "parent": top})
    session.commit()
    session.create("Shot", {"name": other, "parent": top})
    with pytest.raises(CommitError, match=first.key):
        session.commit()
    session.rollback()
    elsewhere = session.create("Shot", {"name": other})
    session.commit()
    elsewhere["parent"] = top
    with pytest.raises(CommitError, match="must be unique"):
        session.commit()
    session.rollback()
    first["name"] = other
    session.commit()
    first["name"] = f"{one} and more"
    elsewhere["parent"] = top
    session.commit()


def test_names_that_look_alike_can_be_swapped(session: Any) -> None:
    """Judged when the commit is over."""
    top = session.create("Folder", {"name": "top"})
    one = session.create("Shot", {"name": "a", "code": "X", "parent": top})
    two = session.create("Shot", {"name": "b", "code": "Y", "parent": top})
    session.commit()
    one["name"], two["name"] = "B", "A"
    one["code"], two["code"] = "y", "x"
    session.commit()
    session.delete(one)
    two["name"] = "b"
    session.commit()
    assert [shot["name"] for shot in session.query("Shot")] == ["b"]


def test_a_rule_of_a_subtype_holds_for_it_alone(session: Any) -> None:
    """Also without a constraint of the database's."""
    session.create("Shot", {"name": "a", "code": "X"})
    session.commit()
    session.create("Shot", {"name": "b", "code": "x"})
    with pytest.raises(CommitError, match="Shot that looks like code 'x' exists already"):
        session.commit()


def test_the_past_is_read_with_such_a_rule(session: Any) -> None:
    """The column beside a text is no attribute."""
    shot = session.create("Shot", {"name": "a", "code": "X"})
    position = session.commit().position
    shot["name"] = "b"
    session.commit()
    with session.at(position) as then:
        assert [found["name"] for found in then.query('Shot where code is "X"')] == ["a"]
    assert "code__alike" not in dict(shot.items())


@given(st.text(max_size=8))
def test_the_form_of_what_looks_alike_is_stable(text: str) -> None:
    """The form of a form is the form; case plays no part."""
    assert alike_form(alike_form(text)) == alike_form(text)
    if text.isascii():
        assert alike_form(text.upper()) == alike_form(text)


def test_wrong_rules_are_told() -> None:
    """With the type and the name."""
    text = {"type": "string"}
    types = {"Dot": {"names": ["nmae", "size"], "distinct": [["nmae"], "name"],
                     "attributes": {"name": text, "size": {"type": "number"}}}}  # fmt: skip
    assert problems({"name": "x", "types": types}) == [
        "Dot: distinct names `nmae`, which is not an attribute; did you mean `name`?",
        'Dot: `distinct` is a list of lists of attribute names, as in [["parent", "name"]], not \'name\'',
        "Dot: `names` lists `nmae`, which is not an attribute; did you mean `name`?",
        "Dot: `names` lists `size`; only strings are names",
    ]
    with pytest.raises(SchemaError, match="distinct names `nmae`"):
        memory_service({"name": "x", "types": types})
