"""Between the collectors and the one worker: bounded by bytes, and a turn for every source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from detector.protocols import Harvest

MOST_BYTES = 64 * 1024 * 1024
_A_POST = 600


def weight(harvest: Harvest) -> int:
    """About how many bytes of memory a harvest holds."""
    return sum(len(post.text) * 2 + _A_POST for post in harvest.posts) + len(harvest.cursor or "")


class Intake:
    """Lets sources in one after the other, in the order in which they came, as long as there is room.

    A source has at most one harvest inside and does not poll meanwhile, so one that floods waits for its own next
    turn and holds up the others for one bounded step at most. Nothing is dropped: who does not fit waits.

    Attributes:
        held: bytes inside.
        waiting: sources that wait for the worker.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._room = asyncio.Condition()
        self.held = 0
        self.waiting = 0

    @asynccontextmanager
    async def turn(self, harvest: Harvest) -> AsyncIterator[None]:
        """Hold a place for a harvest; one larger than all the room goes in alone."""
        size = weight(harvest)
        self.waiting += 1
        try:
            async with self._room:
                await self._room.wait_for(lambda: self.held == 0 or self.held + size <= self._most)
                self.held += size
            try:
                yield
            finally:
                self.held -= size
                async with self._room:
                    self._room.notify_all()
        finally:
            self.waiting -= 1
