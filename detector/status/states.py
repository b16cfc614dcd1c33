"""From the words of many providers to one vocabulary of impacts and page states."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from detector.domain import Incident, PageState

OVER = frozenset({"resolved", "postmortem", "completed", "cancelled", "canceled"})
RUNNING = frozenset({"in_progress", "verifying", "inprogress", "in progress"})
PLANNED = frozenset({"scheduled", "in_progress", "verifying", "completed", "notstartedyet", "inprogress"})
# Pages keep incidents that nobody closed: one without a word for a week says nothing about now.
STALE = timedelta(days=7)

_IMPACTS = {
    "none": "none",
    "operational": "none",
    "minor": "minor",
    "degraded": "minor",
    "degraded_performance": "minor",
    "degradedperformance": "minor",
    "major": "major",
    "partial_outage": "major",
    "partialoutage": "major",
    "downtime": "critical",
    "critical": "critical",
    "full_outage": "critical",
    "major_outage": "critical",
    "majoroutage": "critical",
    "maintenance": "maintenance",
    "under_maintenance": "maintenance",
    "undermaintenance": "maintenance",
}
_STATES = {
    "none": PageState.OPERATIONAL,
    "minor": PageState.DEGRADED,
    "major": PageState.OUTAGE,
    "critical": PageState.OUTAGE,
    "maintenance": PageState.MAINTENANCE,
}
_RANK = (PageState.OPERATIONAL, PageState.MAINTENANCE, PageState.DEGRADED, PageState.OUTAGE)


def impact(word: str) -> str | None:
    """A provider's word as none, minor, major, critical or maintenance; None where we do not know it.

    >>> impact("PARTIALOUTAGE".lower()), impact("degraded_performance"), impact("funny")
    ('major', 'minor', None)
    """
    return _IMPACTS.get(word)


def state_of(word: str) -> PageState:
    """The page state an impact means; one we do not know is `unknown`.

    >>> state_of("critical").value, state_of("funny").value
    ('outage', 'unknown')
    """
    return _STATES.get(_IMPACTS.get(word, ""), PageState.UNKNOWN)


def worst(states: Iterable[PageState]) -> PageState:
    """The worst of known states; operational where there is none.

    >>> worst([PageState.MAINTENANCE, PageState.OUTAGE]).value, worst([]).value
    ('outage', 'operational')
    """
    return max((state for state in states if state in _RANK), key=_RANK.index, default=PageState.OPERATIONAL)


def closed_at(updates: Iterable[tuple[datetime, str]]) -> datetime | None:
    """When it was over, by (time, status) in order; None while it is open.

    A post-mortem days later is not the end, and a remark after the end does not open it again.

    >>> from datetime import UTC
    >>> one, two, three = (datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3))
    >>> closed_at([(one, "investigating"), (two, "resolved"), (three, "postmortem")]) == two
    True
    >>> closed_at([(one, "resolved"), (two, "investigating")]) is None
    True
    """
    closed = None
    for at, status in updates:
        if status in OVER:
            closed = closed or at
        elif status not in {"", "update", "note"}:
            closed = None
    return closed


def from_incidents(incidents: Iterable[Incident], now: datetime) -> PageState:
    """What the open incidents say together; one without a known impact counts as degraded."""
    states = [PageState.OPERATIONAL]
    for one in incidents:
        last = one.updates[-1].at if one.updates else one.first_posted_at
        if one.resolved_at is not None or now - last > STALE:
            continue
        if one.maintenance:
            if one.updates and one.updates[-1].status in RUNNING:
                states.append(PageState.MAINTENANCE)
        else:
            known = state_of(one.impact or "")
            states.append(PageState.DEGRADED if known is PageState.UNKNOWN else known)
    return worst(states)


def under_way(one: Incident, now: datetime) -> bool:
    """Whether an entry is announced work that has begun and is not over, as far as the page has said.

    >>> from datetime import UTC
    >>> from detector.domain import IncidentUpdate
    >>> noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> work = Incident(service="s", id="1", title="t", impact=None, first_posted_at=noon, maintenance=True,
    ...     updates=(IncidentUpdate(at=noon, status="in_progress"),))
    >>> under_way(work, noon), under_way(work, noon + timedelta(days=8))
    (True, False)
    """
    if not one.maintenance or not one.updates or (one.resolved_at is not None and one.resolved_at <= now):
        return False
    last = one.updates[-1]
    return last.status.lower() in RUNNING and now - last.at <= STALE
