"""From what a query returned to the value it stands for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from detector.alerting.answer import Answer, Said
from detector.domain import (
    AlertState,
    Coverage,
    CoverageState,
    Decision,
    Incident,
    IncidentUpdate,
    Level,
    Notification,
    Reason,
    Silence,
)
from detector.store.codec import alert_in, estimate_in, maybe_time, official_in, to_time
from detector.store.values import AlertChange, HourTotal

Row = Sequence[Any]

NOTIFICATION_COLUMNS = "id, alert, receiver, reason, created_at, attempts, next_try_at, sent_at, failed, reference"

CHANGE_COLUMNS = "sequence, alert_key, at, reason, level, state, estimate, official"

DECISION_COLUMNS = "alert_key, receiver, reason, told, at, note"

INCIDENT_COLUMNS = (
    "service, id, title, impact, first_posted_at, first_seen_at, stated_start, resolved_at, components, url, "
    "maintenance"
)

COVERAGE_COLUMNS = "source, from_at, to_at, state, note, lower_bound"

SILENCE_COLUMNS = "id, service, starts_at, ends_at, comment"

ANSWER_COLUMNS = "id, alert_key, receiver, said, by, at"

HOUR_COLUMNS = "service, source, hour, mentions, complaints, people"


def notification_of(row: Row) -> Notification:
    """A message of the outbox."""
    return Notification(
        id=row[0],
        alert=alert_in(json.loads(row[1])),
        receiver=row[2],
        reason=Reason(row[3]),
        created_at=to_time(row[4]),
        attempts=row[5],
        next_try_at=maybe_time(row[6]),
        sent_at=maybe_time(row[7]),
        failed=row[8],
        reference=row[9],
    )


def answer_of(row: Row) -> Answer:
    """A press of a button."""
    return Answer(id=row[0], alert_key=row[1], receiver=row[2], said=Said(row[3]), by=row[4], at=to_time(row[5]))


def change_of(row: Row) -> AlertChange:
    """One step of an alert."""
    return AlertChange(
        sequence=row[0],
        alert_key=row[1],
        at=to_time(row[2]),
        reason=Reason(row[3]),
        level=Level(row[4]),
        state=AlertState(row[5]),
        estimate=estimate_in(json.loads(row[6])),
        official=None if row[7] is None else official_in(json.loads(row[7])),
    )


def decision_of(row: Row) -> Decision:
    """Why somebody was, or was not, told."""
    return Decision(
        alert_key=row[0], receiver=row[1], reason=Reason(row[2]), told=bool(row[3]), at=to_time(row[4]), note=row[5]
    )


def incident_of(row: Row, updates: Iterable[Row]) -> Incident:
    """An incident, with its updates as (at, status, text, first_seen_at)."""
    return Incident(
        service=row[0],
        id=row[1],
        title=row[2],
        impact=row[3],
        first_posted_at=to_time(row[4]),
        first_seen_at=to_time(row[5]),
        stated_start=maybe_time(row[6]),
        resolved_at=maybe_time(row[7]),
        updates=tuple(
            IncidentUpdate(at=to_time(at), status=status, text=text, first_seen_at=to_time(seen))
            for at, status, text, seen in updates
        ),
        components=tuple(json.loads(row[8])),
        url=row[9],
        maintenance=bool(row[10]),
    )


def coverage_of(row: Row) -> Coverage:
    """A span of a source."""
    return Coverage(
        source=row[0],
        from_at=to_time(row[1]),
        to_at=to_time(row[2]),
        state=CoverageState(row[3]),
        note=row[4],
        lower_bound=row[5],
    )


def silence_of(row: Row) -> Silence:
    """A silence."""
    return Silence(id=row[0], service=row[1], starts_at=to_time(row[2]), ends_at=to_time(row[3]), comment=row[4])


def hour_of(row: Row) -> HourTotal:
    """An hour's total."""
    return HourTotal(
        service=row[0], source=row[1], hour=to_time(row[2]), mentions=row[3], complaints=row[4], people=row[5]
    )
