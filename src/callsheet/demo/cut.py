"""The demo's cuts: edits whose shots are numbered in tens, so that new ones fit between."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from attrs import evolve

from callsheet.conform.edit import Clip, Edit, EditOptions
from callsheet.conform.reading import read_edit, read_table

__all__ = ["project_name", "read_cut", "revised", "sol_levante"]

SHOTS_PER_SEQUENCE = 12


def sol_levante() -> Edit:
    """The cut of *Sol Levante*, whose bare facts are part of this package.

    >>> cut = sol_levante()
    >>> cut.name, len(cut.clips), cut.clips[0].duration
    ('Sol Levante', 72, 24)
    """
    text = (resources.files("callsheet.demo") / "data" / "sol_levante.csv").read_text(encoding="utf-8")
    cut = _numbered(read_table("Sol Levante", text, EditOptions(names="place")))
    return evolve(cut, credit="Sol Levante, Netflix, opencontent.netflix.com, CC BY 4.0")


def read_cut(path: Path, options: EditOptions | None = None) -> Edit:
    """The edit in a file, with its shots numbered by their place, whatever its clips are called."""
    return _numbered(read_edit(path, evolve(options or EditOptions(), names="place")))


def _numbered(edit: Edit) -> Edit:
    """Places count in tens, and twelve shots make a sequence."""
    return evolve(edit, clips=tuple(_at(clip, clip.place * 10) for clip in edit.clips))


def _at(clip: Clip, number: int) -> Clip:
    sequence = ((number - 1) // (SHOTS_PER_SEQUENCE * 10) + 1) * 10
    return evolve(clip, place=number, shot=f"sh{number:04d}", sequence=f"sq{sequence:03d}")


def project_name(cut: Edit) -> str:
    """The cut's name in the form that goes into paths.

    >>> project_name(Edit("Sol Levante", ()))
    'sol_levante'
    """
    return re.sub(r"[^a-z0-9]+", "_", cut.name.lower()).strip("_") or "cut"


def revised(cut: Edit) -> Edit:
    """What editorial might send next week: one clip longer, one gone, one new between two others.

    >>> before, after = sol_levante(), revised(sol_levante())
    >>> len(set(after.clips) - set(before.clips)), len(set(before.clips) - set(after.clips))
    (2, 2)
    """
    clips = list(cut.clips)
    longer, middle = len(clips) // 3, clips[len(clips) // 2]
    gone = min(longer * 2, len(clips) - 1)
    clips[longer] = _lasting(clips[longer], clips[longer].duration + 12)
    if gone != longer:
        del clips[gone]
    new = _lasting(_at(evolve(middle, label=""), middle.place + 5), 48)
    return evolve(cut, clips=tuple(sorted((*clips, new), key=lambda clip: clip.place)))


def _lasting(clip: Clip, duration: int) -> Clip:
    return evolve(clip, duration=duration, last=clip.start + duration - 1)
