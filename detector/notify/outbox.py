"""Sending what is owed: each receiver by itself, in order, again after failures, marked only when confirmed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from detector.domain import Notification
from detector.errors import DeliveryError
from detector.notify.render import AMBIGUOUS, may_repeat
from detector.protocols import Notifier

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0
LONGEST_RETRY_AFTER_S = 3600.0
LONGEST_SEND_S = 60.0
GIVE_UP_AFTER = timedelta(days=3)


class Ledger(Protocol):
    """Where messages owed are kept; `detector.store.Outbox` is one."""

    def due(self, now: datetime, *, receiver: str | None = None, limit: int = 100) -> list[Notification]:
        """What should be sent now, oldest first."""

    def mark_started(self, notification_id: str) -> None:
        """A try begins."""

    def mark_sent(self, notification_id: str, reference: str | None, *, now: datetime) -> None:
        """The receiver confirmed it."""

    def mark_failed(self, notification_id: str, error: str, next_try_at: datetime | None, *, now: datetime) -> None:
        """It failed: to be tried again, or given up where `next_try_at` is None."""


def backoff(attempts: int, *, chance: Callable[[], float]) -> float:
    """Seconds to wait after so many failed tries: doubling from 1 to 300, spread by half to either side.

    Args:
        chance: gives a number in [0, 1).

    >>> [backoff(attempts, chance=lambda: 0.5) for attempts in (1, 2, 3, 20)]
    [1.0, 2.0, 4.0, 300.0]
    """
    wait = min(FIRST_WAIT_S * 2.0 ** min(max(attempts, 1) - 1, 30), LONGEST_WAIT_S)
    return float(wait * (0.5 + chance()))


class Sender:
    """Takes due messages from a ledger to their receivers.

    A receiver that fails or hangs holds up nobody else. Call `wake` after writing new messages.

    Args:
        now: reads the clock.
        poll: seconds between looks at the ledger when nothing wakes it.
        chance: for the jitter; a test passes its own.
        give_up_after: a message older than this is given up at its next temporary failure.
    """

    def __init__(
        self,
        notifiers: Iterable[Notifier],
        ledger: Ledger,
        *,
        now: Callable[[], datetime],
        poll: float = 1.0,
        chance: Callable[[], float] = random.random,
        give_up_after: timedelta = GIVE_UP_AFTER,
    ) -> None:
        self._notifiers = {notifier.receiver: notifier for notifier in notifiers}
        self._ledger = ledger
        self._now = now
        self._poll = poll
        self._chance = chance
        self._give_up_after = give_up_after
        self._wakers = {receiver: asyncio.Event() for receiver in self._notifiers}
        self._quiet_until: dict[str, datetime] = {}
        self.sent = 0
        self.failed = 0
        self.given_up = 0

    @property
    def receivers(self) -> tuple[str, ...]:
        """Who is served."""
        return tuple(self._notifiers)

    def wake(self) -> None:
        """New messages were written: look at once. To be called in the event loop's thread."""
        for waker in self._wakers.values():
            waker.set()

    async def run(self) -> None:
        """Serve every receiver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for receiver in self._notifiers:
                group.create_task(self._serve(receiver), name=f"notify-{receiver}")

    async def drain(self, seconds: float) -> None:
        """Try everything that is due once more, for so many seconds at most; what is left stays owed.

        Call it after `run` has been cancelled.
        """
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for receiver in self._notifiers:
                    group.create_task(self.send_due(receiver))
        except TimeoutError:
            log.warning("drain_timeout seconds=%g", seconds)

    async def send_due(self, receiver: str) -> int:
        """One round for one receiver; returns how many messages were confirmed."""
        confirmed = 0
        held: set[str] = set()
        for notification in self._ledger.due(self._now(), receiver=receiver):
            if self._quiet_until.get(receiver, self._now()) > self._now():
                break
            if notification.alert.key in held:
                continue
            if await self._try(notification):
                confirmed += 1
            else:
                # What follows on the same alert must not overtake it.
                held.add(notification.alert.key)
        return confirmed

    async def _serve(self, receiver: str) -> None:
        waker = self._wakers[receiver]
        while True:
            waker.clear()
            try:
                await self.send_due(receiver)
            except Exception:  # a ledger that fails now may work in a second; the other receivers go on
                log.exception("outbox_failed receiver=%s", receiver)
            try:
                async with asyncio.timeout(self._poll):
                    await waker.wait()
            except TimeoutError:
                continue

    async def _try(self, notification: Notification) -> bool:
        self._ledger.mark_started(notification.id)
        try:
            async with asyncio.timeout(LONGEST_SEND_S):
                reference = await self._notifiers[notification.receiver].send(notification)
        except TimeoutError:
            self._note_failure(notification, DeliveryError("the notifier took too long", ambiguous=True))
            return False
        except DeliveryError as error:
            self._note_failure(notification, error)
            return False
        except Exception as error:  # a plug-in can fail in any way, and the message is still owed
            log.exception("notifier_broken receiver=%s", notification.receiver)
            self._note_failure(notification, DeliveryError(f"{type(error).__name__} in the notifier", ambiguous=True))
            return False
        self._ledger.mark_sent(notification.id, reference, now=self._now())
        self.sent += 1
        log.info("notification_sent id=%s reason=%s", notification.id, notification.reason.value)
        return True

    def _note_failure(self, notification: Notification, error: DeliveryError) -> None:
        now = self._now()
        words = str(error)
        if error.ambiguous or may_repeat(notification):
            words = AMBIGUOUS + words
        wait = self._wait(notification, error)
        if error.retry_after is not None:
            self._quiet_until[notification.receiver] = now + timedelta(seconds=wait)
        late = now - notification.created_at >= self._give_up_after
        next_try_at = None if error.permanent or late else now + timedelta(seconds=wait)
        self._ledger.mark_failed(notification.id, words, next_try_at, now=now)
        self.failed += 1
        self.given_up += next_try_at is None
        fate = "given_up" if next_try_at is None else f"again_in={wait:.1f}s"
        log.warning("notification_failed id=%s %s error=%s", notification.id, fate, words)

    def _wait(self, notification: Notification, error: DeliveryError) -> float:
        if error.retry_after is not None:
            # Never sooner than asked; the jitter only adds.
            return min(max(error.retry_after, FIRST_WAIT_S), LONGEST_RETRY_AFTER_S) * (1 + 0.1 * self._chance())
        return backoff(notification.attempts + 1, chance=self._chance)
