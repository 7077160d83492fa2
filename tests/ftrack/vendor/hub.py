"""The vendor's event hub, told what to do line by line: a JSON list in, a JSON table out. Runs in its environment."""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
import warnings
from typing import Any

warnings.simplefilter("ignore")

import ftrack_api.event.base  # noqa: E402
import ftrack_api.event.hub  # noqa: E402


class Told:
    """A connected hub and what it heard."""

    def __init__(self, url: str, user: str, key: str) -> None:
        self.hub = ftrack_api.event.hub.EventHub(url, user, key)
        self.hub._auto_reconnect_delay = 0.5
        self.hub.connect()
        self.heard: list[Any] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            self.hub.wait(0.2)

    def _settle(self) -> None:
        answered = threading.Event()
        event = ftrack_api.event.base.Event("checks.settled")
        self.hub._prepare_event(event)
        self.hub._emit_event_packet("ftrack.event", event, lambda *_: answered.set())
        assert answered.wait(20)

    def subscribe(self, expression: str, answer: Any = None) -> None:
        def note(event: Any) -> Any:
            self.heard.append({name: event[name] for name in ("id", "topic", "data", "source")})
            return answer

        self.hub.subscribe(expression, note)
        self._settle()

    def events(self) -> list[Any]:
        return list(self.heard)

    def connected(self) -> bool:
        return bool(self.hub.connected)

    def publish(self, topic: str, data: Any, target: str = "") -> None:
        event = ftrack_api.event.base.Event(topic, data=data, target=target)
        self.hub.publish(event, on_error="ignore")

    def publish_and_wait(self, topic: str, data: Any, target: str) -> list[Any]:
        replies: list[Any] = []
        event = ftrack_api.event.base.Event(topic, data=data, target=target)
        self.hub.publish(event, on_reply=lambda reply: replies.append({"data": reply["data"]}))
        end = time.time() + 20
        while not replies and time.time() < end:
            time.sleep(0.02)
        return replies


def main(url: str, user: str, key: str) -> None:
    told = Told(url, user, key)
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        try:
            print(json.dumps({"result": getattr(told, verb)(*arguments)}), flush=True)
        except Exception:
            print(json.dumps({"error": traceback.format_exc()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
