"""Plugin files are read when they change, and a bad one keeps what it was."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from textwrap import dedent
from threading import Thread

import pytest

from callsheet.listening.shelf import Shelf

PLUGIN = """
import callsheet

@callsheet.handler("topic=x", name="{name}")
def run(event, session):
    return {value}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def values(shelf: Shelf) -> dict[str, object]:
    """What each handler gives."""
    return {name: each.function(None, None) for name, each in shelf.handlers.items()}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf([tmp_path])


def test_files_are_found_below_a_folder(shelf: Shelf, tmp_path: Path) -> None:
    """And two may have the same name."""
    write(tmp_path / "one" / "plugin.py", PLUGIN.format(name="a", value=1))
    write(tmp_path / "two" / "plugin.py", PLUGIN.format(name="b", value=2))
    assert shelf.refresh()
    assert values(shelf) == {"a": 1, "b": 2}
    assert not shelf.refresh()


def test_an_edited_file_is_read_again(shelf: Shelf, tmp_path: Path) -> None:
    """Also when it was edited twice in a second, and is as long as before."""
    for value in range(1, 9):
        path = write(tmp_path / "plugin.py", PLUGIN.format(name="a", value=value))
        os.utime(path, ns=(value, value))
        assert shelf.refresh()
        assert values(shelf) == {"a": value}


@pytest.mark.parametrize("text", ["def broken(:", PLUGIN.format(name="a", value=1) + "raise ValueError('no')\n", "\0"])
def test_a_file_that_cannot_be_run_keeps_its_handlers(shelf: Shelf, tmp_path: Path, text: str) -> None:
    """It is reported, and its next good version is used."""
    path = write(tmp_path / "plugin.py", PLUGIN.format(name="a", value=1))
    shelf.refresh()
    write(path, text)
    shelf.refresh()
    assert values(shelf) == {"a": 1}
    assert list(shelf.problems) == [str(path)]
    write(path, PLUGIN.format(name="a", value=2))
    assert shelf.refresh()
    assert values(shelf) == {"a": 2}
    assert shelf.problems == {}


def test_handlers_go_with_their_file(shelf: Shelf, tmp_path: Path) -> None:
    """And with their function."""
    path = write(tmp_path / "plugin.py", PLUGIN.format(name="a", value=1))
    shelf.refresh()
    write(path, "nothing = 1\n")
    assert shelf.refresh()
    assert shelf.handlers == {}
    write(path, PLUGIN.format(name="a", value=1))
    shelf.refresh()
    path.unlink()
    assert shelf.refresh()
    assert shelf.handlers == {}


def test_modules_without_handlers_are_left_alone(shelf: Shelf, tmp_path: Path) -> None:
    """They are for plugins to import, from beside them."""
    write(tmp_path / "studio_numbers.py", "VALUE = 7\n")
    write(tmp_path / "script.py", "raise SystemExit('must not be run')\n")
    write(tmp_path / "plugin.py", "from studio_numbers import VALUE\n" + PLUGIN.format(name="a", value="VALUE"))
    shelf.refresh()
    assert values(shelf) == {"a": 7}
    assert shelf.problems == {}


def test_a_handler_is_found_under_another_name(shelf: Shelf, tmp_path: Path) -> None:
    """However `callsheet.handler` was imported."""
    write(
        tmp_path / "plugin.py",
        """
        from callsheet import handler as on
        @on("topic=x", name="a")
        def run(event, session):
            return 1
        """,
    )
    shelf.refresh()
    assert values(shelf) == {"a": 1}


def test_a_coroutine_is_reported(shelf: Shelf, tmp_path: Path) -> None:
    """It is not passed over in silence, as if it marked nothing."""
    write(
        tmp_path / "plugin.py",
        """
        import callsheet

        @callsheet.handler("topic=*", name="later")
        async def later(event, session): ...
        """,
    )
    assert not shelf.refresh()
    assert "an ordinary function" in shelf.problems[str(tmp_path / "plugin.py")]


def test_a_name_belongs_to_one_file(shelf: Shelf, tmp_path: Path) -> None:
    """The first by path; the other is reported and does not run."""
    write(tmp_path / "a.py", PLUGIN.format(name="same", value=1))
    write(tmp_path / "b.py", PLUGIN.format(name="same", value=2))
    shelf.refresh()
    assert values(shelf) == {"same": 1}
    (problem,) = shelf.problems.values()
    assert problem == f"the name `same` is taken by {tmp_path / 'a.py'}; this one does not run"


def test_a_running_handler_keeps_its_name(shelf: Shelf, tmp_path: Path) -> None:
    """A new file does not take it over, wherever it stands by path; it gets the name when the other one lets go."""
    running = write(tmp_path / "m.py", PLUGIN.format(name="same", value=1))
    shelf.refresh()
    write(tmp_path / "a.py", PLUGIN.format(name="same", value=2))
    shelf.refresh()
    assert values(shelf) == {"same": 1}
    assert shelf.problems == {
        f"{tmp_path / 'a.py'} (same)": f"the name `same` is taken by {running}; this one does not run"
    }
    write(running, PLUGIN.format(name="same", value=30))
    shelf.refresh()
    assert values(shelf) == {"same": 30}
    write(running, PLUGIN.format(name="another", value=4))
    shelf.refresh()
    assert values(shelf) == {"another": 4, "same": 2}
    assert shelf.problems == {}


@pytest.mark.parametrize("ending", ["import sys; sys.exit()", "raise KeyboardInterrupt", "raise GeneratorExit"])
def test_a_file_cannot_end_the_listener(tmp_path: Path, ending: str) -> None:
    """It is reported like any other that cannot be run."""
    path = write(tmp_path / "plugin.py", PLUGIN.format(name="a", value=1) + ending + "\n")
    shelf = Shelf([tmp_path])
    # Where files are read in a thread of its own, nothing that is raised is a person's Ctrl-C.
    reading = Thread(target=shelf.refresh)
    reading.start()
    reading.join()
    assert shelf.problems[str(path)].startswith(f"{path} cannot be run: ")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
def test_what_anybody_may_write_is_not_run(tmp_path: Path) -> None:
    """Unless that is allowed."""
    path = write(tmp_path / "plugin.py", PLUGIN.format(name="a", value=1))
    path.chmod(0o666)
    shelf = Shelf([tmp_path])
    shelf.refresh()
    assert shelf.handlers == {}
    assert "all users may write" in shelf.problems[str(path)]
    allowed = Shelf([tmp_path], allow_writable=True)
    allowed.refresh()
    assert values(allowed) == {"a": 1}
