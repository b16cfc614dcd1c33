"""Posts, judgements and alerts for the tests of this folder, in our own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.domain import (
    Alert,
    AlertState,
    Estimate,
    Evidence,
    Judgement,
    Level,
    Mention,
    Notification,
    Post,
    Probabilities,
    Reason,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def minute(after: float) -> datetime:
    return NOON + timedelta(minutes=after)


def make_post(number: int = 1, *, at: float | None = None, **changes: Any) -> Post:
    seen_at = minute(number if at is None else at)
    post = Post(
        source="hackernews",
        id=str(number),
        created_at=seen_at,
        seen_at=seen_at,
        text=f"claude is down for us, report {number}",
        author=f"hash-{number}",
        url=f"https://news.example.org/item?id={number}",
    )
    return replace(post, **changes)


def make_judgement(
    post: Post, *, service: str = "claude", now: float = 0.9, classifier: str = "keyword@1"
) -> Judgement:
    return Judgement(
        mention=Mention(post=post, service=service, matched=service, component="login"),
        p=Probabilities(now, 0.0, 0.0, 0.0, 1.0 - now),
        classifier=classifier,
    )


def make_alert(key: str = "claude-20260302T1204", *, posts: Sequence[Post] = (), **changes: Any) -> Alert:
    service = key.rsplit("-", 1)[0]
    estimate = Estimate(
        service=service,
        at=minute(5),
        onset=minute(2),
        people=5.2,
        expected=0.2,
        return_period_months=float("inf"),
        ratio=26.0,
        score=9.1,
        window_minutes=3.1,
        sources=(("hackernews", 5.2),),
        voters=7,
    )
    alert = Alert(
        key=key,
        service=service,
        level=Level.ALERT,
        state=AlertState.FIRING,
        onset_at=minute(2),
        watch_at=minute(4),
        fired_at=minute(5),
        updated_at=minute(5),
        ended_at=None,
        estimate=estimate,
        evidence=tuple(
            Evidence(source=post.source, id=post.id, url=post.url, text=post.text, p=0.9, at=post.seen_at)
            for post in posts
        ),
    )
    return replace(alert, **changes)


def make_notification(number: int = 1, *, alert: Alert | None = None, **changes: Any) -> Notification:
    alert = alert or make_alert()
    owed = Notification(
        id=f"{alert.key}/ops/{number}",
        alert=alert,
        receiver="ops",
        reason=Reason.OPENED,
        created_at=minute(5),
    )
    return replace(owed, **changes)
