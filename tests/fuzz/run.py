"""Drives mutated feeds through the real worker and counts what becomes of them; `make fuzz`.

`python -m tests.fuzz.run --count 1000000` reports every failure with its number, under which it can be run again
(`--first N --count 1`). Exit code 1 if a mutant escaped, hung, or cost more than it may.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click

from detector.errors import Hostile
from detector.transport.worker import ParseWorker
from tests.fuzz.feeds import mutant

SECONDS, MEGABYTES = 2.0, 400.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a run.

    Attributes:
        read, refused: mutants that gave entries, or a reason.
        reasons: the reasons, without what they quote.
        escapes: numbers of mutants after which anything but `Hostile` came out, with the error.
        killed: numbers of mutants that cost the worker its life: contained, but beyond 2 s or 400 MB.
        slowest: seconds by the clock, and the mutant's number.
        cpu: CPU seconds of the slowest by that measure, looked at where the clock says more than a second.
        peak: MB of memory of the worker at its fullest.
    """

    read: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    escapes: list[tuple[int, str]] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    cpu: float = 0.0
    peak: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether every mutant was contained within its means."""
        return not self.escapes and not self.killed and self.cpu < SECONDS and self.peak < MEGABYTES

    def __str__(self) -> str:
        return (
            f"{self.read + self.refused + len(self.escapes)} mutants: {self.read} read, {self.refused} refused, "
            f"{len(self.escapes)} escapes, {len(self.killed)} beyond their means; slowest {self.slowest[0]:.2f} s by "
            f"the clock (mutant {self.slowest[1]}), CPU of any over 1 s at most {self.cpu:.2f} s, worker at most "
            f"{self.peak:.0f} MB"
        )


async def fuzz(first: int, count: int, *, every: int = 0, workers: int = 2) -> Outcome:
    """Run mutants `first` to `first + count`, so many at a time; `every` so many a line is printed."""
    outcome, numbers = Outcome(), iter(range(first, first + count))

    async def work() -> None:
        worker = ParseWorker()
        try:
            for number in numbers:
                await _one(number, worker, outcome)
                if every and (number + 1 - first) % every == 0:
                    click.echo(outcome)
        finally:
            await worker.aclose()

    await asyncio.gather(*(work() for _ in range(workers)))
    return outcome


async def _one(number: int, worker: ParseWorker, outcome: Outcome) -> None:
    body, content_type = mutant(number)
    process = worker._process
    spent = _cpu(process.pid) if process is not None else 0.0
    restarts, began = worker.restarts, time.monotonic()
    try:
        await worker.parse_feed(body, content_type)
        outcome.read += 1
    except Hostile as reason:
        outcome.refused += 1
        outcome.reasons[re.split(r"['<]", str(reason))[0].strip()[:80]] += 1
    except Exception as error:  # noqa: BLE001 - exactly what must not come
        outcome.escapes.append((number, f"{type(error).__name__}: {error}"))
    took = time.monotonic() - began
    if worker.restarts > restarts:
        outcome.killed.append(number)
    elif process is not None and process is worker._process and took > 1.0:
        outcome.cpu = max(outcome.cpu, _cpu(process.pid) - spent)
    outcome.slowest = max(outcome.slowest, (took, number))
    if number % 100 == 0 and worker._process is not None:
        outcome.peak = max(outcome.peak, _peak(worker._process.pid))


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    began = time.monotonic()
    outcome = asyncio.run(fuzz(asked.first, asked.count, every=asked.every, workers=asked.workers))
    click.echo(f"{outcome} in {time.monotonic() - began:.0f} s")
    for reason, total in outcome.reasons.most_common():
        click.echo(f"{total:>9} {reason}")
    for number, words in outcome.escapes:
        click.echo(f"escape: mutant {number}: {words}")
    for number in outcome.killed:
        click.echo(f"beyond its means: mutant {number}")
    return 0 if outcome.sound else 1


if __name__ == "__main__":
    sys.exit(main())
