"""What a session says of its entities and refusals: once, with the values, in the words of the field."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import callsheet
from callsheet.errors import ConflictError, Invalid, QueryError, SchemaError


@pytest.fixture
def shot(session: Any) -> Any:
    project = session.create("Project", {"name": "p", "full_name": "P"})
    made = session.create("Shot", {"name": "sh010", "parent": project})
    asset = session.create("Asset", {"name": "plate", "parent": made})
    session.create("AssetVersion", {"asset": asset})
    session.commit()
    return made


def test_a_version_shows_its_number_and_its_key_once(session: Any, shot: Any) -> None:
    """Of what is loaded: the label, where it is not the key, and the number."""
    version = session.query("AssetVersion").one()
    assert repr(version) == f"<AssetVersion v001 in p / sh010 / plate {version.identity.key}>"
    assert repr(shot) == f"<Shot 'sh010' in p {shot.identity.key}>"


def test_dir_has_each_own_attribute_once(session: Any, shot: Any) -> None:
    """And nothing of types that share the storage."""
    names = Counter(dir(shot))
    assert set(names.values()) == {1}
    assert {"fstart", "parent", "children", "create_note"} <= names.keys()
    assert not {"resource_identifier", "air_date", "color_script", "is_template", "full_name"} & names.keys()


@pytest.mark.parametrize(
    ("value", "told"),
    [("hello", "str: 'hello'"), (5, "int: 5"), ({"a": 1}, "dict: {'a': 1}"), (None, "NoneType: None")],
)
def test_a_collection_takes_a_list(shot: Any, value: Any, told: str) -> None:
    """What is none is shown whole, with the type that was wanted."""
    with pytest.raises(SchemaError, match=r"Shot\.notes takes a list of entities of type Note, not ") as raised:
        shot["notes"] = value
    assert str(raised.value).endswith(told)


def test_a_reference_is_a_key_in_every_row(session: Any, shot: Any) -> None:
    """Whether its type has others below it or not, with or without a projection."""
    session.create("Shot", {"name": "sh020", "parent": shot, "status": session.query("Status").first()})
    session.commit()
    keys = {shot.identity.key, shot["parent"].identity.key}
    for text in ("Shot", "select name, parent, status from Shot"):
        rows = list(session.query(text).records())
        assert {row["parent"] for row in rows} == keys
        assert {type(row["status"]) for row in rows} == {str, type(None)}


def test_numbers_keep_to_the_range(session: Any, shot: Any) -> None:
    """An aggregate, like `count`, is of the results that limit and offset leave."""
    assert session.query("Shot limit 1").aggregate("count") == [{"count": 1}]
    assert session.query("Shot").offset(1).aggregate("count") == [{"count": 0}]
    assert session.query("Shot").offset(1).count() == 0


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("SELECT * FROM Task", "`Task` alone reads all attributes"),
        ("select count(*) from Task", r"\.count\(\)"),
        ("select name from Task group by name", r"\.aggregate\("),
        ("select distinct name from Task", "there is no `distinct`"),
        ("select top 5 name from Task", "`limit 5` at the end"),
        ("select name as n from Task", "no aliases"),
        ("select name from Task inner join Shot", "no joins: write a path"),
        ("select name from Task;", "ends without `;`"),
        ("Task limit 5;", "ends without `;`"),
        ("UPDATE Task set name = 1", "queries only read"),
        ("delete from Task", "queries only read"),
        ("insert into Task", "queries only read"),
    ],
)
def test_words_of_sql(session: Any, text: str, hint: str) -> None:
    """The hint says what this language has instead."""
    with pytest.raises(QueryError) as raised:
        session.query(text)
    assert raised.match(hint)


def test_a_conflict_names_who_and_the_values() -> None:
    """The account that changed it, and what was read, is here, and is there."""
    with (
        callsheet.serve(admin_key="a key for these tests") as server,
        callsheet.Session(server.url, "admin", "a key for these tests") as one,
    ):
        shot = one.create("Shot", {"name": "a", "parent": one.create("Project", {"name": "p", "full_name": "P"})})
        one.commit()
        key = one.call("users.add", name="anna", role="admin")["key"]
        assert shot["fstart"] is None
        shot["fstart"] = 1
        with callsheet.Session(server.url, "anna", key) as other:
            other.get("Shot", shot.identity.key)["fstart"] = 2
            other.commit()
        with pytest.raises(ConflictError) as raised:
            one.commit()
    assert raised.match(r"Shot\.fstart of .* was changed by anna;")
    assert raised.match(r"\n  Shot\.fstart: was None, here 1, there 2$")


def test_the_last_administrator_stays(session: Any) -> None:
    """Nobody could make another: refused until there is one."""
    with (
        callsheet.serve(admin_key="a key for these tests") as server,
        callsheet.Session(server.url, "admin", "a key for these tests") as opened,
    ):
        for action, arguments in (
            ("users.role", {"name": "admin", "role": "user"}),
            ("users.disable", {"name": "admin"}),
        ):
            with pytest.raises(Invalid, match="admin is the last administrator; make another account one first"):
                opened.call(action, **arguments)
        opened.call("users.add", name="anna", role="admin")
        opened.call("users.role", name="admin", role="user")


@pytest.mark.parametrize("key", ["password", "Password123!", "admin-admin", "changeme", "aaaaaaaaaaaa", "12345678"])
def test_keys_that_are_tried_first(key: str, tmp_path: Path) -> None:
    """They are refused, and what to do instead is said."""
    from callsheet.server.service import Service

    with pytest.raises(Invalid, match=r"this API key is easy to guess; leave it out|at least"):
        Service.open(f"sqlite:///{(tmp_path / 'a.db').as_posix()}", "production", key)


def test_a_schema_that_is_not_used_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A database keeps its schema: another one that is given now is named in the log; the same one is not."""
    url = f"sqlite:///{(tmp_path / 'a.db').as_posix()}"
    for schema in ("lab", "lab", None):
        with callsheet.Session(url, schema=schema) as opened:
            opened.open()
    assert caplog.records == []
    other = {"name": "mine", "types": {"Thing": {"attributes": {"name": {"type": "string"}}}}}
    with callsheet.Session(url, schema=other) as opened:
        opened.open()
    assert "keeps the schema it was made with" in caplog.text
    assert "`mine`, differs and is not used: leave it out, or name another database" in caplog.text
    caplog.clear()
    with callsheet.Session(url, schema="production") as opened:
        opened.open()
    assert "`production`, differs and is not used" in caplog.text


def test_plain_http_to_another_machine_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not for this machine, and not for HTTPS."""
    with caplog.at_level(logging.WARNING, "callsheet"):
        for url in ("http://127.0.0.1:1", "https://callsheet.invalid", *["http://callsheet-plain.invalid"] * 2):
            callsheet.Session(url, "a", "k").close()
    assert [record.getMessage() for record in caplog.records] == [
        "callsheet-plain.invalid: without HTTPS your API key or your password can be read on the network"
    ]
