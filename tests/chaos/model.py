"""What the detector ought to do, in the fewest words: the reference for the state machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.chaos.parts import CALM, NEEDED

REOPEN = timedelta(minutes=30)


@dataclass
class Episode:
    """What is known of one service.

    Attributes:
        people: complaints since the last calm.
        heard: how long it has been calm, counted while it was heard.
    """

    people: int = 0
    open: bool = False
    heard: timedelta = timedelta()
    ended_at: datetime | None = None


@dataclass
class Model:
    """Posts are a set, an outage is three of them, calm is ten heard minutes, a silenced service is not told of.

    Attributes:
        posts: keys stored.
        episodes: by service.
        opened: how often an outage began, or began again, by service.
        resolved: how often one ended.
        told: messages owed, as (service, reason).
        silenced: services nobody is told of.
    """

    now: datetime
    posts: set[tuple[str, str]] = field(default_factory=set)
    received: int = 0
    episodes: dict[int, Episode] = field(default_factory=dict)
    opened: int = 0
    resolved: int = 0
    told: list[tuple[int, str]] = field(default_factory=list)
    silenced: set[int] = field(default_factory=set)
    firing_told: set[int] = field(default_factory=set)

    def say(self, n: int, key: tuple[str, str]) -> None:
        """A complaint about service `n` arrives now."""
        self.received += 1
        if key in self.posts:
            return
        self.posts.add(key)
        one = self.episodes.setdefault(n, Episode())
        one.people += 1
        one.heard = timedelta()
        if one.people >= NEEDED and not one.open:
            one.open = True
            self.opened += 1
            if n not in self.silenced:
                self.told.append((n, "began"))
                self.firing_told.add(n)

    def pass_time(self, span: timedelta, *, deaf: bool) -> None:
        """Time passes, heard or not."""
        self.now += span
        if deaf:
            return
        for n, one in self.episodes.items():
            if not one.open:
                continue
            one.heard += span
            if one.heard >= CALM:
                one.open, one.people, one.ended_at = False, 0, self.now
                self.resolved += 1
                if n in self.firing_told and n not in self.silenced:
                    self.told.append((n, "ended"))
                    self.firing_told.discard(n)

    @property
    def firing(self) -> set[int]:
        """The services that fail now."""
        return {n for n, one in self.episodes.items() if one.open}
