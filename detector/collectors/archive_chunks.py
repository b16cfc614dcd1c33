"""An archive file as numbered chunks of whole lines, the same whoever cuts it and however it is stored.

A chunk ends at the first line end at or behind a megabyte (in CSV: at one that no quotes enclose), so that several
workers can read one file and each take its own chunks: chunk `n` is the same for all of them. A compressed file has to
be inflated from its beginning by each; at a gigabyte a second that is cheap beside what is done with the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.collectors.archive_files import MAX_LINE, Progress, blocks

CHUNK = 1 << 20

Fault = Callable[[str, str, int], None]
"""Told the kind of a fault, why, and the line it is at."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive lines of a file.

    Attributes:
        number: 0, 1, 2 ... in the order of the file.
        first_line: number of its first line, from 1.
        data: the lines as bytes, each with its end (the very last may lack it); of Parquet a batch of rows.
    """

    number: int
    first_line: int
    data: Any


def chunks(
    path: Path, fault: Fault, progress: Progress | None = None, *, quoted: bool = False, size: int = CHUNK
) -> Iterator[Chunk]:
    """The chunks of a file in order.

    Args:
        fault: told of damage and over-long lines; what can be read is read.
        quoted: fields in double quotes may hold line ends (CSV).
        size: bytes of a chunk; readers that share a file must agree on it.
    """
    cutter = _Cutter(fault, quoted=quoted, size=size)

    def trouble(kind: str, why: str) -> None:
        fault(kind, why, cutter.line)

    for block in blocks(path, trouble, progress):
        yield from cutter.take(block)
    yield from cutter.rest()


def cut(stream: Iterable[bytes], *, quoted: bool = False, size: int = CHUNK) -> list[Chunk]:
    """The chunks of bytes that come in pieces.

    >>> [chunk.data for chunk in cut([b"a\\nbb", b"\\ncc\\nd"], size=3)]
    [b'a\\nbb\\n', b'cc\\n', b'd']
    """
    cutter = _Cutter(_ignore, quoted=quoted, size=size)
    found = [chunk for block in stream for chunk in cutter.take(block)]
    return [*found, *cutter.rest()]


def _ignore(_kind: str, _why: str, _line: int) -> None:
    """For bytes whose faults nobody asks for."""


class _Cutter:
    """Holds what is not yet a whole chunk, at most a chunk and the longest line."""

    def __init__(self, fault: Fault, *, quoted: bool, size: int) -> None:
        self.line = 1
        self._fault, self._quoted, self._size = fault, quoted, size
        self._held = bytearray()
        self._looked = 0  # nothing ends before here
        self._number = 0
        self._dropping = False

    def take(self, block: bytes) -> Iterator[Chunk]:
        if self._dropping:
            end = block.find(b"\n") + 1
            if not end:
                return
            self._dropping = False
            self.line += 1
            block = block[end:]
        self._held += block
        while (end := self._end()) > 0:
            yield self._chunk(end)
        if len(self._held) > self._size + MAX_LINE:
            whole = self._held.rfind(b"\n") + 1
            if whole:
                yield self._chunk(whole)
            self._fault("line too long", f"more than {MAX_LINE:,} bytes", self.line)
            self._held.clear()
            self._looked, self._dropping = 0, True

    def rest(self) -> Iterator[Chunk]:
        if self._held:
            yield self._chunk(len(self._held))

    def _chunk(self, end: int) -> Chunk:
        data = bytes(self._held[:end])
        del self._held[:end]
        made = Chunk(self._number, self.line, data)
        self._number += 1
        self._looked = 0
        self.line += data.count(b"\n")
        return made

    def _end(self) -> int:
        """Behind the line end at which a chunk is complete; 0 if it is not there yet."""
        at = max(self._looked, self._size - 1)
        while (found := self._held.find(b"\n", at)) >= 0:
            if not self._quoted or self._held.count(b'"', 0, found) % 2 == 0:
                return found + 1
            at = found + 1
        self._looked = len(self._held)
        return 0
