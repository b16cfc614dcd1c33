"""Slack's own status API: `current` for what is open, `history` for what is over. Times carry an offset."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.domain import Incident, PageState, StatusReading
from detector.errors import Hostile, TransportError
from detector.status import fields, states
from detector.status.page import Page
from detector.transport.session import Session

CURRENT, HISTORY = "/api/v2.0.0/current", "/api/v2.0.0/history"
_IMPACTS = {"outage": "major", "incident": "minor", "notice": "none", "maintenance": "maintenance"}


class SlackStatus(Page):
    """Reads Slack's page."""

    async def read(self, *, now: datetime) -> StatusReading:
        """The state and the incidents, open ones and those of the history.

        Raises:
            TransportError: what is going on now could not be read.
        """
        current = await self._documents.json(self._base + CURRENT)
        if not isinstance(current, Mapping):
            raise Hostile(f"{self._base}{CURRENT}: no JSON object came; is it Slack's status page?")
        description = ""
        past: object = None
        try:
            past = await self._documents.json(self._base + HISTORY)
        except TransportError as error:
            description = f" (history not read: {error})"
        open_now = current.get("active_incidents")
        found: dict[str, Incident] = {}
        for entry in [*fields.entries(open_now), *fields.entries(past)]:
            made = self._incident(entry, now)
            if made is not None:
                found.setdefault(made.id, made)
        self._sightings.settle()
        state, said = _state(current, [one for one in found.values() if one.id in ids_of(open_now)], now)
        ordered = sorted(found.values(), key=lambda one: (one.first_posted_at, one.id))
        ordered += self._sightings.departed(ordered, now)
        return StatusReading(
            service=self._service,
            at=now,
            state=state,
            description=f"{said}{description}"[: fields.MAX_TEXT],
            incidents=tuple(ordered),
        )

    def _incident(self, entry: Mapping[str, Any], now: datetime) -> Incident | None:
        ident = fields.key(entry.get("id"))
        if not ident:
            return None
        seen_at = self._sightings.first(ident, now)
        status = fields.word(entry.get("status"))
        notes = [
            (str(at), at, "note", fields.words(note.get("body")))
            for note in fields.entries(entry.get("notes"))
            if (at := fields.moment(note.get("date_created"), now)) is not None
        ]
        created = fields.moment(entry.get("date_created"), now)
        updates = self._sightings.updates(ident, notes, now)
        posted = min([update.at for update in updates] + ([created] if created else []), default=seen_at)
        over_at = None
        if status in states.OVER:
            over_at = fields.moment(entry.get("date_updated"), now) or (updates[-1].at if updates else now)
        kind = fields.word(entry.get("type"))
        return Incident(
            service=self._service,
            id=ident,
            title=fields.title(entry.get("title")),
            impact=_IMPACTS.get(kind, "minor"),
            first_posted_at=posted,
            first_seen_at=seen_at,
            resolved_at=over_at,
            updates=updates,
            components=_services(entry.get("services")),
            url=fields.link(entry.get("url"), self._base),
            maintenance=kind == "maintenance" or status in {"scheduled", "completed"},
        )


def ids_of(listed: object) -> set[str]:
    """The ids of a list of incidents, as texts."""
    return {fields.key(entry.get("id")) for entry in fields.entries(listed)}


def _state(current: Mapping[str, Any], listed: list[Incident], now: datetime) -> tuple[PageState, str]:
    status = fields.word(current.get("status"))
    if status not in {"ok", "active"} or not isinstance(current.get("active_incidents"), list):
        return PageState.UNKNOWN, f"the page's status {status!r} is not known or its active_incidents are missing"
    state = states.from_incidents(listed, now)
    if status == "active" and not listed:
        return PageState.UNKNOWN, "the page says that something is going on, but not what"
    return state, listed[0].title if listed else "no active incident"


def _services(value: object) -> tuple[str, ...]:
    return tuple(each[:200] for each in value[:100] if isinstance(each, str)) if isinstance(value, list) else ()


def build(service: str, url: str, session: Session) -> SlackStatus:
    """A reader of Slack's page (entry point `detector.status: slack`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return SlackStatus(service, url, session)
