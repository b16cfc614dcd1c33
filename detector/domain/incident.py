"""What the provider says: its page now, its incidents, and how they compare with our alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class PageState(StrEnum):
    """An official page at a moment; anything we could not read is `unknown`, never `operational`."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    OUTAGE = "outage"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentUpdate:
    """One entry of an incident: when the page says it was posted, when we first saw it."""

    at: datetime
    status: str
    text: str = ""
    first_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An entry of the official record.

    Attributes:
        stated_start: what they said later; hindsight, never used for lead.
        first_posted_at: the earliest update: the moment the provider spoke.
        first_seen_at: when we (or a scrape) first saw it.
        maintenance: planned work, which is no outage.
    """

    service: str
    id: str
    title: str
    impact: str | None
    first_posted_at: datetime
    first_seen_at: datetime | None = None
    stated_start: datetime | None = None
    resolved_at: datetime | None = None
    updates: tuple[IncidentUpdate, ...] = ()
    components: tuple[str, ...] = ()
    url: str | None = None
    maintenance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReading:
    """One look at a page: its state and every incident it shows."""

    service: str
    at: datetime
    state: PageState
    description: str = ""
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Official:
    """The provider's word at one moment, as attached to an alert.

    Attributes:
        incident: the open incident, if the page shows one.
        checked_at: when the page was read; None if it never was.
    """

    state: PageState
    checked_at: datetime | None
    description: str = ""
    incident: Incident | None = None


class Verdict(StrEnum):
    """How an alert compares with the official record; unmatched is not yet false."""

    EARLY = "early"
    LATE = "late"
    MISSED = "missed"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """An incident and the alert that speaks of it; `lead` = first_posted_at - fired_at."""

    service: str
    incident: Incident | None
    alert_key: str | None
    lead: timedelta | None
    verdict: Verdict
