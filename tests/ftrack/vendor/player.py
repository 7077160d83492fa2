"""Plays scripts with a session, the vendor's or ours: the same code, so that only the sessions differ.

A script is a list of steps as plain data. A value is plain, or ``{"new": symbol}`` (an entity the script made),
``{"the": [type, attribute, value]}`` (one that is there), or ``{"date": text}``. Run as a program in the vendor's
environment it reads scripts from a file and writes what came of them to another.
"""

from __future__ import annotations

import json
import sys
from typing import Any


class Player:
    """One script being played: the entities it made by symbol, and what it read."""

    def __init__(self, session: Any, moment: Any) -> None:
        self.session, self.moment = session, moment
        self.made: dict[str, Any] = {}
        self.keys: dict[str, str] = {}
        self.read: list[Any] = []
        self.known: dict[str, Any] = {}

    def play(self, steps: list[list[Any]]) -> None:
        for step in steps:
            getattr(self, step[0])(*step[1:])

    def create(self, symbol: str, entity_type: str, values: dict[str, Any]) -> None:
        data = {name: self.value(value) for name, value in values.items()}
        self.made[symbol] = self.session.create(entity_type, data)
        self.keys[symbol] = self.made[symbol]["id"]

    def set(self, symbol: str, name: str, value: Any) -> None:
        self.made[symbol][name] = self.value(value)

    def item(self, symbol: str, mapping: str, key: str, value: Any) -> None:
        self.made[symbol][mapping][key] = self.value(value)

    def drop(self, symbol: str, mapping: str, key: str) -> None:
        del self.made[symbol][mapping][key]

    def add(self, symbol: str, collection: str, member: str) -> None:
        self.made[symbol][collection].append(self.made[member])

    def remove(self, symbol: str, collection: str, member: str) -> None:
        self.made[symbol][collection].remove(self.made[member])

    def delete(self, symbol: str) -> None:
        self.session.delete(self.made.pop(symbol))

    def commit(self) -> None:
        self.session.commit()

    def rollback(self) -> None:
        self.session.rollback()

    def forget(self, symbols: list[str]) -> None:
        """What a rollback took back."""
        for symbol in symbols:
            self.made.pop(symbol)
            self.keys.pop(symbol)

    def look(self, symbol: str, path: str) -> None:
        value = self.made[symbol]
        for name in path.split("."):
            value = None if value is None else value[name]
        self.read.append(plain(value))

    def count(self, text: str) -> None:
        self.read.append(len(self.session.query(text.format(**self.keys)).all()))

    def names(self, text: str) -> None:
        self.read.append([entity["name"] for entity in self.session.query(text.format(**self.keys))])

    def value(self, told: Any) -> Any:
        if not isinstance(told, dict):
            return told
        if "new" in told:
            return self.made[told["new"]]
        if "date" in told:
            return self.moment(told["date"])
        if "the" in told:
            entity_type, name, value = told["the"]
            place = f'{entity_type} where {name} is "{value}"'
            if place not in self.known:
                self.known[place] = self.session.query(place).one()
            return self.known[place]
        return {name: self.value(value) for name, value in told.items()}


def plain(value: Any) -> Any:
    """A value that was read, as it can be compared."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    # What was never told of an entity that is not committed yet: the vendor's client has a symbol for it.
    return None if str(value) == "NOT_SET" else str(value)


def play_all(open_session: Any, scripts: list[Any], moment: Any) -> list[dict[str, Any]]:
    """What came of each script: keys by symbol, and what was read. Sessions are changed before they grow old."""
    told = []
    for number, steps in enumerate(scripts):
        if number % 20 == 0:
            session = open_session()
        player = Player(session, moment)
        player.play(steps)
        told.append({"keys": player.keys, "read": player.read})
    return told


def main(source: str, target: str, url: str, user: str, key: str) -> None:
    import arrow
    import ftrack_api

    def open_session() -> Any:
        return ftrack_api.Session(url, api_user=user, api_key=key, schema_cache_path=False)

    with open(source) as scripts, open(target, "w") as answers:
        json.dump(play_all(open_session, json.load(scripts), arrow.get), answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
