"""Time: never backwards, and in a replay only when everybody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.app.clock import ReplayClock, SystemClock, system_now

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


def clock_with(steps: list[tuple[float, float]]) -> SystemClock:
    """A clock whose readings are (seconds on the wall, seconds since start), one pair a call."""
    walls: Iterator[datetime] = iter([START] + [START + timedelta(seconds=wall) for wall, _ in steps])
    monotonic: Iterator[float] = iter([0.0] + [since for _, since in steps])
    return SystemClock(wall=lambda: next(walls), monotonic=lambda: next(monotonic))


def test_the_present_is_aware_and_utc() -> None:
    """What a command reads once."""
    assert system_now().utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("steps", "shown", "jumps"),
    [
        pytest.param([(1, 1), (2, 2)], [1, 2], 0, id="it just runs"),
        pytest.param([(1, 1), (7200, 2), (7201, 3)], [1, 7200, 7201], 1, id="a step forward is believed"),
        pytest.param([(10, 10), (-3590, 11), (-3589, 12)], [10, 11, 12], 1, id="a step back is bridged"),
        pytest.param([(10, 10), (-3590, 11), (20, 12)], [10, 11, 20], 2, id="and left when the wall has caught up"),
        pytest.param([(10, 10), (40, 11)], [10, 40], 0, id="half a minute is no jump"),
    ],
)
def test_a_stepping_wall_clock(steps: list[tuple[float, float]], shown: list[float], jumps: int) -> None:
    """Forward is believed, backward is bridged by the monotonic clock, each is counted once."""
    clock = clock_with(steps)

    assert [(clock.now() - START).total_seconds() for _ in steps] == shown
    assert clock.jumps == jumps


@given(st.lists(st.tuples(st.floats(-1e8, 1e8), st.floats(0, 100)), max_size=30))
def test_time_never_runs_backwards(readings: list[tuple[float, float]]) -> None:
    """Whatever the wall shows."""
    since = 0.0
    steps = []
    for wall, passed in readings:
        since += passed
        steps.append((wall, since))
    clock = clock_with(steps)

    shown = [clock.now() for _ in steps]

    assert shown == sorted(shown)


def test_a_replay_goes_from_waking_time_to_waking_time() -> None:
    """Two sleepers of an hour each wake in order, and no real time passes."""
    clock = ReplayClock(START)
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, pause: float, times: int) -> None:
        with clock.taking_part():
            for _ in range(times):
                await clock.sleep(pause)
                seen.append((name, (clock.now() - START).total_seconds() / 60))

    async def both() -> None:
        await asyncio.wait_for(asyncio.gather(sleeper("a", 3600, 2), sleeper("b", 2400, 3)), 5)

    asyncio.run(both())

    assert seen == [("b", 40), ("a", 60), ("b", 80), ("a", 120), ("b", 120)]


def test_replayed_time_stands_still_while_somebody_works() -> None:
    """Real waiting inside a part that takes part costs no simulated time."""
    clock = ReplayClock(START)

    async def worker() -> datetime:
        with clock.taking_part():
            await asyncio.sleep(0.02)
            return clock.now()

    async def sleeper() -> None:
        with clock.taking_part():
            await clock.sleep(5)

    async def both() -> datetime:
        asleep = asyncio.create_task(sleeper())
        now = await worker()
        await asleep
        return now

    assert asyncio.run(both()) == START


def test_a_set_event_wakes_a_replayed_sleeper_without_time_passing() -> None:
    """The outbox's alarm: it is served before the clock moves."""
    clock = ReplayClock(START)

    async def woken(wake: asyncio.Event) -> datetime:
        with clock.taking_part():
            await clock.sleep(1e6, wake)
            return clock.now()

    async def waker(wake: asyncio.Event) -> None:
        with clock.taking_part():
            await clock.sleep(10)
            wake.set()
            await clock.sleep(10)

    async def both() -> datetime:
        wake = asyncio.Event()
        slept, _ = await asyncio.gather(woken(wake), waker(wake))
        return slept

    assert asyncio.run(both()) == START + timedelta(seconds=10)


def test_a_cancelled_sleeper_is_forgotten() -> None:
    """Its waking time does not hold the clock, and the others go on."""
    clock = ReplayClock(START)

    async def sleeper(pause: float) -> datetime:
        with clock.taking_part():
            await clock.sleep(pause)
            return clock.now()

    async def both() -> datetime:
        with clock.taking_part():
            doomed = asyncio.create_task(sleeper(1))
            await asyncio.sleep(0)
            doomed.cancel()
            await asyncio.gather(doomed, return_exceptions=True)
        return await asyncio.wait_for(sleeper(60), 5)

    assert asyncio.run(both()) == START + timedelta(seconds=60)


def test_a_speed_makes_a_replay_last_and_hurrying_ends_that() -> None:
    """A simulated minute at speed 600 takes a tenth of a second; after `hurry` an hour takes none."""
    clock = ReplayClock(START, speed=600)

    async def live() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        with clock.taking_part():
            began = loop.time()
            await clock.sleep(60)
            paced = loop.time() - began
            clock.hurry()
            began = loop.time()
            await clock.sleep(3600)
            return paced, loop.time() - began

    paced, hurried = asyncio.run(live())

    assert paced >= 0.099
    assert hurried < 6
