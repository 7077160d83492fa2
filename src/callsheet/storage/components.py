"""Components are created from paths: a file, numbered files, or a container of several."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from callsheet.core import populating
from callsheet.core.core import Core
from callsheet.dialects import declarations
from callsheet.errors import FileMissing, UsageError
from callsheet.flow import Flow, Work
from callsheet.storage.finding import pick_any
from callsheet.storage.lookup import check_schema, is_born
from callsheet.storage.naming import split_extension
from callsheet.storage.placing import add
from callsheet.storage.sequence import FileSequence, parse_sequence, ranges
from callsheet.storage.transfer import OnProgress

__all__ = ["create", "missing_frames"]

MISSING = ("warn", "refuse", "allow")

_log = logging.getLogger("callsheet.storage")


def create(
    core: Core,
    path: Any = None,
    data: Mapping[str, Any] | None = None,
    location: Any = "auto",
    progress: OnProgress | None = None,
    *,
    missing: Literal["warn", "refuse", "allow"] = "warn",
) -> Flow[Any]:
    """A component of a file, of numbered files (``frame.%04d.exr [1-100]``), or of a list of both.

    ``data`` has its values (``version``, ``name`` …); the defaults of ``size`` and ``file_type`` come from the files.
    With a location, its files are copied there, and all pending changes are committed; ``"auto"`` is the preferred
    location; with None the files stay where they are, and the component stays pending. ``progress`` is called with a
    `Progress`.

    ``missing`` decides about gaps between the first and the last frame: ``warn`` logs them, ``refuse`` raises
    `FileMissing`, ``allow`` accepts them. `get_missing_frames` of the component lists them.
    """
    check_schema(core)
    if missing not in MISSING:
        raise UsageError(f"`missing` is one of {', '.join(MISSING)}, not {missing!r:.40}")
    values = dict(data or {})
    made: list[Any] = []
    try:
        component = yield from _make(core, path, values, made, strict=location is not None, missing=missing)
        if location == "auto":
            review = any(values.get("name") in each.review_components for each in declarations())
            location = "review" if review else (yield from pick_any(core))
        if location is not None:
            place = yield from core.locations.resolve(location)
            if place.kind != "origin":
                yield from add(core, place, [component], "origin", True, progress)
    except Exception:
        _withdraw(core, made)
        raise
    return component


def _withdraw(core: Core, made: Sequence[Any]) -> None:
    """Delete the pending entities of a component that could not be added to its location."""
    if core.unit.doubtful is not None:
        return
    for entity in reversed(made):
        if is_born(entity) and core.unit.is_alive(entity):
            core.delete(entity)
            core.locations.origins.pop(entity, None)


def missing_frames(core: Core, component: Any) -> Flow[list[int]]:
    """The frames between a sequence's first and last that are no member of it."""
    if component.entity_type != "SequenceComponent":
        return []
    yield from populating.populate(core, component, "members.name")
    frames = {int(name) for member in component["members"] if (name := member.peek("name")).lstrip("-").isdecimal()}
    return [frame for frame in range(min(frames), max(frames)) if frame not in frames] if frames else []


def _make(core: Core, path: Any, data: dict[str, Any], made: list[Any], strict: bool, missing: str) -> Flow[Any]:
    if path is None or isinstance(path, list | tuple):
        component = _new(core, "ContainerComponent", data, made, file_type="")
        for each in path or ():
            name = split_extension(os.fspath(each))[0]
            member = {"container": component, "name": name.partition("%")[0].partition("#")[0].rstrip("._- ") or name}
            yield from _make(core, each, member, made, strict, missing)
        return component
    text = os.fspath(path)
    if not isinstance(text, str):
        raise UsageError(f"a path is a text, not {path!r:.80}")
    is_file = yield Work(lambda: os.path.isfile(text))
    sequence: FileSequence | None = None
    if not is_file:
        sequence = yield Work(lambda: parse_sequence(text))
    if sequence is not None:
        _check_missing(sequence, missing)
        return (yield from _sequence(core, sequence, data, made, strict))
    size = yield Work(lambda: _size(text, strict))
    component = _new(core, "FileComponent", data, made, size=size, file_type=split_extension(text)[1])
    core.locations.origins[component] = os.path.abspath(text)
    return component


def _check_missing(sequence: FileSequence, missing: str) -> None:
    """Say which frames a sequence lacks, or raise `FileMissing`."""
    lacking = sequence.missing
    if not lacking or missing == "allow":
        return
    message = f"{sequence}: {len(lacking):,} of its frames are missing: {ranges(lacking)}"
    if missing == "refuse":
        raise FileMissing(f"{message}; nothing was created")
    _log.warning("%s", message)


def _sequence(core: Core, sequence: FileSequence, data: dict[str, Any], made: list[Any], strict: bool) -> Flow[Any]:
    sizes: list[int] = yield Work(lambda: [_size(sequence.member(frame), strict) for frame in sequence.frames])
    if "size" in data:
        # The size of all: divide it among the members.
        share, rest = divmod(int(data["size"]), len(sizes))
        sizes = [share + (number < rest) for number in range(len(sizes))]
    extension = split_extension(f"name{sequence.tail}")[1]
    values = {"size": sum(sizes), "file_type": extension, "padding": sequence.padding}
    attributes = core.schema.types["SequenceComponent"].attributes
    if "first_frame" in attributes:
        values |= {"first_frame": sequence.frames[0], "last_frame": sequence.frames[-1]}
    component = _new(core, "SequenceComponent", data, made, **values)
    core.locations.origins[component] = os.path.abspath(str(sequence))
    for frame, size in zip(sequence.frames, sizes):
        member = {"container": component, "name": sequence.index(frame)}
        entity = _new(core, "FileComponent", member, made, size=size, file_type=extension)
        core.locations.origins[entity] = os.path.abspath(sequence.member(frame))
    return component


def _new(core: Core, kind: str, data: Mapping[str, Any], made: list[Any], **values: Any) -> Any:
    system = {"FileComponent": "file", "SequenceComponent": "sequence", "ContainerComponent": "container"}[kind]
    attributes = core.schema.types[kind].attributes
    every: dict[str, Any] = {"name": "main", "system_type": system, **values, **data}
    entity = core.create(kind, {name: value for name, value in every.items() if name in attributes or name in data})
    made.append(entity)
    return entity


def _size(path: str, strict: bool) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        if strict:
            raise FileMissing(f"{path}: {error.strerror or error}; nothing was created") from error
        return 0
