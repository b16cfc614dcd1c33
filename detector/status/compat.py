"""Statuspage's JSON as values: Atlassian's pages speak it, and incident.io's imitate it.

Times are those of the updates' `created_at`, never `display_at`, `started_at` or `updated_at`, which are edited
afterwards. incident.io leaves `incidents` out (or null) when all is well and tells no creation time in its summary;
there the id, a ULID, holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from detector.domain import Incident, PageState
from detector.status import fields, states
from detector.status.sightings import Sightings

_MAX_UPDATES = 200
_INDICATORS = frozenset({"none", "minor", "major", "critical", "maintenance"})
Listed = tuple[object, bool]


def page_state(summary: Mapping[str, Any]) -> tuple[PageState, str]:
    """The banner's state and words; `unknown`, with the reason, where the summary lacks them.

    >>> page_state({"status": {"indicator": "none", "description": "All Systems Operational"}})[0].value
    'operational'
    >>> page_state({"page": {}})
    (<PageState.UNKNOWN: 'unknown'>, "the page's summary has no status.indicator")
    """
    status = summary.get("status")
    if not isinstance(status, Mapping) or "indicator" not in status:
        return PageState.UNKNOWN, "the page's summary has no status.indicator"
    indicator = status["indicator"]
    description = fields.words(status.get("description"))[:500]
    if not isinstance(indicator, str) or indicator not in _INDICATORS:
        return PageState.UNKNOWN, f"the page's indicator {str(indicator)[:40]!r} is not known ({description})"
    return states.state_of(indicator), description


def incidents(
    lists: Iterable[Listed], *, service: str, base: str, sightings: Sightings, now: datetime
) -> list[Incident]:
    """The incidents of several lists, each once (the fullest), in order of their first post.

    Args:
        lists: pairs of a list as it came and whether it holds planned work.
        base: the page's address, for entries without a link.
    """
    found: dict[str, Incident] = {}
    for listed, planned in lists:
        for entry in fields.entries(listed):
            made = _incident(entry, planned, service, base, sightings, now)
            kept = found.get(made.id) if made is not None else None
            if made is not None and (kept is None or len(made.updates) > len(kept.updates)):
                found[made.id] = made
    return sorted(found.values(), key=lambda one: (one.first_posted_at, one.id))


def corrected(state: PageState, listed: Iterable[Incident]) -> PageState:
    """What an "all operational" page is really saying: an open incident counts, whatever its banner shows."""
    if state is not PageState.OPERATIONAL:
        return state
    open_now = [one for one in listed if one.resolved_at is None]
    worst = {one.impact for one in open_now if not one.maintenance}
    if worst & {"major", "critical"}:
        return PageState.OUTAGE
    if "minor" in worst:
        return PageState.DEGRADED
    running = any(one.maintenance and one.updates and one.updates[-1].status in states.RUNNING for one in open_now)
    return PageState.MAINTENANCE if running else PageState.OPERATIONAL


def ids(*lists: object) -> set[str]:
    """The ids of the entries of several lists."""
    return {str(entry.get("id")) for listed in lists for entry in fields.entries(listed)}


def _incident(
    entry: Mapping[str, Any], planned: bool, service: str, base: str, sightings: Sightings, now: datetime
) -> Incident | None:
    given = entry.get("id")
    if not isinstance(given, str) or not given:
        return None
    first_seen_at = sightings.first(given, now)
    raw = entry.get("incident_updates")
    updates = sightings.updates(given, _updates(raw[:_MAX_UPDATES] if isinstance(raw, list) else [], now), now)
    # Without a dated update or a creation time the id may tell the moment of speaking; else ours stands in.
    posted = (
        updates[0].at
        if updates
        else fields.moment(entry.get("created_at"), now) or fields.ulid_time(given, now) or first_seen_at
    )
    status = fields.word(entry.get("status"))
    resolved = states.closed_at((update.at, update.status) for update in updates)
    if resolved is None and status in states.OVER:
        resolved = fields.moment(entry.get("resolved_at"), now) or now
    impact = fields.word(entry.get("impact")) or None
    return Incident(
        service=service,
        id=given,
        title=fields.title(entry.get("name")),
        impact=impact,
        first_posted_at=posted,
        first_seen_at=first_seen_at,
        stated_start=fields.moment(entry.get("started_at"), now),
        resolved_at=resolved if status in states.OVER else None,
        updates=updates,
        components=fields.names(entry.get("components")),
        url=fields.link(entry.get("shortlink"), f"{base}/incidents/{given}"),
        maintenance=planned or impact == "maintenance" or status in states.PLANNED,
    )


def _updates(raw: list[Any], now: datetime) -> Iterable[tuple[str, datetime, str, str]]:
    for number, update in enumerate(raw):
        if not isinstance(update, Mapping):
            continue
        # incident.io's imitation has `display_at` alone; there it is the time of posting.
        said = update.get("created_at") if "created_at" in update else update.get("display_at")
        at = fields.moment(said, now)
        if at is not None:
            mark = str(update.get("id") or number)
            yield mark, at, fields.word(update.get("status")), fields.words(update.get("body"))
