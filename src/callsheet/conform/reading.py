"""One reader of edits: tables of office programs, and what the adapters of OpenTimelineIO read."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from callsheet.conform.adapters import library, read_timelines
from callsheet.conform.decoding import content, text_of
from callsheet.conform.edit import Edit, EditItem, EditOptions
from callsheet.conform.naming import named_clips
from callsheet.conform.table import table_items
from callsheet.conform.timeline import timeline_items
from callsheet.errors import UsageError

__all__ = ["read_edit", "read_table"]

TABLES = (".csv", ".tsv", ".txt")


def read_edit(path: str | Path, options: EditOptions | None = None) -> Edit:
    """The edit in a file: a table (``.csv``, ``.tsv``), or what OpenTimelineIO reads (``.otio``, ``.edl``, ``.xml``).

    Raises `UsageError` with the clip and the reason where the file can be read in two ways and ``options`` do not
    say which, and `StorageError` if the file cannot be read at all.
    """
    path = Path(path)
    chosen = options or EditOptions()
    if chosen.rate is not None and not 0 < chosen.rate < 1000:
        raise UsageError(f"{chosen.rate:g} is no number of frames per second")
    if path.suffix.lower() in TABLES:
        return read_table(path.stem, text_of(path.name, content(path)), chosen, path.name)
    found = read_timelines(path, chosen)
    name, items, notes = timeline_items(library(), path.name, found, chosen)
    if path.suffix.lower() == ".edl":
        items = _without_event_numbers(items, text_of(path.name, content(path)))
    return Edit(name or path.stem, named_clips(path.name, items, chosen), tuple(notes))


def read_table(name: str, text: str, options: EditOptions, file: str = "") -> Edit:
    """The edit in the text of a table. ``file`` is how messages call it."""
    items = table_items(file or name, text, options)
    if not items:
        raise UsageError(f"{file or name} has no clips")
    return Edit(name, named_clips(file or name, items, options))


def _without_event_numbers(items: list[EditItem], text: str) -> list[EditItem]:
    """An event without a clip's name has its number for a name, which is none."""
    return [
        evolve(each, label="") if each.label.isdigit() and f": {each.label}" not in text else each for each in items
    ]
