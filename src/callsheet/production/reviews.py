"""Review sessions: ordered versions, and the people who are invited to review them."""

from __future__ import annotations

from typing import Annotated, Any

from callsheet.core import calls, populating
from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.flow import Flow
from callsheet.model.record import NOT_SET
from callsheet.production.accounts import check_committed
from callsheet.production.queries import entities, is_

__all__ = ["Invited", "Reviewing", "add_version", "objects_of"]


class Reviewing:
    """The methods of review sessions."""

    __slots__ = ()
    session: Any

    def add_version(
        self, version: Any, name: str | None = None, description: str = ""
    ) -> Annotated[Any, Gives("ReviewSessionObject")]:
        """Add a version as the last object of this review; pending until the next commit.

        The default ``name`` is that of the version's asset.
        """
        return self.session.run(add_version(self.session, self, version, name, description))

    def get_objects(self) -> Annotated[Any, Gives("list[ReviewSessionObject]")]:
        """The objects of this review, in order, with their versions."""
        return self.session.run(objects_of(self.session, self))

    def invite(self, name: str, email: str) -> Annotated[Any, Gives("ReviewSessionInvitee", at_once=True)]:
        """Add an invitee; pending until the next commit. Then its ``send_invite()`` sends the mail."""
        return self.session.create("ReviewSessionInvitee", {"review_session": self, "name": name, "email": email})


class Invited:
    """The methods of invitees."""

    __slots__ = ()
    session: Any
    id: Any

    def send_invite(self) -> Any:
        """Send the invitation by mail, at once; the invitee must be committed."""
        check_committed(self)
        arguments = {"review_session_invitee_id": self.id}
        return self.session.run(calls.call(self.session, "send_review_session_invite", arguments))


def add_version(core: Core, review: Any, version: Any, name: str | None, description: str) -> Flow[Any]:
    """Add a version at the end of a review."""
    names = core.schema.types["ReviewSessionObject"].attributes
    place = _place(core)
    last = yield from objects_of(core, review)
    sort = max((each.peek(place) or 0 for each in last if each.peek(place) is not NOT_SET), default=-1) + 1
    data = {"review_session": review, "asset_version": version, "description": description, place: sort}
    if version._changes is None or not version._changes.born:
        yield from populating.populate(core, version, "version, asset.name")
    asset = version.peek("asset")
    data["name"] = name if name is not None else (asset.peek("name") if asset else "") or ""
    if "version" in names and names["version"].data_type == "string":
        data["version"] = str(version.peek("version") or "")
    return core.create("ReviewSessionObject", data)


def objects_of(core: Core, review: Any) -> Flow[list[Any]]:
    """The objects of a review, in order, pending ones included."""
    place, found = _place(core), []
    if review._changes is None or not review._changes.born:
        bring = f"name, {place}, asset_version, review_session"
        found = yield from entities(
            core, "ReviewSessionObject", is_("review_session.id", review.id), bring=bring, order=place
        )
    found += [
        each
        for each in core.created
        if each.entity_type == "ReviewSessionObject" and each.peek("review_session") is review
    ]
    alive = [each for each in dict.fromkeys(found) if core.unit.is_alive(each)]
    return sorted(alive, key=lambda each: each.peek(place) or 0)


def _place(core: Core) -> str:
    names = core.schema.types["ReviewSessionObject"].attributes
    return "sort_order" if "sort_order" in names else "sort"
