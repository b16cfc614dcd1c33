"""What the provider was saying at a moment, from its own incidents; nothing it wrote later is used."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta

from detector.domain import Incident, Official, PageState

OPEN_ENDED = timedelta(hours=24)  # an incident without an end is taken for open no longer than this


class IncidentRecord:
    """An `OfficialRecord` over the incidents of an archive."""

    def __init__(self, incidents: Iterable[Incident]) -> None:
        """Sort the incidents by service and first post; maintenances say nothing about failures."""
        self.by_service: dict[str, list[Incident]] = {}
        for incident in sorted(incidents, key=lambda one: (one.first_posted_at, one.id)):
            if not incident.maintenance:
                self.by_service.setdefault(incident.service, []).append(incident)
        self._starts = {
            service: [incident.first_posted_at for incident in ordered] for service, ordered in self.by_service.items()
        }

    def official(self, service: str, at: datetime) -> Official | None:
        """The page at that time; None where there is no record of the service."""
        ordered = self.by_service.get(service)
        if ordered is None:
            return None
        known = bisect_right(self._starts[service], at)
        for incident in reversed(ordered[max(0, known - 20) : known]):
            if at < ended(incident):
                text = next((entry.status for entry in reversed(incident.updates) if entry.at <= at), "")
                return Official(state=PageState.OUTAGE, checked_at=at, description=text, incident=incident)
        return Official(state=PageState.OPERATIONAL, checked_at=at)


def ended(incident: Incident) -> datetime:
    """When an incident was over, as far as the record tells."""
    return incident.resolved_at or incident.first_posted_at + OPEN_ENDED
