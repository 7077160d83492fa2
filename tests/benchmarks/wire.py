"""The peer and Callsheet on the real wire: the same scripts against one `callsheet serve` in the vendor's dialect.

``python -m tests.benchmarks.wire`` from the root of the repository prints the table: CPU time of each client, and of
the server for each, apart. ``--schemas`` names a list of schemas, such as a real site gave (without it, that of
`tests/ftrack/studio.toml`); ``--rounds`` says how often each script is run. Linux only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.ftrack.studio_schema import studio_list

from callsheet.dialects.ftrack.server.seed.studio import studio_operations
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity, new_key
from callsheet.server.process import Server, serve
from callsheet.server.service import Service

from .processes import Client, peer_python
from .table import Line, fact, shown

KEY = "the key of this benchmark"
TASKS = 2_000
SCRIPTS = {
    "query": ("query of 1,000 tasks, 12 attributes, 2 references", 1_000),
    "create": ("create 500 tasks and commit", 500),
    "update": ("update 3 attributes of 500 tasks and commit", 500),
}


@contextmanager
def schema_file(named: Path | None) -> Iterator[Path]:
    """The file with the list of schemas: the one that was named, or the tests' own."""
    if named is not None:
        yield named
        return
    with TemporaryDirectory(prefix="callsheet-benchmark-") as folder:
        path = Path(folder) / "query_schemas.json"
        path.write_text(json.dumps(studio_list()), encoding="utf-8")
        yield path


@contextmanager
def studio(named: Path | None) -> Iterator[Server]:
    """A served studio with some thousand tasks."""
    with schema_file(named) as schemas, TemporaryDirectory(prefix="callsheet-benchmark-") as folder:
        url = f"sqlite:///{Path(folder).as_posix()}/studio.db"
        with Service.open(url, schemas, KEY) as service:
            fill(service)
        with serve(schemas, url) as server:
            yield server


def fill(service: Service) -> None:
    """The vendor's standard studio, and tasks."""
    for number, operations in enumerate(studio_operations(service.store.schema)):
        service.commit(ChangeSet(f"studio-{number}", operations), "admin")
    service.commit(ChangeSet("tasks", tuple(_tasks(service))), "admin")


def _tasks(service: Service) -> Iterator[Create]:
    """Tasks below the first shot, all of one status and type."""
    first = {}
    with service.store.reading() as connection:
        for name in ("Shot", "Status", "Type", "Priority"):
            table = service.store.tables[service.store.schema.types[name].root]
            found = connection.execute(table.select().where(table.c._type == name).order_by(table.c.id)).first()
            assert found is not None, f"the studio has no {name}"
            first[name] = Identity(name, found.id)
    for number in range(TASKS):
        values = {"name": f"task {number:05}", "bid": float(number), "parent": first["Shot"], "status": first["Status"]}
        yield Create(Identity("Task", new_key()), {**values, "type": first["Type"], "priority": first["Priority"]})


def lines(server: Server, rounds: int) -> Iterator[Line]:
    """For each script: both clients' costs, and the server's for each."""
    arguments = (server.url, KEY, str(server.process_id))
    with (
        closing(Client("wire_client", sys.executable, "ours", *arguments)) as ours,
        closing(Client("wire_client", peer_python(), "peer", *arguments)) as peer,
    ):
        for name, (title, count) in SCRIPTS.items():
            both = [client.do(name, count=count, rounds=rounds) for client in (ours, peer)]
            assert all(found["results"] == count for found in both), both
            for side in ("client", "server"):
                mine, theirs = (found[side] for found in both)
                told = f"{mine:.1f} ms, peer {theirs:,.0f} ms ({theirs / max(mine, 0.1):.1f} times)"
                yield fact(f"{title}: the {side}'s CPU", told)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.wire", description=__doc__)
    parser.add_argument("--schemas", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    with studio(arguments.schemas) as server:
        print(shown(list(lines(server, arguments.rounds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
