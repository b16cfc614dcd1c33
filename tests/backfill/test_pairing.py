"""Which alert speaks of which outage, and how much of it is chance."""

from __future__ import annotations

from datetime import timedelta

import pytest

from detector.backfill.pairing import outages, pair
from detector.backfill.record import IncidentRecord
from detector.backfill.scoreboard import chance_share
from detector.domain import Level, PageState, Verdict
from tests.builders import at, make_alert, make_incident


def test_ids_posted_within_an_hour_are_one_outage() -> None:
    """AWS posts an entry per product."""
    found = outages([make_incident(0, 90), make_incident(50, 200), make_incident(500, 520)])

    assert [(outage.posted_at, outage.ended_at) for outage in found] == [(at(0), at(200)), (at(500), at(520))]


def test_maintenances_are_no_outages() -> None:
    """Planned work is announced, not discovered."""
    assert outages([make_incident(0, 10, maintenance=True)]) == []


@pytest.mark.parametrize(
    ("fired", "verdict", "lead"),
    [
        pytest.param(-30, Verdict.EARLY, 30, id="half an hour ahead"),
        pytest.param(12, Verdict.LATE, -12, id="after the page"),
        pytest.param(-90, Verdict.MISSED, None, id="too early to speak of it"),
        pytest.param(95, Verdict.MISSED, None, id="after its end"),
    ],
)
def test_verdicts(fired: float, verdict: Verdict, lead: float | None) -> None:
    """Lead is the first official post minus the moment we said so."""
    first = pair([make_alert(fired)], outages([make_incident(0, 90)]))[0]

    assert first.verdict is verdict
    assert first.lead == (None if lead is None else timedelta(minutes=lead))


def test_a_watch_claims_no_outage_and_an_alert_without_one_is_unmatched() -> None:
    """Unmatched is not yet false."""
    watch = make_alert(-5, level=Level.WATCH, fired_at=None, key="w")
    stray = make_alert(5000, key="s")

    pairings = pair([watch, stray], outages([make_incident(0, 90)]))

    assert [(one.verdict, one.alert_key) for one in pairings] == [(Verdict.MISSED, None), (Verdict.UNMATCHED, "s")]


def test_chance_is_the_share_of_time_near_an_outage_counted_once() -> None:
    """From an hour before the first post to the end; overlaps do not count twice."""
    record = outages([make_incident(100, 200), make_incident(190, 250)])

    assert chance_share(record, at(0), at(1000)) == pytest.approx(0.21)


def test_the_record_speaks_only_of_what_was_posted_by_then() -> None:
    """An incident is unknown before its first post and over after its end."""
    record = IncidentRecord([make_incident(100, 200)])
    states = [official.state for minute in (99, 100, 199, 200) if (official := record.official("slack", at(minute)))]

    assert states == [PageState.OPERATIONAL, PageState.OUTAGE, PageState.OUTAGE, PageState.OPERATIONAL]
    assert record.official("zoom", at(150)) is None
