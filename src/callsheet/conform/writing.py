"""A project is made to agree with an edit: what is missing is created, what differs is set, what is gone is omitted.

Values are recorded in a session and nothing is committed, so the caller can look before, or take it back. A shot is
found by its sequence and name. If the edit states no sequence, a shot of that name is found wherever it is, as long as
there is only one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from callsheet.conform.edit import Clip, Edit
from callsheet.conform.naming import folded
from callsheet.conform.refusal import collected, quoted, refused
from callsheet.conform.report import ConformReport, ShotChange, ValueChange
from callsheet.conform.show import Show, load_show
from callsheet.errors import UsageError

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["ConformOptions", "TASKS", "conform", "write_edit"]

TASKS = ("Layout", "Animation", "Lighting", "Compositing")


@frozen
class ConformOptions:
    """What of a project an edit is about, and what new shots get.

    - ``scope``: sequences; only their shots are written or omitted. Without it, those that the edit has
    - ``whole_project``: shots of sequences that the edit does not have are omitted too
    - ``sequence``: where new shots go whose sequence nothing names
    - ``tasks``: types of work; each new shot has a task of each
    - ``first_frame``: the number of a shot's first frame
    """

    scope: tuple[str, ...] = ()
    whole_project: bool = False
    sequence: str = "main"
    tasks: tuple[str, ...] = TASKS
    first_frame: int = 1001


def conform(session: Session, project: str, edit: Edit, options: ConformOptions | None = None) -> ConformReport:
    """Make the shots of a project agree with an edit; nothing is committed.

    The project is made if there is none of this name.
    """
    chosen = options or ConformOptions()
    return write_edit(session, load_show(session, project, chosen.tasks), edit, chosen)


def write_edit(
    session: Session,
    show: Show,
    edit: Edit,
    options: ConformOptions | None = None,
    step: Callable[[], object] = lambda: None,
) -> ConformReport:
    """The same for a project that is loaded already. ``step`` is called after each clip."""
    return _Conforming(session, show, options or ConformOptions()).write(edit, step)


@frozen
class _Target:
    """A clip with the shot it is, or None if that is new, and the name of its sequence."""

    clip: Clip
    shot: Any
    sequence: str


@define
class _Conforming:
    session: Session
    show: Show
    options: ConformOptions
    changes: list[ShotChange] = field(factory=list)
    same: int = 0

    def write(self, edit: Edit, step: Callable[[], object]) -> ConformReport:
        found = collected(edit.name, edit.clips, self._target)
        targets = [each for each in found if self._in_scope(each.sequence)]
        self._check(edit, found, targets)
        gone = self._gone(targets)
        notes = (*edit.notes, *self._left_out(found, targets))
        self._ensure_project(edit)
        for target in targets:
            self._write(target)
            step()
        self._omit(gone)
        return ConformReport(self.show.name, tuple(self.changes), self.same, notes)

    def _target(self, clip: Clip) -> _Target:
        shots = self.show.named(clip.shot)
        only = self.options.scope[0] if len(self.options.scope) == 1 else ""
        wanted = clip.sequence or clip.home or only
        there = [each for each in shots if folded(_sequence_of(each)) == folded(wanted)]
        if not there and not clip.sequence:
            there = [each for each in shots if only and folded(_sequence_of(each)) == folded(only)] or shots
        if len(there) > 1:
            places = ", ".join(sorted(_sequence_of(each) or "no sequence" for each in there))
            raise UsageError(
                f"{clip.where} {quoted(clip.shot)}: shots of this name are in {places}; "
                "say which with --scope, or in a column `sequence`"
            )
        if there:
            return _Target(clip, there[0], _sequence_of(there[0]))
        known = self.show.sequence(wanted or self.options.sequence)
        return _Target(clip, None, known["name"] if known is not None else wanted or self.options.sequence)

    def _in_scope(self, sequence: str) -> bool:
        return not self.options.scope or folded(sequence) in map(folded, self.options.scope)

    def _check(self, edit: Edit, found: list[_Target], targets: list[_Target]) -> None:
        if not targets:
            has = ", ".join(sorted({each.sequence for each in found})[:20])
            raise UsageError(f"{edit.name} has no clip of {', '.join(self.options.scope)}; its sequences are {has}")
        taken: dict[Any, Clip] = {}
        reasons = []
        for each in targets:
            key = each.shot or (folded(each.sequence), folded(each.clip.shot))
            if key in taken:
                reasons.append(f"{each.clip.where} {quoted(each.clip.shot)} is the shot of {taken[key].where} already")
            taken.setdefault(key, each.clip)
        if reasons:
            raise refused(edit.name, reasons)

    def _write(self, target: _Target) -> None:
        clip, shot = target.clip, target.shot
        new = shot is None
        if new:
            shot = self._new_shot(target)
        values = self._values(clip)
        if not new and shot["status"] is not None and shot["status"] == self.show.omitted:
            values["status"] = self.show.statuses[0]
        changes = self._set(shot, values)
        if new or changes:
            self.changes.append(ShotChange("new" if new else "changed", target.sequence, shot["name"], changes))
        else:
            self.same += 1

    def _values(self, clip: Clip) -> dict[str, Any]:
        first = self.options.first_frame
        values: dict[str, Any] = {
            "cut_order": clip.place,
            "fps": clip.rate,
            "fstart": first,
            "fend": first + clip.duration - 1,
        }
        values |= {"frame_count": clip.duration, "source_in": clip.start, "source_out": clip.last}
        return self._known("Shot", values)

    def _known(self, entity_type: str, values: dict[str, Any]) -> dict[str, Any]:
        """Without the attributes that the server does not have."""
        known = self.session.schema.types[entity_type].attributes
        return {name: value for name, value in values.items() if name in known}

    def _ensure_project(self, edit: Edit) -> None:
        if self.show.project is None:
            values = {"name": self.show.name, "full_name": edit.name, "fps": edit.clips[0].rate}
            if edit.credit:
                values["description"] = edit.credit
            self.show.project = self.session.create("Project", self._known("Project", values))

    def _set(self, shot: Any, values: dict[str, Any]) -> tuple[ValueChange, ...]:
        """Write the values; returns those that differ. Values that are right already record nothing."""
        changes = []
        for name, value in values.items():
            before = shot[name]
            if before != value:
                changes.append(ValueChange(name, _readable(before), _readable(value)))
            shot[name] = value
        return tuple(changes)

    def _new_shot(self, target: _Target) -> Any:
        clip, start = target.clip, self.show.statuses[0]
        values = {"name": clip.shot, "parent": self._sequence(target.sequence), "status": start}
        if clip.label and clip.label != clip.shot:
            values["description"] = clip.label
        shot = self.session.create("Shot", values)
        self.show.add(shot)
        for name, kind in self.show.types.items():
            self.session.create("Task", {"name": name.lower(), "parent": shot, "type": kind, "status": start})
        return shot

    def _sequence(self, name: str) -> Any:
        found = self.show.sequence(name)
        if found is None:
            values = {"name": name, "parent": self.show.project, "status": self.show.statuses[0]}
            found = self.session.create("Sequence", values)
            self.show.sequences.append(found)
        return found

    def _gone(self, targets: list[_Target]) -> list[Any]:
        """The shots that the edit is about and does not have."""
        here = {folded(each.sequence) for each in targets} | set(map(folded, self.options.scope))
        kept = {each.shot.identity for each in targets if each.shot is not None}
        about = [each for each in self.show.shots if self.options.whole_project or folded(_sequence_of(each)) in here]
        gone = [each for each in about if each.identity not in kept]
        gone = [each for each in gone if each["status"] is None or each["status"] != self.show.omitted]
        if gone and self.show.omitted is None:
            name = gone[0]["name"]
            raise UsageError(f"{quoted(name)} is gone from the edit, and the server has no status `Omitted` to say so")
        return gone

    def _omit(self, gone: list[Any]) -> None:
        for shot in gone:
            changes = self._set(shot, {"status": self.show.omitted})
            self.changes.append(ShotChange("omitted", _sequence_of(shot), shot["name"], changes))

    def _left_out(self, found: list[_Target], targets: list[_Target]) -> list[str]:
        """What is outside the scope, in the edit and in the project."""
        notes = [f"the project {self.show.name} is new"] if self.show.project is None else []
        outside = sorted({each.sequence for each in found if not self._in_scope(each.sequence)})
        if outside:
            notes.append(f"{len(found) - len(targets)} clips are outside the scope: {_few(outside)}")
        here = {folded(each.sequence) for each in found}
        others = sorted({_sequence_of(each) for each in self.show.shots if folded(_sequence_of(each)) not in here})
        if others and not self.options.scope and not self.options.whole_project:
            notes.append(f"not in the edit, left as they are: the shots of {_few(others)} (--whole-project omits them)")
        return notes


def _few(names: list[str]) -> str:
    return ", ".join(each or "no sequence" for each in names[:10]) + (" …" if len(names) > 10 else "")


def _sequence_of(shot: Any) -> str:
    parent = shot["parent"]
    return str(parent["name"]) if parent is not None and parent.identity.entity_type == "Sequence" else ""


def _readable(value: Any) -> Any:
    return value["name"] if hasattr(value, "identity") else value
