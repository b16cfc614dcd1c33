"""What Ray costs on one machine: the same backfill by `local` and by `ray`, starts left out, and the same bytes.

    python -m tests.bench.growth_ray [--posts 1000000] [--workers 2] [--archive FILE]

Each engine's processes are started by a small backfill that is not counted. Processor seconds are of this process and
all below it (Ray's own servers too), for `local` and `ray` alike; wall seconds mean something on an idle machine only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from detector.backfill.archives import backfill_archives, plan
from detector.backfill.engines import Engine, engine
from detector.backfill.job import Job
from detector.backfill.lines import write_out
from detector.backfill.truth import load_judge
from detector.config.catalogue import load_catalogue
from detector.domain import Budget
from tests.bench import mix
from tests.bench.scale import heading, made, row

_FILES = ("alerts.jsonl", "pairings.jsonl")


def spent() -> float:
    """Processor seconds of this process and everything below it that still lives."""
    own, total = psutil.Process(), 0.0
    for each in [own, *own.children(recursive=True)]:
        try:
            times = each.cpu_times()
            total += times.user + times.system
        except psutil.Error:
            continue
    return total


def run(archive: Path, out: Path, runner: Engine) -> None:
    """One backfill into a folder."""
    classifier = load_judge("cascade")
    job = Job(
        folder=out / ".work",
        catalogue=load_catalogue(),
        services=tuple(service.slug for service in mix.services()),
        judge="cascade",
        judged_by=classifier.name,
        prior=classifier.prior,
        budget=Budget.parse("1/year"),
    )
    done, _ = backfill_archives(plan(job, [archive], workers=runner.workers, cache=None), runner)
    write_out(out, done.alerts, done.pairings, done.scoreboard)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--archive", type=Path, help="one that is there already, of so many posts; made otherwise")
    chosen = parser.parse_args(arguments)
    figures: dict[str, tuple[float, float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = made(folder / "small.jsonl.zst", mix.lines(40_000, seed=1))
        archive = chosen.archive or made(folder / "natural.jsonl.zst", mix.lines(chosen.posts))
        for which in ("local", "ray"):
            began = time.perf_counter()
            runner = engine(which, workers=chosen.workers)
            try:
                run(small, folder / f"warm-{which}", runner)
                start, cpu, wall = time.perf_counter() - began, spent(), time.perf_counter()
                run(archive, folder / which, runner)
                figures[which] = (spent() - cpu, time.perf_counter() - wall, start)
            finally:
                runner.close()
        same = all((folder / "local" / each).read_bytes() == (folder / "ray" / each).read_bytes() for each in _FILES)
    heading(f"{chosen.posts:,} posts, {chosen.workers} workers", "processor s", "wall s", "start and 40,000 posts, s")
    for which, (cpu, wall, start) in figures.items():
        row(which, f"{cpu:.1f}", f"{wall:.1f}", f"{start:.1f}")
    over = [figures["ray"][n] / figures["local"][n] - 1 for n in (0, 1)]
    row("ray's overhead", f"{over[0]:+.0%}", f"{over[1]:+.0%}", "")
    row("alerts and pairings", "the same bytes" if same else "DIFFERENT", "", "")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
