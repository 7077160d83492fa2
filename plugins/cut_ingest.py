"""An edit becomes sequences, shots and tasks; the next edit changes what differs.

Use it in a script::

    import cut_ingest
    report = cut_ingest.ingest(session, "sintel", "edit_v2.otio")
    print(report)                     # 3 made, 5 changed, 1 omitted, 64 as they were
    session.commit()                  # or look at session.pending first

or as a command, where the plugin is on the plugin path::

    callsheet cut-ingest sintel edit_v2.otio

What is read: anything OpenTimelineIO reads (``.otio``, ``.edl`` and more, with the extra ``otio``), or a ``.csv`` with
the columns ``name``, ``start``, ``duration`` and ``rate``. A clip's name is its shot's name, and has to be there once;
``sq010_sh020`` puts the shot into the sequence ``sq010``. Reading the same edit again changes nothing. A shot that is
gone from the edit gets the status ``Omitted`` and keeps its record; one that comes back gets the first status again.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import frozen

from callsheet import UsageError

__all__ = ["Clip", "Report", "cut_ingest", "ingest", "read_edit", "register"]

FIRST_FRAME = 1001
TASKS = ("Layout", "Animation", "Lighting", "Compositing")
OMITTED = "Omitted"


@frozen
class Clip:
    """One clip: its name, first frame of the source, length in frames, and frames per second."""

    name: str
    start: int
    duration: int
    rate: float

    @property
    def sequence(self) -> str:
        """The sequence its name speaks of.

        >>> Clip("sq010_sh020", 0, 24, 24.0).sequence, Clip("opening", 0, 24, 24.0).sequence
        ('sq010', 'main')
        """
        return self.name.rpartition("_")[0] or "main"


@frozen
class Report:
    """What an edit changed: names of shots."""

    made: tuple[str, ...]
    changed: tuple[str, ...]
    omitted: tuple[str, ...]
    same: int

    def __str__(self) -> str:
        counts = f"{len(self.made)} made, {len(self.changed)} changed, {len(self.omitted)} omitted"
        return f"{counts}, {self.same} as they were"


def read_edit(path: str | Path) -> list[Clip]:
    """The clips of a file, in their order. Raises `UsageError` for names that are missing or there twice."""
    path = Path(path)
    clips = _from_csv(path) if path.suffix.lower() == ".csv" else _from_timeline(path)
    if not clips:
        raise UsageError(f"{path.name} has no clips in its first video track")
    unnamed = [index for index, clip in enumerate(clips, 1) if not clip.name]
    if unnamed:
        raise UsageError(f"{path.name}: clip {unnamed[0]} has no name; a clip's name is its shot's name")
    twice = sorted(name for name, count in Counter(clip.name for clip in clips).items() if count > 1)
    if twice:
        raise UsageError(f"{path.name}: two clips are called {twice[0]}; name them apart, for each is a shot")
    return clips


def ingest(session: Any, project: str, path: str | Path, tasks: tuple[str, ...] = TASKS) -> Report:
    """Make a project's shots agree with an edit; nothing is committed.

    The project is made if there is none of this name. New shots get a task of each of the types ``tasks``.
    """
    clips = read_edit(path)
    return _Edit(session, project, clips[0].rate, tasks).take(clips)


class _Edit:
    """One edit on its way into a project."""

    def __init__(self, session: Any, project: str, rate: float, tasks: tuple[str, ...]) -> None:
        self.session = session
        self.statuses = session.query("Status order by sort, name").all()
        self.types = {each["name"]: each for each in session.query("Type").where(name=list(tasks))}
        if missing := [name for name in tasks if name not in self.types]:
            raise UsageError(f"the server has no type of work `{missing[0]}`; say `tasks=` with types it has")
        if not self.statuses:
            raise UsageError("the server has no statuses; is it seeded?")
        self.project = session.query("Project").where(name=project).first()
        self.shots = self._by_name("Shot") if self.project else {}
        self.sequences = self._by_name("Sequence") if self.project else {}
        if self.project is None:
            self.project = session.create("Project", {"name": project, "full_name": project, "fps": rate})

    def _by_name(self, entity_type: str) -> dict[str, Any]:
        return {each["name"]: each for each in self.session.query(entity_type).where(project=self.project)}

    def take(self, clips: list[Clip]) -> Report:
        made, changed = [], []
        for place, clip in enumerate(clips, 1):
            shot = self.shots.get(clip.name)
            if shot is None:
                self.shots[clip.name] = shot = self._make(clip)
                made.append(clip.name)
            if self._write(shot, clip, place) and clip.name not in made:
                changed.append(clip.name)
        omitted = self._omit({clip.name for clip in clips})
        return Report(tuple(made), tuple(changed), tuple(omitted), len(clips) - len(made) - len(changed))

    def _make(self, clip: Clip) -> Any:
        values = {"name": clip.name, "parent": self._sequence(clip.sequence), "status": self.statuses[0]}
        shot = self.session.create("Shot", values)
        for name, of in self.types.items():
            task = {"name": name.lower(), "parent": shot, "type": of, "status": self.statuses[0]}
            self.session.create("Task", task)
        return shot

    def _sequence(self, name: str) -> Any:
        if name not in self.sequences:
            values = {"name": name, "parent": self.project, "status": self.statuses[0]}
            self.sequences[name] = self.session.create("Sequence", values)
        return self.sequences[name]

    def _write(self, shot: Any, clip: Clip, place: int) -> bool:
        """Write what the edit says of a shot; whether anything differed."""
        last = FIRST_FRAME + clip.duration - 1
        values = {"cut_order": place, "fps": clip.rate, "fstart": FIRST_FRAME, "fend": last}
        values |= {"frame_count": clip.duration, "source_in": clip.start, "source_out": clip.start + clip.duration - 1}
        if shot["status"] is not None and shot["status"]["name"] == OMITTED:
            values["status"] = self.statuses[0]
        differing = {name: value for name, value in values.items() if shot[name] != value}
        for name, value in differing.items():
            shot[name] = value
        return bool(differing)

    def _omit(self, present: set[str]) -> list[str]:
        status = next((each for each in self.statuses if each["name"] == OMITTED), None)
        gone = [name for name, shot in self.shots.items() if name not in present and shot["status"] is not status]
        if gone and status is None:
            raise UsageError(f"{gone[0]} is gone from the edit, and the server has no status `{OMITTED}` to say so")
        for name in gone:
            self.shots[name]["status"] = status
        return gone


def _from_csv(path: Path) -> list[Clip]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(line for line in file if line.strip() and not line.startswith("#"))
        missing = {"name", "start", "duration", "rate"} - set(rows.fieldnames or ())
        if missing:
            raise UsageError(f"{path.name} has no column {', '.join(sorted(missing))}")
        return [_clip(path, number, row) for number, row in enumerate(rows, 1)]


def _clip(path: Path, number: int, row: dict[str, str]) -> Clip:
    try:
        clip = Clip(row["name"].strip(), int(row["start"]), int(row["duration"]), float(row["rate"]))
    except (TypeError, ValueError):
        raise UsageError(f"{path.name}, row {number}: start and duration are whole frames, rate a number") from None
    if clip.duration <= 0 or not 0 < clip.rate < 1000:
        raise UsageError(f"{path.name}, row {number}: duration and rate are more than nothing")
    return clip


def _from_timeline(path: Path) -> list[Clip]:
    try:
        import opentimelineio
    except ImportError:
        raise UsageError(f"{path.suffix} is read by OpenTimelineIO: pip install 'callsheet[otio]'") from None
    timeline = opentimelineio.adapters.read_from_file(str(path))
    for track in timeline.video_tracks():
        clips = [item for item in track if isinstance(item, opentimelineio.schema.Clip)]
        if clips:
            return [_timeline_clip(clip) for clip in clips]
    return []


def _timeline_clip(clip: Any) -> Clip:
    span = clip.trimmed_range()
    rate = float(span.duration.rate)
    return Clip(clip.name or "", round(span.start_time.value_rescaled_to(rate)), round(span.duration.value), rate)


def cut_ingest(session: Any, project: str, path: str, dry_run: bool = False) -> str:
    """Make the shots of PROJECT agree with the edit in the file PATH; a dry run only says what would change."""
    report = ingest(session, project, path)
    if dry_run:
        session.rollback()
        return f"{report} (nothing was written)"
    session.commit()
    return str(report)


def register(session: Any) -> None:
    """Give the command line the command ``cut-ingest``."""
    session.commands["cut-ingest"] = cut_ingest
