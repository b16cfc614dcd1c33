"""What the process writes to stderr: one event a line, for a person or as JSON."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import IO

from detector.domain import format_time, parse_time
from detector.errors import ConfigError

# Controls, ANSI's escape, C1, line separators, and what turns the direction of text: posts and servers write them.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def one_line(text: str) -> str:
    """Text as one line that shows what it holds and does nothing to a terminal.

    >>> print(one_line("down\\n12:00 error forged\\x1b[2J"))
    down\\n12:00 error forged\\x1b[2J
    """
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class _Human(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        told = logging.makeLogRecord({**record.__dict__, "levelname": record.levelname.lower()})
        told.msg, told.args = one_line(record.getMessage()), None
        return super().format(told)


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
        # JSON escapes the controls below the space by itself; the rest is dangerous to who reads the log as text.
        return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(event, ensure_ascii=False))


class _Private(WatchedFileHandler):
    """Follows its name: where a rotation moved the file away the next event begins a new one, ours alone to read."""

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(file, "a", encoding="utf-8")


def configure(level: str, form: str, stream: IO[str] | None = None, *, path: Path | None = None) -> None:
    """Send our events to stderr, to `stream`, or to a file that may be rotated; others are heard from `warning` on.

    Args:
        form: `human` or `json`.

    Raises:
        ConfigError: the file cannot be written.
    """
    out: logging.Handler = logging.StreamHandler(stream or sys.stderr)
    if path is not None:
        try:
            out = _Private(path)
        except OSError as error:
            raise ConfigError(
                f"logging.file: {path}: cannot be written ({error.strerror}); check the folder"
            ) from error
    out.setFormatter(_Json() if form == "json" else _Human())
    logging.basicConfig(level=logging.WARNING, handlers=[out], force=True)
    logging.getLogger("detector").setLevel(level.upper())
