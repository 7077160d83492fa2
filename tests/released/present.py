"""The present code on what released versions left: the names of its model, a released database opened, its rows."""

from __future__ import annotations

import atexit
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from dialogue import Names
from releases import Release
from sqlalchemy import create_engine, make_url

from callsheet.model.event import Event
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create, Delete, Update
from callsheet.model.query import Path as AttributePath
from callsheet.model.record import Identity
from callsheet.server.service import Service
from server.databases import postgres_database

__all__ = ["NAMES", "opened", "restored", "rows"]

NAMES = Names(Create, Update, Delete, ChangeSet, Identity, Aggregate, AttributePath, parse, Event)


@cache
def _template(release: Release) -> str:
    """The name of a database that a release's dump was restored to, once in this process; it goes with the process."""
    holder = postgres_database()
    url = holder.__enter__()
    atexit.register(holder.__exit__, None, None, None)
    made = create_engine(url)
    with made.begin() as connection:
        # Without parameters the driver sends the text as it is, of any number of statements.
        connection.connection.cursor().execute(gzip.decompress((release.folder / "studio.sql.gz").read_bytes()))
    made.dispose()
    return make_url(url).database or ""


@contextmanager
def restored(release: Release, engine: str, folder: Path) -> Iterator[str]:
    """The URL of a fresh copy of a release's database."""
    if engine == "sqlite":
        yield release.studio(folder)
        return
    with postgres_database(_template(release)) as url:
        yield url


@contextmanager
def opened(release: Release, engine: str, folder: Path) -> Iterator[Service]:
    """A release's database, a minute after the release closed it; each look at the clock takes a second."""
    start, seconds = datetime.fromisoformat(release.json("expected.json")["time"]), count(60)
    clock = lambda: start + timedelta(seconds=next(seconds))  # noqa: E731
    with (
        restored(release, engine, folder) as url,
        Service.open(url, clock=clock, files=release.files(folder)) as service,
    ):
        yield service


def rows(session: Any, text: str) -> list[dict[str, Any]]:
    """The rows of a query that says what it selects."""
    names = [name.strip() for name in text.split(" from ")[0].removeprefix("select ").split(",")]
    return [{name: _value(entity, name) for name in names} for entity in session.query(text).all()]


def _value(entity: Any, name: str) -> Any:
    for step in name.split("."):
        entity = None if entity is None else entity[step]
    if hasattr(entity, "identity"):
        return list(entity.identity)
    if hasattr(entity, "items"):
        return dict(entity.items())
    if not isinstance(entity, str) and hasattr(entity, "__iter__"):
        return sorted(list(each.identity) for each in entity)
    return entity
