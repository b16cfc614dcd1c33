"""Better Stack: `/index.json`, a JSON:API document with the page, its resources, reports and their updates.

A report is over when its `aggregate_state` says so: `ends_at` stays null. `starts_at` may be backdated by hand, so the
moment of speaking is the earliest update's `published_at`; only an automatic report speaks the moment it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.domain import Incident, PageState, StatusReading
from detector.errors import Hostile
from detector.status import fields, states
from detector.status.page import Page
from detector.transport.session import Session

INDEX = "/index.json"
_MAX_INCLUDED = 4000


class BetterStack(Page):
    """Reads one page."""

    async def read(self, *, now: datetime) -> StatusReading:
        """The page's state and its reports.

        Raises:
            TransportError: the document could not be fetched or is no JSON object.
        """
        document = await self._documents.json(self._base + INDEX)
        page = attributes(document.get("data")) if isinstance(document, Mapping) else None
        if not isinstance(document, Mapping) or page is None:
            raise Hostile(f"{self._base}{INDEX}: no page came; is it a status page of Better Stack?")
        by_type: dict[str, dict[str, Mapping[str, Any]]] = {}
        for each in fields.entries(document.get("included"), _MAX_INCLUDED):
            by_type.setdefault(fields.word(each.get("type")), {})[fields.key(each.get("id"))] = each
        reports = by_type.get("status_report", {})
        found = [made for ident, each in reports.items() if (made := self._incident(ident, each, by_type, now))]
        found.sort(key=lambda one: (one.first_posted_at, one.id))
        self._sightings.settle()
        word = fields.word(page.get("aggregate_state"))
        state = states.state_of(word) if states.impact(word) else PageState.UNKNOWN
        if state is PageState.OPERATIONAL:
            state = states.from_incidents(found, now)
        open_now = [one.title for one in found if one.resolved_at is None]
        description = open_now[-1] if open_now else fields.words(page.get("announcement")) or word
        if state is PageState.UNKNOWN:
            description = f"the page's aggregate_state {word!r} is missing or not known"
        return StatusReading(
            service=self._service,
            at=now,
            state=state,
            description=description[:500],
            incidents=(*found, *self._sightings.departed(found, now)),
        )

    def _incident(
        self, ident: str, report: Mapping[str, Any], by_type: Mapping[str, Mapping[str, Any]], now: datetime
    ) -> Incident | None:
        own = attributes(report)
        if own is None or not ident:
            return None
        seen_at = self._sightings.first(ident, now)
        said = []
        for mark in _linked(report, "status_updates"):
            update = attributes(by_type.get("status_update", {}).get(mark))
            at = fields.moment(update.get("published_at"), now) if update is not None else None
            if update is not None and at is not None:
                said.append((mark, at, _hit(update.get("affected_resources")), fields.words(update.get("message"))))
        updates = self._sightings.updates(ident, said, now)
        kind = fields.word(own.get("report_type"))
        starts = fields.moment(own.get("starts_at"), now)
        posted = updates[0].at if updates else (starts if kind == "automatic" and starts else seen_at)
        word = fields.word(own.get("aggregate_state"))
        ended = fields.moment(own.get("ends_at"), now)
        ended = None if ended == now else ended  # an end that lies ahead was cut to now
        over_at = ended
        if ended is None and word in {"resolved", "operational"}:
            over_at = updates[-1].at if updates else now
        planned = kind == "maintenance" or word == "maintenance"
        worst = states.impact(word) if word != "resolved" else _worst(own.get("affected_resources"))
        return Incident(
            service=self._service,
            id=ident,
            title=fields.title(own.get("title")),
            impact="maintenance" if planned else worst,
            first_posted_at=posted,
            first_seen_at=seen_at,
            stated_start=starts,
            resolved_at=over_at,
            updates=updates,
            components=_resources(own.get("affected_resources"), by_type.get("status_page_resource", {})),
            url=f"{self._base}/incident/{ident}",
            maintenance=planned,
        )


def attributes(value: object) -> Mapping[str, Any] | None:
    """The attributes of a JSON:API object, if it is one."""
    found = value.get("attributes") if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _linked(report: Mapping[str, Any], name: str) -> list[str]:
    relations = report.get("relationships")
    relation = relations.get(name) if isinstance(relations, Mapping) else None
    listed = relation.get("data") if isinstance(relation, Mapping) else None
    return [fields.key(each.get("id")) for each in fields.entries(listed)]


def _hit(value: object) -> str:
    """An update's own word: the worst of what it says of the resources; "resolved" only if it says so of all."""
    told = [fields.word(each.get("status")) for each in fields.entries(value)]
    if told and all(word in {"resolved", "operational"} for word in told):
        return "resolved"
    return next((word for word in ("downtime", "degraded", "maintenance") if word in told), "update")


def _worst(value: object) -> str | None:
    told = {fields.word(each.get("status")) for each in fields.entries(value)}
    return next((states.impact(word) for word in ("downtime", "degraded") if word in told), None)


def _resources(value: object, known: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for each in fields.entries(value):
        own = attributes(known.get(fields.key(each.get("status_page_resource_id"))))
        if own is not None and isinstance(own.get("public_name"), str):
            found.append(fields.words(own["public_name"])[:200])
    return tuple(dict.fromkeys(found))


def build(service: str, url: str, session: Session) -> BetterStack:
    """A reader of one page (entry point `detector.status: betterstack`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return BetterStack(service, url, session)
