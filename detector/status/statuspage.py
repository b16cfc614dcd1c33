"""Atlassian Statuspage: `summary.json` for the state, `incidents.json` for what the summary drops when it is over.

A page we cannot read raises; one that lacks a key is `unknown`. When we ourselves first saw each incident and update
is noted beside the page's own times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from detector.domain import StatusReading
from detector.errors import Hostile, TransportError
from detector.status import compat
from detector.status.fields import MAX_TEXT
from detector.status.page import Page
from detector.transport.session import Session


class Statuspage(Page):
    """Reads one page."""

    async def read(self, *, now: datetime) -> StatusReading:
        """The page's state and incidents; maintenances are among them, marked.

        Raises:
            TransportError: the summary could not be fetched or is no JSON (an HTML challenge sent with status 200).
        """
        summary = await self._documents.json(f"{self._base}/api/v2/summary.json")
        if not isinstance(summary, Mapping):
            raise Hostile(f"{self._base}/api/v2/summary.json: no JSON object came; is it a Statuspage?")
        state, description = compat.page_state(summary)
        open_now, planned = summary.get("incidents"), summary.get("scheduled_maintenances")
        lists: list[compat.Listed] = [(open_now, False), (planned, True)]
        try:
            history = await self._documents.json(f"{self._base}/api/v2/incidents.json")
            lists.append((history.get("incidents") if isinstance(history, Mapping) else None, False))
        except TransportError as error:
            # The page's state is known all the same; resolved incidents come with a later reading.
            description = f"{description} (history not read: {error})"[:MAX_TEXT]
        found = compat.incidents(lists, service=self._service, base=self._base, sightings=self._sightings, now=now)
        self._sightings.settle()
        # Only what the summary itself lists as open: pages keep forgotten incidents in their history.
        listed = compat.ids(open_now, planned)
        state = compat.corrected(state, [one for one in found if one.id in listed])
        return StatusReading(
            service=self._service,
            at=now,
            state=state,
            description=description,
            incidents=(*found, *self._sightings.departed(found, now)),
        )


def build(service: str, url: str, session: Session) -> Statuspage:
    """A reader of one page (entry point `detector.status: statuspage`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return Statuspage(service, url, session)
