"""Scripts at random: what a pipeline's scripts do to a production, as data (``vendor/player.py`` plays them).

A script knows what exists at each of its steps, so all it does makes sense; what two clients make of it must be
the same. Names are unique below a parent, as a site demands.
"""

from __future__ import annotations

import copy
import random
from typing import Any

from attrs import define, field

__all__ = ["script"]

CONTEXTS = ("Folder", "Sequence", "Shot", "Task", "AssetBuild")
STATUSES = ("Not started", "In progress", "Approved", "Omitted")
TYPES = ("Generic", "Animation", "Lighting", "Modeling")
PRIORITIES = ("Low", "Medium", "High")
WORDS = ("opening", "alley", "roof", "chase", "über", 'quote " and %', "日本")
KINDS = {"Shot": ("fstart", "fend"), "Task": ("brief",), "AssetVersion": ("codec",)}


@define
class Known:
    """What exists: of each symbol its type, what it is below, and its members and items."""

    types: dict[str, str] = field(factory=dict)
    above: dict[str, str] = field(factory=dict)
    members: dict[str, set[str]] = field(factory=dict)
    items: dict[str, set[str]] = field(factory=dict)
    dropped: set[tuple[str, str]] = field(factory=set)

    def of(self, *types: str) -> list[str]:
        return [symbol for symbol, kind in self.types.items() if kind in types]

    def below(self, symbol: str) -> set[str]:
        found = {symbol}
        while more := {each for each, above in self.above.items() if above in found} - found:
            found |= more
        return found


class _Writer:
    def __init__(self, seed: int) -> None:
        self.random, self.number, self.seed = random.Random(seed), 0, seed
        self.known, self.committed = Known(), Known()
        self.steps: list[list[Any]] = []

    def symbol(self) -> str:
        self.number += 1
        return f"s{self.seed}e{self.number}"

    def create(self, kind: str, above: str | None, values: dict[str, Any]) -> str:
        symbol = self.symbol()
        self.steps.append(["create", symbol, kind, values])
        self.known.types[symbol] = kind
        if above is not None:
            self.known.above[symbol] = above
        return symbol

    def project(self) -> str:
        schema = {"the": ["ProjectSchema", "name", "VFX"]}
        name = f"p{self.seed}-{self.number}"
        return self.create("Project", None, {"name": name, "full_name": self.word(), "project_schema": schema})

    def word(self) -> str:
        return self.random.choice(WORDS)

    def named(self) -> str:
        return f"{self.random.choice(('a', 'b', 'sh'))}{self.number:03d}"

    # -- steps, each with the chance to find nothing to do ------------------------------------------------

    def make_context(self) -> None:
        above = self.random.choice(self.known.of("Project", "Folder", "Sequence", "Shot", "AssetBuild"))
        kind = self.random.choice(CONTEXTS)
        values: dict[str, Any] = {"name": self.named(), "parent": {"new": above}}
        if self.random.random() < 0.5:
            values["description"] = self.word()
        if kind == "Task":
            values["type"] = {"the": ["Type", "name", self.random.choice(TYPES)]}
            values["status"] = {"the": ["Status", "name", self.random.choice(STATUSES)]}
        if self.random.random() < 0.2:
            values["metadata"] = {"made": self.word()}
        symbol = self.create(kind, above, values)
        if "metadata" in values:
            self.known.items[symbol] = {"made"}

    def make_version(self) -> None:
        shots = self.known.of("Shot", "AssetBuild")
        if not shots:
            return
        above = self.random.choice(shots)
        kind = {"the": ["AssetType", "name", "Geometry"]}
        asset = self.create("Asset", above, {"name": self.named(), "type": kind, "parent": {"new": above}})
        for _ in range(self.random.randint(1, 3)):
            self.create("AssetVersion", asset, {"asset": {"new": asset}, "comment": self.word()})
            self.steps.append(["commit"])
            self.committed = copy.deepcopy(self.known)

    def make_time(self) -> None:
        if tasks := self.known.of("Task"):
            task = self.random.choice(tasks)
            user = {"the": ["User", "username", "admin"]}
            started = {"date": f"2026-03-{self.random.randint(1, 28):02d}T10:00:00+00:00"}
            values = {"context": {"new": task}, "user": user, "duration": self.random.randint(1, 9) * 900.0}
            self.create("Timelog", task, {**values, "start": started, "comment": self.word(), "name": ""})

    def make_list(self) -> None:
        project = self.known.of("Project")[0]
        values = {"name": self.named(), "project": {"new": project}, "owner": {"the": ["User", "username", "admin"]}}
        category = {"the": ["ListCategory", "name", "Dailies"]}
        self.create("TypedContextList", project, {**values, "category": category})

    def set_text(self) -> None:
        symbol = self.random.choice(self.known.of(*CONTEXTS) or self.known.of("Project"))
        if self.known.types[symbol] != "Project":
            self.steps.append(["set", symbol, "description", self.random.choice((self.word(), "", self.word()))])

    def set_name(self) -> None:
        if contexts := self.known.of(*CONTEXTS):
            self.number += 1
            self.steps.append(["set", self.random.choice(contexts), "name", f"renamed{self.number}"])

    def set_number(self) -> None:
        if tasks := self.known.of("Task"):
            self.steps.append(["set", self.random.choice(tasks), "bid", self.random.choice((0.0, 3600.0, 1.5))])

    def set_date(self) -> None:
        if tasks := self.known.of("Task"):
            day = self.random.choice(
                (None, {"date": "2026-05-01T00:00:00+00:00"}, {"date": "2026-06-02T00:00:00+00:00"})
            )
            self.steps.append(["set", self.random.choice(tasks), "start_date", day])

    def set_reference(self) -> None:
        if tasks := self.known.of("Task"):
            name, kind, choices = self.random.choice(
                (("status", "Status", STATUSES), ("type", "Type", TYPES), ("priority", "Priority", PRIORITIES))
            )
            value = {"the": [kind, "name", self.random.choice(choices)]}
            self.steps.append(["set", self.random.choice(tasks), name, value])

    def move(self) -> None:
        moved = self.known.of("Task", "Shot")
        if not moved:
            return
        symbol = self.random.choice(moved)
        places = [each for each in self.known.of("Folder", "Sequence") if each not in self.known.below(symbol)]
        if places:
            above = self.random.choice(places)
            self.steps.append(["set", symbol, "parent", {"new": above}])
            self.known.above[symbol] = above

    def set_item(self) -> None:
        symbol = self.random.choice(self.known.of(*CONTEXTS, "Project"))
        key = self.random.choice(("made", "lens", "camera"))
        if (symbol, key) in self.known.dropped:
            # The vendor's client cannot set an item again that it removed.
            return
        self.steps.append(["item", symbol, "metadata", key, self.word()])
        self.known.items.setdefault(symbol, set()).add(key)

    def drop_item(self) -> None:
        held = [(symbol, key) for symbol, keys in self.known.items.items() for key in sorted(keys)]
        if held:
            symbol, key = self.random.choice(held)
            self.steps.append(["drop", symbol, "metadata", key])
            self.known.items[symbol].discard(key)
            self.known.dropped.add((symbol, key))

    def set_custom(self) -> None:
        kind, keys = self.random.choice(tuple(KINDS.items()))
        if kind == "Shot" and (shots := self.known.of("Shot")):
            value = float(self.random.randint(900, 1100))
            self.steps.append(["item", self.random.choice(shots), "custom_attributes", self.random.choice(keys), value])
        elif kind != "Shot" and (found := self.known.of(kind)):
            self.steps.append(["item", self.random.choice(found), "custom_attributes", keys[0], self.word()])

    def join(self) -> None:
        lists, tasks = self.known.of("TypedContextList"), self.known.of("Task", "Shot")
        if lists and tasks:
            symbol, member = self.random.choice(lists), self.random.choice(tasks)
            if member not in self.known.members.setdefault(symbol, set()):
                self.steps.append(["add", symbol, "items", member])
                self.known.members[symbol].add(member)

    def leave(self) -> None:
        held = [(symbol, each) for symbol, members in self.known.members.items() for each in sorted(members)]
        if held:
            symbol, member = self.random.choice(held)
            self.steps.append(["remove", symbol, "items", member])
            self.known.members[symbol].discard(member)

    def delete(self) -> None:
        found = self.known.of("Task", "Shot", "Timelog", "TypedContextList", "AssetVersion")
        if found:
            symbol = self.random.choice(found)
            self.commit()
            gone = self.known.below(symbol)
            self.steps.append(["delete", symbol])
            for each in gone:
                for table in (self.known.types, self.known.above, self.known.members, self.known.items):
                    table.pop(each, None)
            for members in self.known.members.values():
                members -= gone
            self.commit()

    def commit(self) -> None:
        self.steps.append(["commit"])
        self.committed = copy.deepcopy(self.known)

    def roll_back(self) -> None:
        gone = sorted(self.known.types.keys() - self.committed.types.keys())
        self.known = copy.deepcopy(self.committed)
        self.steps += [["rollback"], ["forget", gone]]

    def look(self) -> None:
        symbol = self.random.choice(list(self.known.types))
        paths = {
            "Task": ("parent.name", "status.name", "bid", "description", "type.name"),
            "Shot": ("parent.name", "name"),
        }
        paths |= {"AssetVersion": ("comment", "asset.name"), "Timelog": ("duration", "context.name")}
        self.steps.append(["look", symbol, self.random.choice(paths.get(self.known.types[symbol], ("name",)))])

    def ask(self) -> None:
        project = self.known.of("Project")[0]
        self.commit()
        key = "{" + project + "}"
        name = self.random.choice(STATUSES)
        self.steps.append(["count", f'Task where project.id is "{key}" and status.name is "{name}"'])
        self.steps.append(["names", f'select name from TypedContext where project.id is "{key}" order by name'])


STEPS = (
    [_Writer.make_context] * 6
    + [_Writer.set_text, _Writer.set_name, _Writer.set_number, _Writer.set_date, _Writer.set_reference] * 2
    + [_Writer.join, _Writer.leave, _Writer.make_list] * 2
    + [_Writer.make_version, _Writer.make_time, _Writer.make_list, _Writer.move, _Writer.set_item, _Writer.drop_item]
    + [_Writer.set_custom, _Writer.join, _Writer.join, _Writer.leave, _Writer.delete, _Writer.commit, _Writer.commit]
    + [_Writer.roll_back, _Writer.look, _Writer.look, _Writer.ask]
)


def script(seed: int, length: int = 20) -> list[list[Any]]:
    """The steps of a script; the same for the same seed."""
    writer = _Writer(seed)
    writer.project()
    writer.commit()
    for _ in range(length):
        writer.random.choice(STEPS)(writer)
    writer.commit()
    return writer.steps
