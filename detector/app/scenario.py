"""A recorded morning: its posts, the quiet weeks before it, and what the official page showed when."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log
from typing import Any

from detector.domain import Post, parse_time
from detector.errors import UsageError
from detector.protocols import Harvest
from detector.resources import data_path

AFTERWARDS = timedelta(hours=3)
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What `data/scenarios/NAME.*` holds.

    Attributes:
        service: the slug that fails.
        watched: the slugs watched in it; empty for the services that are watched by default.
        starts_at: when the morning begins, on the minute before its first post.
        last_at: its last post.
        ends_at: three hours later, by when every alert must have closed.
        documents: by time, what the official page serves: `from`, `summary`, `incidents`.
        rule: how the weeks before are made.
    """

    name: str
    service: str
    starts_at: datetime
    last_at: datetime
    ends_at: datetime
    posts: tuple[Post, ...]
    documents: tuple[dict[str, Any], ...]
    rule: dict[str, Any]
    watched: tuple[str, ...] = ()

    def document(self, at: datetime) -> dict[str, Any]:
        """What the page shows at a time: the latest document that begins no later, the first before that."""
        begins = [parse_time(each["from"]) for each in self.documents]
        return self.documents[max(bisect_right(begins, at) - 1, 0)]


def names() -> list[str]:
    """The shipped scenarios."""
    return sorted(path.name.removesuffix(".status.json") for path in data_path("scenarios").glob("*.status.json"))


def load_scenario(name: str) -> Scenario:
    """Read a shipped scenario.

    Raises:
        UsageError: there is none of that name.
        BadArchiveError: its posts cannot be read.
    """
    from detector.collectors.archive import load_posts
    from detector.collectors.archive_counters import ReadCounters

    if name not in names():
        raise UsageError(f"no scenario {name!r}; there is {', '.join(names()) or 'none'}")
    status = json.loads(data_path("scenarios", f"{name}.status.json").read_text(encoding="utf-8"))
    rule = json.loads(data_path("scenarios", f"{name}.warmup.json").read_text(encoding="utf-8"))
    posts = tuple(
        sorted(
            load_posts([data_path("scenarios", f"{name}.jsonl")], counters=ReadCounters(), author_key=b"scenario"),
            key=lambda post: post.order,
        )
    )
    starts_at = posts[0].created_at.replace(second=0, microsecond=0)
    return Scenario(
        name=name,
        service=status["service"],
        starts_at=starts_at,
        last_at=posts[-1].seen_at,
        ends_at=posts[-1].seen_at + AFTERWARDS,
        posts=posts,
        documents=tuple(status["documents"]),
        rule=rule,
        watched=tuple(status.get("watched", ())),
    )


def quiet_weeks(rule: dict[str, Any], *, until: datetime) -> Iterator[Post]:
    """The posts before the morning, by rule and seed: the same on every machine.

    Each hour brings as many posts as chance gives at that hour's rate; each post is one of the rule's sentences, by
    somebody, on one of the rule's sources.
    """
    rng = random.Random(rule["seed"])
    at = parse_time(rule["starts_at"])
    end = min(parse_time(rule["ends_at"]), until)
    peak = max(rule["hour_shape"])
    rate = rule["chatter_per_hour"] + rule["complaints_per_hour"]
    number = 0
    while True:
        # Thinning: candidates at the highest rate, kept with the share that their hour has of it.
        at += timedelta(hours=-log(1.0 - rng.random()) / (peak * rate))
        if at >= end:
            return
        if rng.random() * peak > rule["hour_shape"][at.hour]:
            continue
        share = rule["complaints_per_hour"] / rate
        sentences = rule["complaints"] if rng.random() < share else rule["chatter"]
        number += 1
        yield Post(
            source=_drawn(rule["sources"], rng.random()),
            id=f"before-{number:05d}",
            created_at=at,
            seen_at=at,
            text=sentences[int(rng.random() * len(sentences))],
            author=f"before-{int(rng.random() * 4000):04d}",
        )


class RecordedSource:
    """A collector that hears the scenario's posts of one source when their time has come."""

    interval = _LONGEST_PAUSE

    def __init__(self, source: str, posts: Sequence[Post]) -> None:
        self._source = source
        self._posts = sorted((post for post in posts if post.source == source), key=lambda post: post.order)

    @property
    def source(self) -> str:
        """The `Post.source` it fills."""
        return self._source

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """What was seen since the last poll; the cursor is how many were passed on."""
        done = int(cursor or 0)
        end = done
        while end < len(self._posts) and self._posts[end].seen_at <= now:
            end += 1
        pause = _LONGEST_PAUSE
        if end < len(self._posts):
            pause = min(pause, (self._posts[end].seen_at - now).total_seconds())
        fresh = tuple(replace(post, seen_at=now) for post in self._posts[done:end])
        return Harvest(posts=fresh, cursor=str(end), poll_after=pause)

    async def aclose(self) -> None:
        """Nothing to release."""


def _drawn(shares: dict[str, float], chance: float) -> str:
    total = 0.0
    for name, share in shares.items():
        total += share
        if chance < total:
            return name
    return name
