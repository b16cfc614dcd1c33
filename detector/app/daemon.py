"""The daemon: one supervised loop a source, a page and a receiver, and one thread in which posts become alerts."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from detector.app import inbox
from detector.app.clock import Clock
from detector.app.engine import Engine, Step
from detector.domain import Coverage, CoverageState, PageState, StatusReading
from detector.errors import DetectorError, StoreError, Temporary, TransportError
from detector.notify.outbox import Sender
from detector.protocols import Collector, Notifier, StatusReader
from detector.store import Store

logger = logging.getLogger(__name__)

TICK = 15.0
LONGEST_BACKOFF = 300.0
# How often a source that answers is noted as heard; `health.STALE_AFTER` is several times longer.
NOTE_EVERY = timedelta(minutes=1)
UPKEEP = timedelta(hours=1)
_GRACE = 2.0
_LAST_WORDS = 5.0
T = TypeVar("T")
P = ParamSpec("P")


class Observer(Protocol):
    """Looks on; what it raises is a bug."""

    def stepped(self, step: Step) -> None:
        """The engine took a step."""

    def read(self, reading: StatusReading) -> None:
        """An official page was read."""


class Quiet:
    """Looks on and says nothing."""

    def stepped(self, step: Step) -> None:
        """Say nothing."""

    def read(self, reading: StatusReading) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What the daemon listens to and speaks through.

    Attributes:
        page_interval: seconds between two looks at a page.
        outbox_interval: seconds between two looks for messages to be tried again; a new one is sent at once.
        close: releases what they share (session, parser).
    """

    collectors: Sequence[Collector] = ()
    readers: Sequence[StatusReader] = ()
    notifiers: Sequence[Notifier] = ()
    page_interval: float = 60.0
    outbox_interval: float = 1.0
    close: Callable[[], Awaitable[None]] | None = None


@dataclass(slots=True)
class _Streak:
    """How a source or page has been doing, so that a lasting failure is said once."""

    failures: int = 0
    heard_at: datetime | None = None
    noted_at: datetime | None = None
    errors: set[str] = field(default_factory=set)


class Daemon:
    """Runs until `stop()`; every part may fail without stopping another.

    Args:
        clock: the system's, or that of a replay.
        store: opened by the caller, closed by `run`.
        make_engine: builds the engine and restores it; runs in the worker thread while the first polls are made.
        connections: collectors, status readers and notifiers.
        observer: is told of every step.
        keep_text: how long texts are kept.
        rng: for jitter.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        make_engine: Callable[[], Engine],
        connections: Connections,
        observer: Observer | None = None,
        keep_text: timedelta = timedelta(days=30),
        rng: random.Random | None = None,
    ) -> None:
        self.errors = 0
        self.polls = 0
        self._clock = clock
        self._store = store
        self._make_engine = make_engine
        self._connections = connections
        self._observer = observer or Quiet()
        self._keep_text = keep_text
        self._rng = rng or random.Random()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._stopping = asyncio.Event()
        self._engine: Engine | None = None
        self._sender = Sender(connections.notifiers, store.outbox, now=clock.now, chance=self._rng.random)
        self._owed = {each.receiver: asyncio.Event() for each in connections.notifiers}
        self._cursors: dict[str, str | None] = {}
        self._streaks: dict[str, _Streak] = {}
        self._blind_since: datetime | None = None
        self._kept_at: datetime | None = None

    def stop(self) -> None:
        """Ask `run` to end; it does within ten seconds."""
        self._stopping.set()
        for owed in self._owed.values():
            owed.set()

    async def run(self) -> None:
        """Listen, judge and alert until `stop()`.

        Raises:
            DetectorError: the engine could not be built.
        """
        # Asked before the worker thread has work: the first polls must not wait for the classifier.
        self._cursors = {each.source: self._store.read.cursor(each.source) for each in self._connections.collectors}
        tasks: list[asyncio.Task[None]] = []
        try:
            starting = asyncio.create_task(self._start())
            tasks = [asyncio.create_task(self._forever(name, loop)) for name, loop in self._loops()]
            stopped = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            await stopped
            await asyncio.wait(tasks, timeout=_GRACE)
            await starting
        finally:
            await self._close(tasks)

    def _loops(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        for collector in self._connections.collectors:
            yield f"source {collector.source}", partial(self._listen, collector)
        for reader in self._connections.readers:
            yield f"page of {reader.service}", partial(self._watch_page, reader)
        for notifier in self._connections.notifiers:
            yield f"receiver {notifier.receiver}", partial(self._deliver, notifier.receiver)
        yield "ticker", self._tick

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT stop the daemon; a second one ends the process at once."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._on_signal, each)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stopping.is_set():
            for each in (signal.SIGTERM, signal.SIGINT):
                signal.signal(each, signal.SIG_DFL)
            signal.raise_signal(number)
        logger.info("stopping on %s; once more ends at once", number.name)
        self.stop()

    async def _start(self) -> None:
        with self._clock.taking_part():
            self._tell(await self._in_thread(self._make_and_restore, self._clock.now()))
            logger.info("ready")

    def _make_and_restore(self, now: datetime) -> Step:
        engine = self._make_engine()
        step = engine.restore(now)
        # Set here, in the worker thread, so that the steps queued behind this one find it.
        self._engine = engine
        return step

    async def _close(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        self._stopping.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._engine is not None:
            with suppress(StoreError):
                await self._ask(Engine.checkpoint, self._clock.now())
            await self._sender.drain(_LAST_WORDS)
        for notifier in self._connections.notifiers:
            await notifier.aclose()
        for collector in self._connections.collectors:
            await collector.aclose()
        if self._connections.close is not None:
            await self._connections.close()
        self._thread.shutdown(wait=True)
        self._store.close()

    # -- loops -----------------------------------------------------------------------------------------------------

    async def _forever(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop again whenever it breaks, later and later."""
        failures = 0
        with self._clock.taking_part():
            while not self._stopping.is_set():
                try:
                    await loop()
                except Exception as error:
                    self.errors += 1
                    failures += 1
                    # Our own errors say what to do; anything else is a bug, and its traceback is wanted.
                    bug = not isinstance(error, DetectorError)
                    logger.error("%s broke and is started again: %s", name, error, exc_info=bug)  # noqa: TRY400
                    await self._clock.sleep(self._backoff(failures, 1.0), self._stopping)

    async def _listen(self, collector: Collector) -> None:
        source = collector.source
        streak = self._streaks.setdefault(source, _Streak())
        while not self._stopping.is_set():
            now = self._clock.now()
            try:
                harvest = await collector.poll(self._cursors.get(source), now=now)
                self.polls += 1
                step = await self._ask(Engine.take, source, harvest, now)
            except (TransportError, StoreError) as error:
                delay = await self._failed(source, streak, error, collector.interval, now)
            else:
                if harvest.cursor is not None:
                    self._cursors[source] = harvest.cursor
                await self._heard(source, streak, now, partly=bool(harvest.gaps))
                self._tell(step)
                delay = harvest.poll_after or collector.interval
            await self._clock.sleep(delay, self._stopping)

    async def _watch_page(self, reader: StatusReader) -> None:
        name = f"page of {reader.service}"
        streak = self._streaks.setdefault(name, _Streak())
        while not self._stopping.is_set():
            now = self._clock.now()
            delay = self._connections.page_interval
            try:
                reading = await reader.read(now=now)
            except TransportError as error:
                delay = self._complain(name, streak, error, delay)
                # A page that cannot be read says nothing, and surely not that all is well.
                reading = StatusReading(
                    service=reader.service, at=now, state=PageState.UNKNOWN, description="cannot be read"
                )
            else:
                self._rejoice(name, streak, now)
            self._observer.read(reading)
            self._tell(await self._ask(Engine.take_reading, reading))
            await self._clock.sleep(delay, self._stopping)

    async def _tick(self) -> None:
        while not self._stopping.is_set():
            await self._clock.sleep(TICK, self._stopping)
            now = self._clock.now()
            if self._stopping.is_set() or self._engine is None:
                continue
            await self._in_thread(partial(inbox.collect, self._store, now=now))
            self._tell(await self._ask(Engine.pass_time, now))
            await self._keep_house(now)

    async def _deliver(self, receiver: str) -> None:
        owed = self._owed[receiver]
        while not self._stopping.is_set():
            owed.clear()
            await self._sender.send_due(receiver)
            await self._clock.sleep(self._connections.outbox_interval, owed)

    # -- parts of loops --------------------------------------------------------------------------------------------

    async def _heard(self, source: str, streak: _Streak, now: datetime, *, partly: bool) -> None:
        mended = streak.failures > 0 or partly
        self._rejoice(source, streak, now)
        self._blind_since = None
        if mended or streak.noted_at is None or now - streak.noted_at >= NOTE_EVERY:
            since = now if mended else streak.noted_at or now
            streak.noted_at = now
            await self._ask(Engine.note, Coverage(source=source, from_at=since, to_at=now, state=CoverageState.OK))

    async def _failed(
        self, source: str, streak: _Streak, error: TransportError | StoreError, interval: float, now: datetime
    ) -> float:
        """Note a failed poll; returns the seconds until the next one."""
        delay = self._complain(source, streak, error, interval)
        span = Coverage(
            source=source,
            from_at=streak.heard_at or now,
            to_at=now,
            state=CoverageState.FAILING,
            note=str(error)[:300],
        )
        with suppress(StoreError):
            await self._ask(Engine.note, span)
            await self._notice_blindness(now)
        return delay

    async def _notice_blindness(self, now: datetime) -> None:
        """One source less is noted; when all fail, the detectors must know that they hear nothing."""
        streaks = [self._streaks.get(each.source) for each in self._connections.collectors]
        if not all(streak is not None and streak.failures for streak in streaks):
            return
        since = self._blind_since or min((each.heard_at or now for each in streaks if each), default=now)
        if self._blind_since is None:
            logger.warning("no source is heard: every service is unknown")
        self._blind_since = now
        await self._ask(Engine.note_blind, since, now, "no source is heard")

    def _complain(self, name: str, streak: _Streak, error: Exception, interval: float) -> float:
        streak.failures += 1
        words = str(error)
        # Once a kind of failure and streak: an unreachable network must not fill the log.
        level = logging.DEBUG if words in streak.errors or streak.errors else logging.WARNING
        streak.errors.add(words)
        logger.log(level, "%s: unreachable: %s", name, words)
        wanted = error.retry_after if isinstance(error, Temporary) and error.retry_after else 0.0
        return max(wanted, self._backoff(streak.failures, min(interval, 5.0)))

    def _rejoice(self, name: str, streak: _Streak, now: datetime) -> None:
        if streak.failures:
            logger.info("%s: reachable again after %d failures", name, streak.failures)
        streak.failures = 0
        streak.errors.clear()
        streak.heard_at = now

    async def _keep_house(self, now: datetime) -> None:
        """Hourly totals, and texts that have been kept long enough."""
        if self._kept_at is not None and now - self._kept_at < UPKEEP:
            return
        self._kept_at = now
        await self._in_thread(self._store.rollup)
        await self._in_thread(partial(self._store.forget_older_than, now - self._keep_text, now=now))

    def _backoff(self, failures: int, first: float) -> float:
        """Twice as long each time, up to five minutes, give or take a fifth."""
        return min(first * 2.0 ** min(failures - 1, 16), LONGEST_BACKOFF) * self._rng.uniform(0.8, 1.2)

    def _tell(self, step: Step) -> None:
        for message in step.owed:
            if message.receiver in self._owed:
                self._owed[message.receiver].set()
        for change in step.changes:
            alert = change.alert
            logger.info("alert %s %s level=%s reason=%s", alert.key, alert.state, alert.level, change.reason)
        self._observer.stepped(step)

    async def _ask(self, verb: Callable[Concatenate[Engine, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Let the engine do something, in the worker thread."""

        def call() -> T:
            if self._engine is None:
                raise StoreError("the engine did not start")
            return verb(self._engine, *args, **named)

        return await self._in_thread(call)

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *args, **named))
