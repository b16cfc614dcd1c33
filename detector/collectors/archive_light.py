"""What is kept of a line that names no watched service: that it is JSON, where it came from and when it was seen.

Its text is never decoded. What cannot be dated this way (odd shapes, bad times, bad JSON) is left to the reader proper,
which counts what is wrong with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import gt

import msgspec

from detector.collectors.archive_times import read_time, typical_delay

Moment = str | int | float | None
SOURCES_KEPT = 1000
_MANY = "(many sources)"
POST = "app.bsky.feed.post"


class _Event(msgspec.Struct, gc=False):
    operation: str = ""
    collection: str = ""
    time: Moment = None


class Seen(msgspec.Struct, gc=False):
    """The fields of an archive line that are looked at in every line, but for its times."""

    source: str | None = None
    id: str | int | None = None
    service: str | None = None
    subreddit: str | None = None
    type: str | None = None
    deleted: bool | None = None
    url: str | None = None
    permalink: str | None = None
    time_us: int | None = None
    commit: _Event | None = None
    payload: _Event | None = None


class Sight(Seen, gc=False):
    """A line with its times as it has them."""

    created_at: Moment = None
    seen_at: Moment = None
    created_utc: Moment = None
    time: Moment = None

    def origin(self, default: str) -> str:
        """The `Post.source` that the line's post would have."""
        if self.source:
            return self.source
        if self.created_at is not None:
            return default
        if self.created_utc is not None:
            return f"reddit:r/{self.subreddit or 'unknown'}"
        return "bluesky" if self.time_us is not None or self.payload is not None else "hackernews"

    def moment(self) -> tuple[Moment, Moment]:
        """When it was written and when it was seen, as the line has it; (None, None) if only the reader can tell."""
        if self.created_at is not None:
            return self.created_at, self.seen_at
        if self.created_utc is not None:
            return self.created_utc, self.seen_at
        event = self.payload or self.commit
        if event is not None:
            at = event.time if self.payload is not None else self.time_us
            return (at, at) if event.operation == "create" and event.collection == POST else (None, None)
        if self.time is not None and not self.deleted and self.type in {None, "story", "comment", "poll"}:
            return self.time, self.seen_at
        return None, None


def seen_at(sight: Sight, source: str, assumed: Counter[str]) -> datetime | None:
    """When a line's post was seen, as `PostMaker` would find; None where only it can say.

    >>> seen_at(Sight(created_at="2026-03-02T12:00:00Z"), "mine", Counter()).isoformat()
    '2026-03-02T12:00:00+00:00'
    """
    created, seen = sight.moment()
    if created is None:
        return None
    try:
        if seen is not None:
            return read_time(seen, assumed)
        at = read_time(created, assumed)
        delay = typical_delay(source)
    except (ValueError, TypeError, IndexError):
        return None
    if delay:
        assumed[assumption(source, delay.total_seconds())] += 1
        return at + delay
    return at


def assumption(source: str, seconds: float) -> str:
    """The words under which an assumed delay is counted.

    >>> assumption("reddit:r/ClaudeAI", 30.0)
    'reddit: seen 30 s after writing'
    """
    return f"{source.partition(':')[0]}: seen {seconds:g} s after writing"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was heard, whatever it names. Adding up tallies in any order gives the same.

    Attributes:
        posts: how many posts.
        by_day: how many were seen on each day.
        by_source: how many by source.
        coarse: how far sources are told apart: each, by kind (1), not at all (2).
        first, last: of `Post.seen_at`.
        backwards: how many were seen before the one on the line above.
    """

    posts: int = 0
    by_day: Counter[date] = field(default_factory=Counter)
    by_source: Counter[str] = field(default_factory=Counter)
    coarse: int = 0
    first: datetime | None = None
    last: datetime | None = None
    backwards: int = 0

    def add(self, times: list[datetime], sources: list[str]) -> None:
        """Take posts in the order of their lines."""
        if not times:
            return
        self.posts += len(times)
        first, last = min(times), max(times)
        self.first = first if self.first is None or first < self.first else self.first
        self.last = last if self.last is None or last > self.last else self.last
        if first.date() == last.date():
            self.by_day[first.date()] += len(times)
        else:
            self.by_day.update([at.date() for at in times])
        self.by_source.update(sources)
        self._condense()
        if times[0] != first or times[-1] != last or len(times) > 2:
            self.backwards += sum(map(gt, times, times[1:]))

    def merge(self, other: Tally) -> None:
        """Add what another one counted."""
        self.posts += other.posts
        self.by_day.update(other.by_day)
        self.by_source += other.by_source
        self.coarse = max(self.coarse, other.coarse)
        self._condense()
        starts = [at for at in (self.first, other.first) if at is not None]
        ends = [at for at in (self.last, other.last) if at is not None]
        self.first, self.last = min(starts, default=None), max(ends, default=None)
        self.backwards += other.backwards

    def _condense(self) -> None:
        """Beyond a thousand sources count by kind alone, and beyond a thousand kinds all together: in any order."""
        if self.coarse == 0 and len(self.by_source) > SOURCES_KEPT:
            self.coarse = 1
        if self.coarse == 1:
            kinds: Counter[str] = Counter()
            for source, count in self.by_source.items():
                kinds[source.partition(":")[0]] += count
            self.by_source = kinds
            if len(kinds) > SOURCES_KEPT:
                self.coarse = 2
        if self.coarse == 2:
            self.by_source = Counter({_MANY: self.by_source.total()})
