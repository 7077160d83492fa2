"""Runs in the vendor client's environment: every ``check_…`` of a module, each told apart, as JSON.

Arguments: the module's file, the server's address, a user, an API key. A check gets a `Place`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
import warnings
from typing import Any

warnings.simplefilter("ignore")

import ftrack_api  # noqa: E402


class Place:
    """Where checks work: ``session`` is shared by them, ``fresh()`` opens another that knows nothing yet."""

    def __init__(self, url: str, user: str, key: str) -> None:
        self.url, self.user, self.key = url, user, key
        self._session: Any = None
        self._opened: list[Any] = []
        self._number = 0

    @property
    def session(self) -> Any:
        if self._session is None:
            self._session = self.fresh()
        return self._session

    def fresh(self, **options: Any) -> Any:
        told = {"api_user": self.user, "api_key": self.key, "schema_cache_path": False, **options}
        opened = ftrack_api.Session(self.url, **told)
        self._opened.append(opened)
        return opened

    def name(self, stem: str = "name") -> str:
        """A name that nothing else has."""
        self._number += 1
        return f"{stem}-{self._number:04d}"

    def project(self, session: Any = None) -> Any:
        """A new project."""
        session = session or self.session
        project = session.create("Project", {"name": self.name("project"), "full_name": "A project"})
        session.commit()
        return project

    def task(self, session: Any = None, project: Any = None) -> Any:
        """A new task below a new shot."""
        session = session or self.session
        project = project or self.project(session)
        shot = session.create("Shot", {"name": self.name("shot"), "parent": project})
        task = session.create("Task", {"name": self.name("task"), "parent": shot})
        session.commit()
        return task

    def version(self, session: Any = None, task: Any = None) -> Any:
        """A new version of a new asset."""
        session = session or self.session
        task = task or self.task(session)
        kind = session.query("AssetType").first()
        asset = session.create("Asset", {"name": self.name("asset"), "type": kind, "parent": task["parent"]})
        version = session.create("AssetVersion", {"asset": asset, "task": task})
        session.commit()
        return version

    def refused(self, function: Any, *words: str) -> str:
        """The text of the error that a call raises; it must hold these words."""
        try:
            function()
        except ftrack_api.exception.ServerError as error:
            text = str(error)
            assert all(word in text for word in words), text
            return text
        raise AssertionError("it was not refused")


def main(path: str, url: str, user: str, key: str) -> None:
    spec = importlib.util.spec_from_file_location("checks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    place = Place(url, user, key)
    told: dict[str, str] = {}
    for name, check in vars(module).items():
        if not name.startswith("check_"):
            continue
        try:
            check(place)
            told[name] = ""
        except BaseException:
            told[name] = traceback.format_exc()
            if place._session is not None:
                place.session.rollback()
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
