"""Where a password comes from: an argument, the environment, the keyring, a callback, the person at the keyboard."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from callsheet.credentials import system_keyring, terminal_prompt, window
from callsheet.errors import UsageError
from callsheet.flow import Call, Flow, Work
from callsheet.secret import Secret

__all__ = ["PROMPT", "Ask", "VARIABLE", "found_password", "hidden"]

VARIABLE = "CALLSHEET_PASSWORD"
PROMPT = "Enter your password: "

Ask: TypeAlias = Callable[[str], Any]
"""Is called with a prompt and returns the password, as `getpass.getpass` does; where logins are awaited, it may be
``async``."""


def hidden(text: object) -> Secret:
    """A text that somebody gave, as a secret; raises `UsageError`, which shows nothing, for anything else.

    >>> hidden("sesame"), hidden(Secret("sesame")).reveal()
    (Secret(…), 'sesame')
    """
    if isinstance(text, Secret):
        return text
    if not isinstance(text, str):
        raise UsageError(f"an address, a user or a password is a text, not {type(text).__name__}")
    return Secret(text)


def found_password(
    url: str,
    user: str,
    password: Secret | None = None,
    ask: Ask | None = None,
    environment: Mapping[str, str] | None = None,
) -> Flow[Secret]:
    """The password of a user at a server, from the first place that has one.

    These are: the argument; the variable ``CALLSHEET_PASSWORD``; the keyring's entry of the user under the server's
    address; the callback ``ask``; a hidden prompt in the terminal, or a small window if there is no terminal but a
    display. Nothing is ever shown as it is typed. Raises `UsageError`, which says what to do, if there is none.
    """
    if password is not None:
        return _checked(password, "the password that was given")
    known = os.environ if environment is None else environment
    if VARIABLE in known:
        return _checked(Secret(known[VARIABLE]), VARIABLE)
    kept: Secret | None = yield Work(lambda: system_keyring.password(url, user))
    if kept is not None:
        return kept
    if ask is not None:
        return _checked(_answered((yield Call(lambda: ask(PROMPT)))), "the answer of `ask`")
    typed: Secret | None = yield Work(lambda: terminal_prompt.typed(PROMPT))
    if typed is None:
        # On a Mac, only the main thread may have windows.
        step = Call if sys.platform == "darwin" else Work
        typed = yield step(lambda: window.typed(PROMPT, f"{user} at {url}"))
    if typed is None:
        raise UsageError(
            f"no password of {user} at {url}: there is neither a terminal nor a display to type it in. Set {VARIABLE}, "
            f"keep it in the keyring (`keyring set {url} {user}`), or give `ask=` or `password=`; "
            "`callsheet login --password-stdin` reads it from a pipe"
        )
    return _checked(typed, "what was typed")


def _answered(answer: Any) -> Secret:
    if inspect.iscoroutine(answer):
        answer.close()
        raise UsageError("`ask` is a coroutine function; use it with `login_async`")
    if not isinstance(answer, str):
        raise UsageError(f"`ask` returns the password as a text, not {type(answer).__name__}")
    return Secret(answer)


def _checked(password: Secret, where: str) -> Secret:
    """The password; an empty one is refused before it counts as a failed attempt."""
    if not password:
        raise UsageError(f"the password is empty: {where}; nothing was sent")
    return password
