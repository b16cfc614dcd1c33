"""What was deleted or edited on Reddit since it was stored: forgotten, or followed, by the daemon's own rounds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from detector.app.clock import SystemClock
from detector.app.daemon import Connections, Daemon
from detector.app.engine import Engine
from detector.app.lookback import AGAIN, EVERY, SLICE, LookBack
from detector.domain import Post, Service
from detector.errors import Temporary
from detector.match.people import People
from detector.protocols import Harvest, Recheck, Rechecks
from detector.store import Store
from tests.chaos.parts import complaint, engine_on, services
from tests.collectors.servers_reddit import FakeReddit
from tests.collectors.test_reddit import NOW, entry, serving
from tests.collectors.test_reddit import use as use_reddit
from tests.loopback import Reply

HOUR = timedelta(hours=1)


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    with Store.open(folder / "d.db", now=NOW) as store:
        made = engine_on(store, services(1))
        made._people = People([Service(slug="zorbex0", name="Zorbex0", handles=("zorbexhelp",))])
        made.restore(NOW)
        yield made


def back(collector: Rechecks, on: Engine) -> LookBack:
    async def ask(verb: Any, *args: Any) -> Any:
        return verb(on, *args)

    return LookBack(collector, ask)


class Then(SystemClock):
    """The system's clock, stopped at the time of the fake's entries."""

    def now(self) -> datetime:
        return NOW


class Told:
    """A collector that answers what it is told to."""

    source = "reddit"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answers: list[Recheck | Temporary] = []

    async def recheck(self, posts: Any, *, now: Any) -> Recheck:
        self.asked.append([post.id for post in posts])
        answer = self.answers.pop(0) if self.answers else Recheck(asked=len(posts))
        if isinstance(answer, Temporary):
            raise answer
        return answer


def stored(on: Engine, count: int, source: str = "reddit:r/A") -> tuple[Post, ...]:
    posts = tuple(complaint(0, n, NOW + timedelta(seconds=n), source) for n in range(count))
    on.take("reddit", Harvest(posts=posts, cursor="c"), NOW + timedelta(seconds=count))
    return posts


def texts(folder: Path) -> dict[str, str]:
    with sqlite3.connect(folder / "d.db") as conn:
        return dict(conn.execute("SELECT id, text FROM posts").fetchall())


def test_reddits_deletions_and_edits_reach_the_database(tmp_path: Path) -> None:
    """The real collector against a server: one removed, one edited, one with a person masked in it."""
    reddit = FakeReddit([entry(1), entry(2), entry(3, words="Zorbex0 is down @ann_b, ask @zorbexhelp")])

    with engine(tmp_path) as on, serving(reddit) as (_, settings):

        async def look(collector: Any) -> tuple[int, int]:
            on.take("reddit", await collector.poll(None, now=NOW), NOW)
            kept = texts(tmp_path)["t3_3"]
            assert "@user, ask @zorbexhelp" in kept
            by_number = {each.number: each for each in reddit.entries}
            by_number[1].removed = True
            by_number[2].words = "it works again, thanks @ann_b"
            walk = back(collector, on)
            await walk.turn(NOW + HOUR)
            return walk.asked, walk.deleted

        assert use_reddit(settings, look) == (3, 1)
        (gone,) = (name for name in texts(tmp_path) if name.startswith("forgotten-"))
        assert texts(tmp_path)[gone] == ""
        assert texts(tmp_path)["t3_2"].endswith("it works again, thanks @user")
        assert "@ann_b" not in "".join(texts(tmp_path).values())
        assert on.store.read.tallies("masked") == {"reddit": "1"}


def test_the_walk_goes_back_slice_by_slice_and_begins_again_half_a_day_later(tmp_path: Path) -> None:
    """Newest first, each post once a round, posts of other sources never."""
    told = Told()
    with engine(tmp_path) as on:
        stored(on, SLICE + 20)
        stored(on, 5, "bluesky")
        walk = back(told, on)

        async def go() -> list[float]:
            return [await walk.turn(NOW + HOUR + n * timedelta(minutes=1)) for n in range(4)] + [
                await walk.turn(NOW + HOUR + AGAIN)
            ]

        waits = asyncio.run(go())

    assert [len(each) for each in told.asked] == [SLICE, 20, SLICE]
    assert told.asked[0][0] == f"0-{SLICE + 19}"
    assert len({name for each in told.asked[:2] for name in each}) == SLICE + 20
    assert set(waits) == {EVERY}


def test_a_failure_is_waited_out_and_the_slice_asked_again(tmp_path: Path) -> None:
    """Nothing is forgotten meanwhile."""
    told = Told()
    told.answers = [Temporary("the rate limit is spent", retry_after=77.0)]
    with engine(tmp_path) as on:
        stored(on, 3)
        walk = back(told, on)
        waits = [asyncio.run(walk.turn(NOW + HOUR)), asyncio.run(walk.turn(NOW + HOUR))]

    assert waits == [77.0, EVERY]
    assert told.asked[0] == told.asked[1]
    assert all(texts(tmp_path).values())


def test_a_quote_of_a_deleted_post_leaves_the_open_alert_and_its_message(tmp_path: Path) -> None:
    """Also the old words of an edited one; the count of people stays."""
    told = Told()
    with engine(tmp_path) as on:
        posts = stored(on, 6)
        (alert,) = on.store.read.alerts()
        assert any(quote.text for quote in alert.evidence)
        edited = Post(**{**{f: getattr(posts[1], f) for f in Post.__dataclass_fields__}, "text": "never mind"})
        told.answers = [
            Recheck(deleted=tuple(p.key for p in (posts[0], *posts[2:])), edited=(edited,), asked=len(posts))
        ]
        asyncio.run(back(told, on).turn(NOW + HOUR))
        (after,) = on.store.read.alerts()
        owed = [quote.text for each in on.store.read.notifications() for quote in each.alert.evidence]

        assert [quote.text for quote in after.evidence] == [""] * len(alert.evidence)
        assert not any(owed)
        assert "is down for me" not in str(on.pipeline.dump())
        assert after.estimate == alert.estimate
        assert texts(tmp_path)["0-1"] == "never mind"


def test_the_daemon_goes_round_by_itself(tmp_path: Path, monkeypatch: Any) -> None:
    """A collector that can be asked again is; nobody has to start it."""
    monkeypatch.setattr("detector.app.lookback.EVERY", 0.05)
    reddit = FakeReddit([entry(1), entry(2)])

    async def look(collector: Any) -> None:
        with engine(tmp_path) as on:
            on.take("reddit", await collector.poll(None, now=NOW), NOW)
        daemon = Daemon(
            clock=Then(),
            store=(store := Store.open(tmp_path / "d.db", now=NOW)),
            make_engine=lambda: engine_on(store, services(1)),
            connections=Connections(collectors=[collector]),
        )
        running = asyncio.create_task(daemon.run())
        while not any(each.path == "/api/info/" for each in server.requests):
            await asyncio.sleep(0.02)
        daemon.stop()
        await running

    with serving(reddit) as (server, settings):
        use_reddit(settings, look)


def test_a_fault_of_reddit_is_no_deletion(tmp_path: Path) -> None:
    """The real collector: a lookup without answer forgets nothing."""
    reddit = FakeReddit([entry(1)])

    with engine(tmp_path) as on, serving(reddit) as (_, settings):

        async def look(collector: Any) -> float:
            on.take("reddit", await collector.poll(None, now=NOW), NOW)
            reddit.fault = lambda path: Reply("{}", status=429)
            return await back(collector, on).turn(NOW + HOUR)

        assert use_reddit(settings, look) >= EVERY
    assert all(texts(tmp_path).values())
