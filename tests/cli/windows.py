"""Commands in a real pseudo-terminal of a given width, as a person sees them."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

__all__ = ["in_terminal"]

COMMAND = (sys.executable, "-c", "from callsheet.cli import main; main()")


def in_terminal(*arguments: str, columns: int = 80, answer: str = "") -> tuple[str, int, bool]:
    """What a command prints in a window, its exit code, and whether it used colours or styles."""
    import fcntl
    import pty
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "NO_COLOR", "LINES")}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=child, stdout=child, stderr=child, close_fds=True, env=environment
    ) as process:
        os.close(child)
        if answer:
            os.write(parent, answer.encode())
        written = b""
        # Linux says that the other end is closed by an error.
        with contextlib.suppress(OSError):
            while part := os.read(parent, 65_536):
                written += part
        process.wait(60)
    os.close(parent)
    text = written.decode().replace("\r\n", "\n")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return plain, process.returncode, plain != text
