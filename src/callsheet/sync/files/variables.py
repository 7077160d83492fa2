"""Variables of the environment in a sync file: passwords, keys and addresses have their place there."""

from __future__ import annotations

import os
import re

from callsheet.errors import UsageError

__all__ = ["variable", "with_variables"]


def with_variables(text: str, where: str) -> str:
    """The text with the values of ``${NAME}``; ``where`` it stands is named in the `UsageError`.

    >>> with_variables("sqlite:///show.db", "right.server")
    'sqlite:///show.db'
    """
    return re.sub(r"\$\{(\w+)\}", lambda found: variable(found[1], where), text)


def variable(name: str, where: str) -> str:
    """The value of a variable that has to be there."""
    if name not in os.environ:
        raise UsageError(f"{where}: there is no environment variable {name}")
    return os.environ[name]
