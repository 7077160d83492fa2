"""Downloaded schemas on disk: one file per server, named by its URL, that knows its schema's hash."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from callsheet.model.schema import Schema

__all__ = ["SchemaCache", "default_folder"]


def default_folder() -> Path:
    """Where the user's caches are on this kind of system."""
    if sys.platform == "win32":
        start = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        start = Path.home() / "Library" / "Caches"
    else:
        start = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return start / "callsheet" / "schemas"


class SchemaCache:
    """The schema last seen of one server. Reading never fails: what cannot be read is not there."""

    def __init__(self, folder: Path, server: str) -> None:
        self.path = folder / f"{hashlib.sha256(server.encode()).hexdigest()[:32]}.json"

    def read(self) -> Schema | None:
        """The schema, or None where there is none that can be read."""
        try:
            stored: dict[str, Any] = json.loads(self.path.read_bytes())
            schema = Schema(stored["document"])
            schema.__dict__["hash"] = str(stored["hash"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return schema

    def write(self, schema: Schema) -> None:
        """Keep the schema: written to a new file that then takes the place of the old one."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, suffix=".new")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"hash": schema.hash, "document": schema.document}, file, ensure_ascii=False)
            os.replace(name, self.path)
        except OSError:
            return
