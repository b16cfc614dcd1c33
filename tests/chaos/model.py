"""What the detector ought to do, in the fewest words: the reference for the state machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.chaos.parts import CALM, NEEDED


@dataclass
class Episode:
    """What is known of one service: complaints since the last calm, the latest of them, and whether it fails."""

    people: int = 0
    open: bool = False
    last: datetime | None = None


@dataclass
class Model:
    """Posts are a set, an outage is three of them, calm is ten heard minutes, a silenced service is not told of.

    Attributes:
        posts: keys stored.
        received: how many came, new or not.
        heard: spans of time in which something could be heard.
        episodes: by service.
        opened: how often an outage began.
        began: the services whose beginning was told.
        silenced: services nobody is told of.
    """

    now: datetime
    posts: set[tuple[str, str]] = field(default_factory=set)
    received: int = 0
    heard: list[tuple[datetime, datetime]] = field(default_factory=list)
    episodes: dict[int, Episode] = field(default_factory=dict)
    opened: int = 0
    began: set[int] = field(default_factory=set)
    silenced: set[int] = field(default_factory=set)

    def say(self, n: int, key: tuple[str, str]) -> None:
        """A complaint about service `n` arrives now."""
        self.received += 1
        if key in self.posts:
            return
        self.posts.add(key)
        one = self.episodes.setdefault(n, Episode())
        self._end_if_calm(one, self.now)
        one.people += 1
        one.last = self.now
        if one.people >= NEEDED and not one.open:
            one.open = True
            self.opened += 1
            if n not in self.silenced:
                self.began.add(n)

    def pass_time(self, span: timedelta, *, deaf: bool) -> None:
        """Time passes, heard or not; outages end on whole minutes."""
        if not deaf:
            since = self.heard.pop()[0] if self.heard and self.heard[-1][1] == self.now else self.now
            self.heard.append((since, self.now + span))
        self.now += span
        for one in self.episodes.values():
            self._end_if_calm(one, self.now.replace(second=0, microsecond=0))

    def away(self, since: datetime, span: timedelta) -> None:
        """Nobody listened since `since`, which lies a little before now, and for a span from now on."""
        self.heard = [(begin, min(end, since)) for begin, end in self.heard if begin < since]
        self.pass_time(span, deaf=True)

    def _end_if_calm(self, one: Episode, at: datetime) -> None:
        if not one.open or one.last is None:
            return
        calm = sum((max(min(end, at) - max(begin, one.last), timedelta()) for begin, end in self.heard), timedelta())
        if calm >= CALM:
            one.open, one.people, one.last = False, 0, None

    @property
    def firing(self) -> set[int]:
        """The services that fail now."""
        return {n for n, one in self.episodes.items() if one.open}
