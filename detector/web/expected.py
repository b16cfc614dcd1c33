"""How many complaining people an hour usually brings, as a band around the mean. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import sqrt

from detector.domain import to_minutes
from detector.web.ports import Memory

_UNUSUAL = 2.0  # standard deviations


@dataclass(frozen=True, slots=True)
class Band:
    """What is usual over a span: the mean and two standard deviations to either side.

    Attributes:
        mean: weighted people.
    """

    mean: float
    low: float
    high: float


class Expectations:
    """What the detectors have learned, as bands.

    Example:
        >>> Expectations(Memory()).band("claude", 0.0, 60.0) is None
        True
    """

    def __init__(self, memory: Memory) -> None:
        self.learning = memory.learning
        self._baselines = memory.people

    def band(self, service: str, start: float, end: float) -> Band | None:
        """What is usual in [start, end] minutes since the epoch; None where it is not known."""
        baseline = self._baselines.get(service)
        if baseline is None:
            return None
        mean = baseline.expected(start, end)
        spread = _UNUSUAL * sqrt(mean + baseline.phi * mean * mean)
        return Band(mean, max(mean - spread, 0.0), mean + spread)

    def between(self, service: str, start: datetime, end: datetime) -> Band | None:
        """`band` for datetimes."""
        return self.band(service, to_minutes(start), to_minutes(end))
