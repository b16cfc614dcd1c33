"""Writing down what the pipeline decided, all of a step or nothing of it."""

# ruff: noqa: S608 - only our own column names are put into a statement; every value is bound
from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from detector.alerting.answer import Answer, Said
from detector.domain import Alert, Decision, Judgement, Notification, Post, Reason, Silence
from detector.store.codec import (
    ALERT_COLUMNS,
    alert_out,
    alert_row,
    clean,
    estimate_out,
    maybe_text,
    official_out,
    to_json,
    to_text,
)
from detector.store.values import Feedback

CHECKPOINTS_KEPT = 2

_NAMES = ALERT_COLUMNS.split(", ")
_UPSERT_ALERT = (
    f"INSERT INTO alerts ({ALERT_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))}) ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])
)


def add_judgements(conn: sqlite3.Connection, judgements: Iterable[Judgement], *, now: datetime) -> None:
    """Inside a transaction: store mentions and judgements of stored posts; one already there stays as it is."""
    mentions, rows = [], []
    judged_at = to_text(now)
    for judgement in judgements:
        mention = judgement.mention
        where = (mention.post.source, clean(mention.post.id), mention.service)
        component = None if mention.component is None else clean(mention.component)
        mentions.append((*where, clean(mention.matched), component))
        rows.append((*where, to_text(mention.post.seen_at), *judgement.p.as_tuple(), judgement.classifier, judged_at))
    conn.executemany(
        "INSERT INTO mentions (source, post_id, service, matched, component) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
        mentions,
    )
    conn.executemany(
        "INSERT INTO judgements (source, post_id, service, seen_at, complaint, report, past, solo, other, classifier, "
        "judged_at) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
        rows,
    )


def mark_judged(conn: sqlite3.Connection, posts: Iterable[Post], *, now: datetime) -> None:
    """Inside a transaction: these posts need not be processed again."""
    at = to_text(now)
    conn.executemany(
        "UPDATE posts SET judged_at = ? WHERE source = ? AND id = ? AND judged_at IS NULL",
        [(at, clean(post.source), clean(post.id)) for post in posts],
    )


def mark_weighed(conn: sqlite3.Connection, posts: Iterable[Post], *, now: datetime) -> None:
    """Inside a transaction: these posts were counted by an estimate; they are judged later and not counted again."""
    at = to_text(now)
    conn.executemany(
        "UPDATE posts SET weighed_at = ? WHERE source = ? AND id = ? AND judged_at IS NULL",
        [(at, clean(post.source), clean(post.id)) for post in posts],
    )


def add_alert_change(conn: sqlite3.Connection, alert: Alert, reason: Reason) -> None:
    """Inside a transaction: the alert as it now is, and the step that brought it there."""
    conn.execute(_UPSERT_ALERT, alert_row(alert))
    conn.execute(
        "INSERT INTO alert_changes (alert_key, at, reason, level, state, estimate, official) VALUES (?,?,?,?,?,?,?)",
        (
            alert.key,
            to_text(alert.updated_at),
            reason.value,
            alert.level.value,
            alert.state.value,
            to_json(estimate_out(alert.estimate)),
            None if alert.official is None else to_json(official_out(alert.official)),
        ),
    )


def add_decision(conn: sqlite3.Connection, decision: Decision) -> None:
    """Inside a transaction: why somebody was, or was not, told."""
    conn.execute(
        "INSERT INTO decisions (alert_key, receiver, reason, told, at, note) VALUES (?,?,?,?,?,?)",
        (
            decision.alert_key,
            decision.receiver,
            decision.reason.value,
            int(decision.told),
            to_text(decision.at),
            clean(decision.note),
        ),
    )


def add_notification(conn: sqlite3.Connection, owed: Notification) -> None:
    """Inside a transaction: put a message into the outbox; one with the same id is there once only."""
    conn.execute(
        "INSERT INTO notifications (id, alert_key, receiver, reason, created_at, attempts, next_try_at, sent_at, "
        "failed, reference, alert) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
        (
            owed.id,
            owed.alert.key,
            owed.receiver,
            owed.reason.value,
            to_text(owed.created_at),
            owed.attempts,
            maybe_text(owed.next_try_at),
            maybe_text(owed.sent_at),
            None if owed.failed is None else clean(owed.failed),
            None if owed.reference is None else clean(owed.reference),
            to_json(alert_out(owed.alert)),
        ),
    )


def add_silence(conn: sqlite3.Connection, silence: Silence) -> None:
    """Inside a transaction: begin a silence, or change the one with the same id."""
    conn.execute(
        "INSERT INTO silences (id, service, starts_at, ends_at, comment) VALUES (?,?,?,?,?) ON CONFLICT "
        "DO UPDATE SET service = excluded.service, starts_at = excluded.starts_at, "
        "ends_at = excluded.ends_at, comment = excluded.comment",
        (silence.id, silence.service, to_text(silence.starts_at), to_text(silence.ends_at), clean(silence.comment)),
    )


def add_feedback(conn: sqlite3.Connection, feedback: Feedback) -> None:
    """Inside a transaction: a person's word on an alert."""
    conn.execute(
        "INSERT INTO feedback (alert_key, real, at, comment) VALUES (?,?,?,?)",
        (feedback.alert_key, int(feedback.real), to_text(feedback.at), clean(feedback.comment)),
    )


def add_answer(conn: sqlite3.Connection, answer: Answer, silence: Silence | None) -> bool:
    """Inside a transaction: an answer and what follows from it; False where it is there already."""
    new = conn.execute(
        "INSERT INTO answers (id, alert_key, receiver, said, by, at) VALUES (?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
        (answer.id, answer.alert_key, answer.receiver, answer.said.value, clean(answer.by), to_text(answer.at)),
    ).rowcount
    if new and answer.said in {Said.REAL, Said.FALSE}:
        real = answer.said is Said.REAL
        comment = f"{answer.by}, by {answer.receiver}"
        add_feedback(conn, Feedback(alert_key=answer.alert_key, real=real, at=answer.at, comment=comment))
    if new and silence is not None:
        add_silence(conn, silence)
    return bool(new)


def add_checkpoint(conn: sqlite3.Connection, state: dict[str, Any], sequence: int, *, at: datetime) -> None:
    """Inside a transaction: keep the state, and drop the oldest beyond two."""
    conn.execute(
        "INSERT INTO checkpoints (sequence, at, state) VALUES (?, ?, ?)",
        (sequence, to_text(at), json.dumps(state, ensure_ascii=True, separators=(",", ":"))),
    )
    conn.execute(
        "DELETE FROM checkpoints WHERE id NOT IN (SELECT id FROM checkpoints ORDER BY id DESC LIMIT ?)",
        (CHECKPOINTS_KEPT,),
    )


def set_meta(conn: sqlite3.Connection, key: str, value: str) -> None:
    """Inside a transaction: note a fact about the database."""
    conn.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (key, value)
    )


def last_sequence(conn: sqlite3.Connection) -> int:
    """The number of the last judgement, 0 before the first."""
    return int(conn.execute("SELECT coalesce(max(sequence), 0) FROM judgements").fetchone()[0])
