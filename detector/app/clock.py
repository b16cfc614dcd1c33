"""The only reader of the clock; everybody else is given `now`. A recorded morning brings its own clock."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol

logger = logging.getLogger(__name__)

JUMP = timedelta(seconds=60)


class Clock(Protocol):
    """What the daemon asks about time."""

    def now(self) -> datetime:
        """The present, aware and UTC; never earlier than the answer before."""

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Wait so long, or until `wake` is set."""

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """While this holds, time does not pass unless the caller sleeps (a real clock does not care)."""


def system_now() -> datetime:
    """The system's time, for a command that needs it once."""
    return datetime.now(UTC)  # noqa: TID251 - this module is the one place


class SystemClock:
    """The system's time, kept from running backwards.

    A step forward is believed (a suspended laptop, a first NTP answer). After a step back the monotonic clock carries
    on from the last answer until the system's time has caught up. Either, over a minute, is logged and counted.

    Attributes:
        jumps: how many such steps were seen.
    """

    def __init__(
        self, *, wall: Callable[[], datetime] = system_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._last = wall()
        self._last_monotonic = monotonic()
        self._offset = timedelta()
        self.jumps = 0

    def now(self) -> datetime:
        """The present; never earlier than the answer before."""
        wall, monotonic = self._wall(), self._monotonic()
        expected = self._last + timedelta(seconds=monotonic - self._last_monotonic)
        offset = wall - expected
        if abs(offset - self._offset) > JUMP:
            self.jumps += 1
            logger.warning("the system's clock stepped by %+.0f s", (offset - self._offset).total_seconds())
        now = max(wall, expected)
        self._offset = wall - now
        self._last, self._last_monotonic = now, monotonic
        return now

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Wait so long, or until `wake` is set."""
        if wake is None:
            await asyncio.sleep(max(seconds, 0))
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), max(seconds, 0))

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """Nothing: this time passes anyway."""
        yield


class ReplayClock:
    """A clock that goes to the next waking time as soon as everybody who takes part sleeps.

    So a morning passes in seconds, in the same order every time, however slow the machine is.

    Args:
        start: what it shows at first.
        speed: simulated seconds that pass in a real one; None does not wait at all.
    """

    def __init__(self, start: datetime, *, speed: float | None = None) -> None:
        self._now = start
        self._speed = speed
        self._began: tuple[float, datetime] | None = None
        self._order = count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None], asyncio.Event | None]] = []
        self._awake = 0
        self._moving: asyncio.Task[None] | None = None

    def hurry(self) -> None:
        """Wait no longer."""
        self._speed = None

    def now(self) -> datetime:
        """What it shows."""
        return self._now

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Wait until the others have slept so long, or until `wake` is set and all sleep."""
        if wake is not None and wake.is_set():
            return
        future = asyncio.get_running_loop().create_future()
        due = self._now + timedelta(seconds=max(seconds, 0))
        entry = (due, next(self._order), future, wake)
        heapq.heappush(self._sleepers, entry)
        self._awake -= 1
        self._look()
        try:
            await future
        finally:
            if not future.done() or future.cancelled():
                # Cancelled from outside: nobody woke it, so it still counts as asleep.
                self._sleepers = [other for other in self._sleepers if other is not entry]
                heapq.heapify(self._sleepers)
                self._awake += 1

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """While this holds, time stands still unless the caller sleeps."""
        self._awake += 1
        try:
            yield
        finally:
            self._awake -= 1
            self._look()

    def _look(self) -> None:
        if self._awake == 0 and self._sleepers and (self._moving is None or self._moving.done()):
            self._moving = asyncio.get_running_loop().create_task(self._move())

    async def _move(self) -> None:
        while self._awake == 0 and self._sleepers:
            woken = [each for each in self._sleepers if each[3] is not None and each[3].is_set()]
            if not woken:
                due = self._sleepers[0][0]
                if self._speed and due > self._now:
                    # Against the beginning, so that the time the work takes is not waited for once more.
                    real, began = self._began = self._began or (asyncio.get_running_loop().time(), self._now)
                    ahead = real + (due - began).total_seconds() / self._speed - asyncio.get_running_loop().time()
                    await asyncio.sleep(max(ahead, 0))
                    if self._awake or not self._sleepers or self._sleepers[0][0] < due:
                        continue
                self._now = max(self._now, due)
                # One at a time, so that those due at the same moment never run into each other.
                woken = [self._sleepers[0]]
            for each in woken:
                self._sleepers.remove(each)
                if not each[2].done():
                    self._awake += 1
                    each[2].set_result(None)
            heapq.heapify(self._sleepers)
            await asyncio.sleep(0)
