"""Hours, announced work, flapping, and what was told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from detector.alerting.policy import owe
from detector.alerting.quiet import History, Hours, QuietHours, at_work
from detector.domain import Change, Level, Official, PageState, Reason, parse_time
from tests.builders import at, make_alert, make_incident

NIGHT = Hours.parse("22:00-07:00", zone="America/New_York")


@pytest.mark.parametrize(
    ("time", "held"),
    [
        ("2026-01-06T03:00Z", True),  # 22:00 there
        ("2026-01-06T02:59Z", False),
        ("2026-01-06T11:59Z", True),
        ("2026-01-06T12:00Z", False),
        ("2026-03-08T10:59Z", True),  # summer time began that night: 06:59 there
        ("2026-03-08T11:00Z", False),
        ("2026-11-01T11:59Z", True),  # and ended: 06:59 there
        ("2026-11-01T12:00Z", False),
    ],
)
def test_a_night_is_that_of_the_place_also_when_its_clocks_change(time: str, held: bool) -> None:
    """Over midnight, in New York."""
    assert NIGHT.holds(parse_time(time)) == held


@pytest.mark.parametrize("text", ["", "9-17", "24:00-25:00", "12:60-13:00", "10:00", "ab:cd-ef:gh", "-1:00-2:00"])
def test_what_is_no_part_of_a_day_is_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(ValueError, match="22:00-07:00"):
        Hours.parse(text)


def test_quiet_hours_let_through_what_is_major_or_lasts() -> None:
    """An alert waits, a major one does not, nor one that lasts an hour."""
    night = QuietHours(hours=Hours.parse("00:00-06:00"), escalate_after=timedelta(hours=1))

    assert night.hushes(make_alert(), at(10)) is not None
    assert night.hushes(make_alert(level=Level.MAJOR), at(10)) is None
    assert night.hushes(make_alert(), at(60)) is None
    assert night.hushes(make_alert(), at(6 * 60)) is None
    assert night.escalates(make_alert(), at(60))
    assert not night.escalates(make_alert(), at(7 * 60))


def test_announced_work_explains_an_alert_but_not_a_major_one() -> None:
    """By the page's state, or by its incident."""
    state = Official(state=PageState.MAINTENANCE, checked_at=at(0))
    work = replace(state, incident=make_incident(0, maintenance=True))
    failure = replace(state, incident=make_incident(0))

    assert at_work(make_alert(official=state))
    assert at_work(make_alert(official=work))
    assert at_work(make_alert(official=failure)) is None
    assert at_work(make_alert(official=work, level=Level.MAJOR)) is None
    assert at_work(make_alert()) is None


def test_history_knows_what_stands_whatever_the_order_it_is_given_in() -> None:
    """Told of the beginning, told of the end."""
    alert = make_alert()
    begin = owe(Change(alert=alert, reason=Reason.OPENED, at=at(0)), "r", at(0))
    end = owe(Change(alert=alert, reason=Reason.RESOLVED, at=at(9)), "r", at(9))
    aside = owe(Change(alert=alert, reason=Reason.INHIBITED, at=at(10)), "r", at(10))

    assert History([begin]).firing("r", alert.key)
    assert not History([begin]).firing("other", alert.key)
    assert not History([end, begin]).firing("r", alert.key)
    assert not History([aside]).firing("r", alert.key)
    assert History([begin]).told_of("r", "slack")
    assert not History([begin, end]).told_of("r", "slack")
    assert History([aside]).aside("r", Reason.INHIBITED) == [aside]


def test_f26_two_ends_within_an_hour_are_flapping() -> None:
    """And no more once the hour has passed."""
    ends = [
        owe(Change(alert=make_alert(key=f"k{n}"), reason=Reason.RESOLVED, at=at(n * 10)), "r", at(n * 10))
        for n in range(2)
    ]
    history = History(ends)

    assert history.flaps("r", "slack", at(20))
    assert not history.flaps("r", "zoom", at(20))
    assert not History(ends[:1]).flaps("r", "slack", at(20))
    assert not history.flaps("r", "slack", at(60))
