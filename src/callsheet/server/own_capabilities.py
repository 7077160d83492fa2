"""What a server says to an account of what it may do, and by which a client sees that both are on one host."""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from callsheet import __version__
from callsheet.model.capability import WIRE
from callsheet.model.schema import Schema
from callsheet.private import opener
from callsheet.server.access.permissions import Permissions

__all__ = ["own_capabilities"]

VERBS = ("read", "create", "update", "delete")


def own_capabilities(schema: Schema, account: str, permissions: Permissions, remote: bool) -> dict[str, Any]:
    """The rights of an account by verb, as names of entity types; ``remote`` callers also learn of the host's file."""
    concrete = [name for name, each in schema.types.items() if not each.abstract]
    rights = {
        verb: [name for name in concrete if any(True for _ in permissions.granted(verb, schema, name))]
        for verb in VERBS
    }
    return {
        "account": account,
        "administrator": permissions.admin,
        "version": __version__,
        "wire": list(WIRE),
        "rights": rights,
        "host": _host_file() if remote else {"process": True},
    }


@cache
def _host_file() -> dict[str, str]:
    """A file of this process, with a content that nobody guesses, and its digest: who reads it is on this host."""
    content = secrets.token_hex(32).encode()
    path = Path(tempfile.gettempdir()) / f"callsheet-host-{os.getpid()}-{secrets.token_hex(8)}"
    with open(path, "xb", opener=opener) as file:
        file.write(content)
    atexit.register(path.unlink, missing_ok=True)
    return {"file": str(path), "digest": hashlib.sha256(content).hexdigest()}
