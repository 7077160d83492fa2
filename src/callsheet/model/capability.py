"""Capabilities: what an account may do on a server from where it is, as data, and what decides that.

``Features`` says what a server can; a capability says what *this* account may with it. Each capability has conditions;
it is denied if one of them is not fulfilled, and then says which, and what would help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from attrs import field, frozen

from callsheet.errors import CapabilityError, UsageError

__all__ = ["CAPABILITIES", "CONDITIONS", "TIERS", "WIRE", "Capabilities", "Capability", "CapabilityFacts"]

WIRE = (1, 1)
"""The oldest and the newest version of the wire that this release speaks."""

CONDITIONS: Mapping[str, str] = {
    "login": "log in, or give an API key",
    "role": "ask an administrator for a role that may do it",
    "version": "use a client and a server that speak a version in common",
    "host": "run on the host of the server",
    "feature": "use a server that has it",
    "process": "do it in the process that started the server",
}
"""The conditions, each with what would help."""

TIERS = ("minimal", "read-only", "no security management", "remote", "local")
"""Names for common sets of capabilities, from the smallest on."""

WRITING = ("create", "update", "delete")


@frozen
class CapabilityFacts:
    """What is known of a connection.

    ``rights`` has the entity types by verb; None where the server does not say it, and decides itself when it is
    asked. ``wire`` are the oldest and the newest version of the wire that the server speaks.
    """

    account: str = ""
    administrator: bool = False
    rights: Mapping[str, frozenset[str]] | None = None
    wire: tuple[int, int] = WIRE
    same_host: bool = False
    features: Mapping[str, Any] = field(factory=dict)
    #: Whether the session's own process started the server.
    started: bool = False

    @property
    def speaks(self) -> bool:
        """Whether client and server have a version of the wire in common."""
        return self.wire[0] <= WIRE[1] and WIRE[0] <= self.wire[1]

    def may(self, verb: str, entity_type: str = "") -> bool:
        """Whether the account may do this to a type, or to any."""
        if self.rights is None:
            return True
        types = self.rights.get(verb, frozenset())
        return entity_type in types if entity_type else bool(types)


@frozen
class Capability:
    """One capability: granted, or denied with the conditions that failed.

    >>> Capability("tables.create", ("role",))
    <tables.create denied: role>
    """

    name: str
    failed: tuple[str, ...] = ()
    meaning: str = ""

    @property
    def granted(self) -> bool:
        """Whether it may be used."""
        return not self.failed

    def __bool__(self) -> bool:
        return self.granted

    def __repr__(self) -> str:
        return f"<{self.name} {'granted' if self.granted else 'denied: ' + ', '.join(self.failed)}>"

    @property
    def cure(self) -> str:
        """What would help; empty if it is granted."""
        return "; ".join(CONDITIONS[each] for each in self.failed)


@frozen
class _Rule:
    """What a capability needs beside a common version: an account, a feature, a right, a place."""

    meaning: str
    feature: str = ""
    right: str = ""
    login: bool = True
    host: bool = False
    process: bool = False

    def failed(self, facts: CapabilityFacts) -> Iterator[str]:
        if not facts.speaks:
            yield "version"
        if self.login and not facts.account:
            yield "login"
        if self.feature and not facts.features.get(self.feature, False):
            yield "feature"
        if facts.account and not self._right(facts):
            yield "role"
        if self.host and not facts.same_host:
            yield "host"
        if self.process and not facts.started:
            yield "process"

    def _right(self, facts: CapabilityFacts) -> bool:
        if self.right == "administrator":
            return facts.administrator
        if self.right == "any":
            return any(facts.may(verb) for verb in WRITING)
        verb, _, entity_type = self.right.partition(" ")
        return not verb or facts.may(verb, entity_type)


CAPABILITIES: Mapping[str, _Rule] = {
    "pages.link": _Rule("the address of the explorer", login=False),
    "entities.read": _Rule("read entities", right="read"),
    "entities.create": _Rule("create entities; `entities.create.Task` is of one type", right="create"),
    "entities.update": _Rule("change entities; `entities.update.Task` is of one type", right="update"),
    "entities.delete": _Rule("delete entities; `entities.delete.Task` is of one type", right="delete"),
    "history.read": _Rule("read the log of commits, and earlier states", "history", "read"),
    "queries.aggregate": _Rule("numbers by group", "aggregate", "read"),
    "cubes.query": _Rule("questions about cubes", "questions", "read"),
    "cubes.create": _Rule("cubes of one's own in this session", "questions", "read"),
    "cubes.share": _Rule("keep cubes for others", "questions", "create Cube"),
    "cubes.why": _Rule("which commits changed a number", "causes", "read"),
    "mdx.query": _Rule("queries in MDX", "questions", "read"),
    "scenarios.create": _Rule("what-if beside the truth", "scenarios", "any"),
    "tables.read": _Rule("read tables", right="read"),
    "tables.create": _Rule("add user tables", "tables", "any"),
    "tables.load": _Rule("load rows into user tables", "tables", "any"),
    "tables.load.path": _Rule("load files by path: the client reads them and sends rows", "tables", "any"),
    "tables.transaction": _Rule("change several user tables together", "tables", "any"),
    "external.query": _Rule("read tables of external databases", "questions", "read"),
    "external.connect": _Rule("connect external databases", "questions", "administrator"),
    "events.listen": _Rule("follow events", "history", "read"),
    "handlers.run": _Rule("run durable handlers", "handlers", "read"),
    "schedules.run": _Rule("run schedules", "schedules", "read"),
    "security.manage": _Rule("accounts, roles, passwords and the audit", right="administrator"),
    "workspaces.manage": _Rule("add and drop workspaces", right="administrator"),
    "logs.path": _Rule("the path of the server's log", host=True, process=True),
    "server.wait": _Rule("wait for the end of the server, and end it", process=True),
    "endpoints.define": _Rule("choose the plugins that answer endpoints", process=True),
}
"""All capabilities, with what each needs."""


class Capabilities(Mapping[str, Capability]):
    """The capabilities of a session, by name.

    >>> known = Capabilities(CapabilityFacts("anna", rights={"read": frozenset({"Task"})}))
    >>> known["entities.read"].granted, known["entities.create.Task"], known.tier
    (True, <entities.create.Task denied: role>, 'read-only')
    """

    def __init__(self, facts: CapabilityFacts) -> None:
        self.facts = facts

    def __getitem__(self, name: str) -> Capability:
        rule = CAPABILITIES.get(name)
        if rule is not None:
            return Capability(name, tuple(rule.failed(self.facts)), rule.meaning)
        general, _, entity_type = name.rpartition(".")
        if general.startswith("entities.") and general in CAPABILITIES and entity_type:
            rule = CAPABILITIES[general]
            of_type = _Rule(rule.meaning, right=f"{rule.right} {entity_type}")
            return Capability(name, tuple(of_type.failed(self.facts)), rule.meaning)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(CAPABILITIES)

    def __len__(self) -> int:
        return len(CAPABILITIES)

    def __repr__(self) -> str:
        lines = [f"<Capabilities: {self.tier}>"]
        lines += [f"  {'yes' if each else 'no '}  {name}{_why(each)}" for name, each in self.items()]
        return "\n".join(lines)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("tier", self.tier), ("denied", [name for name, each in self.items() if not each])]

    @property
    def tier(self) -> str:
        """The name of the largest tier whose capabilities all are granted. It grants and denies nothing itself."""
        facts = self.facts
        steps: tuple[Callable[[], bool], ...] = (
            lambda: bool(self["entities.read"]),
            lambda: any(self[f"entities.{verb}"] for verb in WRITING),
            lambda: bool(self["security.manage"]),
            lambda: facts.same_host,
        )
        reached = 0
        for step in steps:
            if not step():
                break
            reached += 1
        return TIERS[reached]

    def check(self, name: str) -> None:
        """Raise `CapabilityError` if a capability is denied; it says which conditions failed, and what would help."""
        found = self[name]
        if not found:
            raise CapabilityError(self._text(found), capability=name, failed=found.failed, cure=found.cure)

    def require(self, names: Iterable[str]) -> None:
        """Check several; raises `CapabilityError` for the first that is denied, `UsageError` for an unknown name."""
        for name in [names] if isinstance(names, str) else names:
            if not isinstance(name, str) or (name not in CAPABILITIES and not _is_of_type(name)):
                near = get_close_matches(str(name), CAPABILITIES, 1)
                hint = f"; did you mean `{near[0]}`?" if near else ""
                raise UsageError(f"there is no capability {name!r:.80}{hint}")
            self.check(name)

    def _text(self, found: Capability) -> str:
        who = f"`{self.facts.account}`" if self.facts.account else "nobody who is not logged in"
        reasons = {
            "login": "it needs an account",
            "role": f"{who} has no right to it",
            "version": f"the server speaks {_span(self.facts.wire)} of the wire, and this release {_span(WIRE)}",
            "host": "it needs a session on the host of the server",
            "feature": "the server does not have it",
            "process": "another process started the server",
        }
        why = ", ".join(reasons[each] for each in found.failed)
        return f"`{found.name}` ({found.meaning}) is denied: {why}; {found.cure}"


def _is_of_type(name: str) -> bool:
    general, _, entity_type = name.rpartition(".")
    return general.startswith("entities.") and general in CAPABILITIES and bool(entity_type)


def _span(versions: tuple[int, int]) -> str:
    first, last = versions
    return f"version {first}" if first == last else f"versions {first} to {last}"


def _why(each: Capability) -> str:
    return "" if each else f"  ({', '.join(each.failed)})"
