"""Asking again after stored posts: what their authors deleted is forgotten here within a day, what they edited follows.

Newest first, a slice a minute, back to the age at which texts are dropped anyway; then again after twelve hours.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from detector.app.clock import Clock
from detector.app.engine import Engine
from detector.domain import Post
from detector.errors import StoreError, Temporary, TransportError
from detector.protocols import Rechecks

logger = logging.getLogger(__name__)

SLICE = 500
EVERY = 60.0
AGAIN = timedelta(hours=12)
LONGEST = timedelta(days=30)
_AFTER_FAILURE = 300.0

Ask = Callable[..., Awaitable[Any]]


class LookBack:
    """Goes back over one source's stored posts, round after round.

    Args:
        collector: tells what became of posts.
        ask: lets the engine do something, in its thread.

    Attributes:
        asked, deleted, edited: posts so far.
    """

    def __init__(self, collector: Rechecks, ask: Ask) -> None:
        self.asked = self.deleted = self.edited = 0
        self._collector = collector
        self._ask = ask
        self._place: Post | None = None
        self._began: datetime | None = None
        self._done = False

    async def run(self, clock: Clock, stopping: asyncio.Event) -> None:
        """Turn after turn until the daemon stops."""
        wait = EVERY
        while not stopping.is_set():
            await clock.sleep(wait, stopping)
            if not stopping.is_set():
                wait = await self.turn(clock.now())

    async def turn(self, now: datetime) -> float:
        """Look at one slice; returns the seconds until the next turn."""
        if self._began is None or (self._done and now - self._began >= AGAIN):
            self._began, self._place, self._done = now, None, False
        elif self._done:
            return EVERY
        source = self._collector.source
        try:
            posts = await self._ask(Engine.look_back, source, now - LONGEST, self._place, SLICE)
            if posts:
                found = await self._collector.recheck(posts, now=now)
                await self._ask(Engine.revise, found, now)
                self.asked += found.asked
                self.deleted += len(found.deleted)
                self.edited += len(found.edited)
                if found.deleted or found.edited:
                    logger.info("%s: %d posts deleted since, %d edited", source, len(found.deleted), len(found.edited))
        except (TransportError, StoreError) as error:
            logger.warning("%s: could not ask what was deleted since: %s", source, error)
            return (error.retry_after if isinstance(error, Temporary) else None) or _AFTER_FAILURE
        self._done = len(posts) < SLICE
        self._place = posts[-1] if posts else None
        return EVERY
