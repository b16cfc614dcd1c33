"""Where the posts of a part wait to be judged and its rows to be written, a segment at a time."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from time import process_time
from zlib import crc32

import msgspec

from detector.backfill.engines import BackfillError, Segment
from detector.backfill.job import Job, Part
from detector.backfill.rows import Row, write_rows
from detector.collectors.archive_light import Tally
from detector.collectors.archive_reader import ArchiveReader
from detector.domain import Judgement, Post

HEEDED = 0.25
"""A judgement at least so likely *now* is taped: alerts show such posts (`alerting.evidence` from one half on)."""

_TOGETHER = 4000  # posts matched and judged at a time
_BLOCK = 1 << 20
_ROWS = 50_000  # rows of a segment at most, so that sorting them takes little memory

Found = tuple[list[tuple[int, Judgement]], int]
"""Judged mentions with the lines of their posts, and how many of them had been judged before."""

Judge = Callable[[Sequence[tuple[int, Post]], Callable[[str], None]], Found]


class Desk:
    """Posts waiting to be judged, rows waiting to be written, of one part."""

    def __init__(self, job: Job, part: Part, reader: ArchiveReader, judge: Judge, number: int) -> None:
        """Begin with segment `number`."""
        self.segments: list[Segment] = []
        self._job, self._part, self._reader, self._judge_posts = job, part, reader, judge
        self._number, self._chunks, self._size, self._known = number, 0, 0, 0
        self._posts: list[tuple[int, Post]] = []
        self._rows: list[Row] = []
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._clock = process_time()
        self._folder = part.rows

    def take(self, posts: list[tuple[int, Post]], chunks: int, size: int) -> None:
        """Posts of the chunk before number `chunks`."""
        self._lap("read")
        self._posts += posts
        self._chunks = chunks
        self._size += size
        if len(self._posts) >= _TOGETHER:
            self._judge()
        if self._size >= self._job.segment_bytes or len(self._rows) >= _ROWS:
            self._write(last=False)

    def close(self) -> None:
        """The part is read to its end."""
        self._lap("read")
        self._write(last=True)

    def _judge(self) -> None:
        judged, known = self._judge_posts(self._posts, self._lap)
        self._known += known
        self._posts = []
        heeded = {line for line, judgement in judged if judgement.p.now >= HEEDED}
        self._rows += [Row(line, line in heeded, judgement) for line, judgement in judged]

    def _write(self, *, last: bool) -> None:
        self._judge()
        name = f"{prefix(self._part)}-{self._number:05}"
        path, warning = self._written(name)
        self._lap("store")
        segment = Segment(
            path=str(path),
            number=self._number,
            chunks=self._chunks,
            last=last,
            rows=len(self._rows),
            counters=msgspec.to_builtins(self._reader.counters.take()),
            tally=msgspec.json.decode(msgspec.json.encode(self._reader.tally)),
            seconds=dict(self._seconds),
            known=self._known,
            warning=warning,
            seal=seal(path),
        )
        self._reader.tally = Tally()
        told = msgspec.json.encode(segment)
        _place(path.with_suffix(".json"), b"%s\n%08x\n" % (told, crc32(told)))
        self.segments.append(segment)
        self._rows, self._size, self._known, self._number = [], 0, 0, self._number + 1
        self._seconds.clear()

    def _written(self, name: str) -> tuple[Path, str]:
        """Where the rows were written: in the cache, or where it takes no more, in the job's folder."""
        path = self._folder / f"{name}.arrow"
        try:
            write_rows(path, self._rows, self._job.buckets)
        except OSError as error:
            if self._folder == self._job.spare(self._part.file):
                raise BackfillError(
                    f"{path}: cannot be written: {error.strerror or error}; make room, then go on with --resume"
                ) from error
            warning = f"the cache {self._folder} takes no more ({error.strerror or error}); going on without it"
            self._folder = self._job.spare(self._part.file)
            return self._written(name)[0], warning
        return path, ""

    def _lap(self, stage: str) -> None:
        now = process_time()
        self._seconds[stage] += now - self._clock
        self._clock = now


def prefix(part: Part) -> str:
    """How the segments of a part are called; the file is told by the folder."""
    return f"{part.stripe:03}of{part.stripes:03}"


def finished(part: Part, job: Job) -> list[Segment]:
    """The segments of a part that an earlier try left, in order, as far as none is missing."""
    found: list[Segment] = []
    while True:
        name = f"{prefix(part)}-{len(found):05}.json"
        for folder in (part.rows, job.spare(part.file)):
            try:
                segment = read_segment(folder / name)
            except (OSError, ValueError):
                continue
            if segment.number == len(found) and sound(segment):
                found.append(segment)
                break
        else:
            return found
        if found[-1].last:
            return found


def read_segment(path: Path) -> Segment:
    """What was written about a segment: JSON, and below it its checksum.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    told, _, mark = path.read_bytes().partition(b"\n")
    if mark.strip() != b"%08x" % crc32(told):
        raise ValueError(f"{path}: damaged")
    try:
        return msgspec.json.decode(told, type=Segment)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: of another version") from error


def sound(segment: Segment) -> bool:
    """Whether the rows of a segment are there as they were written."""
    try:
        return seal(Path(segment.path)) == segment.seal
    except OSError:
        return False


def seal(path: Path) -> str:
    """Length and checksum of a file.

    Raises:
        OSError: it cannot be read.
    """
    stat = path.stat()
    return _seal(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=10_000)
def _seal(path: Path, size: int, _changed: int) -> str:
    mark = 0
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            mark = crc32(block, mark)
    return f"{size}-{mark:08x}"


def _place(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)
