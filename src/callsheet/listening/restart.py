"""A listener restarts itself in the same operating system process, because a hanging thread cannot be ended otherwise.

The program is executed again with its arguments. An environment variable passes on what must be kept: how many attempts
of which handlers were given up, and the port of the health page.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import NoReturn

from attrs import asdict, field, frozen

__all__ = ["Legacy", "begin_anew", "legacy"]

VARIABLE = "CALLSHEET_LISTEN_LEGACY"


@frozen
class Legacy:
    """What a listener passes to its successor: attempts given up, by handler; the port of its health page."""

    timeouts: Mapping[str, int] = field(factory=dict)
    port: int | None = None


def begin_anew(left: Legacy) -> NoReturn:
    """Execute this program again, and pass this on."""
    os.environ[VARIABLE] = json.dumps(asdict(left))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def legacy(environment: MutableMapping[str, str]) -> Legacy:
    """What the previous listener passed on; it is removed from the environment.

    >>> legacy({VARIABLE: '{"timeouts": {"roll-up": 2}, "port": 9100}'})
    Legacy(timeouts={'roll-up': 2}, port=9100)
    >>> legacy({})
    Legacy(timeouts={}, port=None)
    """
    return Legacy(**json.loads(environment.pop(VARIABLE, "{}")))
