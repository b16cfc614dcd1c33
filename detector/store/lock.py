"""One writer: whoever holds `<database>.lock` may write; the system frees it however the holder ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from detector.errors import StoreError, StoreInUseError


class WriterLock:
    """An exclusive lock on a file next to the database, with the holder's process id inside.

    The file stays when the lock is released: removing it would let two holders lock two files of one name.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or not at all.

        Raises:
            StoreInUseError: another process holds it.
            StoreError: the folder is missing or not writable.
        """
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{self._path}: cannot be written ({error.strerror}); check that the folder exists and is yours"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise StoreInUseError(
                f"{self._path}: another detector (process {holder}) writes to this database; stop it, or name another "
                "database"
            ) from error
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(file)
            raise StoreError(f"{self._path}: cannot be written ({error.strerror}); check the disk's space") from error
        self._file = file

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
