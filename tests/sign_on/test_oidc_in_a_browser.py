"""A browser signs on by a certified OpenID provider: its account, its roles, and how long that holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openid_desk import OpenIdDesk, TestProvider, open_openid_desk


@pytest.fixture
def desk(provider: TestProvider) -> Iterator[OpenIdDesk]:
    provider.control(gone=["anna", "ben"])
    with open_openid_desk(provider) as opened:
        yield opened


def test_a_person_signs_on_and_has_an_account_with_the_roles_of_its_groups(desk: OpenIdDesk) -> None:
    """The account is made with its user entity; a group without a role here gives none."""
    desk.provider.person(groups=["artists", "admin", "smokers"])
    anna = desk.person()
    answer = anna.signs_on("explorer/Task/7?view=board")
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"] == "/explorer/Task/7?view=board"
    about = anna.page().json()
    assert (about["account"], about["administrator"], about["roles"]) == ("anna", False, ["guest", "user"])
    assert (about["user"]["first_name"], about["user"]["email"]) == ("Anna", "anna@example.org")
