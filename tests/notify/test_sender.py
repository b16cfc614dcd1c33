"""The sender's rules one by one, to the second and to the row: each line would be missed by somebody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from detector.alerting.grouping import Pace
from detector.domain import AlertState, Notification, Reason
from detector.errors import DeliveryError
from detector.notify import outbox
from detector.notify.outbox import Sender
from detector.store import Store
from tests.notify.builders import NOON, make_alert, make_notification, minute
from tests.notify.test_outbox import Clock, Receiver, owe

REFUSED = DeliveryError("no_service", permanent=True)
WIDE = Pace(burst=100, every=timedelta(seconds=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        yield opened


def about(service: str, reason: Reason = Reason.OPENED, *, receiver: str = "ops", number: int = 1) -> Notification:
    return make_notification(reason, make_alert(key=f"{service}-1", service=service), receiver=receiver, number=number)


def sender(
    store: Store, *receivers: Receiver, clock: Clock | None = None, pace: Pace = WIDE, chance: float = 0.5,
    fallbacks: dict[str, str] | None = None, give_up_after: timedelta = outbox.GIVE_UP_AFTER,
) -> Sender:  # fmt: skip
    return Sender(
        receivers,
        store.outbox,
        now=clock or Clock(),
        poll=60.0,
        chance=lambda: chance,
        paces={each.receiver: replace(pace) for each in receivers},
        fallbacks=fallbacks,
        give_up_after=give_up_after,
    )


def rounds(post: Sender, name: str = "ops", times: int = 1) -> list[int]:
    return [asyncio.run(post.send_due(name)) for _ in range(times)]


def row(store: Store, name: str) -> Notification:
    return next(each for each in store.read.notifications() if each.id == name)


@pytest.mark.parametrize(
    ("asked", "chance", "waits"),
    [
        (0.2, 0.0, 1.0),
        (30.0, 0.0, 30.0),
        (30.0, 0.5, 31.5),
        (3600.0, 0.0, 3600.0),
        (3e8, 0.0, 3600.0),
        (3e8, 1.0, 3960.0),
    ],
)
def test_f20_f23_a_wait_asked_for_is_kept_from_a_second_to_an_hour(
    store: Store, asked: float, chance: float, waits: float
) -> None:
    """Never sooner; luck adds a tenth at most; nobody is believed for years."""
    owe(store, about("zoom"))
    clock = Clock()
    rounds(sender(store, Receiver(failures=[DeliveryError("429", retry_after=asked)]), clock=clock, chance=chance))

    assert row(store, about("zoom").id).next_try_at == clock.at + timedelta(seconds=waits)


def test_f23_a_receiver_that_hangs_is_left_after_a_minute(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message may have arrived, so what follows on the alert waits; what is on others goes ahead."""
    assert outbox.LONGEST_SEND_S == 60
    monkeypatch.setattr(outbox, "LONGEST_SEND_S", 0.02)
    owe(store, about("zoom"), about("zoom", Reason.RESOLVED, number=2))
    receiver = Receiver()

    async def hang() -> int:
        receiver.hold = asyncio.Event()
        return await sender(store, receiver).send_due("ops")

    assert asyncio.run(hang()) == 0
    first, second = (row(store, about("zoom", number=number).id) for number in (1, 2))
    assert (first.attempts, first.failed) == (1, "may have arrived: the notifier took too long")
    assert (second.attempts, second.failed) == (0, None)


def test_two_failures_running_are_trouble_and_one_is_none(store: Store) -> None:
    """After one, two alerts are two messages; after two, what gathered is one."""
    for failures, messages in ((1, 2), (2, 1)):
        clock, receiver = Clock(), Receiver(f"r{failures}", failures=[DeliveryError("503")] * failures)
        post = sender(store, receiver, clock=clock)
        owe(store, about("zoom", receiver=receiver.receiver))
        for _ in range(failures):
            rounds(post, receiver.receiver)
            clock.go(6)
        owe(store, about("slack", receiver=receiver.receiver))
        rounds(post, receiver.receiver)

        assert len(receiver.got) == messages


def test_trouble_is_over_with_the_first_message_that_arrives(store: Store) -> None:
    """What comes after it is told by itself again."""
    clock, receiver = Clock(), Receiver(failures=[DeliveryError("503")] * 3)
    post = sender(store, receiver, clock=clock)
    owe(store, about("zoom"))
    for _ in range(4):
        rounds(post)
        clock.go(20)
    owe(store, about("slack"), about("notion"))
    rounds(post)

    assert [got.alert.service for got in receiver.got] == ["zoom", "slack", "notion"]


def test_a_refusal_is_no_trouble_of_the_channel(store: Store) -> None:
    """However many it refuses: the next one is tried at once."""
    receiver = Receiver(failures=[REFUSED] * 3)
    post = sender(store, receiver)
    for service in ("zoom", "slack", "notion", "github"):
        owe(store, about(service))
        rounds(post)

    assert [got.alert.service for got in receiver.got] == ["github"]
    assert (post.sent, post.failed, post.given_up) == (1, 3, 3)


class NoGroups(Receiver):
    """Takes one alert at a time."""

    async def send(self, notification: Notification) -> str | None:
        if notification.others:
            self.asked = getattr(self, "asked", 0) + 1
            raise DeliveryError("invalid_blocks", permanent=True)
        return await super().send(notification)

    asked: int = 0


def test_a_refused_summary_is_told_in_parts_once_and_the_next_one_is_tried_again(store: Store) -> None:
    """Of two alerts with one cause already; nothing is given up, and nobody is told that something was."""
    clock, receiver, other = Clock(), NoGroups(), Receiver("other")
    post = sender(store, receiver, other, clock=clock)
    child = replace(about("notion"), alert=make_alert(key="notion-1", service="notion", cause="aws"))
    owe(store, about("aws"), child)
    assert rounds(post) == [0]
    clock.go(5)
    assert rounds(post) == [2]
    assert (receiver.asked, post.given_up, other.got) == (1, 0, [])
    owe(store, *(about(f"s{number}") for number in range(4)))
    rounds(post)

    assert receiver.asked == 2
    assert len(receiver.got) == 2


def test_the_rows_of_one_message_fail_and_arrive_together(store: Store) -> None:
    """Counted by row, each with its own history of doubt."""
    clock, receiver = Clock(), Receiver(failures=[DeliveryError("reset", ambiguous=True), DeliveryError("503")])
    post = sender(store, receiver, clock=clock)
    owe(store, *(about(f"s{number}") for number in range(4)))
    rounds(post)
    assert (post.sent, post.failed, post.given_up) == (0, 4, 0)
    clock.go(10)
    owe(store, about("s4"))
    rounds(post)
    said = {each.alert.service: each.failed for each in store.read.notifications()}
    assert said == {**{f"s{number}": "may have arrived: 503" for number in range(4)}, "s4": "503"}
    clock.go(60)

    assert rounds(post) == [5]
    assert (post.sent, post.failed, len(receiver.got)) == (5, 9, 1)


@pytest.mark.parametrize(("short", "dead"), [(0.0, True), (0.5, False)])
def test_a_message_is_given_up_at_three_days_to_the_second(store: Store, short: float, dead: bool) -> None:
    """Not a moment sooner; it is counted."""
    owe(store, about("zoom"))
    clock = Clock()
    clock.at = about("zoom").created_at + timedelta(days=3) - timedelta(seconds=short)
    post = sender(store, Receiver(failures=[DeliveryError("no")]), clock=clock)
    rounds(post)

    assert len(store.read.dead_letters()) == post.given_up == int(dead)


def test_what_surely_did_not_arrive_costs_no_part_of_the_pace(store: Store) -> None:
    """One a minute: a refused connection is tried again in a second, a doubtful one in a minute."""
    one = Pace(burst=1, every=timedelta(minutes=1))
    tried = []
    for name, error in (("plain", DeliveryError("no")), ("doubtful", DeliveryError("reset", ambiguous=True))):
        clock, receiver = Clock(), Receiver(name, failures=[error])
        owe(store, about("zoom", receiver=name))
        post = sender(store, receiver, clock=clock, pace=one)
        rounds(post, name)
        clock.go(2)
        rounds(post, name)
        tried.append(len(receiver.got))
        clock.go(58)
        rounds(post, name)
        tried.append(len(receiver.got))

    assert tried == [1, 1, 0, 1]


def test_a_message_names_its_thread_and_the_moment_of_the_try(store: Store) -> None:
    """All alerts of a summary; a digest, a report and what is only affected begin and join no thread."""
    clock, receiver = Clock(), Receiver()
    post = sender(store, receiver, clock=clock)
    owe(store, about("zoom"))
    rounds(post)
    assert (receiver.got[0].thread, receiver.got[0].tried_at) == (None, clock.at)
    clock.go(60)
    over = make_alert(key="zoom-1", service="zoom", state=AlertState.RESOLVED, ended_at=minute(6))
    late = make_notification(Reason.RESOLVED, over, number=2)
    owe(store, late, about("zoom", Reason.DIGEST, number=3), about("zoom", Reason.UNDELIVERED, number=4))
    rounds(post)

    threads = {got.reason: got.thread for got in receiver.got[1:]}
    assert threads == {Reason.RESOLVED: "ts-1", Reason.DIGEST: None, Reason.UNDELIVERED: None}
    assert {got.tried_at for got in receiver.got[1:]} == {clock.at}


def test_f23_a_refusal_is_reported_by_the_fallback_then_by_the_first_that_is_well(store: Store) -> None:
    """The one named, unless it is in trouble or refuses too; each alert once; nobody reports to themselves."""
    bad, first, named = Receiver("bad", failures=[REFUSED] * 9), Receiver("a"), Receiver("z")
    clock = Clock()
    post = sender(store, first, bad, named, clock=clock, fallbacks={"bad": "z"})

    def in_trouble(receiver: Receiver) -> None:
        receiver.failures = [DeliveryError("503")] * 2
        for _ in range(2):
            rounds(post, receiver.receiver)
            clock.go(3)

    owe(store, about("zoom", receiver="bad"))
    rounds(post, "bad", 2)
    assert [each.id for each in store.outbox.due(clock.at)] == ["zoom-1/z/undelivered-bad"]

    in_trouble(named)
    owe(store, about("slack", receiver="bad"))
    rounds(post, "bad")
    assert "slack-1/a/undelivered-bad" in {each.id for each in store.read.notifications()}

    in_trouble(first)
    owe(store, about("notion", receiver="bad"))
    rounds(post, "bad")
    report = row(store, "notion-1/z/undelivered-bad")
    assert (report.receiver, report.reason, report.created_at) == ("z", Reason.UNDELIVERED, clock.at)


def test_a_refused_report_is_not_reported_and_one_that_refused_is_asked_again_once_it_takes(store: Store) -> None:
    """Two that refuse each other's reports would go on for ever; one that takes messages again hears reports again."""
    one, two = Receiver("one", failures=[REFUSED]), Receiver("two", failures=[REFUSED])
    clock = Clock()
    post = sender(store, one, two, clock=clock)
    owe(store, about("zoom", receiver="one"))
    rounds(post, "one")
    rounds(post, "two")
    assert sorted(each.receiver for each in store.read.dead_letters()) == ["one", "two"]
    assert len(store.read.notifications()) == 2

    owe(store, about("slack", receiver="one"))
    assert rounds(post, "one") == [1]
    two.failures = [REFUSED]
    owe(store, about("notion", receiver="two"))
    rounds(post, "two")
    assert [each.id for each in store.outbox.due(clock.at)] == ["notion-1/one/undelivered-two"]


def test_a_report_goes_out_at_once(store: Store) -> None:
    """The other receiver is woken, however rarely it looks by itself."""
    bad, good = Receiver("bad", failures=[REFUSED]), Receiver("good")

    async def day() -> None:
        good.arrived = asyncio.Event()
        owe(store, about("zoom", receiver="bad"))
        running = asyncio.create_task(sender(store, good, bad).run())
        async with asyncio.timeout(10):
            await good.arrived.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(day())

    assert [got.reason for got in good.got] == [Reason.UNDELIVERED]


def test_a_round_looks_at_a_thousand_messages_and_no_more(store: Store) -> None:
    """Two hundred alerts are one message; a flood of them does not fill the memory."""
    asked: list[int] = []
    honest = store.outbox.due

    def due(now: datetime, *, receiver: str | None = None, limit: int = 100) -> list[Notification]:
        asked.append(limit)
        return honest(now, receiver=receiver, limit=limit)

    store.outbox.due = due  # type: ignore[method-assign]
    rounds(sender(store, Receiver()))

    assert asked == [1000]
