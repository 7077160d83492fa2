"""Structures give each component its path within a location. They are pure functions of the component's description.

A transformer converts identifiers between the location and the server, for example to store relative paths.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from attrs import frozen

from callsheet.errors import StructureError, UsageError
from callsheet.storage.naming import part_of, readable

__all__ = [
    "Described",
    "EntityIdStructure",
    "IdStructure",
    "OriginStructure",
    "StandardStructure",
    "Structure",
    "Transformer",
    "structure_of",
]


@frozen
class Described:
    """The description of a component for structures.

    ``kind`` is file, sequence or container. ``way`` has the names from the project down to the parent of the asset,
    ``version`` counts from 1 (None: no number yet). ``source`` is the source path of the file.
    """

    key: str
    name: str
    kind: str = "file"
    file_type: str = ""
    padding: int = 0
    container: Described | None = None
    way: tuple[str, ...] = ()
    asset: str | None = None
    version: int | None = None
    source: str | None = None


class Structure(Protocol):
    """Gives every component of a location its identifier."""

    def identifier(self, component: Described) -> str:
        """The identifier; raises `StructureError` if there is none."""


class Transformer(Protocol):
    """Changes identifiers between the location and the server."""

    def encode(self, identifier: str, component: Described) -> str:
        """The identifier for the server."""

    def decode(self, identifier: str, component: Described) -> str:
        """The identifier for the location."""


class OriginStructure:
    """Files stay at their source: the identifier is its path."""

    def identifier(self, component: Described) -> str:
        if component.source is None:
            raise StructureError(f"component {component.name!r} has no source path")
        return component.source


class EntityIdStructure:
    """The identifier is the component's key."""

    def identifier(self, component: Described) -> str:
        return component.key


class IdStructure:
    """Folders named by the key's first characters, so that no folder becomes large: ``prefix/1/2/3/4/rest.exr``.

    >>> IdStructure("show").identifier(Described("1234-5", "main", file_type=".exr"))
    'show/1/2/3/4/-5.exr'
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix.strip("/")

    def identifier(self, component: Described) -> str:
        container = component.container
        if container is not None and container.kind == "sequence":
            return f"{self._folder(container.key)}/file.{_number(component, container)}{_extension(component)}"
        if component.kind == "sequence":
            return f"{self._folder(component.key)}/file.{_digits(component)}{_extension(component)}"
        return f"{self._folder(component.key)}{_extension(component) if component.kind == 'file' else ''}"

    def _folder(self, key: str) -> str:
        if len(key) < 5 or not re.fullmatch(r"[\w-]+", key):
            raise StructureError(f"the key {key!r:.80} cannot be split into folders of one character")
        return "/".join((*([self._prefix] if self._prefix else []), *key[:4], key[4:]))


class StandardStructure:
    """``project/sequence/shot/asset/v001/name.ext``, in lower-case ASCII; for components of committed versions.

    Two components never have the same path, also on a file system that ignores case: a name that loses characters in
    the path (capitals, accents, spaces, letters that are not Latin) is followed by ``~`` and a short tag of the whole
    name. ``tagged=False`` omits the tags, as other tools do; then similar names may have the same path, and the second
    component is refused.

    ``project_versions_prefix`` is a folder in the project's folder, above all others. Characters that file systems do
    not accept are replaced by ``illegal_character_substitute``.

    >>> version = {"way": ("sintel", "SQ 010"), "asset": "comp", "version": 1}
    >>> StandardStructure().identifier(Described("12345", "main", file_type=".exr", **version))
    'sintel/sq_010~jmi7rzcl/comp/v001/main.exr'
    >>> StandardStructure(tagged=False).identifier(Described("12345", "main", file_type=".exr", **version))
    'sintel/sq_010/comp/v001/main.exr'
    """

    def __init__(
        self, project_versions_prefix: str = "", illegal_character_substitute: str = "_", tagged: bool = True
    ) -> None:
        self._prefix = project_versions_prefix
        self._substitute = illegal_character_substitute
        self._tagged = tagged

    def identifier(self, component: Described) -> str:
        container = component.container
        if container is not None:
            return self._member(component, container)
        if component.kind == "container":
            name = self._container(component.name)
        else:
            name = self._file(component, f".{_digits(component)}" if component.kind == "sequence" else "")
        return "/".join((*self._folders(component), name))

    def _member(self, component: Described, container: Described) -> str:
        if container.container is not None or component.kind != "file":
            raise StructureError(f"component {component.name!r} is nested in more than one container; use IdStructure")
        if container.kind == "sequence":
            name = self._file(container, f".{_number(component, container)}", _extension(component))
            return "/".join((*self._folders(container), name))
        return "/".join((*self._folders(container), self._container(container.name), self._file(component)))

    def _folders(self, component: Described) -> list[str]:
        if component.version is None or component.asset is None or not component.way:
            raise StructureError(
                f"component {component.name!r} needs a committed version for its path; "
                "commit the version first, or use IdStructure"
            )
        project, *rest = map(self._folder, component.way)
        prefix = [readable(part, self._substitute) for part in self._prefix.split("/") if part]
        return [project, *prefix, *rest, self._folder(component.asset), f"v{component.version:03d}"]

    def _folder(self, name: str) -> str:
        """A folder's name; it gets a tag if it looks like the folder of a version."""
        safe = readable(name, self._substitute)
        return part_of(name, safe, not re.fullmatch(r"v\d+", safe)) if self._tagged else safe

    def _container(self, name: str) -> str:
        """The name of a container's folder; it differs from files in the same folder, which have a dot or a tag."""
        safe = readable(name, self._substitute)
        return part_of(name, safe, "." not in safe) if self._tagged else safe

    def _file(self, component: Described, number: str = "", extension: str | None = None) -> str:
        """A file's name; it gets a tag if name, frame and extension could be split in another way."""
        extension = _extension(component) if extension is None else extension
        safe = readable(component.name, self._substitute)
        if not self._tagged:
            return f"{safe}{number}{extension}"
        clear = not _AMBIGUOUS.match(extension) and extension == extension.lower()
        plain = "." not in safe and bool(extension or number) and clear
        tagged = part_of(component.name, safe) if plain else part_of(f"{component.name}\0{extension}", safe, False)
        return f"{tagged}{number}{extension}"


_AMBIGUOUS = re.compile(r"\.-?\d+(\.|$)")
"""Extensions that begin like the number of a frame."""


def _digits(component: Described) -> str:
    return f"%0{component.padding}d" if component.padding else "%d"


def _number(component: Described, container: Described) -> str:
    """The frame of a member, with the padding of its sequence."""
    try:
        return str(int(component.name)).zfill(container.padding)
    except ValueError:
        raise StructureError(f"{component.name!r} is not a frame of sequence {container.name!r}") from None


def _extension(component: Described) -> str:
    extension = component.file_type
    if extension and (not re.fullmatch(r"\.[\w.\-]{1,40}", extension) or extension.endswith(".")):
        raise StructureError(f"{extension!r:.60} is not the extension of a file name, such as `.exr`")
    return extension


_KINDS: dict[str, Any] = {
    "entity_id": EntityIdStructure,
    "id": IdStructure,
    "origin": OriginStructure,
    "standard": StandardStructure,
}


def structure_of(description: Any) -> Structure:
    """The structure of a description in plain data, as in a location on the server.

    >>> structure_of({"type": "id", "prefix": "a"}).identifier(Described("12345", "main"))
    'a/1/2/3/4/5'
    """
    options = dict(description)
    kind = _KINDS.get(options.pop("type", None))
    if kind is None:
        raise UsageError(f"a structure's type is one of {', '.join(_KINDS)}: {description!r:.120}")
    try:
        found: Structure = kind(**options)
    except TypeError as error:
        raise UsageError(f"the structure {description!r:.120} cannot be read: {error}") from None
    return found
