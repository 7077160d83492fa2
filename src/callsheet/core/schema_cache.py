"""Downloaded schemas on disk: one file per server, named by its URL, that knows its schema's hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from callsheet.model.schema import Schema
from callsheet.private import make_folder

__all__ = ["SchemaCache"]


class SchemaCache:
    """The schema last seen of one server. Reading never fails: what cannot be read is not there."""

    def __init__(self, folder: Path, server: str) -> None:
        self.path = folder / f"{hashlib.sha256(server.encode()).hexdigest()[:32]}.json"

    def read(self) -> Schema | None:
        """The schema, or None where there is none that can be read."""
        try:
            stored: dict[str, Any] = msgspec.json.decode(self.path.read_bytes())
            schema = Schema(stored["document"], tolerant=True)
            schema.__dict__["hash"] = str(stored["hash"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError, msgspec.MsgspecError):
            return None
        return schema

    def write(self, schema: Schema) -> None:
        """Keep the schema: written to a new file that then takes the place of the old one."""
        # Brings a dozen modules that a session with its schema at hand never needs.
        import tempfile

        try:
            make_folder(self.path.parent)
            handle, name = tempfile.mkstemp(dir=self.path.parent, suffix=".new")
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode({"hash": schema.hash, "document": schema.document}))
            os.replace(name, self.path)
        except OSError:
            return
