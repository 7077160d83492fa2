"""Reads files with OpenTimelineIO's adapters, so that a hostile or broken file is refused and does no harm.

An adapter gets text that was checked first: XML without entities and JSON without deep nesting, because both can end
the process that parses them; edit decision lists with the frame rate they are counted in, which they do not say.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any
from xml.parsers import expat

from callsheet.conform.decoding import LARGEST_FILE, content, text_of
from callsheet.conform.edit import EditOptions
from callsheet.conform.rates import exact
from callsheet.conform.refusal import foreign
from callsheet.errors import StorageError, UsageError

__all__ = ["library", "read_timelines"]

DEEPEST = 200
MOST_ELEMENTS = 2_000_000
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]+")
_EVENT = re.compile(r"^(\s*\d+\s.*)$", re.MULTILINE)
_TIMECODE = re.compile(r"(\d\d:\d\d:\d\d)[:;](\d\d)\b")


def library(suffix: str = "") -> Any:
    """OpenTimelineIO. Raises `UsageError` with the command that installs it."""
    try:
        import opentimelineio
    except ImportError:
        raise UsageError(
            f"reading {suffix or 'this kind of'} files needs OpenTimelineIO, which comes with the extra `otio`: "
            "pip install 'callsheet[otio]'"
        ) from None
    return opentimelineio


def read_timelines(path: Path, options: EditOptions) -> Any:
    """The result of the adapter for the file's extension: a timeline, or a collection."""
    suffix = path.suffix.lower()
    otio = library(suffix)
    if not path.exists():
        raise StorageError(f"the edit {path} does not exist")
    adapter = _adapter(otio, path, suffix)
    with foreign(path.name):
        if suffix == ".edl":
            text, rate = _edit_decision_list(path, options)
            return adapter.read_from_string(text, rate=rate)
        if suffix in (".xml", ".otio", ".json"):
            return adapter.read_from_string(_checked_text(path, suffix))
        if suffix == ".otioz":
            _check_archive(path)
        return adapter.read_from_file(str(path))


def _adapter(otio: Any, path: Path, suffix: str) -> Any:
    with foreign(path.name):
        known = sorted(otio.adapters.suffixes_with_defined_adapters(read=True))
    if suffix.lstrip(".") not in known:
        kinds = ", ".join(f".{each}" for each in known)
        raise UsageError(f"{path.name}: no reader for this kind of file; there are .csv, {kinds}")
    with foreign(path.name):
        return otio.adapters.from_filepath(f"edit{suffix}")


def _checked_text(path: Path, suffix: str) -> str:
    data = content(path)
    if suffix == ".xml":
        return _checked_xml(path.name, data)
    text = text_of(path.name, data)
    _check_depth(path.name, text)
    return text


def _check_depth(name: str, text: str) -> None:
    """JSON that is nested too deeply would overflow the stack of the library that parses it."""
    depth = 0
    for run in _BRACKETS.findall(_STRING.sub("", text)):
        for bracket in run:
            depth += 1 if bracket in "[{" else -1
            if depth > DEEPEST:
                raise UsageError(f"{name} is nested more than {DEEPEST} deep; it is no edit")


def _checked_xml(name: str, data: bytes) -> str:
    """The text of an XML file that declares no entities and is of the size and depth of an edit."""
    checking = _XmlCheck(name)
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = checking.start, checking.end
    parser.EntityDeclHandler = checking.entity
    parser.XmlDeclHandler = checking.declaration
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise UsageError(f"{name} is no XML: {error}") from None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else checking.encoding
    text = data.decode(encoding, "replace").lstrip("\ufeff")
    # The text is decoded already; a parser of text refuses a declaration of its encoding.
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1).lstrip()


class _XmlCheck:
    """Counts elements while a file is parsed, and refuses what an edit has no use for."""

    def __init__(self, name: str) -> None:
        self.name, self.depth, self.elements, self.encoding = name, 0, 0, "utf-8"

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self.encoding = encoding or "utf-8"

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth, self.elements = self.depth + 1, self.elements + 1
        if self.depth > DEEPEST or self.elements > MOST_ELEMENTS:
            raise UsageError(f"{self.name} is nested too deeply or has too many elements; it is no edit")

    def end(self, tag: str) -> None:
        self.depth -= 1

    def entity(self, *_: Any) -> None:
        raise UsageError(f"{self.name} declares XML entities, which an edit has no use for; it is not read")


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist() if info.filename.endswith(".otio"))
            if size > LARGEST_FILE:
                raise UsageError(f"{path.name} unfolds to more than {LARGEST_FILE // 2**20} MiB; is it an edit?")
            for info in archive.infolist():
                if info.filename.endswith(".otio"):
                    _check_depth(path.name, text_of(path.name, archive.read(info)))
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise UsageError(f"{path.name} is no .otioz archive: {error}") from None


def _edit_decision_list(path: Path, options: EditOptions) -> tuple[str, float]:
    """The text of an edit decision list and its frame rate, which the caller gives."""
    text = text_of(path.name, content(path))
    dropping = re.search(r"^\s*FCM:\s*DROP", text, re.MULTILINE | re.IGNORECASE) is not None
    if options.rate is None:
        drop = " (it counts drop-frame timecode: 29.97 or 59.94)" if dropping else ""
        raise UsageError(f"{path.name}: an edit decision list does not say its frame rate; say it with --rate{drop}")
    rate = exact(options.rate)
    if dropping and round(rate) not in (30, 60):
        raise UsageError(f"{path.name} counts drop-frame timecode, which is of 29.97 or 59.94, not {options.rate:g}")
    if dropping and rate == round(rate):
        raise UsageError(f"{path.name} counts drop-frame timecode: the rate is {rate * 1000 / 1001:.2f}, not {rate:g}")
    return (_EVENT.sub(_dropping, text) if dropping else text), rate


def _dropping(event: re.Match[str]) -> str:
    """Timecodes of an event, marked as drop-frame the way adapters expect it."""
    return _TIMECODE.sub(r"\1;\2", event[1])
