"""How long from a post's `seen_at` to the message in Slack: the daemon's own parts, the real client, a loopback Slack.

`python -m tests.bench.latency [--alerts 200] [--must 1.0]` prints the percentiles and ends with 1 above the limit.

The daemon runs whole (collectors' loops, matcher, shipped classifier, detector, policy, SQLite, outbox, slack_sdk).
Only its clock is a replay's: it stands still while anything works, and ten minutes pass in no time between two
outages, as a receiver bears three messages at once and then one a minute. What is measured is real time, from the
poll that brought the post which made the argument to the moment at which Slack has read the request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from detector.app.build import Blueprint, blueprint, connect, make_engine
from detector.app.clock import ReplayClock
from detector.app.daemon import Daemon
from detector.app.engine import Engine
from detector.app.scenario import RecordedSource
from detector.config.catalogue import load_catalogue
from detector.config.secret import Secret
from detector.config.settings import Settings
from detector.domain import Post, Service
from detector.match.matcher import NameMatcher
from detector.protocols import Harvest
from detector.store import Store
from tests.loopback import Reply, Request
from tests.notify.channels import SECRET, Server, Slack

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BETWEEN = timedelta(minutes=10)
HEARD_BEFORE = timedelta(days=21)
_SAID = (
    "{} is down for me, anyone else? nothing loads since a minute ago",
    "is {} down right now? getting 503 errors on every request",
    "cannot reach {} at all, it just times out here in Berlin",
    "{} not working for our whole office, login fails with an error",
    "{} outage? everything I open there is broken at the moment",
    "hm, {} stopped responding just now, even the start page is dead",
)


@dataclass
class Watch:
    """When each post was handed over, and when Slack first heard of each service."""

    handed: dict[str, float] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def waits(self) -> list[float]:
        """Seconds, by service, shortest first."""
        return sorted(at - self.handed[slug] for slug, at in self.told.items())


class Source(RecordedSource):
    """Notes the moment at which it hands posts over; the latest one of a service before its message counts."""

    def __init__(self, name: str, posts: Sequence[Post], watch: Watch) -> None:
        super().__init__(name, posts)
        self._watch = watch

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """What was seen since the last poll."""
        harvest = await super().poll(cursor, now=now)
        with self._watch.lock:
            for post in harvest.posts:
                slug = post.id.partition("/")[0]
                if slug not in self._watch.told:
                    self._watch.handed[slug] = time.perf_counter()
        return harvest


class TimedSlack(Slack):
    """Notes when the first message about a service has been read."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def __call__(self, request: Request) -> Reply:
        """Take it, as Slack does."""
        at = time.perf_counter()
        if request.path.endswith("chat.postMessage"):
            owed = json.loads(request.body)["metadata"]["event_payload"]["id"]
            slug = owed.rpartition("-2026")[0] if "/" not in owed else owed.split("/")[0].rpartition("-2026")[0]
            with self._watch.lock:
                self._watch.told.setdefault(slug, at)
        return super().__call__(request)


def outages(services: Sequence[Service]) -> list[Post]:
    """Six people about each service, a second apart, one service after the other."""
    posts = []
    for number, service in enumerate(services):
        for person, words in enumerate(_SAID):
            at = START + BETWEEN * (number + 1) + timedelta(seconds=person)
            posts.append(
                Post(
                    source=("here", "there")[person % 2],
                    id=f"{service.slug}/{person}",
                    created_at=at,
                    seen_at=at,
                    text=words.format(service.name),
                    author=f"{service.slug}-{person}",
                )
            )
    return posts


def plan_of(count: int, api: str) -> Blueprint:
    """So many services of the catalogue that are named without doubt, and one Slack bot."""
    slack = {"type": "slack", "token": Secret(SECRET), "channel": "C1", "api": api, "allow_loopback_http": True}
    settings = Settings.model_validate(
        {
            "watch": {"services": ["*"]},
            "sources": {},
            "status": {"enabled": False},
            "receivers": {"slack": {**slack, "repeat": 0, "depends_on": []}},
        }
    )
    alone = [replace(each, hosted_on=(), status_pages=()) for each in load_catalogue()]
    matcher = NameMatcher(alone)
    plain = [each for each in alone if all(_names(matcher, post, each.slug) for post in outages([each]))]
    return blueprint(settings, plain[:count])


def _names(matcher: NameMatcher, post: Post, slug: str) -> bool:
    return [each.service for each in matcher.match(post)] == [slug]


def warmed_up(engine: Engine, services: Sequence[Service]) -> Engine:
    """An engine that has listened to three calm weeks, in which each service was named now and then."""
    at = START - HEARD_BEFORE
    number = 0
    while at < START:
        posts = [
            Post(
                source=("here", "there")[number % 2],
                id=f"before/{number}/{each.slug}",
                created_at=at,
                seen_at=at,
                text=f"{each.name} was down for me last month, it works fine again since, day {number}",
                author=f"calm-{number}",
            )
            for each in services
            if number % 12 == 0
        ]
        engine.take("before", Harvest(posts=tuple(posts)), at)
        engine.pass_time(at)
        at += timedelta(hours=6)
        number += 1
    engine.checkpoint(START)
    return engine


async def measure(count: int, folder: Path) -> Watch:
    """Raise so many alerts through the daemon."""
    watch, notes = Watch(), list[str]()
    slack = TimedSlack(watch)
    with Server(slack) as server:
        plan = plan_of(count, f"{server.url}/api")
        posts = outages(plan.services)
        clock = ReplayClock(START)
        path = folder / "latency.db"
        store = Store.open(path, now=START - HEARD_BEFORE)
        connections = connect(plan, path, notes)
        connections = replace(connections, collectors=[Source(each, posts, watch) for each in ("here", "there")])
        daemon = Daemon(
            clock=clock,
            store=store,
            make_engine=lambda: warmed_up(make_engine(plan, store, notes), plan.services),
            connections=connections,
            rng=random.Random(1),
        )

        async def end() -> None:
            with clock.taking_part():
                await clock.sleep((BETWEEN * (count + 1)).total_seconds())
                daemon.stop()

        ending = asyncio.create_task(end())
        await daemon.run()
        await ending
    return watch


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=200)
    parser.add_argument("--must", type=float, default=1.0, help="seconds that the 99th percentile may take")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="detector-latency-") as folder:
        watch = asyncio.run(measure(asked.alerts, Path(folder)))
    waits = watch.waits()
    if not waits:
        print("no alert was raised")  # noqa: T201 - a command
        return 1
    p99 = waits[min(int(len(waits) * 0.99), len(waits) - 1)]
    print(  # noqa: T201 - a command
        f"{len(waits)} of {asked.alerts} services told; seen_at to Slack: median {median(waits):.3f} s, "
        f"p99 {p99:.3f} s, slowest {waits[-1]:.3f} s"
    )
    silent = sorted(watch.handed.keys() - watch.told.keys())
    if silent:
        print(f"no alert of their own: {', '.join(silent)}")  # noqa: T201 - a command
    return int(p99 > asked.must)


if __name__ == "__main__":
    sys.exit(main())
