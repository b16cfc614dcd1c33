"""An alert waits half a minute where its host is about to be known, and never longer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from detector.alerting.lifecycle import Lifecycle
from detector.domain import Change, Level, Reason, Service
from detector.protocols import Signal
from tests.builders import at, make_estimate, make_judgement

DAY = 1440
NOW = 4.0 * DAY + 300
CHILDREN = ("slack", "zoom", "ring")
SERVICES = [
    Service(slug="aws", name="AWS", category="cloud"),
    *(Service(slug=slug, name=slug, hosted_on=("aws",)) for slug in CHILDREN),
    Service(slug="github", name="GitHub"),
]


def after_days(every: int = 60) -> Lifecycle:
    """Four days in which each of AWS's services had a complaint every so many minutes."""
    lifecycle = Lifecycle(SERVICES)
    for number in range(0, 4 * DAY, every):
        for place, slug in enumerate(CHILDREN):
            lifecycle.note(make_judgement(float(number + place), service=slug, number=number))
    return lifecycle


def complain(lifecycle: Lifecycle, service: str, minute: float, count: int) -> list[Change]:
    return [
        change
        for number in range(count)
        for change in lifecycle.note(
            make_judgement(minute + number / 10, service=service, number=number, author=f"{service}{minute}{number}")
        )
    ]


def rise(lifecycle: Lifecycle, service: str, minute: float, *, people: float = 6.0) -> list[Change]:
    estimate = replace(make_estimate(minute, service=service, onset=at(minute - 1)), people=people, ratio=30.0)
    return lifecycle.apply(service, Signal(level=Level.ALERT, at=at(minute), estimate=estimate))


def stirred() -> Lifecycle:
    """Slack's people complain, and one of Ring's: too few to tell."""
    lifecycle = after_days()
    complain(lifecycle, "ring", NOW - 2.5, 1)
    complain(lifecycle, "slack", NOW - 0.5, 3)
    return lifecycle


def told(changes: Iterable[Change]) -> list[tuple[Reason, Level, str | None]]:
    return [(change.reason, change.alert.level, change.alert.cause) for change in changes]


def test_where_a_relation_stirs_the_alert_is_a_watch_until_the_host_is_known() -> None:
    """Half a minute later one alert names AWS, instead of one that names Slack."""
    lifecycle = stirred()

    assert told(rise(lifecycle, "slack", NOW)) == [(Reason.OPENED, Level.WATCH, None)]
    (raised,) = complain(lifecycle, "zoom", NOW + 0.2, 2)

    assert told([raised]) == [(Reason.RAISED, Level.ALERT, "aws")]
    assert raised.at == raised.alert.fired_at
    assert at(NOW) < raised.at < at(NOW + 0.5)


def test_it_waits_half_a_minute_and_no_longer() -> None:
    """Nothing more is heard: the alert is told at that moment, whenever somebody looks."""
    lifecycle = stirred()
    rise(lifecycle, "slack", NOW)

    assert lifecycle.release(at(NOW + 0.49)) == []
    (raised,) = lifecycle.release(at(NOW + 7))

    assert told([raised]) == [(Reason.RAISED, Level.ALERT, None)]
    assert raised.at == at(NOW + 0.5)
    assert lifecycle.release(at(NOW + 9)) == []


@pytest.mark.parametrize("service", ["slack", "github"])
def test_what_fails_while_its_relations_are_silent_does_not_wait(service: str) -> None:
    """Nor what has none."""
    lifecycle = after_days()
    complain(lifecycle, service, NOW - 0.5, 3)
    complain(lifecycle, "github", NOW - 0.5, 2)

    assert told(rise(lifecycle, service, NOW)) == [(Reason.OPENED, Level.ALERT, None)]


def test_a_complaint_about_a_busy_relation_keeps_nobody_waiting() -> None:
    """One every ten minutes is usual there."""
    lifecycle = after_days(every=10)
    complain(lifecycle, "ring", NOW - 2.5, 1)
    complain(lifecycle, "slack", NOW - 0.5, 3)

    assert told(rise(lifecycle, "slack", NOW)) == [(Reason.OPENED, Level.ALERT, None)]


def test_overwhelming_numbers_do_not_wait() -> None:
    """Nor do they once it waits."""
    lifecycle = stirred()
    assert told(rise(lifecycle, "slack", NOW, people=60.0)) == [(Reason.OPENED, Level.MAJOR, None)]

    lifecycle = stirred()
    rise(lifecycle, "slack", NOW)
    assert told(rise(lifecycle, "slack", NOW + 0.1, people=60.0)) == [(Reason.RAISED, Level.MAJOR, None)]
    assert lifecycle.release(at(NOW + 1)) == []


def test_what_is_over_while_it_waits_is_never_told() -> None:
    """It ends as the watch that it was."""
    lifecycle = stirred()
    rise(lifecycle, "slack", NOW)

    assert told(lifecycle.apply("slack", Signal(level=None, at=at(NOW + 0.3)))) == [
        (Reason.RESOLVED, Level.WATCH, None)
    ]
    assert lifecycle.release(at(NOW + 1)) == []


def test_a_restart_while_an_alert_waits_changes_nothing() -> None:
    """It goes on waiting, to the same moment."""
    lifecycle, other = stirred(), Lifecycle(SERVICES)
    rise(lifecycle, "slack", NOW)
    other.load(json.loads(json.dumps(lifecycle.dump())))

    assert other.release(at(NOW + 1)) == lifecycle.release(at(NOW + 1)) != []


def test_the_next_signal_of_another_service_finds_it_released() -> None:
    """Changes come in the order of time."""
    lifecycle = stirred()
    rise(lifecycle, "slack", NOW)

    changes = rise(lifecycle, "github", NOW + 2)

    assert [(change.alert.service, change.at) for change in changes] == [
        ("slack", at(NOW + 0.5)),
        ("github", at(NOW + 2)),
    ]
