"""What a forked process does: a daemon of real parts, over loopback or over a script."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import resource
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from detector.alerting.policy import Receiver
from detector.app.clock import ReplayClock, SystemClock
from detector.app.daemon import Connections, Daemon
from detector.app.operator import Operator
from detector.collectors.context import CollectorContext
from detector.collectors.feeds import FeedCollector
from detector.domain import MINUTE, Notification, Post
from detector.errors import DeliveryError
from detector.notify.outbox import Sender
from detector.notify.slack import build as slack
from detector.protocols import Harvest
from detector.status.statuspage import build as statuspage
from detector.store import Store
from detector.transport.session import Limits, Session
from detector.transport.worker import ParseWorker
from tests.chaos.parts import complaint, engine_on, services
from tests.chaos.zones import zoned

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
STEPS = 6


async def live(order: dict[str, Any]) -> None:
    """The daemon on a real clock, over HTTP, until it is killed or asked to end."""
    logging.basicConfig(level=logging.WARNING)
    folder, url = Path(order["folder"]), order["url"]
    if order.get("bug") == "skip 429":
        skip_429()
    if "largest_file" in order:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"], hard))
    # More than fail: all of them at once would be taken for a fault of the detector.
    watched = services(order["services"] * 5)
    clock = SystemClock()
    store = Store.open(folder / "detector.db", now=clock.now())
    session = Session(limits=Limits(min_interval=0.0), allow_private=True)
    worker = ParseWorker()
    context = CollectorContext(session=session, worker=worker, author_key=b"k" * 32, services=tuple(watched))

    async def close() -> None:
        await worker.aclose()
        await session.aclose()

    daemon = Daemon(
        clock=clock,
        store=store,
        make_engine=lambda: engine_on(store, watched),
        connections=Connections(
            collectors=[FeedCollector(source="oracle", urls=[f"{url}/feed"], interval=0.05, context=context)],
            readers=[statuspage("zorbex0", url, session)],
            notifiers=[slack({"receiver": "hook", "webhook": f"{url}/hook", "allow_loopback_http": True})],
            page_interval=0.5,
            outbox_interval=0.1,
            close=close,
        ),
        operator=Operator([Receiver(name="hook")]),
    )
    daemon.stop_on_signals()
    await daemon.run()


def skip_429() -> None:
    """A bug to be found: a receiver that asks to wait is taken for one that refuses."""
    honest = Sender._note_failure

    def hasty(self: Sender, receiver: str, batch: Any, error: DeliveryError) -> None:
        honest(self, receiver, batch, DeliveryError(str(error), permanent="429" in str(error)))

    Sender._note_failure = hasty  # type: ignore[method-assign]


class Crash(Store):
    """A store that ends the process at its n-th boundary: before a transaction, before its commit, after it."""

    at = 0
    passed = 0

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._boundary()
        with super()._transaction() as conn:
            yield conn
            self._boundary()
        self._boundary()

    def _boundary(self) -> None:
        cls = type(self)
        cls.passed += 1
        if cls.passed == cls.at:
            os._exit(137)


class Scripted:
    """A source whose poll number n always brings the same; knows its place by the cursor alone."""

    source = "oracle"
    interval = 30.0

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """The posts of the next step, and one of the step before once more."""
        step = int(cursor or 0)
        if step >= STEPS:
            return Harvest(cursor=cursor)
        again = script(self._seed, step - 1, now)[:1] if step else []
        return Harvest(posts=(*again, *script(self._seed, step, now)), cursor=str(step + 1))

    async def aclose(self) -> None:
        """Nothing to release."""


def script(seed: int, step: int, now: datetime) -> list[Post]:
    """What is said in a step: services 0 and 1 fail, somewhere."""
    luck = random.Random(seed * 1000 + step)
    return [complaint(luck.randrange(2), step * 10 + n, now) for n in range(luck.randrange(1, 4))]


class Diary:
    """A receiver that writes down what it is told, on the disk before it confirms."""

    receiver = "hook"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, notification: Notification) -> str | None:
        """One line a message."""
        with self._path.open("a", encoding="utf-8") as out:
            for one in (notification, *notification.others):
                out.write(one.id + "\n")
            out.flush()
            os.fsync(out.fileno())
        return None

    async def aclose(self) -> None:
        """Nothing to release."""


async def scripted(order: dict[str, Any]) -> None:
    """The script from wherever the database stands to its end, with a crash at boundary `crash` (0: none)."""
    folder = Path(order["folder"])
    Crash.at, Crash.passed = order["crash"], 0
    start = START + order["run"] * 5 * MINUTE
    clock = ReplayClock(start)
    store = Crash.open(folder / "detector.db", now=start)
    watched = services(2)
    daemon = Daemon(
        clock=clock,
        store=store,
        make_engine=lambda: engine_on(store, watched),
        connections=Connections(
            collectors=[Scripted(order["seed"])],
            notifiers=[Diary(folder / "diary.txt")],
            outbox_interval=20.0,
        ),
        rng=random.Random(order["seed"]),
    )

    async def end() -> None:
        with clock.taking_part():
            await clock.sleep(300)
            daemon.stop()

    await asyncio.wait_for(asyncio.gather(daemon.run(), end()), 300)
    (folder / "boundaries.txt").write_text(str(Crash.passed), encoding="utf-8")


JOBS: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {"live": live, "scripted": scripted, "zoned": zoned}
