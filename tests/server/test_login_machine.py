"""Logins against a model: whatever is done in whatever order, a token is accepted exactly while its login is valid."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from login_desk import QUICK, Clock

from callsheet.dialects.routes import Credentials
from callsheet.errors import Unauthorised
from callsheet.server.limits import limits_of
from callsheet.server.service import Service
from strategies import EXAMPLES

PASSWORD = "a long walk home"
NAMES = ("anna", "ben")
ACCESS, IDLE, MOST = timedelta(minutes=15), timedelta(days=30), timedelta(days=90)


@define
class Family:
    """A login as the model has it: its tokens in order, the newest last, and the request that made each."""

    account: str
    expires: datetime
    refreshed: datetime
    tokens: list[Any] = field(factory=list)
    requests: list[str] = field(factory=list)
    alive: bool = True


class LoginMachine(RuleBasedStateMachine):
    """People who log in, refresh, lose replies, are robbed, log out, and are locked out."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.service = Service.open(
            "memory:", {"types": {"Dot": {}}}, clock=self.clock, limits=limits_of(QUICK), administrator=False
        )
        self.logins = self.service.logins
        self.families: list[Family] = []
        self.enabled = dict.fromkeys(NAMES, True)
        self.count = 0
        self.service.accounts.add("admin", "admin")
        for name in NAMES:
            self.service.accounts.add(name)
            self.logins.set_password(name, PASSWORD)

    def teardown(self) -> None:
        self.service.close()

    def alive(self, family: Family) -> bool:
        return family.alive and self.clock.now < family.expires

    def refresh(self, family: Family, at: int, request: str) -> Any:
        """The answer to one of the family's tokens; None if it is refused."""
        try:
            return self.logins.refresh(family.tokens[at].refresh_token, request)
        except Unauthorised:
            return None

    def refreshable(self, family: Family) -> bool:
        """Whether its row would be looked at: if its time is over, that ends it."""
        return family.alive and self.enabled[family.account]

    def in_time(self, family: Family) -> bool:
        return self.clock.now < min(family.expires, family.refreshed + IDLE)

    @rule(name=st.sampled_from(NAMES))
    def log_in(self, name: str) -> None:
        try:
            issued = self.logins.login(name, PASSWORD)
        except Unauthorised:
            assert not self.enabled[name]
            return
        assert self.enabled[name]
        now = self.clock.now
        self.families.append(Family(name, now + MOST, now, [issued], [""]))

    @precondition(lambda self: self.families)
    @rule(data=st.data(), lost=st.booleans())
    def use_the_newest(self, data: Any, lost: bool) -> None:
        """A reply that is lost is requested again at once, by the same name."""
        family = data.draw(st.sampled_from(self.families))
        self.count += 1
        request = f"r{self.count}"
        issued = self.refresh(family, -1, request)
        works = self.refreshable(family) and self.in_time(family)
        assert (issued is not None) == works
        if self.refreshable(family) and not works:
            family.alive = False
        if issued is not None:
            if lost:
                assert self.refresh(family, -1, request).refresh_token == issued.refresh_token
            family.tokens.append(issued)
            family.requests.append(request)
            family.refreshed = self.clock.now

    @precondition(lambda self: any(len(family.tokens) > 1 for family in self.families))
    @rule(data=st.data(), same=st.booleans())
    def use_an_old_one(self, data: Any, same: bool) -> None:
        """By the request that used it first, or another one."""
        family = data.draw(st.sampled_from([each for each in self.families if len(each.tokens) > 1]))
        at = data.draw(st.integers(0, len(family.tokens) - 2))
        issued = self.refresh(family, at, family.requests[at + 1] if same else "a thief's")
        if not self.refreshable(family):
            assert issued is None
            return
        last = at == len(family.tokens) - 2
        if self.in_time(family) and same and last and self.clock.now < family.refreshed + ACCESS:
            assert issued.refresh_token == family.tokens[-1].refresh_token
            assert issued.access_token == family.tokens[-1].access_token
        else:
            assert issued is None
            family.alive = False

    @precondition(lambda self: self.families)
    @rule(data=st.data())
    def log_out(self, data: Any) -> None:
        family = data.draw(st.sampled_from(self.families))
        self.logins.forget(data.draw(st.sampled_from(family.tokens)).refresh_token, False)
        family.alive = False

    @rule(name=st.sampled_from(NAMES), by=st.sampled_from(["sign out", "password", "everywhere"]))
    def end_all(self, name: str, by: str) -> None:
        if by == "sign out":
            self.logins.sign_out(name)
        elif by == "password":
            self.logins.set_password(name, PASSWORD)
        else:
            self.logins.logout(name, "", everywhere=True)
        for family in self.families:
            family.alive = family.alive and family.account != name

    @rule(name=st.sampled_from(NAMES))
    def lock(self, name: str) -> None:
        self.service.accounts.disable(name)
        self.enabled[name] = False

    @rule(name=st.sampled_from(NAMES))
    def unlock(self, name: str) -> None:
        self.service.accounts.enable(name)
        self.enabled[name] = True

    @rule(by=st.sampled_from([60, 900, 3_600, 86_400, 20 * 86_400]))
    def wait(self, by: int) -> None:
        self.clock.move(seconds=by)

    @invariant()
    def tokens_are_accepted_while_they_are_valid(self) -> None:
        for family in self.families:
            for at, issued in enumerate(family.tokens[-2:], max(0, len(family.tokens) - 2)):
                fresh = at == len(family.tokens) - 1 and self.clock.now < family.refreshed + ACCESS
                accepted = self.accepts(issued.access_token)
                if at == len(family.tokens) - 1:
                    assert accepted == (fresh and self.alive(family) and self.enabled[family.account])
                elif accepted:
                    assert self.alive(family)
                    assert self.enabled[family.account]

    def accepts(self, token: str) -> bool:
        try:
            found = self.logins.provider.authenticate(Credentials(None, token, "bearer"))
        except Unauthorised:
            return False
        assert found is not None
        return True


TestLogins = LoginMachine.TestCase
TestLogins.settings = settings(max_examples=12 * EXAMPLES, stateful_step_count=25)
