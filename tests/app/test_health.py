"""State by coverage and alerts: deaf is unknown, and silence ends no outage."""

from __future__ import annotations

from datetime import timedelta

import pytest

from detector.app.health import ServiceHealth, SourceHealth, exit_code, service_health, source_health
from detector.domain import EPOCH, MINUTE, Alert, AlertState, Coverage, CoverageState, Estimate, Level, ServiceState

NOW = EPOCH + timedelta(days=1)


def span(source: str, minutes_ago: float, state: CoverageState, note: str = "") -> Coverage:
    at = NOW - minutes_ago * MINUTE
    return Coverage(source=source, from_at=at - MINUTE, to_at=at, state=state, note=note)


def alert(level: Level, state: AlertState = AlertState.FIRING) -> Alert:
    estimate = Estimate(
        service="claude", at=NOW, onset=NOW, people=5, expected=0.1, return_period_months=9, ratio=50, score=6,
        window_minutes=4,
    )  # fmt: skip
    return Alert(
        key="claude-1", service="claude", level=level, state=state, onset_at=NOW, watch_at=NOW, fired_at=None,
        updated_at=NOW, ended_at=None, estimate=estimate,
    )  # fmt: skip


def source(state: CoverageState) -> SourceHealth:
    return SourceHealth(source="x", state=state, heard_at=NOW)


@pytest.mark.parametrize(
    ("spans", "state"),
    [
        pytest.param([span("a", 1, CoverageState.OK)], CoverageState.OK, id="heard a minute ago"),
        pytest.param([span("a", 6, CoverageState.OK)], CoverageState.STALE, id="heard six minutes ago"),
        pytest.param(
            [span("a", 2, CoverageState.OK), span("a", 1, CoverageState.FAILING, "refused")],
            CoverageState.FAILING,
            id="failed since",
        ),
        pytest.param(
            [span("a", 2, CoverageState.FAILING), span("a", 1, CoverageState.OK)], CoverageState.OK, id="recovered"
        ),
        pytest.param(
            [span("a", 1, CoverageState.OK), span("a", 0.5, CoverageState.GAP)], CoverageState.GAP, id="a fresh gap"
        ),
        pytest.param(
            [span("a", 9, CoverageState.GAP), span("a", 1, CoverageState.OK)], CoverageState.OK, id="a gap is past"
        ),
    ],
)
def test_a_source_is_as_its_last_polls_left_it(spans: list[Coverage], state: CoverageState) -> None:
    """The last span counts, and it must be fresh."""
    assert source_health(spans, NOW)["a"].state is state


@pytest.mark.parametrize(
    ("alerts", "sources", "learning", "state"),
    [
        pytest.param([], [CoverageState.OK], False, ServiceState.OK, id="heard and quiet"),
        pytest.param([], [CoverageState.OK, CoverageState.FAILING], False, ServiceState.OK, id="one of two heard"),
        pytest.param([], [CoverageState.FAILING], False, ServiceState.UNKNOWN, id="deaf is unknown"),
        pytest.param([], [CoverageState.STALE], True, ServiceState.UNKNOWN, id="deaf beats learning"),
        pytest.param([], [CoverageState.OK], True, ServiceState.LEARNING, id="learning"),
        pytest.param([alert(Level.WATCH)], [CoverageState.OK], False, ServiceState.WATCH, id="watch"),
        pytest.param([alert(Level.ALERT)], [CoverageState.OK], False, ServiceState.OUTAGE, id="outage"),
        pytest.param(
            [alert(Level.MAJOR)], [CoverageState.FAILING], False, ServiceState.OUTAGE, id="silence ends nothing"
        ),
        pytest.param([alert(Level.ALERT, AlertState.RESOLVED)], [CoverageState.OK], False, ServiceState.OK, id="over"),
    ],
)
def test_what_we_say_of_a_service(
    alerts: list[Alert], sources: list[CoverageState], learning: bool, state: ServiceState
) -> None:
    """An open alert stands; without ears nothing is ok."""
    heard = {str(n): source(each) for n, each in enumerate(sources)}

    found = service_health("claude", alerts=alerts, sources=heard, learning=learning)

    assert isinstance(found, ServiceHealth)
    assert found.state is state
    assert found.why


@pytest.mark.parametrize(
    ("states", "code"),
    [([], 2), (["ok", "learning", "watch"], 0), (["ok", "unknown"], 2), (["unknown", "outage"], 1)],
)
def test_the_exit_code_of_a_look(states: list[str], code: int) -> None:
    """An outage is 1, blindness 2, and of both the outage counts."""
    assert exit_code([ServiceState(each) for each in states]) == code
