"""Where a service's people usually speak: how much of what is expected a silent source takes with it.

Streams of different sources are independent, so their expectations add up; the sum over all is learned as one
baseline, and a source that cannot be heard takes its usual share of it away, in the expectation and in the hours
that teach.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FORGET_AT = 4000.0  # mentions: then all counts are halved
KEPT = 1440.0  # minutes for which a silence is remembered
HOLDS = 5.0  # minutes after its last bad report for which a source counts as silent


@dataclass(slots=True)
class Places:
    """Shares of the sources, and when each could not be heard.

    Attributes:
        counts: mentions by source, faded.
        silent: (source, start, end) minutes.
    """

    counts: dict[str, float] = field(default_factory=dict)
    total: float = 0.0
    silent: list[tuple[str, float, float]] = field(default_factory=list)

    def add(self, source: str) -> None:
        """One more mention; `reddit:r/x` counts for `reddit`."""
        name = source.split(":", 1)[0]
        self.counts[name] = self.counts.get(name, 0.0) + 1.0
        self.total += 1.0
        if self.total >= FORGET_AT:
            self.counts = {name: count / 2.0 for name, count in self.counts.items()}
            self.total /= 2.0

    def share(self, source: str) -> float:
        """Part of the mentions that a source usually brings.

        >>> places = Places()
        >>> for source in ("reddit:r/aws", "reddit", "bluesky", "reddit"):
        ...     places.add(source)
        >>> places.share("reddit"), places.share("hackernews"), Places().share("reddit")
        (0.75, 0.0, 0.0)
        """
        return self.counts.get(source.split(":", 1)[0], 0.0) / self.total if self.total else 0.0

    def silence(self, source: str, start: float, end: float) -> None:
        """A source could not be heard from minute `start` to `end`."""
        name = source.split(":", 1)[0]
        same = [span for span in self.silent if span[0] == name and span[2] + HOLDS >= start]
        rest = [span for span in self.silent if span not in same and span[2] > start - KEPT]
        start, end = min([start, *(span[1] for span in same)]), max([end, *(span[2] for span in same)])
        self.silent = [*rest, (name, start, end)]

    def heard(self, at: float) -> float:
        """Part of the usual mentions that can be heard at a minute.

        >>> places = Places(counts={"reddit": 3.0, "bluesky": 1.0}, total=4.0)
        >>> places.silence("reddit", 10.0, 20.0)
        >>> places.heard(5.0), places.heard(15.0), places.heard(24.0), places.heard(26.0)
        (1.0, 0.25, 0.25, 1.0)
        """
        if not self.silent:
            return 1.0
        lost = {name for name, start, end in self.silent if start <= at < end + HOLDS}
        return max(1.0 - sum(self.share(name) for name in lost), 0.05)

    def lost(self, start: float, end: float) -> float:
        """Part of the usual mentions between two minutes that was not heard.

        >>> places = Places(counts={"reddit": 3.0, "bluesky": 1.0}, total=4.0)
        >>> places.silence("reddit", 30.0, 90.0)
        >>> places.lost(0.0, 60.0)
        0.375
        """
        gone = 0.0
        for name, first, last in self.silent:
            gone += self.share(name) * max(0.0, min(last, end) - max(first, start)) / (end - start)
        return min(gone, 1.0)

    def dump(self) -> dict[str, Any]:
        """The state as JSON-compatible values."""
        return {"counts": self.counts.copy(), "total": self.total, "silent": [list(span) for span in self.silent]}

    def load(self, state: dict[str, Any]) -> None:
        """Take over a dumped state."""
        self.counts, self.total = dict(state["counts"]), state["total"]
        self.silent = [(name, start, end) for name, start, end in state["silent"]]
