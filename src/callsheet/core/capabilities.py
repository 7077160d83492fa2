"""The capabilities of a session: what the server says of the account, and where the session is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from callsheet.core.core import Core
from callsheet.dialects.protocol import VersionedDialect
from callsheet.errors import Forbidden, Invalid, NotFound, UsageError
from callsheet.flow import Flow, Work
from callsheet.model.capability import WIRE, Capabilities, CapabilityFacts

__all__ = ["capabilities", "check_capabilities", "check_versions"]

LARGEST = 1_000
"""Bytes of a file that shows that two processes have a disk in common."""


def capabilities(core: Any) -> Flow[Capabilities]:
    """What this account may do on this server, each with the conditions that failed: ``capabilities["tables.create"]``.

    They are requested once; a session of `callsheet.connect` has them from the beginning.

    >>> session.capabilities["entities.create.Task"].granted  # doctest: +SKIP
    True
    """
    if core.known_capabilities is None:
        if core._description is None:
            yield from core._opening()
        core.known_capabilities = Capabilities((yield from _facts(core)))
    found: Capabilities = core.known_capabilities
    return found


def check_versions(core: Core) -> Flow[None]:
    """Raise `CapabilityError` if the server speaks no version of the wire that this release speaks."""
    dialect = core._dialect
    if isinstance(dialect, VersionedDialect):
        span = yield from dialect.versions()
        Capabilities(CapabilityFacts(wire=span)).check("pages.link")


def check_capabilities(core: Core, operations: Any) -> None:
    """Raise `CapabilityError` for an operation that the server would refuse; nothing, where they are not known."""
    known = core.known_capabilities
    if known is None:
        return
    for verb, entity_type in dict.fromkeys(
        (type(each).__name__.lower(), each.identity.entity_type) for each in operations
    ):
        if verb in ("create", "update", "delete"):
            known.check(f"entities.{verb}.{entity_type}")


def _facts(core: Core) -> Flow[CapabilityFacts]:
    features = attrs.asdict(core.features)
    started = core.started_server
    core.statistics.count("call")
    try:
        said = yield from core._dialect.call("own.capabilities", {})
    except (NotFound, Forbidden, Invalid, UsageError):
        # A server that does not say it, such as one of an earlier version: it decides itself, when it is asked.
        said = {}
    rights: Mapping[str, Any] | None = said.get("rights")
    same_host = yield Work(lambda: _same_host(said.get("host") or {}))
    return CapabilityFacts(
        account=core.api_user,
        administrator=bool(said.get("administrator", True)),
        rights=None if rights is None else {verb: frozenset(types) for verb, types in rights.items()},
        wire=_span(said.get("wire", WIRE)),
        same_host=same_host,
        features=features,
        started=started,
    )


def _same_host(said: Mapping[str, Any]) -> bool:
    """Whether a file that the server made can be read here, with the content that it says."""
    if said.get("process"):
        return True
    path, digest = said.get("file"), said.get("digest")
    if not isinstance(path, str) or not isinstance(digest, str):
        return False
    try:
        with Path(path).open("rb") as file:
            found = file.read(LARGEST)
    except (OSError, ValueError):
        return False
    return hashlib.sha256(found).hexdigest() == digest


def _span(said: Any) -> tuple[int, int]:
    oldest, newest = said
    return int(oldest), int(newest)
