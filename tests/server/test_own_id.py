"""Every database has an id of its own, which stays when it is opened again, and which a copy by dump has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from callsheet.server.archive.dumping import dump
from callsheet.server.archive.loading import load
from callsheet.server.store.own_id import OWN_ID
from callsheet.server.store.store import Store
from server.databases import postgres_database

DOCUMENT: dict[str, Any] = {"name": "dots", "types": {"Dot": {}}}


def id_of(url: str) -> str:
    store = Store.open(url, DOCUMENT)
    try:
        return store.id
    finally:
        store.close()


def test_an_id_stays_and_is_of_one_database(tmp_path: Path) -> None:
    """Opened again, a database has the same id; another one has another."""
    one, other = (f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "other"))
    first = id_of(one)
    assert len(first) == 32
    assert id_of(one) == first
    assert id_of(other) != first
    assert id_of("memory:") != id_of("memory:")


def test_the_id_is_kept_in_postgres_too() -> None:
    with postgres_database() as url:
        assert id_of(url) == id_of(url)


def test_a_database_of_an_earlier_version_gets_an_id(tmp_path: Path) -> None:
    """Without the row, as versions before 0.3 left it, opening makes one, once."""
    url = f"sqlite:///{tmp_path}/old.db"
    store = Store.open(url, DOCUMENT)
    meta, before = store.table("_meta"), store.id
    store.write(lambda connection: connection.execute(delete(meta).where(meta.c.name == OWN_ID)))
    store.close()
    made = id_of(url)
    assert made != before
    assert id_of(url) == made


def test_a_loaded_copy_has_an_id_of_its_own(tmp_path: Path) -> None:
    """Tokens of the original are refused by a copy, because the id is not in the archive."""
    source, target = (f"sqlite:///{tmp_path}/{name}.db" for name in ("source", "target"))
    store = Store.open(source, DOCUMENT)
    dump(store, tmp_path / "all.zip")
    store.close()
    load(target, tmp_path / "all.zip")
    copy = Store.open(target)
    with copy.reading() as connection:
        meta = copy.table("_meta")
        rows = connection.execute(select(meta.c.value).where(meta.c.name == OWN_ID)).scalars().all()
    assert rows == [copy.id]
    assert copy.id != store.id
    copy.close()
