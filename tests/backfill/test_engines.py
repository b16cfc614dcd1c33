"""Whatever runs a backfill, and however it is cut, killed or repeated, it writes the same bytes."""

from __future__ import annotations

import gzip
import os
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import zstandard

from detector.backfill.archives import backfill_archives, plan
from detector.backfill.engines import BackfillError, Beat, Engine, Report, Result, engine
from detector.backfill.hand import Hand
from detector.backfill.job import Job, Part, Task, bucket_of, parts
from detector.backfill.local import Local, Single
from detector.backfill.run import Backfilled
from detector.config.catalogue import load_catalogue
from detector.errors import ArtifactError, UsageError
from tests.backfill import made


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Local]:
    """Two processes, started once for all tests here."""
    workers = Local(2)
    yield workers
    workers.close()


def run(job: Job, paths: Sequence[Path], runner: Engine, *, stripes: int = 1, **more: object) -> Backfilled:
    """A backfill with each file cut into so many stripes."""
    planned = plan(job, paths, workers=runner.workers, cache=None)
    cut = parts(paths, [job.spare(number) for number in range(len(paths))], [stripes] * len(paths))
    done, _ = backfill_archives(
        replace(planned, parts=tuple(cut)),
        runner,
        incidents=made.incidents(),
        **more,  # type: ignore[arg-type]
    )
    return done


def several(folder: Path) -> list[Path]:
    """The made archive as four files that overlap, in several forms, the posts of one in no order at all."""
    rows = list(made.lines())
    third = len(rows) // 3
    mixed = rows[third : 2 * third + 40]
    random.Random(4).shuffle(mixed)
    one, two = folder / "one.jsonl.gz", folder / "two.jsonl.zst"
    one.write_bytes(gzip.compress("".join(f"{row}\n" for row in rows[: third + 50]).encode()))
    two.write_bytes(zstandard.compress("".join(f"{row}\n" for row in mixed).encode()))
    return [two, made.write(folder / "three.jsonl", rows[2 * third :]), one]


def test_one_process_writes_what_one_pipeline_writes(tmp_path: Path) -> None:
    """Judging by parts and weighing by buckets gives what the daemon's loop gives, pictures included."""
    path = made.write(tmp_path / "social.jsonl", made.lines())

    done = run(made.job(tmp_path), [path], Single())

    assert made.written(done) == made.written(made.by_one_pipeline([path]))
    assert {alert.service for alert in done.alerts} == {"cloudflare", "discord", "github"}
    assert done.pairings


def test_processes_write_what_one_process_writes(tmp_path: Path, two_workers: Local) -> None:
    """Files that overlap, in no order, cut into stripes: the same bytes from any engine."""
    paths = several(tmp_path)
    alone = made.written(run(made.job(tmp_path), paths, Single()))

    assert made.written(run(made.job(tmp_path), paths, two_workers, stripes=3)) == alone
    # Small segments: rows of one bucket come from many files.
    tight = made.job(tmp_path, segment_bytes=1)
    assert made.written(run(tight, paths, two_workers, stripes=2)) == alone


def test_batches_and_a_trained_judge_change_nothing(tmp_path: Path) -> None:
    """One row at a time or all at once, with a classifier that reads."""
    path = made.write(tmp_path / "social.jsonl", made.lines())

    texts = {
        made.written(run(made.job(tmp_path, "keyword", batch=batch), [path], Single())) for batch in (1, 7, 100_000)
    }

    assert texts == {made.written(made.by_one_pipeline([path], "keyword"))}


def test_a_detector_that_takes_one_mention_at_a_time_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Skimming is a plug-in's choice; without it every row is observed, and the bytes are the same."""
    path = made.write(tmp_path / "social.jsonl", made.lines())
    skimmed = made.written(run(made.job(tmp_path), [path], Single()))
    monkeypatch.setattr("detector.backfill.weighing.Skims", int)  # which no detector is

    assert made.written(run(made.job(tmp_path), [path], Single())) == skimmed


def test_a_worker_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    """Workers killed in the middle of a run are replaced, and what they had finished is not done again."""
    paths = several(tmp_path)
    alone = made.written(run(made.job(tmp_path), paths, Single()))
    runner = Local(2)
    killed: list[int] = []

    def report(beat: Beat) -> None:
        if len(killed) < 2 and (beat.lines or beat.rows):
            children = [child.pid for child in psutil.Process().children() if child.pid not in killed]
            for pid in children[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    try:
        done = run(made.job(tmp_path, segment_bytes=1), paths, runner, stripes=2, report=report)
    finally:
        runner.close()

    assert len(killed) == 2
    assert made.written(done) == alone


class _Dies:
    """An engine whose worker stops after some tasks, as an interrupted run does."""

    name, workers = "dies", 1

    def __init__(self, after: int) -> None:
        self._left = after

    def run(self, job: Job, tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        hand = Hand(job)
        for task in tasks:
            yield hand.do(task, self._count(report))

    def _count(self, report: Report) -> Report:
        def counted(beat: Beat) -> None:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
            report(beat)

        return counted

    def close(self) -> None:
        pass


@pytest.mark.parametrize("after", [0, 2, 8])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, after: int) -> None:
    """Stopped after any number of steps, `--resume` reads no finished segment again and writes the same bytes."""
    rows = made.lines()
    paths = [made.write(tmp_path / f"{n}.jsonl", rows[n::3]) for n in range(3)]
    job = made.job(tmp_path, segment_bytes=1)
    cache = tmp_path / "cache"
    alone = made.written(run(made.job(tmp_path), paths, Single()))

    with pytest.raises(KeyboardInterrupt):
        backfill_archives(plan(job, paths, workers=1, cache=cache), _Dies(after), incidents=made.incidents())
    planned = plan(job, paths, workers=1, cache=cache, resume=True)
    done, heard = backfill_archives(planned, Single(), incidents=made.incidents())

    assert made.written(done) == alone
    assert heard.kept > 0
    assert not job.folder.exists()


def test_a_finished_part_is_not_done_again(tmp_path: Path) -> None:
    """A task that is given twice, as after a lost answer, answers the same and writes nothing."""
    path = made.write(tmp_path / "a.jsonl", made.lines())
    job = made.job(tmp_path)
    part = parts([path], [tmp_path / "rows"], [1])[0]
    first = Hand(job).judge(part, lambda beat: None)
    before = {each: each.stat().st_mtime_ns for each in (tmp_path / "rows").iterdir()}

    again = Hand(job).judge(part, lambda beat: None)

    assert again.segments == first.segments
    assert again.kept == len(first.segments)
    assert {each: each.stat().st_mtime_ns for each in (tmp_path / "rows").iterdir()} == before


def test_a_task_that_fails_each_time_ends_the_run_by_name(tmp_path: Path, two_workers: Local) -> None:
    """A worker that cannot do its task is not tried for ever, and the message says what to do."""
    part = Part(number=7, file=0, path=tmp_path, stripe=0, stripes=0, rows=tmp_path)  # no such stripe: a fault

    with pytest.raises(BackfillError, match=r"task 7 \(part\) failed 3 times.*--resume"):
        list(two_workers.run(made.job(tmp_path), [replace(part, path=made.write(tmp_path / "a", ["{}"]))], print))


def test_what_a_worker_raises_on_purpose_reaches_the_driver(tmp_path: Path, two_workers: Local) -> None:
    """Another model on the worker than in the job is an error of its own kind, not a death."""
    path = made.write(tmp_path / "a.jsonl", made.lines()[-50:])
    job = replace(made.job(tmp_path), judged_by="truth@elsewhere")

    with pytest.raises(ArtifactError, match="give all workers the same models"):
        list(two_workers.run(job, parts([path], [tmp_path / "rows"], [1]), lambda beat: None))


def test_engines_by_name() -> None:
    """Little is done in this process, much in several; an unknown name and a missing package say what to do."""
    assert engine("auto", size=1000).name == "single"
    assert engine("auto", size=1000, workers=2).name == "local"
    assert isinstance(engine("local", workers=3), Engine)
    assert engine("local", workers=3).workers == 3
    with pytest.raises(UsageError, match="auto, single, local, ray"):
        engine("spark")


def test_buckets_are_spread_and_stable() -> None:
    """The hash does not depend on the process, and no bucket of the catalogue holds a tenth of it."""
    numbers = [bucket_of(service.slug) for service in load_catalogue()]

    assert bucket_of("slack") == 26
    assert max(numbers.count(number) for number in set(numbers)) < len(numbers) / 10
