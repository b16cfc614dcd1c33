"""Whole copies of a database: made while a daemon writes, checked before they are trusted, put aside when damaged."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime
from pathlib import Path

from detector.errors import StoreError
from detector.store.connection import check_quickly, connect_reader, store_errors
from detector.store.lock import WriterLock
from detector.store.schema import judge_schema

# A damaged write-ahead log must not be read into the database that replaces its own.
_PARTS = ("", "-wal", "-shm")


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, also beside a daemon that writes; never half a copy under that name.

    Raises:
        StoreError: it cannot be read, or the copy not written.
    """
    part = target.with_name(target.name + ".part")
    reading = connect_reader(source)
    try:
        with store_errors(target):
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
            writing = sqlite3.connect(part, isolation_level=None)
            try:
                # All pages in one go: one snapshot, and the writer goes on appending to its log.
                reading.backup(writing, pages=-1)
                # The copy stands alone: no log beside it that a mover could forget.
                writing.execute("PRAGMA journal_mode = DELETE")
            finally:
                writing.close()
        _to_disk(part)
        part.rename(target)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror}); check the folder and its space") from error
    finally:
        reading.close()
        part.unlink(missing_ok=True)


def check_copy(path: Path) -> None:
    """Read a copy through and through.

    Raises:
        StoreError: it is damaged, another program's, or of a newer release.
    """
    conn = connect_reader(path)
    try:
        check_quickly(conn, path)
        with store_errors(path):
            if not judge_schema(conn, str(path)):
                raise StoreError(f"{path}: an empty database, no backup")
            wrong = conn.execute("PRAGMA foreign_key_check").fetchone()
        if wrong is not None:
            raise StoreError(f"{path}: rows of {wrong[0]} have lost what they belong to; take another backup")
    finally:
        conn.close()


def move_aside(path: Path, *, now: datetime, why: str) -> Path:
    """Put a database and its log beside themselves as `NAME.WHY-TIME`; returns the new name. Nothing is deleted.

    Raises:
        StoreInUseError: a process writes to it.
        StoreError: it cannot be moved.
    """
    lock = WriterLock(path)
    lock.acquire()
    try:
        aside = path.with_name(f"{path.name}.{why}-{now:%Y%m%dT%H%M%S}")
        number = 1
        while aside.exists():
            number += 1
            aside = path.with_name(f"{path.name}.{why}-{now:%Y%m%dT%H%M%S}-{number}")
        for part in _PARTS:
            found = path.with_name(path.name + part)
            if found.exists():
                found.rename(aside.with_name(aside.name + part))
    except OSError as error:
        raise StoreError(f"{path}: cannot be moved aside ({error.strerror}); check the folder's rights") from error
    finally:
        lock.release()
    return aside


def damaged(path: Path) -> str | None:
    """Why a database cannot be trusted, None if it can or is not there. A foreign or newer one is not damaged.

    Raises:
        StoreError: it is whole but not ours, or cannot be read for another reason than damage.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return None
    try:
        # Read-only: whoever opens a damaged file for writing throws its log away.
        conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            conn.execute("PRAGMA cell_size_check = ON")
            found = [row[0] for row in conn.execute("PRAGMA quick_check(3)")]
            if found != ["ok"]:
                return "; ".join(map(str, found))
            judge_schema(conn, str(path))
        finally:
            conn.close()
    except UnicodeDecodeError as error:
        return f"malformed beyond reading ({error.reason})"
    except sqlite3.DatabaseError as error:
        code = (error.sqlite_errorcode if hasattr(error, "sqlite_errorcode") else 0) & 0xFF
        if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            return str(error)
        raise StoreError(f"{path}: cannot be checked ({error}); see that nothing else uses it") from error
    return _unreadable(path)


def _unreadable(path: Path) -> str | None:
    """What a start would stumble over: SQLite keeps no sums of its pages, so a value can be wrong in a sound file."""
    from detector.store.reader import Reader

    with Reader(connect_reader(path), path) as reader:
        try:
            saved = reader.latest_checkpoint()
            reader.pending_posts()
            for _ in reader.judgements_after(saved.sequence if saved else 0):
                pass
            reader.alerts()
            reader.notifications(limit=100_000)
            reader.coverage()
            reader.silences()
        except StoreError as error:
            return str(error)
    return None


def _to_disk(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
