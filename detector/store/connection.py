"""Opening SQLite the way this program needs it, and turning its errors into ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detector.errors import StoreError

BUSY_TIMEOUT_S = 5.0


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn any SQLite error into a `StoreError` that names the file and the way out."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {explain(error)}") from error
    except UnicodeDecodeError as error:
        # SQLite quotes the broken schema in its message, and Python cannot read the quotation.
        raise StoreError(f"{path}: {explain(sqlite3.DatabaseError('malformed beyond reading'))}") from error


@contextmanager
def sound_values(path: Path) -> Iterator[None]:
    """Turn a stored value that cannot be what it must be (SQLite keeps no sums of its pages) into a `StoreError`."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise StoreError(
            f"{path}: holds a value that nobody wrote ({type(error).__name__}: {str(error)[:200]}), so it is damaged; "
            "restore a backup, or begin anew with detector watch --recover"
        ) from error


def explain(error: sqlite3.Error) -> str:
    """What an SQLite error means for the person who runs this, and what to do.

    >>> explain(sqlite3.DatabaseError("file is not a database"))
    'not an SQLite database, or damaged (file is not a database); move it aside and start again, or restore a backup'
    """
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    words = str(error)
    if primary in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT} or "not a database" in words or "malformed" in words:
        return f"not an SQLite database, or damaged ({words}); move it aside and start again, or restore a backup"
    if primary == sqlite3.SQLITE_FULL:
        return f"the disk is full ({words}); free some space, nothing stored so far is lost"
    if primary == sqlite3.SQLITE_IOERR:
        return f"the disk refused to read or write ({words}); check its space, quota and health"
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"another program holds the database ({words}); close the tool that is writing to it"
    if primary in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return f"cannot be opened or written ({words}); check that it and its folder exist and belong to you"
    return f"the database failed ({words})"


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one writing connection, in a file that only its owner may read.

    Raises:
        StoreError: the folder is missing or not writable, or the file is not SQLite.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); check the folder and its rights") from error
    with store_errors(path):
        # Explicit transactions only: sqlite3's own would begin them deferred, where the busy timeout does not hold.
        conn = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            _guard(conn)
            if conn.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise StoreError(f"{path}: this file system offers no write-ahead log; put the database on a local one")
            conn.execute("PRAGMA synchronous = FULL")
            conn.execute("PRAGMA foreign_keys = ON")
            conn.execute("PRAGMA secure_delete = ON")
        except BaseException:
            conn.close()
            raise
    return conn


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, beside a running daemon or without one.

    Raises:
        StoreError: there is no such file, or it is not SQLite.
    """
    if not path.is_file():
        raise StoreError(f"{path}: no database there; run `detector watch` first, or name another with --db")
    address = path.absolute().as_uri()
    with store_errors(path):
        try:
            return _open_read_only(f"{address}?mode=ro")
        except sqlite3.OperationalError:
            # In a folder we may not write, SQLite cannot make the shared-memory file; without a log there is no need.
            log = path.with_name(path.name + "-wal")
            if log.exists() and log.stat().st_size:
                raise
            return _open_read_only(f"{address}?mode=ro&immutable=1")


def _open_read_only(address: str) -> sqlite3.Connection:
    conn = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        _guard(conn)
        conn.execute("PRAGMA query_only = ON")
        conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        conn.close()
        raise
    return conn


def _guard(conn: sqlite3.Connection) -> None:
    conn.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
    conn.execute("PRAGMA trusted_schema = OFF")
    conn.execute("PRAGMA cell_size_check = ON")


def check_quickly(conn: sqlite3.Connection, path: Path) -> None:
    """Run SQLite's own quick check.

    Raises:
        StoreError: the file is damaged.
    """
    with store_errors(path):
        found = [row[0] for row in conn.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise StoreError(
            f"{path}: the database is damaged ({'; '.join(map(str, found))}); move it aside and start again, "
            "or restore a backup"
        )
