"""Structures: where in a location a component's file is. Pure functions on what is known of the component.

A transformer changes identifiers on their way to the server and back, say to keep paths relative to something.
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
    """What structures know of a component.

    ``kind`` is file, sequence or container. ``way`` are the names from the project to what the version is made
    for, ``version`` counts from 1 (None: not known yet). ``source`` is where the file comes from.
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
        """Where it is; `StructureError` where none can be made."""


class Transformer(Protocol):
    """Changes identifiers between the location and the server."""

    def encode(self, identifier: str, component: Described) -> str:
        """What the server is told."""

    def decode(self, identifier: str, component: Described) -> str:
        """What the location knows it as."""


class OriginStructure:
    """Files stay where they come from: the identifier is the path of the source."""

    def identifier(self, component: Described) -> str:
        if component.source is None:
            raise StructureError(f"component {component.name!r}: nobody told where its file comes from")
        return component.source


class EntityIdStructure:
    """The identifier is the component's key."""

    def identifier(self, component: Described) -> str:
        return component.key


class IdStructure:
    """Folders of the key's first characters, so that no folder grows large: ``prefix/1/2/3/4/rest.exr``.

    >>> IdStructure("show").identifier(Described("1234-5", "main", file_type=".exr"))
    'show/1/2/3/4/-5.exr'
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix.strip("/")

    def identifier(self, component: Described) -> str:
        container = component.container
        if container is not None and container.kind == "sequence":
            return f"{self._folder(container.key)}/file.{_number(component, container)}{_ending(component)}"
        if component.kind == "sequence":
            return f"{self._folder(component.key)}/file.{_digits(component)}{_ending(component)}"
        return f"{self._folder(component.key)}{_ending(component) if component.kind == 'file' else ''}"

    def _folder(self, key: str) -> str:
        if len(key) < 5 or not re.fullmatch(r"[\w-]+", key):
            raise StructureError(f"the key {key!r:.80} has no four characters to make folders of")
        return "/".join((*([self._prefix] if self._prefix else []), *key[:4], key[4:]))


class StandardStructure:
    """``project/sequence/shot/asset/v001/name.ext``, in lower-case ASCII; for components of committed versions.

    Two components never have the same path, also where the file system ignores case: a name that loses something on
    its way (capitals, accents, blanks, letters that are not Latin) is followed by ``~`` and a short tag of the whole
    name. ``tagged=False`` leaves the tags out, as other tools do; then names that look alike meet, and the second
    component is refused.

    ``project_versions_prefix`` is a folder below the project's, before all others. What file systems do not take
    becomes ``illegal_character_substitute``.

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
            raise StructureError(
                f"component {component.name!r} is nested in containers deeper than one level; place it by IdStructure"
            )
        if container.kind == "sequence":
            name = self._file(container, f".{_number(component, container)}", _ending(component))
            return "/".join((*self._folders(container), name))
        return "/".join((*self._folders(container), self._container(container.name), self._file(component)))

    def _folders(self, component: Described) -> list[str]:
        if component.version is None or component.asset is None or not component.way:
            raise StructureError(
                f"component {component.name!r} belongs to no committed version, which its path is made of; "
                "commit the version first, or place it by IdStructure"
            )
        project, *rest = map(self._folder, component.way)
        prefix = [readable(part, self._substitute) for part in self._prefix.split("/") if part]
        return [project, *prefix, *rest, self._folder(component.asset), f"v{component.version:03d}"]

    def _folder(self, name: str) -> str:
        """A folder's name; one that could be the folder of a version has a tag."""
        safe = readable(name, self._substitute)
        return part_of(name, safe, not re.fullmatch(r"v\d+", safe)) if self._tagged else safe

    def _container(self, name: str) -> str:
        """The name of a container's folder, which stands beside files: those have a dot or a tag."""
        safe = readable(name, self._substitute)
        return part_of(name, safe, "." not in safe) if self._tagged else safe

    def _file(self, component: Described, number: str = "", ending: str | None = None) -> str:
        """A file's name; one in which the name, the frame and the ending could be parted otherwise has a tag."""
        ending = _ending(component) if ending is None else ending
        safe = readable(component.name, self._substitute)
        if not self._tagged:
            return f"{safe}{number}{ending}"
        plain = "." not in safe and bool(ending or number) and not _AMBIGUOUS.match(ending) and ending == ending.lower()
        tagged = part_of(component.name, safe) if plain else part_of(f"{component.name}\0{ending}", safe, False)
        return f"{tagged}{number}{ending}"


_AMBIGUOUS = re.compile(r"\.-?\d+(\.|$)")
"""Endings that begin like the number of a frame."""


def _digits(component: Described) -> str:
    return f"%0{component.padding}d" if component.padding else "%d"


def _number(component: Described, container: Described) -> str:
    """The frame of a member, with the digits of its sequence."""
    try:
        return str(int(component.name)).zfill(container.padding)
    except ValueError:
        raise StructureError(f"{component.name!r} is no frame of sequence {container.name!r}") from None


def _ending(component: Described) -> str:
    ending = component.file_type
    if ending and (not re.fullmatch(r"\.[\w.\-]{1,40}", ending) or ending.endswith(".")):
        raise StructureError(f"{ending!r:.60} is no ending of a file name, such as `.exr`")
    return ending


_KINDS: dict[str, Any] = {
    "entity_id": EntityIdStructure,
    "id": IdStructure,
    "origin": OriginStructure,
    "standard": StandardStructure,
}


def structure_of(told: Any) -> Structure:
    """The structure that plain data describes, as a location on the server has it.

    >>> structure_of({"type": "id", "prefix": "a"}).identifier(Described("12345", "main"))
    'a/1/2/3/4/5'
    """
    options = dict(told)
    kind = _KINDS.get(options.pop("type", None))
    if kind is None:
        raise UsageError(f"a structure's type is one of {', '.join(_KINDS)}: {told!r:.120}")
    try:
        found: Structure = kind(**options)
    except TypeError as error:
        raise UsageError(f"the structure {told!r:.120} cannot be read: {error}") from None
    return found
