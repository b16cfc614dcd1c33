"""F41: an outage teaches nothing; a detector that learns it as usual would sleep through the next."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from detector.app.page import remember
from detector.detect.usual import Usual
from detector.domain import MINUTE, Post
from detector.protocols import Harvest
from detector.store import Store
from detector.store.board import Board
from detector.web.expected import Expectations
from tests.app.morning import engine_on, plan, scenario, warm_database
from tests.chaos.parts import size, tier
from tests.chaos.test_kills import Table

pytestmark = pytest.mark.skipif(tier() == "test", reason="part of make chaos")


def complaints(at: datetime, number: int) -> tuple[Post, ...]:
    """Six different people, in words of their own."""
    said = (
        "claude is down for me since {0} minutes",
        "is claude down? error {0} on every try",
        "claude does not load here, tried {0} times",
        "cannot log in to claude, code {0}",
        "claude outage? nothing works, attempt {0}",
        "claude api returns error 500 on call {0}",
    )
    return tuple(
        Post(
            source=("hackernews", "bluesky", "mastodon")[n % 3], id=f"out-{number}-{n}", created_at=at, seen_at=at,
            author=f"victim-{number}-{n}", text=words.format(number * 7 + n),
        )
        for n, words in enumerate(said)
    )  # fmt: skip


def usual(store: Store, at: datetime) -> float:
    """People whom the coming hour usually brings, as saved."""
    saved = store.read.latest_checkpoint()
    found = Expectations(remember(plan(), None if saved is None else saved.state)).between(
        "claude", at, at + timedelta(hours=1)
    )
    assert found is not None
    assert Board(store.read).checkpoint_id() is not None
    return found.mean


def growth(folder: Path, hours: int) -> tuple[float, int]:
    """By how much an outage of so many hours raises what is usual a day later, and how many alerts there were."""
    start = scenario().starts_at
    with Store.open(warm_database(folder / "d.db"), now=start) as store:
        engine = engine_on(store)
        engine.restore(start)
        before = usual(store, start + timedelta(hours=2))
        for number in range(hours * 30):
            now = start + 2 * number * MINUTE
            engine.take("now", Harvest(posts=complaints(now, number), cursor=str(number)), now)
        end = start + timedelta(hours=hours)
        for minute in range(0, 24 * 60, 5):
            engine.pass_time(end + minute * MINUTE)
        # A word a day later: hours are learned when a post comes.
        later = end + timedelta(hours=24)
        chatter = Post(
            source="hackernews", id="later", created_at=later, seen_at=later, author="somebody",
            text="reading about claude and its history",
        )  # fmt: skip
        engine.take("now", Harvest(posts=(chatter,), cursor="later"), later)
        engine.checkpoint(later)
        alerts = len([each for each in store.read.alerts(service="claude") if each.fired_at is not None])
        return usual(store, start + timedelta(days=7, hours=2)) / before, alerts


def test_f41_an_outage_teaches_nothing(tmp_path: Path, table: Table) -> None:
    """Hours of complaints later the same hour of the next week is expected to be as quiet as ever."""
    hours = size(3, 8, 10)

    times, alerts = growth(tmp_path, hours)

    table.append(("F41 outage as usual", f"{hours} h", f"expectation {times:.2f} times that before; {alerts} alert"))
    assert alerts == 1
    assert times < 1.5


def test_g12_a_detector_that_learns_the_outage_is_caught(
    tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded: hours with an open alert are learned like all others."""
    monkeypatch.setattr(Usual, "skip", lambda self, first, last: None)

    times, _ = growth(tmp_path, size(3, 8, 10))

    assert times >= 1.5
    table.append(("G12 seeded: learn the outage", "1", f"caught: {times:.0f} times"))
