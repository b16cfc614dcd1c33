"""What the process writes to stderr: one event a line, for a person or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from typing import IO

from detector.domain import format_time, parse_time


class _Human(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.levelname = record.levelname.lower()
        return super().format(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = {
            "at": format_time(parse_time(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False)


def configure(level: str, form: str, stream: IO[str] | None = None) -> None:
    """Send our events to stderr (or `stream`); other libraries are heard from `warning` on.

    Args:
        form: `human` or `json`.
    """
    out = logging.StreamHandler(stream or sys.stderr)
    out.setFormatter(_Json() if form == "json" else _Human())
    logging.basicConfig(level=logging.WARNING, handlers=[out], force=True)
    logging.getLogger("detector").setLevel(level.upper())
