"""JSON lines from plain, gzip or zstandard files, bad lines counted and never fatal."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from detector.errors import BadArchiveError

LONGEST_LINE = 16 * 1024 * 1024
KEPT_MESSAGES = 20


@dataclass(slots=True)
class BadLines:
    """What could not be read: all are counted, the first twenty described as `file:line: why`."""

    count: int = 0
    messages: list[str] = field(default_factory=list)

    def add(self, where: str, number: int, why: str) -> None:
        """Count one bad line."""
        self.count += 1
        if len(self.messages) < KEPT_MESSAGES:
            self.messages.append(f"{where}:{number}: {why}")


def objects(stream: IO[bytes], where: str, bad: BadLines) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's object with its number; blank lines are skipped, bad ones go to `bad`.

    >>> bad = BadLines()
    >>> list(objects(io.BytesIO(b'{"a": 1}\\n[2]\\n'), "x", bad)), bad.messages
    ([(1, {'a': 1})], ['x:2: not a JSON object'])
    """
    number = 0
    while True:
        try:
            line = stream.readline(LONGEST_LINE)
        except (OSError, EOFError) as error:
            bad.add(where, number + 1, f"the file breaks off here ({error})")
            return
        if not line:
            return
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST_LINE)
            bad.add(where, number, f"longer than {LONGEST_LINE} bytes")
            continue
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            bad.add(where, number, f"not JSON ({error})" if not isinstance(error, UnicodeDecodeError) else "not UTF-8")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            bad.add(where, number, "not a JSON object")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked by its suffix (.gz, .zst).

    Raises:
        BadArchiveError: there is no such file, it is a directory, or it may not be read.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise BadArchiveError(f"{path}: cannot be read ({error.strerror}); give a JSON lines file") from error
    with raw:
        if path.suffix == ".gz":
            with gzip.open(raw) as stream:
                yield io.BufferedReader(stream)
        elif path.suffix == ".zst":
            import zstandard

            with zstandard.ZstdDecompressor().stream_reader(raw) as stream:
                yield io.BufferedReader(stream)
        else:
            yield raw
