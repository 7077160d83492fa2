"""A folder of rendered files becomes a version with components, whose files are in a location.

Publishing a folder again changes nothing; a folder that got more sequences or files since gets those published in
the same version. So a render farm may call it as often as it likes::

    import version_publisher
    version = version_publisher.publish(session, shot, "/renders/010_comp_v003", asset="comp")

Numbered files become one sequence for each name, all others a file each. Hidden files are left alone.
"""

from __future__ import annotations

import os
import re
from typing import Any

from callsheet.storage.sequence import FileSequence

__all__ = ["found_in", "publish", "register"]

_NUMBERED = re.compile(r"(?P<head>.*?)(?P<number>\d+)(?P<tail>\.[^.]+)")
SOURCE = "published_from"


class Publishing:
    """Behaviour of a shot, or of whatever else has assets."""

    __slots__ = ()

    def publish(self: Any, folder: str, asset: str, location: Any = "auto") -> Any:
        """The version that a folder of files became."""
        return publish(self.session, self, folder, asset, location)


def register(session: Any) -> None:
    """Give everything with assets the verb ``publish``."""
    session.types.extend("Context", Publishing)


def found_in(folder: str) -> dict[str, str]:
    """What there is to publish: the name of each component, and its file or sequence expression."""
    groups: dict[tuple[str, str, int], list[int]] = {}
    found: dict[str, str] = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.startswith(".") or not os.path.isfile(path):
            continue
        match = _NUMBERED.fullmatch(name)
        if match is None:
            found[name.partition(".")[0]] = path
            continue
        number = match["number"]
        groups.setdefault((match["head"], match["tail"], len(number)), []).append(int(number))
    for (head, tail, digits), frames in groups.items():
        sequence = FileSequence(os.path.join(folder, head), tail, digits, tuple(sorted(frames)))
        found[head.rstrip("._- ") or "main"] = str(sequence)
    return found


def publish(session: Any, context: Any, folder: str, asset: str, location: Any = "auto") -> Any:
    """The version of ``asset`` below ``context`` that holds a folder's files; made, or completed, where needed."""
    folder = os.path.abspath(folder)
    components = found_in(folder)
    if not components:
        raise ValueError(f"{folder} has no files to publish")
    version = _version(session, context, folder, asset)
    known = {each["name"] for each in session.query("Component").where(version=version).all()}
    for name, path in components.items():
        if name not in known:
            session.create_component(path, {"version": version, "name": name}, location)
    return version


def _version(session: Any, context: Any, folder: str, asset: str) -> Any:
    """The version that was made of this folder before, or a new one, which is committed."""
    product = session.ensure("Asset", {"name": asset, "parent": context}, ["name", "parent"])
    session.commit()
    for version in session.query("AssetVersion").where(asset=product).all():
        if version["metadata"].get(SOURCE) == folder:
            return version
    version = session.create("AssetVersion", {"asset": product, "metadata": {SOURCE: folder}})
    session.commit()
    return version
