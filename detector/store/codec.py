"""Between domain values and what SQLite keeps: exact both ways.

Times are UTC text with six decimals ("2026-03-02T12:05:00.000000Z"), so that they sort like the times themselves and
lose nothing. Nested values (an estimate, the official word, the quotes) are JSON objects with the fields' own names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from detector.domain import (
    Alert,
    AlertState,
    Estimate,
    Evidence,
    Incident,
    IncidentUpdate,
    Level,
    Official,
    PageState,
    Post,
)

Json = dict[str, Any]


def to_text(at: datetime) -> str:
    """Write a time.

    >>> to_text(datetime(2026, 3, 2, 12, 5, tzinfo=UTC))
    '2026-03-02T12:05:00.000000Z'
    """
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def to_time(text: str) -> datetime:
    """Read what `to_text` wrote.

    >>> to_time("2026-03-02T12:05:00.000000Z").hour
    12
    """
    return datetime.fromisoformat(text)


def maybe_text(at: datetime | None) -> str | None:
    """`to_text`, None for None."""
    return None if at is None else to_text(at)


def maybe_time(text: str | None) -> datetime | None:
    """`to_time`, None for None."""
    return None if text is None else to_time(text)


def to_json(value: Json | Sequence[Json]) -> str:
    """Compact JSON that any tool reads; figures that are not finite must have been made text before."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def clean(text: str) -> str:
    """Text that can be written as UTF-8: a lone surrogate becomes U+FFFD.

    >>> clean("down \\ud83d again") == "down \\ufffd again"
    True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_post(post: Post) -> Post:
    """The post as it can be stored; the same object when nothing is wrong with it."""
    wrong: dict[str, Any] = {
        name: fixed
        for name in ("source", "id", "text", "author", "url", "reply_to", "service_hint", "truth")
        if (value := getattr(post, name)) is not None and (fixed := clean(value)) is not value
    }
    return replace(post, **wrong) if wrong else post


def number_out(value: float) -> float | str:
    """A figure for JSON, which knows no infinity.

    >>> number_out(float("inf")), number_out(0.1)
    ('inf', 0.1)
    """
    return value if math.isfinite(value) else repr(value)


POST_COLUMNS = (
    "source, id, created_at, seen_at, text, author, url, reply_to, service_hint, official, account_created_at, truth"
)


def post_row(post: Post) -> tuple[Any, ...]:
    """A post in the order of `POST_COLUMNS`."""
    return (
        post.source,
        post.id,
        to_text(post.created_at),
        to_text(post.seen_at),
        post.text,
        post.author,
        post.url,
        post.reply_to,
        post.service_hint,
        int(post.official),
        maybe_text(post.account_created_at),
        post.truth,
    )


def post_of(row: Sequence[Any]) -> Post:
    """The post of the first columns of a row read in the order of `POST_COLUMNS`."""
    return Post(
        source=row[0],
        id=row[1],
        created_at=to_time(row[2]),
        seen_at=to_time(row[3]),
        text=row[4],
        author=row[5],
        url=row[6],
        reply_to=row[7],
        service_hint=row[8],
        official=bool(row[9]),
        account_created_at=maybe_time(row[10]),
        truth=row[11],
    )


def estimate_out(estimate: Estimate) -> Json:
    """An estimate as JSON values."""
    return {
        "service": estimate.service,
        "at": to_text(estimate.at),
        "onset": to_text(estimate.onset),
        "people": number_out(estimate.people),
        "expected": number_out(estimate.expected),
        "return_period_months": number_out(estimate.return_period_months),
        "ratio": number_out(estimate.ratio),
        "score": number_out(estimate.score),
        "window_minutes": number_out(estimate.window_minutes),
        "sources": [[clean(source), number_out(people)] for source, people in estimate.sources],
        "voters": estimate.voters,
    }


def estimate_in(value: Json) -> Estimate:
    """The inverse of `estimate_out`."""
    return Estimate(
        service=value["service"],
        at=to_time(value["at"]),
        onset=to_time(value["onset"]),
        people=float(value["people"]),
        expected=float(value["expected"]),
        return_period_months=float(value["return_period_months"]),
        ratio=float(value["ratio"]),
        score=float(value["score"]),
        window_minutes=float(value["window_minutes"]),
        sources=tuple((source, float(people)) for source, people in value["sources"]),
        voters=int(value["voters"]),
    )


def evidence_out(evidence: Evidence) -> Json:
    """A quoted post as JSON values."""
    return {
        "source": clean(evidence.source),
        "id": clean(evidence.id),
        "url": None if evidence.url is None else clean(evidence.url),
        "text": clean(evidence.text),
        "p": number_out(evidence.p),
        "at": to_text(evidence.at),
        "label": evidence.label,
    }


def evidence_in(value: Json) -> Evidence:
    """The inverse of `evidence_out`."""
    return Evidence(
        source=value["source"],
        id=value["id"],
        url=value["url"],
        text=value["text"],
        p=float(value["p"]),
        at=to_time(value["at"]),
        label=value["label"],
    )


def update_out(update: IncidentUpdate) -> Json:
    """One entry of an incident as JSON values."""
    return {
        "at": to_text(update.at),
        "status": clean(update.status),
        "text": clean(update.text),
        "first_seen_at": maybe_text(update.first_seen_at),
    }


def update_in(value: Json) -> IncidentUpdate:
    """The inverse of `update_out`."""
    return IncidentUpdate(
        at=to_time(value["at"]),
        status=value["status"],
        text=value["text"],
        first_seen_at=maybe_time(value["first_seen_at"]),
    )


def incident_out(incident: Incident) -> Json:
    """An incident as JSON values."""
    return {
        "service": incident.service,
        "id": clean(incident.id),
        "title": clean(incident.title),
        "impact": None if incident.impact is None else clean(incident.impact),
        "first_posted_at": to_text(incident.first_posted_at),
        "first_seen_at": maybe_text(incident.first_seen_at),
        "stated_start": maybe_text(incident.stated_start),
        "resolved_at": maybe_text(incident.resolved_at),
        "updates": [update_out(update) for update in incident.updates],
        "components": [clean(component) for component in incident.components],
        "url": None if incident.url is None else clean(incident.url),
        "maintenance": incident.maintenance,
    }


def incident_in(value: Json) -> Incident:
    """The inverse of `incident_out`."""
    return Incident(
        service=value["service"],
        id=value["id"],
        title=value["title"],
        impact=value["impact"],
        first_posted_at=to_time(value["first_posted_at"]),
        first_seen_at=maybe_time(value["first_seen_at"]),
        stated_start=maybe_time(value["stated_start"]),
        resolved_at=maybe_time(value["resolved_at"]),
        updates=tuple(update_in(update) for update in value["updates"]),
        components=tuple(value["components"]),
        url=value["url"],
        maintenance=value["maintenance"],
    )


def official_out(official: Official) -> Json:
    """The provider's word as JSON values."""
    return {
        "state": official.state.value,
        "checked_at": maybe_text(official.checked_at),
        "description": clean(official.description),
        "incident": None if official.incident is None else incident_out(official.incident),
    }


def official_in(value: Json) -> Official:
    """The inverse of `official_out`."""
    return Official(
        state=PageState(value["state"]),
        checked_at=maybe_time(value["checked_at"]),
        description=value["description"],
        incident=None if value["incident"] is None else incident_in(value["incident"]),
    )


def alert_out(alert: Alert) -> Json:
    """An alert as JSON values: the snapshot that a notification keeps."""
    return {
        "key": alert.key,
        "service": alert.service,
        "level": alert.level.value,
        "state": alert.state.value,
        "onset_at": to_text(alert.onset_at),
        "watch_at": to_text(alert.watch_at),
        "fired_at": maybe_text(alert.fired_at),
        "updated_at": to_text(alert.updated_at),
        "ended_at": maybe_text(alert.ended_at),
        "estimate": estimate_out(alert.estimate),
        "evidence": [evidence_out(evidence) for evidence in alert.evidence],
        "cause": alert.cause,
        "official": None if alert.official is None else official_out(alert.official),
        "reopened": alert.reopened,
    }


def alert_in(value: Json) -> Alert:
    """The inverse of `alert_out`."""
    return Alert(
        key=value["key"],
        service=value["service"],
        level=Level(value["level"]),
        state=AlertState(value["state"]),
        onset_at=to_time(value["onset_at"]),
        watch_at=to_time(value["watch_at"]),
        fired_at=maybe_time(value["fired_at"]),
        updated_at=to_time(value["updated_at"]),
        ended_at=maybe_time(value["ended_at"]),
        estimate=estimate_in(value["estimate"]),
        evidence=tuple(evidence_in(evidence) for evidence in value["evidence"]),
        cause=value["cause"],
        official=None if value["official"] is None else official_in(value["official"]),
        reopened=value["reopened"],
    )


ALERT_COLUMNS = (
    "key, service, level, state, onset_at, watch_at, fired_at, updated_at, ended_at, estimate, evidence, cause, "
    "official, reopened"
)


def alert_row(alert: Alert) -> tuple[Any, ...]:
    """An alert in the order of `ALERT_COLUMNS`."""
    value = alert_out(alert)
    nested: Json = {name: to_json(value[name]) for name in ("estimate", "evidence")}
    nested["official"] = None if value["official"] is None else to_json(value["official"])
    return tuple(nested.get(name, value[name]) for name in ALERT_COLUMNS.split(", "))


def alert_of(row: Sequence[Any]) -> Alert:
    """The alert of a row read in the order of `ALERT_COLUMNS`."""
    value = dict(zip(ALERT_COLUMNS.split(", "), row, strict=True))
    for name in ("estimate", "evidence", "official"):
        value[name] = None if value[name] is None else json.loads(value[name])
    return alert_in(value)
