"""G4, F31, F34: a hundred times the usual load, through the shipped classifier and the real detector."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from pathlib import Path

import psutil

from detector.app.build import blueprint, make_engine
from detector.config.catalogue import load_catalogue
from detector.config.settings import Settings
from detector.domain import Post
from detector.protocols import Harvest
from detector.store import Store
from tests.app.morning import scenario
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


def crowd(second: int, names: list[str], luck: random.Random) -> tuple[Post, ...]:
    """A thousand posts of one second."""
    at = scenario().starts_at + timedelta(seconds=second)
    return tuple(
        Post(
            source=f"s{n % 5}", id=f"{second}-{n}", created_at=at, seen_at=at, author=f"a{second}-{n}",
            text=luck.choice(_SAID).format(name=luck.choice(names)) + f" {luck.random()}",
        )
        for n in range(A_SECOND)
    )  # fmt: skip


def test_g4_a_thousand_posts_a_second_are_taken_in_exactly(tmp_path: Path, table: Table) -> None:
    """Every post stored and judged, totals exact, memory bounded, no step longer than the time there is."""
    seconds = size(5, 60, 600)
    luck = random.Random(4)
    settings = Settings.model_validate(
        {"watch": {"services": ["claude", "github", "slack"]}, "sources": {}, "status": {"enabled": False}}
    )
    plan = blueprint(settings, load_catalogue())
    names = [service.name for service in plan.services]
    start = scenario().starts_at
    process = psutil.Process()
    steps = []
    with Store.open(tmp_path / "d.db", now=start) as store:
        engine = make_engine(plan, store, [])
        engine.restore(start)
        engine.take("warm", Harvest(posts=crowd(0, names, luck)), start)
        before = most = process.memory_info().rss
        for second in range(1, seconds + 1):
            posts = crowd(second, names, luck)
            begun = time.monotonic()
            engine.take("crowd", Harvest(posts=posts, cursor=str(second)), start + timedelta(seconds=second))
            steps.append(time.monotonic() - begun)
            most = max(most, process.memory_info().rss)
        begun = time.monotonic()
        tick = 0
        while store.estimated_posts(1):
            tick += 15
            engine.pass_time(start + timedelta(seconds=seconds + tick))
        drained = time.monotonic() - begun
        judged = store._conn.execute("SELECT count(*) FROM posts WHERE judged_at IS NOT NULL").fetchone()[0]
    steps.sort()
    p99 = steps[int(len(steps) * 0.99) - 1] if len(steps) > 1 else steps[0]
    growth = (most - before) / 1e6
    table.append(
        (
            "G4 100x load",
            f"{seconds} s",
            (
                f"{judged} posts, all judged; step p50 {steps[len(steps) // 2]:.2f} s, p99 {p99:.2f} s; "
                f"{sum(steps):.0f} s of work; RSS +{growth:.0f} MB; rest judged in {drained:.1f} s"
            ),
        )
    )

    assert judged == (seconds + 1) * A_SECOND
    assert growth < 200
    assert p99 < 30
