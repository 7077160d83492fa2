"""A password is typed in a terminal that does not show it.

``getpass`` reads from the terminal with its echo switched off. Where it cannot do that it would warn, and show what is
typed; that warning is an error here, raised before anything is read.
"""

from __future__ import annotations

import getpass
import warnings
from threading import Lock

from callsheet.errors import UsageError
from callsheet.secret import Secret

__all__ = ["typed"]

_filters = Lock()
"""The filters of warnings are the whole process's."""


def typed(prompt: str) -> Secret | None:
    """The password that a person types; None if it could not be hidden here, because there is no terminal."""
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return Secret(getpass.getpass(prompt))
        except getpass.GetPassWarning:
            return None
        except EOFError:
            raise UsageError("no password was typed; nothing was sent") from None
        except (OSError, AttributeError):
            # Without standard streams, as in a service or a windowed program.
            return None
