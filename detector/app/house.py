"""Housekeeping: hourly totals, texts that were kept long enough, and a copy of the database every night."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

from detector.app.backup import nightly, nightly_folder
from detector.errors import StoreError, UsageError
from detector.store import Store

logger = logging.getLogger(__name__)

UPKEEP = timedelta(hours=1)
BACKUP_EVERY = timedelta(hours=24)
LARGE_LOG = 256 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class House:
    """What is done once in a while, in the worker thread; a copy that fails stops nothing.

    Attributes:
        keep_text: how long texts are kept.
        config: the settings file, copied with the database.
        backups: how many nightly copies are kept beside the database; 0 makes none.
        aside: make them in a thread of their own, since a large database takes longer than a watchdog waits.
    """

    store: Store
    keep_text: timedelta = timedelta(days=30)
    config: Path | None = None
    backups: int = 0
    aside: bool = False
    kept_at: datetime | None = None
    copying: Thread | None = None

    def due(self, now: datetime) -> bool:
        """Whether an hour has passed."""
        return self.kept_at is None or now - self.kept_at >= UPKEEP

    def keep(self, now: datetime) -> None:
        """Totals, retention, the night's copy, and a warning where the log grows.

        Raises:
            StoreError: the database refuses; the next tick tries again.
        """
        self.store.rollup()
        self.store.forget_older_than(now - self.keep_text, now=now)
        self.kept_at = now
        log = self.store.path.with_name(self.store.path.name + "-wal")
        if log.exists() and log.stat().st_size > LARGE_LOG:
            logger.warning("%s has grown beyond 256 MiB: some program reads the database and does not let go", log)
        self.copy(now)

    def copy(self, now: datetime, *, anew: bool = False) -> None:
        """Make the night's copy if the last is a day old.

        Args:
            anew: remove the copies there are, and make one now: they hold what was to be forgotten.
        """
        if anew:
            renew_copies(self.store.path, self.config, keep=self.backups, now=now)
        elif self.backups > 0 and not (self.copying and self.copying.is_alive()):
            self.copying = Thread(
                target=_copy,
                args=(self.store.path, self.config),
                kwargs={"keep": self.backups, "now": now},
                daemon=True,
            )
            self.copying.start()
            if not self.aside:
                self.copying.join()


def renew_copies(database: Path, config: Path | None, *, keep: int, now: datetime) -> None:
    """Remove the nightly copies, which hold what was forgotten, and make one of what is left.

    Raises:
        StoreError: a copy cannot be removed.
    """
    folder = nightly_folder(database)
    there = list(folder.glob("detector-*.tar")) if folder.is_dir() else []
    try:
        for old in there:
            old.unlink()
    except OSError as error:
        raise StoreError(f"{folder}: copies cannot be removed ({error.strerror}); remove them yourself") from error
    if there and keep > 0:
        _copy(database, config, keep=keep, now=now)


def _copy(database: Path, config: Path | None, *, keep: int, now: datetime) -> None:
    try:
        made = nightly(database, config, now=now, keep=keep, every=BACKUP_EVERY)
    except (StoreError, UsageError) as error:
        logger.warning("tonight's copy failed: %s", error)
        return
    if made is not None:
        logger.info("copied to %s", made)
