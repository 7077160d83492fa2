"""`callsheet stubs` prints, installs and compares the types of a server's schema."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from callsheet.server.process import Server
from cli.conftest import Invoke

SCRIPT = """
from callsheet_studio import Session, Task, Context, TaskData
with Session({url!r}, api_user="admin", api_key="a key for tests") as session:
    data: TaskData = {{"name": "layout"}}
    query = session.query(Task).where(Task.name == data["name"], Task.parent.name.like("sh%"))
    tasks = query.order_by(Task.parent.name)
    print([isinstance(each, Task) and isinstance(each, Context) for each in tasks], tasks[0]["parent"]["name"])
    print(session.get(Task, tasks[0]["id"]) in tasks.all(), isinstance(tasks[0]["parent"], Task))
"""


def test_a_stub_is_printed_and_compared(invoke: Invoke, tmp_path: Path) -> None:
    """What is printed is up to date; after a change of the file, the difference is printed and the command fails."""
    printed = invoke("stubs")
    assert printed.exit_code == 0, printed.output
    path = tmp_path / "my_studio.pyi"
    path.write_text(printed.stdout, encoding="utf-8")
    assert invoke("stubs", "--check", str(path)).exit_code == 0
    path.write_text(printed.stdout.replace("time_spent", "time_spend"), encoding="utf-8")
    found = invoke("stubs", "--check", str(path))
    assert found.exit_code == 1
    assert "\n-    time_spend: " in found.output
    assert "\n+    time_spent: " in found.output
    assert "differs from the schema" in found.output


def test_what_cannot_be_compared_is_named(invoke: Invoke, tmp_path: Path) -> None:
    """A file that is missing, or none of text, is named with the cure; so are options that exclude each other."""
    missing = invoke("stubs", "--check", str(tmp_path / "none.pyi"))
    assert missing.exit_code == 1
    assert "none.pyi cannot be read" in missing.output
    (tmp_path / "odd.pyi").write_bytes(b"\xff\xfe\x00")
    assert "is no stub" in invoke("stubs", "--check", str(tmp_path / "odd.pyi")).output
    assert "give one of them" in invoke("stubs", "--check", "a.pyi", "--install").output


def test_an_installed_package_is_used_by_scripts(invoke: Invoke, server: Server, tmp_path: Path) -> None:
    """Scripts import the session and the types from the package; `--check` takes its folder; it can be made again."""
    for _ in range(2):
        done = invoke("stubs", "--into", str(tmp_path))
        assert done.exit_code == 0, done.output
    assert invoke("stubs", "--check", str(tmp_path / "callsheet_studio")).exit_code == 0
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(url=server.url), encoding="utf-8")
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert ran.stdout.splitlines() == ["[True, True] sh010", "True False"], ran.stderr


def test_a_package_of_others_is_left_alone(invoke: Invoke, tmp_path: Path) -> None:
    """A folder that `callsheet stubs` has not made is not overwritten, and a name must be one that can be imported."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("VALUE = 1\n", encoding="utf-8")
    taken = invoke("stubs", "--into", str(tmp_path), "--name", "mine")
    assert taken.exit_code == 1
    assert "choose another name" in taken.output
    assert (tmp_path / "mine" / "__init__.py").read_text(encoding="utf-8") == "VALUE = 1\n"
    assert "cannot be the name of a package" in invoke("stubs", "--into", str(tmp_path), "--name", "a-b").output
    assert "cannot be the name of a package" in invoke("stubs", "--into", str(tmp_path), "--name", "callsheet").output
