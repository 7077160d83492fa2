"""Addresses of external databases: which are understood, and which a server may open.

An address is a URL, or names what holds one: ``env:CALLSHEET_EXTERNAL_WAREHOUSE`` is a variable of the server's
environment, which the server's operator sets. A URL that comes over the wire makes the server connect to a host, or
open a file, that its sender chose; so a server that others reach opens only hosts that its operator has listed
(`AllowedPlaces`). Options of a URL that name files, commands or modules of the driver are not passed on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from attrs import frozen
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from callsheet.errors import Forbidden, Invalid
from callsheet.model.schema import did_you_mean
from callsheet.secret import Secret

__all__ = ["AllowedPlaces", "ExternalAddress", "address_of"]

VARIABLE = "CALLSHEET_EXTERNAL_"
"""How variables with addresses begin."""
HOSTS = "CALLSHEET_EXTERNAL_HOSTS"
"""The variable that lists the hosts to which addresses may lead."""

_REFERENCE = re.compile(r"env:(\w{1,100})")
_ENGINES = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "postgresql+psycopg": "postgresql",
    "mariadb": "mariadb",
    "mariadb+pymysql": "mariadb",
    "mysql": "mariadb",
    "mysql+pymysql": "mariadb",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
_LOADED = {
    "clickhouse": ("ClickHouse", "clickhouse-sqlalchemy"),
    "clickhousedb": ("ClickHouse", "clickhouse-connect"),
    "trino": ("Trino", "trino"),
    "snowflake": ("Snowflake", "snowflake-sqlalchemy"),
    "bigquery": ("BigQuery", "sqlalchemy-bigquery"),
    "redshift": ("Redshift", "sqlalchemy-redshift"),
    "databricks": ("Databricks", "databricks-sqlalchemy"),
    "hive": ("Hive or Spark", "pyhive"),
    "oracle": ("Oracle", "oracledb"),
    "mssql": ("SQL Server", "pyodbc"),
}
"""Kinds of databases that are known by name only, with the package by which SQLAlchemy reads them."""
FILES = ("sqlite", "duckdb")
_OPTIONS = {
    "postgresql": {"sslmode", "application_name", "target_session_attrs", "host", "port"},
    "mariadb": {"unix_socket", "ssl", "ssl_verify_cert", "ssl_verify_identity"},
}


@frozen
class ExternalAddress:
    """An address: ``engine`` is its kind, ``stated`` what may be stored and shown, ``url`` all that is needed to open.

    >>> address = address_of("mariadb://ann:sesame@db.example.org/sales", {})
    >>> address.engine, address.stated, address.durable
    ('mariadb', 'mariadb://ann@db.example.org/sales', False)
    """

    engine: str
    stated: str
    url: Secret
    referenced: bool

    @property
    def durable(self) -> bool:
        """Whether what is stored is enough to open the database again: no password would be missing."""
        return self.referenced or self.parts.password is None

    @property
    def parts(self) -> URL:
        return make_url(self.url.reveal())

    @property
    def place(self) -> str:
        """The host, or ``file:`` and the path of a file."""
        parts = self.parts
        if self.engine in FILES:
            return f"file:{os.path.abspath(parts.database or '')}"
        given = parts.query.get("host") or parts.query.get("unix_socket") or parts.host or "localhost"
        return str(given)

    @property
    def name(self) -> str:
        """What the database is called if nothing else is said."""
        found = os.path.splitext(os.path.basename(self.parts.database or ""))[0]
        return re.sub(r"\W+", "_", found).strip("_") or self.engine


def address_of(text: str, environment: Mapping[str, str] | None = None) -> ExternalAddress:
    """The address that a text states or refers to; raises `Invalid` if it is none. No message contains a password."""
    known = os.environ if environment is None else environment
    if not text.startswith("env:"):
        return _read(text, "", "the address")
    found = _REFERENCE.fullmatch(text)
    if found is None or not found[1].startswith(VARIABLE) or found[1] == HOSTS:
        raise Invalid(f"{text!r:.120} refers to no address; variables with addresses begin with {VARIABLE}")
    url = known.get(found[1])
    if not url:
        raise Invalid(f"the server has no variable {found[1]}; its operator sets it to the database's address")
    return _read(url, text, f"the variable {found[1]}")


def _read(url: str, reference: str, where: str) -> ExternalAddress:
    try:
        parts = make_url(url)
        parts.normalized_query  # noqa: B018
    except (ArgumentError, ValueError):
        raise Invalid(f"{where} is no URL of a database; write it as postgresql://user@host/database") from None
    engine = _ENGINES.get(parts.drivername)
    family = parts.drivername.partition("+")[0]
    if engine is None and family in _LOADED:
        name, package = _LOADED[family]
        raise Invalid(
            f"{where} is of {name}, whose tables cannot be asked where they are; "
            f"load their rows: `session.read_sql(query, url, table)` with the package {package} beside the session"
        )
    if engine is None:
        kinds = sorted(set(_ENGINES.values()))
        near = did_you_mean(parts.drivername, _ENGINES)
        raise Invalid(f"{where} is of the kind `{parts.drivername:.40}`, not one of {', '.join(kinds)}{near}")
    if engine in FILES and not parts.database:
        raise Invalid(f"{where} names no file; write it as {engine}:////folder/file.db")
    unknown = sorted(set(parts.query) - _OPTIONS.get(engine, set()))
    if unknown:
        options = ", ".join(sorted(_OPTIONS.get(engine, {"none"})))
        raise Invalid(f"{where} has the option `{unknown[0]:.40}`, which is not passed on; options are {options}")
    stated = reference or parts._replace(password=None).render_as_string()
    return ExternalAddress(engine, stated, Secret(url), bool(reference))


@frozen
class AllowedPlaces:
    """Which addresses a server may open; ``places`` None: any.

    Patterns are of hosts, ``*.example.org``, or of files, ``file:/data/*``.

    >>> AllowedPlaces(("*.example.org",)).check(address_of("postgresql://db.example.org/sales"))
    >>> AllowedPlaces().check(address_of("postgresql://127.0.0.1/sales"))
    Traceback (most recent call last):
    callsheet.errors.Forbidden: this server connects to no database at 127.0.0.1; its operator lists the host in \
CALLSHEET_EXTERNAL_HOSTS, or sets a variable CALLSHEET_EXTERNAL_… to the address
    """

    places: tuple[str, ...] | None = ()

    @staticmethod
    def listed(environment: Mapping[str, str] | None = None) -> AllowedPlaces:
        """What the environment of the process lists."""
        known = os.environ if environment is None else environment
        return AllowedPlaces(tuple(_patterns(known.get(HOSTS, "").split(","))))

    def check(self, address: ExternalAddress) -> None:
        """Raise `Forbidden` unless the address may be opened; what the server's own environment names always may."""
        if address.referenced or self.places is None:
            return
        place = address.place
        if not any(fnmatchcase(place.lower(), pattern) for pattern in self.places):
            raise Forbidden(
                f"this server connects to no database at {place}; its operator lists the host in {HOSTS}, "
                f"or sets a variable {VARIABLE}… to the address"
            )


def _patterns(texts: Iterable[str]) -> Iterable[str]:
    return (text.strip().lower() for text in texts if text.strip())
