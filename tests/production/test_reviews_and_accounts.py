"""Reviews: versions in an order, people who are asked to look. Accounts: invitations, keys, roles."""

from __future__ import annotations

import pytest

from callsheet import Session
from callsheet.errors import NotFound, StateError, Unauthorised
from callsheet.server.service import Service
from production.making import again, make_project, make_shot, make_user, make_version


def test_objects_of_a_review_are_in_order(session: Session) -> None:
    """Each version comes after those that are there, pending or not."""
    project = make_project(session)
    shot = make_shot(session, project)
    versions = [make_version(session, shot) for _ in range(3)]
    review = session.create("ReviewSession", {"name": "Client", "project": project})
    review.add_version(versions[2])
    review.add_version(versions[0])
    session.commit()
    review.add_version(versions[1], name="the last", description="with grain")
    session.commit()
    found = again(session, review).get_objects()
    assert [each["asset_version"]["id"] for each in found] == [versions[2]["id"], versions[0]["id"], versions[1]["id"]]
    assert [each["name"] for each in found] == [versions[2]["asset"]["name"], versions[0]["asset"]["name"], "the last"]
    assert found[2]["description"] == "with grain"


def test_invitees_and_what_they_think(session: Session) -> None:
    """An invitee of a review says what they think of an object."""
    project = make_project(session)
    review = session.create("ReviewSession", {"name": "Client", "project": project})
    item = review.add_version(make_version(session, make_shot(session, project)))
    invitee = review.invite("Ellen", "ellen@example.com")
    status = {"invitee": invitee, "review_session_object": item, "status": "approved"}
    session.create("ReviewSessionObjectStatus", status)
    session.commit()
    fresh = session.fork()
    (found,) = fresh.query(f'ReviewSessionInvitee where review_session.id is "{review["id"]}"').all()
    assert (found["name"], found["email"]) == ("Ellen", "ellen@example.com")
    assert [each["status"] for each in found["statuses"]] == ["approved"]


def test_invitations_are_sent_to_those_who_are_there(vendor: Session) -> None:
    """An invitee must have been committed; then the server is asked to send."""
    review = vendor.create("ReviewSession", {"name": "Client", "project": make_project(vendor)})
    invitee = review.invite("Ellen", "ellen@example.com")
    with pytest.raises(StateError, match="commit"):
        invitee.send_invite()
    vendor.commit()
    assert invitee.send_invite() == {"sent": True}


def test_users_are_invited(vendor: Session) -> None:
    """The server is asked to send an invitation to a user it has."""
    user = make_user(vendor)
    assert user.send_invite() == {"sent": True}
    with pytest.raises(StateError, match="commit"):
        vendor.create("User", {"username": "nobody"}).send_invite()
    vendor.rollback()


def test_a_new_key(vendor: Session, vendor_service: Service) -> None:
    """The key told is taken from then on, and no other."""
    user = vendor.query("User where username is tomas").one()
    vendor_service.accounts.add("tomas")
    first, second = user.reset_api_key(), user.reset_api_key()
    assert first != second
    assert vendor_service.accounts.authenticate("tomas", second) == "tomas"
    with pytest.raises(Unauthorised):
        vendor_service.accounts.authenticate("tomas", first)


def test_security_roles(vendor: Session) -> None:
    """Roles are given, replaced and taken by actions of the server; projects are granted and revoked."""
    user, project = make_user(vendor), make_project(vendor)
    manager, artist = (
        vendor.query(f'SecurityRole where name is "{name}"').one() for name in ("Project manager", "User")
    )
    user.add_security_role(artist)
    assert _roles(vendor, user) == ["User"]
    user.replace_security_role(artist, manager)
    assert _roles(vendor, user) == ["Project manager"]
    user.grant_project(manager, project)
    (row,) = vendor.fork().query(f'UserSecurityRole where user.id is "{user["id"]}"').all()
    assert [each["project"]["id"] for each in row["user_security_role_projects"]] == [project["id"]]
    user.revoke_project(manager, project)
    user.remove_security_role(manager)
    assert _roles(vendor, user) == []
    with pytest.raises(NotFound):
        user.add_security_role(project)


def _roles(session: Session, user: object) -> list[str]:
    rows = session.fork().query(f'UserSecurityRole where user.id is "{user["id"]}"')  # type: ignore[index]
    return [row["security_role"]["name"] for row in rows]
