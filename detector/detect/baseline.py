"""How many complaints this hour of the week usually brings: a shrunk, seasonal gamma-Poisson baseline.

rate(t) = level * shape(hour of week), interpolated between the hours' middles. The shape shrinks to the product of an
hour-of-day and a day-of-week profile, and these to flat, with prior strengths counted in complaints (empirical Bayes:
Gelman et al., Bayesian Data Analysis, section 2.7; seasonal negative binomial surveillance: Noufaily et al.,
Statistics in Medicine 2013). Surges are clipped before they are learned, hours with an alert or without coverage are
not learned at all, and a shift of the whole level is caught by comparing a day with its expectation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp, floor, sqrt
from typing import Any, ClassVar

from detector.detect.packing import packed, unpacked

WEEK = 168
_HOUR_KEEP = 0.5 ** (1.0 / 72.0)  # the level's half-life: 3 days
_DAY_KEEP = exp(-1.0 / 24.0)
_FAST_KEEP = exp(-1.0 / 4.0)
_WEEK_KEEP = 0.85
_SPREAD_KEEP = _HOUR_KEEP**0.2
_DAILY, _HOURLY = _WEEK_KEEP ** (1.0 / 7.0), _WEEK_KEEP ** (1.0 / 24.0)
_KEPT, _SHAPED = 1, 3  # decimals of the tables: counts stand beside 20, profiles beside 5; read back exactly
_K_HOUR, _K_DAY = 20.0, 5.0  # prior strengths, in complaints
_SHAPE_AFTER = 36.0  # hours: before that the level is too unsure to divide by
PHI_PRIOR, PHI_FLOOR = 0.12, 0.02


def _flat(size: int) -> list[float]:
    return [0.0] * size


@dataclass(slots=True)
class Baseline:
    """The usual rate of one service, learned hour by hour.

    Attributes:
        prior_rate: complaints an hour before anything is known.
        prior_hours: how many hours of data that prior is worth.
        local_hour: maps an hour since Monday 1970-01-05 00:00 UTC to the hour of the users' week.
        learned: covered, alert-free hours so far.
        total: complaints learned so far.
    """

    prior_rate: float = 0.3
    prior_hours: float = 7.2
    local_hour: Callable[[int], int] = lambda hour: hour % WEEK
    learned: float = 0.0
    total: float = 0.0
    level_count: float = 0.0
    level_hours: float = 0.0
    day_count: float = 0.0
    day_expected: float = 0.0
    fast_count: float = 0.0
    fast_expected: float = 0.0
    spread: float = 0.0
    spread_weight: float = 0.0
    counts: list[float] = field(default_factory=lambda: _flat(WEEK))
    exposure: list[float] = field(default_factory=lambda: _flat(WEEK))
    hour_counts: list[float] = field(default_factory=lambda: _flat(24))
    hour_exposure: list[float] = field(default_factory=lambda: _flat(24))
    day_counts: list[float] = field(default_factory=lambda: _flat(7))
    day_exposure: list[float] = field(default_factory=lambda: _flat(7))
    shape: list[float] = field(default_factory=lambda: [1.0] * WEEK)
    dirty: bool = False
    since: float = 0.0  # the line that `rate` follows: from `first` at `since`, `slope` a minute, until `until`
    until: float = 0.0
    first: float = 0.0
    slope: float = 0.0

    def __post_init__(self) -> None:
        """Start the level from the prior."""
        if not self.level_hours:
            self.level_count = self.prior_rate * self.prior_hours
            self.level_hours = self.prior_hours

    @property
    def level(self) -> float:
        """Complaints an hour at a flat shape."""
        return (self.level_count + 0.2) / (self.level_hours + 0.2)

    @property
    def phi(self) -> float:
        """Overdispersion of hourly counts beyond Poisson: variance = mu + phi mu^2."""
        return max(PHI_FLOOR, min((self.spread + PHI_PRIOR * 30.0) / (self.spread_weight + 30.0), 3.0))

    def rate(self, at: float) -> float:
        """Complaints a minute at `at` (minutes since the epoch)."""
        if not self.since <= at < self.until:
            self._draw(at)
        here = self.first + self.slope * (at - self.since)
        return max(1e-07, here)

    def _draw(self, at: float) -> None:
        """Keep the straight line between the two hours' middles around `at`, until something is learned."""
        after = floor((at + 30.0) / 60.0)
        self.since, self.until = after * 60.0 - 30.0, after * 60.0 + 30.0
        level = self.level / 60.0
        self.first = level * self.shape[self.local_hour(after - 1)]
        self.slope = (level * self.shape[self.local_hour(after)] - self.first) / 60.0

    def expected(self, start: float, end: float) -> float:
        """Integral of the rate over [start, end] minutes; exact, as the rate is linear between the hours' middles."""
        if end <= start:
            return 0.0
        if self.since <= start and end < self.until:
            return self.rate((start + end) / 2.0) * (end - start)
        total, at = 0.0, start
        while at < end:
            step = min(end, (floor((at + 30.0) / 60.0) + 1) * 60.0 - 30.0)
            total += self.rate((at + step) / 2.0) * (step - at)
            at = step
        return total

    def variance(self, at: float) -> float:
        """Relative posterior variance of the rate at `at`: how little we know."""
        here = self.counts[self.local_hour(floor(at / 60.0))]
        return 1.0 / (self.level_count + 0.5) + 1.0 / (here + 21.0)

    def learn(self, hour: int, count: float, exposure: float) -> None:
        """Take in one hour: `count` complaints over `exposure` (0 to 1) of covered, alert-free time."""
        self.until = self.since
        if exposure > 0.2:
            self._learn(self.local_hour(hour), count, exposure)
        if hour % 24 == 23 and self.dirty:
            self._reshape()

    def learn_quiet(self, first: int, end: int) -> None:
        """Take in the covered hours [first, end) without a single complaint.

        Within a day, or a week where the level is low, the level is held constant: a few millionths of difference
        from `learn` for each hour, at a tenth of the cost. The caller must cut the span the same way each time.
        """
        hour = first
        self.until = self.since
        while hour < end:
            left = end - hour
            if left >= WEEK and self.level < 0.2 and self.learned >= _SHAPE_AFTER:
                step = WEEK
            elif left >= 24 and self.level < 0.5 and self.learned >= _SHAPE_AFTER:
                step = 24
            else:
                hour = self._learn_none(hour, end)
                continue
            self._learn_calm(hour, step)
            hour += step
        if self.dirty and end // 24 > first // 24:
            self._reshape()

    def _learn_none(self, first: int, end: int) -> int:
        """As `learn` of whole hours without complaints, until one from which more can be taken at once, or `end`."""
        local, shape, counts, exposure = self.local_hour, self.shape, self.counts, self.exposure
        for hour in range(first, end):
            level = (self.level_count + 0.2) / (self.level_hours + 0.2)
            if hour > first and level < 0.5 and end - hour >= 24 and self.learned >= _SHAPE_AFTER:
                return hour
            slot = local(hour)
            mu = level * shape[slot]
            if mu >= 0.5 and self.learned > _SHAPE_AFTER:
                self._learn_spread(mu, 0.0)
            self.level_count *= _HOUR_KEEP
            self.level_hours = self.level_hours * _HOUR_KEEP + shape[slot]
            self.learned += 1.0
            self.day_count *= _DAY_KEEP
            self.day_expected = self.day_expected * _DAY_KEEP + mu
            self.fast_count *= _FAST_KEEP
            self.fast_expected = self.fast_expected * _FAST_KEEP + mu
            if self.day_expected >= 8.0 or self.fast_expected >= 30.0:
                self._follow_shift(level)
            if self.learned >= _SHAPE_AFTER:
                seen = exposure[slot]
                keep = _WEEK_KEEP if seen else 1.0
                if counts[slot]:
                    counts[slot] = round(counts[slot] * keep, _KEPT)
                exposure[slot] = round(seen * keep + level, _KEPT)
                self._learn_profiles(slot, 0.0, level)
            if self.dirty and hour % 24 == 23:
                self._reshape()
                shape = self.shape
        return end

    def _learn_calm(self, first: int, hours: int) -> None:
        level = self.level
        start = self.local_hour(first)
        slots = range(WEEK) if hours == WEEK else [(start + i) % WEEK for i in range(hours)]
        keep = _HOUR_KEEP**hours
        mean = sum(self.shape[slot] for slot in slots) / hours
        self.level_count *= keep
        self.level_hours = self.level_hours * keep + mean * (1.0 - keep) / (1.0 - _HOUR_KEEP)
        self.learned += hours
        keep = _DAY_KEEP**hours
        self.day_count *= keep
        self.day_expected = self.day_expected * keep + level * mean * (1.0 - keep) / (1.0 - _DAY_KEEP)
        keep = _FAST_KEEP**hours
        self.fast_count *= keep
        self.fast_expected = self.fast_expected * keep + level * mean * (1.0 - keep) / (1.0 - _FAST_KEEP)
        self._follow_shift(level)
        for slot in slots:
            if self.counts[slot]:
                self.counts[slot] = round(self.counts[slot] * _WEEK_KEEP, _KEPT)
            self.exposure[slot] = round(self.exposure[slot] * _WEEK_KEEP + level, _KEPT)
        keep = _WEEK_KEEP ** (hours / WEEK)
        gain = level * hours
        self.hour_counts = [count and round(count * keep, _SHAPED) for count in self.hour_counts]
        self.hour_exposure = [round(seen * keep + gain / 24.0, _SHAPED) for seen in self.hour_exposure]
        self.day_counts = [count and round(count * keep, _SHAPED) for count in self.day_counts]
        self.day_exposure = [round(seen * keep + gain / 7.0, _SHAPED) for seen in self.day_exposure]

    def _learn(self, slot: int, count: float, exposure: float) -> None:
        level = (self.level_count + 0.2) / (self.level_hours + 0.2)  # written out here and below: run for every hour
        usual = self.shape[slot]
        mu = level * usual * exposure
        clipped = count
        if count > 2.0 and self.learned > 24.0:
            clipped = min(count, mu + 3.0 * sqrt(mu + self.phi * mu * mu) + 2.0)
        if mu >= 0.5 and self.learned > _SHAPE_AFTER:
            self._learn_spread(mu, clipped)
        self.level_count = self.level_count * _HOUR_KEEP + clipped
        self.level_hours = self.level_hours * _HOUR_KEEP + usual * exposure
        self.learned += exposure
        self.total += clipped
        self.day_count = self.day_count * _DAY_KEEP + count
        self.day_expected = self.day_expected * _DAY_KEEP + mu
        self.fast_count = self.fast_count * _FAST_KEEP + count
        self.fast_expected = self.fast_expected * _FAST_KEEP + mu
        if self.day_expected >= 8.0 or self.fast_expected >= 30.0:
            self._follow_shift(level)
        if self.learned < _SHAPE_AFTER:
            return
        seen = self.exposure[slot]
        keep = _WEEK_KEEP if seen else 1.0
        had = self.counts[slot]
        if had or clipped:  # a zero stays one, and rounding costs
            self.counts[slot] = round(had * keep + clipped, _KEPT)
        gain = level * exposure
        self.exposure[slot] = round(seen * keep + gain, _KEPT)
        self._learn_profiles(slot, clipped, gain)
        # Without complaints the profile drifts so slowly that a weekly refresh (by the next one) is enough.
        if clipped > 0.0:
            self.dirty = True

    def _learn_spread(self, mu: float, count: float) -> None:
        excess = min((count - mu) ** 2, 9.0 * (mu + self.phi * mu * mu)) - mu
        self.spread = self.spread * _SPREAD_KEEP + excess
        self.spread_weight = self.spread_weight * _SPREAD_KEEP + mu * mu

    def _learn_profiles(self, slot: int, clipped: float, gain: float) -> None:
        day, hour = divmod(slot, 24)
        hour_count, hour_seen = self.hour_counts[hour], self.hour_exposure[hour]
        day_count, day_seen = self.day_counts[day], self.day_exposure[day]
        by_hour = (hour_count + _K_DAY) / (hour_seen + _K_DAY)
        by_day = (day_count + 4 * _K_DAY) / (day_seen + 4 * _K_DAY)
        if hour_count or clipped:
            self.hour_counts[hour] = round(hour_count * _DAILY + clipped, _SHAPED)
        if day_count or clipped:
            self.day_counts[day] = round(day_count * _HOURLY + clipped, _SHAPED)
        self.hour_exposure[hour] = round(hour_seen * _DAILY + gain * by_day, _SHAPED)
        self.day_exposure[day] = round(day_seen * _HOURLY + gain * by_hour, _SHAPED)

    def _follow_shift(self, level: float) -> None:
        """A day at under a third of its expectation, or some hours at an eighth: the stream has shrunk; follow it."""
        if self.day_expected >= 8.0 and self.day_count < self.day_expected / 3.0:
            self.reset(level * (self.day_count + 0.5) / self.day_expected, hours=12.0)
        elif self.fast_expected >= 30.0 and self.fast_count < self.fast_expected / 8.0:
            self.reset(level * (self.fast_count + 0.5) / self.fast_expected, hours=6.0)

    def reset(self, rate: float, *, hours: float) -> None:
        """Take `rate` complaints an hour as the new level, worth `hours` of data; the shape is kept."""
        self.level_count = rate * hours
        self.level_hours = hours
        self.until = self.since
        self.day_count = self.day_expected = self.fast_count = self.fast_expected = 0.0

    def _reshape(self) -> None:
        by_hour = [
            (count + _K_DAY) / (seen + _K_DAY) for count, seen in zip(self.hour_counts, self.hour_exposure, strict=True)
        ]
        by_day = [
            (count + 4 * _K_DAY) / (seen + 4 * _K_DAY)
            for count, seen in zip(self.day_counts, self.day_exposure, strict=True)
        ]
        slots = zip(self.counts, self.exposure, [own * day for day in by_day for own in by_hour], strict=True)
        self.shape = [
            round((count + _K_HOUR) / (seen + _K_HOUR / (max(0.02, profile))), _SHAPED)
            for count, seen, profile in slots
        ]
        self.dirty = False

    NUMBERS: ClassVar[tuple[str, ...]] = (
        "learned",
        "total",
        "level_count",
        "level_hours",
        "day_count",
        "day_expected",
        "fast_count",
        "fast_expected",
        "spread",
        "spread_weight",
        "dirty",
    )
    TABLES: ClassVar[dict[str, int]] = {
        "counts": _KEPT,
        "exposure": _KEPT,
        "hour_counts": _SHAPED,
        "hour_exposure": _SHAPED,
        "day_counts": _SHAPED,
        "day_exposure": _SHAPED,
        "shape": _SHAPED,
    }

    def dump(self) -> dict[str, Any]:
        """The learned part as JSON-compatible values."""
        tables = packed([(getattr(self, name), decimals) for name, decimals in self.TABLES.items()])
        return {"numbers": [getattr(self, name) for name in self.NUMBERS], "tables": tables}

    def load(self, state: dict[str, Any]) -> None:
        """Take over a dumped state, or one of before format 8: its tables have more decimals, until they are learned.

        Raises:
            ValueError: the tables cannot be read.
        """
        self.until = self.since
        if "tables" not in state:
            for name in (*self.NUMBERS, *self.TABLES):
                value = state[name]
                decimals = self.TABLES.get(name)
                setattr(self, name, value if decimals is None else [round(one, decimals) for one in value])
            return
        for name, value in zip(self.NUMBERS, state["numbers"], strict=True):
            setattr(self, name, value)
        for name, column in zip(self.TABLES, unpacked(state["tables"], list(self.TABLES.values())), strict=True):
            setattr(self, name, column)
