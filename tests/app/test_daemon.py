"""The daemon: parts fail alone, blindness is noticed, and it always ends in time."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.app.clock import ReplayClock
from detector.app.daemon import Connections, Daemon
from detector.app.engine import Engine, Step
from detector.app.operator import Operator
from detector.domain import MINUTE, Notification, PageState, Post, StatusReading
from detector.errors import ArtifactError, DeliveryError, Permanent, Temporary
from detector.protocols import Collector, Harvest
from detector.store import Store
from tests.app.morning import engine_on

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


class Source:
    """A collector that does what `answer` does; `answer` is given the poll's number and time."""

    interval = 30.0

    def __init__(self, source: str, answer: Callable[[int, datetime], Harvest]) -> None:
        self.source = source
        self.polls: list[datetime] = []
        self.cursors: list[str | None] = []
        self.closed = False
        self._answer = answer

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        self.polls.append(now)
        self.cursors.append(cursor)
        return self._answer(len(self.polls), now)

    async def aclose(self) -> None:
        self.closed = True


class Page:
    """A status reader that cannot read."""

    service = "claude"
    url = "https://status.example.org"

    async def read(self, *, now: datetime) -> StatusReading:
        raise Temporary("status.example.org: 503")


class Steps:
    """Remembers what it saw."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.readings: list[StatusReading] = []

    def stepped(self, step: Step) -> None:
        self.steps.append(step)

    def read(self, reading: StatusReading) -> None:
        self.readings.append(reading)


def post(n: int, now: datetime, source: str = "good") -> Post:
    return Post(source=source, id=str(n), created_at=now, seen_at=now, text=f"is claude down? {n}", author=f"a{n}")


def good(n: int, now: datetime) -> Harvest:
    return Harvest(posts=(post(n, now),), cursor=f"c{n}")


def bad(_n: int, _now: datetime) -> Harvest:
    raise Temporary("bad.example.org: refused the connection")


def run_for(
    minutes: float,
    path: Path,
    connections: Connections,
    observer: Steps | None = None,
    operator: Operator | None = None,
) -> Daemon:
    """Let a daemon live through so many simulated minutes."""

    async def live() -> Daemon:
        clock = ReplayClock(START)
        store = Store.open(path, now=START)
        daemon = Daemon(
            clock=clock,
            store=store,
            make_engine=lambda: engine_on(store),
            connections=connections,
            observer=observer,
            operator=operator,
            rng=random.Random(1),
        )

        async def end() -> None:
            with clock.taking_part():
                await clock.sleep(minutes * 60)
                daemon.stop()

        await asyncio.wait_for(asyncio.gather(daemon.run(), end()), 30)
        return daemon

    return asyncio.run(live())


def reader(path: Path) -> Store:
    return Store.open(path, now=START)


def test_a_failing_source_never_stops_another_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten minutes: the good source is polled twenty times, the bad one is named in one line."""
    caplog.set_level(logging.INFO, "detector")
    fine, broken = Source("good", good), Source("bad", bad)

    run_for(10, tmp_path / "d.db", Connections(collectors=[fine, broken]))

    assert len(fine.polls) == 20
    assert fine.cursors[:3] == [None, "c1", "c2"]
    assert len([line for line in caplog.messages if "bad: unreachable" in line]) == 1
    with reader(tmp_path / "d.db") as store:
        counts = {each.source: each.accepted for each in store.read.sources()}
        states = {each.source: each.state.value for each in store.read.coverage()}
    assert counts == {"good": 20}
    assert states == {"good": "ok", "bad": "failing"}


def test_polls_of_a_failing_source_grow_rarer_and_stay_polite(tmp_path: Path) -> None:
    """In two simulated hours a dead source is asked some thirty times, not 240."""
    broken = Source("bad", bad)

    run_for(120, tmp_path / "d.db", Connections(collectors=[broken]))

    pauses = [(after - before).total_seconds() for before, after in zip(broken.polls, broken.polls[1:], strict=False)]
    assert 20 <= len(broken.polls) <= 45
    assert max(pauses) <= 300 * 1.2
    assert pauses[0] < pauses[3] < pauses[5]


def test_a_source_that_says_when_to_come_back_is_obeyed(tmp_path: Path) -> None:
    """Retry-After is the least wait."""

    def busy(_n: int, _now: datetime) -> Harvest:
        raise Temporary("busy.example.org: 429", retry_after=1200)

    broken = Source("busy", busy)

    run_for(30, tmp_path / "d.db", Connections(collectors=[broken]))

    assert [(at - START).total_seconds() for at in broken.polls] == [0, 1200]


def test_a_broken_plugin_is_started_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What no collector may raise is logged with its traceback, counted, and the others go on."""

    def buggy(n: int, now: datetime) -> Harvest:
        if n % 2:
            raise ZeroDivisionError("a bug")
        return replace(good(n, now), posts=(post(n, now, "buggy"),))

    daemon = run_for(5, tmp_path / "d.db", Connections(collectors=[Source("good", good), Source("buggy", buggy)]))

    assert daemon.errors >= 2
    assert "a bug" in caplog.text
    with reader(tmp_path / "d.db") as store:
        counts = {each.source: each.accepted for each in store.read.sources()}
    assert counts["good"] == 10
    assert counts["buggy"] >= 2


def test_when_no_source_is_heard_it_is_said_and_recorded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All failing is blindness: one warning, a span over everything, and it is over with the first answer."""

    def back_later(n: int, now: datetime) -> Harvest:
        if now < START + 20 * MINUTE:
            raise Permanent("gone.example.org: 404")
        return good(n, now)

    run_for(40, tmp_path / "d.db", Connections(collectors=[Source("good", back_later), Source("bad", bad)]))

    assert len([line for line in caplog.messages if "no source is heard" in line]) == 1
    with reader(tmp_path / "d.db") as store:
        blind = store.read.coverage("*")
    assert blind[0].from_at == START
    # Until the poll that brought an answer: waits grow to five minutes.
    assert START + 15 * MINUTE < blind[-1].to_at <= START + 26 * MINUTE


def test_a_page_that_cannot_be_read_is_unknown_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Never operational."""
    seen = Steps()

    run_for(10, tmp_path / "d.db", Connections(readers=[Page()]), seen)

    assert {reading.state for reading in seen.readings} == {PageState.UNKNOWN}
    assert len([line for line in caplog.messages if "page of claude" in line]) == 1


def test_an_engine_that_cannot_be_built_ends_the_daemon_with_its_reason(tmp_path: Path) -> None:
    """The error reaches the caller, and everything is released: the database can be opened at once."""

    def broken() -> Engine:
        raise ArtifactError("models/static: damaged; reinstall")

    async def live() -> None:
        store = Store.open(tmp_path / "d.db", now=START)
        source = Source("good", good)
        daemon = Daemon(
            clock=ReplayClock(START), store=store, make_engine=broken, connections=Connections(collectors=[source])
        )
        with pytest.raises(ArtifactError, match="damaged"):
            await asyncio.wait_for(daemon.run(), 10)
        assert source.closed

    asyncio.run(live())
    reader(tmp_path / "d.db").close()


def test_a_source_that_hangs_does_not_delay_the_stop(tmp_path: Path) -> None:
    """SIGTERM comes while a poll is under way: the daemon ends within ten seconds and closes what it opened."""

    class Hanging(Source):
        async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
            self.polls.append(now)
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(3600)
            raise AssertionError("never reached")

    async def live() -> tuple[float, Source]:
        from detector.app.clock import SystemClock

        clock = SystemClock()
        store = Store.open(tmp_path / "d.db", now=clock.now())
        source = Hanging("slow", good)
        daemon = Daemon(
            clock=clock, store=store, make_engine=lambda: engine_on(store), connections=Connections(collectors=[source])
        )
        daemon.stop_on_signals()
        began = asyncio.get_running_loop().time()
        await asyncio.wait_for(daemon.run(), 10)
        return asyncio.get_running_loop().time() - began, source

    took, source = asyncio.run(live())

    assert took < 10
    assert source.closed
    reader(tmp_path / "d.db").close()


class Receiver:
    """A notifier that refuses the first so many messages."""

    def __init__(self, receiver: str, refusals: int = 0) -> None:
        self.receiver = receiver
        self.tried: list[str] = []
        self._refusals = refusals

    async def send(self, notification: Notification) -> str | None:
        self.tried.append(notification.id)
        if len(self.tried) <= self._refusals:
            raise DeliveryError("busy", retry_after=60)
        return None

    async def aclose(self) -> None:
        """Nothing to release."""


def test_a_receiver_that_refuses_is_tried_again_and_holds_up_nobody(tmp_path: Path) -> None:
    """A message left from before a restart goes out at the start; the busy receiver gets it a minute later."""
    from detector.domain import Level, Reason
    from tests.app.test_health import alert

    with Store.open(tmp_path / "d.db", now=START) as store:
        owed = [
            Notification(
                id=f"claude-1/{name}/1", alert=alert(Level.ALERT), receiver=name, reason=Reason.OPENED, created_at=START
            )
            for name in ("busy", "ready")
        ]
        store.record(now=START, alerts=[(alert(Level.ALERT), Reason.OPENED)], notifications=owed)
    busy, ready = Receiver("busy", refusals=2), Receiver("ready")

    run_for(10, tmp_path / "d.db", Connections(notifiers=[busy, ready], outbox_interval=15))

    assert ready.tried == ["claude-1/ready/1"]
    assert busy.tried == ["claude-1/busy/1"] * 3
    with reader(tmp_path / "d.db") as store:
        assert all(each.sent_at is not None for each in store.read.notifications())


def test_collectors_in_these_tests_are_collectors() -> None:
    """The fakes keep the protocol."""
    fakes: Sequence[Collector] = [Source("good", good)]

    assert all(isinstance(each, Collector) for each in fakes)
