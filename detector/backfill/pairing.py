"""Which alert speaks of which outage, and who was first.

Several incident ids within an hour are one outage (AWS: 175 of 576). Lead is the first official post minus the moment
we said so, never measured against the start that the provider states afterwards. An alert without an incident is
*unmatched*, not yet false: many outages are never acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.backfill.record import ended
from detector.domain import Alert, Incident, Level, Pairing, Verdict

SAME_OUTAGE = timedelta(minutes=60)
BEFORE = timedelta(minutes=60)  # an alert this long before the first official post still speaks of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One outage of the official record: incidents that began within an hour of each other."""

    service: str
    incidents: tuple[Incident, ...]

    @property
    def first(self) -> Incident:
        """The incident that was posted first."""
        return self.incidents[0]

    @property
    def posted_at(self) -> datetime:
        """When the provider first spoke."""
        return self.first.first_posted_at

    @property
    def ended_at(self) -> datetime:
        """When the last of its incidents was over."""
        return max(ended(incident) for incident in self.incidents)

    @property
    def stated_start(self) -> datetime | None:
        """The earliest start that the provider gave afterwards."""
        return min((one.stated_start for one in self.incidents if one.stated_start), default=None)


def outages(incidents: Iterable[Incident]) -> list[Outage]:
    """The record as outages, in order of time; maintenances are left out."""
    by_service: dict[str, list[list[Incident]]] = {}
    for incident in sorted(incidents, key=lambda one: (one.service, one.first_posted_at, one.id)):
        if incident.maintenance:
            continue
        groups = by_service.setdefault(incident.service, [])
        if groups and incident.first_posted_at - groups[-1][-1].first_posted_at <= SAME_OUTAGE:
            groups[-1].append(incident)
        else:
            groups.append([incident])
    found = [
        Outage(service=service, incidents=tuple(group)) for service, groups in by_service.items() for group in groups
    ]
    return sorted(found, key=lambda outage: (outage.posted_at, outage.service))


def pair(alerts: Sequence[Alert], record: Sequence[Outage]) -> list[Pairing]:
    """One pairing an outage, then one an alert that no outage claims; watches are not alerts."""
    fired = sorted(
        (alert for alert in alerts if alert.fired_at is not None and alert.level is not Level.WATCH),
        key=lambda alert: (alert.fired_at, alert.key),
    )
    by_service: dict[str, list[Alert]] = {}
    for alert in fired:
        by_service.setdefault(alert.service, []).append(alert)
    pairings: list[Pairing] = []
    claimed: set[str] = set()
    for outage in record:
        matching = [
            alert
            for alert in by_service.get(outage.service, ())
            if alert.fired_at is not None and outage.posted_at - BEFORE <= alert.fired_at <= outage.ended_at
        ]
        claimed.update(alert.key for alert in matching)
        if not matching or matching[0].fired_at is None:
            pairings.append(_pairing(outage, None, None, Verdict.MISSED))
            continue
        lead = outage.posted_at - matching[0].fired_at
        verdict = Verdict.EARLY if lead > timedelta(0) else Verdict.LATE
        pairings.append(_pairing(outage, matching[0].key, lead, verdict))
    pairings += [
        Pairing(service=alert.service, incident=None, alert_key=alert.key, lead=None, verdict=Verdict.UNMATCHED)
        for alert in fired
        if alert.key not in claimed
    ]
    return pairings


def _pairing(outage: Outage, key: str | None, lead: timedelta | None, verdict: Verdict) -> Pairing:
    return Pairing(service=outage.service, incident=outage.first, alert_key=key, lead=lead, verdict=verdict)
