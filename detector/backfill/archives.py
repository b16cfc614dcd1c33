"""A backfill from archive files to results: which rows are there already, what has to be judged, and then the weighing.

`plan` says what is to be done, `backfill_archives` does it with an engine. Interrupted anywhere, the same call with
`resume` goes on behind the last finished segment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from time import perf_counter

from detector.backfill import cache as kept
from detector.backfill.engines import Beat, Engine, Report
from detector.backfill.job import Job, Part, parts
from detector.backfill.local import SMALL
from detector.backfill.partitioned import Heard, judge_parts, weigh_segments
from detector.backfill.run import Backfilled, compared, timeline_for
from detector.collectors import archive_files
from detector.domain import Incident
from detector.errors import BadArchiveError

_PARTS = 4  # a worker: enough that none waits long for another at the end
Say = Callable[[str], None]
_SEGMENT = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a backfill will do.

    Attributes:
        job: with the files of earlier judgements to look into.
        parts: of all archives.
        notes: what a person should know, for stderr.
        size: bytes of archives that have to be read.
        judged: whether nothing has to be read at all.
    """

    job: Job
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = field(default=())
    size: int = 0

    @property
    def judged(self) -> bool:
        """Whether all rows are there already."""
        return self.size == 0


def plan(job: Job, paths: Sequence[Path], *, workers: int, cache: Path | None, resume: bool = False) -> Plan:
    """Find out what is there already and cut the rest into parts.

    Args:
        workers: tasks at a time.
        cache: folder of judged rows; None keeps them in the job's folder, for this run alone.
        resume: go on with what an interrupted run left.

    Raises:
        BadArchiveError: a file is missing, a directory, empty or cannot be read.
    """
    files = [archive_files.opened(path) for path in paths]
    if not files:
        raise BadArchiveError("no archive was named; give at least one file")
    files, notes = _once(files)
    if not resume:
        kept.clear(job.folder)
    rows: list[Path] = []
    stripes: list[int] = []
    size, begun = 0, 0
    whole = sum(path.stat().st_size for path in files)
    for number, path in enumerate(files):
        folder = kept.folder_for(cache, job, path) if cache is not None else job.spare(number)
        broken = kept.damaged(folder)
        if broken:
            notes.append(f"{folder}: {broken} files of judged rows are damaged; what they held is read and judged anew")
        begun += kept.unfinished(folder, job) and not broken
        trouble = kept.begin(folder, job, path, resume=resume or broken > 0)
        if trouble is not None:
            notes.append(trouble)
            folder = job.spare(number)
            kept.begin(folder, job, path, resume=resume)
        rows.append(folder)
        bytes_ = path.stat().st_size
        stripes.append(kept.stripes_of(folder, job, _stripes(bytes_, whole, workers)))
        if not kept.complete(folder, job):
            size += bytes_
    if begun and not resume:
        notes.append(f"an unfinished run left {begun} of {len(files)} archives half judged; begun anew (see --resume)")
    if resume and not begun:
        notes.append("nothing was left to resume; beginning at the beginning")
    earlier = kept.siblings(cache, job) if cache is not None and size else ()
    cut = parts(files, rows, stripes)
    # Some tens of segments a worker: little is done again after a kill, and little is to be merged.
    segment = job.segment_bytes or max(_SEGMENT, size // 32)
    job = replace(job, cached=earlier, segment_bytes=segment)
    return Plan(job=job, parts=tuple(cut), notes=tuple(notes), size=size)


def _stripes(size: int, whole: int, workers: int) -> int:
    """Into how many parts a file is cut: some parts a worker over all files, since each part unpacks its whole file.

    >>> _stripes(10**9, 10**9, 16), _stripes(10**9, 1000 * 10**9, 16), _stripes(1000, 1000, 16)
    (16, 1, 1)
    """
    return max(1, min(workers, ceil(_PARTS * workers * size / whole))) if size > SMALL else 1


def _once(files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files without those that hold the same bytes as an earlier one."""
    found: list[Path] = []
    notes = []
    for path in files:
        twin = next((one for one in found if kept.same_content(one, path)), None)
        if twin is None:
            found.append(path)
        else:
            notes.append(f"{path} holds the same bytes as {twin}; it is read once")
    return found, notes


def backfill_archives(
    planned: Plan,
    engine: Engine,
    *,
    incidents: Sequence[Incident] = (),
    report: Report | None = None,
    say: Say | None = None,
) -> tuple[Backfilled, Heard]:
    """Do what was planned; the work folder is removed when it is done.

    Args:
        report: told of progress.
        say: told in words of what went wrong without stopping it.

    Raises:
        BadArchiveError: a file holds nothing of a known shape.
        BackfillError: a task failed again and again.
    """
    began = perf_counter()
    job = planned.job
    report, say = report or _nobody, say or _nothing
    job.folder.mkdir(parents=True, exist_ok=True)
    heard = judge_parts(job, planned.parts, engine, report, say)
    replayed = weigh_segments(
        job,
        heard.segments,
        heard.tally,
        heard.counters,
        engine,
        report,
        incidents=incidents,
        timeline=timeline_for(incidents, job.services),
    )
    for stage, spent in heard.seconds.items():
        replayed.seconds[stage] += spent
    assumptions = heard.counters.assumptions
    if heard.tally.backwards:
        assumptions.append(
            f"posts whose time lies before that of the line above were sorted: {heard.tally.backwards:,}"
        )
    if heard.counters.duplicates:
        assumptions.append(f"posts about a service that came more than once count once: {heard.counters.duplicates:,}")
    done = compared(
        replayed,
        job.services,
        incidents,
        began=began,
        bad_lines=dict(heard.counters.bad),
        assumptions=assumptions,
    )
    kept.clear(job.folder)
    return done, heard


def _nobody(beat: Beat) -> None:
    """For runs that nobody watches."""


def _nothing(words: str) -> None:
    """For runs that nobody listens to."""
