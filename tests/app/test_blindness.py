"""F21, G9, I6: sources that fall silent, and what is said of it: to whoever asks, and to the operator."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.alerting.policy import Receiver
from detector.app.daemon import Connections
from detector.app.ears import Ears
from detector.app.health import ServiceHealth, SourceHealth, service_health, source_health
from detector.app.operator import Operator
from detector.domain import (
    MINUTE,
    AlertState,
    CoverageState,
    Level,
    Notification,
    Reason,
    ServiceState,
    Silence,
)
from detector.errors import Temporary
from detector.notify.render import plain_text
from detector.protocols import Harvest
from detector.store import Store
from tests.app.test_daemon import Source, good, reader, run_for
from tests.app.test_health import alert

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


@pytest.mark.parametrize("count", range(1, 7))
def test_g9_with_every_source_deaf_nothing_is_ever_ok(count: int) -> None:
    """All states of up to six sources: ok needs one that is heard, and enough of what is usually said."""
    names = [f"s{n}" for n in range(count)]
    shares = {"claude": dict.fromkeys(names, 1.0 / count)}
    for states in itertools.product(CoverageState, repeat=count):
        sources = {
            name: SourceHealth(source=name, state=state, heard_at=START)
            for name, state in zip(names, states, strict=True)
        }
        heard = sum(state is CoverageState.OK for state in states)
        plain = service_health("claude", alerts=[], sources=sources, learning=False)
        weighed = service_health("claude", alerts=[], sources=sources, learning=False, shares=shares)
        assert (plain.state is ServiceState.OK) == (heard > 0)
        assert (weighed.state is ServiceState.OK) == (heard * 2 >= count)


def test_a_source_that_brings_most_is_missed_more_than_one_that_brings_little() -> None:
    """Nine tenths of what is said about the service come from one place."""
    shares = {"claude": {"large": 0.9, "small": 0.1}}

    def without(name: str) -> ServiceHealth:
        sources = {
            each: SourceHealth(
                source=each, state=CoverageState.FAILING if each == name else CoverageState.OK, heard_at=START
            )
            for each in ("large", "small")
        }
        return service_health("claude", alerts=[], sources=sources, learning=False, shares=shares)

    assert without("small").state is ServiceState.OK
    assert without("large").state is ServiceState.UNKNOWN
    assert "only 10%" in without("large").why


def test_i6_an_outage_stays_one_when_nothing_is_heard() -> None:
    """I6: silence never resolves."""
    told = service_health("claude", alerts=[alert(Level.ALERT)], sources={}, learning=False)

    assert told.state is ServiceState.OUTAGE


def test_f21_a_source_that_hangs_is_stale_before_its_second_poll_is_due() -> None:
    """No error, no answer: two intervals are the limit, also where the source asked for a longer pause."""
    ears = Ears({"quick": 30.0, "slow": 120.0}, rng=random.Random(1))
    ears.begin(START)
    ears.rejoice("quick", START, expected=30.0)
    ears.rejoice("slow", START, expected=600.0)

    assert ears.silent(at(0.7)) == []
    assert [name for name, _, _ in ears.silent(at(1))] == ["quick"]
    assert [first for name, _, first in ears.silent(at(2)) if name == "quick"] == [False]
    assert [name for name, _, _ in ears.silent(at(20))] == ["quick", "slow"]
    assert ears.rejoice("quick", at(21))
    assert [name for name, _, _ in ears.silent(at(21))] == ["slow"]


def test_a_gap_is_unknown_for_minutes_and_then_past() -> None:
    """What was missed just now could be the outage."""
    ears = Ears({"a": 30.0}, rng=random.Random(1))
    ears.begin(START)
    ears.rejoice("a", START)
    ears.of("a").gap_until = START

    assert ears.health(at(1), gap_holds=5 * MINUTE)["a"].state is CoverageState.GAP
    assert ears.health(at(6), gap_holds=5 * MINUTE)["a"].state is CoverageState.OK


class Listener:
    """A notifier that takes everything."""

    def __init__(self, receiver: str) -> None:
        self.receiver = receiver
        self.told: list[Notification] = []

    async def send(self, notification: Notification) -> str | None:
        self.told.append(notification)
        return None

    async def aclose(self) -> None:
        """Nothing to release."""


def silent_between(begin: float, end: float) -> Callable[[int, datetime], Harvest]:
    def answer(n: int, now: datetime) -> Harvest:
        if at(begin) <= now < at(end):
            raise Temporary("source.example.org: refused the connection")
        return good(n, now)

    return answer


def test_f21_blindness_reaches_the_operator_within_five_minutes_and_its_end_too(tmp_path: Path) -> None:
    """All sources fail from minute ten to forty: one message about it, one when it is over, nothing else."""
    hook = Listener("hook")
    connections = Connections(
        collectors=[Source("good", silent_between(10, 40)), Source("bad", silent_between(5, 40))],
        notifiers=[hook],
        outbox_interval=15,
    )

    daemon = run_for(60, tmp_path / "d.db", connections, operator=Operator([Receiver(name="hook")]))

    assert [one.reason for one in hook.told] == [Reason.OPENED, Reason.RESOLVED]
    opened, resolved = hook.told
    assert opened.alert.service == "detector"
    assert at(10) < opened.created_at <= at(15)
    assert "all 2 services are unknown" in opened.alert.evidence[0].text
    assert "Outage detector: needs you" in plain_text(opened)
    assert "works again after" in plain_text(resolved)
    assert resolved.alert.key == opened.alert.key
    assert resolved.alert.state is AlertState.RESOLVED
    assert daemon.blind == frozenset()
    with reader(tmp_path / "d.db") as store:
        heard = source_health(store.read.coverage(), at(60))
        assert {each.state for each in heard.values()} == {CoverageState.OK}


def test_f21_one_hanging_source_is_noted_as_stale_and_blinds_nobody_else() -> None:
    """It neither answers nor fails; the other is heard, and what each brings is not yet known."""

    ears = Ears({"hangs": 30.0, "good": 30.0}, rng=random.Random(1))
    ears.begin(START)
    ears.rejoice("good", at(1))
    assert [name for name, _, _ in ears.silent(at(1.5))] == ["hangs"]
    health = ears.health(at(1.5), gap_holds=5 * MINUTE)
    assert health["hangs"].state is CoverageState.STALE
    assert service_health("claude", alerts=[], sources=health, learning=False).state is ServiceState.OK


def test_a_fault_is_told_after_minutes_again_after_hours_and_not_while_silenced() -> None:
    """Three minutes of patience, four hours between reminders."""
    operator = Operator([Receiver(name="ops"), Receiver(name="boss", level=Level.MAJOR)])
    hush = [Silence(id="s", service="detector", starts_at=at(0), ends_at=at(9), comment="")]

    assert operator.look("blind", "deaf", at(0)) == []
    assert operator.look("blind", "deaf", at(4), silences=hush) == []
    told = operator.look("blind", "deaf", at(10))
    assert [one.receiver for one in told] == ["ops"]
    assert operator.look("blind", "deaf", at(200)) == []
    assert [one.reason for one in operator.look("blind", "deaf", at(260))] == [Reason.REPEATED]
    assert operator.standing == ["deaf"]
    assert [one.reason for one in operator.look("blind", None, at(261))] == [Reason.RESOLVED]
    assert operator.look("blind", None, at(262)) == []


def test_a_short_fault_is_nobodys_business() -> None:
    """A minute of a network that is gone."""
    operator = Operator([Receiver(name="ops")])

    operator.look("blind", "deaf", at(0))
    assert operator.look("blind", None, at(1)) == []
    assert operator.look("blind", "deaf", at(2)) == []
    assert operator.look("blind", "deaf", at(4)) == []


def test_a_fault_that_was_told_is_taken_up_by_the_next_process(tmp_path: Path) -> None:
    """Its end is told by whoever sees it, and its beginning only once."""
    first, second = Operator([Receiver(name="ops")]), Operator([Receiver(name="ops")])
    first.look("blind", "deaf", at(0))
    with Store.open(tmp_path / "d.db", now=START) as store:
        for one in first.look("blind", "deaf", at(5)):
            store.outbox.add(one)
        second.take_up(store.read.notifications())

    assert second.look("blind", "deaf", at(6)) == []
    assert [one.reason for one in second.look("blind", None, at(7))] == [Reason.RESOLVED]
