"""The examples of the texts that sessions come from, with other names of servers and people."""

from __future__ import annotations

from typing import Any

from fake_logins import PASSWORD

from callsheet import Session, login, login_with_password


def test_logging_in_to_a_system_of_a_data_view(place: Any) -> None:
    """Base URL, data view, system and user, by position; the session goes to a text and comes back."""
    with Session(place.url, "admin", place.key) as session:
        added = session.call("workspaces.add", name="my_data_view/my_system", description="Holidays")
    with Session(place.url, "admin", added["key"], workspace="my_data_view/my_system") as session:
        session.call("users.add", name="anna", role="user")
        session.call("users.password", name="anna", password=PASSWORD)
    my_session = login_with_password(place.url, "my_data_view", "my_system", "anna", PASSWORD)
    assert (my_session.data_view, my_session.system) == ("my_data_view", "my_system")
    assert my_session.base_url == place.url
    assert my_session.system_info.view_name == "my_data_view"
    assert my_session.system_info.name == "my_system"
    assert my_session.user.username == "anna"
    typed = login(place.url, "my_data_view", "my_system", "anna", ask=lambda prompt: PASSWORD)
    assert typed.logged_in()
    s = my_session.serialize(include_token=True, passphrase="a phrase that opens")
    my_restored_session = Session.deserialize(s, passphrase="a phrase that opens")
    assert my_restored_session.system == "my_system"
    assert my_restored_session.query("Project").all() == []
    for session in (my_session, typed, my_restored_session):
        session.close()


def test_a_session_of_models(place: Any) -> None:
    """Name, password and address give a session whose models are its names; it says who has logged in."""
    session = login_with_password(place.url, "anna", PASSWORD, name="mine")
    anna = session.User.where(username="anna").one()
    assert session.User.find(anna["id"]) is anna
    assert repr(anna).startswith("<User ")
    assert (session.name, session.api_user, session.user.username) == ("mine", "anna", "anna")
    assert anna.session is session
    assert session.User.last(10, query={"username": "nobody"}) == []
    session.close()
