"""When is it over: a downward CUSUM, a silence cap, and a cap on the whole, so that no alert is latched for ever.

While an alert is open the statistic V grows with time in which complaints would still have come, and shrinks with
each that does: V <- max(0, V + (r1 - r0) dt - w ln(r1 / r0)), with r1 the geometric mean of the usual rate and
the one that opened the alert, or half the outage's mean rate, or twice the usual one, whichever is highest, and
r0 the usual rate (at least a tenth of r1). It closes at V >= ln 100 (Page, Biometrika 1954,
turned downwards; Lorden's bound makes the delay ln 100 / r1). People who say that it is back push V up. Thin streams
never get there, so 30 minutes without an accepted post close too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

CLOSE_AT = log(100.0)
MIN_AGE = 10.0  # minutes an alert stays open at least
QUIET_CAP = 30.0  # minutes without an accepted post
AGE_CAP = 12 * 60.0  # minutes after which the level is learned anew
RECOVERED = 0.5  # what one person who says it is over adds to V


@dataclass(slots=True)
class Closing:
    """The end of one episode.

    Attributes:
        onset, opened: minute at which the trouble began, and at which the alert opened.
        people: complaints since the onset.
        heard: what the posts of this minute take off V; a minute's time and its posts are settled together.
        ratio: square root of the rate at the opening against the usual one.
        last: minute of the last accepted post.
    """

    onset: float
    opened: float
    people: float
    ratio: float
    last: float
    statistic: float = 0.0
    heard: float = 0.0

    @classmethod
    def of(cls, onset: float, opened: float, people: float, expected: float) -> Closing:
        """Start from the argument that opened the alert."""
        ratio = sqrt((people + 1.0) / max(expected, 0.05))
        return cls(onset=onset, opened=opened, people=people, ratio=ratio, last=opened)

    def rates(self, at: float, usual: float) -> tuple[float, float]:
        """(r1, r0) a minute: still failing, back to normal.

        >>> Closing.of(0.0, 10.0, people=60.0, expected=0.5).rates(60.0, usual=0.01)
        (0.5, 0.05)
        """
        mean = self.people / max(at - self.onset, 1.0)
        failing = max(2.0, self.ratio) * usual
        failing = max(failing, mean / 2.0)
        return failing, max(usual, failing / 10.0)

    def minute(self, at: float, usual: float) -> str | None:
        """One minute ends at `at`, in which `usual` complaints are normal; says why the alert closes, if it does.

        >>> closing = Closing.of(0.0, 0.0, people=40.0, expected=1.0)
        >>> [closing.minute(float(m), usual=0.2) for m in range(1, 12)][-2:]
        ['calm', 'calm']
        """
        failing, normal = self.rates(at, usual)
        self.statistic = max(0.0, self.statistic + failing - normal - self.heard)
        self.heard = 0.0
        if at - self.opened >= AGE_CAP:
            return "age"
        if at - self.opened < MIN_AGE:
            return None
        if self.statistic >= CLOSE_AT:
            return "calm"
        return "silence" if at - self.last >= QUIET_CAP else None

    def post(self, at: float, w: float, usual: float) -> None:
        """An accepted post of weight `w` became known at `at`."""
        failing, normal = self.rates(at, usual)
        self.people += w
        self.heard += w * log(failing / normal)
        self.last = max(self.last, at)

    def recovered(self, sure: float) -> None:
        """Somebody says, with probability `sure`, that it is over."""
        self.statistic += RECOVERED * sure
