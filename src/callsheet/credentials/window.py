"""A password is typed in a small window, which shows a dot for each character."""

from __future__ import annotations

import os
import sys
from typing import Any

from callsheet.errors import UsageError
from callsheet.secret import Secret

__all__ = ["typed"]

TITLE = "Callsheet"
DOT = "•"


def typed(prompt: str, whose: str) -> Secret | None:
    """The password that a person types; None if there is no display, or Python has no ``tkinter``.

    Raises `UsageError` if the window is closed without one.
    """
    if not _has_display():
        return None
    try:
        import tkinter
    except ImportError:
        return None
    try:
        root = tkinter.Tk(className=TITLE)
    except tkinter.TclError:
        return None
    try:
        entered = _run(root, tkinter, prompt, whose)
    finally:
        root.destroy()
    if entered is None:
        raise UsageError("the window for the password was closed; nothing was sent")
    return entered


def _run(root: Any, tkinter: Any, prompt: str, whose: str) -> Secret | None:
    entered: list[Secret] = []

    def accept(_: Any = None) -> None:
        entered.append(Secret(entry.get()))
        root.quit()

    root.title(TITLE)
    root.resizable(False, False)
    root.protocol("WM_DELETE_WINDOW", root.quit)
    frame = tkinter.Frame(root, padx=16, pady=12)
    frame.pack()
    tkinter.Label(frame, text=whose).pack(anchor="w")
    tkinter.Label(frame, text=prompt.strip()).pack(anchor="w")
    entry = tkinter.Entry(frame, show=DOT, width=32)
    entry.pack(pady=8)
    tkinter.Button(frame, text="Log in", command=accept).pack(side="right")
    tkinter.Button(frame, text="Cancel", command=root.quit).pack(side="right")
    root.bind("<Return>", accept)
    root.bind("<Escape>", lambda _: root.quit())
    root.attributes("-topmost", True)
    entry.focus_force()
    root.mainloop()
    return entered[0] if entered else None


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
