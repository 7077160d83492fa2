"""How a listener writes its log: lines to read, or JSON lines to collect, each with event and commit ids."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

__all__ = ["JsonLines", "set_up"]


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the facts of the record.

    >>> record = logging.LogRecord("callsheet", logging.INFO, "", 0, "done", None, None)
    >>> record.created, record.facts = 0.0, {"event_id": "e1"}
    >>> print(JsonLines().format(record))
    {"time": "1970-01-01T00:00:00+00:00", "level": "info", "logger": "callsheet", "message": "done", "event_id": "e1"}
    """

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str, ensure_ascii=False)


def set_up(level: str, as_json: bool) -> None:
    """Write the log to standard error."""
    line = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    writer = logging.StreamHandler()
    writer.setFormatter(JsonLines() if as_json else line)
    logging.basicConfig(level=level, handlers=[writer], force=True)
    # A line for each request would drown the rest.
    logging.getLogger("httpx").setLevel(logging.WARNING)
