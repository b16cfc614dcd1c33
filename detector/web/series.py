"""The chart of a service: people against expectation over an hour, a day, a week or a quarter of a year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.domain import MINUTE, Alert, Incident, format_time
from detector.notify.escape import plain
from detector.store.board import Bin
from detector.store.board import Board as Questions
from detector.web.expected import Expectations
from detector.web.shapes import Mark, Point, Series
from detector.web.sources import EVERYTHING, Piece, heard_pieces


@dataclass(frozen=True, slots=True)
class Range:
    """How far back, in what steps; `hourly` reads totals instead of posts."""

    back: timedelta
    step: timedelta
    hourly: bool
    words: str


RANGES = {
    "1h": Range(timedelta(hours=1), timedelta(minutes=2), False, "last hour"),
    "24h": Range(timedelta(hours=24), timedelta(minutes=15), False, "last 24 hours"),
    "7d": Range(timedelta(days=7), timedelta(hours=1), True, "last 7 days"),
    "90d": Range(timedelta(days=90), timedelta(hours=6), True, "last 90 days"),
}
DEFAULT_RANGE = "24h"


def look(
    ask: Questions,
    expect: Expectations,
    service: str,
    name: str,
    now: datetime,
    *,
    alerts: Sequence[Alert],
    incidents: Sequence[Incident],
) -> Series:
    """Points and marks of the range called `name`."""
    chosen = RANGES[name]
    start, end = bounds(now, chosen)
    if chosen.hourly:
        bins = ask.hourly(service, since=start, until=end)
    else:
        bins = ask.bins(service, since=start, until=end, step=chosen.step)
    spans = [span for span in ask.read.coverage(since=start) if span.source != EVERYTHING]
    heard = heard_pieces(spans, start, end)
    return Series(
        service=service,
        range=name,
        step_minutes=int(chosen.step / MINUTE),
        points=_points(service, bins, expect, heard, start, end, chosen.step),
        marks=_marks(alerts, incidents, start, end),
    )


def bounds(now: datetime, chosen: Range) -> tuple[datetime, datetime]:
    """The first and the last moment shown, at multiples of the step.

    >>> from detector.domain import parse_time
    >>> [f"{at:%d %H:%M}" for at in bounds(parse_time("2026-03-02T12:05:00Z"), RANGES["24h"])]
    ['01 12:15', '02 12:15']
    """
    midnight = datetime(now.year, now.month, now.day, tzinfo=now.tzinfo)
    end = now - (now - midnight) % chosen.step + chosen.step
    return end - chosen.back, end


def _points(
    service: str,
    bins: Sequence[Bin],
    expect: Expectations,
    heard: Sequence[Piece],
    start: datetime,
    end: datetime,
    step: timedelta,
) -> list[Point]:
    counts: dict[int, int] = {}
    for each in bins:
        number = int((each.at - start) / step)
        counts[number] = counts.get(number, 0) + each.people
    covered = _covered(heard, start, step)
    found = []
    for number in range(int((end - start) / step)):
        at = start + number * step
        band = expect.between(service, at, at + step)
        # Nobody heard and nobody counted: that is unknown, not zero.
        people = counts.get(number, 0 if number in covered else None)
        found.append(
            Point(
                at=format_time(at),
                people=people,
                expected=None if band is None else round(band.mean, 3),
                low=None if band is None else round(band.low, 3),
                high=None if band is None else round(band.high, 3),
            )
        )
    return found


def _covered(heard: Sequence[Piece], start: datetime, step: timedelta) -> set[int]:
    found: set[int] = set()
    for begin, until in heard:
        found.update(range(int((begin - start) / step), int((until - start - timedelta(microseconds=1)) / step) + 1))
    return found


def _marks(alerts: Sequence[Alert], incidents: Sequence[Incident], start: datetime, end: datetime) -> list[Mark]:
    found: list[tuple[datetime, Mark]] = []

    def add(at: datetime | None, kind: str, text: str, alert: str | None = None) -> None:
        if at is not None and start <= at <= end:
            found.append((at, Mark(at=format_time(at), kind=kind, text=text, alert=alert)))

    for alert in alerts:
        if alert.fired_at is None:
            continue
        add(alert.onset_at, "onset", "complaints begin (inferred)", alert.key)
        add(alert.fired_at, "alert", f"we alert ({alert.level.value})", alert.key)
        add(alert.ended_at, "resolved", "over, by what people say", alert.key)
    for incident in incidents:
        title = plain(incident.title, limit=120)
        add(incident.first_posted_at, "official", f"official page: {title}")
        add(incident.resolved_at, "official", f"official page: resolved: {title}")
    return [mark for _, mark in sorted(found, key=lambda pair: pair[0])]
