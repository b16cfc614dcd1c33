"""Atlassian Statuspage, and pages that speak its JSON (incident.io): `summary.json` and `incidents.json`.

The summary drops an incident the moment it is resolved, so the history is read too. Times are those of the updates'
`created_at`, never `display_at`, `started_at` or `updated_at`, which are edited afterwards; and we note when we
ourselves first saw each incident and update. A page we cannot read raises; one that lacks a key is `unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.domain import Incident, IncidentUpdate, PageState, StatusReading, parse_time
from detector.errors import Hostile, TransportError
from detector.transport.guard import parse_target
from detector.transport.plaintext import cut, plain
from detector.transport.session import Session

_INDICATORS = {
    "none": PageState.OPERATIONAL,
    "minor": PageState.DEGRADED,
    "major": PageState.OUTAGE,
    "critical": PageState.OUTAGE,
    "maintenance": PageState.MAINTENANCE,
}
_OVER = {"resolved", "postmortem", "completed"}
_PLANNED = {"scheduled", "in_progress", "verifying", "completed"}
_MAX_INCIDENTS = 200
_MAX_UPDATES = 200
_MAX_TEXT = 4000


class Statuspage:
    """Reads one page.

    Args:
        service: the slug.
        url: the page as people open it; any path under it will do.
        session: fetches; not closed here.
    """

    def __init__(self, service: str, url: str, session: Session) -> None:
        self._service = service
        target = parse_target(url)
        self._base = f"{target.scheme}://{target.netloc}"
        self._session = session
        self._first_seen: dict[str, datetime] = {}

    @property
    def service(self) -> str:
        """The slug."""
        return self._service

    @property
    def url(self) -> str:
        """The page people can open."""
        return self._base

    async def read(self, *, now: datetime) -> StatusReading:
        """The page's state and incidents; maintenances are among them, marked.

        Raises:
            TransportError: the summary could not be fetched or is no JSON (an HTML challenge sent with status 200).
        """
        summary = (await self._session.get(f"{self._base}/api/v2/summary.json")).json()
        if not isinstance(summary, Mapping):
            raise Hostile(f"{self._base}/api/v2/summary.json: no JSON object came; is it a Statuspage?")
        state, description = _state(summary)
        lists = [(summary.get("incidents"), False), (summary.get("scheduled_maintenances"), True)]
        try:
            history = (await self._session.get(f"{self._base}/api/v2/incidents.json")).json()
            lists.append((history.get("incidents") if isinstance(history, Mapping) else None, False))
        except TransportError as error:
            # The page's state is known all the same; resolved incidents come with a later reading.
            description = f"{description} (history not read: {error})"[:_MAX_TEXT]
        incidents: dict[str, Incident] = {}
        seen: dict[str, datetime] = {}
        for entries, planned in lists:
            for entry in _entries(entries):
                made = self._incident(entry, planned, seen, now)
                kept = incidents.get(made.id) if made is not None else None
                if made is not None and (kept is None or len(made.updates) > len(kept.updates)):
                    incidents[made.id] = made
        self._first_seen = {**self._first_seen, **seen} if len(self._first_seen) < 20_000 else seen
        ordered = sorted(incidents.values(), key=lambda one: (one.first_posted_at, one.id))
        if state is PageState.OPERATIONAL:
            # Only what the summary itself lists as open: pages keep forgotten incidents in their history.
            listed = {entry.get("id") for entries, _ in lists[:2] for entry in _entries(entries)}
            state = _corrected([one for one in ordered if one.id in listed])
        return StatusReading(
            service=self._service, at=now, state=state, description=description, incidents=tuple(ordered)
        )

    def _incident(
        self, entry: Mapping[str, Any], planned: bool, seen: dict[str, datetime], now: datetime
    ) -> Incident | None:
        given = entry.get("id")
        if not isinstance(given, str) or not given:
            return None
        first_seen_at = seen[given] = self._first_seen.get(given, now)
        updates = []
        raw = entry.get("incident_updates")
        for number, update in enumerate(raw[:_MAX_UPDATES] if isinstance(raw, list) else ()):
            if not isinstance(update, Mapping):
                continue
            at = _time(update.get("created_at"), now)
            if at is None:
                continue
            mark = f"{given}/{update.get('id') or number}"
            seen[mark] = self._first_seen.get(mark, now)
            updates.append(
                IncidentUpdate(
                    at=at,
                    status=_word(update.get("status")),
                    text=cut(plain(_text(update.get("body"))), _MAX_TEXT),
                    first_seen_at=seen[mark],
                )
            )
        updates.sort(key=lambda update: update.at)
        # Without a dated update or a creation time the page tells no moment of speaking; ours stands in.
        posted = updates[0].at if updates else _time(entry.get("created_at"), now) or first_seen_at
        status = _word(entry.get("status"))
        resolved = next((update.at for update in reversed(updates) if update.status in _OVER), None)
        if resolved is None and status in _OVER:
            resolved = _time(entry.get("resolved_at"), now) or now
        impact = _word(entry.get("impact")) or None
        return Incident(
            service=self._service,
            id=given,
            title=plain(_text(entry.get("name")))[:500] or "(untitled)",
            impact=impact,
            first_posted_at=posted,
            first_seen_at=first_seen_at,
            stated_start=_time(entry.get("started_at"), now),
            resolved_at=resolved if status in _OVER else None,
            updates=tuple(updates),
            components=_components(entry.get("components")),
            url=_link(entry.get("shortlink"), f"{self._base}/incidents/{given}"),
            maintenance=planned or impact == "maintenance" or status in _PLANNED,
        )


def build(service: str, url: str, session: Session) -> Statuspage:
    """A reader of one page (entry point `detector.status: statuspage`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return Statuspage(service, url, session)


def _entries(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; incident.io leaves `incidents` out when there are none."""
    return [entry for entry in value[:_MAX_INCIDENTS] if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _state(summary: Mapping[str, Any]) -> tuple[PageState, str]:
    status = summary.get("status")
    if not isinstance(status, Mapping) or "indicator" not in status:
        return PageState.UNKNOWN, "the page's summary has no status.indicator"
    indicator = status["indicator"]
    description = plain(_text(status.get("description")))[:500]
    if not isinstance(indicator, str) or indicator not in _INDICATORS:
        return PageState.UNKNOWN, f"the page's indicator {str(indicator)[:40]!r} is not known ({description})"
    return _INDICATORS[indicator], description


def _corrected(incidents: list[Incident]) -> PageState:
    """What an "all operational" page is really saying: an open incident counts, whatever its banner shows."""
    open_now = [one for one in incidents if one.resolved_at is None]
    worst = {one.impact for one in open_now if not one.maintenance}
    if worst & {"major", "critical"}:
        return PageState.OUTAGE
    if "minor" in worst:
        return PageState.DEGRADED
    running = any(
        one.maintenance and one.updates and one.updates[-1].status in {"in_progress", "verifying"} for one in open_now
    )
    return PageState.MAINTENANCE if running else PageState.OPERATIONAL


def _time(value: object, now: datetime) -> datetime | None:
    """A time of the page, never after our own (their clock may run ahead; plans lie ahead and are cut too)."""
    if not isinstance(value, str):
        return None
    try:
        return min(parse_time(value), now)
    except (ValueError, OverflowError):
        return None


def _components(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    names = (entry.get("name") for entry in value if isinstance(entry, Mapping))
    return tuple(plain(name)[:200] for name in names if isinstance(name, str))


def _text(value: object) -> str:
    return value[: 4 * _MAX_TEXT] if isinstance(value, str) else ""


def _word(value: object) -> str:
    return value.strip().lower()[:40] if isinstance(value, str) else ""


def _link(value: object, otherwise: str) -> str:
    return value[:500] if isinstance(value, str) and value.startswith(("https://", "http://")) else otherwise
