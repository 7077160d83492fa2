"""Schema documents are read from presets, files and mappings, merged with those they extend, completed and checked.

The result is the plain data that `callsheet.model.schema.Schema` is made from; ``docs/reference/schema.md``
describes it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from callsheet.errors import SchemaError
from callsheet.model.schema import did_you_mean
from callsheet.server.schemas.check import problems
from callsheet.server.schemas.formats import document_from
from callsheet.server.schemas.former_names import FormerNames, former_names
from callsheet.server.schemas.outline import Outline

__all__ = ["CONFIGURATION", "PRESETS", "load_schema_document", "read_schema"]

CONFIGURATION = "CustomAttributeConfiguration"

PRESETS = ("lab", "production")


def load_schema_document(source: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """The checked schema document of a preset (``"production"``), of a TOML or JSON file, or of a mapping.

    A JSON file may also be a schema in the format of a dialect; the store can then serve that dialect's clients.
    Raises one `SchemaError` with all problems. The source is not changed.

    >>> load_schema_document("lab")["types"]["Collection"]["extends"]
    'Item'
    >>> load_schema_document({"types": {"Dot": {"attributes": {"size": {"type": "intger"}}}}})
    Traceback (most recent call last):
    callsheet.errors.SchemaError: the schema has 1 problem:
      - mapping: Dot.size: there is no attribute type `intger`; did you mean `integer`?
    """
    return read_schema(source)[0]


def read_schema(source: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], FormerNames]:
    """As `load_schema_document`, with the former names that the source states (``was``)."""
    name = _name(source)
    if not isinstance(source, Mapping) and source not in PRESETS and Path(source).suffix == ".json":
        made = document_from(_read(source))
        if made is not None:
            return made, FormerNames()
    document = _joined(source, ())
    former = former_names(document)
    _complete(document)
    found = problems(document)
    found += [] if found else former.problems(document)
    if found:
        lines = "".join(f"\n  - {name}: {problem}" for problem in found)
        raise SchemaError(f"the schema has {len(found)} problem{'s' if len(found) > 1 else ''}:{lines}")
    return document, former


def _name(source: str | Path | Mapping[str, Any]) -> str:
    if isinstance(source, Mapping):
        return "mapping"
    return f"{source}.toml" if source in PRESETS else str(source)


def _joined(source: str | Path | Mapping[str, Any], reading: tuple[str, ...]) -> dict[str, Any]:
    """The document, merged over the one it extends, if any."""
    name = _name(source)
    if name in reading:
        raise SchemaError(f"schema {name} extends itself: {' → '.join((*reading, name))}")
    document = _plain(name, source if isinstance(source, Mapping) else _read(source))
    below = document.pop("extends", None)
    if below is None:
        return document
    if not isinstance(below, str):
        raise SchemaError(f"{name}: `extends` takes the name of a preset or a file, not {below!r:.60}")
    if below not in PRESETS and isinstance(source, str | Path):
        below = str(Path(source).parent / below)
    return _laid_over(_joined(below, (*reading, name)), document)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Types are added; a type that both have gets the attributes, combinations and texts of both."""
    joined = {**below, **above}
    types = dict(below.get("types", {}))
    definition = above.get("types", {})
    for name, upper in definition.items() if isinstance(definition, dict) else ():
        lower = types.get(name)
        if isinstance(lower, dict) and isinstance(upper, dict):
            upper = {**lower, **upper, **_both(lower, upper, "attributes"), **_both(lower, upper, "custom")}
        types[name] = upper
    return {**joined, "types": types if isinstance(definition, dict) else definition}


def _both(lower: dict[str, Any], upper: dict[str, Any], key: str) -> dict[str, Any]:
    parts = [part[key] for part in (lower, upper) if isinstance(part.get(key), dict)]
    return {key: {name: definition for part in parts for name, definition in part.items()}} if len(parts) == 2 else {}


def _read(source: str | Path) -> Any:
    if source in PRESETS:
        preset = resources.files("callsheet.server.schemas") / f"{source}.toml"
        return tomllib.loads(preset.read_text(encoding="utf-8"))
    path = Path(source)
    if not path.suffix and not path.exists():
        raise SchemaError(
            f"there is no schema preset `{source}` (presets: {', '.join(PRESETS)}; a schema of your own is a "
            f".toml or .json file){did_you_mean(str(source), PRESETS)}"
        )
    readers = {".toml": tomllib.loads, ".json": json.loads}
    if path.suffix not in readers:
        raise SchemaError(f"schema file {path} must end in .toml or .json")
    try:
        return readers[path.suffix](path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaError(f"schema file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SchemaError(f"schema file {path} is not valid {path.suffix[1:].upper()}: {error}") from None


def _plain(name: str, document: Any) -> dict[str, Any]:
    """A copy of the document; raises `SchemaError` unless it is JSON data."""
    try:
        copied = json.loads(json.dumps(document, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SchemaError(f"{name}: a schema consists of texts, numbers, booleans, lists and tables: {error}") from None
    if not isinstance(copied, dict):
        raise SchemaError(f"{name}: a schema is a table with the key `types`, not {type(copied).__name__}")
    return copied


def _complete(document: dict[str, Any]) -> None:
    """Set the ``inverse`` on both sides of a relation if only one has it; a subtype's redefinition keeps it."""
    _protect(document)
    outline = Outline(document)
    for _owner, name, definition in _relations(outline):
        target, inverse = definition.get("target"), definition.get("inverse")
        if definition.get("type") == "collection" and isinstance(target, str) and isinstance(inverse, str):
            other = outline.attributes(target).get(inverse)
            if other is not None and other.definition.get("type") in ("reference", "collection"):
                other.definition.setdefault("inverse", name)
    for owner, name, definition in _relations(outline):
        above = outline.attributes(outline.types[owner].get("extends", "")).get(name)
        if (
            above is not None
            and "inverse" in above.definition
            and above.definition.get("type") == definition.get("type")
        ):
            definition.setdefault("inverse", above.definition["inverse"])


def _protect(document: dict[str, Any]) -> None:
    """Make configurations of custom attributes administrative by default, because they change the schema."""
    definition = document["types"].get(CONFIGURATION) if isinstance(document.get("types"), dict) else None
    if isinstance(definition, dict):
        definition.setdefault("administrative", True)


def _relations(outline: Outline) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for owner in outline.types:
        for name, definition in outline.declared(owner).items():
            if definition.get("type") in ("reference", "collection"):
                yield owner, name, definition
