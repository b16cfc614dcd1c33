"""Run the pipeline over an archive: the daemon's loop with other batches and another sink."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from time import perf_counter
from typing import TypeVar

from detector.backfill.timeline import Timeline
from detector.domain import Alert, Post
from detector.pipeline import Pipeline

BATCH = 4000
Item = TypeVar("Item")


@dataclass(slots=True)
class Replayed:
    """What a replay brought.

    Attributes:
        alerts: the last state of each, by key.
        complaints: mentions judged a present failure, first-hand.
        mentioned: mentions by service.
        seconds: time spent in each stage.
        timeline: what the pictures need.
    """

    alerts: dict[str, Alert] = field(default_factory=dict)
    posts: int = 0
    mentions: int = 0
    complaints: int = 0
    mentioned: Counter[str] = field(default_factory=Counter)
    first_at: datetime | None = None
    last_at: datetime | None = None
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    timeline: Timeline = field(default_factory=Timeline)


def batches(posts: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a stream into lists of `size`.

    >>> [len(batch) for batch in batches([], 3)]
    []
    """
    stream = iter(posts)
    while batch := list(islice(stream, size)):
        yield batch


def replay(
    posts: Iterable[Post],
    pipeline: Pipeline,
    *,
    batch: int = BATCH,
    progress: Callable[[int, datetime], None] | None = None,
    timeline: Timeline | None = None,
) -> Replayed:
    """Feed `posts`, which come in `Post.order`, through `pipeline`.

    The result depends neither on `batch` nor on how the posts were stored. `timeline` knows what to remember.
    """
    found = Replayed(timeline=timeline or Timeline())
    clock = perf_counter()

    def lap(stage: str) -> None:
        nonlocal clock
        now = perf_counter()
        found.seconds[stage] += now - clock
        clock = now

    for chunk in batches(posts, batch):
        lap("read")
        mentions = pipeline.match(chunk)
        lap("match")
        judgements = pipeline.classifier.judge(mentions) if mentions else []
        lap("classify")
        now = chunk[-1].seen_at
        for change in pipeline.weigh(judgements, now):
            found.alerts[change.alert.key] = change.alert
            found.timeline.pin(change.alert)
        lap("detect")
        found.timeline.hear(chunk)
        found.timeline.add(judgements)
        found.timeline.tidy(now)
        found.posts += len(chunk)
        found.mentions += len(mentions)
        found.mentioned.update(mention.service for mention in mentions)
        found.complaints += sum(judgement.p.label == "complaint" for judgement in judgements)
        found.first_at = found.first_at or chunk[0].seen_at
        found.last_at = now
        if progress is not None:
            progress(len(chunk), now)
        lap("other")
    return found
