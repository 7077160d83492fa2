"""Writes that need the right ``decide``: administrative attributes, and paths outside the configured folders.

An account without the right may write an administrative attribute only with its present value, or, in a new entity,
with the value that the server would set (any value if only changes are administrative). It may write a path only if the
path is relative and does not leave its folder, or if it is absolute and inside a folder that the schema's ``within``
names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from posixpath import normpath
from typing import Any

from sqlalchemy import select

from callsheet.errors import Forbidden
from callsheet.model.operation import Delete, Operation, Update
from callsheet.model.record import equal
from callsheet.server.access.access import Access
from callsheet.server.writing.computed import acting_user
from callsheet.server.writing.overlay import Overlay, WorkingRow
from callsheet.server.writing.project import load_owners, project_of

__all__ = ["check_decisions", "is_below"]

_DRIVE = re.compile(r"[A-Za-z]:")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def check_decisions(overlay: Overlay, operations: Sequence[Operation], access: Access, user: str) -> None:
    """Raise `Forbidden` if an account writes what needs the right ``decide``, without having it."""
    if access.decides_all:
        return
    for index, operation in enumerate(operations):
        entry = None if isinstance(operation, Delete) else overlay.get(operation.identity)
        if entry is None or isinstance(operation, Delete) or not (entry.rules.decided or entry.rules.paths):
            continue
        adjusted = operation.adjusted if isinstance(operation, Update) else ()
        for name in (*operation.values, *adjusted):
            if _is_decided(overlay, entry, name, user) and not _decides(overlay, entry, access):
                raise _forbidden(user, index, entry, name)


def _is_decided(overlay: Overlay, entry: WorkingRow, name: str, user: str) -> bool:
    """Whether the written value needs the right ``decide``."""
    if name in entry.rules.paths and isinstance(path := entry.get(name), str):
        return not is_below(path, _folders(overlay, entry.rules.paths[name]))
    if name not in entry.rules.decided:
        return False
    value = entry.get(name)
    if not entry.created:
        return not equal(value, entry.original(name))
    if name in entry.rules.kept:
        return False
    return value is not None and not equal(value, _preset(overlay, entry, name, user))


def _preset(overlay: Overlay, entry: WorkingRow, name: str, user: str) -> Any:
    """The value that the server itself sets in a new entity."""
    attribute = entry.rules.entity_type.attributes[name]
    return acting_user(overlay, str(attribute.target), user) if name in entry.rules.authored else attribute.default


def _decides(overlay: Overlay, entry: WorkingRow, access: Access) -> bool:
    reach = access.reach("decide", entry.identity.entity_type)
    if reach is None:
        return True
    load_owners(overlay, [entry])
    return project_of(overlay, entry) in reach


def _folders(overlay: Overlay, within: Iterable[str]) -> list[str]:
    """The stored values of these attributes, which are folders."""
    found: list[str] = []
    for each in within:
        kind, _, name = each.partition(".")
        if kind in overlay.schema.types:
            table = overlay.store.tables[overlay.schema.types[kind].root]
            here = select(table.c[name]).where(table.c._type.in_(overlay.schema.concrete(kind)))
            found += [folder for folder in overlay.connection.execute(here).scalars() if folder]
    return found


def is_below(path: str, folders: Iterable[str]) -> bool:
    r"""Whether a path is relative without ``..``, or inside one of the folders. Windows paths are understood.

    >>> is_below("show/a.exr", ()), is_below("show/../../a", ()), is_below(r"C:\\a", ()), is_below("/mnt/a", ["/mnt"])
    (True, False, False, True)
    """
    plain = path.replace("\\", "/")
    if not plain or not plain.isprintable() or plain.startswith("~"):
        return not plain
    steps = plain.split("/")
    if plain.startswith("/") or _DRIVE.match(plain):
        return ".." not in steps and any(_is_in(plain, folder.replace("\\", "/")) for folder in folders)
    return ".." not in steps and _SCHEME.match(plain) is None


def _is_in(path: str, folder: str) -> bool:
    bare, whole = normpath(folder), normpath(path)
    return bare not in (".", whole) and whole.startswith(bare.rstrip("/") + "/")


def _forbidden(user: str, index: int, entry: WorkingRow, name: str) -> Forbidden:
    kind, key = entry.identity
    if name in entry.rules.paths and name not in entry.rules.decided:
        problem = f"may not set {kind}.{name} to a path outside the folders that administrators named"
    else:
        problem = f"may not set {kind}.{name}; only administrators may"
    message = f"operation {index}: `{user}` {problem}"
    return Forbidden(message, operation=index, entity=(kind, key), attribute=name)
