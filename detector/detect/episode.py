"""What a detector knows of an open watch or alert."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detector.detect.closing import Closing
from detector.detect.windows import Start
from detector.domain import Level

HOLD_OVER = 4  # people: where more are asked for, one fewer suffice if none of them posts again within the hold
HOLD_MINUTES = 0.5


@dataclass(slots=True)
class Held:
    """What would be an alert but for one voice; `at` is the minute at which it was known."""

    at: float
    start: Start
    people: float
    score: float
    expected: float


@dataclass(slots=True)
class Episode:
    """An open watch or alert.

    Attributes:
        seen: minute at which it was last confirmed, by the order in which posts became known.
        start: the window's first post, a copy of its own: those that are kept are thinned.
        told_people, told_score, expected: the argument of the last signal.
        total: people since it opened.
        held: what a watch waits for half a minute to say.
    """

    level: Level
    seen: float
    start: Start
    told_people: float
    told_score: float
    expected: float
    closing: Closing | None = None
    total: float = 0.0
    held: Held | None = None

    def starts(self) -> Iterator[Start]:
        """The copies that late posts must reach too."""
        yield self.start
        if self.held is not None:
            yield self.held.start
