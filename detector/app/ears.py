"""How each source and page is doing, by the daemon that listens: what is silent or failing, and since when."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from detector.app.health import SourceHealth
from detector.domain import CoverageState
from detector.errors import Temporary

logger = logging.getLogger(__name__)

LONGEST_BACKOFF = 300.0
# How often a source that answers is noted as heard; `health.STALE_AFTER` is several times longer.
NOTE_EVERY = timedelta(minutes=1)
# Looked at so often; a source must be called silent before its second poll is due, not a look after it.
LOOK_EVERY = 15.0


@dataclass(slots=True)
class Streak:
    """How a source or page has been doing, so that a lasting failure is said once.

    Attributes:
        expected: seconds within which the next answer should come.
        stale_from: the last answer before the present silence; None while it is heard.
        gap_until: until when the last gap reached.
    """

    failures: int = 0
    heard_at: datetime | None = None
    noted_at: datetime | None = None
    expected: float = 30.0
    since: datetime | None = None
    stale_from: datetime | None = None
    gap_until: datetime | None = None
    note: str = ""
    errors: set[str] = field(default_factory=set)


class Ears:
    """The streaks of everything that is polled.

    Args:
        intervals: seconds between two polls, by source.
        rng: for jitter.
    """

    def __init__(self, intervals: Mapping[str, float], *, rng: random.Random) -> None:
        self._intervals = dict(intervals)
        self._streaks: dict[str, Streak] = {}
        self._rng = rng

    def of(self, name: str) -> Streak:
        """The streak of a source or page, begun when first asked for."""
        return self._streaks.setdefault(name, Streak(expected=self._intervals.get(name, 60.0)))

    def begin(self, now: datetime) -> None:
        """From now on answers are expected."""
        for source in self._intervals:
            self.of(source).since = now

    def complain(self, name: str, error: Exception, interval: float) -> float:
        """Note a failure; returns the seconds until it is worth another try."""
        streak = self.of(name)
        streak.failures += 1
        words = streak.note = str(error)
        # Once a kind of failure and streak: an unreachable network must not fill the log.
        level = logging.DEBUG if streak.errors else logging.WARNING
        streak.errors.add(words)
        logger.log(level, "%s: unreachable: %s", name, words)
        wanted = error.retry_after if isinstance(error, Temporary) and error.retry_after else 0.0
        return max(wanted, self.backoff(streak.failures, min(interval, 5.0)))

    def rejoice(self, name: str, now: datetime, *, expected: float | None = None) -> bool:
        """Note an answer; returns whether a failure or a silence ended with it."""
        streak = self.of(name)
        mended = streak.failures > 0 or streak.stale_from is not None
        if streak.failures:
            logger.info("%s: reachable again after %d failures", name, streak.failures)
        elif streak.stale_from is not None:
            logger.info("%s: heard again", name)
        streak.failures = 0
        streak.errors.clear()
        streak.note = ""
        streak.stale_from = None
        streak.heard_at = now
        if expected is not None:
            streak.expected = max(expected, self._intervals.get(name, 0.0))
        return mended

    def silent(self, now: datetime) -> list[tuple[str, datetime, bool]]:
        """The sources of which nothing came for two poll intervals, not even an error.

        Returns:
            name, the last answer (or the start), and whether this is the first look at which it is silent.
        """
        found = []
        for source in self._intervals:
            streak = self.of(source)
            last = streak.heard_at or streak.since
            if streak.failures or last is None:
                continue
            allowed = max(2 * streak.expected - LOOK_EVERY, 1.5 * streak.expected)
            if (now - last).total_seconds() >= allowed:
                first, streak.stale_from = streak.stale_from is None, last
                found.append((source, last, first))
        return found

    def health(self, now: datetime, *, gap_holds: timedelta) -> dict[str, SourceHealth]:
        """Every source as it is known here, at once and not by what was written down."""
        found = {}
        for source in self._intervals:
            streak = self.of(source)
            if streak.failures:
                state = CoverageState.FAILING
            elif streak.stale_from is not None:
                state = CoverageState.STALE
            elif streak.gap_until is not None and now - streak.gap_until <= gap_holds:
                state = CoverageState.GAP
            elif streak.heard_at is None:
                # Not asked yet: neither heard nor silent; a start must not raise an alarm of its own.
                continue
            else:
                state = CoverageState.OK
            found[source] = SourceHealth(source=source, state=state, heard_at=streak.heard_at, note=streak.note)
        return found

    def deaf_since(self, sources: Iterable[str], now: datetime) -> datetime:
        """Since when none of these was heard."""
        last = [streak.heard_at or streak.since or now for streak in map(self.of, sources)]
        return max(last, default=now)

    def backoff(self, failures: int, first: float) -> float:
        """Twice as long each time, up to five minutes, give or take a fifth."""
        return min(first * 2.0 ** min(failures - 1, 16), LONGEST_BACKOFF) * self._rng.uniform(0.8, 1.2)
