"""The rarest recent window: which one argues best that more people complain than chance explains.

For each kept start the window's people after the first are compared with what the hour brings, corrected by the
local level before the window and by a surplus of other talk, as a negative binomial whose variance says how little
of the level is known. The score is -ln(clusters at least as dense a month).
"""

from __future__ import annotations

from math import exp, log, pi, sqrt
from typing import NamedTuple

from detector.detect.negbin import MONTH_MINUTES, divergence, log_tail
from detector.detect.usual import Usual
from detector.detect.windows import Start, Starts, Sums

DRIFT = 60.0  # minutes in which the true level forgets itself (an AR(1) of variance phi)
SURE_ALONE = 2.2  # sum of the probabilities of at least three people that opens an alert
SURE_TOGETHER = 1.4  # the same where third-person reports corroborate; also what a watch needs
SPARSE, LIVELY = 0.05, 0.2  # mentions a minute
LOCAL_LEAST = 0.7  # a lull before a window lowers its expectation no further than this
LOCAL_MOST = 2.0  # and a rise raises it by at most so many standard deviations: beyond, the rise itself is news
LEAK_MOST, LEAK = 0.3, 1.5  # how much of a surplus of other talk is taken for misread complaints


class Argument(NamedTuple):
    """A window and how rare it is; `people` includes the first, `expected` does not."""

    score: float
    start: Start
    people: float
    expected: float


def people_needed(mentions: float) -> int:
    """Different people whom an alert needs where so many mentions a minute are usual.

    Where much is said a handful of accounts that act together comes by more often than an outage: of a service of
    which nobody speaks three suffice, of others four, and of those named every five minutes five.

    >>> [people_needed(mentions) for mentions in (0.001, 0.1, 5.0)]
    [3, 4, 5]
    """
    return 3 if mentions < SPARSE else 4 if mentions < LIVELY else 5


def enough_people(sums: Sums, start: Start, needed: int) -> tuple[bool, bool]:
    """Whether `needed` people complain since `start` on their own, or together with those who report it."""
    voters, reports = sums.voters - start.voters, sums.reports - start.reports
    sure = sums.sure - start.sure
    loud = sums.loud - start.loud
    if loud > 1 and voters - loud + 1 < needed - 1:
        return False, False
    alone = voters >= needed and sure >= SURE_ALONE
    return alone, voters + reports >= needed and reports >= 1 and sure >= SURE_TOGETHER


def rarest(
    starts: Starts, sums: Sums, usual: Usual, scale: float, frontier: float, *, least: float = -50.0
) -> tuple[Argument | None, Argument | None]:
    """The rarest window of all, and the rarest in which enough people speak for an alert; below `least` None.

    Most windows are dismissed by bounds that cost a few products: a Poisson tail is never rarer than
    (n - mu)^2 / mu says, and -ln P[X >= n] <= -ln P[X = n], Stirling's divergence plus half a logarithm.
    """
    base = usual.people
    sure_before = sums.sure - SURE_TOGETHER
    kept = starts.kept
    if not kept or kept[0].sure > sure_before:
        return None, None
    phi, unsure = base.phi, base.variance(frontier)
    most = phi + unsure
    ceiling = 1.0 + LOCAL_MOST * sqrt(most)
    k0 = 1.0 / most
    per_minute = usual.rate(frontier)
    rate = log(per_minute * scale * MONTH_MINUTES)
    blur = 0.01 + 0.01 * per_minute / (per_minute + 0.5)  # what tracking the level leaves unknown
    leak = LEAK * min(base.level / (base.level + usual.talk.level), LEAK_MOST) * scale
    everyone = max((sums.total - kept[0].before) * scale, 1.0)
    slack = 0.3 + 0.5 * log(2.0 * pi * everyone * (1.0 + everyone * most))
    total, expected, chatter, talk_expected = sums.total, sums.expected, sums.chatter, sums.talk_expected
    needed = people_needed((base.level + usual.talk.level) / 60.0)
    best: Argument | None = None
    enough: Argument | None = None
    to_beat = least
    for start in reversed(kept):
        if start.sure > sure_before:
            continue
        count = (total - start.before - start.own) * scale
        local = (k0 + start.local_count) / (k0 + start.local_expected)
        if local < LOCAL_LEAST:
            local = LOCAL_LEAST
        elif local > ceiling:
            local = ceiling
        mu = max(expected - start.expected, 0.0) * local * scale + 1e-9
        over = count - 1.15 * mu
        if over <= 0.0:
            continue
        need = to_beat + rate - slack
        if need > 0.0 and (count - mu) * (count - mu) < need * mu:
            continue
        drift = 1.5 * phi * (1.0 - exp((start.at - frontier) / DRIFT))
        spread = min(1.0 / (k0 + start.local_count) + drift + blur, most)
        talk = chatter - start.chatter - (talk_expected - start.talk_expected) * local - count
        if talk > 0.0:
            mu += leak * talk
            if count <= 1.15 * mu:
                continue
        kappa = 1.0 / spread
        if divergence(count, mu, kappa) < need:
            continue
        speaks = any(enough_people(sums, start, needed))
        score = -(rate + log_tail(count, mu, kappa))
        if score < least:
            continue
        argument = Argument(score, start, count / scale + 1.0, mu / scale)
        if best is None or score > best.score:
            best = argument
        young = (sums.young - start.young) * scale
        if speaks and young > 0.0:
            # New accounts may raise a watch; an alert must stand without them.
            argument = argument._replace(score=-(rate + log_tail(max(count - young, 0.0), mu, kappa)))
        if speaks and (enough is None or argument.score > enough.score):
            enough = argument
        # A window that is not the rarest may still be the rarest in which enough people speak.
        to_beat = max(least, min(best.score, enough.score if enough else least))
    return best, enough
