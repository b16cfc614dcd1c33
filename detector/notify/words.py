"""Figures and moments in the words a person uses. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

from detector.domain import Estimate, Official, PageState

_DAYS_A_MONTH = 30.4375
_LONGEST_YEARS = 1000


def return_period_words(months: float) -> str:
    """How rare such a cluster is, for a reader who knows no statistics.

    Args:
        months: by chance once in so many months (`Estimate.return_period_months`).

    >>> return_period_words(14.2)
    'by chance once in 14 months at this hour'
    >>> return_period_words(0.1)
    'by chance once in 3 days at this hour'
    >>> return_period_words(1.0)
    'by chance once a month at this hour'
    >>> return_period_words(36)
    'by chance once in 3 years at this hour'
    >>> return_period_words(float("inf"))
    'by chance less than once in 1,000 years at this hour'
    >>> return_period_words(0.0)
    'by chance more than once an hour'
    """
    if math.isnan(months):
        return "how often by chance is not known"
    hours = months * _DAYS_A_MONTH * 24
    if hours < 1:
        return "by chance more than once an hour"
    if months > 12 * _LONGEST_YEARS:
        return f"by chance less than once in {_LONGEST_YEARS:,} years at this hour"
    for size, unit, upto in ((1, "hour", 24), (24, "day", 30), (24 * _DAYS_A_MONTH, "month", 24)):
        count = round(hours / size)
        if count < upto:
            return f"by chance {_once(count, unit)} at this hour"
    return f"by chance {_once(round(months / 12), 'year')} at this hour"


def _once(count: int, unit: str) -> str:
    if count <= 1:
        return f"once {'an' if unit == 'hour' else 'a'} {unit}"
    return f"once in {count:,} {unit}s"


def number_words(value: float) -> str:
    """A figure with no more digits than it deserves.

    >>> number_words(5.26), number_words(0.034), number_words(5.0), number_words(1234.5)
    ('5.3', '0.03', '5', '1,234')
    """
    if not math.isfinite(value):
        return "very many" if value > 0 else "unknown"
    if value >= 10:
        return f"{value:,.0f}"
    text = f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".") or "0"


def duration_words(span: timedelta) -> str:
    """A span in the two units that matter.

    >>> [duration_words(timedelta(minutes=minutes)) for minutes in (34, 125, 4320)]
    ['34 min', '2 h 5 min', '3 days']
    """
    minutes = max(round(span.total_seconds() / 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} days"


def clock_words(at: datetime, zone: tzinfo, *, beside: datetime | None = None) -> str:
    """The hour and minute; with the date where that differs from the day of `beside`.

    >>> from datetime import UTC
    >>> clock_words(datetime(2026, 3, 2, 12, 5, tzinfo=UTC), UTC)
    '12:05'
    >>> clock_words(datetime(2026, 3, 2, 12, 5, tzinfo=UTC), UTC, beside=datetime(2026, 3, 4, tzinfo=UTC))
    '2 Mar 12:05'
    """
    local = at.astimezone(zone)
    if beside is not None and local.date() != beside.astimezone(zone).date():
        return f"{local.day} {_MONTHS[local.month - 1]} {local:%H:%M}"
    return f"{local:%H:%M}"


def moment_words(at: datetime, zone: tzinfo) -> str:
    """Date, hour and minute in a zone, with its name at that time of the year.

    >>> from datetime import UTC
    >>> moment_words(datetime(2026, 3, 2, 12, 5, tzinfo=UTC), UTC)
    '2026-03-02 12:05 UTC'
    """
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def people_words(estimate: Estimate) -> str:
    """People against expectation.

    >>> from detector.domain import EPOCH
    >>> people_words(Estimate(service="claude", at=EPOCH, onset=EPOCH, people=5.2, expected=0.2, ratio=26,
    ...     return_period_months=14, score=8, window_minutes=3.1, voters=6))
    '6 people in 3 min, 0.2 expected'
    """
    people = number_words(estimate.voters or estimate.people)
    window = duration_words(timedelta(minutes=max(estimate.window_minutes, 1)))
    return (
        f"{people} {'person' if people == '1' else 'people'} in {window}, {expected_words(estimate.expected)} expected"
    )


def expected_words(expected: float) -> str:
    """What is usual: never a bare 0, for nothing is impossible.

    >>> expected_words(0.0004), expected_words(3.0)
    ('under 0.1', '3')
    """
    return "under 0.1" if expected < 0.1 else number_words(expected)


def source_words(sources: Sequence[tuple[str, float]], *, most: int = 4) -> str:
    """Where the people spoke, largest first.

    >>> source_words([("hackernews", 3.2), ("bluesky", 2.0)])
    'hackernews 3.2, bluesky 2'
    """
    named = [f"{source} {number_words(people)}" for source, people in sources[:most]]
    if len(sources) > most:
        named.append(f"{len(sources) - most} more")
    return ", ".join(named) or "unknown"


_PAGE = {
    PageState.OPERATIONAL: "all operational",
    PageState.DEGRADED: "degraded",
    PageState.OUTAGE: "outage",
    PageState.MAINTENANCE: "maintenance",
    PageState.UNKNOWN: "unknown: page unreachable",
}


def official_words(official: Official | None, zone: tzinfo, *, beside: datetime) -> str:
    """What the provider's page says, in one phrase.

    >>> from datetime import UTC
    >>> from detector.domain import EPOCH
    >>> official_words(Official(state=PageState.OPERATIONAL, checked_at=EPOCH), UTC, beside=EPOCH)
    'all operational (read 00:00)'
    >>> official_words(None, UTC, beside=EPOCH)
    'no page known'
    """
    if official is None:
        return "no page known"
    if official.state is PageState.UNKNOWN:
        return _PAGE[official.state]
    incident = official.incident
    if incident is None:
        words = _PAGE[official.state]
    elif incident.maintenance:
        words = "announced work is under way"
    else:
        status = max(incident.updates, key=lambda update: update.at).status if incident.updates else ""
        since = clock_words(incident.first_posted_at, zone, beside=beside)
        words = f"{status or _PAGE[official.state]} since {since}"
    if official.checked_at is None or incident is not None:
        return words
    return f"{words} (read {clock_words(official.checked_at, zone, beside=beside)})"


def service_words(slug: str, names: Mapping[str, str]) -> str:
    """A service's name for people.

    >>> service_words("google-cloud", {}), service_words("aws", {"aws": "AWS"})
    ('Google Cloud', 'AWS')
    """
    return names.get(slug) or " ".join(part.capitalize() for part in slug.replace("_", "-").split("-") if part) or slug
