"""The smallest plugin: it says that it was registered, and what else may be in ``register``.

Put it into a folder and name the folder, by ``Session(…, plugin_paths=["/path/to/plugins"])`` or by the variable
``CALLSHEET_PLUGIN_PATH``. With logging at DEBUG the session then says::

    DEBUG:com.example.example-plugin:Plugin registered

``plugin_arguments={"reticulate_splines": True}`` reaches `register`; arguments that a plugin does not name are not
given to it, so plugins can have different ones.
"""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["configure_locations", "register"]

logger = logging.getLogger("com.example.example-plugin")


def configure_locations(event: Any) -> None:
    """Called when the session's locations may be configured; the session comes with the event."""
    session = event["data"]["session"]
    logger.debug("Locations of %r may be configured", session)


def register(session: Any, reticulate_splines: bool = False) -> None:
    """Take part in a session."""
    session.event_hub.subscribe("topic=callsheet.session.configure-location", configure_locations)
    logger.debug("Plugin registered%s", ", splines reticulated" if reticulate_splines else "")
