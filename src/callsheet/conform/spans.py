"""How long an item of a track is, where it begins, and which frames of its source it uses."""

from __future__ import annotations

import math
from typing import Any

from attrs import evolve, frozen

from callsheet.conform.edit import EditItem
from callsheet.conform.rates import canonical, exact, is_frame_rate, same_rate, whole
from callsheet.conform.refusal import collected, quoted
from callsheet.errors import UsageError

__all__ = ["Placed", "item_of", "joined", "measured"]

_CLOSE = 1e-6


@frozen
class Placed:
    """An item, its place in words, where it begins in the edit (seconds), and its length without transitions."""

    item: Any
    where: str
    begin: float
    duration: Any


def measured(otio: Any, file: str, track: Any, where: str = "clip", begin: float = 0.0) -> list[Placed]:
    """The items of a track with their lengths and beginnings. Raises for items that have no length."""
    items = [each for each in track if not isinstance(each, otio.schema.Transition)]
    numbered, number = [], 0
    for each in items:
        number += not isinstance(each, otio.schema.Gap)
        numbered.append((each, f"{where} {number}"))
    lengths = collected(file, numbered, lambda pair: _length(otio, *pair))
    placed = []
    for (item, place), length in zip(numbered, lengths):
        placed.append(Placed(item, place, begin, length))
        begin += length.value / exact(length.rate)
    return placed


def _length(otio: Any, item: Any, where: str) -> Any:
    try:
        length = item.duration()
    except Exception:
        raise UsageError(
            f"{where} {quoted(item.name)} has no length: neither the edit nor its media says one"
        ) from None
    sound = math.isfinite(length.value) and math.isfinite(length.rate) and length.rate > 0
    if not sound or length.value < 0 or (length.value == 0 and not isinstance(item, otio.schema.Gap)):
        raise UsageError(f"{where} {quoted(item.name)} has no length ({length.value:g} at {length.rate:g})")
    return length


def item_of(otio: Any, placed: Placed, rate: float) -> EditItem:
    """What the edit says of an item, in frames of the edit's rate and of its source's."""
    item, about = placed.item, f"{placed.where} {quoted(placed.item.name)}"
    shown, trimmed = item.visible_range(), item.trimmed_range()
    source_rate = exact(shown.start_time.rate) if is_frame_rate(shown.start_time.rate) else rate
    duration = _frames_in_edit(placed, shown, trimmed, rate, about)
    start = whole(_seconds(shown.start_time) * source_rate, f"{about} begins at")
    if start < 0:
        raise UsageError(f"{about} begins {-start} frames before its source")
    speed = _speed(otio, item)
    used = _seconds(shown.duration) * source_rate * abs(1.0 if speed is None else speed)
    last = None if speed is None else start + max(1, math.ceil(used - _CLOSE)) - 1
    note = _note(about, speed, start, last, duration)
    begin = round((placed.begin + _seconds(shown.start_time) - _seconds(trimmed.start_time)) * rate)
    return EditItem(item.name or "", placed.where, start, last, duration, canonical(rate), note=note, begin=begin)


def joined(items: list[EditItem]) -> list[EditItem]:
    """The items, where one that goes on without a cut in the picture is one with the item before it."""
    found: list[EditItem] = []
    for item in items:
        if found and _goes_on(found[-1], item):
            before = found.pop()
            note = f"{item.where} {quoted(item.label)} goes on without a cut; it is one shot with {before.where}"
            note = f"{before.note}; {note}" if before.note else note
            item = evolve(before, last=item.last, duration=before.duration + item.duration, note=note)
        found.append(item)
    return found


def _goes_on(one: EditItem, other: EditItem) -> bool:
    """Whether the same source runs on at its own speed, in the cut and in itself."""
    if not one.label or one.label != other.label or one.begin is None or one.last is None or other.last is None:
        return False
    plain = all(each.last == each.start + each.duration - 1 for each in (one, other))
    return plain and one.begin + one.duration == other.begin and one.last + 1 == other.start


def _seconds(time: Any) -> float:
    return float(time.value / exact(time.rate))


def _frames_in_edit(placed: Placed, shown: Any, trimmed: Any, rate: float, about: str) -> int:
    """The length in frames of the edit. A source of another rate begins and ends at the nearest frames of the edit."""
    length = _seconds(shown.duration) * rate
    other = is_frame_rate(shown.duration.rate) and not same_rate(shown.duration.rate, rate)
    if other:
        whole(shown.duration.value, f"{about} is")
        begin = placed.begin - (_seconds(trimmed.start_time) - _seconds(shown.start_time))
        length = round((begin + _seconds(shown.duration)) * rate) - round(begin * rate)
    frames = whole(length, f"{about} is")
    if frames <= 0:
        raise UsageError(f"{about} is shorter than a frame")
    return frames


def _speed(otio: Any, item: Any) -> float | None:
    """The factor of its speed: 1 if it is not retimed, None if it changes in a way that is not known."""
    speed = 1.0
    for effect in item.effects:
        if isinstance(effect, otio.schema.LinearTimeWarp):
            speed *= effect.time_scalar
        elif isinstance(effect, otio.schema.TimeEffect) or "timeremap" in _kind(effect):
            return None
    return speed if math.isfinite(speed) and abs(speed) < 10_000 else None


def _kind(effect: Any) -> str:
    return f"{effect.name}{effect.effect_name}".lower().replace(" ", "").replace("_", "")


def _note(about: str, speed: float | None, start: int, last: int | None, duration: int) -> str:
    if speed == 1.0:
        return ""
    if speed is None:
        return f"{about} is retimed in a way that is not known; its last source frame stays empty"
    if speed == 0.0:
        return f"{about} is a still: frame {start} for {duration} frames"
    backwards = " backwards" if speed < 0 else ""
    return f"{about} runs at {abs(speed):.0%}{backwards}: source frames {start} to {last} for {duration} frames"
