"""State at its edges: the last second in which a source counts as heard, a gap as open, a daemon as alive."""

from __future__ import annotations

from datetime import timedelta

import pytest

from detector.app.health import (
    DEAD_AFTER,
    ENOUGH,
    GAP_HOLDS,
    SHARES_REACH,
    STALE_AFTER,
    ServiceHealth,
    SourceHealth,
    exit_code,
    heard_share,
    service_health,
    source_health,
    without_daemon,
)
from detector.domain import EPOCH, MINUTE, AlertState, Coverage, CoverageState, Level, ServiceState
from tests.app.test_health import alert

NOW = EPOCH + timedelta(days=1)
SECOND = timedelta(seconds=1)
OK, FAILING, STALE, GAP = CoverageState.OK, CoverageState.FAILING, CoverageState.STALE, CoverageState.GAP


def span(state: CoverageState, to_at: timedelta, *, source: str = "a", note: str = "") -> Coverage:
    """A span of a minute that ended so long ago."""
    return Coverage(source=source, from_at=NOW - to_at - MINUTE, to_at=NOW - to_at, state=state, note=note)


def look(*spans: Coverage) -> SourceHealth:
    return source_health(spans, NOW)["a"]


def ears(**states: CoverageState) -> dict[str, SourceHealth]:
    return {name: SourceHealth(source=name, state=state, heard_at=NOW) for name, state in states.items()}


def judge(
    sources: dict[str, SourceHealth], *, learning: bool = False, shares: dict[str, dict[str, float]] | None = None
) -> ServiceHealth:
    return service_health("claude", alerts=[], sources=sources, learning=learning, shares=shares)


def test_the_figures_of_the_rules() -> None:
    """Two polls and a minute; five minutes of a gap; two of a daemon; a fortnight of shares; half of what is said."""
    assert (STALE_AFTER, GAP_HOLDS, DEAD_AFTER) == (5 * MINUTE, 5 * MINUTE, 2 * MINUTE)
    assert (timedelta(days=14), 0.5) == (SHARES_REACH, ENOUGH)


def test_a_source_is_stale_a_moment_after_five_minutes() -> None:
    """Not at five minutes; another bound can be given."""
    assert look(span(OK, 5 * MINUTE)).state is OK
    assert look(span(OK, 5 * MINUTE + SECOND)).state is STALE
    assert source_health([span(OK, MINUTE)], NOW, stale_after=MINUTE)["a"].state is OK
    assert source_health([span(OK, MINUTE)], NOW, stale_after=MINUTE - SECOND)["a"].state is STALE


def test_the_latest_answer_counts_whatever_the_order() -> None:
    """An older span noted later does not take it back, and a failure keeps it."""
    found = look(span(OK, MINUTE), span(OK, 9 * MINUTE))
    assert (found.state, found.heard_at) == (OK, NOW - MINUTE)
    found = look(span(OK, 3 * MINUTE), span(FAILING, MINUTE, note="no route"))
    assert (found.state, found.heard_at, found.note) == (FAILING, NOW - 3 * MINUTE, "no route")
    found = look(span(FAILING, 3 * MINUTE, note="no route"), span(OK, MINUTE))
    assert (found.state, found.note) == (OK, "")
    assert look(span(FAILING, 90 * MINUTE)).heard_at is None
    assert look(span(FAILING, 90 * MINUTE)).state is FAILING
    assert look(span(STALE, MINUTE)).state is STALE


def test_a_gap_is_open_for_five_minutes_and_weighs_less_than_a_failure() -> None:
    """It hides an answer, never a failure; alone it is all that is known."""
    heard = span(OK, MINUTE)
    assert look(heard, span(GAP, 5 * MINUTE, note="hole")).state is GAP
    assert look(heard, span(GAP, 5 * MINUTE, note="hole")).note == "hole"
    assert look(heard, span(GAP, 5 * MINUTE, note="hole")).heard_at == NOW - MINUTE
    assert look(heard, span(GAP, 5 * MINUTE + SECOND)).state is OK
    assert look(span(FAILING, MINUTE), span(GAP, MINUTE)).state is FAILING
    assert look(span(OK, 9 * MINUTE), span(GAP, MINUTE)).state is STALE
    alone = look(span(GAP, 90 * MINUTE, note="hole"))
    assert (alone.state, alone.heard_at, alone.note) == (GAP, None, "hole")


def test_spans_about_everything_are_no_source() -> None:
    """They stand for the whole, and would be a source of that name else."""
    found = source_health(
        [span(FAILING, MINUTE, source="*"), span(FAILING, MINUTE, source="*claude"), span(OK, MINUTE)], NOW
    )

    assert set(found) == {"a"}


@pytest.mark.parametrize(
    ("shares", "heard"),
    [
        ({}, 1.0),
        ({"claude": {}}, 1.0),
        ({"claude": {"a": 0.5, "b": 0.5}}, 0.5),
        ({"claude": {"a": 1.0, "b": 3.0}}, 0.25),
        ({"claude": {"a": 0.0, "b": 1.0}}, 0.0),
        ({"claude": {"gone": 1.0}}, 1.0),
        ({"github": {"b": 1.0}}, 1.0),
    ],
)
def test_how_much_is_heard(shares: dict[str, dict[str, float]], heard: float) -> None:
    """Of what the sources that there are usually bring; unknown shares leave one source that answers enough."""
    assert heard_share("claude", ears(a=OK, b=FAILING), shares) == heard
    assert heard_share("claude", ears(a=FAILING, b=STALE), {}) == 0.0
    assert heard_share("claude", {}, {}) == 0.0


def test_half_of_what_is_said_is_enough() -> None:
    """And a little less is not; the words tell what is missing."""
    enough = judge(ears(a=OK, b=FAILING), shares={"claude": {"a": 0.5, "b": 0.5}})
    little = judge(ears(a=OK, b=FAILING), shares={"claude": {"a": 0.49, "b": 0.51}})

    assert (enough.state, enough.why) == (ServiceState.OK, "nothing unusual; not heard: b")
    assert little.state is ServiceState.UNKNOWN
    assert little.why == "only 49% of what is usually said is heard; not heard: b"


def test_what_is_said_of_a_service() -> None:
    """Nothing heard yet, nobody heard, learning, and all well, each in its words."""
    assert judge({}).why == "nothing was heard yet"
    assert judge({}).state is ServiceState.UNKNOWN
    assert judge(ears(b=FAILING, a=STALE)).why == "no source is heard: a, b"
    assert judge(ears(a=OK), learning=True).state is ServiceState.LEARNING
    assert judge(ears(a=FAILING), learning=True).state is ServiceState.UNKNOWN
    assert judge(ears(a=OK)).why == "nothing unusual"
    assert judge(ears(a=OK)).alert is None


def test_an_alert_of_the_service_that_fires_decides() -> None:
    """The worst of them; others' alerts and those that are over do not."""
    mine = [alert(Level.WATCH), alert(Level.MAJOR), alert(Level.ALERT), alert(Level.MAJOR, AlertState.RESOLVED)]

    found = service_health("claude", alerts=mine, sources={}, learning=True)
    assert found.state is ServiceState.OUTAGE
    assert found.alert is mine[1]
    assert found.why.startswith("major since ")
    watched = service_health("claude", alerts=[alert(Level.WATCH)], sources={}, learning=False)
    assert watched.state is ServiceState.WATCH
    for others in ([alert(Level.MAJOR, AlertState.RESOLVED)], []):
        assert service_health("claude", alerts=others, sources=ears(a=OK), learning=False).state is ServiceState.OK
    assert service_health("github", alerts=mine, sources=ears(a=OK), learning=False).state is ServiceState.OK


def test_a_daemon_is_alive_for_two_minutes() -> None:
    """At two minutes still; a database older than that sign says nothing of it."""
    assert without_daemon(NOW - 2 * MINUTE, NOW) is None
    assert without_daemon(NOW - 2 * MINUTE - SECOND, NOW) is not None
    assert without_daemon(None, NOW) is None


def test_the_exit_code_of_each_mixture() -> None:
    """An outage before the unknown, the unknown before all else; nothing at all is unknown."""
    outage, unknown, watch, learning, ok = (
        ServiceState.OUTAGE, ServiceState.UNKNOWN, ServiceState.WATCH, ServiceState.LEARNING, ServiceState.OK,
    )  # fmt: skip
    assert exit_code([]) == 2
    assert exit_code([ok, watch, learning]) == 0
    assert exit_code([ok, unknown]) == 2
    assert exit_code([unknown, outage, ok]) == 1
