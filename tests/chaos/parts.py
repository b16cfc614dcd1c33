"""What the chaos tests are made of: services nobody speaks of by chance, a detector that can be foretold, sizes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from detector.alerting.policy import Receiver
from detector.app.clock import system_now
from detector.app.engine import Engine
from detector.classify.keyword import build as keyword
from detector.domain import Coverage, CoverageState, Estimate, Judgement, Level, Post, Service, format_time, parse_time
from detector.match.matcher import NameMatcher
from detector.pipeline import Pipeline
from detector.protocols import Signal
from detector.store import Store

TIERS = ("test", "chaos", "long")
NEEDED = 3
CALM = timedelta(minutes=10)
ROOM = 40_000_000
PROGRESS = Path(__file__).parents[2] / "build" / "chaos-long.txt"


def tier() -> str:
    """`test` (part of `make test`), `chaos` (`make chaos`) or `long` (`make chaos-long`), by the variable CHAOS."""
    chosen = os.environ.get("CHAOS", "test")
    assert chosen in TIERS, f"CHAOS is one of {TIERS}"
    return chosen


def size(test: int, chaos: int, long: int) -> int:
    """How often something is done in the tier chosen."""
    return (test, chaos, long)[TIERS.index(tier())]


def progress(line: str) -> None:
    """In the long tier, where a row takes hours: a line into `build/chaos-long.txt`, to look at meanwhile."""
    if tier() == "long":
        PROGRESS.parent.mkdir(exist_ok=True)
        with PROGRESS.open("a", encoding="utf-8") as out:
            out.write(f"{format_time(system_now())} {line}\n")


@contextmanager
def in_memory(otherwise: Path) -> Iterator[Path]:
    """A folder that waits for no disk, where the machine has one with some room; else one within `otherwise`.

    For tests of what a process leaves behind when it ends, not of what a disk keeps when the power does.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    with tempfile.TemporaryDirectory(prefix="detector-chaos-", dir=memory if roomy else otherwise) as made:
        yield Path(made)


def services(count: int) -> list[Service]:
    """So many made-up services; nobody else is called like that."""
    return [Service(slug=f"zorbex{n}", name=f"Zorbex{n}", aliases=(f"Zorbex{n}",)) for n in range(count)]


def complaint(n: int, number: int, at: datetime, source: str = "oracle") -> Post:
    """The `number`-th complaint about service `n`."""
    return Post(
        source=source,
        id=f"{n}-{number}",
        created_at=at,
        seen_at=at,
        text=f"Zorbex{n} is down for me, number {number:07}",
        author=f"author-{n}-{number}",
    )


class Threshold:
    """Alerts at the third complaint, and ends after ten minutes that were heard and calm."""

    learning = False

    def __init__(self, service: str) -> None:
        self.service = service
        self.people = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.open = False
        self.deaf: list[tuple[datetime, datetime]] = []

    def observe(self, judgement: Judgement) -> Sequence[Signal]:
        """Count."""
        at = judgement.mention.post.seen_at
        signals = list(self.advance(at))
        if judgement.p.now < 0.5:
            return signals
        self.people += 1
        self.first, self.last = self.first or at, max(at, self.last or at)
        if self.people >= NEEDED:
            self.open = True
            signals.append(Signal(level=Level.ALERT, at=at, estimate=self._estimate(at)))
        return signals

    def advance(self, now: datetime) -> Sequence[Signal]:
        """End what has been calm long enough."""
        if not self.open or self.last is None:
            return []
        heard = now - self.last
        for begin, end in self.deaf:
            heard -= max(min(end, now) - max(begin, self.last), timedelta())
        if heard < CALM:
            return []
        self.open, self.people, self.first, self.last, self.deaf = False, 0, None, None, []
        return [Signal(level=None, at=now)]

    def hear(self, coverage: Coverage) -> None:
        """What was not heard is not calm."""
        if coverage.state is CoverageState.OK or not self.open:
            return
        begin, end = coverage.from_at, coverage.to_at
        if self.deaf and self.deaf[-1][1] >= begin:
            begin, end = min(self.deaf[-1][0], begin), max(self.deaf.pop()[1], end)
        self.deaf.append((begin, end))

    def dump(self) -> dict[str, Any]:
        """Everything."""
        return {
            "people": self.people,
            "first": self.first and format_time(self.first),
            "last": self.last and self.last.isoformat(),
            "open": self.open,
            "deaf": [[begin.isoformat(), end.isoformat()] for begin, end in self.deaf],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Everything."""
        self.people, self.open = state["people"], state["open"]
        self.first = parse_time(state["first"]) if state["first"] else None
        self.last = datetime.fromisoformat(state["last"]) if state["last"] else None
        self.deaf = [(datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in state["deaf"]]

    def _estimate(self, at: datetime) -> Estimate:
        return Estimate(
            service=self.service, at=at, onset=self.first or at, people=float(self.people), expected=0.1,
            return_period_months=1000.0, ratio=30.0, score=9.0, window_minutes=3.0,
        )  # fmt: skip


def engine_on(store: Store, watched: Sequence[Service], receivers: Sequence[str] = ("hook",)) -> Engine:
    """The real engine and pipeline, with the detector above."""
    classifier, matcher = keyword(), NameMatcher(watched)
    return Engine(
        store=store,
        make_pipeline=lambda: Pipeline(
            services=watched,
            matcher=matcher,
            classifier=classifier,
            make_detector=lambda service: Threshold(service.slug),
            record=store.read,
        ),
        receivers=[Receiver(name=name, repeat=None) for name in receivers],
    )
