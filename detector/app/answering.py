"""People answer a message by its buttons: the press is kept like any feedback, and the message says who said what."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from detector.alerting.answer import Answer, Said
from detector.alerting.quiet import ASIDE
from detector.domain import Notification, Silence
from detector.errors import DeliveryError, StoreError
from detector.notify.answers import LABELS, SILENCE_FOR, Press, payload_in, press_of, signed
from detector.notify.settings import text_of
from detector.notify.slack_bot import API
from detector.store import Store

if TYPE_CHECKING:
    from detector.app.build import Blueprint
    from detector.protocols import Notifier

logger = logging.getLogger(__name__)

_TRIES = 4
_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0
_CLOSE_S = 15.0


@runtime_checkable
class Revisable(Protocol):
    """A notifier whose messages can show what was answered."""

    async def revise(self, notification: Notification, reply_to: str | None) -> None:
        """Bring the message up to date; `reply_to` is an address that came with the press. Raises `DeliveryError`."""


class Answering:
    """Keeps presses and shows them on the message. `take` may be called from any thread.

    Args:
        store: the database; its one writer.
        notifiers: those in use.
        secrets_of: the signing secret by receiver, for `endpoint`.
        now: reads the clock.

    Attributes:
        taken, refused: presses kept, and those that are none of ours.
    """

    def __init__(
        self,
        store: Store,
        notifiers: Sequence[Notifier],
        *,
        now: Callable[[], datetime],
        secrets_of: Mapping[str, str] | None = None,
    ) -> None:
        self.taken = 0
        self.refused = 0
        self._store = store
        self._notifiers = {each.receiver: each for each in notifiers}
        self._secrets = dict(secrets_of or {})
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._showing: set[asyncio.Task[None]] = set()

    def take(self, payload: object, receivers: Sequence[str] | None = None) -> bool:
        """Keep what an interaction says; True also for one that is none of ours, which nobody need send again.

        Args:
            receivers: whose presses these can be; None is all.

        Raises:
            StoreError: it could not be kept.
        """
        press = press_of(payload)
        clicked = None if press is None else self._message(press)
        if press is None or clicked is None or (receivers is not None and clicked.receiver not in receivers):
            self.refused += 1
            logger.info("a press that is about no message of ours was put aside")
            return True
        now = self._now()
        answer = Answer(
            id=press.id, alert_key=clicked.alert.key, receiver=clicked.receiver, said=press.said, by=press.by, at=now
        )
        if self._store.add_answer(answer, _silence(answer, clicked.alert.service)):
            self.taken += 1
            logger.info("answer alert=%s receiver=%s said=%s", answer.alert_key, answer.receiver, answer.said.value)
        # Shown also where it was kept before: the last try may have stopped between the two.
        self._loop.call_soon_threadsafe(self._show_soon, clicked, press.reply_to)
        return True

    async def endpoint(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take a signed request; returns the status to answer with: 200, 401 for a wrong signature, 503 to come again.

        Args:
            headers: by their names in lower case.
        """
        now = self._now()
        stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
        # Every secret is tried, whichever fits, so that the time says nothing about which are in use.
        fitting = [
            name
            for name, secret in self._secrets.items()
            if signed(body, stamp=stamp, signature=signature, secret=secret, now=now)
        ]
        if not fitting:
            return 401
        try:
            await asyncio.to_thread(self.take, payload_in(body), fitting)
        except StoreError as error:
            logger.warning("an answer could not be kept: %s", error)
            return 503
        return 200

    async def settled(self) -> None:
        """Wait until every answer that was taken is shown, or cannot be."""
        await asyncio.sleep(0)  # a press was handed to this loop from another thread
        if self._showing:
            await asyncio.wait(self._showing, timeout=_CLOSE_S)

    async def aclose(self) -> None:
        """Let what is being shown be shown."""
        await self.settled()
        for task in self._showing:
            task.cancel()
        await asyncio.gather(*self._showing, return_exceptions=True)

    def _message(self, press: Press) -> Notification | None:
        key = press.notification.partition("/")[0]
        found = self._store.read.notifications(key)
        return next((each for each in found if each.id == press.notification), None)

    def _show_soon(self, clicked: Notification, reply_to: str | None) -> None:
        task = self._loop.create_task(self._show(clicked, reply_to))
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)

    async def _show(self, clicked: Notification, reply_to: str | None) -> None:
        notifier: object = self._notifiers.get(clicked.receiver)
        if not isinstance(notifier, Revisable):
            return
        wait = _WAIT_S
        for left in range(_TRIES, 0, -1):
            try:
                await notifier.revise(await asyncio.to_thread(self._as_it_stands, clicked), reply_to)
            except (DeliveryError, StoreError) as error:
                last = left == 1 or (isinstance(error, DeliveryError) and error.permanent)
                logger.warning("an answer is kept but not shown%s: %s", "" if last else " yet", error)
                if last:
                    return
                asked = error.retry_after if isinstance(error, DeliveryError) else None
                await asyncio.sleep(min(asked or wait, _LONGEST_WAIT_S))
                wait *= 2
            else:
                return

    def _as_it_stands(self, clicked: Notification) -> Notification:
        """The message to show: the latest about the alert where the first one is edited, else the one pressed on."""
        key, receiver = clicked.alert.key, clicked.receiver
        thread = self._store.outbox.thread(key, receiver)
        shown = clicked
        if thread is not None:
            told = [
                each
                for each in self._store.read.notifications(key)
                if each.receiver == receiver and each.reason not in ASIDE
            ]
            shown = told[0] if told else clicked
        answers = self._store.outbox.answers(key, receiver)
        return replace(shown, thread=thread, answers=tuple(each.shown for each in answers))


def _silence(answer: Answer, service: str) -> Silence | None:
    if answer.said is not Said.SILENCE:
        return None
    comment = f"{LABELS[answer.said]}, asked for by {answer.by} in {answer.receiver}"
    return Silence(
        id=f"s-{secrets.token_hex(3)}",
        service=service,
        starts_at=answer.at,
        ends_at=answer.at + SILENCE_FOR,
        comment=comment,
    )


@asynccontextmanager
async def answers_beside(
    plan: Blueprint, store: Store, notifiers: Sequence[Notifier], now: Callable[[], datetime]
) -> AsyncIterator[Answering | None]:
    """Listen for answers while the block lasts, where a receiver has an `app_token` or a `signing_secret`.

    Yields what takes signed requests to the page's endpoint; None where no receiver can be answered.
    """
    built = {each.receiver for each in notifiers}
    options = {name: each.options for name, each in plan.settings.receivers.items() if each.enabled and name in built}
    sockets: dict[tuple[str, str], list[str]] = {}
    for name, each in options.items():
        if token := text_of(each, "app_token"):
            sockets.setdefault((token, _api(each)), []).append(name)
    signing = {name: secret for name, each in options.items() if (secret := text_of(each, "signing_secret"))}
    if not sockets and not signing:
        yield None
        return
    from detector.notify.slack_socket import SocketMode

    answering = Answering(store, notifiers, now=now, secrets_of=signing)
    stopping = asyncio.Event()
    tasks = []
    for (token, api), names in sockets.items():

        def take(payload: object, names: Sequence[str] = tuple(names)) -> bool:
            return answering.take(payload, names)

        tasks.append(asyncio.create_task(SocketMode(token, take, api=api).run(stopping)))
    try:
        yield answering
    finally:
        stopping.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await answering.aclose()


def _api(options: Mapping[str, Any]) -> str:
    return str(options.get("api", API)).rstrip("/") + "/"
