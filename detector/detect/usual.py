"""What is usual for one service: the baselines of complaints and of other talk, and which hours may teach them.

An hour is learned an hour after its end, when late posts have come. Hours with an open alert or without coverage
teach nothing, and an hour in which a busy stream falls silent altogether is a dead collector, not a calm hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor
from typing import Any

from detector.detect.baseline import Baseline
from detector.detect.places import Places

LAG = 60.0  # minutes after its end at which an hour is learned
MUTE_EXPECTED = 12.0  # mentions an hour; chance leaves such an hour empty once in e^12 hours
CALM_USUAL = 6.0  # mentions an hour; below it hours without any are learned in one step


@dataclass(slots=True)
class Usual:
    """Two baselines and the hours that wait to be learned.

    Attributes:
        pending: hour -> [complaints, other mentions], not yet learned.
        skipped: hours that touch an alert.
        deaf: spans in minutes in which nothing could be heard.
        places: where people speak, and which of those are silent.
    """

    people: Baseline
    talk: Baseline
    next_hour: int = 0
    pending: dict[int, list[float]] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)
    deaf: list[tuple[float, float]] = field(default_factory=list)
    places: Places = field(default_factory=Places)

    def count(self, at: float, *, people: float = 0.0, chatter: float = 0.0) -> None:
        """Add to the hour of minute `at`."""
        sums = self.pending.setdefault(floor(at / 60.0), [0.0, 0.0])
        sums[0] += people
        sums[1] += chatter

    def rate(self, at: float) -> float:
        """Complaints a minute that can be heard at `at`."""
        return self.people.rate(at) * self.places.heard(at)

    def expected(self, start: float, end: float) -> tuple[float, float]:
        """Complaints and other mentions to be heard between two minutes."""
        heard = self.places.heard(end)
        return self.people.expected(start, end) * heard, self.talk.expected(start, end) * heard

    def skip(self, first: float, last: float) -> None:
        """The hours from minute `first` to `last` belong to an alert."""
        self.skipped.update(range(floor(first / 60.0), floor(last / 60.0) + 1))

    def deafen(self, start: float, end: float) -> None:
        """Nothing could be heard from minute `start` to `end`."""
        self.deaf = [*(span for span in self.deaf if span[1] > start - 1440.0), (start, end)]

    def was_deaf(self, minute: float) -> bool:
        """Whether the minute that ends at `minute` could not be heard."""
        return any(start < minute <= end for start, end in self.deaf)

    def heard(self, clock: float | None) -> float:
        """Hours learned, and those complete but not yet taken in."""
        return self.people.learned + max(0, self._ready(clock) - self.next_hour)

    def learn_until(self, clock: float | None) -> None:
        """Learn the hours that are complete; called at posts and in open episodes, never at idle ticks."""
        ready = self._ready(clock)
        while self.next_hour < ready:
            hour = self.next_hour
            if (
                hour in self.pending
                or hour in self.skipped
                or self.deaf
                or self.places.silent
                or self._mentions(hour) > CALM_USUAL
            ):
                self._learn(hour)
                continue
            busy = min((other for other in (*self.pending, *self.skipped) if other > hour), default=ready)
            self.next_hour = min(busy, ready)
            self.people.learn_quiet(hour, self.next_hour)
            self.talk.learn_quiet(hour, self.next_hour)

    def _ready(self, clock: float | None) -> int:
        return floor(((clock or 0.0) - LAG) / 60.0)

    def _learn(self, hour: int) -> None:
        self.next_hour = hour + 1
        people, chatter = self.pending.pop(hour, (0.0, 0.0))
        lost = self._deaf_share(hour) + self.places.lost(hour * 60.0, hour * 60.0 + 60.0)
        exposure = 0.0 if hour in self.skipped else max(0.0, 1.0 - lost)
        self.skipped.discard(hour)
        if people + chatter == 0.0 and self._mentions(hour) >= MUTE_EXPECTED:
            return
        self.people.learn(hour, people, exposure)
        self.talk.learn(hour, chatter, exposure)

    def _mentions(self, hour: int) -> float:
        middle = hour * 60.0 + 30.0
        return 60.0 * (self.people.rate(middle) + self.talk.rate(middle))

    def _deaf_share(self, hour: int) -> float:
        first, last = hour * 60.0, hour * 60.0 + 60.0
        return min(1.0, sum(max(0.0, min(end, last) - max(start, first)) for start, end in self.deaf) / 60.0)

    def dump(self) -> dict[str, Any]:
        """The state as JSON-compatible values."""
        return {
            "people": self.people.dump(),
            "talk": self.talk.dump(),
            "next_hour": self.next_hour,
            "pending": [[hour, *sums] for hour, sums in self.pending.items()],
            "skipped": sorted(self.skipped),
            "deaf": [list(span) for span in self.deaf],
            "places": self.places.dump(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over a dumped state."""
        self.people.load(state["people"])
        self.talk.load(state["talk"])
        self.next_hour = state["next_hour"]
        self.pending = {hour: [people, chatter] for hour, people, chatter in state["pending"]}
        self.skipped = set(state["skipped"])
        self.deaf = [(start, end) for start, end in state["deaf"]]
        if "places" in state:  # format 6 knew none, and learns them
            self.places.load(state["places"])
