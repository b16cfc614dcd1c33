"""Google's status pages (Cloud, Workspace, Firebase): `incidents.json`, a history without a banner.

`begin` is edited afterwards (238 of 1,002), so it is only the stated start; the first update's `created` is when they
spoke. A fragment of the URL (`#Gmail,us-central1`) keeps what names such a product or region.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.domain import Incident, StatusReading
from detector.errors import Hostile
from detector.status import fields, states
from detector.status.page import Page
from detector.status.scope import Scope
from detector.transport.guard import parse_target
from detector.transport.session import Session

_IMPACTS = {"service_outage": "major", "service_disruption": "minor", "service_information": "none"}
_MAX_INCIDENTS = 400


class GoogleStatus(Page):
    """Reads one of Google's pages.

    Args:
        service: the slug.
        url: the page as people open it, with its path (`.../appsstatus/dashboard/`); a fragment names what counts.
        session: fetches; not closed here.
    """

    def __init__(self, service: str, url: str, session: Session) -> None:
        super().__init__(service, url, session, base=folder(url))
        self._scope = Scope(url)

    async def read(self, *, now: datetime) -> StatusReading:
        """The incidents, and the state that the open ones amount to.

        Raises:
            TransportError: the list could not be fetched or is no list.
        """
        listed = await self._documents.json(f"{self._base}/incidents.json")
        if not isinstance(listed, list) or (listed and not fields.entries(listed)):
            raise Hostile(f"{self._base}/incidents.json: no list of incidents came; is it a status page of Google's?")
        made = [one for entry in fields.entries(listed, _MAX_INCIDENTS) if (one := self._incident(entry, now))]
        self._sightings.settle()
        found = sorted((one for one in made if self._scope.takes(one)), key=lambda one: (one.first_posted_at, one.id))
        state = states.from_incidents(found, now)
        open_now = [one.title for one in found if one.resolved_at is None]
        return StatusReading(
            service=self._service,
            at=now,
            state=state,
            description=open_now[-1] if open_now else "no open incident",
            incidents=(*found, *self._sightings.departed(found, now)),
        )

    def _incident(self, entry: Mapping[str, Any], now: datetime) -> Incident | None:
        ident = fields.key(entry.get("id"))
        if not ident:
            return None
        seen_at = self._sightings.first(ident, now)
        said = [
            (str(at), at, _status(update.get("status")), fields.words(update.get("text")))
            for update in fields.entries(entry.get("updates"))
            if (at := fields.moment(update.get("created"), now)) is not None
        ]
        updates = self._sightings.updates(ident, said, now)
        posted = updates[0].at if updates else fields.moment(entry.get("created"), now) or seen_at
        over_at = states.closed_at((update.at, update.status) for update in updates)
        ended = fields.moment(entry.get("end"), now)
        if ended is None and updates and updates[-1].status != "resolved":
            over_at = None
        return Incident(
            service=self._service,
            id=ident,
            title=_headline(fields.title(entry.get("external_desc"))),
            impact=_IMPACTS.get(fields.word(entry.get("status_impact")), "minor"),
            first_posted_at=posted,
            first_seen_at=seen_at,
            stated_start=fields.moment(entry.get("begin"), now),
            resolved_at=over_at or ended,
            updates=updates,
            components=_components(entry),
            url=_page(self._base, entry.get("uri")),
        )


def _status(value: object) -> str:
    word = fields.word(value)
    return "resolved" if word == "available" else word


def _headline(text: str) -> str:
    """Google's descriptions are Markdown with a heading "Title:" before the words.

    >>> _headline("**Title:**\\nGmail is slow.\\n**Description:** ...")
    'Gmail is slow.'
    """
    lines = [line.strip("*# ").removeprefix("Title:").strip("* ") for line in text.splitlines()]
    return next((line for line in lines if line), text)


def _components(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Products, then regions: those hit now, or at all where it is over."""
    regions = fields.names(entry.get("currently_affected_locations"), "title")
    regions = regions or fields.names(entry.get("previously_affected_locations"), "title")
    name = entry.get("service_name")
    own = (name,) if isinstance(name, str) and name and name != "Multiple Products" else ()
    return tuple(dict.fromkeys((*own, *fields.names(entry.get("affected_products"), "title"), *regions)))


def _page(base: str, uri: object) -> str:
    return f"{base}/{uri.lstrip('/')}"[:500] if isinstance(uri, str) and uri else base


def folder(url: str) -> str:
    """The page's address without a document at its end.

    >>> folder("https://www.google.com/appsstatus/dashboard/incidents.json#Gmail")
    'https://www.google.com/appsstatus/dashboard'
    """
    path = parse_target(url.partition("#")[0]).url.partition("?")[0].rstrip("/")
    return path.rpartition("/")[0] if path.endswith((".json", ".html")) else path


def build(service: str, url: str, session: Session) -> GoogleStatus:
    """A reader of one of Google's pages (entry point `detector.status: gcp`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return GoogleStatus(service, url, session)
