"""One key per outage: a watch grows, an alert resolves, a relapse is the same alert, a child names its parent."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from detector.alerting.lifecycle import Lifecycle
from detector.domain import Change, Level, Official, PageState, Reason, Service
from detector.protocols import Signal
from tests.builders import COMPLAINT, REPORT, SLACK, at, make_estimate, make_incident, make_judgement


def signal(minute: float, level: Level | None, **fields: object) -> Signal:
    estimate = None if level is None else make_estimate(minute, **fields)
    return Signal(level=level, at=at(minute), estimate=estimate)


def only(changes: list[Change]) -> Change:
    assert len(changes) == 1
    return changes[0]


def test_a_watch_that_grows_keeps_its_key_and_is_never_backdated() -> None:
    """`fired_at` is when we said alert, `watch_at` when we began to watch."""
    lifecycle = Lifecycle([SLACK])

    first = only(lifecycle.apply("slack", signal(0, Level.WATCH)))
    grown = only(lifecycle.apply("slack", signal(5, Level.ALERT)))

    assert (first.reason, grown.reason) == (Reason.OPENED, Reason.RAISED)
    assert first.alert.fired_at is None
    assert grown.alert.key == first.alert.key
    assert (grown.alert.watch_at, grown.alert.fired_at) == (at(0), at(5))


@pytest.mark.parametrize(
    ("gap", "reason"),
    [
        pytest.param(29.0, Reason.REOPENED, id="within half an hour it is the same outage"),
        pytest.param(31.0, Reason.OPENED, id="later it is another"),
    ],
)
def test_a_relapse(gap: float, reason: Reason) -> None:
    """Thirty minutes decide."""
    lifecycle = Lifecycle([SLACK])
    opened = only(lifecycle.apply("slack", signal(0, Level.ALERT)))
    resolved = only(lifecycle.apply("slack", signal(60, None)))

    again = only(lifecycle.apply("slack", signal(60 + gap, Level.ALERT)))

    assert resolved.alert.ended_at == at(60)
    assert again.reason is reason
    assert (again.alert.key == opened.alert.key) is (reason is Reason.REOPENED)
    assert again.alert.ended_at is None


def test_an_end_without_an_alert_changes_nothing() -> None:
    """A watch that the lifecycle never saw cannot resolve."""
    assert Lifecycle([SLACK]).apply("slack", signal(0, None)) == []


def test_evidence_is_one_post_an_author_complaints_first_and_not_older_than_the_trouble() -> None:
    """The best posts show the alert."""
    lifecycle = Lifecycle([SLACK])
    lifecycle.note(make_judgement(-100, number=1, text="slack is down, an hour ago"))
    lifecycle.note(make_judgement(-3, number=2, author="ann", text="slack is down"))
    lifecycle.note(make_judgement(-2, number=3, author="ann", text="slack still down"))
    lifecycle.note(make_judgement(-1, number=4, p=REPORT, text="Slack suffers outage"))
    lifecycle.note(make_judgement(-1, number=5, author="bob", p=COMPLAINT, text="is slack down?"))

    change = only(lifecycle.apply("slack", signal(0, Level.ALERT)))

    assert [shown.text for shown in change.alert.evidence] == [
        "slack is down",
        "is slack down?",
        "Slack suffers outage",
    ]


class Page:
    """An official page that admits an incident from minute 40 on."""

    def official(self, service: str, moment: datetime) -> Official | None:
        """Operational first, then the incident."""
        if moment < at(40):
            return Official(state=PageState.OPERATIONAL, checked_at=moment)
        return Official(state=PageState.OUTAGE, checked_at=moment, incident=make_incident(40))


def test_the_official_page_is_the_one_of_the_minute_and_its_admission_is_a_change_once() -> None:
    """The page at `fired_at` is kept until the provider speaks."""
    lifecycle = Lifecycle([SLACK], Page())
    opened = only(lifecycle.apply("slack", signal(0, Level.ALERT)))
    assert opened.alert.official is not None
    assert opened.alert.official.state is PageState.OPERATIONAL

    before = lifecycle.acknowledge("slack", at(39))
    admitted = only(lifecycle.acknowledge("slack", at(41)))
    repeated = lifecycle.acknowledge("slack", at(42))

    assert before == []
    assert repeated == []
    assert admitted.reason is Reason.ACKNOWLEDGED
    assert admitted.alert.fired_at == at(0)


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        pytest.param({"people": 12.0, "sources": (("a", 7.0), ("b", 5.0))}, Level.MAJOR, id="two places"),
        pytest.param({"people": 12.0, "sources": (("a", 12.0),)}, Level.ALERT, id="one place"),
        pytest.param({"people": 80.0, "ratio": 50.0}, Level.MAJOR, id="overwhelming"),
    ],
)
def test_severity(fields: dict[str, object], level: Level) -> None:
    """Major needs two sources, the official page or overwhelming numbers."""
    assert only(Lifecycle([SLACK]).apply("slack", signal(0, Level.ALERT, **fields))).alert.level is level


def test_children_of_a_failing_parent_are_explained_whichever_came_first() -> None:
    """Slack runs on AWS."""
    services = [Service(slug="slack", name="Slack", hosted_on=("aws",)), Service(slug="aws", name="AWS")]
    lifecycle = Lifecycle(services)
    lifecycle.apply("slack", signal(0, Level.ALERT))

    changes = lifecycle.apply("aws", signal(3, Level.ALERT, service="aws"))
    lifecycle.apply("slack", signal(10, None))
    later = only(lifecycle.apply("slack", signal(60, Level.ALERT)))

    assert [(change.alert.service, change.alert.cause) for change in changes] == [("aws", None), ("slack", "aws")]
    assert later.alert.cause == "aws"


def test_a_bystander_is_explained_by_the_service_that_its_posts_are_about() -> None:
    """ "AT&T is down, is Verizon down as well?" accuses nobody at Verizon."""
    lifecycle = Lifecycle([Service(slug="att", name="AT&T"), Service(slug="verizon", name="Verizon")])
    for number in range(8):
        lifecycle.note(make_judgement(-1, number=number, service="att", text="at&t is down"))
    for number in range(3):
        lifecycle.note(make_judgement(-1, number=number, service="verizon", text="at&t down, verizon too?"), ("att",))

    root = only(lifecycle.apply("att", signal(0, Level.ALERT, service="att")))
    bystander = only(lifecycle.apply("verizon", signal(1, Level.ALERT, service="verizon")))

    assert (root.alert.cause, bystander.alert.cause) == (None, "att")
    assert (root.alert.level, bystander.alert.level) == (Level.ALERT, Level.WATCH)

    for number in range(10, 20):
        lifecycle.note(make_judgement(2, number=number, service="verizon", text="verizon is down here"))
    grown = only(lifecycle.apply("verizon", signal(3, Level.ALERT, service="verizon")))

    assert (grown.alert.cause, grown.alert.level) == (None, Level.ALERT)


def test_two_services_named_together_as_often_are_both_told() -> None:
    """Two victims of a third: neither explains the other."""
    lifecycle = Lifecycle([Service(slug="github", name="GitHub"), Service(slug="twitter", name="Twitter")])
    for slug, other in (("github", "twitter"), ("twitter", "github")):
        for number in range(4):
            lifecycle.note(make_judgement(-1, number=number, service=slug, text="both down"), (other,))

    causes = [
        only(lifecycle.apply(slug, signal(0, Level.ALERT, service=slug))).alert.cause for slug in ("github", "twitter")
    ]

    assert causes == [None, None]


def test_an_alerted_service_is_no_bystander_of_one_that_is_named_beside_it() -> None:
    """ "GitHub and Twitter are down", say all who name Twitter, and more say it of GitHub alone: both failed."""
    lifecycle = Lifecycle([Service(slug="github", name="GitHub"), Service(slug="twitter", name="Twitter")])
    for number in range(3):
        for slug, other in (("github", "twitter"), ("twitter", "github")):
            lifecycle.note(make_judgement(-1, number=number, service=slug, text="both down"), (other,))
    lifecycle.apply("twitter", signal(0, Level.ALERT, service="twitter"))
    for number in range(10, 20):
        lifecycle.note(make_judgement(1, number=number, service="github", text="github is down"))

    github = only(lifecycle.apply("github", signal(2, Level.ALERT, service="github")))
    grown = only(lifecycle.apply("twitter", signal(3, Level.ALERT, service="twitter", people=14.0)))

    assert (github.alert.cause, grown.alert.cause, grown.alert.level) == (None, None, Level.ALERT)


def test_the_state_survives_json() -> None:
    """Open and closed alerts and their evidence come back equal."""
    lifecycle = Lifecycle([SLACK], Page())
    lifecycle.note(make_judgement(-1))
    lifecycle.apply("slack", signal(0, Level.ALERT))
    lifecycle.acknowledge("slack", at(41))
    lifecycle.apply("zoom", signal(0, Level.WATCH, service="zoom"))
    lifecycle.apply("zoom", signal(70, None))

    again = Lifecycle([SLACK], Page())
    again.load(json.loads(json.dumps(lifecycle.dump())))

    assert (again.open, again.closed) == (lifecycle.open, lifecycle.closed)
    assert list(again.galleries["slack"].kept) == list(lifecycle.galleries["slack"].kept)
