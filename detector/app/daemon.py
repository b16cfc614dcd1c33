"""The daemon: one supervised loop a source, a page and a receiver, and one thread in which posts become alerts."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from detector.alerting.grouping import Pace
from detector.app.clock import Clock
from detector.app.direct import Direct
from detector.app.ears import LONGEST_BACKOFF, LOOK_EVERY, NOTE_EVERY, Ears
from detector.app.engine import Engine, Step
from detector.app.house import House
from detector.app.intake import Intake
from detector.app.lookback import LookBack
from detector.app.operator import Operator
from detector.app.rounds import Rounds
from detector.app.supervise import ServiceManager, Supervisor
from detector.domain import Coverage, CoverageState, Notification, PageState, StatusReading
from detector.errors import DetectorError, StoreError, TransportError
from detector.notify.outbox import Sender
from detector.protocols import Collector, Harvest, Notifier, Rechecks, StatusReader
from detector.store import Store

logger = logging.getLogger(__name__)

__all__ = ["LONGEST_BACKOFF", "TICK", "Connections", "Daemon", "Observer", "Quiet"]

TICK = LOOK_EVERY
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
        fallbacks: by receiver, who is told that it refuses a message for good.
        paces: by receiver, how many messages it bears.
    """

    collectors: Sequence[Collector] = ()
    readers: Sequence[StatusReader] = ()
    notifiers: Sequence[Notifier] = ()
    page_interval: float = 60.0
    outbox_interval: float = 1.0
    close: Callable[[], Awaitable[None]] | None = None
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    paces: Mapping[str, Pace] = field(default_factory=dict)


class Daemon:
    """Runs until `stop()`; every part may fail without stopping another.

    Args:
        clock: the system's, or that of a replay.
        store: opened by the caller, closed by `run`.
        make_engine: builds the engine and restores it; runs in the worker thread while the first polls are made.
        connections: collectors, status readers and notifiers.
        observer: is told of every step.
        house: retention and backups; without it the defaults hold.
        operator: is told of the daemon's own faults; without it nobody is.
        supervisor: passes signs of life on.
        rng: for jitter.
        keep_store: whether the caller closes the store.

    Attributes:
        errors: how often a loop broke.
        polls: how many polls were answered.
        blind: the services that cannot be judged for want of ears.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        make_engine: Callable[[], Engine],
        connections: Connections,
        observer: Observer | None = None,
        house: House | None = None,
        operator: Operator | None = None,
        supervisor: Supervisor | None = None,
        rng: random.Random | None = None,
        keep_store: bool = False,
    ) -> None:
        self.errors = 0
        self.polls = 0
        self._clock = clock
        self._store = store
        self._make_engine = make_engine
        self._connections = connections
        self._observer = observer or Quiet()
        self._supervisor = supervisor or Supervisor(ServiceManager({}))
        self._keep_store = keep_store
        self._rng = rng or random.Random()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._stopping = asyncio.Event()
        self._engine: Engine | None = None
        self._sender = Sender(
            connections.notifiers,
            store.outbox,
            now=clock.now,
            chance=self._rng.random,
            paces=connections.paces,
            fallbacks=connections.fallbacks,
        )
        self._owed = {each.receiver: asyncio.Event() for each in connections.notifiers}
        self._cursors: dict[str, str | None] = {}
        self._ears = Ears({each.source: each.interval for each in connections.collectors}, rng=self._rng)
        self._intake = Intake()
        self._rounds = Rounds(
            store=store, ears=self._ears, operator=operator or Operator(()), house=house or House(store=store)
        )
        self._direct = Direct(connections.notifiers, self._arrived)

    @property
    def blind(self) -> frozenset[str]:
        """The services that cannot be judged for want of ears."""
        return self._rounds.blind

    def workings(self) -> dict[str, float]:
        """Figures for a monitoring system, from any thread."""
        rate = 0.0 if self._engine is None else self._engine.load.rate
        return {
            "queue_bytes": float(self._intake.held),
            "queue_waiting": float(max(self._intake.waiting - 1, 0)),
            "judgements_per_second": rate,
            "clock_jumps": float(getattr(self._clock, "jumps", 0)),
            "loop_errors": float(self.errors),
        }

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
        self._ears.begin(self._clock.now())
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
            if isinstance(collector, Rechecks):
                back = LookBack(collector, self._ask)
                yield f"deletions at {collector.source}", partial(back.run, self._clock, self._stopping)
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
            self._supervisor.ready()
            logger.info("ready")

    def _make_and_restore(self, now: datetime) -> Step:
        engine = self._make_engine()
        step = engine.restore(now)
        self._rounds.begin(now)
        # Set here, in the worker thread, so that the steps queued behind this one find it.
        self._engine = engine
        return step

    async def _close(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        self._stopping.set()
        self._supervisor.stopping()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._engine is not None:
            with suppress(StoreError):
                await self._ask(Engine.checkpoint, self._clock.now())
            await self._sender.drain(_LAST_WORDS)
        await self._direct.settle()
        for notifier in self._connections.notifiers:
            await notifier.aclose()
        for collector in self._connections.collectors:
            await collector.aclose()
        if self._connections.close is not None:
            await self._connections.close()
        self._thread.shutdown(wait=True)
        if not self._keep_store:
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
                    await self._clock.sleep(self._ears.backoff(failures, 1.0), self._stopping)

    async def _listen(self, collector: Collector) -> None:
        source = collector.source
        while not self._stopping.is_set():
            now = self._clock.now()
            delay = collector.interval
            try:
                harvest = await collector.poll(self._cursors.get(source), now=now)
                self.polls += 1
                step = await self._take(source, harvest, now)
                if step.adrift is not None:
                    raise step.adrift
            except (TransportError, StoreError) as error:
                delay = await self._failed(source, error, delay, now)
            else:
                if harvest.cursor is not None:
                    self._cursors[source] = harvest.cursor
                delay = harvest.poll_after or delay
                await self._heard(source, harvest, now, delay)
            await self._clock.sleep(delay, self._stopping)

    async def _take(self, source: str, harvest: Harvest, now: datetime) -> Step:
        async with self._intake.turn(harvest):
            if self._engine is not None:
                self._engine.load.waiting = self._intake.waiting - 1
            step = await self._ask(Engine.take, source, harvest, now)
        self._tell(step)
        return step

    async def _watch_page(self, reader: StatusReader) -> None:
        name = f"page of {reader.service}"
        while not self._stopping.is_set():
            now = self._clock.now()
            delay = self._connections.page_interval
            try:
                reading = await reader.read(now=now)
            except TransportError as error:
                delay = self._ears.complain(name, error, delay)
                # A page that cannot be read says nothing, and surely not that all is well.
                reading = StatusReading(
                    service=reader.service, at=now, state=PageState.UNKNOWN, description="cannot be read"
                )
            else:
                self._ears.rejoice(name, now)
            self._observer.read(reading)
            self._tell(await self._ask(Engine.take_reading, reading))
            await self._clock.sleep(delay, self._stopping)

    async def _tick(self) -> None:
        while not self._stopping.is_set():
            await self._clock.sleep(TICK, self._stopping)
            if self._stopping.is_set() or self._engine is None:
                continue
            now = self._clock.now()
            turn = await self._in_thread(self._rounds.go, self._engine, now)
            for step in turn.steps:
                self._tell(step)
            self._tell_of_ourselves(turn.owed, stored=turn.stored)
            if turn.alive:
                self._supervisor.sung()
            await self._supervisor.beat(well=turn.well, words=turn.words)

    async def _deliver(self, receiver: str) -> None:
        owed = self._owed[receiver]
        while not self._stopping.is_set():
            owed.clear()
            await self._sender.send_due(receiver)
            await self._clock.sleep(self._connections.outbox_interval, owed)

    # -- parts of loops --------------------------------------------------------------------------------------------

    async def _heard(self, source: str, harvest: Harvest, now: datetime, delay: float) -> None:
        streak = self._ears.of(source)
        mended = self._ears.rejoice(source, now, expected=delay) or bool(harvest.gaps)
        for gap in harvest.gaps:
            streak.gap_until = max(gap.to_at, streak.gap_until or gap.to_at)
        if mended or streak.noted_at is None or now - streak.noted_at >= NOTE_EVERY:
            since = now if mended else streak.noted_at or now
            streak.noted_at = now
            await self._ask(Engine.note, Coverage(source=source, from_at=since, to_at=now, state=CoverageState.OK))

    async def _failed(self, source: str, error: Exception, interval: float, now: datetime) -> float:
        """Note a failed poll; returns the seconds until the next one."""
        delay = self._ears.complain(source, error, interval)
        span = Coverage(
            source=source,
            from_at=self._ears.of(source).heard_at or now,
            to_at=now,
            state=CoverageState.FAILING,
            note=str(error)[:300],
        )
        with suppress(StoreError):
            await self._ask(Engine.note, span)
        return delay

    def _tell_of_ourselves(self, owed: Sequence[Notification], *, stored: bool) -> None:
        for message in owed:
            if stored and message.receiver in self._owed:
                self._owed[message.receiver].set()
            elif not stored:
                self._direct.send(message)

    def _arrived(self, message_id: str) -> None:
        if self._engine is not None:
            self._engine.told.add(message_id)

    def _tell(self, step: Step) -> None:
        self._tell_of_ourselves(step.owed, stored=step.adrift is None)
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
