"""The power is cut while the store commits: what it acknowledged is on the disk that is found afterwards.

The real store runs, with its own pragmas and statements, on the disk of ``power_disk.py``. At random operations
of that disk, a disk is kept as a cut at this very moment may leave it, with what had been acknowledged by then.
Each is opened and looked through; the store lives on from the last one.
"""

from __future__ import annotations

from random import Random

import apsw
from attrs import define, field

from callsheet.errors import CallsheetError
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity, new_key
from callsheet.server.service import Service

from .ledger import DOCUMENT, pieces
from .outcome import Outcome, Scale
from .power_disk import Disk, opened, running_on
from .workplace import temporary_folder

COMMITS = 40
CUTS = 10
WORKER = Identity("Worker", "w")
NORMAL = {"PRAGMA synchronous=FULL": "PRAGMA synchronous=NORMAL"}


@define
class Cuts:
    """What was found after cuts."""

    count: int = 0
    commits: int = 0
    lost: int = 0
    doubled: int = 0
    partial: int = 0
    broken: list[str] = field(factory=list)
    syncs: int = 0


@define
class Image:
    """The files as found, with what had been acknowledged when the power went."""

    files: dict[str, bytes]
    acknowledged: frozenset[int]


def prove(scale: Scale, seed: int) -> Outcome:
    """300 cuts; deep 5,000."""
    size = scale.choose(100, 300, 5_000)
    cuts = _run(size, seed, {})
    outcome = Outcome("power cut under the store", f"{size:,} cuts, {cuts.commits:,} commits", cuts.count)
    outcome.lost, outcome.doubled, outcome.partial = cuts.lost, cuts.doubled, cuts.partial
    outcome.problems += cuts.broken
    if cuts.syncs < cuts.commits:
        outcome.problems.append(f"{cuts.syncs} syncs for {cuts.commits} commits: this disk is not what is written to")
    control = _run(60, seed, NORMAL)
    outcome.control, outcome.caught = "synchronous=NORMAL loses", control.lost
    return outcome


def _run(size: int, seed: int, replaced: dict[str, str]) -> Cuts:
    random, cuts = Random(seed), Cuts()
    with temporary_folder() as folder:
        path = f"{folder}/ledger.db"
        image, number = Image({}, frozenset()), 0
        while cuts.count < size:
            if random.random() < 0.1 or replaced:
                image = Image({}, frozenset())
            images = _life(image, path, number, random, replaced, cuts)
            number += COMMITS
            for found in images:
                _look(found, path, cuts)
            if images:
                # Whoever was not told may find his work done or not; from here on it counts as told.
                image = Image(images[-1].files, frozenset(_works(images[-1].files, path, cuts)))
    return cuts


def _life(image: Image, path: str, first: int, random: Random, replaced: dict[str, str], cuts: Cuts) -> list[Image]:
    """Commit on a disk, and cut the power now and then on the side."""
    disk, images = Disk(image.files), []
    acknowledged = set(image.acknowledged)
    chance = CUTS / (COMMITS * 20)

    def maybe_cut() -> None:
        if random.random() < chance:
            images.append(Image(disk.after_cut(random), frozenset(acknowledged)))

    try:
        with running_on(disk, path, replaced, checkpoint=random.choice((30, 200, 1_000))):
            disk.before = maybe_cut
            with Service.open(f"sqlite:///{path}", DOCUMENT, "an admin key of this test") as service:
                count = _count(service)
                for number in range(first, first + COMMITS):
                    service.commit(_work(number, count), "anna")
                    acknowledged.add(number)
                    count += 1
    except (apsw.Error, CallsheetError) as error:
        cuts.broken.append(f"after a cut the store does not open: {type(error).__name__}: {error}")
    finally:
        disk.discard()
    cuts.commits += COMMITS
    cuts.syncs += disk.syncs
    return images


def _count(service: Service) -> int:
    with service.store.reading() as connection:
        found = connection.exec_driver_sql("SELECT count FROM Worker").scalar()
    if found is None:
        service.commit(ChangeSet(new_key(), (Create(WORKER, {"name": "w", "count": 0}),)), "anna")
        return 0
    return int(found)


def _work(number: int, count: int) -> ChangeSet:
    made = [
        Create(Identity("Piece", new_key()), {"work": number, "place": place, "worker": WORKER})
        for place in range(pieces(number))
    ]
    return ChangeSet(new_key(), (*made, Update(WORKER, {"count": count + 1}, {"count": count})))


def _look(image: Image, path: str, cuts: Cuts) -> None:
    cuts.count += 1
    works = _works(image.files, path, cuts)
    cuts.lost += len(image.acknowledged - set(works))
    cuts.doubled += sum(count > pieces(number) for number, count in works.items())
    cuts.partial += sum(count < pieces(number) for number, count in works.items())


def _works(files: dict[str, bytes], path: str, cuts: Cuts) -> dict[int, int]:
    """The entities of each work on a disk, of which a copy is read; a damaged disk is noted."""
    disk = Disk(files)
    try:
        connection = opened(disk, path)
        try:
            if (said := connection.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
                cuts.broken.append(f"damaged: {said[:2]}")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'Piece'").fetchall():
                return {}
            works = connection.execute("SELECT work, count(*) FROM Piece GROUP BY work").fetchall()
            counted = connection.execute("SELECT coalesce(sum(count), 0) FROM Worker").fetchall()[0][0]
            if counted != len(works):
                cuts.broken.append(f"the worker counts {counted} works, there are {len(works)}")
            return {int(number): int(count) for number, count in works}
        finally:
            connection.close()
    except apsw.Error as error:
        cuts.broken.append(f"unreadable: {error}")
        return {}
    finally:
        disk.discard()
