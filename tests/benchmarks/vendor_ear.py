"""The vendor's event hub, told to hear so many changes: prints when each came. Runs in the vendor's environment."""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

warnings.simplefilter("ignore")

import ftrack_api.event.hub  # noqa: E402


def main(url: str, user: str, key: str, count: int) -> None:
    came: dict[str, float] = {}
    hub = ftrack_api.event.hub.EventHub(url, user, key)
    hub.connect()

    def hear(event: Any) -> None:
        now = time.perf_counter()
        for entity in event["data"]["entities"]:
            came.setdefault(entity["entityId"], now)

    hub.subscribe("topic=ftrack.update", hear)
    hub.wait(0.5)
    print("ready", flush=True)
    while len(came) < count:
        hub.wait(0.05)
    print(json.dumps(came), flush=True)
    hub.disconnect()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
