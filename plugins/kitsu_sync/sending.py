"""A file of a version becomes a preview in Kitsu: a comment for the version, a preview of it, and then the file.

Theory. Kitsu has no transactions, so each of the three is looked up before it is made. The comment has an id that
follows from the version (or, for an account that may not choose ids, a text that does); its previews say how far an
earlier run came: one that has a file of this name is it, one that has no file yet is used, and only then is one added.
Kitsu takes one file for a preview, so an upload whose answer was lost is not done twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid5

from attrs import define, field, frozen

from callsheet import Session
from callsheet.core.commit import send_alone
from callsheet.errors import FileMissing, Invalid
from callsheet.flow import Flow
from callsheet.model.record import Identity
from callsheet.storage.finding import identifiers, pick
from callsheet.sync.registry import ForeignLink, link_operation, links_by_foreign_id
from kitsu_sync.files import KitsuFiles, LocationStream, kept_ending
from kitsu_sync.reading import CARRIED
from kitsu_sync.side import KitsuSide

__all__ = ["NAMESPACE", "PREVIEW", "PreviewSender", "PreviewSource", "preview_link"]

PREVIEW = "PreviewFile"
"""What the registry calls Kitsu's type."""
NAMESPACE = UUID("5b0f7c52-3d0a-5a0e-9a57-0f4f6c3a9d11")


@frozen
class PreviewSource:
    """A file of ours: ids of component and version, the version's number, and Kitsu's id of its task.

    ``text`` is what the comment says, ``name`` and ``ending`` what the file is called.
    """

    id: str
    version: str
    number: int
    size: int
    task: str
    label: str
    text: str
    name: str
    ending: str
    component: Any = field(eq=False, repr=False)


def preview_link(system: str, preview: str, component: str, checksum: str | None) -> ForeignLink:
    """What the registry notes of a file that is on both sides; ``checksum`` is that of what travelled, if known."""
    return ForeignLink(system, PREVIEW, preview, Identity("FileComponent", component), {"checksum": checksum})


@define(eq=False)
class PreviewSender:
    """Sends files. ``theirs`` are the project's previews, which say what revisions there are."""

    session: Session
    side: KitsuSide
    files: KitsuFiles
    system: str
    theirs: Sequence[dict[str, Any]]
    #: Previews that turned out to be those of files here.
    recognised: set[str] = field(factory=set)

    def send(self, source: PreviewSource) -> None:
        """Make the file a preview, as far as it is none yet, and link the two."""
        comment, previews = self.side.run(self._look(source))
        taken = self._linked(row["id"] for row in previews)
        free = [row for row in previews if row["id"] not in taken]
        there = (source.name, kept_ending(source.ending))
        found = next((row for row in free if (row["original_name"], row["extension"]) == there), None)
        checksum = None
        if found is None:
            stream, reader = self._open(source)
            try:
                empty = next((row for row in free if not row["original_name"]), None)
                found = empty or self.side.run(self._add(source, comment, previews))
                self._upload(found["id"], source, stream)
            finally:
                reader.close()
            checksum = stream.checksum
        self.link(found["id"], source, checksum)

    def link(self, preview: str, source: PreviewSource, checksum: str | None = None) -> None:
        """Note that a preview is a file of ours."""
        self.recognised.add(preview)
        link = link_operation(preview_link(self.system, preview, source.id, checksum), None)
        assert link is not None
        self.session.run(send_alone(self.session, [link]))

    def _upload(self, preview: str, source: PreviewSource, stream: LocationStream) -> None:
        try:
            self.files.upload(preview, f"{source.name}{source.ending}", stream)
        except Invalid:
            # What Kitsu cannot read is not left there as a preview that waits for its file.
            self.side.run(self.side.account.delete(f"/data/preview-files/{preview}", force=True))
            raise

    def _open(self, source: PreviewSource) -> tuple[LocationStream, Any]:
        """The file, from the preferred location that has it. Raises `FileMissing` where none can be reached."""
        session, run = self.session, self.session.run
        (place,) = run(pick(session, [source.component]))
        if place is None:
            raise FileMissing("the file is in no location that this session can reach")
        run(session.locations.resolve(place))
        (identifier,) = run(identifiers(session, place, [source.component]))
        keeper = place.keeper(session)
        size = run(keeper.size(identifier))
        if size is None:
            raise FileMissing(f"{place.name} has no file {identifier}")
        reader = run(keeper.reader(identifier, size))
        return LocationStream(lambda count: run(reader.read(count)), size), reader

    def _linked(self, previews: Iterable[str]) -> set[str]:
        return set(self.session.run(links_by_foreign_id(self.session, self.system, PREVIEW, previews)))

    # -- Kitsu's comment and preview --------------------------------------------------------------------------

    def _look(self, source: PreviewSource) -> Flow[tuple[str, list[dict[str, Any]]]]:
        """The id of the version's comment (empty if there is none), and its previews."""
        account = self.side.account
        own, me = comment_id(source), (yield from account.id())
        comments = yield from account.rows(f"/data/tasks/{source.task}/comments")
        named = [each for each in comments if each["id"] == own]
        named += [each for each in comments if each["person_id"] == me and each["text"] == source.text]
        if not named:
            return "", []
        ids = [each["id"] for each in named[0]["previews"]]
        previews = (yield from account.rows("/data/preview-files", id=ids)) if ids else []
        return named[0]["id"], sorted(previews, key=lambda row: row["position"])

    def _comment(self, source: PreviewSource) -> Flow[str]:
        """The id of a new comment. It says what the task's status is, and so does not change it."""
        account = self.side.account
        tasks = yield from account.rows("/data/tasks", id=[source.task])
        if not tasks:
            raise Invalid("Kitsu has no such task any more")
        own, status = comment_id(source), tasks[0]["task_status_id"]
        row: dict[str, Any] = {"id": own, "object_id": source.task, "object_type": "Task", "text": source.text}
        row |= {"person_id": (yield from account.id()), "task_status_id": status, "data": CARRIED}
        if (yield from account.post("/import/kitsu/comments", [row | {"checklist": [], "acknowledgements": []}])):
            return own
        text = {"task_status_id": status, "comment": source.text}
        made = yield from account.post(f"/actions/tasks/{source.task}/comment", text)
        yield from account.put(f"/data/comments/{made['id']}", {"data": CARRIED})
        return str(made["id"])

    def _add(self, source: PreviewSource, comment: str, previews: Sequence[Any]) -> Flow[dict[str, Any]]:
        """A new preview of the comment; one that has others has their revision."""
        comment = comment or (yield from self._comment(source))
        body = {} if previews else {"revision": self._revision(source)}
        made: dict[str, Any] = yield from self.side.account.post(
            f"/actions/tasks/{source.task}/comments/{comment}/add-preview", body
        )
        self.theirs = [*self.theirs, made]
        return made

    def _revision(self, source: PreviewSource) -> int:
        """The version's number; the next free one where the task has that revision already."""
        taken = {row["revision"] for row in self.theirs if row["task_id"] == source.task}
        return source.number if source.number not in taken else max(taken) + 1


def comment_id(source: PreviewSource) -> str:
    """The id of a version's comment in Kitsu."""
    return str(uuid5(NAMESPACE, source.version))
