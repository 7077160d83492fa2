"""Kitsu's events as a doorbell: they say that something happened in a project, and a sync then reads what it was.

Theory. Kitsu sends events over Socket.IO (protocol 5, the messages of Engine.IO 4), in the namespace ``/events``, to
every account, of every project, with ids and no values, and never again what was missed. So an event is only a reason
to look: a ring that is missed costs nothing but time, since the sync looks now and then anyway. While there is no
connection the bell says so by being silent, and it connects again at its next wait; each new connection rings, because
events may have been missed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from json import dumps, loads
from typing import Any
from urllib.parse import urlsplit

from callsheet.errors import UsageError

__all__ = ["KitsuDoorbell"]

NAMESPACE = "/events"
WAIT = 5.0
"""Seconds between two attempts to connect, and the longest one may take."""


class KitsuDoorbell:
    """Waits for events of one project; ``url`` is where Kitsu sends them (behind its proxy: Kitsu's own address).

    ``account`` gives a token and ``run`` runs its flows, as `KitsuSide.run` does.
    """

    def __init__(self, url: str, account: Any, project: str, run: Any) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.netloc:
            raise UsageError(f"Kitsu's events come from an address like https://kitsu.example.org, not {url!r:.80}")
        scheme = "wss" if address.scheme == "https" else "ws"
        self._url = f"{scheme}://{address.netloc}/socket.io/?EIO=4&transport=websocket"
        self._account, self.project, self._run = account, project, run
        self._socket: Any = None
        self._open = ExitStack()
        self._tried = float("-inf")

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as it is known."""
        return self._socket is not None

    def wait(self, seconds: float) -> bool:
        """Wait until it rings, at most so long; whether it rang."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._socket is None:
                if self._connect(left):
                    return True
                continue
            try:
                message = self._socket.recv(timeout=left)
            except TimeoutError:
                return False
            except Exception:
                # However a connection ends, the next one rings.
                self.close()
                continue
            if self._is_ours(message):
                return True
        return False

    def _connect(self, left: float) -> bool:
        """Try to connect, not too often; whether there is a connection now."""
        pause = self._tried + WAIT - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, left))
            return False
        self._tried = time.monotonic()
        try:
            from websockets.sync.client import connect
        except ImportError:
            raise UsageError("Kitsu's events need the extra: pip install 'callsheet[events]'") from None
        try:
            token = self._run(self._account.token())
            opening = connect(self._url, open_timeout=WAIT, close_timeout=1, max_size=2**20)
            self._socket = self._open.enter_context(opening)
            self._expect("0")
            self._socket.send(f"40{NAMESPACE},{dumps({'token': token})}")
            self._expect(f"40{NAMESPACE}")
        except Exception:
            # Kitsu, its token or the way to it: whichever it is, the sync itself will say it.
            self.close()
            return False
        return True

    def _expect(self, start: str) -> None:
        until = time.monotonic() + WAIT
        while not str(message := self._socket.recv(timeout=max(0.0, until - time.monotonic()))).startswith(start):
            if message == "2":
                self._socket.send("3")
            elif str(message).startswith("44"):
                raise ConnectionError(f"Kitsu's events are refused: {message!r:.80}")

    def _is_ours(self, message: Any) -> bool:
        """Whether a message is an event of the project, or of none in particular (people, types, statuses)."""
        if message == "2":
            # The server looks whether somebody is there.
            self._socket.send("3")
            return False
        if not isinstance(message, str) or not message.startswith(f"42{NAMESPACE},"):
            return False
        try:
            _, data = loads(message.partition(",")[2])
        except ValueError:
            return True
        project = data.get("project_id") if isinstance(data, dict) else None
        return project in (None, "", self.project)

    def close(self) -> None:
        """Close the connection."""
        self._socket = None
        with suppress(Exception):
            self._open.close()
