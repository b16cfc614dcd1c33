"""Who is told, and the reason, by a table."""

from __future__ import annotations

import pytest

from detector.alerting.policy import Receiver, decide, notifications
from detector.domain import Alert, Change, Level, Reason, Silence
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
