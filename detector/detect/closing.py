"""When is it over: a downward CUSUM, a silence cap, and a cap on the whole, so that no alert is latched for ever.

While an alert is open the statistic V grows with time in which complaints would have come at the outage's rate and
shrinks with each that does come: V <- max(0, V + (rho - 1) lambda dt - w ln rho) (Page, Biometrika 1954, turned
downwards). It closes at V >= ln 100. Thin streams never get there, so 45 minutes without an accepted post close too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

CLOSE_AT = log(100.0)
MIN_AGE = 10.0  # minutes an alert stays open at least
QUIET_CAP = 45.0  # minutes without an accepted post
AGE_CAP = 12 * 60.0  # minutes after which the level is learned anew


@dataclass(slots=True)
class Closing:
    """The end of one episode.

    Attributes:
        opened: minute at which it opened, by the order in which posts became known.
        ratio: the rate during the outage against the usual one, at least 2, damped by a square root.
        last: minute of the last accepted post.
    """

    opened: float
    ratio: float
    last: float
    statistic: float = 0.0

    @classmethod
    def of(cls, opened: float, people: float, expected: float) -> Closing:
        """Start from the argument that opened the alert."""
        return cls(opened=opened, ratio=max(2.0, sqrt((people + 1.0) / max(expected, 0.05))), last=opened)

    def minute(self, at: float, rate: float) -> str | None:
        """One minute ends at `at`, in which `rate` complaints are usual; says why the alert closes, if it does.

        >>> closing = Closing.of(0.0, people=20.0, expected=0.5)
        >>> [closing.minute(float(m), rate=0.2) for m in range(1, 12)][-2:]
        ['calm', 'calm']
        """
        self.statistic += (self.ratio - 1.0) * rate
        if at - self.opened >= AGE_CAP:
            return "age"
        if at - self.opened < MIN_AGE:
            return None
        if self.statistic >= CLOSE_AT:
            return "calm"
        return "silence" if at - self.last >= QUIET_CAP else None

    def post(self, at: float, w: float) -> None:
        """An accepted post of weight `w` became known at `at`."""
        self.statistic = max(0.0, self.statistic - w * log(self.ratio))
        self.last = max(self.last, at)
