"""A password is typed where nobody can read it: in a real terminal, in a real window, or not at all."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fake_logins import PASSWORD

posix = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
PROGRAM = """
import callsheet, sys
session = callsheet.login(sys.argv[1], "anna")
print("session of", session.user.username, flush=True)
session.close()
"""


class Typist:
    """A program in a pseudo-terminal of its own, and the person in front of it."""

    def __init__(self, *command: str) -> None:
        import fcntl
        import termios

        self.master, slave = os.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def read_until(self, text: bytes, seconds: float = 120) -> None:
        """Read the screen until it has this text."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.master, 4096)
                except OSError:
                    break
        assert text in self.seen, self.seen

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        import termios

        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def close(self) -> int:
        code = self.process.wait(120)
        os.close(self.master)
        return code


@posix
def test_nothing_typed_in_a_terminal_is_shown(place: Any) -> None:
    """The seed's prompt; the terminal's echo is off while the password is typed, and on again afterwards."""
    terminal = Typist(sys.executable, "-c", PROGRAM, place.url)
    assert terminal.echoes()
    terminal.read_until(b"Enter your password:")
    end = time.monotonic() + 30
    while terminal.echoes() and time.monotonic() < end:
        time.sleep(0.01)
    assert not terminal.echoes()
    terminal.type(PASSWORD + "\n")
    terminal.read_until(b"session of anna")
    assert terminal.echoes()
    assert terminal.close() == 0
    assert PASSWORD.encode() not in terminal.seen
    assert b"sesame" not in terminal.seen


@posix
def test_the_command_hides_the_password_too(place: Any) -> None:
    """``callsheet login`` prompts for the account, which is shown, and the password, which is not."""
    command = "from callsheet.cli import main; main()"
    terminal = Typist(sys.executable, "-c", command, "login", place.url)
    terminal.read_until(b"User:")
    terminal.type("anna\n")
    terminal.read_until(b"Enter your password:")
    while terminal.echoes():
        time.sleep(0.01)
    terminal.type(PASSWORD + "\n")
    terminal.read_until(b"You are logged in to")
    assert terminal.close() == 0
    assert b"sesame" not in terminal.seen
    assert b"anna" in terminal.seen


@posix
@pytest.mark.parametrize("given", [None, f"{PASSWORD}\n"], ids=["nothing", "a pipe"])
def test_without_terminal_and_display_it_is_refused(place: Any, given: str | None) -> None:
    """Python would read a pipe, with a warning; here it is not read, and the error says what to do."""
    program = (
        "import sys, callsheet\ntry:\n    callsheet.login(sys.argv[1], 'anna')\nexcept callsheet.UsageError as error:"
    )
    program += "\n    print(error)\n    print('left:', sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", program, place.url],
        input=given or "",
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
    assert "there is neither a terminal nor a display to type it in. Set CALLSHEET_PASSWORD" in done.stdout
    assert f"left: {given or ''}" in done.stdout
    assert done.stderr == ""


WINDOW = """
import callsheet, sys, tkinter

class Watched(tkinter.Tk):
    def __init__(self, **options):
        super().__init__(**options)
        self.after(300, self.type)

    def type(self):
        entry = next(each for each in self.everything(self) if isinstance(each, tkinter.Entry))
        labels = [each.cget("text") for each in self.everything(self) if isinstance(each, tkinter.Label)]
        print("labels:", labels, "shows:", entry.cget("show"), flush=True)
        if sys.argv[2] == "type":
            for character in sys.argv[3]:
                keysym = {" ": "space"}.get(character, character)
                entry.event_generate("<KeyPress>", keysym=keysym)
                entry.event_generate("<KeyRelease>", keysym=keysym)
            self.update()
            entry.event_generate("<KeyPress>", keysym="Return")
        else:
            entry.event_generate("<KeyPress>", keysym="Escape")

    def everything(self, widget):
        for child in widget.winfo_children():
            yield child
            yield from self.everything(child)

tkinter.Tk = Watched
try:
    session = callsheet.login(sys.argv[1], "anna")
    print("session of", session.user.username)
except callsheet.UsageError as error:
    print("refused:", error)
"""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A display that nobody looks at."""
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("there is no Xvfb (Debian: apt-get install xvfb)")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(writer), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        number = b""
        while not number.endswith(b"\n"):
            assert select.select([reader], [], [], 60)[0], "Xvfb does not start"
            number += os.read(reader, 16)
        yield f":{number.decode().strip()}"
    finally:
        os.close(reader)
        process.terminate()
        process.wait(30)


@posix
def test_a_window_takes_the_password_where_there_is_no_terminal(place: Any, display: str) -> None:
    """It names the account and the server, and shows a dot for each character."""
    output = _in_window(place.url, display, "type", PASSWORD)
    assert f"labels: ['anna at {place.url}', 'Enter your password:'] shows: •" in output
    assert "session of anna" in output


@posix
def test_a_window_that_is_closed_sends_nothing(place: Any, display: str) -> None:
    """The error says so."""
    output = _in_window(place.url, display, "escape")
    assert "refused: the window for the password was closed; nothing was sent" in output


def _in_window(url: str, display: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WINDOW, url, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        env={**os.environ, "DISPLAY": display, "PYTHONIOENCODING": "utf-8"},
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
