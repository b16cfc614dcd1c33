"""Messages sent past the outbox, while the database refuses to hold them: better twice than never."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from detector.domain import Notification
from detector.errors import DeliveryError
from detector.protocols import Notifier

logger = logging.getLogger(__name__)

PATIENCE_S = 30.0


class Direct:
    """Tries each message once at a time, and tells which arrived.

    Args:
        notifiers: the receivers there are.
        arrived: is told the id of a message that was confirmed, so that it is not owed again.
    """

    def __init__(self, notifiers: Iterable[Notifier], arrived: Callable[[str], None]) -> None:
        self._notifiers = {each.receiver: each for each in notifiers}
        self._arrived = arrived
        self._tried: set[str] = set()
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, message: Notification) -> None:
        """Begin to send; one that is under way or arrived is left alone."""
        notifier = self._notifiers.get(message.receiver)
        if notifier is None or message.id in self._tried:
            return
        self._tried.add(message.id)
        task = asyncio.create_task(self._try(notifier, message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def settle(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _try(self, notifier: Notifier, message: Notification) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await notifier.send(message)
        except (DeliveryError, TimeoutError) as error:
            self._tried.discard(message.id)
            logger.warning("%s could not be told of %s: %s", message.receiver, message.alert.key, error)
        else:
            logger.warning("sent from memory, since the database refuses: %s", message.id)
            self._arrived(message.id)
