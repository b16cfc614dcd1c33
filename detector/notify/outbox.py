"""Sending what is owed: each receiver by itself, in order, again after failures, marked only when confirmed.

A receiver that fails twice running is left alone and asked again after growing waits, 60 s at most; what gathers
meanwhile is told as one summary. What a receiver refuses for good is a dead letter, and another receiver hears of it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from detector.alerting.answer import Answer
from detector.alerting.grouping import Batch, Pace, plan
from detector.alerting.quiet import ASIDE
from detector.domain import Notification, Reason
from detector.errors import DeliveryError
from detector.notify.render import AMBIGUOUS, may_repeat
from detector.protocols import Notifier

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 40.0
LONGEST_RETRY_AFTER_S = 3600.0
LONGEST_SEND_S = 60.0
GIVE_UP_AFTER = timedelta(days=3)
DOWN_AFTER = 2
_ROWS = 1000


class Ledger(Protocol):
    """Where messages owed are kept; `detector.store.Outbox` is one."""

    def due(self, now: datetime, *, receiver: str | None = None, limit: int = 100) -> list[Notification]:
        """What should be sent now, oldest first."""

    def mark_started(self, notification_id: str, *more: str) -> None:
        """A try begins, of several messages at once where more are named."""

    def mark_sent(self, notification_id: str, reference: str | None, *more: str, now: datetime) -> None:
        """The receiver confirmed them."""

    def mark_failed(
        self, notification_id: str, error: str, next_try_at: datetime | None, *more: str, now: datetime
    ) -> None:
        """They failed: to be tried again, or given up where `next_try_at` is None."""

    def thread(self, alert_key: str, receiver: str) -> str | None:
        """The reference of the first message about an alert."""

    def answers(self, alert_key: str, receiver: str) -> tuple[Answer, ...]:
        """What people answered to this receiver's messages about an alert."""

    def add(self, owed: Notification) -> None:
        """Owe one more; nothing happens where the id is known."""


def backoff(attempts: int, *, chance: Callable[[], float]) -> float:
    """Seconds to wait after so many failed tries: doubling from 1 to 40, spread by half to either side.

    Args:
        chance: gives a number in [0, 1).

    >>> [backoff(attempts, chance=lambda: 0.5) for attempts in (1, 2, 3, 20)]
    [1.0, 2.0, 4.0, 40.0]
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
        paces: how many messages a receiver bears, by its name; three at once and then one a minute where it has none.
        fallbacks: by receiver, who hears first that it refuses a message.

    Attributes:
        sent, failed, given_up: rows of the outbox, by what became of a try.
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
        paces: Mapping[str, Pace] | None = None,
        fallbacks: Mapping[str, str] | None = None,
    ) -> None:
        self._notifiers = {notifier.receiver: notifier for notifier in notifiers}
        self._ledger = ledger
        self._now = now
        self._poll = poll
        self._chance = chance
        self._give_up_after = give_up_after
        self._wakers = {receiver: asyncio.Event() for receiver in self._notifiers}
        self._quiet_until: dict[str, datetime] = {}
        self._paces = {receiver: (paces or {}).get(receiver) or Pace() for receiver in self._notifiers}
        self._fallbacks = dict(fallbacks or {})
        self._failures = dict.fromkeys(self._notifiers, 0)
        self._refusing: set[str] = set()
        self._apart: set[str] = set()
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
        """One round for one receiver; returns how many messages owed were confirmed."""
        confirmed = 0
        held: set[str] = set()
        if self._quiet_until.get(receiver, self._now()) > self._now():
            return 0
        due = self._ledger.due(self._now(), receiver=receiver, limit=_ROWS)
        apart = receiver in self._apart
        self._apart.discard(receiver)
        for batch in plan(due, self._now(), recovering=self._failures[receiver] >= DOWN_AFTER, apart=apart):
            now = self._now()
            if self._quiet_until.get(receiver, now) > now:
                break
            if any(row.alert.key in held for row in batch.rows):
                continue
            if not self._paces[receiver].take(now):
                break
            if await self._try(receiver, batch):
                confirmed += len(batch.rows)
            else:
                # What follows on the same alert must not overtake it.
                held.update(row.alert.key for row in batch.rows)
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

    async def _try(self, receiver: str, batch: Batch) -> bool:
        message = self._addressed(batch.shown)
        self._ledger.mark_started(*(row.id for row in batch.rows))
        try:
            async with asyncio.timeout(LONGEST_SEND_S):
                reference = await self._notifiers[receiver].send(message)
        except TimeoutError:
            self._note_failure(receiver, batch, DeliveryError("the notifier took too long", ambiguous=True))
            return False
        except DeliveryError as error:
            self._note_failure(receiver, batch, error)
            return False
        except Exception as error:  # a plug-in can fail in any way, and the message is still owed
            log.exception("notifier_broken receiver=%s", receiver)
            broken = DeliveryError(f"{type(error).__name__} in the notifier", ambiguous=True)
            self._note_failure(receiver, batch, broken)
            return False
        self._failures[receiver] = 0
        self._refusing.discard(receiver)
        first, *more = (row.id for row in batch.rows)
        self._ledger.mark_sent(first, reference, *more, now=self._now())
        self.sent += len(batch.rows)
        for row in batch.rows:
            log.info("notification_sent id=%s reason=%s together=%d", row.id, row.reason.value, len(batch.rows))
        return True

    def _addressed(self, shown: Notification) -> Notification:
        """With the time of the try, and for each alert the message that began its thread."""
        now = self._now()

        def named(one: Notification) -> Notification:
            if one.reason in ASIDE:
                return replace(one, tried_at=now)
            key, receiver = one.alert.key, one.receiver
            thread, answers = self._ledger.thread(key, receiver), self._ledger.answers(key, receiver)
            return replace(one, tried_at=now, thread=thread, answers=tuple(each.shown for each in answers))

        return replace(named(shown), others=tuple(named(one) for one in shown.others))

    def _note_failure(self, receiver: str, batch: Batch, error: DeliveryError) -> None:
        now = self._now()
        if error.permanent and len(batch.rows) > 1:
            # It may be this one message that it cannot take: the next round tells each by itself.
            self._apart.add(receiver)
            error = DeliveryError(str(error), ambiguous=error.ambiguous)
        elif not error.permanent:
            self._failures[receiver] += 1
        wait = self._wait(batch, error)
        if error.retry_after is not None or self._failures[receiver] >= DOWN_AFTER:
            self._quiet_until[receiver] = now + timedelta(seconds=wait)
        fates: dict[tuple[str, datetime | None], list[str]] = {}
        for row in batch.rows:
            doubtful = error.ambiguous or may_repeat(row)
            late = now - row.created_at >= self._give_up_after
            next_try_at = None if error.permanent or late else now + timedelta(seconds=wait)
            fates.setdefault((AMBIGUOUS * doubtful + str(error), next_try_at), []).append(row.id)
        for (words, next_try_at), (first, *more) in fates.items():
            self._ledger.mark_failed(first, words, next_try_at, *more, now=now)
            self.failed += 1 + len(more)
            self.given_up += (1 + len(more)) * (next_try_at is None)
            fate = "given_up" if next_try_at is None else f"again_in={wait:.1f}s"
            log.warning("notification_failed id=%s more=%d %s error=%s", first, len(more), fate, words)
        if not error.ambiguous:
            self._paces[receiver].give_back()
        if error.permanent:
            self._report(receiver, batch, now)

    def _report(self, receiver: str, batch: Batch, now: datetime) -> None:
        """Owe another receiver the news that this one refuses, once an alert; one that refuses itself is not asked."""
        self._refusing.add(receiver)
        wanted = self._fallbacks.get(receiver)
        others = sorted((name for name in self._notifiers if name not in self._refusing), key=lambda n: n != wanted)
        healthy = [name for name in others if self._failures[name] < DOWN_AFTER] or others
        if not healthy or batch.shown.reason is Reason.UNDELIVERED:
            return
        for row in (batch.shown, *batch.shown.others):
            self._ledger.add(
                Notification(
                    id=f"{row.alert.key}/{healthy[0]}/undelivered-{receiver}",
                    alert=row.alert,
                    receiver=healthy[0],
                    reason=Reason.UNDELIVERED,
                    created_at=now,
                )
            )
        self._wakers[healthy[0]].set()

    def _wait(self, batch: Batch, error: DeliveryError) -> float:
        if error.retry_after is not None:
            # Never sooner than asked; the jitter only adds.
            return min(max(error.retry_after, FIRST_WAIT_S), LONGEST_RETRY_AFTER_S) * (1 + 0.1 * self._chance())
        tries = max(self._failures[batch.shown.receiver], min(row.attempts for row in batch.rows) + 1)
        return backoff(tries, chance=self._chance)
