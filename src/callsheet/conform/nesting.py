"""Several layers become one: nested items opened, and what is seen of several tracks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callsheet.conform.refusal import quoted
from callsheet.conform.spans import Placed, measured
from callsheet.errors import UsageError

__all__ = ["opened", "seen"]

DEEPEST = 16


def seen(otio: Any, tracks: list[Any], counts: Callable[[Any], bool], about: str) -> Any:
    """One track of the visible items: of overlapping items the upper one. Items that do not count hide nothing."""
    if not tracks:
        raise UsageError(f"{about} has no video track that is not muted")
    for track in tracks:
        if len(tracks) > 1 and any(isinstance(each, otio.schema.Transition) for each in track):
            raise UsageError(
                f"{about}: the track {quoted(track.name)} has transitions, and what is seen of several tracks is only "
                "known without; say one track with --track"
            )
    if len(tracks) == 1:
        return tracks[0]
    return otio.algorithms.flatten_stack([_bare(otio, track, counts) for track in tracks])


def _bare(otio: Any, track: Any, counts: Callable[[Any], bool]) -> Any:
    """A copy of the track with gaps in place of what does not count."""
    made = otio.schema.Track(track.name, kind=otio.schema.TrackKind.Video, source_range=track.source_range)
    for item in track:
        if counts(item):
            made.append(item.deepcopy())
        else:
            made.append(otio.schema.Gap(source_range=otio.opentime.TimeRange(duration=item.duration())))
    return made


def opened(otio: Any, file: str, placed: Placed, counts: Callable[[Any], bool], depth: int = 1) -> list[Placed]:
    """The clips of a nested item, in the part of it that the edit uses."""
    item, about = placed.item, f"{file}: {placed.where} {quoted(placed.item.name)}"
    if depth > DEEPEST:
        raise UsageError(f"{about} is nested more than {DEEPEST} deep")
    if any(isinstance(each, otio.schema.TimeEffect) for each in item.effects):
        raise UsageError(f"{about} is nested and retimed; it can only be one shot (--nested one)")
    if item.visible_range() != item.trimmed_range():
        raise UsageError(f"{about} is nested and beside a transition; it can only be one shot (--nested one)")
    track = otio.algorithms.track_trimmed_to_range(_one_track(otio, item, counts, about), item.trimmed_range())
    found = []
    for each in measured(otio, file, track, f"{placed.where}, clip", placed.begin):
        if isinstance(each.item, otio.schema.Clip) and counts(each.item):
            found.append(each)
        elif counts(each.item):
            found += opened(otio, file, each, counts, depth + 1)
    return found


def _one_track(otio: Any, item: Any, counts: Callable[[Any], bool], about: str) -> Any:
    """The visible items of a nested item, as one track."""
    if isinstance(item, otio.schema.Track):
        return item.deepcopy()
    tracks = []
    for each in item:
        if not isinstance(each, otio.schema.Track):
            tracks.append(otio.schema.Track(children=[each.deepcopy()], kind=otio.schema.TrackKind.Video))
        elif each.kind == otio.schema.TrackKind.Video:
            tracks.append(each)
    made = seen(otio, tracks, counts, about)
    return made.deepcopy() if made.parent() is not None else made
