"""Whom the daemon tells as time passes: another receiver where one cannot be reached; nobody during announced work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from detector.alerting.answer import Answer, Said
from detector.alerting.policy import Receiver
from detector.app.telling import Telling
from detector.domain import (
    Alert,
    AlertState,
    Change,
    Decision,
    Incident,
    IncidentUpdate,
    Level,
    Notification,
    Official,
    PageState,
    Reason,
    StatusReading,
)
from detector.notify.render import plain_text
from detector.store import Store
from tests.notify.builders import NOON, make_alert, minute

PAIR = (Receiver(name="slack", fallback="pager"), Receiver(name="pager", level=Level.MAJOR))
SECOND = 1 / 60


class Desk:
    """A store and the policy over it, as the engine uses them; `loses_memory` restarts it before every step."""

    def __init__(self, store: Store, receivers: tuple[Receiver, ...], *, loses_memory: bool = False) -> None:
        self.store = store
        self.receivers = receivers
        self.telling = Telling(store, receivers)
        self.loses_memory = loses_memory

    def change(self, alert: Alert, reason: Reason, at: float) -> list[Notification]:
        self._restart()
        made, owed = self.telling.of_changes([Change(alert=alert, reason=reason, at=minute(at))], minute(at))
        return self._keep(made, owed, minute(at), alert, reason)

    def tick(self, alert: Alert, at: float) -> list[Notification]:
        self._restart()
        made, owed = self.telling.of_time([alert], minute(at))
        return self._keep(made, owed, minute(at))

    def sent(self, receiver: str, at: float) -> None:
        for one in self.store.outbox.due(minute(at), receiver=receiver):
            self.store.outbox.mark_sent(one.id, None, now=minute(at))

    def _restart(self) -> None:
        if self.loses_memory:
            self.telling = Telling(self.store, self.receivers)

    def _keep(
        self,
        made: list[Decision],
        owed: list[Notification],
        now: datetime,
        alert: Alert | None = None,
        reason: Reason = Reason.OPENED,
    ) -> list[Notification]:
        alerts = [] if alert is None else [(alert, reason)]
        self.store.record(now=now, alerts=alerts, decisions=made, notifications=owed)
        return owed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        yield opened


@pytest.mark.parametrize("loses_memory", [False, True], ids=["runs on", "restarts each time"])
def test_f24_what_a_receiver_does_not_take_goes_to_its_fallback_once(store: Store, loses_memory: bool) -> None:
    """After half a minute, with the reason; told of the end too; nothing is doubled when the first comes back."""
    desk = Desk(store, PAIR, loses_memory=loses_memory)
    alert = make_alert()
    assert [one.receiver for one in desk.change(alert, Reason.OPENED, 5)] == ["slack"]
    assert desk.tick(alert, 5 + 20 * SECOND) == []
    (instead,) = desk.tick(alert, 5 + 31 * SECOND)
    assert (instead.receiver, instead.reason) == ("pager", Reason.FALLBACK)
    assert "slack cannot be reached, so you are told" in plain_text(instead)
    desk.sent("pager", 5.6)
    for at in range(6, 60):
        assert desk.tick(alert, at) == []
    desk.sent("slack", 60)
    assert desk.tick(alert, 61) == []
    over = replace(alert, state=AlertState.RESOLVED, ended_at=minute(62), updated_at=minute(62))
    assert sorted(one.receiver for one in desk.change(over, Reason.RESOLVED, 62)) == ["pager", "slack"]
    assert desk.tick(over, 70) == []

    notes = [(made.receiver, made.note) for made in store.read.decisions(alert.key) if made.reason is Reason.FALLBACK]
    assert notes == [("pager", "slack took nothing for 31 s")]


def test_a_fallback_that_is_told_anyway_is_not_told_twice(store: Store) -> None:
    """It follows the service itself."""
    desk = Desk(store, (Receiver(name="slack", fallback="pager"), Receiver(name="pager")))
    alert = make_alert()
    assert len(desk.change(alert, Reason.OPENED, 5)) == 2
    desk.sent("pager", 5)

    assert desk.tick(alert, 7) == []


def test_an_end_or_a_report_needs_no_fallback(store: Store) -> None:
    """Only the beginning of an outage wakes somebody else."""
    desk = Desk(store, PAIR)
    alert = make_alert()
    desk.change(alert, Reason.OPENED, 5)
    desk.sent("slack", 5)
    desk.change(replace(alert, official=_page(PageState.OUTAGE)), Reason.ACKNOWLEDGED, 20)
    over = replace(alert, state=AlertState.RESOLVED, ended_at=minute(30), updated_at=minute(30))
    desk.change(over, Reason.RESOLVED, 30)

    assert desk.tick(over, 40) == []


def test_two_that_stand_in_for_each_other_do_not_call_for_ever(store: Store) -> None:
    """Both are down: each is owed the outage once."""
    desk = Desk(store, (Receiver(name="slack", fallback="mail"), Receiver(name="mail", fallback="slack")))
    alert = make_alert()
    desk.change(alert, Reason.OPENED, 5)

    assert [one.id for at in range(6, 30) for one in desk.tick(alert, at)] == []
    assert len(store.read.unsent()) == 2


def test_not_our_concern_means_no_more_of_it_there_but_its_end(store: Store) -> None:
    """The other receiver hears on; the reason stands with the alert."""
    desk = Desk(store, (Receiver(name="slack"), Receiver(name="mail")))
    alert = make_alert()
    desk.change(alert, Reason.OPENED, 5)
    store.add_answer(Answer(id="1", alert_key=alert.key, receiver="slack", said=Said.NOT_OURS, by="ann", at=minute(6)))
    worse = replace(alert, level=Level.MAJOR, updated_at=minute(20))
    assert [one.receiver for one in desk.change(worse, Reason.RAISED, 20)] == ["mail"]
    assert [one.receiver for one in desk.tick(worse, 20 + 241)] == ["mail"]
    over = replace(worse, state=AlertState.RESOLVED, ended_at=minute(300), updated_at=minute(300))
    assert [one.receiver for one in desk.change(over, Reason.RESOLVED, 300)] == ["slack", "mail"]

    assert Reason.NOT_OURS in {made.reason for made in store.read.decisions(alert.key) if not made.told}


def _page(state: PageState) -> Official:
    return Official(state=state, checked_at=minute(4))


def announce(store: Store, at: float, *steps: tuple[float, str], state: PageState = PageState.OPERATIONAL) -> None:
    """The page as read at a moment, with work announced an hour before noon."""
    updates = tuple(IncidentUpdate(at=minute(when), status=word) for when, word in [(-60, "scheduled"), *steps])
    over = next((minute(when) for when, word in steps if word == "completed"), None)
    work = Incident(
        service="claude",
        id="work-1",
        title="Database upgrade",
        impact="maintenance",
        first_posted_at=minute(-60),
        updates=updates,
        resolved_at=over,
        maintenance=True,
    )
    store.add_reading(StatusReading(service="claude", at=minute(at), state=state, incidents=(work,)))


def test_work_that_is_under_way_holds_an_alert_back_until_it_is_over(store: Store) -> None:
    """Though the page's state says nothing of it; what then still stands is told, and shows the page of that moment."""
    desk = Desk(store, (Receiver(name="slack"),))
    alert = make_alert(official=_page(PageState.OPERATIONAL))
    announce(store, 1, (0, "in_progress"))
    assert desk.change(alert, Reason.OPENED, 5) == []
    assert desk.tick(alert, 10) == []
    announce(store, 12, (0, "in_progress"), (12, "completed"))
    (told,) = desk.tick(alert, 13)

    assert told.reason is Reason.OPENED
    assert "Database upgrade" not in plain_text(told)
    (held,) = [made for made in store.read.decisions(alert.key) if not made.told]
    assert (held.reason, held.note) == (Reason.MAINTENANCE, "announced work: Database upgrade")


def test_work_not_yet_begun_holds_nothing_back(store: Store) -> None:
    """Announced for tonight."""
    desk = Desk(store, (Receiver(name="slack"),))
    announce(store, 1)

    assert len(desk.change(make_alert(), Reason.OPENED, 5)) == 1


def test_a_page_that_said_work_when_we_spoke_holds_no_longer_than_the_work(store: Store) -> None:
    """The alert keeps the page of its own moment; the decision asks the page of this one."""
    desk = Desk(store, (Receiver(name="slack"),))
    store.add_reading(StatusReading(service="claude", at=minute(4), state=PageState.MAINTENANCE))
    alert = make_alert(official=_page(PageState.MAINTENANCE))
    assert desk.change(alert, Reason.OPENED, 5) == []
    store.add_reading(StatusReading(service="claude", at=minute(20), state=PageState.OPERATIONAL))

    assert [one.reason for one in desk.tick(alert, 21)] == [Reason.OPENED]


def test_a_page_that_cannot_be_read_any_more_holds_nothing_back(store: Store) -> None:
    """Work that we read of an hour ago explains nothing now."""
    desk = Desk(store, (Receiver(name="slack"),))
    announce(store, 1, (0, "in_progress"))
    store.add_reading(StatusReading(service="claude", at=minute(2), state=PageState.UNKNOWN))

    assert len(desk.change(make_alert(), Reason.OPENED, 5)) == 1


def test_a_major_alert_is_told_with_the_work_beside_it(store: Store) -> None:
    """So is one to a receiver that wants to hear during work; no lead is claimed over an announcement."""
    desk = Desk(store, (Receiver(name="slack"), Receiver(name="mail", maintenance=True)))
    announce(store, 1, (0, "in_progress"))
    assert [one.receiver for one in desk.change(make_alert(), Reason.OPENED, 5)] == ["mail"]
    owed = desk.change(make_alert(level=Level.MAJOR, updated_at=minute(9)), Reason.RAISED, 9)

    assert [one.receiver for one in owed] == ["slack", "mail"]
    assert all("Announced work: Database upgrade" in plain_text(one) for one in owed)
    over = replace(owed[0].alert, state=AlertState.RESOLVED, ended_at=minute(30), updated_at=minute(30))
    (end, _) = desk.change(over, Reason.RESOLVED, 30)
    assert "ahead of" not in plain_text(end)


def test_a_failure_that_the_page_admits_during_work_is_told(store: Store) -> None:
    """The work explains nothing any more."""
    desk = Desk(store, (Receiver(name="slack"),))
    announce(store, 1, (0, "in_progress"))
    failure = Incident(
        service="claude",
        id="inc-9",
        title="Errors",
        impact="major",
        first_posted_at=minute(3),
        updates=(IncidentUpdate(at=minute(3), status="investigating"),),
    )
    store.add_reading(StatusReading(service="claude", at=minute(4), state=PageState.OUTAGE, incidents=(failure,)))
    alert = make_alert(official=Official(state=PageState.OUTAGE, checked_at=minute(4), incident=failure))

    assert len(desk.change(alert, Reason.OPENED, 5)) == 1
