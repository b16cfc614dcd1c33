"""What is told together, by a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alerting.grouping import Pace, plan
from detector.alerting.policy import owe
from detector.domain import AlertState, Change, Level, Notification, Reason
from tests.builders import at, make_alert


def row(
    service: str, reason: Reason = Reason.OPENED, *, cause: str | None = None, minute: float = 0, key: str = ""
) -> Notification:
    state = AlertState.RESOLVED if reason is Reason.RESOLVED else AlertState.FIRING
    alert = make_alert(service=service, key=key or f"{service}-1", cause=cause, state=state)
    return owe(Change(alert=alert, reason=reason, at=at(minute)), "r", at(minute))


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([row("a"), row("b"), row("c")], [["a"], ["b"], ["c"]], id="three are three"),
        pytest.param([row(name) for name in "abcd"], [["a", "b", "c", "d"]], id="four are a storm"),
        pytest.param([row("a", cause="z"), row("z")], [["z", "a"]], id="a cause and what it explains"),
        pytest.param([row("a", cause="z"), row("b", cause="z")], [["a", "b"]], id="two of one cause"),
        pytest.param([row("b"), row("a", cause="z"), row("z")], [["b"], ["z", "a"]], id="beside another"),
        pytest.param(
            [row("a", Reason.INHIBITED, cause="z"), row("b", Reason.INHIBITED, cause="z")],
            [["a", "b"]],
            id="explained ones are named together",
        ),
        pytest.param([row("a"), row("a", Reason.RESOLVED)], [["a"], ["a"]], id="a life in order"),
        pytest.param([row("a", Reason.DIGEST), row("b", Reason.DIGEST), row("c")], [["c"], ["a", "b"]], id="digest"),
        pytest.param([row("a", minute=-11), row("b")], [["a", "b"]], id="one is late"),
        pytest.param([row("a", minute=-11)], [["a"]], id="one late by itself"),
    ],
)
def test_what_is_told_together(due: list[Notification], expected: list[list[str]]) -> None:
    """Each row is one rule; the cause stands first."""
    found = plan(due, at(0))

    assert [[one.alert.service for one in (batch.shown, *batch.shown.others)] for batch in found] == expected


def test_a_receiver_that_comes_back_gets_everything_at_once() -> None:
    """The latest of each alert; ends stand last."""
    due = [row("a"), row("a", Reason.RESOLVED), row("b")]

    (batch,) = plan(due, at(0), recovering=True)

    assert batch.rows == tuple(due)
    assert [(one.alert.service, one.reason) for one in (batch.shown, *batch.shown.others)] == [
        ("b", Reason.OPENED),
        ("a", Reason.RESOLVED),
    ]


def test_a_message_held_back_on_purpose_is_not_late() -> None:
    """One that names explained services waits ten minutes by design."""
    held = replace(row("a", Reason.INHIBITED, cause="z", minute=-11), next_try_at=at(0))

    assert len(plan([held, row("b")], at(0))) == 2


def test_a_doubtful_try_stays_doubtful_in_a_summary() -> None:
    """The later message on the alert carries the doubt of the earlier."""
    (batch,) = plan(
        [replace(row("a"), attempts=1, failed="may have arrived: x"), row("a", Reason.RESOLVED)], at(0), recovering=True
    )

    assert batch.shown.failed == "may have arrived: x"


ROWS = st.builds(
    row,
    st.sampled_from("abcdef"),
    st.sampled_from([Reason.OPENED, Reason.RESOLVED, Reason.INHIBITED, Reason.DIGEST, Reason.UNDELIVERED]),
    cause=st.sampled_from([None, "a", "z"]),
    minute=st.floats(-30, 0),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ROWS, max_size=30), st.booleans())
def test_every_row_is_in_one_message_and_every_alert_is_named(due: list[Notification], recovering: bool) -> None:
    """Nothing is lost by grouping, nothing told twice."""
    due = [replace(one, id=f"{one.id}/{number}") for number, one in enumerate(due)]

    found = plan(due, at(0), recovering=recovering)

    assert sorted(one.id for batch in found for one in batch.rows) == sorted(one.id for one in due)
    for batch in found:
        shown = [one.alert.key for one in (batch.shown, *batch.shown.others)]
        assert sorted(set(shown)) == sorted(shown)
        assert set(shown) == {one.alert.key for one in batch.rows}


def test_the_worst_stands_first() -> None:
    """Where no cause is known."""
    due = [row(name) for name in "abcd"]
    due[2] = replace(due[2], alert=replace(due[2].alert, level=Level.MAJOR))

    (batch,) = plan(due, at(0))

    assert batch.shown.alert.service == "c"


def test_a_clock_that_steps_back_does_not_silence_a_receiver() -> None:
    """Nor does it give anything."""
    pace = Pace(burst=1, every=timedelta(minutes=1))

    assert pace.take(at(10))
    assert not pace.take(at(0))
    assert pace.take(at(1))
