"""Timelines of OpenTimelineIO become items: which track counts, which of its items, and how long each is.

Where the file can be read in two ways, an option decides or the file is refused:

- a clip is as long as it is *seen*: frames under a transition belong to both of its clips
- an item counts in frames of the edit; what lasts a part of a frame is refused
- a retimed clip is as long as in the cut; its speed says which frames of the source are used
- gaps are no shots; nor are muted items, titles, bars and black, unless an option says so
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from callsheet.conform.edit import EditItem, EditOptions
from callsheet.conform.nesting import opened, seen
from callsheet.conform.rates import canonical, exact, is_frame_rate, same_rate
from callsheet.conform.refusal import collected, foreign, quoted
from callsheet.conform.spans import Placed, item_of, joined, measured
from callsheet.errors import UsageError

__all__ = ["timeline_items"]


@frozen
class _Selection:
    """The items of a track that count as shots, with where each begins in seconds, and what was left out."""

    placed: list[Placed]
    notes: list[str]


def timeline_items(otio: Any, file: str, found: Any, options: EditOptions) -> tuple[str, list[EditItem], list[str]]:
    """The name of the timeline, its items, and notes on what became no shot."""
    with foreign(file):
        timeline = _chosen(otio, file, found, options)
        track = _track(otio, file, timeline, options)
        selection = _selected(otio, file, track, options)
        rate = _rate(file, timeline, selection.placed, options)
        items = joined(collected(file, selection.placed, lambda placed: item_of(otio, placed, rate)))
        notes = [*selection.notes, *(item.note for item in items if item.note)]
        return timeline.name or "", items, notes


def _chosen(otio: Any, file: str, found: Any, options: EditOptions) -> Any:
    """The timeline that the option names, or the only one."""
    timelines = list(_timelines(otio, found))
    if not timelines:
        raise UsageError(f"{file} holds no timeline")
    names = [each.name or "" for each in timelines]
    if not options.timeline:
        if len(timelines) > 1:
            listed = ", ".join(f"{number} {quoted(name)}" for number, name in enumerate(names[:20], 1))
            raise UsageError(f"{file} holds {len(timelines)} timelines ({listed}); say which one with --timeline")
        return timelines[0]
    return timelines[_place(file, "timeline", options.timeline, names)]


def _timelines(otio: Any, found: Any) -> Iterator[Any]:
    if isinstance(found, otio.schema.Timeline):
        yield found
    elif isinstance(found, otio.schema.SerializableCollection):
        for each in found:
            yield from _timelines(otio, each)
    elif isinstance(found, otio.schema.Stack | otio.schema.Track):
        made = otio.schema.Timeline(found.name)
        made.tracks.append(found)
        yield made


def _place(file: str, what: str, wanted: str, names: list[str]) -> int:
    """The index of the item with this name or number. Raises for a name that two items have."""
    if names.count(wanted) == 1:
        return names.index(wanted)
    if names.count(wanted) > 1:
        raise UsageError(f"{file} has {names.count(wanted)} {what}s called `{wanted}`; say the number with --{what}")
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= len(names):
        return int(wanted) - 1
    listed = ", ".join(f"{number} {quoted(name)}" for number, name in enumerate(names[:20], 1))
    raise UsageError(f"{file} has no {what} `{wanted}`; it has {listed}")


def _track(otio: Any, file: str, timeline: Any, options: EditOptions) -> Any:
    """The track that the option names, what is seen of all of them, or the only one that has shots."""
    tracks = [each for each in timeline.tracks if _is_picture(otio, each)]
    tracks = [each if isinstance(each, otio.schema.Track) else _as_track(otio, each) for each in tracks]
    if options.track == "seen":
        shown = [each for each in tracks if options.muted or _enabled(each)]
        return seen(otio, shown, _counts(otio, options), file)
    if options.track:
        return tracks[_place(file, "track", options.track, [each.name or "" for each in tracks])]
    return _only_track(file, tracks, _counts(otio, options), options)


def _only_track(file: str, tracks: list[Any], counts: Any, options: EditOptions) -> Any:
    """The track that has shots; if none has, the first that has anything, whose items then say what they are."""
    visible = [(number, each) for number, each in enumerate(tracks, 1) if options.muted or _enabled(each)]
    shown = [(number, each) for number, each in visible if any(map(counts, each))]
    if not shown:
        shown = [(number, each) for number, each in visible if len(each)][:1]
    if not shown:
        raise UsageError(f"{file} has no clips in a video track that is not muted")
    if len(shown) > 1:
        listed = ", ".join(f"{number} {quoted(each.name)}" for number, each in shown[:20])
        raise UsageError(
            f"{file} has clips on {len(shown)} video tracks ({listed}); "
            "say which one with --track, or --track seen for what is seen of all of them"
        )
    return shown[0][1]


def _is_picture(otio: Any, track: Any) -> bool:
    return not isinstance(track, otio.schema.Track) or track.kind == otio.schema.TrackKind.Video


def _as_track(otio: Any, item: Any) -> Any:
    """A track for an item that lies in the timeline's stack without one."""
    copy = item.deepcopy()
    return otio.schema.Track(item.name, children=[copy], kind=otio.schema.TrackKind.Video)


def _enabled(item: Any) -> bool:
    """Whether it is not muted. XML of editing systems says so in metadata that adapters keep as it is."""
    if not getattr(item, "enabled", True):
        return False
    kept = item.metadata.get("fcp_xml", {})
    return str(kept.get("enabled", "TRUE") if hasattr(kept, "get") else "TRUE").upper() != "FALSE"


def _counts(otio: Any, options: EditOptions) -> Any:
    """The test whether an item is to be a shot."""

    def counts(item: Any) -> bool:
        if isinstance(item, otio.schema.Gap | otio.schema.Transition):
            return False
        return (options.muted or _enabled(item)) and (options.generated or not _is_generated(otio, item))

    return counts


def _is_generated(otio: Any, item: Any) -> bool:
    return isinstance(item, otio.schema.Clip) and isinstance(item.media_reference, otio.schema.GeneratorReference)


def _selected(otio: Any, file: str, track: Any, options: EditOptions) -> _Selection:
    counts = _counts(otio, options)
    placed, notes = [], []
    for each in measured(otio, file, track):
        if counts(each.item):
            placed += _unfolded(otio, file, each, options, counts)
        elif not isinstance(each.item, otio.schema.Gap | otio.schema.Transition):
            reason = "is muted" if not _enabled(each.item) else "is generated (a title, bars or black)"
            notes.append(f"{each.where} {quoted(each.item.name)} {reason}; it is no shot")
    if not placed:
        raise UsageError(f"{file} has no clips in its video track; {'; '.join(notes[:3]) or 'it is empty'}")
    return _Selection(placed, notes)


def _unfolded(otio: Any, file: str, placed: Placed, options: EditOptions, counts: Any) -> list[Placed]:
    """The item itself, or the clips of a nested one if it is to be opened."""
    if isinstance(placed.item, otio.schema.Clip) or options.nested == "one":
        return [placed]
    if options.nested == "open":
        return opened(otio, file, placed, counts)
    raise UsageError(
        f"{file}: {placed.where} {quoted(placed.item.name)} is nested; say with --nested whether it is "
        "one shot (one) or its clips are shots (open)"
    )


def _rate(file: str, timeline: Any, placed: list[Placed], options: EditOptions) -> float:
    """The frames per second in which the edit counts: one that its clips share, or the one the caller states."""
    stated = timeline.global_start_time
    own: dict[float, Placed] = {}
    for each in placed:
        if is_frame_rate(each.duration.rate):
            own.setdefault(canonical(each.duration.rate), each)
    said = {*own, *([canonical(stated.rate)] if stated is not None and is_frame_rate(stated.rate) else [])}
    if options.rate is not None:
        if said and not any(same_rate(options.rate, rate) for rate in said):
            listed = ", ".join(f"{rate:g}" for rate in sorted(said))
            raise UsageError(f"{file} counts {listed} frames per second, not {options.rate:g} as --rate says")
        return exact(options.rate)
    if len(own) == 1:
        return exact(next(iter(own)))
    if stated is not None and canonical(stated.rate) in own:
        return exact(stated.rate)
    if not own:
        raise UsageError(f"{file} does not say its frame rate (it counts in seconds); say it with --rate")
    several = ", ".join(f"{each.where} {quoted(each.item.name)} at {rate:g}" for rate, each in sorted(own.items())[:5])
    raise UsageError(f"{file} has several frame rates ({several}); say the rate of the edit with --rate")
