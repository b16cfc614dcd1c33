"""The starts to look back to: a geometric set of earlier posts instead of fixed buckets.

A window that starts at a post wastes no time on a bucket's edge. Keeping every post would cost O(n); keeping the
last dozen and, further back, ever sparser ones loses next to nothing, because long windows differ little from
their neighbours (the dyadic idea of Rufibach and Walther, Block criterion for multiscale inference, 2010).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

DECIMALS, FINE = 3, 7  # of what a start remembers: rounded when it begins, so that a restart reads it back exactly


@dataclass(slots=True)
class Sums:
    """Running sums over a service's stream.

    Attributes:
        index: accepted posts so far.
        expected, talk_expected: integrals of the two baselines up to the frontier.
        total: sum of weights.
        chatter: other mentions.
        voters, reports: people and corroborating posts.
        sure: sum of the voters' probabilities.
        loud: voters who have posted again.
        young: the part of `total` that new accounts brought.
        local_count, local_expected: discounted counts and expectation: the local level.
    """

    index: int = 0
    expected: float = 0.0
    talk_expected: float = 0.0
    total: float = 0.0
    chatter: float = 0.0
    voters: int = 0
    sure: float = 0.0
    loud: int = 0
    young: float = 0.0
    reports: int = 0
    local_count: float = 0.0
    local_expected: float = 0.0


@dataclass(slots=True)
class Start:
    """A post from which windows run; sums are those before the post.

    Attributes:
        at: event time, minutes.
        index: number of the post in the stream.
        expected: integral of the baseline up to `at`.
        talk_expected: the same of mentions that are no complaints.
        before: sum of weights before it.
        own: its own weight; a window is conditioned on its first post.
        chatter: other mentions before it.
        voters, reports: people and corroborating posts before it.
        sure: sum of the voters' probabilities before it.
        young: weights of new accounts before it.
        local_count, local_expected: the local level before the post, so an outage cannot raise its own null.
        loud: those of the voters before it who have posted again.
    """

    at: float
    index: int
    expected: float
    talk_expected: float
    before: float
    own: float
    chatter: float
    voters: int
    sure: float
    young: float
    reports: int
    local_count: float
    local_expected: float
    loud: int = 0

    @classmethod
    def of(
        cls,
        before: Sums | Start,
        *,
        at: float,
        total: float,
        expected: float,
        talk_expected: float,
        own: float,
        now: Sums,
    ) -> Start:
        """A start whose sums are those of `before` (of which `total` are people) and whose local level is of `now`."""
        return cls(
            at=round(at, DECIMALS),
            index=now.index,
            expected=round(expected, FINE),
            talk_expected=round(talk_expected, DECIMALS),
            before=round(total, DECIMALS),
            own=round(own, DECIMALS),
            chatter=round(before.chatter, DECIMALS),
            voters=before.voters,
            sure=round(before.sure, DECIMALS),
            young=round(before.young, DECIMALS),
            reports=before.reports,
            local_count=round(now.local_count, DECIMALS),
            local_expected=round(now.local_expected, DECIMALS),
            loud=before.loud,
        )

    def add(self, w: float, young: float, *, sure: float, voter: bool, report: bool) -> None:
        """One more post before this one became known."""
        self.before = round(self.before + w, DECIMALS)
        self.voters += voter
        self.sure = round(self.sure + sure, DECIMALS)
        self.young = round(self.young + young, DECIMALS)
        self.reports += report

    PACKED: ClassVar[dict[str, int]] = {
        "at": DECIMALS,
        "index": 0,
        "expected": FINE,
        "talk_expected": DECIMALS,
        "before": DECIMALS,
        "own": DECIMALS,
        "chatter": DECIMALS,
        "voters": 0,
        "sure": DECIMALS,
        "young": DECIMALS,
        "reports": 0,
        "local_count": DECIMALS,
        "local_expected": DECIMALS,
        "loud": 0,
    }


@dataclass(slots=True)
class Starts:
    """Kept window starts, oldest first.

    Attributes:
        dense: this many newest posts are all kept; of age [dense*2^j, dense*2^(j+1)) every 2^j-th.
        reach: minutes after which a start is dropped.
    """

    dense: int = 8
    reach: float = 360.0
    kept: list[Start] = field(default_factory=list)

    def add(self, start: Start, newest: int) -> None:
        """Keep a start in order of time; `newest` is the number of posts so far."""
        kept = self.kept
        if not kept or kept[-1].at <= start.at:
            kept.append(start)
        else:
            position = len(kept)
            while position and kept[position - 1].at > start.at:
                position -= 1
            kept.insert(position, start)
        if newest % 4 == 0:
            self._thin(newest)

    def drop_before(self, at: float) -> None:
        """Forget starts more than `reach` before `at`."""
        kept = self.kept
        cut = 0
        while cut < len(kept) and at - kept[cut].at > self.reach:
            cut += 1
        if cut:
            del kept[:cut]

    def _thin(self, newest: int) -> None:
        dense = self.dense
        self.kept = [
            start
            for start in self.kept
            if (age := newest - start.index) < 2 * dense
            or start.index % (1 << max(0, (age // dense).bit_length() - 1)) == 0
        ]
