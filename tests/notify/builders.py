"""Alerts and messages for the tests of this folder, in our own words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.domain import (
    Alert,
    AlertState,
    Estimate,
    Evidence,
    Incident,
    IncidentUpdate,
    Level,
    Notification,
    Official,
    PageState,
    Reason,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def minute(after: float) -> datetime:
    return NOON + timedelta(minutes=after)


def make_alert(**changes: Any) -> Alert:
    """An alert on Claude: onset 12:02, watch 12:04, fired 12:05."""
    estimate = Estimate(
        service="claude",
        at=minute(5),
        onset=minute(2),
        people=5.2,
        expected=0.2,
        return_period_months=14.0,
        ratio=26.0,
        score=9.1,
        window_minutes=3.1,
        sources=(("hackernews", 3.2), ("bluesky", 2.0)),
        voters=7,
    )
    evidence = (
        make_evidence("1", "Cannot log in to Claude since noon, anyone else?", at=3),
        make_evidence("2", "@someone claude login gives error 529 for the whole team", at=4),
        make_evidence("3", "Claude sign in page spins for ever here", at=2),
        make_evidence("4", "is claude broken", at=4),
    )
    alert = Alert(
        key="claude-20260302T1204",
        service="claude",
        level=Level.ALERT,
        state=AlertState.FIRING,
        onset_at=minute(2),
        watch_at=minute(4),
        fired_at=minute(5),
        updated_at=minute(5),
        ended_at=None,
        estimate=estimate,
        evidence=evidence,
        official=Official(state=PageState.OPERATIONAL, checked_at=minute(4)),
    )
    return replace(alert, **changes)


def make_evidence(
    post_id: str, text: str, *, at: float = 3, url: str | None = "https://news.example.org/item?id="
) -> Evidence:
    address = None if url is None else f"{url}{post_id}"
    return Evidence(source="hackernews", id=post_id, url=address, text=text, p=0.9, at=minute(at))


def make_incident(*, posted: float = 39, status: str = "investigating") -> Incident:
    return Incident(
        service="claude",
        id="inc-1",
        title="Elevated errors on sign-in",
        impact="major",
        first_posted_at=minute(posted),
        first_seen_at=minute(posted + 1),
        updates=(IncidentUpdate(at=minute(posted), status=status),),
    )


def make_notification(
    reason: Reason = Reason.OPENED,
    alert: Alert | None = None,
    *,
    number: int = 1,
    receiver: str = "ops",
    **changes: Any,
) -> Notification:
    alert = alert or make_alert()
    owed = Notification(
        id=f"{alert.key}/{receiver}/{number}",
        alert=alert,
        receiver=receiver,
        reason=reason,
        created_at=alert.updated_at,
    )
    return replace(owed, **changes)


def storm(count: int = 12, reason: Reason = Reason.OPENED) -> Notification:
    """AWS, and many services that it explains, in one message."""
    members = [
        make_notification(
            reason,
            make_alert(key=f"service-{number:02}-20260302T1204", service=f"service-{number:02}", cause="aws"),
        )
        for number in range(1, count)
    ]
    cause = make_alert(key="aws-20260302T1203", service="aws", level=Level.MAJOR)
    return replace(make_notification(reason, cause), others=tuple(members))


def more_story() -> dict[str, Notification]:
    """Messages about several alerts, and about messages."""
    over = make_alert(
        key="zoom-20260302T0900",
        service="zoom",
        state=AlertState.RESOLVED,
        onset_at=minute(-180),
        ended_at=minute(-100),
        updated_at=minute(-100),
    )
    watch = make_alert(level=Level.WATCH, fired_at=None, updated_at=minute(4))
    return {
        "storm": storm(),
        "late-one": make_notification(tried_at=minute(90)),
        "late-summary": replace(
            make_notification(attempts=30, failed="refused"),
            tried_at=minute(365),
            others=(make_notification(Reason.RESOLVED, over),),
        ),
        "digest": replace(
            make_notification(Reason.DIGEST, watch),
            others=(make_notification(Reason.DIGEST, replace(watch, key="z", service="zoom")),),
        ),
        "affected": replace(
            make_notification(Reason.INHIBITED, make_alert(cause="aws")),
            others=(make_notification(Reason.INHIBITED, make_alert(key="n", service="notion", cause="aws")),),
        ),
        "undelivered": replace(make_notification(Reason.UNDELIVERED), id="claude-20260302T1204/ops/undelivered-slack"),
        "escalated": make_notification(Reason.ESCALATED, created_at=minute(65)),
    }


def story() -> dict[str, Notification]:
    """One message of each kind, by name."""
    shown = Official(state=PageState.OUTAGE, checked_at=minute(40), incident=make_incident())
    return {
        "watch": make_notification(alert=make_alert(level=Level.WATCH, fired_at=None, updated_at=minute(4))),
        "opened": make_notification(),
        "opened-no-page": make_notification(alert=make_alert(official=None, cause="aws", evidence=())),
        "opened-unreachable": make_notification(
            alert=make_alert(official=Official(state=PageState.UNKNOWN, checked_at=None))
        ),
        "raised": make_notification(Reason.RAISED, make_alert(level=Level.MAJOR, updated_at=minute(20))),
        "updated": make_notification(Reason.UPDATED, make_alert(official=shown, updated_at=minute(41))),
        "acknowledged": make_notification(Reason.ACKNOWLEDGED, make_alert(official=shown, updated_at=minute(41))),
        "acknowledged-first": make_notification(
            Reason.ACKNOWLEDGED,
            make_alert(official=replace(shown, incident=make_incident(posted=-10)), updated_at=minute(6)),
        ),
        "reopened": make_notification(Reason.REOPENED, make_alert(reopened=1, updated_at=minute(70))),
        "repeated": make_notification(Reason.REPEATED, make_alert(updated_at=minute(130))),
        "resolved": make_notification(
            Reason.RESOLVED,
            make_alert(state=AlertState.RESOLVED, ended_at=minute(62), updated_at=minute(62), official=shown),
        ),
        "ambiguous": make_notification(attempts=1, failed="may have arrived: receiver ops: no reply in time"),
    }
