"""Engines run the two kinds of tasks of a backfill; what they compute is the same whatever runs them.

    archive files -> parts -> judged rows, in segments by bucket -> one task a bucket -> tapes -> merged alerts

1. **Judge.** A task is a `Part`: some chunks of one archive file. The worker reads, matches and judges (the costly
   stages; it keeps the model in memory) and writes the judged mentions as segments: Arrow files with one record batch
   a bucket, sorted by `Post.order`. The bucket of a mention is a stable hash of its service (`job.bucket_of`).
2. **Weigh.** A task is a `Bucket`: it merges its batches of all segments in order and runs `Pipeline.weigh` with the
   job's detector over them, and writes what the detectors said as a tape, in order.
3. The driver (`partitioned.py`, not an engine's affair) merges the tapes of all buckets and plays them to one
   `Pipeline`, whose lifecycle sees all services together: causes, bystanders, alerts.

An engine only has to call `Hand.do(task, report)` somewhere for every task, once or more often, and to give back what
it returns. To write one:

- `Job`, `Part`, `Bucket`, `Judged`, `Weighed` and `Beat` are plain picklable values. `Hand(job)` is made once in each
  worker process (or actor) and is expensive to fill (the model), so it is kept for all its tasks. Nothing but these
  values passes between driver and worker; rows and tapes lie in files that all can see (`Job.folder`, `Part.rows`).
- Tasks are idempotent: files are written under another name and renamed; a `Part` that was begun goes on behind its
  last finished segment. So a task whose worker died is simply given to another one; after `TRIES` the run ends with a
  `BackfillError` that names the task.
- Order does not matter: results may be given back in any order, and every list that depends on them is sorted by the
  driver. An error that a worker raises on purpose (`DetectorError`) is raised in the driver, not tried again.
- `report` takes a `Beat` now and then (lines and bytes done since the last one); where calling back is awkward it may
  do nothing.

The engines are `single` (this process; the default for little), `local` (processes) and `ray`.
`tests/backfill/test_engines.py` holds all of them to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from detector.backfill.job import Job, Task
from detector.errors import DetectorError, UsageError

TRIES = 3
NAMES = ("auto", "single", "local", "ray")


class BackfillError(DetectorError):
    """A task of a backfill could not be done; the message names it and says how to go on."""


class Beat(msgspec.Struct, frozen=True):
    """Progress of one task since its last beat.

    Attributes:
        lines: lines of an archive read.
        size: bytes of the archive as stored.
        rows: judged mentions weighed.
    """

    lines: int = 0
    size: int = 0
    rows: int = 0


Report = Callable[[Beat], None]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Judged rows of consecutive chunks of a part, written and done with; kept beside them as JSON.

    Attributes:
        path: the Arrow file.
        number: place among the part's segments.
        chunks: number behind its last chunk; a part that is taken up again goes on there.
        last: whether the part ends with it.
        rows: judged mentions in it.
        counters: `ReadCounters` as a dict.
        tally: what was heard, as a dict.
        seconds: time by stage.
        known: mentions whose judgement was found in a cache.
        warning: what went wrong without stopping it (a cache without room).
        seal: of the Arrow file's bytes, see `desk.seal`; a file that does not bear it is damaged.
    """

    path: str
    number: int
    chunks: int
    last: bool
    rows: int
    counters: dict[str, Any]
    tally: dict[str, Any]
    seconds: dict[str, float]
    known: int = 0
    warning: str = ""
    seal: str = ""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a `Part`: its segments, in order; the first `kept` of them an earlier run had left."""

    part: int
    segments: tuple[Segment, ...]
    kept: int = 0


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a `Bucket`.

    Attributes:
        tape: file of what the detectors said; see `tape.py`.
        mentioned: mentions by service.
        complaints: mentions judged a first-hand complaint.
        repeated: rows left out because their post came before.
        seconds: time spent.
    """

    bucket: int
    tape: str
    mentioned: dict[str, int]
    complaints: int
    repeated: int
    seconds: float


Result = Judged | Weighed


@runtime_checkable
class Engine(Protocol):
    """Runs tasks, in this process or elsewhere."""

    @property
    def name(self) -> str:
        """As `--engine` has it."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time; the driver cuts files into so many stripes."""

    def run(self, job: Job, tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        """Do all tasks; give back each result as it comes, in any order.

        Raises:
            BackfillError: a task was tried `TRIES` times in vain.
            DetectorError: what a worker raised on purpose.
        """

    def close(self) -> None:
        """Let the workers go; called in any case."""


def engine(name: str, *, workers: int | None = None, size: int = 0) -> Engine:
    """The engine of a name; `auto` is processes for more than a few megabytes of archive.

    Args:
        workers: processes; None is one a core.
        size: bytes of all archives as stored, for `auto`.

    Raises:
        UsageError: no such engine, or what it needs is not installed.
    """
    import os

    from detector.backfill.local import SMALL, Local, Single

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if name == "auto":
        name = "local" if workers is not None and workers > 1 else "single"
        name = "local" if size > SMALL and workers is None and cores > 1 else name
    if name == "single":
        return Single()
    if name == "local":
        return Local(workers or cores)
    if name == "ray":
        from detector.backfill import ray_engine

        return ray_engine.build(workers)
    raise UsageError(f"no engine {name!r}: name one of {', '.join(NAMES)}")


def suited(chosen: str, runner: Engine, *, judged: bool) -> Engine:
    """The engine for what is left to do: with `auto`, rows that are judged already are weighed in this process."""
    from detector.backfill.local import Single

    return Single() if chosen == "auto" and judged else runner
