"""The sender with a real database: nothing lost, nothing doubled, nobody held up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from detector.domain import Notification, Reason
from detector.errors import DeliveryError, StoreError
from detector.notify.outbox import Sender, backoff
from detector.store import Store
from tests.notify.builders import NOON, make_alert, make_notification


class Clock:
    """A time that moves when told."""

    def __init__(self) -> None:
        self.at = NOON + timedelta(minutes=6)

    def __call__(self) -> datetime:
        return self.at

    def go(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Receiver:
    """A notifier that fails as told and keeps what it confirmed."""

    def __init__(self, receiver: str = "ops", failures: list[Exception] | None = None) -> None:
        self.receiver = receiver
        self.failures = failures or []
        self.got: list[Notification] = []
        self.hold: asyncio.Event | None = None
        self.arrived: asyncio.Event | None = None

    async def send(self, notification: Notification) -> str | None:
        if self.hold is not None:
            await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.got.append(notification)
        if self.arrived is not None:
            self.arrived.set()
        return f"ts-{len(self.got)}"

    async def aclose(self) -> None:
        """Nothing to release."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        yield opened


def owe(store: Store, *owed: Notification) -> None:
    store.record(now=NOON, notifications=owed)


def sender(store: Store, *receivers: Receiver, clock: Clock | None = None) -> Sender:
    return Sender(receivers, store.outbox, now=clock or Clock(), poll=0.01, chance=lambda: 0.5)


def test_a_message_owed_is_sent_once_and_marked_with_its_reference(store: Store) -> None:
    """A second round finds nothing to do."""
    owe(store, make_notification())
    receiver = Receiver()
    post = sender(store, receiver)

    assert asyncio.run(post.send_due("ops")) == 1
    assert asyncio.run(post.send_due("ops")) == 0

    (kept,) = store.read.notifications()
    assert len(receiver.got) == 1
    assert (kept.reference, kept.attempts, kept.sent_at is not None) == ("ts-1", 1, True)


def test_a_failure_is_tried_again_after_a_growing_wait(store: Store) -> None:
    """One second, then two; then it arrives."""
    owe(store, make_notification())
    clock = Clock()
    receiver = Receiver(failures=[DeliveryError("no"), DeliveryError("no")])
    post = sender(store, receiver, clock=clock)

    rounds = []
    for seconds in (0, 0.9, 0.2, 1.9, 0.2):
        clock.go(seconds)
        rounds.append(asyncio.run(post.send_due("ops")))

    assert rounds == [0, 0, 0, 0, 1]
    assert (post.sent, post.failed, post.given_up) == (1, 2, 0)


def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long(store: Store) -> None:
    """Also with messages about other alerts: the limit is the receiver's."""
    owe(store, make_notification(), make_notification(alert=make_alert(key="slack-20260302T1204", service="slack")))
    clock = Clock()
    receiver = Receiver(failures=[DeliveryError("429", retry_after=30.0)])
    post = sender(store, receiver, clock=clock)

    assert asyncio.run(post.send_due("ops")) == 0
    clock.go(29)
    assert asyncio.run(post.send_due("ops")) == 0
    clock.go(4)
    assert asyncio.run(post.send_due("ops")) == 2


def test_a_permanent_failure_becomes_a_dead_letter(store: Store) -> None:
    """Never tried again, still there to be seen."""
    owe(store, make_notification())
    clock = Clock()
    post = sender(store, Receiver(failures=[DeliveryError("no_service", permanent=True)]), clock=clock)

    asyncio.run(post.send_due("ops"))
    clock.go(10_000)

    assert asyncio.run(post.send_due("ops")) == 0
    assert [letter.failed for letter in store.read.dead_letters()] == ["no_service"]
    assert post.given_up == 1


def test_a_message_is_given_up_after_days_of_failure(store: Store) -> None:
    """Three days late it helps nobody; the dead letters keep it."""
    owe(store, make_notification())
    clock = Clock()
    clock.go(3 * 86_400)
    post = sender(store, Receiver(failures=[DeliveryError("still no")]), clock=clock)

    asyncio.run(post.send_due("ops"))

    assert len(store.read.dead_letters()) == 1


def test_the_end_of_an_outage_is_not_told_before_its_beginning(store: Store) -> None:
    """Messages on one alert keep their order while the first is failing; other alerts go ahead."""
    other = make_alert(key="slack-20260302T1204", service="slack")
    owe(store, make_notification(), make_notification(Reason.RESOLVED, number=2), make_notification(alert=other))
    clock = Clock()
    receiver = Receiver(failures=[DeliveryError("no")])
    post = sender(store, receiver, clock=clock)

    asyncio.run(post.send_due("ops"))
    asyncio.run(post.send_due("ops"))
    assert [got.alert.service for got in receiver.got] == ["slack"]
    clock.go(2)
    asyncio.run(post.send_due("ops"))

    assert [got.reason for got in receiver.got[1:]] == [Reason.OPENED, Reason.RESOLVED]


def test_after_an_ambiguous_failure_the_message_says_that_it_may_be_a_repeat(store: Store) -> None:
    """And goes on saying so after a plain failure in between."""
    owe(store, make_notification())
    clock = Clock()
    receiver = Receiver(failures=[DeliveryError("timeout", ambiguous=True), DeliveryError("refused")])
    post = sender(store, receiver, clock=clock)

    for _ in range(3):
        asyncio.run(post.send_due("ops"))
        clock.go(10)

    assert receiver.got[0].failed == "may have arrived: refused"


def test_a_try_cut_short_by_a_crash_is_known_as_such(store: Store) -> None:
    """The attempt is written before the message goes out."""
    owe(store, make_notification())
    receiver = Receiver()

    async def crash() -> None:
        receiver.hold = asyncio.Event()
        task = asyncio.create_task(sender(store, receiver).send_due("ops"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(crash())

    (owed,) = store.outbox.due(NOON)
    assert (owed.attempts, owed.failed) == (1, None)


def test_a_broken_notifier_keeps_its_message_and_stops_nobody(store: Store) -> None:
    """A plug-in may raise anything."""
    owe(store, make_notification(), make_notification(receiver="other"))
    good = Receiver("other")
    post = sender(store, Receiver(failures=[RuntimeError("secret words")]), good)

    asyncio.run(post.drain(5))

    assert len(good.got) == 1
    assert [left.failed for left in store.read.notifications() if left.receiver == "ops"] == [
        "may have arrived: RuntimeError in the notifier"
    ]


def test_a_receiver_that_hangs_delays_no_other(store: Store) -> None:
    """Each is served by its own task; a new message goes out as soon as it is written."""
    hanging, quick = Receiver("hanging"), Receiver("quick")

    async def day() -> None:
        hanging.hold = asyncio.Event()
        quick.arrived = asyncio.Event()
        post = sender(store, hanging, quick)
        running = asyncio.create_task(post.run())
        owe(store, make_notification(receiver="hanging"), make_notification(receiver="quick"))
        post.wake()
        async with asyncio.timeout(5):
            await quick.arrived.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(day())

    assert hanging.got == []


def test_a_ledger_that_fails_for_a_while_stops_nothing(store: Store) -> None:
    """A locked or full database is looked at again; the message arrives afterwards."""
    owe(store, make_notification())
    receiver = Receiver()

    class Flaky:
        def __init__(self) -> None:
            self.left = 3
            self.mark_started = store.outbox.mark_started
            self.mark_sent = store.outbox.mark_sent
            self.mark_failed = store.outbox.mark_failed
            self.thread = store.outbox.thread
            self.answers = store.outbox.answers
            self.add = store.outbox.add

        def due(self, now: datetime, *, receiver: str | None = None, limit: int = 100) -> list[Notification]:
            self.left -= 1
            if self.left >= 0:
                raise StoreError("database is locked")
            return store.outbox.due(now, receiver=receiver, limit=limit)

    async def day() -> None:
        receiver.arrived = asyncio.Event()
        post = Sender([receiver], Flaky(), now=Clock(), poll=0.001)
        running = asyncio.create_task(post.run())
        async with asyncio.timeout(5):
            await receiver.arrived.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(day())

    assert len(receiver.got) == 1


def test_draining_ends_in_time_and_leaves_the_rest_owed(store: Store) -> None:
    """A stop does not wait for a receiver that hangs."""
    owe(store, make_notification())
    receiver = Receiver()

    async def stop() -> None:
        receiver.hold = asyncio.Event()
        await sender(store, receiver).drain(0.05)

    asyncio.run(stop())

    assert len(store.outbox.due(NOON)) == 1


def test_a_message_to_nobody_configured_stays_visible(store: Store) -> None:
    """A receiver taken out of the settings: the store still names it."""
    owe(store, make_notification(receiver="gone"))

    asyncio.run(sender(store, Receiver()).drain(1))

    assert store.outbox.receivers() == ["gone"]


@pytest.mark.parametrize("attempts", [1, 5, 50, 10_000])
def test_waits_stay_between_half_a_second_and_a_minute(attempts: int) -> None:
    """Whatever the count and the luck."""
    assert 0.5 <= backoff(attempts, chance=lambda: 0.0) <= backoff(attempts, chance=lambda: 0.999) <= 60
