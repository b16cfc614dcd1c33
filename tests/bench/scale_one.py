"""One backfill as `detector backfill` runs it, measured from outside: seconds, processor time, memory of all processes.

    python -m tests.bench.scale_one ARCHIVE --services 100 --judge cascade --workers 2 [--cache DIR]

Prints one line of JSON. A process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from detector.backfill.archives import backfill_archives, plan
from detector.backfill.engines import engine, suited
from detector.backfill.job import Job
from detector.backfill.lines import write_out
from detector.backfill.truth import load_judge
from detector.config.catalogue import load_catalogue
from detector.domain import Budget
from tests.bench.mix import invented, services


class Watch(threading.Thread):
    """The largest memory of this process and its children together, in MB, looked at ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        own = psutil.Process()
        while not self._over.wait(0.1):
            total = 0
            for each in [own, *own.children(recursive=True)]:
                try:
                    total += each.memory_info().rss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, total / 1e6)

    def stop(self) -> float:
        """The peak so far; nobody looks any more."""
        self._over.set()
        self.join()
        return self.peak


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """The figures of one backfill."""
    watched = services(arguments.services) if arguments.services <= 100 else invented(arguments.services)
    classifier = load_judge(arguments.judge)
    watch = Watch()
    watch.start()
    began, used = time.perf_counter(), os.times()
    with tempfile.TemporaryDirectory() as name:
        job = Job(
            folder=Path(name) / ".work",
            catalogue=load_catalogue() if arguments.services <= 100 else watched,
            services=tuple(service.slug for service in watched),
            judge=arguments.judge,
            judged_by=classifier.name,
            prior=classifier.prior,
            budget=Budget.parse(arguments.budget),
        )
        runner = engine(arguments.engine, workers=arguments.workers, size=arguments.archive.stat().st_size)
        try:
            planned = plan(job, [arguments.archive], workers=runner.workers, cache=arguments.cache)
            runner = suited(arguments.engine, runner, judged=planned.judged)
            done, heard = backfill_archives(planned, runner)
        finally:
            runner.close()
        write_out(Path(name), done.alerts, done.pairings, done.scoreboard)
    spent = os.times()
    seconds = time.perf_counter() - began
    return {
        "posts": done.scoreboard["posts"],
        "mentions": done.scoreboard["mentions"],
        "alerts": len(done.alerts),
        "seconds": round(seconds, 3),
        "cpu": round(sum(spent[:4]) - sum(used[:4]), 3),
        "memory_mb": round(watch.stop()),
        "decoded": heard.counters.read,
        "stages": {stage: round(value, 3) for stage, value in done.replayed.seconds.items()},
        "kept": heard.kept,
    }


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--judge", default="cascade")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--budget", default="1/year")
    sys.stdout.write(json.dumps(measure(parser.parse_args())) + "\n")


if __name__ == "__main__":
    main()
