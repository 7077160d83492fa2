"""The actions of scenarios, which ``Backend.call`` offers by name.

Each is a function of a `ScenarioCall`; its other parameters are the action's arguments. Results are plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from inspect import signature
from typing import Any

from sqlalchemy import Connection

from callsheet.errors import Invalid
from callsheet.model.history import change_to_plain
from callsheet.server.scenarios import ending, registry
from callsheet.server.scenarios.call import ScenarioCall
from callsheet.server.scenarios.difference import changes_in, folded, shown, unstamped
from callsheet.server.scenarios.scenario import EVERYBODY, ScenarioRow

__all__ = ["ACTIONS", "answer"]

DESCRIPTION = 2_000
"""The most characters of a description."""
CHANGES = 10_000
"""The most entities that `diff` names."""


def answer(call: ScenarioCall, action: str, arguments: Mapping[str, Any]) -> Any:
    """The result of an action as plain data; raises `Invalid` for wrong arguments."""
    function = ACTIONS[action]
    try:
        bound = signature(function).bind(call, **arguments)
    except TypeError as error:
        raise Invalid(f"{action}: {error}") from None
    return function(*bound.args, **bound.kwargs)


def create(
    call: ScenarioCall, name: str, origin: str | None = None, description: str = "", expires: datetime | None = None
) -> dict[str, Any]:
    """Make a scenario, on the base or on another one; gives its description."""
    registry.check_name(name)
    _check_description(description)
    _check_expires(call, expires)

    def work(connection: Connection) -> dict[str, Any]:
        below = None if origin is None else call.named(connection, origin)
        now = call.now()
        made = registry.create(call.store, connection, call.account, name, below, description, expires, now)
        return _described(call, connection, made)

    return call.store.write(work)


def listing(call: ScenarioCall) -> list[dict[str, Any]]:
    """The scenarios that the caller may read, each described, its own ones first."""
    with call.store.reading() as connection:
        found = registry.readable(call.store, connection, call.account, call.now())
        return [
            {**_described(call, connection, each), "label": label} for label, each in registry.labels(found).items()
        ]


def show(call: ScenarioCall, name: str) -> dict[str, Any]:
    """The description of one scenario."""
    with call.store.reading() as connection:
        return _described(call, connection, call.named(connection, name))


def change(call: ScenarioCall, name: str, **values: Any) -> dict[str, Any]:
    """Set the name, the description or the expiry of a scenario; only its owner may."""
    wrong = set(values) - {"rename", "description", "expires"}
    if wrong:
        raise Invalid(f"scenarios.change: a scenario has no `{min(wrong):.80}` to set")
    if "description" in values:
        _check_description(values["description"])
    if "expires" in values:
        _check_expires(call, values["expires"])
    if "rename" in values:
        values["name"] = registry.check_name(values.pop("rename"))

    def work(connection: Connection) -> dict[str, Any]:
        found = call.named(connection, name, owned=True)
        if values.get("name", found.name) != found.name:
            registry.check_free(call.store, connection, call.account, values["name"])
        registry.change(call.store, connection, found, **values)
        return _described(call, connection, call.named(connection, values.get("name", name)))

    return call.store.write(work)


def share(call: ScenarioCall, name: str, accounts: list[str] | None = None) -> dict[str, Any]:
    """Let these accounts read a scenario, or everybody (None)."""
    wanted = [EVERYBODY] if accounts is None else _accounts(call, accounts)
    return _readers(call, name, lambda readers: sorted({*readers, *wanted}))


def unshare(call: ScenarioCall, name: str, accounts: list[str] | None = None) -> dict[str, Any]:
    """Let these accounts no longer read a scenario, or nobody but its owner (None)."""
    gone = None if accounts is None else set(_accounts(call, accounts, known=False))
    return _readers(call, name, lambda readers: [] if gone is None else [each for each in readers if each not in gone])


def _readers(call: ScenarioCall, name: str, function: Callable[[list[str]], list[str]]) -> dict[str, Any]:
    def work(connection: Connection) -> dict[str, Any]:
        found = call.named(connection, name, owned=True)
        registry.change(call.store, connection, found, readers=function(list(found.readers)))
        return _described(call, connection, call.named(connection, name))

    return call.store.write(work)


def _accounts(call: ScenarioCall, accounts: Any, known: bool = True) -> list[str]:
    if not isinstance(accounts, list | tuple) or not all(isinstance(each, str) for each in accounts):
        raise Invalid("`accounts` is a list of names of accounts, or None")
    for each in accounts:
        if known and (each == EVERYBODY or not each or len(each) > 255):
            raise Invalid(f"{each!r:.80} is no name of an account")
    return list(accounts)


def diff(call: ScenarioCall, name: str, base: bool = False) -> dict[str, Any]:
    """What a scenario changes, entity by entity; with ``base``, also what those below it change.

    ``more`` says that there are more changes than `CHANGES`.
    """
    with call.store.reading() as connection:
        chain = call.chain(connection, call.named(connection, name))
        parts = chain.scenarios if base else chain.scenarios[:1]
        schema = call.store.schema
        made = (unstamped(schema, change) for change in changes_in(call.store, connection, parts))
        changes = folded(lambda kind: schema.types[kind].root, made)
        visible = shown(changes, call.readable(connection, chain))
        return {"changes": [change_to_plain(each) for each in visible[:CHANGES]], "more": len(visible) > CHANGES}


def delete(call: ScenarioCall, name: str) -> None:
    """Delete a scenario that no other one stands on."""

    def work(connection: Connection) -> None:
        found = call.named(connection, name, owned=True)
        branches = registry.branches_of(call.store, connection, found)
        if branches:
            now = call.now()
            seen = [each.name for each in branches if each.readable_by(call.account) and each.lives_at(now)]
            names = ", ".join(map(repr, seen[:5])) or "those of other accounts"
            raise Invalid(f"{len(branches)} scenarios stand on {found.name!r}: {names}; delete or commit them first")
        registry.drop(call.store, connection, found)

    call.store.write(work)


def rebase(call: ScenarioCall, name: str, conflicts: str = "raise") -> dict[str, Any]:
    """Bring a scenario up to what it stands on now (see `ending.rebase`)."""
    return ending.rebase(call, name, conflicts)


def commit(call: ScenarioCall, name: str, conflicts: str = "raise", uid: str | None = None) -> dict[str, Any]:
    """Commit what a scenario holds into its origin, and end the scenario (see `ending.commit`)."""
    return ending.commit(call, name, conflicts, uid)


def _described(call: ScenarioCall, connection: Connection, scenario: ScenarioRow) -> dict[str, Any]:
    """A scenario as plain data; only its owner gets to know with whom it is shared."""
    below = registry.origin_of(call.store, connection, scenario)
    origin = below.name if below is not None and below.readable_by(call.account) else None
    owned = scenario.owner == call.account
    return {
        "name": scenario.name,
        "label": scenario.name if owned else f"{scenario.owner}/{scenario.name}",
        "owner": scenario.owner,
        "uid": scenario.uid,
        "origin": origin,
        "description": scenario.description,
        "created": scenario.created,
        "expires": scenario.expires,
        "position": scenario.position,
        "revision": scenario.revision,
        "readers": list(scenario.readers) if owned else None,
    }


def _check_description(description: Any) -> None:
    if not isinstance(description, str) or len(description) > DESCRIPTION or "\x00" in description:
        raise Invalid(f"a description is a string of at most {DESCRIPTION:,} characters")


def _check_expires(call: ScenarioCall, expires: Any) -> None:
    if expires is None:
        return
    if not isinstance(expires, datetime) or expires.tzinfo is None:
        raise Invalid(f"`expires` is a datetime with a time zone, or None, not {expires!r:.80}")
    if expires <= call.now():
        raise Invalid("`expires` is in the past")


ACTIONS: dict[str, Callable[..., Any]] = {
    "scenarios.change": change,
    "scenarios.commit": commit,
    "scenarios.create": create,
    "scenarios.delete": delete,
    "scenarios.diff": diff,
    "scenarios.list": listing,
    "scenarios.rebase": rebase,
    "scenarios.share": share,
    "scenarios.show": show,
    "scenarios.unshare": unshare,
}
