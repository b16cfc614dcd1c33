"""Asking a database: one connection, errors in our words, and the questions about the official record."""

# ruff: noqa: S608 - only our own column names are put into a statement; every value is bound
from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from detector.domain import Incident, Official, PageState
from detector.store.codec import to_text, to_time
from detector.store.connection import sound_values, store_errors
from detector.store.rows import INCIDENT_COLUMNS, incident_of

P = ParamSpec("P")
S = TypeVar("S", bound="Asking")
T = TypeVar("T")

# A page not read for this long says nothing about the present.
STALE_AFTER = timedelta(minutes=30)


def sound(answer: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """A question whose answer holds damaged values is refused as a whole."""

    @wraps(answer)
    def asked(self: S, /, *args: P.args, **named: P.kwargs) -> T:
        with sound_values(self._path):
            return answer(self, *args, **named)

    return asked


class Asking:
    """A connection that questions are asked on; never writes."""

    def __init__(self, conn: sqlite3.Connection, path: Path, *, busy: RLock | None = None) -> None:
        self._conn = conn
        self._path = path
        # The writer's reader shares its connection: it must not look into a transaction of another thread.
        self._busy = busy or RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._conn.close()

    def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._busy, store_errors(self._path):
            return self._conn.execute(sql, values).fetchall()

    # the official record

    @sound
    def incidents(self, *, service: str | None = None, since: datetime | None = None) -> list[Incident]:
        """The provider's incidents with their updates, oldest first."""
        rows = self._all(
            f"SELECT {INCIDENT_COLUMNS} FROM incidents WHERE service = coalesce(?, service) "
            "AND first_posted_at >= ? ORDER BY first_posted_at, service, id",
            service,
            "" if since is None else to_text(since),
        )
        return [self._incident(row) for row in rows]

    def _incident(self, row: Sequence[Any]) -> Incident:
        updates = self._all(
            "SELECT at, status, text, first_seen_at FROM incident_updates WHERE service = ? AND incident_id = ? "
            "ORDER BY at, rowid",
            row[0],
            row[1],
        )
        return incident_of(row, updates)

    @sound
    def official(self, service: str, at: datetime) -> Official | None:
        """The provider's word as we knew it at a time (`protocols.OfficialRecord`); None where no page was ever read.

        A page last read more than half an hour before is unknown.
        """
        rows = self._all(
            "SELECT last_at, state, description, incidents FROM status_readings WHERE service = ? AND from_at <= ? "
            "ORDER BY from_at DESC, sequence DESC LIMIT 1",
            service,
            to_text(at),
        )
        if not rows:
            return None
        checked_at = min(to_time(rows[0][0]), at)
        if at - checked_at > STALE_AFTER:
            return Official(state=PageState.UNKNOWN, checked_at=checked_at, description="not read since")
        incident = None
        if shown := [one["id"] for one in json.loads(rows[0][3])]:
            found = self._all(
                f"SELECT {INCIDENT_COLUMNS} FROM incidents WHERE service = ? AND id IN "
                f"({','.join('?' * len(shown))}) ORDER BY first_posted_at DESC, id LIMIT 1",
                service,
                *shown,
            )
            incident = self._incident(found[0]) if found else None
        return Official(state=PageState(rows[0][1]), checked_at=checked_at, description=rows[0][2], incident=incident)

    @sound
    def works(self, service: str, at: datetime) -> list[Incident]:
        """The work that a service's page has announced and not closed at a time, newest first."""
        rows = self._all(
            f"SELECT {INCIDENT_COLUMNS} FROM incidents WHERE service = ? AND maintenance = 1 AND first_posted_at <= ? "
            "AND (resolved_at IS NULL OR resolved_at > ?) ORDER BY first_posted_at DESC, id LIMIT 50",
            service,
            to_text(at),
            to_text(at),
        )
        return [self._incident(row) for row in rows]

    @sound
    def page_history(
        self, service: str, *, since: datetime | None = None
    ) -> list[tuple[datetime, datetime, PageState, str]]:
        """What a page showed: from when, last read when, state and words; oldest first."""
        rows = self._all(
            "SELECT from_at, last_at, state, description FROM status_readings WHERE service = ? AND last_at >= ? "
            "ORDER BY from_at, sequence",
            service,
            "" if since is None else to_text(since),
        )
        return [(to_time(row[0]), to_time(row[1]), PageState(row[2]), row[3]) for row in rows]
