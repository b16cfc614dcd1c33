"""A source that falls silent takes its share of the expectation with it, and teaches nothing meanwhile."""

from __future__ import annotations

import json
from functools import cache

import pytest

from detector.detect.scan import ScanDetector, build
from detector.domain import Budget, Coverage, CoverageState, Judgement, to_minutes
from tests.builders import SLACK, at, make_judgement, stream

DAY = 1440.0
LATER = 20 * DAY


def by_two_sources(begin: float, end: float, *, seed: int, without: str | None = None) -> list[Judgement]:
    """Half a complaint a minute, three quarters of them on reddit."""
    found = []
    for number, judgement in enumerate(stream(lambda _: 0.5, end, seed=seed, begin=begin)):
        source = "bluesky" if number % 4 == 0 else "reddit:r/slack"
        if source.partition(":")[0] != without:
            minute = (judgement.mention.post.created_at - at(0)).total_seconds() / 60
            found.append(make_judgement(minute, number=number, source=source))
    return found


@cache
def state_after_twenty_days() -> str:
    detector = build(SLACK, Budget.parse("1/year"), 0.2)
    for judgement in by_two_sources(0.0, LATER, seed=5):
        detector.observe(judgement)
    return json.dumps(detector.dump())


def learned() -> ScanDetector:
    detector = build(SLACK, Budget.parse("1/year"), 0.2)
    detector.load(json.loads(state_after_twenty_days()))
    return detector


def gone(source: str, start: float, end: float) -> Coverage:
    return Coverage(source=source, from_at=at(start), to_at=at(end), state=CoverageState.FAILING)


def test_a_silent_source_drops_out_of_the_expectation() -> None:
    """Only bluesky's quarter is left, and all of it again once reddit is heard."""
    detector = learned()
    soon, later = to_minutes(at(LATER + 10)), to_minutes(at(LATER + 60))
    whole = detector.usual.rate(soon)

    detector.muffle(gone("reddit", LATER, LATER + 30))

    assert detector.usual.rate(soon) == pytest.approx(whole / 4, rel=0.1)
    assert detector.usual.rate(later) == detector.usual.people.rate(later)


def test_two_days_without_a_source_do_not_lower_what_is_usual() -> None:
    """The hours teach by what was heard of them."""
    heard, unheard = learned(), learned()
    level = heard.usual.people.level
    heard.muffle(gone("reddit", LATER, LATER + 2 * DAY))
    for judgement in by_two_sources(LATER, LATER + 2 * DAY + 180, seed=6, without="reddit"):
        heard.observe(judgement)
        unheard.observe(judgement)

    assert heard.usual.people.level == pytest.approx(level, rel=0.2)
    assert unheard.usual.people.level < 0.8 * level


def test_a_source_that_never_brought_anything_changes_nothing() -> None:
    """Its silence says nothing of this service."""
    detector = learned()

    detector.muffle(gone("lemmy", LATER, LATER + 30))

    assert detector.usual.places.silent == []


def test_an_outage_on_the_source_that_is_left_is_found_sooner_for_it() -> None:
    """Against a quarter of the usual, a dozen are many more."""

    def opened(*, told: bool) -> float:
        detector = learned()
        if told:
            detector.muffle(gone("reddit", LATER, LATER + 60))
        for number in range(60):
            minute = LATER + 20 + number * 0.5
            signals = detector.observe(make_judgement(minute, number=number, source="bluesky"))
            if any(signal.level is not None and signal.level.rank for signal in signals):
                return minute
        return float("inf")

    assert opened(told=True) < opened(told=False)


def test_the_places_survive_json() -> None:
    """They are a part of the state."""
    detector = learned()
    detector.muffle(gone("reddit", LATER, LATER + 30))
    state = json.loads(json.dumps(detector.dump()))
    again = build(SLACK, Budget.parse("1/year"), 0.2)
    again.load(state)

    assert again.usual.places == detector.usual.places
