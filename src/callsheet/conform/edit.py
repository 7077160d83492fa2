"""Edits as data: clips in their order, and how a file is to be read."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

__all__ = ["Clip", "Edit", "EditItem", "EditOptions"]


@frozen
class EditItem:
    """What a file says of one clip, before it has the name of a shot.

    ``where`` is its place in words a person can look up. ``start`` and ``last`` are the first and last frame used of
    its source (``last`` is None where the speed is not known), ``duration`` its frames in the cut. ``begin`` is its
    first frame in the cut, where the file says it.
    """

    label: str
    where: str
    start: int
    last: int | None
    duration: int
    rate: float
    sequence: str = ""
    note: str = ""
    begin: int | None = None


@frozen
class Clip:
    """One shot of an edit. ``sequence`` is empty where the edit states none; ``place`` counts from 1.

    ``start`` and ``last`` are frames of the source, ``duration`` is the length in the cut, ``rate`` the frames per
    second of the cut, ``label`` the clip's name in the edit.
    """

    shot: str
    start: int
    duration: int
    rate: float
    place: int = 0
    sequence: str = ""
    last: int | None = None
    label: str = ""
    where: str = ""

    @property
    def home(self) -> str:
        """The sequence of a new shot: the one stated, else the one in the clip's name.

        >>> Clip("sq010_sh020", 0, 24, 24.0).home, Clip("sh020", 0, 24, 24.0, sequence="sq010").home
        ('sq010', 'sq010')
        """
        return self.sequence or self.shot.rpartition("_")[0]


@frozen
class Edit:
    """A named list of clips. ``notes`` say what of the file became no shot; ``credit`` names the owner, where known."""

    name: str
    clips: tuple[Clip, ...]
    notes: tuple[str, ...] = ()
    credit: str = ""


@frozen
class EditOptions:
    """How a file is read. What is left out is what the file says, or a refusal.

    - ``rate``: frames per second, where the file does not say it
    - ``timeline``, ``track``: which of several, by name or number; ``track="seen"`` is what is seen of all of them
    - ``nested``: nested items are refused, are ``one`` shot each, or are ``open``: their clips are shots
    - ``muted``, ``generated``: count muted clips; count titles, bars and black
    - ``number_repeats``: the second use of a clip is the shot ``NAME_2``
    - ``names``: shots have the names of clips, or are numbered by ``place`` in tens
    - ``pattern``: a regular expression whose groups ``shot`` and ``sequence`` find the names in a clip's name
    """

    rate: float | None = None
    timeline: str = ""
    track: str = ""
    nested: Literal["refuse", "one", "open"] = "refuse"
    muted: bool = False
    generated: bool = False
    number_repeats: bool = False
    names: Literal["clip", "place"] = "clip"
    pattern: str = ""
