"""G4, F31, F34: a hundred times the usual load, through the shipped classifier and the real detector.

G4's seconds are those of the machine at rest; see `fair`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from detector.app.build import blueprint, make_engine
from detector.app.load import estimates, reckon, sample
from detector.classify.keyword import build as keyword
from detector.classify.static import build as static
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.domain import Post
from detector.match.matcher import NameMatcher
from detector.protocols import Harvest
from detector.resources import model_path
from detector.store import Store
from tests.app.morning import scenario, warm_database
from tests.chaos.fair import own, slower
from tests.chaos.parts import size
from tests.chaos.test_kills import Table

A_SECOND = 1000
_SAID = (
    "is {name} down for anybody else?",
    "{name} is not loading since five minutes, error after error",
    "I love how {name} looks today",
    "reading about {name} and its history",
    "{name} login fails for our whole team",
)


def crowd(second: int, names: Sequence[str], luck: random.Random, said: Sequence[str] = _SAID) -> tuple[Post, ...]:
    """A thousand posts of one second."""
    at = scenario().starts_at + timedelta(seconds=second)
    return tuple(
        Post(
            source=f"s{n % 5}", id=f"{second}-{n}", created_at=at, seen_at=at, author=f"a{second}-{n}",
            text=luck.choice(said).format(name=luck.choice(names)) + f" {luck.random()}",
        )
        for n in range(A_SECOND)
    )  # fmt: skip


@dataclass
class Day:
    """Time as it passes while posts arrive each second and the engine works as fast as this machine lets it.

    Attributes:
        now: seconds since the beginning.
        taken: seconds of arrival that were taken in.
    """

    now: float = 0.0
    taken: int = 0

    def due(self, seconds: int) -> range:
        """The seconds that arrived meanwhile; at least one, for which it is waited."""
        end = min(max(int(self.now), self.taken + 1), seconds)
        found = range(self.taken, end)
        self.now, self.taken = max(self.now, float(end)), end
        return found


def test_g4_a_thousand_posts_a_second_are_taken_in_exactly(tmp_path: Path, table: Table) -> None:
    """Posts arrive whether or not we are ready: all are stored and judged, memory is bounded, alerts come in time."""
    seconds = size(3, 60, 600)
    luck = random.Random(4)
    settings = Settings.model_validate(
        {"watch": {"services": ["claude", "github", "slack"]}, "sources": {}, "status": {"enabled": False}}
    )
    plan = blueprint(settings, load_catalogue())
    names = [service.name for service in plan.services]
    start = scenario().starts_at
    process = psutil.Process()
    pace, wall = slower(), 0.0
    latencies: list[float] = []
    alerted: list[float] = []
    steps = estimated = 0
    day = Day()
    with Store.open(warm_database(tmp_path / "d.db"), now=start) as store:
        before_us = int(store._conn.execute("SELECT count(*) FROM posts").fetchone()[0])
        engine = make_engine(plan, store, [])
        engine.restore(start)
        engine.take("warm", Harvest(posts=crowd(-1, names, luck)), start)
        before = most = process.memory_info().rss
        while day.taken < seconds:
            arrived = day.due(seconds)
            posts = tuple(post for second in arrived for post in crowd(second, names, luck))
            before_step = own()
            step = engine.take(
                "crowd", Harvest(posts=posts, cursor=str(day.taken)), start + timedelta(seconds=day.taken)
            )
            spent = own() - before_step
            day.now, wall = day.now + spent.fair(pace), wall + spent.wall
            latencies += [day.now - second for second in arrived]
            alerted += [day.now - arrived[0] for change in step.changes if change.alert.fired_at is not None][:1]
            most = max(most, process.memory_info().rss)
            steps, estimated = steps + 1, estimated + len(step.estimated)
        begun = time.monotonic()
        tick = 0
        while store.estimated_posts(1):
            tick += 15
            engine.pass_time(start + timedelta(seconds=seconds + tick))
            most = max(most, process.memory_info().rss)
        drained = time.monotonic() - begun
        judged = int(store._conn.execute("SELECT count(*) FROM posts WHERE judged_at IS NOT NULL").fetchone()[0])
        twice = store._conn.execute(
            "SELECT count(*) FROM (SELECT 1 FROM judgements GROUP BY source, post_id, service HAVING count(*) > 1)"
        ).fetchone()[0]
    latencies.sort()
    p99 = latencies[max(int(len(latencies) * 0.99) - 1, 0)]
    growth = (most - before) / 1e6
    table.append(
        (
            "G4 100x load",
            f"{seconds} s",
            (
                f"{judged - before_us} posts, all judged once, {estimated} of them by estimate first; from arrival to "
                f"decision p50 {latencies[len(latencies) // 2]:.1f} s, p99 {p99:.1f} s; first alert after "
                f"{alerted[0] if alerted else float('nan'):.1f} s; RSS +{growth:.0f} MB; rest judged in "
                f"{drained:.0f} s; took {wall:.0f} s by the wall, machine {pace:.1f} times slower than ours"
            ),
        )
    )

    assert judged - before_us == (seconds + 1) * A_SECOND
    assert twice == 0
    assert growth < 200
    assert p99 < 30
    assert alerted
    assert alerted[0] < 30


_MINUTES_SHARES = (0.002, 0.01, 0.05, 0.2, 0.4)


def test_f31_an_estimate_lies_within_its_interval(table: Table) -> None:
    """Minutes of very different shares of complaints, a sample of a fifth: the interval holds 95 % of the truths."""
    minutes = size(20, 150, 600)
    luck = random.Random(31)
    services = [service for service in load_catalogue() if service.slug in {"claude", "github", "slack"}]
    names = [service.name for service in services]
    matcher, lexical, judge = NameMatcher(services), keyword(), static(model_path("static"))
    inside, widths = 0, []
    for minute in range(minutes):
        share = _MINUTES_SHARES[minute % len(_MINUTES_SHARES)]
        at = datetime(2026, 10, 5, 12, 0, tzinfo=UTC) + timedelta(minutes=minute)
        posts = [
            Post(
                source=f"s{n % 5}", id=f"{minute}-{n}", created_at=at, seen_at=at, author=f"a{n}",
                text=luck.choice(_SAID[:2] if luck.random() < share else _SAID[2:4]).format(name=luck.choice(names))
                + f" {luck.random():.3f}",
            )
            for n in range(1000)
        ]  # fmt: skip
        mentions = [mention for post in posts for mention in matcher.match(post)]
        whole = judge.judge(mentions)
        truth = sum(each.p.now for each in whole)
        answers = {(each.mention.post.key, each.mention.service): each for each in whole}
        taken = sample(mentions, lexical.judge(mentions), len(mentions) // 5, seed=str(minute))
        judged = [answers[each.post.key, each.service] for each in taken.chosen]
        found = reckon(taken, judged)
        inside += found.low <= truth <= found.high
        widths.append((found.high - found.low) / max(truth, 1.0))
        assert sum(each.p.now for each in estimates(taken, judged)) <= found.high
    widths.sort()
    table.append(
        (
            "F31 estimates",
            f"{minutes} min",
            f"{inside / minutes:.1%} within their 95 % interval; median width {widths[minutes // 2]:.0%} of the truth",
        )
    )

    assert inside / minutes >= 0.93
    assert widths[minutes // 2] < 1.0
