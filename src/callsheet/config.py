"""Where to connect and as whom, from arguments and environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from callsheet.errors import UsageError

__all__ = ["Settings", "resolve"]


@frozen
class Settings:
    """Where to connect and as whom. ``embedded`` says the server is a database opened in this process."""

    url: str = field(repr=False)
    user: str
    key: str = field(repr=False)
    embedded: bool
    schema_cache: Path | None
    address: str = field(init=False)

    @address.default
    def _address(self) -> str:
        """The URL as it may be shown and kept: without a password."""
        return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1@", self.url)


def resolve(
    url: str | None,
    user: str | None,
    key: str | None,
    schema_cache: str | Path | bool | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Arguments win over ``CALLSHEET_SERVER``, ``CALLSHEET_API_USER`` and ``CALLSHEET_API_KEY``.

    ``schema_cache`` is a folder, False for no cache, or None for ``CALLSHEET_SCHEMA_CACHE`` or the user's
    cache folder.

    >>> resolve("memory:", None, None, environment={}).embedded
    True
    """
    known = os.environ if environment is None else environment
    server = url or known.get("CALLSHEET_SERVER", "")
    if not server:
        raise UsageError('no server is named: Session("https://…"), Session("sqlite:///show.db"), or CALLSHEET_SERVER')
    user = user or known.get("CALLSHEET_API_USER", "")
    key = key or known.get("CALLSHEET_API_KEY", "")
    scheme = server.partition(":")[0].lower()
    if scheme in ("http", "https"):
        if not key:
            raise UsageError("no API key is given: Session(…, api_key=…) or CALLSHEET_API_KEY")
        return Settings(server.rstrip("/"), user, key, False, _cache_folder(schema_cache, known))
    if scheme in ("memory", "sqlite") or scheme.startswith("postgresql"):
        return Settings(server, user or "admin", key, True, None)
    raise UsageError(
        f"`{server}` is no server address: use https://…, sqlite:///FILE, postgresql+psycopg://… or memory:"
    )


def _cache_folder(stated: str | Path | bool | None, environment: Mapping[str, str]) -> Path | None:
    if stated is False:
        return None
    if stated is None or stated is True:
        stated = environment.get("CALLSHEET_SCHEMA_CACHE")
    if stated:
        return Path(stated)
    from callsheet.core.schema_cache import default_folder

    return default_folder()
