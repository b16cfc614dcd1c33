"""incident.io: its imitation of Statuspage's JSON, or else its own widget (`/api/v1/summary`, `/proxy/HOST`).

The imitation leaves `incidents` out when all is well and its ids are ULIDs. The widget shows what is open with the last
word on it only; what is gone from it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.domain import Incident, PageState, StatusReading
from detector.errors import Hostile, Permanent, TransportError
from detector.status import compat, fields, states
from detector.status.page import Page
from detector.transport.guard import parse_target
from detector.transport.session import Session

SUMMARY, HISTORY, WIDGET = "/api/v2/summary.json", "/api/v2/incidents.json", "/api/v1/summary"


class IncidentIo(Page):
    """Reads one page.

    Args:
        service: the slug.
        url: the page as people open it; any path under it will do.
        session: fetches; not closed here.
    """

    def __init__(self, service: str, url: str, session: Session) -> None:
        super().__init__(service, url, session)
        self._native = (WIDGET, f"/proxy/{parse_target(url).netloc}")

    async def read(self, *, now: datetime) -> StatusReading:
        """The page's state and incidents; maintenances are among them, marked.

        Raises:
            TransportError: none of its documents could be read.
        """
        try:
            summary = await self._documents.json(self._base + SUMMARY)
            if not isinstance(summary, Mapping) or "status" not in summary:
                raise Hostile(f"{self._base}{SUMMARY}: no summary came; is it a page of incident.io?")
        except (Permanent, Hostile) as error:
            return await self._read_native(error, now)
        state, description = compat.page_state(summary)
        open_now, planned = summary.get("incidents"), summary.get("scheduled_maintenances")
        lists: list[compat.Listed] = [(open_now, False), (planned, True)]
        try:
            history = await self._documents.json(self._base + HISTORY)
            lists.append((history.get("incidents") if isinstance(history, Mapping) else None, False))
        except TransportError as error:
            description = f"{description} (history not read: {error})"[: fields.MAX_TEXT]
        found = compat.incidents(lists, service=self._service, base=self._base, sightings=self._sightings, now=now)
        self._sightings.settle()
        listed = compat.ids(open_now, planned)
        state = compat.corrected(state, [one for one in found if one.id in listed])
        return self._reading(now, state, description, [*found, *self._sightings.departed(found, now)])

    async def _read_native(self, first: TransportError, now: datetime) -> StatusReading:
        for path in self._native:
            try:
                answer = await self._documents.json(self._base + path)
            except (Permanent, Hostile):
                continue
            summary = answer.get("summary", answer) if isinstance(answer, Mapping) else None
            if isinstance(summary, Mapping) and ("ongoing_incidents" in summary or "components" in summary):
                return self._from_widget(summary, now)
        raise first

    def _from_widget(self, summary: Mapping[str, Any], now: datetime) -> StatusReading:
        ongoing = summary.get("ongoing_incidents")
        if not isinstance(ongoing, list):
            return self._reading(now, PageState.UNKNOWN, "the page's summary has no ongoing_incidents", [])
        found = [
            made
            for listed, planned in (
                (ongoing, False),
                (summary.get("in_progress_maintenances"), True),
                (summary.get("scheduled_maintenances"), True),
            )
            for entry in fields.entries(listed)
            if (made := self._widget_incident(entry, planned, now)) is not None
        ]
        unique = list({one.id: one for one in found}.values())
        self._sightings.settle()
        state = states.from_incidents(unique, now)
        affected = [fields.word(each.get("status")) for each in fields.entries(summary.get("affected_components"))]
        known = [states.state_of(word) for word in affected if states.impact(word)]
        description = unique[0].title if unique else "no ongoing incident"
        return self._reading(
            now, states.worst([state, *known]), description, [*unique, *self._sightings.departed(unique, now)]
        )

    def _widget_incident(self, entry: Mapping[str, Any], planned: bool, now: datetime) -> Incident | None:
        ident = fields.key(entry.get("id"))
        if not ident:
            return None
        seen_at = self._sightings.first(ident, now)
        status = fields.word(entry.get("status")) or ("in_progress" if planned else "investigating")
        at = fields.moment(entry.get("last_update_at"), now)
        said = [(str(at), at, status, fields.words(entry.get("last_update_message")))] if at else []
        updates = self._sightings.updates(ident, said, now)
        # The widget shows the last word only, so its time is not that of the first; the ULID is.
        posted = fields.moment(entry.get("published_at"), now) or fields.ulid_time(ident, now) or seen_at
        return Incident(
            service=self._service,
            id=ident,
            title=fields.title(entry.get("name")),
            impact="maintenance" if planned else states.impact(fields.word(entry.get("current_worst_impact"))),
            first_posted_at=posted,
            first_seen_at=seen_at,
            stated_start=fields.moment(entry.get("started_at"), now),
            resolved_at=(updates[-1].at if updates else now) if status in states.OVER else None,
            updates=updates,
            components=fields.names(entry.get("affected_components")),
            url=fields.link(entry.get("url"), f"{self._base}/incidents/{ident}"),
            maintenance=planned,
        )

    def _reading(self, now: datetime, state: PageState, description: str, incidents: list[Incident]) -> StatusReading:
        return StatusReading(
            service=self._service, at=now, state=state, description=description, incidents=tuple(incidents)
        )


def build(service: str, url: str, session: Session) -> IncidentIo:
    """A reader of one page (entry point `detector.status: incidentio`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return IncidentIo(service, url, session)
