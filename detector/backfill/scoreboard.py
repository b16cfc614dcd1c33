"""The counts of `summary.json`: how many alerts, how early, and how much of it chance alone would have given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from detector.backfill.pairing import BEFORE, Outage
from detector.backfill.replay import Replayed
from detector.domain import Alert, Level, Pairing, Verdict

MONTH = timedelta(days=30.4375)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value at `share` of the sorted sample, linear between neighbours; None for an empty one.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([], 0.5)
    (2.5, None)
    """
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 2)


def eligible(record: Iterable[Outage], replayed: Replayed, services: Iterable[str]) -> list[Outage]:
    """The outages that the archive could have shown: posted within it, of a service that somebody named in it."""
    if replayed.first_at is None or replayed.last_at is None:
        return []
    watched = set(services)
    return [
        outage
        for outage in record
        if outage.service in watched
        and replayed.mentioned[outage.service]
        and replayed.first_at <= outage.posted_at <= replayed.last_at
    ]


def chance_share(record: Iterable[Outage], first: datetime, last: datetime) -> float:
    """The share of [first, last] that lies within an hour before an outage's first post and its end."""
    spans = sorted(
        (max(outage.posted_at - BEFORE, first), min(outage.ended_at, last))
        for outage in record
        if outage.ended_at > first and outage.posted_at - BEFORE < last
    )
    covered, until = timedelta(0), first
    for start, end in spans:
        if end > until:
            covered += end - max(start, until)
            until = end
    return covered / (last - first) if last > first else 0.0


def summary(
    replayed: Replayed,
    alerts: Sequence[Alert],
    pairings: Sequence[Pairing],
    record: Sequence[Outage],
    *,
    services: Sequence[str],
    bad_lines: Mapping[str, int],
    assumptions: Sequence[str],
) -> dict[str, Any]:
    """The scoreboard, with the fields of DESIGN section 6."""
    first, last = replayed.first_at, replayed.last_at
    months = (last - first) / MONTH if first and last else 0.0
    named = sorted(service for service in services if replayed.mentioned[service])
    fired = [alert for alert in alerts if alert.level is not Level.WATCH]
    official = {outage.service for outage in record}
    checked = [alert for alert in fired if alert.service in official]
    unmatched = {pairing.alert_key for pairing in pairings if pairing.verdict is Verdict.UNMATCHED}
    found = [pairing for pairing in pairings if pairing.incident and pairing.alert_key]
    leads = [pairing.lead / timedelta(minutes=1) for pairing in found if pairing.lead is not None]
    delays = _delays(record, alerts, pairings)
    chance = 0.0
    if first and last and checked:
        shares = {service: _share(record, service, first, last) for service in official}
        chance = sum(shares[alert.service] for alert in checked) / len(checked)
    total = sum(replayed.seconds.values())
    return {
        "posts": replayed.posts,
        "mentions": replayed.mentions,
        "complaints": replayed.complaints,
        "services": len(named),
        "service_months": round(months * len(named), 2),
        "from": first.isoformat().replace("+00:00", "Z") if first else None,
        "to": last.isoformat().replace("+00:00", "Z") if last else None,
        "alerts": {level.value: Counter(alert.level for alert in alerts)[level] for level in Level},
        "alerts_per_service_month": round(len(fired) / (months * len(named)), 5) if months and named else None,
        "incidents": sum(len(outage.incidents) for outage in record),
        "eligible": len(record),
        "detected": len(found),
        "recall": round(len(found) / len(record), 4) if record else None,
        "precision_official": (
            round(sum(alert.key not in unmatched for alert in checked) / len(checked), 4) if checked else None
        ),
        "chance_hit_rate": round(chance, 4) if checked else None,
        "lead_minutes": {
            "median": round(median(leads), 2) if leads else None,
            "p10": quantile(leads, 0.1),
            "p90": quantile(leads, 0.9),
            "positive_share": round(sum(lead > 0 for lead in leads) / len(leads), 4) if leads else None,
        },
        "delay_minutes": {
            "median": round(median(delays), 2) if delays else None,
            "p10": quantile(delays, 0.1),
            "p90": quantile(delays, 0.9),
        },
        "seconds": {
            **{stage: round(replayed.seconds[stage], 3) for stage in ("read", "match", "classify", "detect")},
            "total": round(total, 3),
        },
        "bad_lines": dict(bad_lines),
        "assumptions": list(assumptions),
    }


def _share(record: Sequence[Outage], service: str, first: datetime, last: datetime) -> float:
    return chance_share((outage for outage in record if outage.service == service), first, last)


def _delays(record: Sequence[Outage], alerts: Sequence[Alert], pairings: Sequence[Pairing]) -> list[float]:
    """Minutes from the start that the provider stated (in hindsight) to our alert, where it stated one."""
    fired = {alert.key: alert.fired_at for alert in alerts}
    starts = {(outage.service, outage.first.id): outage.stated_start for outage in record}
    delays = []
    for pairing in pairings:
        if pairing.incident is None or pairing.alert_key is None:
            continue
        start, at = starts.get((pairing.service, pairing.incident.id)), fired[pairing.alert_key]
        if start is not None and at is not None:
            delays.append((at - start) / timedelta(minutes=1))
    return delays
