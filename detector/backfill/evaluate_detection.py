"""How good were the alerts of a replay: hits, delays, leads and false ones, each with what chance alone would give.

A burst is a true outage with an onset and an end (a list of {"onset", "end"}, as `detector simulate` writes); an
outage of the official record has a first post instead. A burst is found by an alert from 20 minutes before its onset to
its end, or by one that was opened up to 12 hours before and is still open; an older one finds nothing. An alert within
an hour of a burst is not held against us.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, sqrt
from statistics import median
from typing import Any

from detector.backfill.pairing import BEFORE, Outage

MINUTE = timedelta(minutes=1)
MONTH_HOURS = 730.0
EARLY = 20 * MINUTE  # the burst's onset is that of the counts' bin; people may have been quicker
NEAR = 60 * MINUTE
STALE = 720 * MINUTE
_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An alert from `start`, when it said so, to `end`; None is still open."""

    start: datetime
    end: datetime | None
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A true outage; without a service it is any alert's."""

    onset: datetime
    end: datetime
    service: str = ""


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, JASA 1927); (0, 1) of nothing.

    >>> [round(x, 3) for x in wilson(9, 10)], wilson(0, 0)
    ([0.596, 0.982], (0.0, 1.0))
    """
    if of == 0:
        return 0.0, 1.0
    share, z2 = hits / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def poisson_interval(count: int) -> tuple[float, float]:
    """The exact 95 % interval of a Poisson mean given its count (Garwood, Biometrika 1936).

    >>> [round(x, 2) for x in poisson_interval(3)], [round(x, 2) for x in poisson_interval(0)]
    ([0.62, 8.77], [0.0, 3.69])
    """
    low = 0.0 if count == 0 else _bisect(lambda mean: 1.0 - _below(count - 1, mean), 0.025, count + 1.0)
    high = _bisect(lambda mean: 1.0 - _below(count, mean), 0.975, 2.0 * count + 20.0)
    return low, high


def _below(count: int, mean: float) -> float:
    """P[X <= count] for a Poisson X."""
    if mean > 700.0:
        from scipy.stats import poisson

        return float(poisson.cdf(count, mean))
    term = total = exp(-mean)
    for k in range(1, count + 1):
        term *= mean / k
        total += term
    return total


def _bisect(rising: Any, goal: float, high: float) -> float:
    low = 0.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < goal else (low, middle)
    return (low + high) / 2


def against_bursts(alerts: Sequence[Span], bursts: Sequence[Burst], months: float) -> dict[str, Any]:
    """Score alerts against true outages over so many service-months.

    >>> from detector.domain import parse_time
    >>> t = lambda minute: parse_time(f"2026-01-01T12:{minute:02}")
    >>> found = against_bursts([Span(start=t(4), end=t(40))], [Burst(onset=t(0), end=t(30))], 1.0)
    >>> found["recall"], found["delay_median"], found["unmatched"]
    (1.0, 4.0, 0)
    """
    alerts = sorted(alerts, key=lambda span: span.start)
    delays: list[float] = []
    near: set[int] = set()
    for burst in bursts:
        own = [(i, span) for i, span in enumerate(alerts) if burst.service in {"", span.service}]
        near |= {i for i, span in own if burst.onset - NEAR <= span.start <= burst.end + NEAR}
        first = next((span for _, span in own if burst.onset - EARLY <= span.start <= burst.end), None)
        if first is not None:
            delays.append(max(0.0, (first.start - burst.onset) / MINUTE))
        elif any(_held(span, burst.onset) for _, span in own):
            delays.append(0.0)
    unmatched = len(alerts) - len(near)
    low, high = wilson(len(delays), len(bursts))
    few, many = poisson_interval(unmatched)
    return {
        "bursts": len(bursts),
        "detected": len(delays),
        "recall": round(len(delays) / len(bursts), 4) if bursts else None,
        "recall_95": [round(low, 4), round(high, 4)] if bursts else None,
        "delay_median": round(median(delays), 1) if delays else None,
        "delay_p90": round(sorted(delays)[int(0.9 * (len(delays) - 1))], 1) if delays else None,
        "alerts": len(alerts),
        "unmatched": unmatched,
        "unmatched_per_month": round(unmatched / months, 3),
        "unmatched_per_month_95": [round(few / months, 3), round(many / months, 3)],
        "chance_recall": _chance_recall(bursts, len(alerts), months),
        "chance_hit": _chance(alerts, [(b.service, b.onset - NEAR, b.end + NEAR) for b in bursts], months),
        **_shares(alerts, bursts, months),
    }


def against_record(alerts: Sequence[Span], record: Iterable[Outage], months: float) -> dict[str, Any]:
    """Score alerts against the official record: leads are first official post minus alert, in minutes."""
    outages = list(record)
    leads: list[float] = []
    matched: set[int] = set()
    for outage in outages:
        inside = [
            i
            for i, span in enumerate(alerts)
            if span.service == outage.service and outage.posted_at - BEFORE <= span.start <= outage.ended_at
        ]
        matched.update(inside)
        if inside:
            leads.append((outage.posted_at - min(alerts[i].start for i in inside)) / MINUTE)
    low, high = wilson(len(leads), len(outages))
    few, many = poisson_interval(len(alerts) - len(matched))
    return {
        "outages": len(outages),
        "detected": len(leads),
        "recall": round(len(leads) / len(outages), 4) if outages else None,
        "recall_95": [round(low, 4), round(high, 4)] if outages else None,
        "lead_median": round(median(leads), 1) if leads else None,
        "ahead": sum(lead > 0 for lead in leads),
        "unmatched": len(alerts) - len(matched),
        "unmatched_per_month_95": [round(few / months, 3), round(many / months, 3)],
        "chance_hit": _chance(alerts, [(o.service, o.posted_at - BEFORE, o.ended_at) for o in outages], months),
    }


def _held(span: Span, onset: datetime) -> bool:
    return onset - STALE <= span.start < onset - EARLY and (span.end is None or span.end > onset)


def _shares(alerts: Sequence[Span], bursts: Sequence[Burst], months: float) -> dict[str, float]:
    """Shares of the time with an open alert and with a burst; an alert without an end lasts to the last burst's."""
    hour = 60 * MINUTE
    burst = sum((b.end - b.onset) / hour for b in bursts)
    last = max((b.end for b in bursts), default=None)
    opened = sum(((span.end or max(last or span.start, span.start)) - span.start) / hour for span in alerts)
    return {
        "open_share": round(opened / (months * MONTH_HOURS), 4),
        "burst_share": round(burst / (months * MONTH_HOURS), 4),
    }


def _chance_recall(bursts: Sequence[Burst], alerts: int, months: float) -> float | None:
    """The recall of as many alerts thrown at random."""
    if not bursts:
        return None
    total = months * MONTH_HOURS
    missed = [(1.0 - min(1.0, (b.end - b.onset + EARLY) / MINUTE / 60 / total)) ** alerts for b in bursts]
    return round(1.0 - sum(missed) / len(missed), 4)


def _chance(alerts: Sequence[Span], spans: Sequence[tuple[str, datetime, datetime]], months: float) -> float | None:
    """The share of the alerts that would fall into `spans` of their service if thrown at random over the replay."""
    if not alerts:
        return None
    named = {span.service for span in alerts} | {service for service, _, _ in spans if service}
    hours = months * MONTH_HOURS / len(named)
    share = {
        name: min(1.0, _covered((start, end) for service, start, end in spans if service in {"", name}) / hours)
        for name in named
    }
    return round(sum(share[span.service] for span in alerts) / len(alerts), 4)


def _covered(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Hours in the union of spans."""
    total, until = timedelta(0), None
    for start, end in sorted(spans):
        begin = start if until is None else max(start, until)
        if end > begin:
            total += end - begin
            until = end
    return total / (60 * MINUTE)
