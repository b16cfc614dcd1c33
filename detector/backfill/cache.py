"""Where judged rows are kept, so that an archive is judged once.

    CACHE/v2/<archive>/<what was asked>/manifest.json, 000of002-00000.arrow, 000of002-00000.json ...

An archive is known by its size, its time of change and the hashes of its first and last megabyte; what was asked is the
classifier's artifact, the catalogue, the window and the watched services. Rows of more services serve fewer ones. Where
nothing fits as a whole, single judgements do: by the post's key, a hash of its text, and the artifact.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from detector.backfill.desk import finished, read_segment, sound
from detector.backfill.job import Job, Part

FORMAT = 2
_ENDS = 1 << 20
_MANIFEST = "manifest.json"
_SEGMENTS = "???of???-?????.json"
_FEW = 64 << 20  # bytes of earlier rows that are looked into at most, a worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All that judged rows depend on, apart from the archive and the watched services."""

    format: int
    classifier: str
    catalogue: str
    since: str | None
    until: str | None
    sample: float
    author_key: str
    buckets: int
    name: str


def fingerprint(path: Path) -> str:
    """What tells an archive from others, without reading it whole."""
    stat = path.stat()
    mark = blake2b(f"{stat.st_size} {stat.st_mtime_ns}".encode(), digest_size=12)
    with path.open("rb") as source:
        mark.update(source.read(_ENDS))
        source.seek(max(0, stat.st_size - _ENDS))
        mark.update(source.read(_ENDS))
    return mark.hexdigest()


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; reads them only if they are equally long."""
    if one.stat().st_size != other.stat().st_size:
        return False
    return _whole(one) == _whole(other)


def asked(job: Job, path: Path) -> Asked:
    """What a job wants to know of an archive."""
    window = job.window
    catalogue = msgspec.json.encode(job.catalogue)
    return Asked(
        format=FORMAT,
        classifier=job.judged_by,
        catalogue=blake2b(catalogue, digest_size=8).hexdigest(),
        since=window.since.isoformat() if window.since else None,
        until=window.until.isoformat() if window.until else None,
        sample=window.sample,
        author_key=blake2b(job.author_key, digest_size=8).hexdigest(),
        buckets=job.buckets,
        name=path.name,
    )


def folder_for(cache: Path, job: Job, path: Path) -> Path:
    """The folder of an archive's rows: one that has all of them already, else the one that is exactly meant."""
    wanted = asked(job, path)
    home = cache / f"v{FORMAT}" / fingerprint(path)
    for folder, found, services in _entries(home):
        if found == asdict(wanted) and set(job.services) <= services and complete(folder, job):
            return folder
    words = json.dumps([asdict(wanted), sorted(job.services)])
    return home / blake2b(words.encode(), digest_size=8).hexdigest()


def begin(folder: Path, job: Job, path: Path, *, resume: bool) -> str | None:
    """Have a folder ready for rows; returns why it cannot be used, if so.

    What an unfinished run left stays with `resume` and goes without.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = asdict(asked(job, path))
        fits = any(
            each == folder and found == wanted and set(job.services) <= services
            for each, found, services in _entries(folder.parent)
        )
        if not fits or not (resume or complete(folder, job)):
            for old in folder.iterdir():
                old.unlink()
        manifest = {**wanted, "services": sorted(job.services)}
        if not (folder / _MANIFEST).exists():
            (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")
    except OSError as error:
        return f"the cache {folder} cannot be used ({error.strerror or error}); going on without it"
    return None


def stripes_of(folder: Path, job: Job, wanted: int) -> int:
    """Into how many stripes a file is cut: as an earlier run did that left something, else as wanted."""
    counts = sorted(_stripes(folder))
    for count in counts:
        if _finished(folder, job, count):
            return count
    return wanted if wanted in counts or not counts else counts[-1]


def unfinished(folder: Path, job: Job) -> bool:
    """Whether an earlier run left some of the rows, and not all."""
    return bool(_stripes(folder)) and not complete(folder, job)


def damaged(folder: Path) -> int:
    """How many segments of an earlier run cannot be used: what they say of themselves is not what lies there."""
    count = 0
    for path in folder.glob(_SEGMENTS):
        try:
            count += not sound(read_segment(path))
        except (OSError, ValueError):
            count += 1
    return count


def siblings(cache: Path, job: Job, limit: int = _FEW) -> tuple[Path, ...]:
    """Files of earlier rows by the same classifier, the newest first, as many as are worth looking into."""
    found: list[tuple[float, Path, int]] = []
    for home in (cache / f"v{FORMAT}").glob("*"):
        for folder, manifest, _ in _entries(home):
            if manifest.get("classifier") == job.judged_by:
                for path in folder.glob("*.arrow"):
                    stat = path.stat()
                    found.append((stat.st_mtime, path, stat.st_size))
    taken, size = [], 0
    for _, path, bytes_ in sorted(found, reverse=True):
        size += bytes_
        if size > limit:
            break
        taken.append(path)
    return tuple(taken)


def clear(folder: Path) -> None:
    """Remove a work folder."""
    shutil.rmtree(folder, ignore_errors=True)


def _entries(home: Path) -> list[tuple[Path, dict[str, Any], set[str]]]:
    found = []
    for manifest in sorted(home.glob(f"*/{_MANIFEST}")):
        try:
            stated = json.loads(manifest.read_text(encoding="utf-8"))
            services = set(stated.pop("services"))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append((manifest.parent, stated, services))
    return found


def _stripes(folder: Path) -> set[int]:
    """The numbers of stripes of which there are segments in a folder."""
    return {int(path.name[5:8]) for path in folder.glob(_SEGMENTS)}


def complete(folder: Path, job: Job) -> bool:
    """Whether all rows of an archive are there."""
    return any(_finished(folder, job, count) for count in _stripes(folder))


def _finished(folder: Path, job: Job, count: int) -> bool:
    parts: Sequence[Part] = [
        Part(number=at, file=0, path=folder, stripe=at, stripes=count, rows=folder) for at in range(count)
    ]
    return all(bool(done) and done[-1].last for done in (finished(part, job) for part in parts))


def _whole(path: Path) -> bytes:
    mark = blake2b(digest_size=16)
    with path.open("rb") as source:
        while block := source.read(_ENDS):
            mark.update(block)
    return mark.digest()
