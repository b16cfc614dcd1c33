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
        fault(kind, why, cutter.reached)

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
    """Holds what is not yet a whole chunk, at most a chunk and the longest line: pieces that are joined once."""

    def __init__(self, fault: Fault, *, quoted: bool, size: int) -> None:
        self.line = 1
        self._fault, self._quoted, self._size = fault, quoted, size
        self._held: list[bytes] = []
        self._length = 0
        self._quotes = 0  # in all that is held
        self._number = 0
        self._dropping = False

    @property
    def reached(self) -> int:
        """Number of the line that the bytes so far end in."""
        return self.line + sum(piece.count(b"\n") for piece in self._held)

    def take(self, block: bytes) -> Iterator[Chunk]:
        if self._dropping:
            end = block.find(b"\n") + 1
            if not end:
                return
            self._dropping = False
            self.line += 1
            block = block[end:]
        while (end := self._end(block)) > 0:
            self._hold(block[:end])
            yield self._chunk()
            block = block[end:]
        self._hold(block)
        if self._length > self._size + MAX_LINE:
            data = b"".join(self._held)
            whole = data.rfind(b"\n") + 1
            self._forget()
            if whole:
                self._hold(data[:whole])
                yield self._chunk()
            self._fault("line too long", f"more than {MAX_LINE:,} bytes", self.line)
            self._dropping = True

    def rest(self) -> Iterator[Chunk]:
        if self._length:
            yield self._chunk()

    def _hold(self, block: bytes) -> None:
        if block:
            self._held.append(block)
            self._length += len(block)
            self._quotes += block.count(b'"') if self._quoted else 0

    def _forget(self) -> None:
        self._held, self._length, self._quotes = [], 0, 0

    def _chunk(self) -> Chunk:
        data = b"".join(self._held)
        made = Chunk(self._number, self.line, data)
        self._number += 1
        self._forget()
        self.line += data.count(b"\n")
        return made

    def _end(self, block: bytes) -> int:
        """Behind the line end of a block at which what is held becomes a chunk; 0 if it has none."""
        at = max(0, self._size - 1 - self._length)
        while (found := block.find(b"\n", at)) >= 0:
            if not self._quoted or (self._quotes + block.count(b'"', 0, found)) % 2 == 0:
                return found + 1
            at = found + 1
        return 0
