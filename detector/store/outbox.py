"""Messages owed: which are due, which arrived, which were given up. The rules of what to do are the sender's."""

# ruff: noqa: S608 - only our own column names are put into a statement; every value is bound
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from detector.alerting.answer import Answer
from detector.domain import Notification
from detector.store.codec import clean, maybe_text, to_text
from detector.store.connection import sound_values
from detector.store.journal import add_notification
from detector.store.rows import ANSWER_COLUMNS, NOTIFICATION_COLUMNS, answer_of, notification_of

Transaction = Callable[[], AbstractContextManager[sqlite3.Connection]]


class Outbox:
    """The notifications that a store owes; each method is one transaction or one look."""

    def __init__(self, transaction: Transaction, path: Path) -> None:
        self._transaction = transaction
        self._path = path

    def due(self, now: datetime, *, receiver: str | None = None, limit: int = 100) -> list[Notification]:
        """What should be sent now, oldest first.

        A message waits for the earlier ones of the same alert and receiver: nobody is told that an outage ended
        before hearing that it began.
        """
        with self._transaction() as conn, sound_values(self._path):
            rows = conn.execute(
                f"SELECT {NOTIFICATION_COLUMNS} FROM notifications AS n "
                "WHERE sent_at IS NULL AND dead_at IS NULL AND (next_try_at IS NULL OR next_try_at <= :now) "
                "AND (:receiver IS NULL OR receiver = :receiver) "
                "AND NOT EXISTS (SELECT 1 FROM notifications AS e WHERE e.alert_key = n.alert_key "
                "  AND e.receiver = n.receiver AND e.sequence < n.sequence AND e.sent_at IS NULL AND e.dead_at IS NULL "
                "  AND e.next_try_at > :now) "
                "ORDER BY sequence LIMIT :limit",
                {"now": to_text(now), "receiver": receiver, "limit": limit},
            ).fetchall()
            return [notification_of(row) for row in rows]

    def add(self, owed: Notification) -> None:
        """Owe a message that no change of an alert caused; one with the same id is there once only."""
        with self._transaction() as conn:
            add_notification(conn, owed)

    def thread(self, alert_key: str, receiver: str) -> str | None:
        """The channel's own name of the first message that told this receiver of this alert, if it gave one."""
        with self._transaction() as conn:
            row = conn.execute(
                "SELECT reference FROM notifications WHERE alert_key = ? AND receiver = ? AND sent_at IS NOT NULL "
                "AND reference IS NOT NULL AND reason NOT IN ('digest', 'undelivered') ORDER BY sequence LIMIT 1",
                (alert_key, receiver),
            ).fetchone()
        return None if row is None else str(row[0])

    def answers(self, alert_key: str, receiver: str) -> tuple[Answer, ...]:
        """What people answered to this receiver's messages about an alert, oldest first."""
        with self._transaction() as conn, sound_values(self._path):
            rows = conn.execute(
                f"SELECT {ANSWER_COLUMNS} FROM answers WHERE alert_key = ? AND receiver = ? ORDER BY sequence",
                (alert_key, receiver),
            ).fetchall()
            return tuple(answer_of(row) for row in rows)

    def mark_started(self, notification_id: str, *more: str) -> None:
        """A try begins: written first, and the last error cleared, so that one cut short by a crash is known.

        Args:
            more: further messages that are told in the same one; here and below all of them are marked, or none.
        """
        with self._transaction() as conn:
            conn.executemany(
                "UPDATE notifications SET attempts = attempts + 1, failed = NULL WHERE id = ? AND sent_at IS NULL",
                [(each,) for each in (notification_id, *more)],
            )

    def mark_sent(self, notification_id: str, reference: str | None, *more: str, now: datetime) -> None:
        """The receiver confirmed it."""
        named = None if reference is None else clean(reference)
        with self._transaction() as conn:
            conn.executemany(
                "UPDATE notifications SET sent_at = ?, reference = ?, next_try_at = NULL WHERE id = ? "
                "AND sent_at IS NULL",
                [(to_text(now), named, each) for each in (notification_id, *more)],
            )

    def mark_failed(
        self, notification_id: str, error: str, next_try_at: datetime | None, *more: str, now: datetime
    ) -> None:
        """The try failed: to be repeated at `next_try_at`, or given up where that is None."""
        dead_at = to_text(now) if next_try_at is None else None
        with self._transaction() as conn:
            conn.executemany(
                "UPDATE notifications SET failed = ?, next_try_at = ?, dead_at = ? WHERE id = ? AND sent_at IS NULL",
                [(clean(error), maybe_text(next_try_at), dead_at, each) for each in (notification_id, *more)],
            )

    def receivers(self) -> list[str]:
        """Every receiver that is still owed something, also one no longer configured."""
        with self._transaction() as conn:
            rows = conn.execute(
                "SELECT DISTINCT receiver FROM notifications WHERE sent_at IS NULL AND dead_at IS NULL ORDER BY 1"
            ).fetchall()
        return [row[0] for row in rows]
