"""Streams that never were: seeded complaints and chatter about one service, with outages known to the second.

A usual rate (hour of day times weekend) is multiplied by a wandering level, exp of an AR(1) per minute plus a daily
one, and drives a Poisson process: counts come out overdispersed and correlated, as real ones are (log-Gaussian Cox
process: Moller, Syversveen and Waagepetersen, Scandinavian Journal of Statistics 1998). On top come what fools
detectors (virals without complaints, campaigns, people who post again, deaf spans) and the outages that must be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import exp, pi, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

DAY = 1440
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to draw; two equal plans give the same stream.

    Attributes:
        days: length; the stream begins on a Monday at 00:00.
        complaints, chatter: posts a minute outside outages, on average over the week.
        level_sigma, level_memory: size and memory in minutes of the wandering level; `daily_sigma` is a day's own.
        repeats: share of people who post once to three times more within minutes.
        virals: a week; surges of chatter 4 to 25 times the usual volume over one to five hours.
        campaigns: a week; 4 authors with 5 complaints each, or 12 with one copied text, within 8 minutes.
        deaf: a week; spans of `deaf_minutes` in which the collector loses everything.
        calm_days: no outage before.
        every_hours: mean distance of outages; 0 means none. Each lasts `outage_minutes`, its complaints come at one of
            `ratios` times their usual rate, reached over one of `ramps` minutes.
    """

    seed: int = 0
    days: int = 56
    complaints: float = 0.5
    chatter: float = 0.0
    level_sigma: float = 0.3
    level_memory: float = 60.0
    daily_sigma: float = 0.15
    repeats: float = 0.0
    virals: float = 0.0
    campaigns: float = 0.0
    deaf: float = 0.0
    deaf_minutes: float = 90.0
    calm_days: float = 28.0
    every_hours: float = 0.0
    outage_minutes: float = 60.0
    ratios: tuple[float, ...] = (10.0, 30.0, 100.0)
    ramps: tuple[float, ...] = (1.0, 3.0, 10.0)

    def __post_init__(self) -> None:
        if self.days < 1 or self.complaints <= 0 or self.chatter < 0:
            raise ValueError("a stream needs at least a day and some complaints a minute")
        if self.every_hours and self.every_hours * 60 < 2 * self.outage_minutes:
            raise ValueError("outages must be at least twice their length apart")
        if not self.ratios or not self.ramps or min(self.ratios) <= 1 or min(self.ramps) <= 0:
            raise ValueError("ratios must be above 1, ramps above 0")


@dataclass(frozen=True, slots=True)
class Outage:
    """One true outage, minutes from the stream's start; `posts` is what it added to the usual complaints."""

    onset: float
    end: float
    ratio: float
    ramp: float
    posts: int


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A drawn stream: one row a post, in order of time.

    Attributes:
        at: minutes from the start.
        complaint: which posts complain.
        author: number of the author.
        copied: number of the copied text, -1 where a post has its own words.
        hard: chatter of a viral that reads like complaints.
        usual, rate: complaints a minute, minute by minute: the rhythm alone, and with the level that nobody sees.
        talk, hard_talk: other mentions a minute, and those that read like complaints.
        deaf: spans without a collector.
    """

    plan: Plan
    at: Floats
    complaint: Flags
    author: Integers
    copied: Integers
    hard: Flags
    usual: Floats
    rate: Floats
    talk: Floats
    hard_talk: Floats
    outages: tuple[Outage, ...]
    deaf: tuple[tuple[float, float], ...]


def simulate(plan: Plan) -> Stream:
    """Draw the stream of a plan.

    >>> stream = simulate(Plan(days=9, calm_days=7, every_hours=24, ratios=(30.0,), seed=4))
    >>> len(stream.outages), bool((stream.at[1:] >= stream.at[:-1]).all())
    (2, True)
    >>> mean = len(simulate(Plan(days=56, complaints=0.2, seed=5)).at) / (56 * 1440)
    >>> 0.15 < mean < 0.25
    True
    """
    import numpy as np

    rng = np.random.default_rng(plan.seed)
    minutes = plan.days * DAY
    usual = plan.complaints * _rhythm(rng, minutes)
    rate = usual * _level(rng, plan, minutes)
    draft = _Draft(rng)
    others = plan.chatter / plan.complaints
    for share, complains in ((1.0, True), (others, False)):
        if share:
            draft.people(_events(rng, rate * share), complaint=complains, repeats=plan.repeats)
    talk, hard_talk = rate * others, rate * 0.0
    for start in _moments(rng, plan.virals, 0.0, minutes - 600.0):
        surge, alike = _viral(rng, draft, start, usual * (1.0 + others))
        (hard_talk if alike else talk)[int(start) : int(start) + len(surge)] += surge
    for start in _moments(rng, plan.campaigns, 0.0, minutes - 600.0):
        _campaign(rng, draft, start)
    outages = tuple(_outage(rng, draft, plan, start, rate) for start in _onsets(rng, plan))
    deaf = tuple((start, start + plan.deaf_minutes) for start in _moments(rng, plan.deaf, float(DAY), minutes - 600.0))
    at, complaint, author, copied, hard = draft.columns()
    keep = at < minutes
    for start, end in deaf:
        keep &= (at < start) | (at >= end)
    order = np.flatnonzero(keep)[np.argsort(at[keep], kind="stable")]
    columns = (at[order], complaint[order], author[order], copied[order], hard[order])
    return Stream(plan, *columns, usual, rate, talk, hard_talk, outages, deaf)


class _Draft:
    """Columns while they are collected."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.authors = self.texts = 0
        self.parts: list[tuple[Floats, Flags, Integers, Integers, Flags]] = []

    def add(
        self,
        at: Floats,
        *,
        complaint: bool,
        author: Integers | None = None,
        copied: int = -1,
        hard: bool = False,
    ) -> Integers:
        """Add posts; each by a new author unless told otherwise."""
        import numpy as np

        size = len(at)
        if author is None:
            author = np.arange(self.authors, self.authors + size)
            self.authors += size
        self.parts.append((at, np.full(size, complaint), author, np.full(size, copied), np.full(size, hard)))
        return author

    def people(self, at: Floats, *, complaint: bool, repeats: float) -> None:
        """Add posts of new people, of whom some post again: one, half of them two, a quarter three times."""
        author = self.add(at, complaint=complaint)
        if repeats <= 0:
            return
        again = self.rng.random(len(at)) < repeats
        for share in (1.0, 0.5, 0.5):
            again &= self.rng.random(len(at)) < share
            more = at[again] + self.rng.exponential(4.0, int(again.sum()))
            self.add(more, complaint=complaint, author=author[again])

    def columns(self) -> tuple[Floats, Flags, Integers, Integers, Flags]:
        """All parts, one below the other."""
        import numpy as np

        at, complaint, author, copied, hard = zip(*self.parts, strict=True)
        return (
            np.concatenate(at),
            np.concatenate(complaint),
            np.concatenate(author),
            np.concatenate(copied),
            np.concatenate(hard),
        )


def _rhythm(rng: np.random.Generator, minutes: int) -> Floats:
    """Busy and quiet hours around mean 1: two harmonics of the day in a random time zone, weekends lower."""
    import numpy as np

    at = np.arange(minutes)
    hour = (at % DAY) / 60.0 - (float(rng.choice([0, 3, 6, 9, 16])) + rng.normal(0.0, 0.5))
    daily = np.exp(0.9 * np.cos(2 * pi * (hour - 15) / 24) + 0.25 * np.cos(4 * pi * (hour - 11) / 24))
    weekend = np.where((at // DAY) % 7 >= 5, rng.uniform(0.45, 0.8), 1.0)
    shape: Floats = daily * weekend
    return shape / float(shape[: min(minutes, WEEK)].mean())


def _level(rng: np.random.Generator, plan: Plan, minutes: int) -> Floats:
    """exp(AR(1) + a day's own, smoothed over half a day), with mean about 1."""
    import numpy as np

    keep = exp(-1.0 / plan.level_memory)
    noise = rng.normal(0.0, plan.level_sigma * sqrt(1.0 - keep * keep), minutes)
    wandering = np.array(list(accumulate(noise.tolist(), lambda level, step: keep * level + step)))
    half = DAY // 2
    halves = np.repeat(rng.normal(0.0, plan.daily_sigma, plan.days + 2), 2)
    sums = np.concatenate([[0.0], np.cumsum(np.repeat(halves, half))])
    daily = ((sums[half:] - sums[:-half]) / half)[:minutes]
    variance = plan.level_sigma**2 + plan.daily_sigma**2
    level: Floats = np.exp(wandering + daily - variance / 2.0)
    return level


def _events(rng: np.random.Generator, rate: Floats, first: int = 0) -> Floats:
    """Times of a Poisson process whose rate is constant within each minute; `rate[0]` is minute `first`'s."""
    import numpy as np

    counts = rng.poisson(rate)
    at: Floats = first + np.repeat(np.arange(len(rate)), counts) + rng.random(int(counts.sum()))
    at.sort()
    return at


def _moments(rng: np.random.Generator, per_week: float, first: float, last: float) -> list[float]:
    """Moments of a Poisson process of so many a week."""
    found: list[float] = []
    if per_week <= 0:
        return found
    at = first + rng.uniform(0.0, WEEK / per_week)
    while at < last:
        found.append(float(at))
        at += rng.exponential(WEEK / per_week)
    return found


def _onsets(rng: np.random.Generator, plan: Plan) -> list[float]:
    """Onsets at about equal distances, never at the same hour."""
    if not plan.every_hours:
        return []
    every = plan.every_hours * 60.0
    last = plan.days * DAY - plan.outage_minutes - 240.0
    at, found = plan.calm_days * DAY + every * rng.uniform(0.2, 1.0), []
    while at < last:
        found.append(float(at))
        at += every * rng.uniform(0.8, 1.2)
    return found


def _viral(rng: np.random.Generator, draft: _Draft, start: float, usual: Floats) -> tuple[Floats, bool]:
    """A surge of chatter from minute `start`: mentions a minute, and whether they read like complaints."""
    import numpy as np

    size, fade = exp(rng.uniform(np.log(4.0), np.log(25.0))), rng.uniform(60.0, 300.0)
    first = int(start)
    age = np.arange(first, min(len(usual), first + int(3 * fade))) - first
    rate: Floats = size * usual[first : first + len(age)] * np.exp(-age / fade) * np.minimum(1.0, (age + 1) / 10.0)
    at, hard = _events(rng, rate, first), bool(rng.random() < 0.4)
    draft.add(at, complaint=False, hard=hard)
    return rate, hard


def _campaign(rng: np.random.Generator, draft: _Draft, start: float) -> None:
    import numpy as np

    if rng.random() < 0.5:
        author = np.tile(np.arange(draft.authors, draft.authors + 4), 5)
        draft.authors += 4
        draft.add(start + np.sort(rng.random(20)) * 8.0, complaint=True, author=author)
    else:
        draft.add(start + np.sort(rng.random(12)) * 8.0, complaint=True, copied=draft.texts)
        draft.texts += 1


def _outage(rng: np.random.Generator, draft: _Draft, plan: Plan, start: float, rate: Floats) -> Outage:
    import numpy as np

    ratio, ramp = float(rng.choice(plan.ratios)), float(rng.choice(plan.ramps))
    end = start + plan.outage_minutes
    first = int(start)
    at = _events(rng, (ratio - 1.0) * rate[first : int(end) + 2], first)
    at = at[(at >= start) & (at < end)]
    at = at[rng.random(len(at)) < np.minimum(1.0, (at - start) / ramp)]
    draft.add(at, complaint=True)
    return Outage(start, end, ratio, ramp, len(at))
