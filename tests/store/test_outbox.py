"""What is due, in which order, and what a mark changes: each condition of the outbox's statements by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.domain import Notification, Reason
from detector.store import Store
from tests.store.builders import NOON, make_alert, make_notification, minute

NOW = minute(10)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "d.db", now=NOON) as opened:
        yield opened


def owe(store: Store, *owed: Notification) -> None:
    store.record(now=NOON, notifications=owed)


def due(store: Store, after: float = 10, receiver: str | None = None, limit: int = 100) -> list[str]:
    return [each.id for each in store.outbox.due(minute(after), receiver=receiver, limit=limit)]


def other(number: int, receiver: str = "ops", key: str = "github-1") -> Notification:
    return make_notification(number, alert=make_alert(key), receiver=receiver)


def kept(store: Store, name: str) -> Notification:
    return next(each for each in store.read.notifications() if each.id == name)


FIRST, SECOND = make_notification(1), make_notification(2)


def test_what_is_owed_is_due_in_the_order_in_which_it_was_owed(store: Store) -> None:
    """As many as asked for, of the receiver asked for."""
    elsewhere = other(3, receiver="team")
    owe(store, SECOND, FIRST, elsewhere)

    assert due(store) == [SECOND.id, FIRST.id, elsewhere.id]
    assert due(store, limit=2) == [SECOND.id, FIRST.id]
    assert due(store, receiver="team") == [elsewhere.id]
    assert due(store, receiver="nobody") == []


def test_what_was_sent_or_given_up_is_not_due(store: Store) -> None:
    """Neither again nor ever."""
    owe(store, FIRST, SECOND, other(3))
    store.outbox.mark_sent(FIRST.id, None, now=NOW)
    store.outbox.mark_failed(SECOND.id, "no", None, now=NOW)

    assert due(store) == [other(3).id]
    assert store.outbox.receivers() == ["ops"]
    store.outbox.mark_sent(other(3).id, None, now=NOW)
    assert store.outbox.receivers() == []


def test_a_message_waits_for_its_time(store: Store) -> None:
    """To the minute it is due."""
    owe(store, FIRST)
    store.outbox.mark_failed(FIRST.id, "no", minute(12), now=NOW)

    assert due(store, 11.9) == []
    assert due(store, 12) == [FIRST.id]


def test_a_later_message_of_the_same_alert_waits_with_it(store: Store) -> None:
    """Of the same alert and receiver only; when the first is due again, both are, the first first."""
    elsewhere, another = other(3, receiver="team", key=FIRST.alert.key), other(4)
    owe(store, FIRST, SECOND, elsewhere, another)
    store.outbox.mark_failed(FIRST.id, "no", minute(12), now=NOW)

    assert due(store, 11) == [elsewhere.id, another.id]
    assert due(store, 12) == [FIRST.id, SECOND.id, elsewhere.id, another.id]


@pytest.mark.parametrize("fate", ["sent", "dead"])
def test_nobody_waits_for_a_message_that_is_done(store: Store, fate: str) -> None:
    """Sent or given up, it holds nobody up, whatever its next try was."""
    owe(store, FIRST, SECOND)
    store.outbox.mark_failed(FIRST.id, "no", minute(60), now=NOW)
    if fate == "sent":
        store.outbox.mark_sent(FIRST.id, None, now=NOW)
    else:
        store.outbox.mark_failed(FIRST.id, "no", None, now=NOW)

    assert due(store, 11) == [SECOND.id]


def test_an_earlier_message_does_not_wait_for_a_later_one(store: Store) -> None:
    """The order is one way."""
    owe(store, FIRST, SECOND)
    store.outbox.mark_failed(SECOND.id, "no", minute(60), now=NOW)

    assert due(store, 11) == [FIRST.id]


def test_a_begun_try_is_counted_and_its_last_error_cleared(store: Store) -> None:
    """All messages told in one are marked alike; what was sent is left alone, and so is what was not meant."""
    owe(store, FIRST, SECOND, other(3), other(4))
    store.outbox.mark_failed(FIRST.id, "no", minute(1), now=NOW)
    store.outbox.mark_sent(other(3).id, "ts", now=NOW)

    store.outbox.mark_started(FIRST.id, SECOND.id, other(3).id)
    store.outbox.mark_started(FIRST.id)

    assert (kept(store, FIRST.id).attempts, kept(store, FIRST.id).failed) == (2, None)
    assert kept(store, SECOND.id).attempts == 1
    assert kept(store, other(3).id).attempts == 0
    assert kept(store, other(4).id).attempts == 0


def test_i4_a_confirmed_message_keeps_its_time_and_reference(store: Store) -> None:
    """The first confirmation counts; a failure that comes after it changes nothing."""
    owe(store, FIRST, SECOND, other(3))
    store.outbox.mark_failed(FIRST.id, "no", minute(11), now=NOW)
    store.outbox.mark_sent(FIRST.id, "ts-1", SECOND.id, now=NOW)
    store.outbox.mark_sent(FIRST.id, "ts-2", now=minute(20))
    store.outbox.mark_failed(FIRST.id, "late", minute(30), now=minute(20))

    for name in (FIRST.id, SECOND.id):
        one = kept(store, name)
        assert (one.sent_at, one.reference, one.next_try_at) == (NOW, "ts-1", None)
    assert kept(store, FIRST.id).failed == "no"
    assert kept(store, other(3).id).sent_at is None
    store.outbox.mark_sent(other(3).id, None, now=NOW)
    assert kept(store, other(3).id).reference is None


def test_a_failed_message_says_why_and_when(store: Store) -> None:
    """Given up, it is a dead letter; several at once are marked alike."""
    owe(store, FIRST, SECOND, other(3))
    store.outbox.mark_failed(FIRST.id, "no\x00t now", minute(12), SECOND.id, now=NOW)

    assert kept(store, SECOND.id).next_try_at == minute(12)
    assert kept(store, SECOND.id).failed == kept(store, FIRST.id).failed != ""
    assert store.read.dead_letters() == []
    store.outbox.mark_failed(FIRST.id, "gone", None, now=NOW)
    assert [each.id for each in store.read.dead_letters()] == [FIRST.id]
    assert store.outbox.receivers() == ["ops"]


def test_the_thread_is_the_first_confirmed_message_with_a_name(store: Store) -> None:
    """Of this alert and receiver; digests and reports of refusals begin no thread."""
    digest = make_notification(1, reason=Reason.DIGEST)
    report = make_notification(2, reason=Reason.UNDELIVERED)
    nameless, first, later = (make_notification(number) for number in (3, 4, 5))
    elsewhere = other(6, receiver="team", key=FIRST.alert.key)
    owe(store, digest, report, nameless, first, later, elsewhere, other(7))
    assert store.outbox.thread(FIRST.alert.key, "ops") is None
    for name, reference in (
        (digest, "d"), (report, "r"), (nameless, None), (later, "ts-5"), (first, "ts-4"), (elsewhere, "t"),
        (other(7), "g"),
    ):  # fmt: skip
        store.outbox.mark_sent(name.id, reference, now=NOW)

    assert store.outbox.thread(FIRST.alert.key, "ops") == "ts-4"
    assert store.outbox.thread(FIRST.alert.key, "team") == "t"
    assert store.outbox.thread("github-1", "ops") == "g"
    assert store.outbox.thread("github-2", "ops") is None


def test_the_same_message_is_owed_once(store: Store) -> None:
    """However often it is added."""
    for _ in range(3):
        store.outbox.add(FIRST)
    store.outbox.add(other(2, receiver="a"))

    assert due(store) == [FIRST.id, other(2, receiver="a").id]
    assert store.outbox.receivers() == ["a", "ops"]


def test_a_hundred_are_a_round(store: Store) -> None:
    """Unless more are asked for."""
    owe(store, *(other(number, key=f"github-{number}") for number in range(120)))

    assert len(store.outbox.due(NOW)) == 100
    assert len(store.outbox.due(NOW, limit=1000)) == 120
