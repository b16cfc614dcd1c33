"""Builders that show only what matters to a test."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from detector.domain import (
    Alert,
    AlertState,
    Estimate,
    Incident,
    Judgement,
    Level,
    Mention,
    Official,
    Post,
    Probabilities,
    Service,
    parse_time,
)

START = parse_time("2026-01-05T00:00:00Z")  # a Monday
COMPLAINT = Probabilities(0.97, 0.01, 0.005, 0.005, 0.01)
CHATTER = Probabilities(0.01, 0.005, 0.005, 0.01, 0.97)
PAST = Probabilities(0.01, 0.01, 0.96, 0.01, 0.01)
REPORT = Probabilities(0.04, 0.93, 0.01, 0.01, 0.01)


def at(minute: float) -> datetime:
    """A time so many minutes after the first Monday of 2026."""
    return START + timedelta(minutes=minute)


def make_post(minute: float = 0.0, *, seen: float | None = None, number: int = 0, **fields: object) -> Post:
    """A post written `minute` minutes after the start and known at once, or at `seen`."""
    known = at(minute if seen is None else seen)
    values: dict[str, object] = {
        "source": "test",
        "id": f"p{number}-{minute:g}",
        "created_at": at(minute),
        "seen_at": known,
        "text": "slack is down",
        "author": f"author-{number}-{minute:g}",
    }
    return Post(**{**values, **fields})  # type: ignore[arg-type]


def make_judgement(
    minute: float = 0.0, *, p: Probabilities = COMPLAINT, service: str = "slack", number: int = 0, **fields: object
) -> Judgement:
    """A judged mention."""
    post = make_post(minute, number=number, **fields)  # type: ignore[arg-type]
    return Judgement(mention=Mention(post=post, service=service, matched="Slack"), p=p, classifier="test@0")


def stream(
    rate: Callable[[float], float],
    minutes: float,
    *,
    seed: int = 1,
    p: Probabilities = COMPLAINT,
    service: str = "slack",
    begin: float = 0.0,
) -> Iterator[Judgement]:
    """Judged mentions of a Poisson stream whose rate a minute is `rate(minute)`, by thinning."""
    rnd = random.Random(f"{seed}/{service}")
    top = max(rate(begin + (minutes - begin) * i / 4000) for i in range(4001))
    minute, number = begin, 0
    while True:
        minute += rnd.expovariate(top)
        if minute >= minutes:
            return
        if rnd.random() * top <= rate(minute):
            number += 1
            yield make_judgement(minute, p=p, service=service, number=number)


def daily(rate: float, swing: float = 0.8) -> Callable[[float], float]:
    """A rate with a daily rhythm."""
    return lambda minute: rate * (1.0 + swing * math.sin(minute / 1440.0 * 2.0 * math.pi))


def make_estimate(minute: float = 0.0, **fields: object) -> Estimate:
    """An estimate of eight people where 0.2 are usual."""
    values: dict[str, object] = {
        "service": "slack",
        "at": at(minute),
        "onset": at(minute - 4),
        "people": 8.0,
        "expected": 0.2,
        "return_period_months": 40.0,
        "ratio": 40.0,
        "score": 9.0,
        "window_minutes": 4.0,
        "sources": (("test", 8.0),),
        "voters": 8,
    }
    return Estimate(**{**values, **fields})  # type: ignore[arg-type]


def make_alert(minute: float = 0.0, **fields: object) -> Alert:
    """A firing alert."""
    values: dict[str, object] = {
        "key": f"slack-{minute:g}",
        "service": "slack",
        "level": Level.ALERT,
        "state": AlertState.FIRING,
        "onset_at": at(minute - 4),
        "watch_at": at(minute),
        "fired_at": at(minute),
        "updated_at": at(minute),
        "ended_at": None,
        "estimate": make_estimate(minute),
    }
    return Alert(**{**values, **fields})  # type: ignore[arg-type]


def make_incident(posted: float, resolved: float | None = None, **fields: object) -> Incident:
    """An incident that the provider posted at minute `posted`."""
    values: dict[str, object] = {
        "service": "slack",
        "id": f"inc-{posted:g}",
        "title": "Trouble with sending messages",
        "impact": "major",
        "first_posted_at": at(posted),
        "resolved_at": None if resolved is None else at(resolved),
    }
    return Incident(**{**values, **fields})  # type: ignore[arg-type]


SLACK = Service(slug="slack", name="Slack", aliases=("slack",))


class NoRecord:
    """An official record that knows nothing."""

    def official(self, service: str, at: datetime) -> Official | None:
        """Always None."""
        return None


class NameInText:
    """A matcher for tests of what comes after it: the service whose slug stands in the text."""

    def __init__(self, slugs: Sequence[str]) -> None:
        self.slugs = slugs

    def match(self, post: Post) -> list[Mention]:
        """One mention a slug found."""
        return [Mention(post=post, service=slug, matched=slug) for slug in self.slugs if slug in post.text.lower()]
