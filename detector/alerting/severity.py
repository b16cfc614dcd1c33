"""When is an alert major: more than one place says so, or the provider, or numbers that leave no doubt."""

from __future__ import annotations

from detector.domain import Estimate, Official, PageState

SURE_PEOPLE = 10.0
OFFICIAL_PEOPLE = 8.0
OVERWHELMING_PEOPLE = 60.0
OVERWHELMING_RATIO = 20.0


def is_major(estimate: Estimate, official: Official | None) -> bool:
    """Two sources with people in both, the official page, or overwhelming numbers.

    >>> from detector.domain import parse_time
    >>> at = parse_time("2026-03-02T12:30Z")
    >>> estimate = Estimate(service="x", at=at, onset=at, people=14, expected=0.2, return_period_months=900, ratio=70,
    ...     score=30, window_minutes=5, sources=(("reddit", 8.0), ("bluesky", 4.0)), voters=14)
    >>> is_major(estimate, None)
    True
    """
    people = estimate.people
    if people >= OVERWHELMING_PEOPLE and estimate.ratio >= OVERWHELMING_RATIO:
        return True
    places = [count for _, count in estimate.sources if count >= 2.0]
    if people >= SURE_PEOPLE and len(places) >= 2:
        return True
    admitted = official is not None and official.state in {PageState.OUTAGE, PageState.DEGRADED}
    return admitted and people >= OFFICIAL_PEOPLE
