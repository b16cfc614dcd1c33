"""What arrives, in alertmanager's style: every message that is wanted, within its time, and not one more."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from detector.alerting.grouping import Pace
from detector.alerting.policy import History, Receiver, notifications
from detector.domain import AlertState, Change, Level, Notification, Reason
from detector.errors import DeliveryError
from detector.notify.outbox import Sender
from detector.notify.render import plain_text
from detector.store import Store
from tests.notify.builders import NOON, make_alert, make_notification, minute
from tests.notify.channels import SLACK_BOT, Server, Slack


class Collector:
    """A receiver that notes what came and when; `check` fails on anything missing, early, late or extra.

    Attributes:
        down: what it answers; None takes the message.
    """

    def __init__(self, day: Day, receiver: str = "ops") -> None:
        self.receiver = receiver
        self.day = day
        self.down: DeliveryError | None = None
        self.tries = 0
        self.got: list[tuple[datetime, Notification]] = []
        self.wanted: list[tuple[float, float, str]] = []

    async def send(self, notification: Notification) -> str | None:
        self.tries += 1
        if self.down is not None:
            raise self.down
        self.got.append((self.day.at, notification))
        return f"{len(self.got)}"

    async def aclose(self) -> None:
        """Nothing to release."""

    def want(self, after: float, before: float, words: str) -> None:
        """A message with these words between two moments, in minutes after noon."""
        self.wanted.append((after, before, words))

    def check(self) -> None:
        left = [(at, plain_text(replace(told, tried_at=at))) for at, told in self.got]
        for after, before, words in self.wanted:
            found = [one for one in left if minute(after) <= one[0] <= minute(before) and words in one[1]]
            assert found, f"{words!r} did not come between {after} and {before}; there is {left}"
            left.remove(found[0])
        assert left == [], "extra messages came"


class Day:
    """A store, a clock and a sender that is asked every second or so, as the daemon does."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = minute(5)
        self.receivers: list[Collector] = []
        self.sender: Sender | None = None

    def collector(self, name: str = "ops") -> Collector:
        self.receivers.append(Collector(self, name))
        return self.receivers[-1]

    def restart(self) -> None:
        self.sender = Sender(
            self.receivers, self.store.outbox, now=lambda: self.at, chance=random.Random(7).random, paces={}
        )

    def owe(self, *owed: Notification) -> None:
        self.store.record(now=self.at, notifications=owed)

    def run(self, until: float, *, step: float = 1.0, restarts: bool = False) -> None:
        if self.sender is None:
            self.restart()
        while self.at < minute(until):
            if restarts:
                self.restart()
            for receiver in self.receivers:
                assert self.sender is not None
                asyncio.run(self.sender.send_due(receiver.receiver))
            self.at += timedelta(seconds=step)


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    with Store.open(tmp_path / "detector.db", now=NOON) as store:
        yield Day(store)


def about(service: str, at: float = 5, *, reason: Reason = Reason.OPENED, receiver: str = "ops") -> Notification:
    over = {"state": AlertState.RESOLVED, "ended_at": minute(at)} if reason is Reason.RESOLVED else {}
    alert = make_alert(key=f"{service}-1", service=service, updated_at=minute(at), **over)
    return make_notification(reason, alert, receiver=receiver, number=f"{reason.value}-{at:g}")  # type: ignore[arg-type]


def test_f27_a_channel_that_was_down_for_six_hours_gets_one_summary_within_a_minute(day: Day) -> None:
    """Forty messages gathered; one comes, naming all with their true times; the next one is ordinary again."""
    ops = day.collector()
    ops.down = DeliveryError("refused")
    for number in range(20):
        day.owe(about(f"s{number:02}", 5 + number), about(f"s{number:02}", 40 + number, reason=Reason.RESOLVED))
    day.run(366, step=10)
    tries_while_down = ops.tries
    ops.down = None
    ops.want(366, 367, "20 services: over")
    day.run(370)
    day.owe(about("late", 370))
    ops.want(370, 370.1, "Late: people say")
    day.run(371)

    ops.check()
    told = plain_text(ops.got[0][1])
    assert all(f"S{number:02}" in told for number in range(20))
    assert "12:02 to 12:40" in told
    assert tries_while_down < 361 * 60 / 20
    assert {one.sent_at is not None for one in day.store.read.notifications()} == {True}


def test_also_what_gathered_in_a_few_minutes_of_trouble_is_one_message(day: Day) -> None:
    """Too few and too young to be a storm or late: the channel's trouble is the reason."""
    ops = day.collector()
    ops.down = DeliveryError("503")
    day.owe(about("zoom"), about("notion"))
    day.run(8)
    ops.down = None
    ops.want(8, 9, "2 services failing")
    day.run(10)

    ops.check()


def test_the_summary_comes_in_one_piece_also_after_a_restart(day: Day) -> None:
    """The sender forgot that the channel was down; the outbox did not forget what is owed."""
    ops = day.collector()
    ops.down = DeliveryError("refused")
    for number in range(10):
        day.owe(about(f"s{number}", 5 + number))
    day.run(60, step=20)
    ops.down = None
    day.restart()
    ops.want(60, 61, "10 services failing")
    day.run(62)

    ops.check()


@pytest.mark.parametrize("seed", range(3))
def test_f25_fifty_services_at_once_are_at_most_five_messages_and_all_are_named(day: Day, seed: int) -> None:
    """One cause, forty-nine that run on it, in any order within a minute; the first message comes at once."""
    ops = day.collector()
    rnd = random.Random(seed)
    history = History()
    failing = [("aws", None), *((f"child-{number:02}", "aws") for number in range(49))]
    moments = sorted(rnd.uniform(0, 60) for _ in failing)
    if seed:
        rnd.shuffle(failing)
    cause_told = False
    for (service, cause), after in zip(failing, moments, strict=True):
        cause_told = cause_told or service == "aws"
        at = minute(5) + timedelta(seconds=after)
        day.run(5 + after / 60)
        alert = make_alert(
            key=f"{service}-1",
            service=service,
            level=Level.MAJOR if service == "aws" else Level.ALERT,
            cause=cause if cause_told else None,
            updated_at=at,
        )
        change = Change(alert=alert, reason=Reason.OPENED, at=at)
        _, owed = notifications(change, [Receiver(name="ops")], [], at, history=history)
        day.owe(*owed)
    day.run(30)

    texts = [plain_text(told) for _, told in ops.got]
    assert len(texts) <= 5
    assert ops.got[0][0] - minute(5) <= timedelta(seconds=moments[0] + 1.1)
    everything = "\n".join(texts)
    assert all(f"Child {number:02}" in everything for number in range(49))
    assert "Aws" in (texts[0] if not seed else everything)


def test_fifty_rows_due_in_one_instant_are_one_message_the_cause_first(day: Day) -> None:
    """As after one poll that brought them all."""
    ops = day.collector()
    rows = [about(f"s{number:02}") for number in range(49)]
    rows = [replace(row, alert=replace(row.alert, cause="aws")) for row in rows]
    day.owe(*rows, about("aws"))
    day.run(6)

    ((_, told),) = ops.got
    assert told.alert.service == "aws"
    assert len(told.others) == 49


def test_two_unrelated_outages_are_two_messages_at_once(day: Day) -> None:
    """Grouping begins with four."""
    ops = day.collector()
    day.owe(about("zoom"), about("slack"))
    ops.want(5, 5.02, "Zoom: people say")
    ops.want(5, 5.02, "Slack: people say")
    day.run(6)

    ops.check()


def test_a_receiver_bears_so_many_and_gets_the_rest_together(day: Day) -> None:
    """Ten outages, three seconds apart: three messages, then what gathered."""
    ops = day.collector()
    for number in range(10):
        day.owe(about(f"s{number}", 5 + number / 20))
        day.run(5 + (number + 1) / 20)
    day.run(8)

    assert len(ops.got) <= 6
    assert {one.alert.service for _, told in ops.got for one in (told, *told.others)} == {f"s{n}" for n in range(10)}


def test_a_pace_can_be_set_for_each_receiver(day: Day) -> None:
    """One a minute."""
    ops = day.collector()
    day.sender = Sender(
        day.receivers, day.store.outbox, now=lambda: day.at, paces={"ops": Pace(burst=1, every=timedelta(minutes=1))}
    )
    day.owe(about("zoom"), about("slack"))
    ops.want(5, 5.02, "Zoom")
    ops.want(6, 6.1, "Slack")
    day.run(8)

    ops.check()


def test_a_receiver_in_trouble_delays_no_other(day: Day) -> None:
    """Each has its own failures, waits and pace."""
    bad, good = day.collector("bad"), day.collector("good")
    bad.down = DeliveryError("503", retry_after=3600)
    for number in range(3):
        day.owe(about(f"s{number}", receiver="bad"), about(f"s{number}", receiver="good"))
        good.want(5, 5.1, f"S{number}: people say")
    day.run(20)

    good.check()
    assert bad.got == []
    assert bad.tries == 1


def test_what_a_receiver_refuses_is_told_by_another_once(day: Day) -> None:
    """The first receiver's hook is gone; the second gets its own message and the report; nothing more later."""
    bad, good = day.collector("bad"), day.collector("good")
    bad.down = DeliveryError("no_service", permanent=True)
    day.owe(about("zoom", receiver="bad"), about("zoom", receiver="good"))
    good.want(5, 5.1, "Zoom: people say")
    good.want(5, 5.1, "Zoom: bad could not be told")
    day.run(10)
    day.owe(about("zoom", 10, reason=Reason.RESOLVED, receiver="bad"))
    day.run(15, restarts=True)

    good.check()
    assert len(day.store.read.dead_letters()) == 2


def test_two_receivers_that_both_refuse_do_not_report_each_other_for_ever(day: Day) -> None:
    """There is nobody left to tell; the dead letters keep it."""
    one, two = day.collector("one"), day.collector("two")
    one.down = two.down = DeliveryError("revoked", permanent=True)
    day.owe(about("zoom", receiver="one"), about("zoom", receiver="two"))
    day.run(10)

    assert one.tries + two.tries <= 4
    assert one.got == two.got == []


def test_a_restart_at_any_moment_neither_repeats_nor_loses(day: Day) -> None:
    """A new sender every second, through a channel's trouble and back."""
    ops = day.collector()
    day.owe(about("zoom"))
    ops.want(5, 5.1, "Zoom: people say")
    day.run(6, restarts=True)
    ops.down = DeliveryError("503")
    day.owe(about("zoom", 6, reason=Reason.RESOLVED))
    day.run(8, restarts=True)
    ops.down = None
    ops.want(8, 9, "Zoom: over")
    day.run(12, restarts=True)

    ops.check()


def test_every_hour_of_trouble_costs_at_most_one_doubtful_try_a_minute(day: Day) -> None:
    """A receiver that never confirms is asked ever more rarely."""
    ops = day.collector()
    ops.down = DeliveryError("timeout", ambiguous=True)
    day.owe(about("zoom"))
    day.run(65, step=2)

    assert ops.tries <= 130
    (left,) = day.store.read.notifications()
    assert (left.failed or "").startswith("may have arrived")


def test_a_refused_summary_is_told_in_parts(day: Day) -> None:
    """A message about many may be what a receiver cannot take; the parts arrive, and nothing is given up."""
    ops = day.collector()
    take = ops.send

    async def no_groups(notification: Notification) -> str | None:
        if notification.others:
            raise DeliveryError("invalid_blocks", permanent=True)
        return await take(notification)

    ops.send = no_groups  # type: ignore[method-assign]
    day.owe(*(about(f"s{number}") for number in range(5)))
    day.run(12)

    assert sorted(told.alert.service for _, told in ops.got) == [f"s{number}" for number in range(5)]
    assert day.store.read.dead_letters() == []


def test_a_message_is_in_slack_within_a_second_of_being_owed(day: Day) -> None:
    """Twenty times through the real client, the store and the sender's own loop."""
    slack = Slack()
    waits: list[float] = []

    async def through(url: str) -> None:
        sender = Sender(
            [SLACK_BOT.make(url, timeout=5)],
            day.store.outbox,
            now=lambda: day.at,
            paces={"slack_bot": Pace(burst=1000)},
        )
        running = asyncio.create_task(sender.run())
        for number in range(20):
            begun = time.perf_counter()
            day.owe(about(f"s{number}", receiver="slack_bot"))
            sender.wake()
            async with asyncio.timeout(10):
                while sender.sent <= number:
                    await asyncio.sleep(0.002)
            waits.append(time.perf_counter() - begun)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with Server(slack) as server:
        asyncio.run(through(server.url))

    assert len(slack.shown) == 20
    assert sorted(waits)[-2] < 1.0


def test_a_digest_is_one_message(day: Day) -> None:
    """However many watches it lists, and beside an alert that has its own."""
    ops = day.collector()
    watches = [about(f"w{number}", reason=Reason.DIGEST) for number in range(3)]
    day.owe(*watches, about("zoom"))
    ops.want(5, 5.1, "3 watches in the past day")
    ops.want(5, 5.1, "Zoom: people say")
    day.run(6)

    ops.check()


def test_documents_of_grouped_messages_name_everything(day: Day) -> None:
    """Machines read `others`."""
    from detector.notify.document import document

    ops = day.collector()
    day.owe(*(about(f"s{number}") for number in range(6)))
    day.run(6)

    ((_, told),) = ops.got
    found = json.loads(json.dumps(document(told)))
    assert [found["alert"]["service"], *(each["service"] for each in found["others"])] == [f"s{n}" for n in range(6)]
