"""A listener starts itself anew, in the same process of the system: nothing else ends a thread that hangs.

The program is executed again with the arguments it was started with. What must outlive that goes by an environment
variable: how many attempts of which handlers were given up, and where the health page is.
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
    """What a listener leaves to the one that takes its place: attempts given up, by handler; its health page's port."""

    timeouts: Mapping[str, int] = field(factory=dict)
    port: int | None = None


def begin_anew(left: Legacy) -> NoReturn:
    """Execute this program again, and leave it this."""
    os.environ[VARIABLE] = json.dumps(asdict(left))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def legacy(environment: MutableMapping[str, str]) -> Legacy:
    """What the process left that this one took the place of; taken out of the environment.

    >>> legacy({VARIABLE: '{"timeouts": {"roll-up": 2}, "port": 9100}'})
    Legacy(timeouts={'roll-up': 2}, port=9100)
    >>> legacy({})
    Legacy(timeouts={}, port=None)
    """
    return Legacy(**json.loads(environment.pop(VARIABLE, "{}")))
