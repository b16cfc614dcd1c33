"""What a backfill is to do, as values that travel to any worker on any machine.

A job reads only files that all workers can see: the archives, and its own `folder`, in which everything that workers
write lies. What a worker writes appears under its final name in one step, so a task may be done twice, or be killed and
done again, and nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zlib import crc32

from detector.collectors.archive_reader import Window
from detector.domain import Budget, Service

BUCKETS = 64


def bucket_of(service: str, buckets: int = BUCKETS) -> int:
    """The bucket that owns a service: the same on every machine and in every version of Python.

    >>> bucket_of("slack"), bucket_of("slack") == bucket_of("slack")
    (26, True)
    """
    return crc32(service.encode()) % buckets


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of one archive file: of its chunks, those whose number is `stripe` modulo `stripes`.

    Attributes:
        file: place among the job's files.
        path: where all workers find it.
        rows: the folder for its judged rows (the cache, or one in the job's folder).
    """

    number: int
    file: int
    path: Path
    stripe: int
    stripes: int
    rows: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The services whose hash is `number`, with everything that was said about them.

    Attributes:
        segments: files of judged rows, of all parts, each with the place of its archive among the job's files.
        dropped: file of the places of repeated posts, which are not counted again; None if there are none.
        until: when the archive ends, for all buckets alike.
    """

    number: int
    segments: tuple[tuple[Path, int], ...]
    dropped: Path | None
    until: datetime


Task = Part | Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One backfill.

    Attributes:
        folder: where workers write; on storage that all of them share.
        catalogue: all services, for the matcher.
        services: slugs of the watched ones.
        judge: the classifier's name or folder, `truth`, or None for the default.
        judged_by: `name@hash` of that classifier; a worker that would load another refuses.
        prior: the share of complaints at which its probabilities stand.
        detector: name among the registered detectors.
        cached: folders with earlier judgements by the same classifier, looked up before judging anew.
        segment_bytes: decompressed bytes of an archive after which its rows are written out and counted as done;
            `archives.plan` chooses it by the size of the archives where it is 0.
        batch: rows weighed at a time; changes nothing.
    """

    folder: Path
    catalogue: tuple[Service, ...]
    services: tuple[str, ...]
    judge: str | None
    judged_by: str
    prior: float
    budget: Budget
    detector: str = "scan"
    window: Window = field(default_factory=Window)
    author_key: bytes = b""
    buckets: int = BUCKETS
    cached: tuple[Path, ...] = ()
    segment_bytes: int = 0
    batch: int = 4000

    def spare(self, file: int) -> Path:
        """Where judged rows of a file go when the cache has no room."""
        return self.folder / "rows" / f"{file:04}"


def parts(files: Sequence[Path], rows: Sequence[Path], stripes: Sequence[int]) -> list[Part]:
    """The parts of some files, each file cut into its number of stripes."""
    found: list[Part] = []
    for file, (path, folder, count) in enumerate(zip(files, rows, stripes, strict=True)):
        found += [
            Part(number=len(found) + stripe, file=file, path=path, stripe=stripe, stripes=count, rows=folder)
            for stripe in range(count)
        ]
    return found
