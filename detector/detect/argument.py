"""The rarest recent window: which one argues best that more people complain than chance explains.

For each kept start the window's people after the first are compared with what the hour brings, corrected by the
local level before the window and by a surplus of other talk, as a negative binomial whose variance says how little
of the level is known. The score is -ln(clusters at least as dense a month).
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import NamedTuple

from detector.detect.negbin import MONTH_MINUTES, divergence, log_tail
from detector.detect.usual import Usual
from detector.detect.windows import Start, Starts, Sums

DRIFT = 60.0  # minutes in which the true level forgets itself (an AR(1) of variance phi)
SURE_ALONE = 2.2  # sum of the probabilities of at least three people that opens an alert
SURE_TOGETHER = 1.4  # the same where third-person reports corroborate; also what a watch needs
LOCAL_LEAST = 0.7  # a lull before a window lowers its expectation no further than this
LOCAL_MOST = 2.0  # and a rise raises it by at most so many standard deviations: beyond, the rise itself is news
LEAK_MOST, LEAK = 0.3, 1.5  # how much of a surplus of other talk is taken for misread complaints


class Argument(NamedTuple):
    """A window and how rare it is; `people` includes the first, `expected` does not."""

    score: float
    start: Start
    people: float
    expected: float


def enough_people(sums: Sums, start: Start) -> tuple[bool, bool]:
    """Whether enough people complain since `start` on their own, or together with those who report it."""
    voters, reports = sums.voters - start.voters, sums.reports - start.reports
    sure = sums.sure - start.sure
    alone = voters >= 3 and sure >= SURE_ALONE
    return alone, voters + reports >= 3 and reports >= 1 and sure >= SURE_TOGETHER


def rarest(
    starts: Starts, sums: Sums, usual: Usual, scale: float, frontier: float
) -> tuple[Argument | None, Argument | None]:
    """The rarest window of all, and the rarest in which enough people speak for an alert."""
    base = usual.people
    phi, unsure = base.phi, base.variance(frontier)
    ceiling = 1.0 + LOCAL_MOST * sqrt(phi + unsure)
    k0 = 1.0 / (phi + unsure)
    per_minute = base.rate(frontier)
    rate = log(per_minute * scale * MONTH_MINUTES)
    blur = 0.01 + 0.01 * per_minute / (per_minute + 0.5)  # what tracking the level leaves unknown
    leak = LEAK * min(base.level / (base.level + usual.talk.level), LEAK_MOST)
    best: Argument | None = None
    enough: Argument | None = None
    for start in reversed(starts.kept):
        if sums.sure - start.sure < SURE_TOGETHER:
            continue
        count = (sums.total - start.before - start.own) * scale
        if count <= 0.0:
            continue
        local = min(max(LOCAL_LEAST, (k0 + start.local_count) / (k0 + start.local_expected)), ceiling)
        mu = (sums.expected - start.expected) * local * scale + 1e-9
        talk = sums.chatter - start.chatter - (sums.talk_expected - start.talk_expected) * local - count
        if talk > 0.0:
            mu += leak * talk * scale
        if count <= 1.15 * mu:
            continue
        x = (frontier - start.at) / DRIFT
        drift = 1.5 * phi * (1.0 - exp(-x))
        kappa = 1.0 / min(1.0 / (k0 + start.local_count) + drift + blur, phi + unsure)
        speaks = any(enough_people(sums, start))
        to_beat = best.score if best else -50.0
        if speaks:
            to_beat = min(to_beat, enough.score if enough else -50.0)
        if divergence(count, mu, kappa) - rate + 2.5 < to_beat:
            continue
        argument = Argument(-(rate + log_tail(count, mu, kappa)), start, count / scale + 1.0, mu / scale)
        if best is None or argument.score > best.score:
            best = argument
        young = (sums.young - start.young) * scale
        if speaks and young > 0.0:
            # New accounts may raise a watch; an alert must stand without them.
            argument = argument._replace(score=-(rate + log_tail(max(count - young, 0.0), mu, kappa)))
        if speaks and (enough is None or argument.score > enough.score):
            enough = argument
    return best, enough
