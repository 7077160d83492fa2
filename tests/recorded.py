"""The vendor's lists of schemas that tests run on: the studio's everywhere, and a real site's where it is.

The studio's is rendered from `ftrack/studio.toml`. Replies recorded from a real server are not part of the project:
tests read them as an additional parameter where the folder is, beside the project or where ``CALLSHEET_RECORDED``
says. With an empty folder there, tests run as on a machine that has none.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ftrack.studio_schema import studio_list

__all__ = ["LISTS", "recorded_folder", "replies", "schema_list"]

HERE = Path(__file__).parent
FOLDER = "CALLSHEET_RECORDED"
SCHEMAS = "query_schemas.json"


@cache
def recorded_folder() -> Path | None:
    """The folder of a real site's replies, if it is on this machine."""
    named = os.environ.get(FOLDER)
    folders = [Path(named)] if named else [parent / "shared/data/ftrack" for parent in HERE.parents]
    return next((folder for folder in folders if (folder / SCHEMAS).is_file()), None)


LISTS = ("studio",) if recorded_folder() is None else ("studio", "recorded")
"""The names of the lists that are here."""


@cache
def replies(name: str = "studio") -> dict[str, Any]:
    """What a server with the list of this name replies, by request; the studio's replies were written by hand."""
    if name == "studio":
        found: dict[str, Any] = json.loads((HERE / "ftrack" / "replies.json").read_text(encoding="utf-8"))
        return found
    return {path.stem: json.loads(path.read_bytes()) for path in sorted(_recorded().glob("*.json"))}


def _recorded() -> Path:
    folder = recorded_folder()
    assert folder is not None, f"the recorded replies are not here; {FOLDER} names their folder"
    return folder


@cache
def schema_list(name: str = "studio") -> Path:
    """The file with the list of this name."""
    if name != "studio":
        return _recorded() / SCHEMAS
    folder = Path(tempfile.mkdtemp(prefix="callsheet-studio-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / SCHEMAS
    path.write_text(json.dumps(studio_list()), encoding="utf-8")
    return path
