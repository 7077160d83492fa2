"""A process of its own that reads a SQLite file by ADBC, and writes what its statements give to its output, as Arrow.

It is run as a script, without the package, so that it starts in a few hundredths of a second. Its standard input is
JSON: the file, and the statements. All are read in one transaction, so they are of one moment. Each answer is a stream
of Arrow's IPC format, one after the other.

It is a process because the driver brings its own SQLite: two libraries that have one file open in one process break
each other's locks, as POSIX gives up all locks of a process when it closes any of its handles.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

BATCH = "65536"
"""Rows in one batch; the driver takes each column's type from the first one."""


def read(path: str, statements: list[str], output: Any) -> None:
    """Write the answers of all statements."""
    import adbc_driver_manager
    import adbc_driver_sqlite
    import nanoarrow
    from nanoarrow import ipc

    with (
        adbc_driver_sqlite.connect(path) as database,
        adbc_driver_manager.AdbcConnection(database) as connection,
    ):
        connection.set_autocommit(False)
        for text in statements:
            with adbc_driver_manager.AdbcStatement(connection) as statement:
                statement.set_options(**{"adbc.sqlite.query.batch_rows": BATCH})
                statement.set_sql_query(text)
                handle, _ = statement.execute_query()
                stream = nanoarrow.c_array_stream(handle)
                with ipc.StreamWriter.from_writable(output) as writer:
                    writer.write_stream(stream)
                stream.release()
            output.flush()
        connection.rollback()


def main() -> None:
    """Read what the standard input says."""
    asked = json.loads(sys.stdin.buffer.readline())
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as output:
        try:
            read(asked["path"], asked["statements"], output)
        except BrokenPipeError:
            # Nobody reads any more; Python would say so once more when it ends.
            os._exit(1)


if __name__ == "__main__":
    main()
