"""The one writer: a few verbs, each a single transaction that is on the disk when it returns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Any

from detector.alerting.answer import Answer
from detector.domain import (
    Alert,
    Coverage,
    Decision,
    Incident,
    Judgement,
    Notification,
    Post,
    Reason,
    Silence,
    StatusReading,
)
from detector.errors import StoreError
from detector.store import ingest, journal, official, upkeep
from detector.store.codec import clean, to_text
from detector.store.connection import check_quickly, connect_reader, connect_writer, sound_values, store_errors
from detector.store.lock import WriterLock
from detector.store.outbox import Outbox
from detector.store.reader import Reader
from detector.store.schema import APPLICATION_ID, judge_schema, lacks_steps, migrations
from detector.store.values import Checkpoint, Feedback, Forgotten, Rehearsal

_SLICE = 5000


def open_reader(path: Path | str) -> Reader:
    """Look at a database, beside a running daemon or without one.

    Raises:
        StoreError: there is none, it is damaged, or it is another program's.
    """
    path = Path(path)
    conn = connect_reader(path)
    try:
        with store_errors(path):
            ours = judge_schema(conn, str(path))
        if not ours:
            raise StoreError(f"{path}: an empty database; run `detector watch` first")
    except BaseException:
        conn.close()
        raise
    return Reader(conn, path)


class Store:
    """The database as its one writer sees it. Every method raises `StoreError` and then has changed nothing.

    Attributes:
        read: the questions of `Reader`, answered on this connection, so including what was just written.
        outbox: the messages owed.

    Example:
        >>> import tempfile
        >>> from detector.domain import EPOCH, Post
        >>> post = Post(source="s", id="1", created_at=EPOCH, seen_at=EPOCH, text="the login page is down")
        >>> with tempfile.TemporaryDirectory() as folder, Store.open(f"{folder}/detector.db", now=EPOCH) as store:
        ...     new = store.add_posts("s", [post, post], "cursor-1", (), (), now=EPOCH)
        ...     len(new), store.read.sources()[0].duplicate
        (1, 1)
    """

    def __init__(self, conn: sqlite3.Connection, path: Path, lock: WriterLock) -> None:
        self._conn = conn
        self._path = path
        self._lock = lock
        self._busy = RLock()
        self.read = Reader(conn, path, busy=self._busy)
        self.outbox = Outbox(self._transaction, path)
        self._forgotten = frozenset(
            row[0]
            for row in conn.execute(
                "SELECT id FROM posts WHERE forgotten_at IS NOT NULL AND id > 'forgotten-' AND id < 'forgotten.'"
            )
        )

    @classmethod
    def open(cls, path: Path | str, *, now: datetime) -> Store:
        """Take the database as its only writer, making or upgrading it where needed.

        Raises:
            StoreInUseError: another process writes to it.
            StoreError: it is damaged, another program's, of a newer release, or not writable.
        """
        path = Path(path)
        lock = WriterLock(path)
        lock.acquire()
        try:
            conn = connect_writer(path)
            try:
                check_quickly(conn, path)
                with store_errors(path), sound_values(path):
                    _upgrade(conn, path, now=now)
                    return cls(conn, path, lock)
            except BaseException:
                conn.close()
                raise
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the database back; a second call does nothing."""
        with self._busy:
            self._conn.close()
            self._lock.release()

    @property
    def path(self) -> Path:
        """The database file."""
        return self._path

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. IMMEDIATE: a deferred one would fail at its first write without waiting for its turn."""
        with self._busy, store_errors(self._path):
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield self._conn
                self._conn.execute("COMMIT")
            except BaseException:
                # Some errors (a full disk among them) have ended the transaction already.
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                raise

    # posts and what the pipeline made of them

    def add_posts(
        self,
        source: str,
        posts: Iterable[Post],
        cursor: str | None,
        gaps: Sequence[Coverage] = (),
        rejected: Sequence[tuple[str, int]] = (),
        *,
        now: datetime,
    ) -> list[Post]:
        """Store what one poll brought, with its cursor, gaps and counts; returns the posts that are new, as stored.

        A cursor of None leaves the one before in its place. A post that was forgotten stays forgotten.
        """
        with self._transaction() as conn:
            return ingest.add_posts(conn, source, posts, cursor, gaps, rejected, now=now, forgotten=self._forgotten)

    def tally(self, source: str, *, masked: int = 0, budget: str | None = None) -> None:
        """Count mentions of people that were masked, and keep what is left of the place's rate budget, in words."""
        if masked or budget is not None:
            with self._transaction() as conn:
                ingest.tally(conn, source, masked, budget)

    def revise_posts(self, posts: Iterable[Post]) -> list[tuple[str, str]]:
        """Take over the words (and the loss of the author) of posts edited since; returns their keys.

        What was quoted of the words before is emptied in alerts, messages and saved states.
        """
        with self._transaction() as conn:
            keys = upkeep.revise_posts(conn, posts)
            upkeep.scrub_checkpoints(conn, keys, None)
        self._purge()
        return keys

    def add_coverage(self, spans: Iterable[Coverage]) -> None:
        """Note what was, or was not, heard."""
        with self._transaction() as conn:
            for span in spans:
                ingest.add_coverage(conn, span)

    def record(
        self,
        *,
        now: datetime,
        judged: Iterable[Post] = (),
        judgements: Iterable[Judgement] = (),
        alerts: Iterable[tuple[Alert, Reason]] = (),
        decisions: Iterable[Decision] = (),
        notifications: Iterable[Notification] = (),
        checkpoint: dict[str, Any] | None = None,
        estimated: Iterable[Post] = (),
    ) -> int:
        """Write one step of the pipeline; returns the number of the last judgement.

        Args:
            now: the pipeline's time after the step.
            judged: the posts fed in this step, also those that name no service; already stored by `add_posts`.
            judgements: of posts already stored.
            alerts: each change, in order, with its reason.
            notifications: messages now owed; they are in `outbox` when this returns.
            checkpoint: the pipeline's state after the step, if it is time to save one.
            estimated: posts counted by an estimate, to be judged later; needs a checkpoint, which alone remembers it.
        """
        with self._transaction() as conn:
            journal.add_judgements(conn, judgements, now=now)
            journal.mark_judged(conn, judged, now=now)
            journal.mark_weighed(conn, estimated, now=now)
            for alert, reason in alerts:
                journal.add_alert_change(conn, alert, reason)
            for decision in decisions:
                journal.add_decision(conn, decision)
            for notification in notifications:
                journal.add_notification(conn, notification)
            sequence = journal.last_sequence(conn)
            if checkpoint is not None:
                journal.add_checkpoint(conn, checkpoint, sequence, at=now)
            journal.set_meta(conn, "recorded_until", to_text(now))
            return sequence

    def save_checkpoint(self, state: dict[str, Any], sequence: int, *, now: datetime) -> None:
        """Keep the pipeline's state after it took in every judgement up to `sequence`."""
        with self._transaction() as conn:
            journal.add_checkpoint(conn, state, sequence, at=now)

    def rehearse(self, one: Rehearsal, *, now: datetime) -> None:
        """Write a step and take it back, all but `alive_at`: whoever reads that knows that a step could be written."""
        with self._transaction() as conn:
            conn.execute("SAVEPOINT rehearsal")
            post = one.judgement.mention.post
            ingest.add_posts(conn, post.source, [post], None, (), (), now=now, forgotten=frozenset())
            journal.add_judgements(conn, [one.judgement], now=now)
            journal.add_alert_change(conn, one.alert, one.reason)
            journal.add_decision(conn, one.decision)
            journal.add_notification(conn, one.owed)
            conn.execute("ROLLBACK TO rehearsal")
            conn.execute("RELEASE rehearsal")
            journal.set_meta(conn, "alive_at", to_text(now))

    def touch(self, *, now: datetime) -> None:
        """Write one small thing, to know whether anything can be written."""
        with self._transaction() as conn:
            journal.set_meta(conn, "touched_at", to_text(now))

    def pending_posts(self) -> list[Post]:
        """`Reader.pending_posts`."""
        return self.read.pending_posts()

    def estimated_posts(self, limit: int) -> list[Post]:
        """`Reader.estimated_posts`."""
        return self.read.estimated_posts(limit)

    def judgements_after(self, sequence: int) -> Iterator[tuple[int, Judgement]]:
        """`Reader.judgements_after`."""
        return self.read.judgements_after(sequence)

    def latest_checkpoint(self) -> Checkpoint | None:
        """`Reader.latest_checkpoint`."""
        return self.read.latest_checkpoint()

    # the official record

    def add_reading(self, reading: StatusReading) -> None:
        """Take in one look at a page, with the incidents it shows; `reading.at` is when we first saw what is new."""
        with self._transaction() as conn:
            official.add_reading(conn, reading)

    def add_incidents(self, incidents: Iterable[Incident], *, now: datetime) -> None:
        """Take in incidents from elsewhere; one without `first_seen_at` was first seen now."""
        with self._transaction() as conn:
            for incident in incidents:
                official.upsert_incident(conn, incident, now=now)

    # what people ask of it

    def add_silence(self, silence: Silence) -> None:
        """Begin a silence, or change the one with the same id."""
        with self._transaction() as conn:
            journal.add_silence(conn, silence)

    def expire_silence(self, silence_id: str, *, now: datetime) -> bool:
        """End a silence now; False if none of that id was running or to come."""
        with self._transaction() as conn:
            at = to_text(now)
            return bool(
                conn.execute(
                    "UPDATE silences SET ends_at = ? WHERE id = ? AND ends_at > ?", (at, silence_id, at)
                ).rowcount
            )

    def add_feedback(self, feedback: Feedback) -> None:
        """Keep a person's word on an alert.

        Raises:
            StoreError: there is no such alert.
        """
        if self.read.alert(feedback.alert_key) is None:
            raise StoreError(f"{self._path}: no alert {feedback.alert_key!r}; `detector alerts` lists them")
        with self._transaction() as conn:
            journal.add_feedback(conn, feedback)

    def add_answer(self, answer: Answer, silence: Silence | None = None) -> bool:
        """Keep what a person answered, with what follows from it; False where this very press is kept already.

        Args:
            silence: what an answer of that kind begins; written with it.

        Raises:
            StoreError: there is no such alert.
        """
        if self.read.alert(answer.alert_key) is None:
            raise StoreError(f"{self._path}: no alert {answer.alert_key!r}; `detector alerts` lists them")
        with self._transaction() as conn:
            return journal.add_answer(conn, answer, silence)

    # upkeep

    def rollup(self) -> int:
        """Bring the hourly totals up to the last judgement; returns how many were written."""
        with self._transaction() as conn:
            return upkeep.roll_up(conn)

    def forget_older_than(self, before: datetime, *, now: datetime) -> Forgotten:
        """Empty text, author and address of every judged post seen before a time, and old quotes; counts stay."""
        done = 0
        while True:
            # Slice by slice, so that posts and alerts never wait long behind it.
            with self._transaction() as conn:
                emptied = upkeep.empty_texts_before(conn, before, now=now, limit=_SLICE)
            done += emptied
            if emptied < _SLICE:
                break
        with self._transaction() as conn:
            upkeep.empty_quotes_before(conn, before)
        return Forgotten(posts=done, purged=self._purge())

    def forget_post(self, source: str, post_id: str, *, now: datetime) -> Forgotten:
        """Remove what one post said, everywhere in the database; it is not taken in again.

        A pipeline in memory still holds its quotes and its author: restore it from the checkpoint afterwards.
        """
        return self._forget([(source, post_id)], None, now=now)

    def forget_author(self, author: str, *, now: datetime) -> Forgotten:
        """Remove what the holder of a keyed hash wrote, as `forget_post` does."""
        with self._transaction() as conn:
            keys = upkeep.keys_of_author(conn, author)
        return self._forget(keys, author, now=now)

    def forget_posts(self, keys: Iterable[tuple[str, str]], *, now: datetime) -> list[tuple[str, str]]:
        """Forget those of these posts that are stored, as `forget_post` does; returns their keys. Quick if none is."""
        stored = self.read.stored(keys)
        if stored:
            self._forget(stored, None, now=now)
        return stored

    def _forget(self, keys: Sequence[tuple[str, str]], author: str | None, *, now: datetime) -> Forgotten:
        with self._transaction() as conn:
            done = upkeep.forget_posts(conn, keys, now=now)
            upkeep.scrub_checkpoints(conn, keys, author)
        self._forgotten |= {ingest.forgotten_id(clean(source), clean(post_id)) for source, post_id in keys}
        return Forgotten(posts=done, purged=self._purge(), keys=tuple(keys))

    def _purge(self) -> bool:
        """Empty the write-ahead log: what was deleted would otherwise stay readable in it."""
        with self._busy, store_errors(self._path):
            return not self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def _upgrade(conn: sqlite3.Connection, path: Path, *, now: datetime) -> None:
    """Apply what is missing of the schema, in one transaction: killed in the middle, nothing has happened."""
    fresh = not judge_schema(conn, str(path))
    if not fresh and not lacks_steps(conn):
        return
    from sqlite_utils import Database

    steps = migrations()
    database = Database(conn, recursive_triggers=False, execute_plugins=False)
    conn.execute("BEGIN IMMEDIATE")
    with database.atomic():  # a savepoint, as are the steps' own: the outer transaction decides
        steps.apply(database)
        if fresh:
            conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            journal.set_meta(conn, "created_at", to_text(now))
    conn.execute("COMMIT")
