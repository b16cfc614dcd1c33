"""The limit among virals and campaigns: a CUSUM that knows all that a detector has to guess.

It knows the hidden level, how loud each viral is and whether it reads like complaints, how the classifier's scores
are distributed, and the size of the outage; it sees each score, each author once and each copied text once. Its
threshold is the one at which it raises one false episode a service-month on the streams without outages (Moustakides
1986: for a step between known rates nothing is earlier).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import repeat
from math import inf
from typing import TYPE_CHECKING

from detector.detect.simulate import DAY, Plan, simulate
from tests.bench.detect_ours import MONTH, episodes, scores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

VOTE = 180.0  # minutes in which an author or a text counts once


def oracle(calm: Sequence[Plan], true: Sequence[Plan], ratio: float, scored_from: float, pool: Executor) -> list[float]:
    """Delays of the oracle for outages of `ratio`, at one false episode a service-month on the calm streams."""
    quiet = list(pool.map(statistic, calm, repeat(ratio)))
    months = sum((plan.days * DAY - scored_from) / MONTH for plan in calm)
    low, high = 0.0, 100.0
    for _ in range(25):
        middle = (low + high) / 2.0
        false = sum(episodes(at[(seen >= middle) & (at >= scored_from)].tolist()) for at, seen in quiet)
        low, high = (middle, high) if false > months else (low, middle)
    found = []
    for plan, (at, seen) in zip(true, pool.map(statistic, true, repeat(ratio)), strict=True):
        for outage in simulate(plan).outages:
            if outage.ratio == ratio:
                over = at[(at >= outage.onset) & (at <= outage.end) & (seen >= high)]
                found.append(float(over[0]) - outage.onset if len(over) else inf)
    return found


def statistic(plan: Plan, ratio: float) -> tuple[Floats, Floats]:
    """The CUSUM after each post that counts, and when: Page's recursion on the log likelihood ratio of the scores."""
    import numpy as np

    stream = simulate(plan)
    score, kept = scores(stream), _first(stream.at.tolist(), stream.author.tolist(), stream.copied.tolist())
    at, score = stream.at[kept], score[kept]
    minute = at.astype(int)
    rate = stream.rate[minute]

    def density(middle: float) -> Floats:
        like: Floats = np.exp(-((score - middle) ** 2) / (2.0 * 1.4**2))
        return like

    usual = rate * density(2.2)
    others = stream.talk[minute] * density(-2.2) + stream.hard_talk[minute] * density(-1.2)
    gain = np.log1p((ratio - 1.0) * usual / (usual + others))
    before = np.concatenate([[0.0], np.cumsum(stream.rate)])
    cost = (ratio - 1.0) * (before[minute] + (at - minute) * rate)
    seen, level, last = np.empty(len(at)), 0.0, 0.0
    for place, (more, spent) in enumerate(zip(gain.tolist(), cost.tolist(), strict=True)):
        level = max(0.0, level - (spent - last)) + more
        seen[place], last = level, spent
    return at, seen


def _first(at: Sequence[float], authors: Sequence[int], copied: Sequence[int]) -> list[int]:
    """The posts that are nobody's second within three hours, and no copy."""
    last: dict[tuple[str, int], float] = {}
    kept = []
    for place, (when, author, text) in enumerate(zip(at, authors, copied, strict=True)):
        keys = [("author", author), *([("text", text)] if text >= 0 else [])]
        if all(when - last.get(key, -inf) >= VOTE for key in keys):
            kept.append(place)
            last.update(dict.fromkeys(keys, when))
    return kept
