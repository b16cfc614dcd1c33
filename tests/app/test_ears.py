"""How long a source may keep silent, how rarely a failing one is asked, and what is said of either."""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

import pytest

from detector.app.ears import LONGEST_BACKOFF, NOTE_EVERY, Ears
from detector.app.health import STALE_AFTER
from detector.domain import EPOCH, CoverageState
from detector.errors import Permanent, Temporary

HOLDS = timedelta(minutes=5)


def at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


class Even(random.Random):
    """No jitter."""

    def uniform(self, a: float, b: float) -> float:
        assert (a, b) == (0.8, 1.2)
        return 1.0


def ears(**intervals: float) -> Ears:
    made = Ears(intervals or {"a": 30.0}, rng=Even())
    made.begin(at(0))
    return made


def state(found: Ears, seconds: float, source: str = "a") -> CoverageState | None:
    health = found.health(at(seconds), gap_holds=HOLDS)
    return health[source].state if source in health else None


@pytest.mark.parametrize(
    ("interval", "allowed"), [(30.0, 45.0), (10.0, 15.0), (5.0, 7.5), (60.0, 105.0), (120.0, 225.0)]
)
def test_a_source_is_silent_just_before_its_second_poll_is_due(interval: float, allowed: float) -> None:
    """Two intervals less a look, and at least one and a half."""
    found = ears(a=interval)
    found.rejoice("a", at(100), expected=interval)

    assert found.silent(at(100 + allowed - 0.01)) == []
    assert found.silent(at(100 + allowed)) == [("a", at(100), True)]
    assert found.silent(at(100 + allowed + 15)) == [("a", at(100), False)]
    assert state(found, 100 + allowed) is CoverageState.STALE


def test_a_source_that_was_never_heard_is_measured_from_the_start() -> None:
    """And is neither heard nor silent before."""
    found = ears()

    assert state(found, 10) is None
    assert found.silent(at(44)) == []
    assert found.silent(at(45)) == [("a", at(0), True)]
    assert Ears({"a": 30.0}, rng=Even()).silent(at(1000)) == []


def test_a_failing_source_is_failing_not_silent(caplog: pytest.LogCaptureFixture) -> None:
    """Each failure is counted; each kind of it is said once a streak; its end is said with their number."""
    found = ears()
    with caplog.at_level(logging.DEBUG, "detector"):
        for _ in range(3):
            found.complain("a", Temporary("no route"), 30.0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.DEBUG, logging.DEBUG]
    assert found.silent(at(1000)) == []
    assert state(found, 1000) is CoverageState.FAILING
    assert found.health(at(0), gap_holds=HOLDS)["a"].note == "no route"

    caplog.clear()
    with caplog.at_level(logging.INFO, "detector"):
        assert found.rejoice("a", at(50)) is True
        assert found.rejoice("a", at(51)) is False
    assert [record.getMessage() for record in caplog.records] == ["a: reachable again after 3 failures"]
    assert state(found, 52) is CoverageState.OK
    assert found.health(at(52), gap_holds=HOLDS)["a"].note == ""
    with caplog.at_level(logging.WARNING, "detector"):
        found.complain("a", Temporary("no route"), 30.0)
    assert caplog.records[-1].levelno == logging.WARNING


def test_a_silence_that_ends_is_said_and_asks_for_a_note(caplog: pytest.LogCaptureFixture) -> None:
    """Heard again: the span before was not, and a new one begins."""
    found = ears()
    found.rejoice("a", at(0))
    found.silent(at(60))

    with caplog.at_level(logging.INFO, "detector"):
        assert found.rejoice("a", at(70)) is True
    assert caplog.records[-1].getMessage() == "a: heard again"
    assert found.silent(at(71)) == []


def test_a_source_may_ask_for_more_time_but_not_for_less_than_its_interval() -> None:
    """What it says of the next poll counts, from its own interval up."""
    found = ears()

    found.rejoice("a", at(0), expected=100.0)
    assert found.silent(at(184)) == []
    assert found.silent(at(185)) != []
    found.rejoice("a", at(200), expected=1.0)
    assert found.silent(at(244)) == []
    assert found.silent(at(245)) != []


def test_the_wait_doubles_up_to_five_minutes() -> None:
    """From five seconds, or the interval where that is less; a server that asks for more gets more."""
    found = ears()

    assert [found.complain("a", Permanent("gone"), 30.0) for _ in range(9)] == [
        5.0, 10.0, 20.0, 40.0, 80.0, 160.0, LONGEST_BACKOFF, LONGEST_BACKOFF, LONGEST_BACKOFF,
    ]  # fmt: skip
    assert [found.complain("b", Permanent("gone"), 2.0) for _ in range(2)] == [2.0, 4.0]
    assert found.complain("c", Temporary("429", retry_after=77.0), 30.0) == 77.0
    assert found.complain("d", Temporary("429", retry_after=1.0), 30.0) == 5.0
    assert found.backoff(1, 1.0) == 1.0
    assert found.backoff(10_000, 1.0) == LONGEST_BACKOFF == 300.0


def test_the_jitter_is_a_fifth_to_either_side() -> None:
    """So that a thousand daemons do not come back in the same second."""
    found = Ears({}, rng=random.Random(1))
    waits = [found.backoff(1, 10.0) for _ in range(500)]

    assert 8.0 <= min(waits) < 8.2
    assert 11.8 < max(waits) <= 12.0


def test_a_gap_holds_for_minutes() -> None:
    """Longer than that it is past; a failure weighs more."""
    found = ears()
    found.rejoice("a", at(0))
    found.of("a").gap_until = at(0)

    assert state(found, 300) is CoverageState.GAP
    assert state(found, 301) is CoverageState.OK
    found.complain("a", Temporary("no"), 30.0)
    assert state(found, 10) is CoverageState.FAILING


def test_deaf_since_the_last_of_them_was_heard() -> None:
    """The latest answer of any; from the start where there was none; now where nobody listens."""
    found = ears(a=30.0, b=30.0)

    assert found.deaf_since(["a", "b"], at(99)) == at(0)
    found.rejoice("a", at(10))
    found.rejoice("b", at(20))
    assert found.deaf_since(["a", "b"], at(99)) == at(20)
    assert found.deaf_since(["a"], at(99)) == at(10)
    assert found.deaf_since([], at(99)) == at(99)
    assert found.deaf_since(["page"], at(99)) == at(99)


def test_one_failure_is_a_streak_and_its_end_is_said() -> None:
    """Not only the second: the span since the last answer was not heard."""
    found = ears()
    found.rejoice("a", at(0))
    found.complain("a", Temporary("no"), 30.0)

    assert found.rejoice("a", at(30)) is True
    assert found.rejoice("a", at(60)) is False


def test_a_quick_source_is_asked_again_quickly() -> None:
    """A failure without a wish of the server's waits as long as the source's own pace says, not a second."""
    found = ears()

    assert found.complain("a", Temporary("no"), 0.5) == 0.5
    assert found.complain("b", Temporary("no", retry_after=0.0), 0.25) == 0.25


def test_what_has_no_interval_is_expected_within_a_minute_until_it_says_otherwise() -> None:
    """A status page, say; its own word counts then, however short."""
    found = ears()

    assert found.of("page").expected == 60.0
    found.rejoice("page", at(0), expected=0.5)
    assert found.of("page").expected == 0.5


def test_a_source_that_answers_is_noted_each_minute() -> None:
    """So a crash costs a minute of what was heard, and `status` has called nobody stale by then."""
    assert 4 * NOTE_EVERY < STALE_AFTER
    assert timedelta(minutes=1) == NOTE_EVERY
