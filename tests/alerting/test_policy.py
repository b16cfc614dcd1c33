"""Who is told, and the reason, by a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from detector.alerting.policy import Receiver, decide, digests, notifications, reminders
from detector.alerting.quiet import History, Hours, QuietHours
from detector.domain import Alert, AlertState, Change, Level, Notification, Official, PageState, Reason, Silence
from tests.builders import at, make_alert

QUIET = Silence(id="s1", service="slack", starts_at=at(-10), ends_at=at(50), comment="planned work")
EXPIRED = Silence(id="s2", service="*", starts_at=at(-100), ends_at=at(0))
WATCH = make_alert(level=Level.WATCH, fired_at=None)
CHILD = make_alert(cause="aws")


@pytest.mark.parametrize(
    ("alert", "reason", "receiver", "silences", "expected"),
    [
        pytest.param(make_alert(), Reason.OPENED, Receiver(name="r"), [], (True, Reason.OPENED), id="a new alert"),
        pytest.param(WATCH, Reason.OPENED, Receiver(name="r"), [], (False, Reason.BELOW_LEVEL), id="a mere watch"),
        pytest.param(
            WATCH,
            Reason.OPENED,
            Receiver(name="r", level=Level.WATCH),
            [],
            (True, Reason.OPENED),
            id="who wants watches",
        ),
        pytest.param(
            make_alert(), Reason.UPDATED, Receiver(name="r"), [], (False, Reason.UNCHANGED), id="it only grew"
        ),
        pytest.param(make_alert(), Reason.RESOLVED, Receiver(name="r"), [], (True, Reason.RESOLVED), id="the end"),
        pytest.param(
            make_alert(),
            Reason.OPENED,
            Receiver(name="r", services=("zoom",)),
            [],
            (False, Reason.NO_ROUTE),
            id="another team's service",
        ),
        pytest.param(make_alert(), Reason.OPENED, Receiver(name="r"), [QUIET], (False, Reason.SILENCED), id="silenced"),
        pytest.param(
            make_alert(), Reason.OPENED, Receiver(name="r"), [EXPIRED], (True, Reason.OPENED), id="was silenced"
        ),
        pytest.param(
            CHILD, Reason.OPENED, Receiver(name="r"), [], (False, Reason.INHIBITED), id="explained by a parent"
        ),
    ],
)
def test_who_is_told(
    alert: Alert, reason: Reason, receiver: Receiver, silences: list[Silence], expected: tuple[bool, Reason]
) -> None:
    """Each row is one rule."""
    decision = decide(Change(alert=alert, reason=reason, at=at(0)), receiver, silences, at(0))

    assert (decision.told, decision.reason) == expected


def test_a_message_is_owed_to_each_receiver_that_is_told_under_a_stable_id() -> None:
    """A retry after a restart carries the same id."""
    change = Change(alert=make_alert(), reason=Reason.OPENED, at=at(0))
    receivers = [Receiver(name="slack"), Receiver(name="mail", level=Level.MAJOR)]

    decisions, owed = notifications(change, receivers, [], at(0))
    _, again = notifications(change, receivers, [], at(7))

    assert [decision.told for decision in decisions] == [True, False]
    assert [one.receiver for one in owed] == ["slack"]
    assert [one.id for one in owed] == [one.id for one in again]


R = Receiver(name="r")
NIGHT = QuietHours(hours=Hours.parse("00:00-06:00"), escalate_after=timedelta(hours=1))
SLEEPER = Receiver(name="r", quiet=NIGHT)
AT_WORK = make_alert(official=Official(state=PageState.MAINTENANCE, checked_at=at(0)))


def told(reason: Reason, minute: float = 0, alert: Alert | None = None, receiver: str = "r") -> Notification:
    """A message of the log."""
    alert = alert or make_alert()
    return Notification(
        id=f"{alert.key}/{receiver}/{reason.value}-{minute:g}",
        alert=alert,
        receiver=receiver,
        reason=reason,
        created_at=at(minute),
    )


@pytest.mark.parametrize(
    ("alert", "reason", "receiver", "log", "expected"),
    [
        pytest.param(make_alert(), Reason.RESOLVED, R, [], (False, Reason.UNCHANGED), id="the end of the unheard"),
        pytest.param(
            make_alert(), Reason.RESOLVED, R, [told(Reason.OPENED)], (True, Reason.RESOLVED), id="the end of the heard"
        ),
        pytest.param(
            make_alert(),
            Reason.RESOLVED,
            R,
            [told(Reason.OPENED), told(Reason.RESOLVED, 1)],
            (False, Reason.UNCHANGED),
            id="the end once",
        ),
        pytest.param(CHILD, Reason.RESOLVED, R, [], (False, Reason.UNCHANGED), id="the end of an explained one"),
        pytest.param(CHILD, Reason.OPENED, R, [], (True, Reason.OPENED), id="explained by what it did not hear of"),
        pytest.param(
            CHILD,
            Reason.OPENED,
            R,
            [told(Reason.OPENED, alert=make_alert(service="aws", key="aws-0"))],
            (False, Reason.INHIBITED),
            id="explained by what it heard of",
        ),
        pytest.param(AT_WORK, Reason.OPENED, R, [], (False, Reason.MAINTENANCE), id="announced work"),
        pytest.param(
            AT_WORK, Reason.OPENED, replace(R, maintenance=True), [], (True, Reason.OPENED), id="who wants that too"
        ),
        pytest.param(
            replace(AT_WORK, level=Level.MAJOR), Reason.RAISED, R, [], (True, Reason.RAISED), id="more than the work"
        ),
        pytest.param(
            make_alert(),
            Reason.OPENED,
            R,
            [told(Reason.RESOLVED, -50, make_alert(key="x")), told(Reason.RESOLVED, -20, make_alert(key="y"))],
            (False, Reason.FLAPPING),
            id="the third time within an hour",
        ),
        pytest.param(
            make_alert(),
            Reason.OPENED,
            R,
            [told(Reason.RESOLVED, -61, make_alert(key="x")), told(Reason.RESOLVED, -20, make_alert(key="y"))],
            (True, Reason.OPENED),
            id="the second time within an hour",
        ),
        pytest.param(make_alert(), Reason.OPENED, SLEEPER, [], (False, Reason.QUIET), id="at night"),
        pytest.param(
            make_alert(level=Level.MAJOR), Reason.RAISED, SLEEPER, [], (True, Reason.RAISED), id="major at night"
        ),
        pytest.param(
            make_alert(),
            Reason.RESOLVED,
            SLEEPER,
            [told(Reason.OPENED, -90)],
            (True, Reason.RESOLVED),
            id="good news at night",
        ),
    ],
)
def test_who_is_told_by_what_was_told_before(
    alert: Alert, reason: Reason, receiver: Receiver, log: list[Notification], expected: tuple[bool, Reason]
) -> None:
    """Each row is one rule, and each decision says why."""
    decision = decide(Change(alert=alert, reason=reason, at=at(0)), receiver, [], at(0), history=History(log))

    assert (decision.told, decision.reason) == expected
    assert decision.told or decision.note


def test_a_receiver_that_needs_the_failing_service_lets_another_go_first() -> None:
    """Both are told of Slack's failure, Slack two seconds later."""
    receivers = [Receiver(name="slack", depends_on=("slack",)), Receiver(name="mail")]

    _, owed = notifications(Change(alert=make_alert(), reason=Reason.OPENED, at=at(0)), receivers, [], at(0))

    assert [(one.receiver, one.next_try_at) for one in owed] == [
        ("mail", None),
        ("slack", at(0) + timedelta(seconds=2)),
    ]


def test_where_only_the_needing_one_would_be_told_another_is_told_too() -> None:
    """Though it wants major alerts only; the decision says why."""
    receivers = [Receiver(name="slack", depends_on=("slack",)), Receiver(name="pager", level=Level.MAJOR)]

    decisions, owed = notifications(Change(alert=make_alert(), reason=Reason.OPENED, at=at(0)), receivers, [], at(0))

    assert [(made.receiver, made.told, made.reason) for made in decisions] == [
        ("slack", True, Reason.OPENED),
        ("pager", True, Reason.FALLBACK),
    ]
    assert [one.receiver for one in owed] == ["pager", "slack"]


def test_a_failure_elsewhere_waits_for_nobody() -> None:
    """Zoom does not carry Slack."""
    receivers = [Receiver(name="slack", depends_on=("slack",)), Receiver(name="pager", level=Level.MAJOR)]
    change = Change(alert=make_alert(service="zoom"), reason=Reason.OPENED, at=at(0))

    _, owed = notifications(change, receivers, [], at(0))

    assert [(one.receiver, one.next_try_at) for one in owed] == [("slack", None)]


def test_services_that_another_explains_are_named_together_a_little_later() -> None:
    """Within a minute; those that come afterwards wait for the next ten."""
    history = History([told(Reason.OPENED, 0, make_alert(service="aws", key="aws-0"))])
    due = []
    for number, minute in enumerate([0.1, 0.5, 3.0, 12.0]):
        child = make_alert(service=f"s{number}", key=f"s{number}-0", cause="aws")
        decisions, owed = notifications(
            Change(alert=child, reason=Reason.OPENED, at=at(minute)), [R], [], at(minute), history=history
        )
        assert [made.reason for made in decisions] == [Reason.INHIBITED]
        due += [(one.next_try_at or at(0)) - at(0) for one in owed]

    assert [span.total_seconds() / 60 for span in due] == pytest.approx([1.1, 1.1, 10.1, 13.0])


def remind(minute: float, log: list[Notification], receiver: Receiver = R, *alerts: Alert) -> list[tuple[str, Reason]]:
    """What a minute owes."""
    _, owed = reminders(alerts or [make_alert()], [receiver], [], at(minute), history=History(log))
    return [(one.alert.service, one.reason) for one in owed]


def test_a_standing_alert_is_told_again_after_the_interval() -> None:
    """Four hours, unless set otherwise."""
    log = [told(Reason.OPENED)]

    assert remind(239, log) == []
    assert remind(240, log) == [("slack", Reason.REPEATED)]
    assert remind(10_000, log, replace(R, repeat=None)) == []
    assert remind(300, [*log, told(Reason.REPEATED, 240)]) == []


def test_what_quiet_hours_held_back_is_told_at_their_end_if_it_still_stands() -> None:
    """At six; not before, not when it is over."""
    late = make_alert(330)

    assert remind(345, [], SLEEPER, late) == []
    assert remind(360, [], SLEEPER, late) == [("slack", Reason.OPENED)]
    assert remind(360, [], SLEEPER, replace(late, state=AlertState.RESOLVED)) == []


def test_what_lasts_wakes_somebody_once() -> None:
    """After an hour, in the middle of the night."""
    history = History()
    found = [
        [one.reason for one in reminders([make_alert()], [SLEEPER], [], at(minute), history=history)[1]]
        for minute in (59, 60, 61)
    ]

    assert found == [[], [Reason.ESCALATED], []]


def test_a_silence_that_ends_leaves_the_alert_to_be_told() -> None:
    """The sender hears of it then, with the reason in the decision."""
    quiet = [Silence(id="s", service="*", starts_at=at(0), ends_at=at(30))]

    during = reminders([make_alert()], [R], quiet, at(29), history=History())
    decisions, owed = reminders([make_alert()], [R], quiet, at(30), history=History())

    assert during == ([], [])
    assert [one.reason for one in owed] == [Reason.OPENED]
    assert decisions[0].note == "nothing holds it back any more"


def test_a_child_that_outlasts_its_cause_is_told() -> None:
    """AWS is well again, the one that runs on it is not."""
    cause = make_alert(service="aws", key="aws-0")
    log = [told(Reason.OPENED, alert=cause)]
    over = [*log, told(Reason.RESOLVED, 20, cause)]

    assert remind(10, log, R, cause, CHILD) == []
    assert remind(30, over, R, CHILD) == []  # complaints about it ebb a little later
    assert remind(51, over, R, CHILD) == [("slack", Reason.OPENED)]


def test_a_reminder_below_the_level_or_off_the_route_stays_away() -> None:
    """As the first message would."""
    assert remind(30, [], Receiver(name="r", level=Level.MAJOR)) == []
    assert remind(30, [], Receiver(name="r", services=("zoom",))) == []


def test_watches_are_listed_once_a_day() -> None:
    """At nine, those of the day before; not again, not the older ones."""
    receiver = Receiver(name="r", digest=Hours.parse("09:00-09:00"))
    days = [make_alert(n * 60, key=f"w{n}", level=Level.WATCH, fired_at=None) for n in (8, 10, 30, 34)]
    grown = make_alert(20 * 60, key="grown")
    history = History()

    found = [
        [one.alert.key for one in digests([*days, grown], [receiver], at(minute), history=history)]
        for minute in (32 * 60, 33 * 60, 33 * 60 + 1, 50 * 60, 57 * 60)
    ]

    assert found == [[], ["w10", "w30"], [], [], ["w34"]]
    assert digests(days, [R, Receiver(name="w", level=Level.WATCH)], at(33 * 60), history=History()) == []
