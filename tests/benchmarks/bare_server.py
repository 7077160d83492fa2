"""The least that a commit over HTTP can be: uvicorn, Starlette, and one INSERT that is on disk before it is answered.

    python bare_server.py sqlite FILE | postgres URL

Nobody is asked who calls, nothing is checked, nothing is read and no row of an entity is changed. There is one thread,
so that no commit waits for another thread, and none shares a flush of the disk with another commit.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import sys
from collections.abc import Callable

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TABLE = "CREATE TABLE bare_log (commit_id VARCHAR(255) PRIMARY KEY, operations TEXT)"


def sqlite_writer(path: str) -> Callable[[str, str], object]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {TABLE}")
    return lambda key, told: connection.execute("INSERT INTO bare_log VALUES (?, ?)", (key, told))


def postgres_writer(url: str) -> Callable[[str, str], object]:
    connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    connection.execute(TABLE)
    return lambda key, told: connection.execute("INSERT INTO bare_log VALUES (%s, %s)", (key, told))


def main(kind: str, place: str) -> None:
    write = {"sqlite": sqlite_writer, "postgres": postgres_writer}[kind](place)

    async def commit(request: Request) -> Response:
        told = json.loads(await request.body())
        write(request.path_params["commit"], json.dumps(told["operations"]))
        return JSONResponse({"commit_id": request.path_params["commit"]})

    application = Starlette(routes=[Route("/v1/commits/{commit}", commit, methods=["POST"])])
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    print(json.dumps({"url": url, "process": os.getpid()}), flush=True)
    uvicorn.Server(uvicorn.Config(application, access_log=False, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
