"""What a replay remembers for its pictures: people per five minutes near alerts and outages, and when it could hear.

A replay of years keeps only what a picture may need. The last half day of every service is kept in any case; older
steps are kept where an outage of the record or an alert has its place, and dropped elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from detector.domain import Alert, Judgement, Level, Post, from_minutes, to_minutes

STEP = timedelta(minutes=5)
BEFORE = timedelta(hours=2)  # kept before an onset or a first official post
AFTER = timedelta(hours=8)  # kept after an alert or a first official post
LONGEST_RISE = timedelta(hours=8)  # an onset farther back than this before its alert is not drawn
_RECENT = timedelta(hours=12)  # longer than BEFORE + LONGEST_RISE: nothing a later alert needs is gone
_TIDY = timedelta(days=1)
_SOURCES = 1000
_STEP_MINUTES = STEP / timedelta(minutes=1)

Span = tuple[str, datetime, datetime]
OTHERS = "(other sources)"


def step_of(at: datetime) -> int:
    """The number of the five minutes that `at` lies in.

    >>> from detector.domain import EPOCH
    >>> step_of(EPOCH + timedelta(minutes=14)), time_of(2) == EPOCH + timedelta(minutes=10)
    (2, True)
    """
    return int(to_minutes(at) // _STEP_MINUTES)


def time_of(step: int) -> datetime:
    """When a step begins."""
    return from_minutes(step * _STEP_MINUTES)


class Timeline:
    """Counts by service and step, in bounded memory, the same whatever the batches.

    Attributes:
        people: by service, how many complained in all, each person once a step.
        posts_by_day: how much was heard.
        sources: posts by source; beyond a thousand sources the further ones are counted together.
    """

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        """Remember `spans` (service, from, to) in any case."""
        self.people: Counter[str] = Counter()
        self.posts_by_day: Counter[date] = Counter()
        self.sources: Counter[str] = Counter()
        self._spans: dict[str, set[tuple[int, int]]] = {}
        self._recent: dict[str, dict[int, int]] = {}
        self._kept: dict[str, dict[int, int]] = {}
        self._now: dict[str, tuple[int, set[str]]] = {}
        self._tidied: datetime | None = None
        for service, start, end in spans:
            self._spans.setdefault(service, set()).add((step_of(start), step_of(end)))

    def hear(self, posts: Sequence[Post]) -> None:
        """Count posts, whatever they name."""
        self.posts_by_day.update(post.seen_at.date() for post in posts)
        for source, count in Counter(post.source for post in posts).items():
            known = source in self.sources or len(self.sources) < _SOURCES
            self.sources[source if known else OTHERS] += count

    def add(self, judgements: Iterable[Judgement]) -> None:
        """Count the people who more likely than not speak of a present failure; those without a name each once."""
        for judgement in judgements:
            if judgement.p.now < 0.5:
                continue
            post, service = judgement.mention.post, judgement.mention.service
            step = step_of(post.seen_at)
            at, known = self._now.get(service, (step - 1, set()))
            if at != step:
                known = set()
                self._now[service] = (step, known)
            who = f"{post.source}/{post.author or post.id}"
            if who not in known:
                known.add(who)
                steps = self._recent.setdefault(service, {})
                steps[step] = steps.get(step, 0) + 1
                self.people[service] += 1

    def pin(self, alert: Alert) -> None:
        """Keep what surrounds an alert; a mere watch has no picture."""
        if alert.fired_at is None or alert.level is Level.WATCH:
            return
        start = max(alert.onset_at, alert.fired_at - LONGEST_RISE) - BEFORE
        self._spans.setdefault(alert.service, set()).add((step_of(start), step_of(alert.fired_at + AFTER)))

    def tidy(self, now: datetime) -> None:
        """Drop what no picture can need; does so once a day of the replay."""
        if self._tidied is not None and now - self._tidied < _TIDY:
            return
        self._tidied = now
        oldest = step_of(now - _RECENT)
        for service, steps in self._recent.items():
            spans = self._spans.get(service, set())
            for step in [step for step in steps if step < oldest]:
                count = steps.pop(step)
                if any(first <= step <= last for first, last in spans):
                    self._kept.setdefault(service, {})[step] = count

    def between(self, service: str, start: datetime, end: datetime) -> list[int]:
        """People in each step from the one of `start` to the one of `end`, both included."""
        kept, recent = self._kept.get(service, {}), self._recent.get(service, {})
        return [kept.get(step, 0) + recent.get(step, 0) for step in range(step_of(start), step_of(end) + 1)]
