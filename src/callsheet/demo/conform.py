"""A project made to agree with a cut: what is missing is created, what differs is set, what is gone is omitted."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field

from callsheet.demo.cut import Clip, Cut
from callsheet.errors import UsageError

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["Show", "conform", "new_show", "project_name", "shot_name"]

TASKS = ("Layout", "Animation", "Lighting", "Compositing")
SHOTS_PER_SEQUENCE = 12
FIRST_FRAME = 1001


@define
class Show:
    """A project with its sequences and shots by name, and the statuses and types that are written into it."""

    project: Any
    statuses: dict[str, Any]
    types: dict[str, Any]
    sequences: dict[str, Any] = field(factory=dict)
    shots: dict[str, Any] = field(factory=dict)


def project_name(cut: Cut) -> str:
    """The cut's name in the form that goes into paths.

    >>> project_name(Cut("Sol Levante", ()))
    'sol_levante'
    """
    return re.sub(r"[^a-z0-9]+", "_", cut.name.lower()).strip("_") or "cut"


def shot_name(clip: Clip) -> str:
    """Shots are numbered in tens, so that new ones fit between.

    >>> shot_name(Clip(365, 0, 48, 24.0))
    'sh0365'
    """
    return f"sh{clip.number:04d}"


def new_show(session: Session, cut: Cut) -> Show:
    """A project for the cut, with nothing in it yet."""
    statuses = {status["name"]: status for status in session.query("Status")}
    types = {found["name"]: found for found in session.query("Type")}
    missing = [name for name in ("Not started", "Omitted") if name not in statuses]
    missing += [name for name in TASKS if name not in types]
    if missing:
        raise UsageError(f"the server has no status or type {', '.join(missing)}; is its schema `production`?")
    project = session.create("Project", {"name": project_name(cut), "full_name": cut.name})
    project["fps"] = cut.clips[0].rate
    project["description"] = cut.credit or f"Made from the cut {cut.name}."
    return Show(project, statuses, types)


def conform(session: Session, show: Show, cut: Cut, step: Callable[[], object] = lambda: None) -> None:
    """Write the whole cut; values that are right already record nothing. ``step`` is called after each clip."""
    for clip in cut.clips:
        name = shot_name(clip)
        if name not in show.shots:
            show.shots[name] = _new_shot(session, show, name, clip)
        _write_facts(show.shots[name], clip)
        step()
    present = {shot_name(clip) for clip in cut.clips}
    for name, shot in show.shots.items():
        if name not in present:
            shot["status"] = show.statuses["Omitted"]


def _new_shot(session: Session, show: Show, name: str, clip: Clip) -> Any:
    start = show.statuses["Not started"]
    shot = session.create("Shot", {"name": name, "parent": _sequence(session, show, clip), "status": start})
    for task in TASKS:
        values = {"name": task.lower(), "parent": shot, "type": show.types[task], "status": start}
        session.create("Task", values)
    return shot


def _sequence(session: Session, show: Show, clip: Clip) -> Any:
    number = ((clip.number - 1) // (SHOTS_PER_SEQUENCE * 10) + 1) * 10
    name = f"sq{number:03d}"
    if name not in show.sequences:
        values = {"name": name, "parent": show.project, "status": show.statuses["In progress"]}
        show.sequences[name] = session.create("Sequence", values)
    return show.sequences[name]


def _write_facts(shot: Any, clip: Clip) -> None:
    """A shot counts from frame 1001, as is the custom, so that a change before it does not move it."""
    shot["sort"] = float(clip.number)
    shot["fps"] = clip.rate
    shot["fstart"] = FIRST_FRAME
    shot["fend"] = FIRST_FRAME + clip.duration - 1
    shot["frame_count"] = clip.duration
    shot["source_in"] = clip.start
    shot["source_out"] = clip.start + clip.duration - 1
    if clip.name:
        shot["description"] = clip.name
