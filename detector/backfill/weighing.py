"""Weighing the rows of a bucket: each service's detector takes its own, and what it says goes onto the tape.

Detectors know nothing of each other, so within a block they run one after another. Time passes for one that has an
episode open as it does in the pipeline: to the whole minute before each of its posts, and at the end of each block. A
detector that skims (`detect.talk.Skims`) is handed columns, and most rows never become objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from detector.backfill.columns import Block
from detector.backfill.rows import moment
from detector.backfill.tape import Said
from detector.detect.talk import Skims, Talk
from detector.protocols import Detector, Signal

I64 = NDArray[np.int64]


class Weighing:
    """Detectors of one bucket's services, and how much they heard.

    Args:
        make: a detector for a slug.
        services: slugs of the watched ones; rows about others are left out.
        dropped: (n,) ascending places of posts that do not count.
    """

    def __init__(self, make: Callable[[str], Detector], services: frozenset[str], dropped: I64) -> None:
        self.mentioned: Counter[str] = Counter()
        self.complaints = self.repeated = 0
        self._make, self._services, self._dropped = make, services, dropped
        self._followers: dict[str, _Follower] = {}

    def take(self, block: Block) -> list[Said]:
        """What is said about the rows of a block, in order."""
        kept = ~_among(block.place, self._dropped)
        watched = np.array([slug in self._services for slug in block.slugs], dtype=bool)[block.service]
        self.repeated += int((watched & ~kept).sum())
        kept &= watched
        first = block.p[:, 0]
        # The likeliest of five is at least a fifth; of equals the first counts.
        self.complaints += int((kept & (first >= 0.2) & (first >= block.p.max(axis=1))).sum())
        rows = block.order(kept)
        if not len(rows):
            return []
        own = block.service[rows]
        by_service = np.argsort(own, kind="stable")
        ends = np.cumsum(np.bincount(own, minlength=len(block.slugs))).tolist()
        said: list[Said] = []
        start = 0
        for slug, end in zip(block.slugs, ends, strict=True):
            if end > start:
                self.mentioned[slug] += end - start
                said += self._follower(slug).take(block, rows[by_service[start:end]])
                start = end
        said += self.pass_time(moment(int(block.seen[rows[-1]])))
        said.sort(key=lambda each: each.order)
        return said

    def pass_time(self, now: datetime) -> list[Said]:
        """What is said as time passes."""
        found = [said for slug in sorted(self._followers) for said in self._followers[slug].pass_time(now)]
        found.sort(key=lambda each: each.order)
        return found

    def _follower(self, slug: str) -> _Follower:
        found = self._followers.get(slug)
        if found is None:
            found = self._followers[slug] = _Follower(slug, self._make(slug))
        return found


class _Follower:
    """One service's detector."""

    def __init__(self, slug: str, detector: Detector) -> None:
        self._slug, self._detector = slug, detector
        self._open = False

    def take(self, block: Block, rows: I64) -> list[Said]:
        """Have the detector take rows; what it says, and the rows that alerts may show."""
        detector = self._detector
        heeded = set(np.flatnonzero(block.heeded[rows]).tolist())
        said: list[Said] = []
        places = detector.skim(_talk(block, rows)) if isinstance(detector, Skims) else range(len(rows))
        for place in places:
            judgement = block.judgement(int(rows[place]))
            seen = judgement.mention.post.seen_at
            said += self.pass_time(seen)
            signals = detector.observe(judgement)
            self._note(signals)
            if signals or place in heeded:
                heeded.discard(place)
                said.append(Said(seen, self._slug, tuple(signals), judgement))
        for place in sorted(heeded):
            judgement = block.judgement(int(rows[place]))
            said.append(Said(judgement.mention.post.seen_at, self._slug, (), judgement))
        return said

    def pass_time(self, now: datetime) -> list[Said]:
        """Let time pass to the whole minute, if an episode is open; as `Pipeline` does."""
        if not self._open:
            return []
        signals = self._detector.advance(now.replace(second=0, microsecond=0))
        self._note(signals)
        return [Said(signal.at, self._slug, (signal,)) for signal in signals]

    def _note(self, signals: Sequence[Signal]) -> None:
        if signals:
            self._open = signals[-1].level is not None and signals[-1].estimate is not None


def _talk(block: Block, rows: I64) -> Talk:
    p = block.p[rows]
    source = block.source
    return Talk(
        known=_minutes(block.seen[rows]),
        written=_minutes(block.created[rows]),
        complaint=p[:, 0].tolist(),
        now=(p[:, 0] + p[:, 1]).tolist(),
        report=p[:, 1].tolist(),
        source=[source[row] for row in rows.tolist()],
        official=block.official[rows].tolist(),
    )


def _minutes(micros: I64) -> list[float]:
    """As `domain.to_minutes` has them, to the last bit."""
    found: list[float] = (micros / 1e6 / 60.0).tolist()
    return found


def _among(places: I64, some: I64) -> NDArray[np.bool_]:
    if not len(some):
        return np.zeros(len(places), dtype=bool)
    found: NDArray[np.bool_] = some[np.searchsorted(some, places).clip(max=len(some) - 1)] == places
    return found
