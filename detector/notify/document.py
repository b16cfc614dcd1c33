"""An alert message as a JSON document for machines: versioned, documented, the same for the webhook and the file.

Version 1. New keys may be added; a key is never removed or given another meaning without a new version.

| key | value |
|---|---|
| `version` | 1 |
| `id` | the message; the same in every retry, so a receiver can drop what it has seen |
| `type` | `opened raised reopened acknowledged repeated escalated resolved inhibited digest undelivered updated` |
| `receiver` | our name of the receiver |
| `created_at`, `sent_at` | when it was owed, when this try began (null where not known) |
| `repeat` | true where an earlier try may have arrived |
| `title`, `text` | one line; the whole message as plain text |
| `link` | our page, or null |
| `alert` | see below |
| `others` | further alerts told in this message, each as `alert` with its own `type` |

An alert: `key` (stable over its life), `service` (slug), `name`, `level` (`watch alert major`), `state` (`firing
resolved`), `symptom` (plain words), `component` (or null), `onset_at`, `watch_at`, `fired_at`, `updated_at`,
`ended_at` (UTC, ISO 8601, or null), `people`, `expected`, `ratio`, `window_minutes`, `return_period_months`, `voters`
(figures; null where not finite), `sources` (name and people), `cause` (slug or null), `reopened`, `official` (null or
`state`, `checked_at`, `incident`: null or `id`, `title`, `first_posted_at`, `url`) and `quotes` (`text`, `source`,
`link`: masked, at most three).
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from detector.domain import Alert, Notification, Official, format_time
from detector.notify.escape import plain, safe_link
from detector.notify.render import Wording, may_repeat, message, name_of, plain_text, quotes
from detector.notify.symptoms import component, symptom

VERSION = 1


def document(notification: Notification, wording: Wording | None = None) -> dict[str, Any]:
    """The document of a message, JSON values only."""
    wording = wording or Wording()
    told = message(notification, wording)
    return {
        "version": VERSION,
        "id": notification.id,
        "type": notification.reason.value,
        "receiver": notification.receiver,
        "created_at": format_time(notification.created_at),
        "sent_at": _time(notification.tried_at),
        "repeat": any(may_repeat(one) for one in (notification, *notification.others)),
        "title": f"{told.mark} {told.title}",
        "text": plain_text(notification, wording),
        "link": told.link,
        "alert": alert_document(notification.alert, wording),
        "others": [{"type": one.reason.value, **alert_document(one.alert, wording)} for one in notification.others],
    }


def alert_document(alert: Alert, wording: Wording) -> dict[str, Any]:
    """One alert as JSON values."""
    estimate = alert.estimate
    return {
        "key": alert.key,
        "service": alert.service,
        "name": name_of(alert.service, wording),
        "level": alert.level.value,
        "state": alert.state.value,
        "symptom": symptom(alert.evidence),
        "component": component(alert.evidence, wording.components.get(alert.service, {})),
        "onset_at": format_time(alert.onset_at),
        "watch_at": format_time(alert.watch_at),
        "fired_at": _time(alert.fired_at),
        "updated_at": format_time(alert.updated_at),
        "ended_at": _time(alert.ended_at),
        "people": _figure(estimate.people),
        "expected": _figure(estimate.expected),
        "ratio": _figure(estimate.ratio),
        "window_minutes": _figure(estimate.window_minutes),
        "return_period_months": _figure(estimate.return_period_months),
        "voters": estimate.voters,
        "sources": [{"name": plain(name, limit=80), "people": _figure(people)} for name, people in estimate.sources],
        "cause": alert.cause,
        "reopened": alert.reopened,
        "official": None if alert.official is None else _official(alert.official),
        "quotes": [{"text": one.text, "source": one.source, "link": one.link} for one in quotes(alert)],
    }


def _official(official: Official) -> dict[str, Any]:
    incident = official.incident
    return {
        "state": official.state.value,
        "checked_at": _time(official.checked_at),
        "incident": None
        if incident is None
        else {
            "id": plain(incident.id, limit=200),
            "title": plain(incident.title, limit=300),
            "first_posted_at": format_time(incident.first_posted_at),
            "url": safe_link(incident.url),
        },
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else format_time(at)


def _figure(value: float) -> float | None:
    """A figure that JSON can say.

    >>> _figure(5.21), _figure(float("inf"))
    (5.21, None)
    """
    return round(value, 6) if math.isfinite(value) else None
