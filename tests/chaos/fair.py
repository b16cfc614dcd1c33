"""Seconds as they would have passed on the machine that the limits are set for, had it done nothing else.

A limit in seconds holds for our 2-core Xeon at rest. On a slower machine, or beside neighbours, the clock on the wall
says something about these; what is asserted is the wall's time less the time spent waiting for a processor, with the
time on the processor divided by how much slower it is. Sleeping and waiting for a disk count in full. On the machine
named, at rest, both are the same.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import psutil

# One round of `_work` on an Intel Xeon of 2 cores at rest.
REFERENCE_S = 0.018
_ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Spent:
    """Where the time went, in seconds.

    Attributes:
        wall: by the clock.
        on: on a processor.
        queued: ready to run, and no processor free.
    """

    wall: float
    on: float
    queued: float

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall - other.wall, self.on - other.on, self.queued - other.queued)

    def fair(self, slower: float) -> float:
        """Seconds on the machine at rest, where this one is so many times slower.

        >>> Spent(wall=9.0, on=3.0, queued=5.0).fair(3.0)
        2.0
        """
        return max(self.wall - self.queued - self.on * (1 - 1 / slower), 0.0)


def own() -> Spent:
    """Of this thread, since it began."""
    on, queued = _scheduled("/proc/thread-self/schedstat")
    return Spent(time.monotonic(), on, queued)


def of(pid: int, *, children: bool = True) -> Spent:
    """Of the main threads of a process and of its children, since they began."""
    on = queued = 0.0
    for each in (pid, *((child.pid for child in psutil.Process(pid).children(recursive=True)) if children else ())):
        more = _scheduled(f"/proc/{each}/schedstat")
        on, queued = on + more[0], queued + more[1]
    return Spent(time.monotonic(), on, queued)


def _scheduled(path: str) -> tuple[float, float]:
    """Seconds on a processor and in the queue for one, by Linux; nothing where it does not say."""
    try:
        on, queued, _ = Path(path).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return 0.0, 0.0
    return int(on) / 1e9, int(queued) / 1e9


@cache
def slower() -> float:
    """How many times slower than the reference a processor is here; 1 if it is faster."""
    took = []
    for _ in range(_ROUNDS):
        begun = own()
        _work()
        spent = own() - begun
        took.append(spent.wall - spent.queued)
    return max(median(took) / REFERENCE_S, 1.0)


def _work() -> int:
    """What Python does all day: text, numbers, dictionaries."""
    found = 0
    for number in range(2500):
        row = {"id": number, "text": f"Zorbex{number} is down for me", "p": [number / 7, number / 11]}
        text = json.dumps(row)
        found += len(re.findall(r"\w+", text)) + len(json.loads(text))
    return found
