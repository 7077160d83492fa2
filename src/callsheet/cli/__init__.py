"""The command line. ``callsheet --help`` lists the commands; each has a file of its own here."""

from __future__ import annotations

import importlib.util
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command the user typed, or say what must be installed for it."""
    missing = [name for name in ("click", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            f"callsheet: the command line needs {' and '.join(missing)}, which come with an extra; type\n"
            "  pip install 'callsheet[cli]'       to talk to a server\n"
            "  pip install 'callsheet[server]'    to run one too"
        )
    from callsheet.cli.commands import callsheet

    try:
        callsheet(prog_name="callsheet")
    except OSError as error:
        # Standard output or error takes nothing more: Python would try again when it ends, and say so.
        _drop_output()
        sys.exit(f"callsheet: the output cannot be written: {error.strerror or error}")


def _drop_output() -> None:
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
