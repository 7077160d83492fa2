"""The example does what its documentation shows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from callsheet import Session
from callsheet.session.connection import over

PLUGIN = Path(__file__).parents[2] / "plugins" / "example_plugin.py"


def test_it_says_that_it_was_registered(callsheet_service: Any, caplog: pytest.LogCaptureFixture) -> None:
    """And hears when locations may be configured; arguments it does not name are not given to it."""
    given = {"reticulate_splines": True, "some_other_argument": 42}
    with caplog.at_level(logging.DEBUG, "com.example.example-plugin"):
        backend = over(callsheet_service.backend("admin"))
        with Session(connection=backend, plugin_paths=[PLUGIN], plugin_arguments=given):
            pass
    told = [record.getMessage() for record in caplog.records if record.name == "com.example.example-plugin"]
    assert told[0] == "Plugin registered, splines reticulated"
    assert told[1].endswith("may be configured")


def test_without_arguments(callsheet_service: Any, caplog: pytest.LogCaptureFixture) -> None:
    """As the page about plugins shows."""
    caplog.set_level(logging.DEBUG, "com.example.example-plugin")
    with Session(connection=over(callsheet_service.backend("admin")), plugin_paths=[PLUGIN]):
        pass
    assert ("com.example.example-plugin", logging.DEBUG, "Plugin registered") in caplog.record_tuples
