"""A project as an edit meets it: its sequences and shots by name, and what is written into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from callsheet.conform.naming import folded
from callsheet.errors import UsageError
from callsheet.model.schema import did_you_mean

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["Show", "load_show"]


@define
class Show:
    """A project with its sequences and shots, the statuses in their order, and the types of work for new tasks.

    ``project`` is None until the first clip of a new project is written.
    """

    name: str
    project: Any
    statuses: list[Any]
    types: dict[str, Any]
    sequences: list[Any] = field(factory=list)
    shots: list[Any] = field(factory=list, init=False)
    _by_name: dict[str, list[Any]] = field(factory=dict, init=False)

    @property
    def omitted(self) -> Any:
        """The status of shots that are gone from the edit; None if the server has none."""
        return next((each for each in self.statuses if each["name"] == "Omitted"), None)

    def sequence(self, name: str) -> Any:
        """The sequence of this name; None if there is none. A name of other case counts if no other fits better."""
        found = [each for each in self.sequences if folded(each["name"]) == folded(name)]
        return next((each for each in found if each["name"] == name), found[0] if len(found) == 1 else None)

    def named(self, shot: str) -> list[Any]:
        """The shots of this name, in whatever sequence; names of other case if there are no others."""
        found = self._by_name.get(folded(shot), [])
        return [each for each in found if each["name"] == shot] or found

    def add(self, shot: Any) -> None:
        """A shot that was created in it."""
        self.shots.append(shot)
        self._by_name.setdefault(folded(shot["name"]), []).append(shot)


def load_show(session: Session, name: str, tasks: tuple[str, ...]) -> Show:
    """The project of this name with all its sequences and shots; empty if there is none."""
    statuses = session.query("Status order by sort, name").all()
    if not statuses:
        raise UsageError("the server has no statuses; is it seeded (`callsheet seed`)?")
    types = {each["name"]: each for each in session.query("Type").where(name=list(tasks))} if tasks else {}
    if missing := [each for each in tasks if each not in types]:
        known = [each["name"] for each in session.query("select name from Type")]
        raise UsageError(f"the server has no type of work `{missing[0]}`{did_you_mean(missing[0], known)}")
    show = Show(
        name, session.query("Project").where(name=name).first(), statuses, {each: types[each] for each in tasks}
    )
    if show.project is not None:
        show.sequences = session.query("Sequence").where(project=show.project).all()
        for shot in session.query("Shot").where(project=show.project):
            show.add(shot)
    return show
