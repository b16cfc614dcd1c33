"""Hand-over of a partition, or of the whole: a second daemon waits for the database and goes on where the first ended.

What is handed over is the database: posts, cursors, the detectors' last checkpoint, alerts, messages owed. Who may
write is decided by the lock on `<database>.lock`, which the system frees however its holder ends, `kill -9` and a lost
machine on a shared disk included (NFS 4 frees it when the lost machine's lease runs out, after about 90 seconds). There
is no lease of our own that could be held by two at once, or by nobody.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from detector.app.clock import Clock
from detector.errors import StoreInUseError
from detector.store import Store

logger = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two tries."""


async def opened(path: Path, clock: Clock) -> Store:
    """The database, as soon as nobody else writes to it.

    Raises:
        StoreError: it cannot be used at all.
    """
    waiting = False
    while True:
        try:
            store = Store.open(path, now=clock.now())
        except StoreInUseError as error:
            if not waiting:
                logger.info("standing by: %s", error)
            waiting = True
            await asyncio.sleep(EVERY)
        else:
            if waiting:
                logger.warning("taking over %s", path)
            return store
