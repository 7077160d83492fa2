"""Plugins are found, run once, registered with what they take, and named where they fail."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callsheet import AsyncSession, Session, plugins
from callsheet.errors import PluginError
from callsheet.session.connection import over


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file below the folder of plugins."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / "plugins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def opened(callsheet_service: Any, tmp_path: Path) -> Any:
    """Open a session with the plugins of the folder; what it is."""
    sessions = []

    def open_(**options: Any) -> Session:
        options.setdefault("plugin_paths", [tmp_path / "plugins"])
        sessions.append(Session(connection=over(callsheet_service.backend("admin")), **options))
        sessions[-1].open()
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


NOTE = "def register(session):\n    session.commands[{name!r}] = print\n"


def test_folders_are_searched_all_the_way_down(write: Any, opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Sorted by path, each file once; what is run is logged; files without `register` are left alone."""
    write("b.py", NOTE.format(name="b"))
    deep = write("a/deep/c.py", NOTE.format(name="c"))
    write("helper.py", "raise SystemExit('a helper is not run')")
    with caplog.at_level(logging.INFO, "callsheet.plugins"):
        session = opened(plugin_paths=[deep.parents[2], deep.parents[1], deep])
    assert list(session.commands) == ["c", "b"]
    assert f"running the plugin file {deep}" in caplog.text
    assert "helper" not in caplog.text
    assert [(found.name, found.added) for found in session.plugging.found] == [
        ("c", ["command c"]),
        ("b", ["command b"]),
    ]


def test_a_module_is_run_once_and_registered_with_every_session(write: Any, opened: Any) -> None:
    """Unless the file changed."""
    count = "import sys\nsys.modules['counted'].append(1)\n"
    sys.modules["counted"] = counted = []  # type: ignore[assignment]
    try:
        path = write("once.py", count + NOTE.format(name="once"))
        assert "once" in opened().commands
        assert "once" in opened().commands
        assert len(counted) == 1
        path.write_text(count + NOTE.format(name="twice!"), encoding="utf-8")
        assert "twice!" in opened().commands
        assert len(counted) == 2
    finally:
        del sys.modules["counted"]


def test_two_plugins_may_have_the_same_name(write: Any, opened: Any) -> None:
    """Each is its own module; so are helpers of the same name beside them."""
    for folder in ("one", "two"):
        write(f"{folder}/tool.py", "import shared\ndef register(session):\n    session.commands[shared.NAME] = print\n")
        write(f"{folder}/shared.py", f"NAME = {folder!r}\n")
    before = set(sys.modules)
    assert set(opened().commands) == {"one", "two"}
    assert {name for name in set(sys.modules) - before if not name.startswith("callsheet")} == set()


def test_a_helper_beside_a_plugin_is_run_once(write: Any, opened: Any) -> None:
    """However it is imported by name, by how many, and where."""
    write("shared.py", "VALUES = []\n")
    text = "import shared\nshared.VALUES.append(__name__)\ndef register(session):\n    import shared as again\n"
    write("a.py", text + "    assert again is shared\n")
    write("b.py", text + "    session.commands[str(len(again.VALUES))] = print\n")
    session = opened()
    assert [found.error for found in session.plugging.found] == [None, None]
    assert list(session.commands) == ["2"]


def test_what_a_plugin_imports_from_an_environment_in_its_folder_stays_imported(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment may be beside a plugin: its packages are everybody's, and are not loaded twice."""
    library = write("venv/lib/far_library/__init__.py", "class Thing: ...\n")
    path = write("uses_library.py", "import far_library\n\nThing = far_library.Thing\n\ndef register(session): ...\n")
    monkeypatch.syspath_prepend(str(library.parents[1]))
    try:
        module = plugins.run(path)
        assert sys.modules["far_library"].Thing is module.Thing
    finally:
        sys.modules.pop("far_library", None)


def test_a_relative_import_finds_the_neighbour_at_any_time(write: Any, opened: Any) -> None:
    """Inside of a callback, too."""
    write("near.py", "VALUE = 7\n")
    write(
        "a.py",
        "def late(session):\n    from . import near\n    return near.VALUE\n"
        + NOTE.format(name="x").replace("print", "late"),
    )
    session = opened()
    assert session.commands["x"](session) == 7


def test_a_plugin_that_imports_another_shares_it(write: Any, opened: Any) -> None:
    """Neither is run twice."""
    write("a.py", "RUNS = []\nRUNS.append(1)\n" + NOTE.format(name="a"))
    write("b.py", "import a\ndef register(session):\n    session.commands[f'a ran {len(a.RUNS)}'] = a\n")
    session = opened()
    assert list(session.commands) == ["a", "a ran 1"]
    assert session.commands["a ran 1"].__file__.endswith("a.py")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "import sys\nsys.exit(3)\ndef register(session): ...\n",
            "called sys.exit(3): a plugin cannot end the program",
        ),
        ("def register(session):\n    raise SystemExit('no')\n", "called sys.exit('no'): a plugin cannot end"),
        ("def register(session):\n    raise GeneratorExit\n", "raised GeneratorExit: a plugin cannot end the program"),
        ("async def register(session): ...\n", "returns a coroutine, which would not be run"),
        ("def register(session):\n    yield\n", "returns a generator, which would not be run"),
        ("async def later(session): ...\nregister = lambda session: later(session)\n", "returns a coroutine"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_no_plugin_ends_the_program_or_waits_for_nobody(
    write: Any, opened: Any, caplog: pytest.LogCaptureFixture, text: str, told: str
) -> None:
    """It is a `PluginError` that names the file; the other plugins, and the program, go on."""
    path = write("broken.py", text)
    write("well.py", NOTE.format(name="well"))
    session = opened()
    assert list(session.commands) == ["well"]
    (error,) = [found.error for found in session.plugging.found if found.error is not None]
    assert isinstance(error, PluginError)
    assert str(path) in str(error)
    assert told in str(error)
    assert str(path) in caplog.text
    with pytest.raises(PluginError, match="broken"):
        opened(strict_plugins=True)


def test_an_error_without_a_text_is_reported(write: Any, opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a plugin raises, the others go on."""
    write(
        "mute.py",
        "class Mute(Exception):\n    def __str__(self):\n        raise self\ndef register(session): raise Mute\n",
    )
    write("well.py", NOTE.format(name="well"))
    session = opened()
    assert list(session.commands) == ["well"]
    (plugin,) = [found for found in session.plugging.found if found.error is not None]
    assert plugin.problem == "Mute: <its text raised Mute>"


def test_a_person_interrupts_the_loading_of_plugins(write: Any, opened: Any, interruptible: None) -> None:
    """A real Ctrl-C is not a failure of the plugin that was being run."""
    write("slow.py", "import signal\nsignal.raise_signal(signal.SIGINT)\ndef register(session): ...\n")
    with pytest.raises(KeyboardInterrupt):
        opened()


def test_one_that_fails_is_named_and_the_others_go_on(
    write: Any, opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """With its traceback; and what it had subscribed is taken back."""
    write("broken.py", "def register(session):\n    (\n")
    write("crash.py", "1 / 0\ndef register(session): ...\n")
    write("refuse.py", "def register(session):\n    session.event_hub.subscribe('topic=x', print)\n    {}['gone']\n")
    write("well.py", NOTE.format(name="well"))
    session = opened()
    assert "well" in session.commands
    assert session.event_hub.subscribers == ()
    failed = {found.name: type(found.error) for found in session.plugging.found if found.error is not None}
    assert failed == {"broken": SyntaxError, "crash": ZeroDivisionError, "refuse": KeyError}
    for text in ("broken.py", "crash.py", "refuse.py", "ZeroDivisionError", "{}['gone']"):
        assert text in caplog.text


def test_strict_sessions_do_not_open_with_a_plugin_that_fails(
    write: Any, opened: Any, callsheet_service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given paths, the constructor raises; with those of the environment, every use of the session does."""
    folder = write("crash.py", "1 / 0\ndef register(session): ...\n").parent
    with pytest.raises(PluginError, match=r"the plugin crash .* failed: ZeroDivisionError: division by zero"):
        opened(strict_plugins=True)
    monkeypatch.setenv("CALLSHEET_PLUGIN_PATH", str(folder))
    session = Session(connection=over(callsheet_service.backend("admin")), strict_plugins=True)
    for _ in range(2):
        with pytest.raises(PluginError):
            session.query("Project").count()
    session.close()


LOUD = """
import logging

logger = logging.getLogger("com.example.example-plugin")

def register(session, **options):
    logger.debug("Plugin registered")
"""


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the plugin itself logged."""
    return [each.getMessage() for each in caplog.records if each.name == "com.example.example-plugin"]


def test_a_session_that_is_given_plugins_has_them_at_once(
    write: Any, callsheet_service: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing else has to be done with the session; its forks do not register them again."""
    folder = write("loud.py", LOUD).parent
    backend = over(callsheet_service.backend("admin"))
    caplog.set_level(logging.DEBUG, "com.example.example-plugin")
    with Session(connection=backend, plugin_paths=[folder]) as session:
        assert said(caplog) == ["Plugin registered"]
        session.fork().query("Project").all()
    assert said(caplog) == ["Plugin registered"]


def test_a_session_without_paths_of_its_own_waits_until_it_is_used(
    write: Any, callsheet_service: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first use may be that its hub is connected."""
    monkeypatch.setenv("CALLSHEET_PLUGIN_PATH", str(write("loud.py", LOUD).parent))
    with caplog.at_level(logging.DEBUG, "com.example.example-plugin"):
        session = Session(connection=over(callsheet_service.backend("admin")))
        assert said(caplog) == []
        session.event_hub.connect()
        assert said(caplog) == ["Plugin registered"]
    session.close()


@pytest.mark.parametrize(
    ("signature", "expected", "warned"),
    [
        ("session", {}, True),
        ("session, colour", {"colour": "red"}, True),
        ("session, *, colour='blue', size=1", {"colour": "red", "size": 2}, False),
        ("session, **options", {"colour": "red", "size": 2}, False),
        ("session, size=1, /", {"size": 1}, True),
        ("", {}, True),
    ],
)
def test_arguments_are_given_as_far_as_they_are_taken(
    write: Any, opened: Any, caplog: pytest.LogCaptureFixture, signature: str, expected: dict[str, Any], warned: bool
) -> None:
    """The rest is left away, with a warning."""
    body = "    import sys\n    given = dict(locals())\n    sys.modules['given'] = given\n"
    write("a.py", f"def register({signature}):\n{body}")
    try:
        opened(plugin_arguments={"colour": "red", "size": 2})
        given = sys.modules.pop("given")
    finally:
        sys.modules.pop("given", None)
    flat = {**given, **given.get("options", {})}  # type: ignore[attr-defined, dict-item]
    assert {name: flat[name] for name in ("colour", "size") if name in flat} == expected
    assert ("takes no" in caplog.text) is warned


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are told otherwise there")
@pytest.mark.parametrize("place", ["file", "folder", "root"])
def test_what_anybody_may_write_is_not_run(
    write: Any, opened: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Neither such a file nor one in such a folder, unless it is allowed."""
    path = write("sub/a.py", NOTE.format(name="a"))
    chosen = {"file": path, "folder": path.parent, "root": path.parents[1]}[place]
    os.chmod(chosen, 0o777)
    session = opened()
    (found,) = session.plugging.found
    assert session.commands == {}
    assert f"every account may write {chosen}" in str(found.error)
    assert "a" in opened(allow_writable_plugins=True).commands
    monkeypatch.setenv("CALLSHEET_ALLOW_WRITABLE_PLUGINS", "1")
    assert "a" in opened().commands


def test_the_environment_names_plugin_paths(write: Any, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the session names none; the vendor's variable counts under its dialect only; False is none at all."""
    folder = write("a.py", NOTE.format(name="a")).parent
    monkeypatch.setenv("CALLSHEET_PLUGIN_PATH", f"{os.pathsep} {os.pathsep}{folder}{os.pathsep}/nowhere")
    assert list(opened(plugin_paths=None).commands) == ["a"]
    assert opened(plugin_paths=False).commands == {}
    assert opened(plugin_paths=[]).commands == {}
    environment = {"FTRACK_EVENT_PLUGIN_PATH": f"/v{os.pathsep}", "CALLSHEET_PLUGIN_PATH": "/c"}
    assert plugins.environment_paths(environment) == ["/c"]
    assert plugins.environment_paths(environment, "ftrack") == ["/c", "/v"]


class Entry:
    """An entry point of an installed package."""

    group = plugins.GROUP

    def __init__(self, name: str, loaded: Any) -> None:
        self.name, self.value, self._loaded = name, f"package.{name}", loaded

    def load(self) -> Any:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def test_installed_packages_bring_plugins(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function or a module that has one; one that cannot be loaded is named."""
    entries = (Entry("good", lambda session: session.commands.update(good=print)), Entry("bad", ImportError("gone")))
    monkeypatch.setattr(plugins, "_entry_points", lambda: entries)
    session = opened(plugin_paths=[])
    assert list(session.commands) == ["good"]
    assert [(found.name, found.kind, found.source) for found in session.plugging.found] == [
        ("good", "entry point", "package.good"),
        ("bad", "entry point", "package.bad"),
    ]
    assert opened(plugin_paths=False).plugging.found == []


def test_what_a_plugin_adds_is_listed(write: Any, opened: Any) -> None:
    """Types, subscriptions, operators, commands, defaults."""
    write(
        "all.py",
        "class Greeter:\n    __slots__ = ()\n    def greet(self): return self['name']\n"
        "def register(session):\n"
        "    session.types.extend('Project', Greeter)\n"
        "    session.event_hub.subscribe('topic=studio.x', print)\n"
        "    session.operators['near'] = print\n"
        "    session.commands['go'] = print\n"
        "    session.defaults.add('Shot', 'handles', lambda session, data: 8)\n"
        "    session.locations.add('studio', accessor=None)\n",
    )
    (found,) = opened().plugging.found
    assert found.added == [
        "type Project: Greeter",
        "subscription topic=studio.x",
        "operator near",
        "command go",
        "default Shot.handles",
        "location studio",
    ]


def test_forks_have_what_plugins_added(write: Any, opened: Any) -> None:
    """Without registering again."""
    write("a.py", NOTE.format(name="a"))
    session = opened()
    fork = session.fork()
    assert (fork.commands, fork.operators) == (session.commands, session.operators)
    assert fork.plugging.found == session.plugging.found


def test_awaiting_sessions_have_plugins_too(write: Any, callsheet_service: Any) -> None:
    """Registered in the session's own thread."""
    import anyio

    folder = write("a.py", NOTE.format(name="a")).parent

    async def main() -> None:
        async with AsyncSession(connection=over(callsheet_service.backend("admin")), plugin_paths=[folder]) as session:
            assert list(session.commands) == ["a"]

    anyio.run(main)


def test_a_path_that_is_not_there_is_named(opened: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log; and where strictness is wanted, it is an error."""
    opened(plugin_paths=[tmp_path / "nowhere"])
    assert f"the plugin path {tmp_path / 'nowhere'} does not exist" in caplog.text
    with pytest.raises(PluginError, match=r"nowhere does not exist"):
        opened(plugin_paths=[tmp_path / "nowhere"], strict_plugins=True)
