"""A connection for events has the session's login, and renews it."""

from __future__ import annotations

import threading
from typing import Any

from attrs import evolve
from fake_logins import PASSWORD

import callsheet


def test_a_stream_of_a_session_with_an_expired_token_is_opened(place: Any) -> None:
    """The listener renews the login before it connects; the session uses the same new token."""
    with callsheet.login_with_password(place.url, "anna", PASSWORD) as session:
        login = session._login
        old = login.access
        login.tokens = evolve(login.tokens, expires=0.0)
        arrived = threading.Event()
        session.event_hub.subscribe("topic=note.sent", lambda event: arrived.set())
        session.event_hub.connect()
        assert login.access != old
        session.event_hub.start()
        session.event_hub.publish(callsheet.Event("note.sent", {}))
        assert arrived.wait(60)
        session.event_hub.stop()
        assert session.logged_in()
