"""A host is named before anybody names it, if others that run on it grow loud too; chance and habit name nobody."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from detector.alerting.lifecycle import Lifecycle
from detector.domain import Alert, Level, Service
from detector.protocols import Signal
from tests.builders import at, make_estimate, make_judgement

DAY = 1440
CLOUD = Service(slug="aws", name="AWS", category="cloud")
OTHER_CLOUD = Service(slug="fastly", name="Fastly", category="cdn")
CHILDREN = [Service(slug=slug, name=slug, hosted_on=("aws",)) for slug in ("slack", "zoom", "ring", "alexa")]
BOTH = Service(slug="reddit", name="Reddit", hosted_on=("aws", "fastly"))
EDGE = Service(slug="pypi", name="PyPI", hosted_on=("fastly",))
ALONE = Service(slug="github", name="GitHub")
SERVICES = [CLOUD, OTHER_CLOUD, *CHILDREN, BOTH, EDGE, ALONE]


def after_days(*, busy: Iterable[str] = ()) -> Lifecycle:
    """Four days in which each service had a complaint a day; a busy one has one every twenty minutes."""
    lifecycle = Lifecycle(SERVICES)
    for day in range(4):
        for number, service in enumerate(SERVICES):
            lifecycle.note(make_judgement(day * DAY + 10.0 * number, service=service.slug, number=number))
    for slug in busy:
        for number in range(0, 4 * DAY, 20):
            lifecycle.note(make_judgement(float(number), service=slug, number=number + 1000))
    return lifecycle


def complain(lifecycle: Lifecycle, service: str, minute: float, count: int, *named: str) -> None:
    for number in range(count):
        lifecycle.note(make_judgement(minute + number / 10, service=service, number=number, author=None), named)


def rise(lifecycle: Lifecycle, service: str, minute: float, *, since: float | None = None) -> Alert:
    estimate = make_estimate(minute, service=service, onset=at(minute - 2 if since is None else since))
    changes = lifecycle.apply(service, Signal(level=Level.ALERT, at=at(minute), estimate=estimate))
    return changes[0].alert


NOW = 4.0 * DAY + 300


def test_the_first_alert_names_the_host_when_others_that_run_on_it_grow_loud() -> None:
    """Nobody has said AWS yet."""
    lifecycle = after_days()
    complain(lifecycle, "slack", NOW, 3)
    complain(lifecycle, "zoom", NOW, 1)
    complain(lifecycle, "ring", NOW, 1)

    assert rise(lifecycle, "slack", NOW + 1).cause == "aws"


def test_a_service_that_fails_alone_has_no_cause() -> None:
    """Its host is well: the others are as silent as ever."""
    lifecycle = after_days()
    complain(lifecycle, "slack", NOW, 5)

    assert rise(lifecycle, "slack", NOW + 1).cause is None


def test_a_complaint_about_a_busy_relation_says_nothing() -> None:
    """Three an hour are usual there."""
    lifecycle = after_days(busy=["zoom", "ring", "alexa"])
    complain(lifecycle, "slack", NOW, 5)
    complain(lifecycle, "zoom", NOW, 1)

    assert rise(lifecycle, "slack", NOW + 1).cause is None


def test_a_host_blamed_out_of_habit_is_not_the_cause() -> None:
    """ "Is AWS down?" ask two who cannot reach Slack; nothing else that runs there fails."""
    lifecycle = after_days(busy=["zoom", "ring", "alexa"])
    complain(lifecycle, "slack", NOW, 20)
    complain(lifecycle, "aws", NOW, 2, "slack")

    assert rise(lifecycle, "slack", NOW + 2).cause is None


def test_of_two_hosts_the_one_whose_services_fail_is_named() -> None:
    """Reddit runs on both; PyPI runs on one of them."""
    lifecycle = after_days()
    complain(lifecycle, "reddit", NOW, 4)
    complain(lifecycle, "pypi", NOW, 2)

    assert rise(lifecycle, "reddit", NOW + 1).cause == "fastly"


def test_an_infrastructure_without_a_tie_is_named_when_people_name_it() -> None:
    """The catalogue does not know every customer."""
    lifecycle = after_days()
    complain(lifecycle, "github", NOW, 6)
    complain(lifecycle, "github", NOW + 2, 3, "fastly")
    complain(lifecycle, "fastly", NOW + 2, 3, "github")

    alert = rise(lifecycle, "github", NOW + 3)

    assert (alert.cause, alert.level) == ("fastly", Level.ALERT)


def test_an_alert_that_stood_alone_learns_its_cause_when_a_sibling_follows() -> None:
    """And the change says so."""
    lifecycle = after_days()
    complain(lifecycle, "slack", NOW, 3)
    assert rise(lifecycle, "slack", NOW + 1).cause is None
    complain(lifecycle, "zoom", NOW + 1, 3)

    estimate = make_estimate(NOW + 2, service="zoom", onset=at(NOW + 1))
    changes = lifecycle.apply("zoom", Signal(level=Level.ALERT, at=at(NOW + 2), estimate=estimate))

    assert [(change.alert.service, change.alert.cause) for change in changes] == [("zoom", "aws"), ("slack", "aws")]


def test_a_suspicion_is_dropped_when_the_relations_stay_as_they_are() -> None:
    """Two hours on, none of the busy others has failed."""
    lifecycle = after_days(busy=["zoom", "ring", "alexa"])
    complain(lifecycle, "slack", NOW, 3)
    complain(lifecycle, "zoom", NOW, 3)
    assert rise(lifecycle, "slack", NOW + 1).cause == "aws"

    for number in range(0, 120, 20):
        for slug in ("zoom", "ring", "alexa"):
            complain(lifecycle, slug, NOW + number, 1)

    assert rise(lifecycle, "slack", NOW + 120, since=NOW).cause is None


@pytest.mark.parametrize(
    ("said", "level"),
    [
        pytest.param(30, Level.WATCH, id="thirty times as many speak of the other carrier"),
        pytest.param(4, Level.ALERT, id="no more than of this one"),
    ],
)
def test_a_rival_of_one_that_fails_is_held_even_if_nobody_names_both(said: int, level: Level) -> None:
    """Calls fail between carriers, and people ask about theirs."""
    lifecycle = Lifecycle([Service(slug=slug, name=slug, category="carrier") for slug in ("att", "tmobile")])
    complain(lifecycle, "att", NOW, said)
    rise(lifecycle, "att", NOW + 2)
    complain(lifecycle, "tmobile", NOW + 1, 3)

    assert rise(lifecycle, "tmobile", NOW + 2).level is level


def test_the_usual_loudness_survives_json_and_its_absence_is_forgiven() -> None:
    """A state of before the kinship was known loads; one with it continues identically."""
    lifecycle = after_days()
    state = json.loads(json.dumps(lifecycle.dump()))
    again, older = Lifecycle(SERVICES), Lifecycle(SERVICES)
    again.load(state)
    older.load({key: value for key, value in state.items() if key != "loudness"})

    for one in (lifecycle, again, older):
        complain(one, "slack", NOW, 3)
        complain(one, "zoom", NOW, 2)

    assert rise(again, "slack", NOW + 1) == rise(lifecycle, "slack", NOW + 1)
    assert rise(older, "slack", NOW + 1).cause in {"aws", None}
    assert again.loudness == lifecycle.loudness


def test_when_everything_fails_at_once_we_have_failed_and_nobody_new_is_alerted() -> None:
    """Thirty unrelated services rise in one minute; the operator has words for it, and it ends with them."""
    services = [Service(slug=f"s{number}", name=f"S{number}") for number in range(30)]
    lifecycle = Lifecycle(services)
    for service in services:
        complain(lifecycle, service.slug, NOW, 3)
    levels = [rise(lifecycle, service.slug, NOW + 1).level for service in services]

    assert levels == [Level.ALERT] * 20 + [Level.WATCH] * 10
    assert "30 of 30 services" in (lifecycle.surge or "")

    for service in services[:12]:
        lifecycle.apply(service.slug, Signal(level=None, at=at(NOW + 30)))
    assert lifecycle.surge is None


def test_a_cloud_that_takes_most_services_down_is_no_fault_of_ours() -> None:
    """What it explains does not count."""
    cloud = Service(slug="aws", name="AWS", category="cloud")
    children = [Service(slug=f"s{number}", name=f"S{number}", hosted_on=("aws",)) for number in range(30)]
    lifecycle = Lifecycle([cloud, *children])
    for service in (cloud, *children):
        complain(lifecycle, service.slug, NOW, 3)
    levels = {rise(lifecycle, service.slug, NOW + 1).level for service in (cloud, *children)}

    assert levels == {Level.ALERT}
    assert lifecycle.surge is None


def test_a_rival_of_what_a_host_took_down_is_a_bystander_too() -> None:
    """Meta fails; who misses Facebook asks about Twitter, and Meta itself is no social network."""
    lifecycle = Lifecycle(
        [
            Service(slug="meta", name="Meta", category="owner"),
            Service(slug="facebook", name="Facebook", category="social", hosted_on=("meta",)),
            Service(slug="twitter", name="Twitter", category="social"),
        ]
    )
    complain(lifecycle, "meta", NOW, 10)
    complain(lifecycle, "facebook", NOW, 30)
    rise(lifecycle, "meta", NOW + 3)
    assert rise(lifecycle, "facebook", NOW + 3).cause == "meta"
    complain(lifecycle, "twitter", NOW + 3, 3)

    alert = rise(lifecycle, "twitter", NOW + 4)

    assert (alert.level, alert.cause) == (Level.WATCH, "meta")


@pytest.mark.parametrize(
    ("alone", "level"),
    [
        pytest.param(4, Level.WATCH, id="as many as all the time"),
        pytest.param(12, Level.ALERT, id="many more than before"),
    ],
)
def test_who_was_named_beside_another_for_long_stays_a_bystander_until_more_speak_of_it_alone(
    alone: int, level: Level
) -> None:
    """By chance nobody has named both in the last minutes."""
    lifecycle = Lifecycle([Service(slug=slug, name=slug) for slug in ("slack", "figma")])
    complain(lifecycle, "slack", NOW, 10)
    rise(lifecycle, "slack", NOW + 1)
    for number in range(12):
        complain(lifecycle, "slack", NOW + 2 + number, 2, *(["figma"] if number % 2 else []))
        complain(lifecycle, "figma", NOW + 2 + number, number % 2)
    complain(lifecycle, "slack", NOW + 18, 30)
    complain(lifecycle, "figma", NOW + 18.1, alone)

    assert rise(lifecycle, "figma", NOW + 20, since=NOW + 18).level is level
