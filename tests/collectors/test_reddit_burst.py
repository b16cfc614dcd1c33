"""Nothing is lost in a burst as far as Reddit's listing reaches, and a gap tells of everything beyond."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.reddit import build
from detector.domain import Coverage, CoverageState
from tests.collectors.servers_reddit import KEYS, Entry, FakeReddit
from tests.collectors.test_feeds import run

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class Heard:
    """What came out of a whole run."""

    ids: list[str]
    gaps: list[Coverage]
    polls: int


def arrivals(*phases: tuple[float, float], start: float = START.timestamp()) -> list[Entry]:
    """Entries by phases of (seconds, posts a second), evenly spaced."""
    entries: list[Entry] = []
    at, number = start, 1000
    for seconds, rate in phases:
        count = max(int(seconds * rate), 0)
        entries += [Entry(number + each, at + (each + 0.5) / rate) for each in range(count)]
        at, number = at + seconds, number + count
    return entries


def listen(reddit: FakeReddit, *, seconds: float, interval: float = 5.0, gone: float = 0.0) -> Heard:
    """Poll as the daemon does, by the server's clock; `gone` of the entries are deleted after they were seen."""
    chance = random.Random(7)
    heard = Heard([], [], 0)

    async def go(context: CollectorContext) -> None:
        (collector,) = build(settings, context)
        cursor = None
        while reddit.now < START.timestamp() + seconds:
            harvest = await collector.poll(cursor, now=datetime.fromtimestamp(reddit.now, UTC))
            cursor = harvest.cursor
            heard.ids += [post.id for post in harvest.posts]
            heard.gaps += harvest.gaps
            heard.polls += 1
            for entry in reddit.entries:
                if entry.at <= reddit.now - 30 and not entry.removed and entry.at > reddit.now - 60:
                    entry.removed = chance.random() < gone
            reddit.now += harvest.poll_after or interval
        await collector.aclose()

    with reddit.serve("/r/ClaudeAI/new") as server:
        settings = {
            **KEYS,
            "reddit_url": server.url,
            "oauth_url": server.url,
            "communities": ["ClaudeAI"],
            "comments": False,
            "interval": interval,
            "requests_per_minute": 6000,
        }
        run(go)
    return heard


def inside(at: float, gaps: Sequence[Coverage]) -> bool:
    """Whether a second lies in a gap; Reddit tells whole seconds, so both ends belong to it."""
    return any(gap.from_at.timestamp() <= int(at) <= gap.to_at.timestamp() for gap in gaps)


@pytest.mark.parametrize("gone", [0.0, 0.2], ids=["nothing deleted", "a fifth deleted"])
def test_f16_a_burst_within_reach_loses_nothing(gone: float) -> None:
    """From one post in 50 s to 200 a second, each request taking a second: every post comes once."""
    phases = ((300.0, 0.02), (3.5, 200.0), (40.0, 20.0), (300.0, 0.02))
    reddit = FakeReddit(arrivals(*phases), now=START.timestamp(), takes=1.0)

    heard = listen(reddit, seconds=660, gone=gone)

    assert sorted(heard.ids) == sorted(entry.name for entry in reddit.entries)
    assert heard.gaps == []


@pytest.mark.parametrize("rate", [0.02, 1.0, 10.0, 60.0])
def test_a_steady_rate_that_requests_can_follow_loses_nothing(rate: float) -> None:
    """Up to 60 a second, with 100 entries a request and a second each."""
    reddit = FakeReddit(arrivals((60.0, rate)), now=START.timestamp(), takes=1.0)

    heard = listen(reddit, seconds=90)

    assert sorted(heard.ids) == sorted(entry.name for entry in reddit.entries)
    assert heard.gaps == []


def test_f16_beyond_the_reach_gaps_account_for_every_missing_post() -> None:
    """200 a second for a minute: what is missing lies in gaps, and within a gap nothing was heard."""
    reddit = FakeReddit(arrivals((100.0, 0.02), (60.0, 200.0), (100.0, 1.0)), now=START.timestamp(), takes=1.0)

    heard = listen(reddit, seconds=280)

    came = set(heard.ids)
    missing = [entry for entry in reddit.entries if entry.name not in came]
    assert len(missing) > 5000
    assert all(inside(entry.at, heard.gaps) for entry in missing)
    assert {gap.state for gap in heard.gaps} == {CoverageState.GAP}
    within = [
        entry
        for entry in reddit.entries
        if any(gap.from_at.timestamp() < int(entry.at) < gap.to_at.timestamp() for gap in heard.gaps)
    ]
    assert within
    assert all(entry.name not in came for entry in within)
    # The rest of the missing share their second with an end of a gap.
    assert len(missing) - len(within) <= 200 * 2 * len(heard.gaps)


def test_a_pause_longer_than_the_reach_is_a_gap_with_its_exact_span() -> None:
    """1,500 posts while we were away: the newest 1,000 come, the gap ends where they begin."""
    first = arrivals((10.0, 1.0))
    burst = arrivals((1500.0, 1.0), start=START.timestamp() + 100)
    for number, entry in enumerate(burst):
        entry.number = 50_000 + number
    reddit = FakeReddit([*first, *burst], now=START.timestamp() + 50)

    heard = listen(reddit, seconds=3051, interval=3000)

    assert heard.polls == 2
    (gap,) = heard.gaps
    assert (gap.from_at.timestamp(), gap.to_at.timestamp()) == (int(first[-1].at), int(burst[500].at))
    assert len(heard.ids) == 1010
