"""Makes the fixtures of a released version, with its wheel: ``python tests/released/make.py 0.3.0``.

The wheel is expected at ``tests/released/VERSION/`` (``python -m pip wheel --no-deps -w tests/released/0.3.0 .`` on the
released commit). It is unpacked in front of the packages of the Python that runs this, so that the release's own code
writes everything, with the libraries of today. It needs a PostgreSQL server (CALLSHEET_TEST_POSTGRES) and ``pg_dump``.

What is made, beside the wheel:

    studio.sqlite.gz, studio.sql.gz     the database of ``story.py``, on SQLite and as PostgreSQL's plain dump
    expected.json, expected-postgresql.json    what the release reads in them
    files/                              files uploaded to it (for releases that have a wire for them)
    journal.sqlite, queues.sqlite       commits in doubt; durable handlers' queues
    conversation.json, events.json      requests and answers (``dialogue.py``), and what the client understood

Fixtures of a version are made once, and never again: they are what people have.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "server")]

from databases import postgres_database  # noqa: E402
from releases import Release  # noqa: E402
from sqlalchemy import make_url  # noqa: E402

STORY = Path(__file__).parent / "story.py"


def make(release: Release, work: Path) -> None:
    """All fixtures of a release."""
    environment = release.environment(work / "code")

    def run(*arguments: str | Path) -> None:
        subprocess.run([sys.executable, STORY, *arguments], env=environment, check=True)

    made = work / "made"
    made.mkdir()
    run("studio", made, f"sqlite:///{made / 'studio.sqlite'}")
    run("files", made)
    for name in ("studio", "journal", "queues"):
        settle(made / f"{name}.sqlite")
    talked = work / "talked"
    talked.mkdir()
    shutil.copy(made / "studio.sqlite", talked)
    if (made / "files").is_dir():
        shutil.copytree(made / "files", talked / "files")
    run("talk", talked, f"sqlite:///{talked / 'studio.sqlite'}")
    for path in talked.glob("*.json"):
        shutil.copy(path, made)
    with postgres_database() as url:
        other = work / "other"
        other.mkdir()
        run("studio", other, url)
        pack(made / "studio.sql", dump(url))
        shutil.copy(other / "expected.json", made / "expected-postgresql.json")
    pack(made / "studio.sqlite", (made / "studio.sqlite").read_bytes())
    (made / "studio.sqlite").unlink()
    for path in made.iterdir():
        target = release.folder / path.name
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        elif path.suffix != ".lock":
            shutil.copy(path, target)


def settle(path: Path) -> None:
    """One file, without those that SQLite keeps beside it."""
    if path.is_file():
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()


def dump(url: str) -> bytes:
    """The database as SQL statements, without psql's commands, so that any client can run them."""
    parts = make_url(url)
    command = ["pg_dump", "--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=100"]
    address = ["-h", parts.host or "", "-p", str(parts.port or 5432), "-U", parts.username or "", parts.database or ""]
    environment = {**os.environ, "PGPASSWORD": parts.password or ""}
    text = subprocess.run([*command, *address], env=environment, check=True, capture_output=True).stdout
    return b"\n".join(line for line in text.split(b"\n") if not line.startswith((b"\\", b"--")))


def pack(path: Path, content: bytes) -> None:
    Path(f"{path}.gz").write_bytes(gzip.compress(content, 9, mtime=0))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make(Release(sys.argv[1]), Path(folder))
