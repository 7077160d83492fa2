"""Databases for tests: in memory, in a file, and throw-away ones on PostgreSQL, where a server answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import OperationalError

MARIADB = os.environ.get("CALLSHEET_TEST_MARIADB", "mariadb+pymysql://root@127.0.0.1:3306/test")
POSTGRES = os.environ.get("CALLSHEET_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")


@contextmanager
def postgres_database(template: str = "") -> Iterator[str]:
    """The URL of a new database, empty or a copy, which is dropped afterwards; skips where there is no server."""
    name = f"callsheet_{uuid4().hex[:12]}"
    url = make_url(POSTGRES)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    except OperationalError as error:
        engine.dispose()
        pytest.skip(f"no PostgreSQL answers at {url.host}:{url.port}: {str(error.orig).strip()[:80]}")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        engine.dispose()


@contextmanager
def mariadb_database() -> Iterator[str]:
    """The URL of a new MariaDB database, which is dropped afterwards; skips where there is no server."""
    name = f"callsheet_{uuid4().hex[:12]}"
    url = make_url(MARIADB)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    except OperationalError as error:
        engine.dispose()
        pytest.skip(f"no MariaDB answers at {url.host}:{url.port}: {str(error.orig).strip()[:80]}")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")
        engine.dispose()


@contextmanager
def new_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new database: ``memory``, ``file`` (in the folder) or ``postgres``."""
    if kind == "postgres":
        with postgres_database() as url:
            yield url
    else:
        yield {"memory": "memory:", "file": f"sqlite:///{(folder / 'new.db').as_posix()}"}[kind]
