"""Instatus: `/v3/summary.json` (older pages: `/summary.json`), and `/history.atom` for when things were said.

The summary leaves its lists out when they are empty and drops what is over. Its `started` can be set by hand, so it is
only the stated start; the history, where there is one, has the updates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from detector.domain import Incident, PageState, StatusReading
from detector.errors import Hostile, Permanent, TransportError
from detector.status import fields, states
from detector.status.feed import read_feed
from detector.status.feed_updates import Event, events
from detector.status.page import Page
from detector.transport.session import Session

SUMMARIES = ("/v3/summary.json", "/summary.json")
HISTORY = "/history.atom"
_PAGE = {"up": PageState.OPERATIONAL, "hasissues": None, "undermaintenance": PageState.MAINTENANCE}


class Instatus(Page):
    """Reads one page.

    Args:
        service: the slug.
        url: the page as people open it; any path under it will do.
        session: fetches; not closed here.
    """

    def __init__(self, service: str, url: str, session: Session) -> None:
        super().__init__(service, url, session)
        self._summary = SUMMARIES[0]

    async def read(self, *, now: datetime) -> StatusReading:
        """The page's state, what is open, and what the history still shows.

        Raises:
            TransportError: the summary could not be fetched or is no JSON object.
        """
        summary = await self._fetch()
        page = summary.get("page")
        word = fields.word(page.get("status")) if isinstance(page, Mapping) else ""
        note = ""
        told: dict[str, Event] = {}
        try:
            feed = await read_feed(self._base + HISTORY, self._documents)
            told = {event.id: event for event in events(feed.entries, now)}
        except TransportError as error:
            note = f" (history not read: {error})"
        open_now = [
            made
            for name, planned in (("activeIncidents", False), ("activeMaintenances", True))
            for entry in fields.entries(summary.get(name))
            if (made := self._incident(entry, planned, told, now)) is not None
        ]
        shown = {one.id for one in open_now}
        past = [self._past(event, now) for event in told.values() if event.id not in shown]
        self._sightings.settle()
        state = _PAGE.get(word, PageState.UNKNOWN)
        if state in {None, PageState.OPERATIONAL}:
            worst = states.from_incidents(open_now, now)
            issues = state is None and worst is PageState.OPERATIONAL
            state = PageState.DEGRADED if issues else worst
        said = open_now[0].title if open_now else word
        if word not in _PAGE:
            said = f"the page's status {word!r} is missing or not known"
        found = sorted({one.id: one for one in (*past, *open_now)}.values(), key=lambda one: one.first_posted_at)
        return StatusReading(
            service=self._service,
            at=now,
            state=state or PageState.UNKNOWN,
            description=f"{said}{note}"[: fields.MAX_TEXT],
            incidents=(*found, *self._sightings.departed(found, now)),
        )

    async def _fetch(self) -> Mapping[str, Any]:
        """The summary, from the place that answered last time."""
        first: TransportError | None = None
        for path in dict.fromkeys((self._summary, *SUMMARIES)):
            try:
                found = await self._documents.json(self._base + path)
            except (Permanent, Hostile) as error:
                first = first or error
                continue
            if isinstance(found, Mapping):
                self._summary = path
                return found
        raise first or Hostile(f"{self._base}{self._summary}: no JSON object came; is it a page of Instatus?")

    def _incident(
        self, entry: Mapping[str, Any], planned: bool, told: Mapping[str, Event], now: datetime
    ) -> Incident | None:
        url = fields.link(entry.get("url"), "")
        ident = url.rstrip("/").rpartition("/")[2] or fields.key(entry.get("id"))
        if not ident:
            return None
        seen_at = self._sightings.first(ident, now)
        event = told.get(ident)
        status = fields.word(entry.get("status"))
        updates = self._sightings.updates(ident, event.updates if event else [], now)
        posted = updates[0].at if updates else seen_at
        if not updates and status:
            updates = self._sightings.updates(
                ident, [(status, self._sightings.first(f"{ident}={status}", now), status, "")], now
            )
        return Incident(
            service=self._service,
            id=ident,
            title=fields.title(entry.get("name")),
            impact="maintenance" if planned else states.impact(fields.word(entry.get("impact"))),
            first_posted_at=posted,
            first_seen_at=seen_at,
            stated_start=fields.moment(entry.get("start" if planned else "started"), now),
            resolved_at=(updates[-1].at if updates else now) if status in states.OVER else None,
            updates=updates,
            components=fields.names(entry.get("components")),
            url=url or self._base,
            maintenance=planned,
        )

    def _past(self, event: Event, now: datetime) -> Incident:
        updates = self._sightings.updates(event.id, event.updates, now)
        made = Incident(
            service=self._service,
            id=event.id,
            title=event.title,
            impact="maintenance" if event.maintenance else event.impact,
            first_posted_at=updates[0].at,
            first_seen_at=self._sightings.first(event.id, now),
            resolved_at=event.over_at,
            updates=updates,
            components=event.components,
            url=fields.link(event.url, self._base),
            maintenance=event.maintenance,
        )
        # The summary does not list it, so it is not open, whatever the last word in the history was.
        return made if made.resolved_at is not None else replace(made, resolved_at=updates[-1].at)


def build(service: str, url: str, session: Session) -> Instatus:
    """A reader of one page (entry point `detector.status: instatus`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return Instatus(service, url, session)
