"""Shells complete commands and options; the help lists the commands of plugins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from callsheet.cli.commands import callsheet

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from callsheet.cli import main; main()")
ANSWERS = {
    "bash": ("plain,history", "plain,log"),
    "zsh": ("history\n", "log\n"),
    "fish": ("plain,history", "plain,log"),
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_completed(shell: str) -> None:
    """The script is for this shell and, where the shell is installed, is accepted by it; its questions are answered."""
    done = CliRunner().invoke(callsheet, ["--show-completion", shell])
    assert done.exit_code == 0, done.output
    assert f"_CALLSHEET_COMPLETE={shell}_complete" in done.output
    assert "callsheet" in done.output
    if shell in ("bash", "zsh") and shutil.which(shell) is not None:
        assert subprocess.run([shell, "-n"], input=done.output, text=True).returncode == 0
    words = {
        "_CALLSHEET_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "callsheet ",
        "COMP_CWORD": "" if shell == "fish" else "1",
    }
    found = subprocess.run(COMMAND, env={**os.environ, **words}, capture_output=True, text=True)
    for answer in ANSWERS[shell]:
        assert answer in found.stdout
    words = {**words, "COMP_WORDS": "callsheet query --fo", "COMP_CWORD": "--fo" if shell == "fish" else "2"}
    found = subprocess.run(COMMAND, env={**os.environ, **words}, capture_output=True, text=True)
    assert "--format" in found.stdout


def test_commands_of_plugins_are_in_the_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with the first line of its docstring; without plugins there is no such section, and nothing is opened."""
    monkeypatch.delenv("CALLSHEET_SERVER", raising=False)
    assert "Commands of plugins" not in CliRunner().invoke(callsheet, ["--help"]).output
    plugin = tmp_path / "greeting.py"
    plugin.write_text(
        "def greet(session, name='anna'):\n    '''Say hello to [somebody].\n\n    More.\n    '''\n\n\n"
        "def register(session):\n    session.commands['greet'] = greet\n    session.commands['query'] = greet\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("CALLSHEET_PLUGIN_PATH", str(tmp_path))
    shown = CliRunner().invoke(callsheet, ["--help"]).output.partition("Commands of plugins:")[2]
    assert shown.strip() == "greet  Say hello to [somebody]."
