"""File-like data. Callsheet's accessors take open files and bytes, so these cannot be made."""

from __future__ import annotations

from callsheet.compat.ftrack_api.absent import absent

__all__ = ["Data", "File", "FileWrapper", "String"]

_REASON = "accessors take open files and bytes"

Data = absent("Data", _REASON)
FileWrapper = absent("FileWrapper", _REASON)
File = absent("File", _REASON)
String = absent("String", _REASON)
