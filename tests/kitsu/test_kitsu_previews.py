"""Preview files travel between versions and a real Kitsu server, each once, whatever is cut short in between."""

from __future__ import annotations

import hashlib
import io
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from kitsu_sync.account import KitsuAccount
from kitsu_sync.files import LocationStream
from kitsu_sync.previews import KitsuPreviews, PreviewResult
from kitsu_sync.reading import CARRIED
from kitsu_sync.side import KitsuSide
from test_kitsu_side import new_manager

import kitsu
from callsheet import Session
from callsheet.storage.disk import DiskAccessor

pytestmark = pytest.mark.proof


def picture(colour: int, side: int = 4) -> bytes:
    """A small PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([colour, 20, 30]) * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Review:
    """A project of the same name on both servers with one task, paired by a sync; files are kept in ``disk``."""

    def __init__(self, folder: Path, side: KitsuSide, name: str) -> None:
        self.folder, self.side, self.name = folder, side, name
        self.open(seed=True)
        project = self.session.create("Project", {"name": name})
        shot = self.session.create("Shot", {"name": "sh010", "parent": project})
        kind = self.session.query('Type where name is "Animation"').one()
        status = self.session.query('Status where name is "Not started"').one()
        values = {"name": "Animation", "parent": shot, "type": kind, "status": status}
        task = self.session.create("Task", values)
        asset = self.session.create("Asset", {"name": "anim", "parent": shot})
        self.session.commit()
        self.task, self.asset = str(task.id), str(asset.id)
        kitsu.kitsu_sync(self.session, name, side).plan().apply()
        (row,) = side.run(side.read("Task", ["name"]))
        self.their_task = row.id

    def open(self, seed: bool = False) -> None:
        self.session = Session(f"sqlite:///{self.folder / 'show.db'}", seed=seed)
        self.session.open()
        self.session.locations.add("disk", accessor=DiskAccessor(self.folder / "disk"), priority=10)

    def previews(self, **options: Any) -> KitsuPreviews:
        return kitsu.kitsu_previews(self.session, self.name, self.side, **options)

    def run(self, **options: Any) -> PreviewResult:
        """One run."""
        previews = self.previews(**options)
        try:
            return previews.apply(previews.plan())
        finally:
            previews.close()

    def publish(self, name: str, data: bytes, **values: Any) -> Any:
        """A new version of ours with a file."""
        file = self.folder / name
        file.write_bytes(data)
        own = {"asset": self.session.get("Asset", self.asset), "task": self.session.get("Task", self.task)}
        version = self.session.create("AssetVersion", {**own, **values})
        return self.session.create_component(file, {"version": version, "name": file.stem}, location="disk")

    def theirs(self) -> list[tuple[int, str, str, str]]:
        """Revision, name, ending and status of Kitsu's previews."""
        rows = self.rows()
        return sorted((r["revision"], r["original_name"], r["extension"], r["status"]) for r in rows)

    def rows(self) -> list[dict[str, Any]]:
        return self.side.run(self.side.account.rows("/data/preview-files", project_id=self.side.project))

    def ours(self) -> list[tuple[int, str, str, int]]:
        """Version, name, ending and size of our components."""
        with self.session.fork() as session:
            found = session.query("select name, file_type, size, version.version from FileComponent")
            return sorted((c["version"]["version"], c["name"], c["file_type"], c["size"]) for c in found)

    def kept(self) -> list[Path]:
        """The files in the location."""
        disk = self.folder / "disk"
        return [each for each in disk.rglob("*") if each.is_file() and ".callsheet" not in each.parts]

    def draw(self, name: str, data: bytes, revision: int = 0) -> str:
        """Somebody uploads a preview in Kitsu, with a comment; gives its id."""
        preview = self.begin(revision)
        self.upload(preview, name, data)
        return preview

    def begin(self, revision: int = 0) -> str:
        run, account = self.side.run, self.side.account
        (task,) = run(account.rows("/data/tasks", id=[self.their_task]))
        text = {"task_status_id": task["task_status_id"], "comment": "have a look"}
        comment = run(account.post(f"/actions/tasks/{self.their_task}/comment", text))
        body = {"revision": revision} if revision else {}
        path = f"/actions/tasks/{self.their_task}/comments/{comment['id']}/add-preview"
        return str(run(account.post(path, body))["id"])

    def upload(self, preview: str, name: str, data: bytes) -> None:
        token = self.side.run(self.side.account.token())
        url = f"{self.side.url}/pictures/preview-files/{preview}"
        httpx.post(
            url, files={"file": (name, data)}, headers={"authorization": f"Bearer {token}"}, timeout=60
        ).raise_for_status()


@pytest.fixture
def review(kitsu_server: Mapping[str, str], account: KitsuAccount, tmp_path: Path) -> Iterator[Review]:
    name = f"show{uuid4().hex[:8]}"
    anywhere = KitsuSide(kitsu_server["KITSU_API"], account, "")
    anywhere.run(account.post("/data/projects", {"name": name}))
    anywhere.close()
    found = Review(tmp_path, KitsuSide.named(kitsu_server["KITSU_API"], account, name), name)
    yield found
    found.session.close()
    found.side.close()


class TestFilesOfVersionsArePreviews:
    def test_a_version_is_a_revision_and_travels_once(self, review: Review) -> None:
        """Its file is a preview of the revision of its number; a second run carries nothing."""
        review.publish("shot_a.png", picture(1), comment="first light")
        review.publish("ljus é.v2.PNG", picture(2))
        assert review.run() == PreviewResult(sent=2)
        assert review.theirs() == [(1, "shot_a", "png", "ready"), (2, "ljus é.v2", "png", "ready")]
        assert review.run() == PreviewResult()
        assert len(review.theirs()) == 2

    def test_the_comment_of_a_version_is_no_note(self, review: Review) -> None:
        """A preview hangs on a comment in Kitsu; the next sync does not bring it here as a note."""
        review.publish("shot_a.png", picture(1), comment="first light")
        review.run()
        comments = review.side.run(review.side.account.rows("/data/comments", object_id=review.their_task))
        assert [each["text"] for each in comments] == ["anim v001: first light"]
        plan = kitsu.kitsu_sync(review.session, review.name, review.side).plan(whole=True)
        assert plan.is_empty, str(plan)

    def test_files_of_one_version_are_one_revision(self, review: Review) -> None:
        """Several files are several previews of it; a scene is no preview, and a thumbnail only if it is alone."""
        first = review.publish("shot_a.png", picture(1))
        for name in ("shot_a_close.jpg", "small.png", "scene.blend"):
            (review.folder / name).write_bytes(picture(2))
            values = {"version": first["version"], "name": name.partition(".")[0]}
            made = review.session.create_component(review.folder / name, values, location="disk")
            if name == "small.png":
                first["version"]["thumbnail"] = made
                review.session.commit()
        # Kitsu reads the picture whatever its ending says, and keeps it as PNG.
        assert review.run() == PreviewResult(sent=2)
        assert review.theirs() == [(1, "shot_a", "png", "ready"), (1, "shot_a_close", "png", "ready")]
        assert review.run() == PreviewResult()

    def test_a_revision_that_is_taken_is_not_doubled(self, review: Review) -> None:
        """The version becomes the next free one, and what somebody drew comes here."""
        review.draw("sketch.png", picture(3), revision=1)
        review.publish("shot_a.png", picture(1))
        assert review.run() == PreviewResult(sent=1, fetched=1)
        assert review.theirs() == [(1, "sketch", "png", "ready"), (2, "shot_a", "png", "ready")]
        assert review.run() == PreviewResult()

    def test_files_that_are_on_both_sides_do_not_travel(self, review: Review) -> None:
        """Made by hand on both sides under one name and number, they are paired, and the plan shows it."""
        review.publish("shot_a.png", picture(1))
        review.draw("shot_a.png", picture(1), revision=1)
        assert str(review.previews().plan()) == "= anim v001 shot_a.png"
        assert review.run() == PreviewResult(paired=1)
        assert review.run() == PreviewResult()
        assert (len(review.theirs()), len(review.ours())) == (1, 1)

    def test_a_bad_file_does_not_stop_the_others(self, review: Review) -> None:
        """What Kitsu cannot read, or we cannot reach, is refused with the reason, and leaves no empty preview there."""
        review.publish("bad.png", b"this is no picture")
        lost = review.publish("lost.png", picture(1))
        Path(review.session.location("disk").get_filesystem_path(lost)).unlink()
        review.publish("good.png", picture(2))
        for _ in range(2):
            result = review.run()
            assert [each.split(":")[0] for each in result.refused] == ["anim v001 bad.png", "anim v002 lost.png"]
            assert "not a readable picture" in result.refused[0]
        assert review.theirs() == [(3, "good", "png", "ready")]

    def test_a_manager_sends_files_too(self, review: Review) -> None:
        """Such an account cannot choose the comment's id; its text finds it again."""
        administrator, review.side.account = review.side.account, new_manager(review.side)
        review.publish("shot_a.png", picture(1))
        result = review.run()
        assert result == PreviewResult(sent=1), result
        comments = review.side.run(administrator.rows("/data/comments", object_id=review.their_task))
        assert [(each["text"], each["data"]) for each in comments] == [("anim v001", CARRIED)]
        assert review.run() == PreviewResult()


class TestPreviewsAreVersions:
    def test_a_preview_is_a_version_with_its_file(self, review: Review) -> None:
        """Name, ending and content are Kitsu's; the task's product goes on counting; nothing is fetched twice."""
        review.publish("shot_a.png", picture(1))
        review.run()
        review.draw("notes on light.pdf", b"%PDF" + bytes(5_000))
        review.draw("sketch.png", picture(3))
        assert review.run() == PreviewResult(fetched=2)
        ours = review.ours()
        assert [each[:3] for each in ours] == [
            (1, "shot_a", ".png"),
            (2, "notes on light", ".pdf"),
            (3, "sketch", ".png"),
        ]
        assert ours[1][3] == 5_004
        component = review.session.query('FileComponent where name is "notes on light"').one()
        disk = review.session.location("disk")
        assert Path(disk.get_filesystem_path(component)).read_bytes() == b"%PDF" + bytes(5_000)
        assert component["version"]["asset"].id == review.asset
        assert component["version"]["task"].id == review.task
        assert review.run() == PreviewResult()
        assert review.ours() == ours

    def test_a_task_without_a_product_gets_one(self, review: Review) -> None:
        """It has the task's name, and files of one revision are one version; the server keeps them if nobody else."""
        first = review.draw("front.png", picture(1))
        (task,) = {row["task_id"] for row in review.rows()}
        (comment,) = review.side.run(review.side.account.rows("/data/comments", object_id=task))
        beside = f"/actions/tasks/{task}/comments/{comment['id']}/preview-files/{first}"
        second = review.side.run(review.side.account.post(beside, {}))["id"]
        review.upload(second, "side.png", picture(2))
        assert review.run(location="server") == PreviewResult(fetched=2)
        assert [each[:3] for each in review.ours()] == [(1, "front", ".png"), (1, "side", ".png")]
        with review.session.fork() as session:
            (version,) = session.query("AssetVersion")
            assert (version["asset"]["name"], version["metadata"]["kitsu_revision"]) == ("Animation", "1")
            (place,) = {each["location"]["name"] for each in session.query("ComponentLocation")}
            assert place.endswith("server")

    def test_a_preview_without_its_file_waits(self, review: Review) -> None:
        """Somebody is uploading: it is fetched when it is there."""
        preview = review.begin()
        assert review.run() == PreviewResult()
        review.upload(preview, "late.png", picture(1))
        assert review.run() == PreviewResult(fetched=1)


MOMENTS = ("before upload", "after upload", "after download")


class TestPreviewsCutShort:
    def test_a_run_that_is_killed_is_finished_by_the_next(
        self, review: Review, kitsu_server: Mapping[str, str]
    ) -> None:
        """Each file is there once, whenever the process is killed with SIGKILL."""
        for number, moment in enumerate(MOMENTS):
            review.publish(f"shot_{number}.png", picture(number))
            review.draw(f"sketch_{number}.png", picture(40 + number), revision=100 + number)
            assert killed_at(moment, review, kitsu_server) == -signal.SIGKILL
        review.run()
        assert review.run() == PreviewResult()
        names = [name for _, name, *_ in review.theirs()]
        assert names == [f"{kind}_{number}" for kind in ("shot", "sketch") for number in range(len(MOMENTS))]
        assert sorted(name for _, name, *_ in review.ours()) == names
        assert len(review.kept()) == len(names)

    def test_an_upload_that_breaks_off_is_sent_again(self, review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
        """The preview that waits for its file gets it, and there is no second one."""
        review.publish("shot_a.png", bytes(200_000))
        (step,) = review.previews().plan().steps
        real = LocationStream.read

        def breaks(stream: LocationStream, size: int = 2**20) -> bytes:
            if stream.tell():
                raise httpx.ReadError("the disk is gone")
            return real(stream, 1_000)

        with monkeypatch.context() as patch:
            patch.setattr(LocationStream, "read", breaks)
            assert "did not finish" in review.run().refused[0]
        assert [row["original_name"] for row in review.rows()] == [None]
        assert step.label == "anim v001 shot_a.png"
        assert "not a readable picture" in review.run().refused[0]


class TestPreviewsThatAreGone:
    def test_a_partner_stays_unless_it_may_go(self, review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is deleted on one side is not carried again; with the policy its partner goes, within the share."""
        mine = [review.publish(f"shot_{number}.png", picture(number)) for number in range(2)]
        review.draw("sketch.png", picture(40))
        assert review.run() == PreviewResult(sent=2, fetched=1)
        review.session.delete(mine[0]["version"])
        review.session.commit()
        assert review.run() == PreviewResult()
        (reason,) = review.run(delete="delete").refused
        assert reason.startswith("1 of 3 previews would go")
        monkeypatch.setattr("kitsu_sync.previews.MAX_ENDED", 0.5)
        assert review.run(delete="delete") == PreviewResult(ended=1)
        assert [each[1] for each in review.theirs()] == ["sketch", "shot_1"]
        (sketch,) = [row["id"] for row in review.rows() if row["original_name"] == "sketch"]
        review.side.run(review.side.account.delete(f"/data/preview-files/{sketch}", force=True))
        assert review.run() == PreviewResult()
        kept = len(review.kept())
        assert review.run(delete="delete") == PreviewResult(ended=1)
        assert [each[1] for each in review.ours()] == ["shot_1"]
        assert len(review.kept()) == kept - 1
        with review.session.fork() as session:
            assert session.query("AssetVersion").count() == 1


class TestFilesAreStreamed:
    def test_no_more_than_a_part_is_in_memory(self) -> None:
        """The request asks for parts of a file, says its size before, and its checksum is known at the end."""
        data, parts = bytes(range(256)) * 4_000, []
        source = io.BytesIO(data)
        stream = LocationStream(source.read, len(data))
        request = httpx.Request("POST", "http://127.0.0.1/", files={"file": ("a.png", stream)})
        for part in request.stream:
            parts.append(len(part))
        assert sum(parts) == int(request.headers["content-length"])
        assert max(parts) <= 2**16
        assert stream.checksum == hashlib.sha256(data).hexdigest()
        with pytest.raises(OSError, match="read once"):
            stream.seek(0)


class TestPreviewsOfTheCommand:
    def test_files_are_planned_and_carried(
        self, review: Review, kitsu_server: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``--previews`` shows them, and carries them with ``--apply``; without it there are none."""
        for name, value in kitsu_server.items():
            monkeypatch.setenv(name, value)
        review.publish("shot_a.png", picture(1))
        review.draw("sketch.png", picture(3), revision=5)
        assert "shot_a" not in kitsu.kitsu(review.session, review.name)
        text = kitsu.kitsu(review.session, review.name, previews=True)
        assert "> + anim v001 shot_a.png" in text
        assert "< + sketch.png (revision 5)" in text
        done = kitsu.kitsu(review.session, review.name, previews=True, apply=True, location="server")
        assert "previews: 1 sent, 1 fetched, 0 deleted, 0 paired, 0 refused" in done


def killed_at(moment: str, review: Review, kitsu_server: Mapping[str, str]) -> int:
    """The exit status of a run in a process that kills itself at this moment of a transfer."""
    when, name = moment.split()
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(kitsu.__file__).parent)!r})
import kitsu
from kitsu_sync.account import KitsuAccount
from kitsu_sync.files import KitsuFiles
from kitsu_sync.side import KitsuSide
from callsheet import Session
from callsheet.storage.disk import DiskAccessor

def dying(real):
    def call(*given):
        if {when!r} == "after":
            real(*given)
        os.kill(os.getpid(), signal.SIGKILL)
    return call

KitsuFiles.{name} = dying(KitsuFiles.{name})
account = KitsuAccount({kitsu_server["KITSU_LOGIN"]!r}, {kitsu_server["KITSU_PASSWORD"]!r})
with Session({f"sqlite:///{review.folder / 'show.db'}"!r}) as session:
    session.locations.add("disk", accessor=DiskAccessor({str(review.folder / "disk")!r}), priority=10)
    side = KitsuSide({review.side.url!r}, account, {review.side.project!r})
    previews = kitsu.kitsu_previews(session, {review.name!r}, side)
    previews.apply(previews.plan())
"""
    review.session.close()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    review.open()
    assert not done.stderr, done.stderr.decode()[-1000:]
    return done.returncode
