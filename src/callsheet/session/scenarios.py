"""``session.scenarios``: named, uncommitted units of work that the server keeps; each as an object with its verbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from callsheet.analytics.asked import AwaitingMember, BlockingMember
from callsheet.core import scenarios as flows
from callsheet.core.core import Core
from callsheet.core.scenarios import Rebase, ScenarioCommit, ScenarioDifference, ScenarioFacts
from callsheet.core.verb import Verb
from callsheet.display import html_table, plain_table
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.record import NOT_SET, NotSet
from callsheet.model.schema import did_you_mean
from callsheet.session.scenario_cells import CellChanges, changed_cells

__all__ = ["AsyncScenario", "Scenario", "ScenarioVerbs", "Scenarios", "create_scenario", "delete_scenario", "scenarios"]

Policy = Literal["raise", "ours", "theirs"]


class ScenarioVerbs:
    """What both kinds have; the facts are those of when the scenario was read."""

    def __init__(self, core: Core, facts: ScenarioFacts) -> None:
        self._core, self._facts = core, facts

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._facts.label!r} of {self._facts.owner!r}>"

    def __getattr__(self, name: str) -> Any:
        if name in _FACTS:
            return getattr(self._facts, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *_FACTS})

    def open(self) -> Any:
        """A session in the scenario: ``with scenario.open() as plan:`` (see `Session.scenario`)."""
        core: Any = self._core
        return core.scenario(self._facts.label)

    @Verb
    def diff(self: Any, base: bool = False) -> Flow[ScenarioDifference]:
        """What the scenario changes, entity by entity; with ``base``, also what those below it change."""
        return flows.difference(self._core, self._facts.label, base)

    @Verb
    def cells(
        self: Any,
        cube: Any,
        *measures: Any,
        levels: Any = (),
        filter: Any = None,
        totals: bool | Iterable[Any] = False,
    ) -> Flow[CellChanges]:
        """The cells of a cube that differ in the scenario: their measures before and after.

        It takes what `query` of a cube takes. Both are read by one request.

        >>> print(scenario.cells(cube, "Sum(bid)", levels=["Sequence"]))  # doctest: +SKIP
        """
        return changed_cells(self._core, self._facts.label, cube, measures, levels, filter, totals)

    @Verb
    def rebase(self: Any, conflicts: Policy = "raise") -> Flow[Rebase]:
        """Bring the scenario up to what it stands on now; names the entities that moved there since.

        Where both changed a value, nothing is done, and the conflicts are listed, unless ``conflicts`` says whose value
        stands: ``"ours"``, the scenario's, or ``"theirs"``.
        """
        return flows.rebase(self._core, self._facts.label, conflicts)

    @Verb
    def commit(self: Any, conflicts: Policy = "raise") -> Flow[ScenarioCommit]:
        """Commit what the scenario holds as one commit, with the rights of who calls; then the scenario ends.

        It is done once, however often it is called. A scenario on another one is committed into that one. Raises
        `Conflict` where a value was changed below meanwhile, unless ``conflicts`` says whose stands.
        """
        return flows.commit(self._core, self._facts, conflicts)

    @Verb
    def share(self: Any, *accounts: str) -> Flow[None]:
        """Let these accounts read the scenario; without a name, everybody."""
        return _share(self, "share", accounts)

    @Verb
    def unshare(self: Any, *accounts: str) -> Flow[None]:
        """Let these accounts no longer read the scenario; without a name, nobody but its owner."""
        return _share(self, "unshare", accounts)

    @Verb
    def change(
        self: Any,
        name: str | None = None,
        description: str | None = None,
        expires: datetime | timedelta | NotSet | None = NOT_SET,
    ) -> Flow[None]:
        """Give the scenario another name, description, or time at which it expires (None: never)."""
        return _change(self, name, description, expires)

    @Verb
    def delete(self: Any) -> Flow[None]:
        """Delete the scenario with all that it holds."""
        return delete_scenario(self._core, self._facts.label)

    @Verb
    def refresh(self: Any) -> Flow[None]:
        """Read the facts of the scenario again."""
        return _refresh(self)


_FACTS = frozenset(ScenarioFacts.__annotations__)


def _share(scenario: Any, action: str, accounts: tuple[str, ...]) -> Flow[None]:
    wanted = list(accounts) or None
    plain = yield from flows.act(scenario._core, action, name=scenario._facts.label, accounts=wanted)
    scenario._facts = flows.facts_of(plain)


def _change(
    scenario: Any, name: str | None, description: str | None, expires: datetime | timedelta | NotSet | None
) -> Flow[None]:
    values: dict[str, Any] = {}
    if name is not None:
        values["rename"] = name
    if description is not None:
        values["description"] = description
    if not isinstance(expires, NotSet):
        values["expires"] = flows.point_of(scenario._core, expires)
    plain = yield from flows.act(scenario._core, "change", name=scenario._facts.label, **values)
    scenario._facts = flows.facts_of(plain)


def _refresh(scenario: Any) -> Flow[None]:
    plain = yield from flows.act(scenario._core, "show", name=scenario._facts.label)
    scenario._facts = flows.facts_of(plain)


class Scenario(BlockingMember, ScenarioVerbs):
    """A scenario, whose verbs block."""


class AsyncScenario(AwaitingMember, ScenarioVerbs):
    """A scenario, whose verbs are awaited."""


class Scenarios(Mapping[str, Any]):
    """The scenarios that a session may read, by name; its own ones first. Iterating gives the names."""

    def __init__(self, found: Mapping[str, Scenario | AsyncScenario]) -> None:
        self._found = dict(found)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._found[name]
        except KeyError:
            raise UsageError(f"there is no scenario {name!r:.120}{did_you_mean(str(name), self._found)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<Scenarios {', '.join(map(repr, self._found)) or 'none'}>"

    def __str__(self) -> str:
        return plain_table(COLUMNS, self._rows(), 100) if self._found else "There are no scenarios."

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self._rows())

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for name, each in self._found.items():
            expires = "never" if each.expires is None else f"{each.expires:%Y-%m-%d}"
            yield name, each.owner, each.origin or "", str(each.revision), expires, each.description


COLUMNS = ("scenario", "owner", "on", "commits", "expires", "description")


def scenarios(core: Core) -> Flow[Scenarios]:
    """The scenarios that this account may read, by name; iterating gives the names, its own ones first.

    >>> for name in session.scenarios:  # doctest: +SKIP
    ...     print(name, session.scenarios[name].owner)
    """
    session: Any = core
    if session._description is None:
        # A property is read in a session that may not be open yet.
        yield from session._opening()
    plain = yield from flows.act(core, "list")
    return Scenarios({each["label"]: _scenario(core, each) for each in plain})


def create_scenario(
    core: Core,
    name: str,
    origin: str | ScenarioVerbs | None = None,
    *,
    description: str = "",
    expires: datetime | timedelta | None = None,
) -> Flow[Any]:
    """Make a scenario: a named unit of work that the server keeps, and that nobody else sees.

    It stands on the base, or on another scenario: its ``origin``. At ``expires``, a time or how long from now, the
    server forgets it. Raises `Invalid` if this account has a scenario of the name.

    >>> session.create_scenario("two artists less", expires=timedelta(days=30))  # doctest: +SKIP
    >>> with session.scenario("two artists less") as plan:  # doctest: +SKIP
    ...     for task in plan.query('Task where assignee.name is "Ada"'):
    ...         task["assignee"] = None
    ...     plan.commit()
    """
    below = origin._facts.label if isinstance(origin, ScenarioVerbs) else origin
    point = flows.point_of(core, expires)
    plain = yield from flows.act(core, "create", name=name, origin=below, description=description, expires=point)
    return _scenario(core, plain)


def delete_scenario(core: Core, name: str) -> Flow[None]:
    """Delete a scenario with all that it holds. Raises `Invalid` if another one stands on it."""
    yield from flows.act(core, "delete", name=name)


def _scenario(core: Any, plain: Mapping[str, Any]) -> Scenario | AsyncScenario:
    return (AsyncScenario if core._awaits else Scenario)(core, flows.facts_of(plain))
