"""How entities, collections, queries and sessions are shown: of what is loaded, safely, and with their place."""

from __future__ import annotations

import pydoc
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import Session
from callsheet.display import cut, html_text, plain_table, printable

HOSTILE = "<img onerror=alert(1)>[/]\x1b[2J\u202e'\""


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with a project, a sequence, a shot and a task."""
    with Session("memory:", seed=True) as opened:
        project = opened.create("Project", {"name": "sintel"})
        sequence = opened.create("Sequence", {"name": "sq010", "parent": project})
        shot = opened.create("Shot", {"name": "sh020", "parent": sequence, "fstart": 1001})
        opened.create("Task", {"name": "anim", "parent": shot, "bid": 0.1 + 0.2})
        opened.commit()
        yield opened


def test_an_entity_shows_its_label_and_its_place(session: Session) -> None:
    """The repr has the label, what the entity is in as far as that is loaded, and the key."""
    shot = session.query("Shot").one()
    assert repr(shot) == f"<Shot 'sh020' in sintel / sq010 {shot['id']}>"
    project = session.query("Project").one()
    assert repr(project) == f"<Project 'sintel' {project['id']}>"
    project["name"] = "tears"
    assert repr(shot) == f"<Shot 'sh020' in tears / sq010 {shot['id']}>"
    assert repr(project) == f"<Project 'tears' {project['id']} (modified)>"


def test_a_version_shows_its_number(session: Session) -> None:
    """A version has its number and the asset that it is of, also in HTML."""
    asset = session.create("Asset", {"name": "plate", "parent": session.query("Shot").one()})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    session.populate([version], "version")
    assert repr(version) == f"<AssetVersion v001 in sintel / sq010 / sh020 / plate {version['id']}>"
    assert "AssetVersion v001 in sintel / sq010 / sh020 / plate" in version._repr_html_()


def test_nothing_is_fetched_to_be_shown(session: Session) -> None:
    """What is not loaded is left out or has an ellipsis; no form of any object sends a request."""
    other = session.fork()
    shot = other.query("select name from Shot").one()
    task = other.query("select name, parent from Task").one()
    query = other.query("Task")
    before = other.statistics.requests
    assert repr(shot) == f"<Shot 'sh020' {shot['id']}>"
    assert repr(task) == f"<Task 'anim' in … / sh020 {task['id']}>"
    shown: list[Any] = [shot, task, query, other, shot["children"], shot["metadata"], other.types, other.pending]
    for each in shown:
        assert str(each)
        assert repr(each)
        assert "<" in getattr(each, "_repr_html_", lambda: "<")()
    assert other.statistics.requests == before


def test_hostile_names_are_shown_as_text(session: Session) -> None:
    """Tags are escaped in HTML; control characters are escapes everywhere; long names are cut visibly."""
    shot = session.query("Shot").one()
    shot["name"] = HOSTILE
    task = session.query("Task").one()
    task["name"] = "x" * 2_500
    shown: list[Any] = [shot, task, session.pending, session.query("Task").where(name=HOSTILE)]
    session.populate([shot], "children")
    shown.append(shot["children"])
    assert "\x1b" not in str(session.pending)
    for each in shown:
        html = each._repr_html_()
        assert "\x1b" not in repr(each) + html
        assert "\u202e" not in html
        assert "<img" not in html
        assert len(html) < 5_000
    assert "…" in repr(task)
    assert len(repr(task)) < 300


@given(st.text())
def test_text_for_pages_and_terminals_is_inert(text: str) -> None:
    """No tag is left, no control character, and the text is never longer than it may be."""
    html = html_text(text)
    assert not re.search(r"[<>\x00-\x1f\x7f-\x9f\u202e]", html)
    assert len(cut(text, 10)) <= 10
    assert all(len(line) <= 40 for line in plain_table(("a", "b"), [(text, text)], 40).splitlines() if line.isascii())
    assert "\x1b" not in printable(text)


def test_pending_work_prints_as_a_table(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row an operation, names instead of keys, within the width; without rich the table is plain."""
    monkeypatch.setenv("COLUMNS", "80")
    shot = session.query("Shot").one()
    shot["name"], shot["fstart"] = "sh025", 1009
    session.create("Task", {"name": "light", "parent": shot, "bid": 0.1 + 0.2})
    assert session.pending == tuple(session.pending)
    drawn = str(session.pending)
    assert max(map(len, drawn.splitlines())) <= 80
    assert "│ update    │ Shot sh025" in drawn
    assert "0.30000000000000004" in drawn
    monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    assert str(session.pending).splitlines() == [
        "operation  entity      values",
        "update     Shot sh025  fstart: 1001 → 1009, name: sh020 → sh025",
        "create     Task light  bid: 0.30000000000000004, name: light, parent: sh025",
    ]
    session.rollback()
    assert str(session.pending) == "Nothing is pending."


def test_many_pending_operations_are_cut(session: Session) -> None:
    """A table has at most fifty rows and says how many are left out."""
    shot = session.query("Shot").one()
    for number in range(60):
        session.create("Task", {"name": f"t{number}", "parent": shot})
    assert str(session.pending).splitlines()[-1] == "… and 10 more."
    assert "50 of 60 are shown" in session.pending._repr_html_()  # type: ignore[attr-defined]
    assert session.pending._repr_html_().count("<tr>") == 51  # type: ignore[attr-defined]


def test_help_says_what_the_schema_says(session: Session) -> None:
    """`help` of an entity and of its class has descriptions and types, and no attribute of another type."""
    shot = session.query("Shot").one()
    for found in (shot, session.types["Shot"]):
        text = pydoc.render_doc(found, renderer=pydoc.plaintext)
        assert "One uninterrupted piece of picture between two cuts." in text
        assert "    name: string, required\n |          Unique beside its siblings; used in paths.\n" in text
        assert "    children: list of Context\n" in text
        assert "color_script" not in text


def test_dir_names_own_attributes_once(session: Session) -> None:
    """An entity and its class list the attributes of the type once, and none of other types of the family."""
    shot = session.query("Shot").one()
    for found in (dir(shot), dir(session.types["Shot"])):
        assert len(found) == len(set(found))
        assert {"fstart", "parent_id", "create_note", "metadata"} <= set(found)
        assert "color_script" not in found


def test_keys_are_completed(session: Session) -> None:
    """What IPython completes after a bracket: attributes, known items, entity types."""
    shot = session.query("Shot").one()
    shot["metadata"]["lens"] = "35 mm"
    assert {"name", "parent", "parent_id"} <= set(shot._ipython_key_completions_())
    assert shot["metadata"]._ipython_key_completions_() == ["lens"]
    assert "Shot" in session.types._ipython_key_completions_()


def test_a_path_is_a_condition_by_the_name_after_the_dot() -> None:
    """An attribute that is a keyword has an underscore on the class as on the entity."""
    from callsheet.entity.types import Types
    from callsheet.model.schema import Schema

    dot = Types(Schema({"types": {"Dot": {"attributes": {"from": {"type": "string"}}}}}))["Dot"]
    assert (dot.from_ == "x").path.names == ("from",)
