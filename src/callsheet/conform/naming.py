"""Items become shots: their names and sequences, each used once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from attrs import evolve

from callsheet.conform.edit import Clip, EditItem, EditOptions
from callsheet.conform.refusal import collected, quoted, refused
from callsheet.errors import UsageError

__all__ = ["folded", "named_clips"]

LONGEST = 200


def folded(name: str) -> str:
    """The form in which names are compared: edit decision lists write all in capitals.

    >>> folded("SQ010_SH020") == folded("sq010_sh020")
    True
    """
    return unicodedata.normalize("NFC", name).casefold()


def named_clips(file: str, items: list[EditItem], options: EditOptions) -> tuple[Clip, ...]:
    """The items as shots, in their order. Raises for names that are missing or no names, and for those used twice."""
    naming = _naming(options)
    pairs = list(enumerate(items, 1))
    clips = collected(file, pairs, lambda pair: _clip(*pair, naming))
    return tuple(_each_once(file, clips, options))


Naming = Callable[[int, EditItem], tuple[str, str]]


def _naming(options: EditOptions) -> Naming:
    """How an item's sequence and shot are found."""
    if options.names == "place":
        return lambda place, item: (item.sequence, f"sh{place * 10:04d}")
    if options.pattern:
        return _by_pattern(options.pattern)
    return lambda place, item: (item.sequence, item.label)


def _by_pattern(pattern: str) -> Naming:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"the pattern {pattern!r} is no regular expression: {error}") from None
    if "shot" not in compiled.groupindex:
        raise UsageError(f"the pattern {pattern!r} has no group `shot`: (?P<sequence>[^_]+)_(?P<shot>[^_]+)")

    def naming(place: int, item: EditItem) -> tuple[str, str]:
        found = compiled.search(item.label)
        if found is None or not found["shot"]:
            raise UsageError(f"{item.where} {quoted(item.label)} does not fit the pattern {pattern!r}")
        return item.sequence or found.groupdict().get("sequence") or "", found["shot"]

    return naming


def _clip(place: int, item: EditItem, naming: Naming) -> Clip:
    item = evolve(item, label=unicodedata.normalize("NFC", item.label).strip())
    sequence, shot = naming(place, item)
    if not shot:
        raise UsageError(
            f"{item.where} has no name; a clip's name is its shot's (--names place numbers the shots instead)"
        )
    for name in filter(None, (sequence, shot)):
        if len(name) > LONGEST or not name.isprintable() or not any(map(str.isalnum, name)):
            raise UsageError(f"{item.where} {quoted(item.label)}: {name[:40]!r} cannot be a name")
    return Clip(shot, item.start, item.duration, item.rate, place, sequence, item.last, item.label, item.where)


def _each_once(file: str, clips: list[Clip], options: EditOptions) -> list[Clip]:
    """The clips, each with a name of its own; repeats are numbered if the options say so."""
    used: dict[tuple[str, str], Clip] = {}
    uses: dict[tuple[str, str], int] = {}
    own = {_key(clip) for clip in clips}
    found, reasons = [], []
    for clip in clips:
        key = _key(clip)
        uses[key] = uses.get(key, 0) + 1
        if uses[key] > 1:
            if not options.number_repeats:
                reasons.append(f"{clip.where} {quoted(clip.shot)} is used by {used[key].where} already")
                continue
            clip = evolve(clip, shot=f"{clip.shot}_{uses[key]}")
            if _key(clip) in own:
                reasons.append(f"{clip.where}: the repeat would be {quoted(clip.shot)}, the name of another clip")
        used.setdefault(key, clip)
        found.append(clip)
    if reasons:
        cure = "" if options.number_repeats else "; --number-repeats makes each use a shot (NAME_2, NAME_3 …)"
        raise refused(file, [*reasons[:-1], reasons[-1] + cure])
    return found


def _key(clip: Clip) -> tuple[str, str]:
    return folded(clip.sequence), folded(clip.shot)
