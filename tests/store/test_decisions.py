"""Alerts, their steps, the messages owed and the official record; and what a restart finds of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from detector.domain import (
    AlertState,
    Decision,
    Incident,
    IncidentUpdate,
    Level,
    Official,
    PageState,
    Reason,
    Silence,
    StatusReading,
)
from detector.errors import StoreError
from detector.protocols import OfficialRecord
from detector.store import Checkpoint, Feedback, Store, open_reader
from tests.store.builders import NOON, make_alert, make_judgement, make_notification, make_post, minute


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        yield opened


def test_an_alert_is_kept_as_it_is_now_with_every_step_of_its_life(store: Store) -> None:
    """Opened, raised, resolved."""
    opened = make_alert(posts=[make_post(1)])
    raised = replace(opened, level=Level.MAJOR, updated_at=minute(9))
    ended = replace(raised, state=AlertState.RESOLVED, ended_at=minute(60), updated_at=minute(60))

    store.record(now=minute(9), alerts=[(opened, Reason.OPENED), (raised, Reason.RAISED)])
    store.record(now=minute(60), alerts=[(ended, Reason.RESOLVED)])

    assert store.read.alert(opened.key) == ended
    assert [(step.reason, step.level, step.at) for step in store.read.alert_changes(opened.key)] == [
        (Reason.OPENED, Level.ALERT, minute(5)),
        (Reason.RAISED, Level.MAJOR, minute(9)),
        (Reason.RESOLVED, Level.MAJOR, minute(60)),
    ]
    assert store.read.alert("none") is None


def test_alerts_can_be_asked_for_by_service_state_level_and_time(store: Store) -> None:
    """Newest first."""
    first = make_alert("claude-20260302T1100", watch_at=minute(-60), state=AlertState.RESOLVED, ended_at=minute(-30))
    second = make_alert("slack-20260302T1204")
    third = make_alert("google-cloud-20260302T1230", watch_at=minute(30), level=Level.WATCH)
    store.record(now=NOON, alerts=[(alert, Reason.OPENED) for alert in (first, second, third)])

    assert store.read.alerts() == [third, second, first]
    assert store.read.alerts(service="google-cloud") == [third]
    assert store.read.alerts(state=AlertState.FIRING, levels=[Level.ALERT, Level.MAJOR]) == [second]
    assert store.read.alerts(since=minute(-29)) == [third, second]
    assert store.read.alerts(limit=1) == [third]


def test_a_change_and_the_messages_it_owes_are_written_together(store: Store) -> None:
    """A message that cannot be written undoes the alert; one written twice is owed once."""
    alert = make_alert()
    told = Decision(
        alert_key=alert.key, receiver="ops", reason=Reason.OPENED, told=True, at=minute(5), note="level alert"
    )

    with pytest.raises(StoreError):
        store.record(now=NOON, alerts=[(alert, Reason.OPENED)], notifications=[make_notification(attempts=None)])
    assert store.read.alerts() == []

    store.record(now=NOON, alerts=[(alert, Reason.OPENED)], decisions=[told], notifications=[make_notification()] * 2)

    assert store.read.decisions(alert.key) == [told]
    assert store.outbox.due(minute(5)) == [make_notification()]


def test_a_message_comes_back_the_same(store: Store) -> None:
    """Every field, sent or not."""
    owed = make_notification(attempts=2, next_try_at=minute(9), failed="no")
    sent = make_notification(2, attempts=1, sent_at=minute(6), reference="ts-1")

    store.record(now=NOON, notifications=[owed, sent])

    assert store.read.notifications() == [sent, owed]
    assert store.outbox.due(minute(8)) == []
    assert store.outbox.due(minute(9)) == [owed]


def test_a_message_sent_is_never_owed_again(store: Store) -> None:
    """A late failure report of an earlier try changes nothing."""
    store.record(now=NOON, notifications=[make_notification()])
    (owed,) = store.outbox.due(minute(5))

    store.outbox.mark_started(owed.id)
    store.outbox.mark_sent(owed.id, "ts-1", now=minute(5))
    store.outbox.mark_failed(owed.id, "late", None, now=minute(6))

    assert store.outbox.due(minute(600)) == []
    assert store.read.dead_letters() == []
    assert store.read.notifications()[0].reference == "ts-1"


def test_a_restart_finds_the_state_and_what_was_judged_after_it(tmp_path: Path) -> None:
    """Checkpoint plus later judgements, in the order recorded, is all that ever happened."""
    posts = [make_post(number) for number in range(1, 7)]
    state = {"claude": {"people": 0.1 + 0.2, "seen": [1, None, "x"], "far": float("inf")}}
    with Store.open(tmp_path / "detector.db", now=NOON) as store:
        store.add_posts("hackernews", posts, "c", now=NOON)
        sequence = store.record(
            now=minute(2), judged=posts[:2], judgements=[make_judgement(post) for post in posts[:2]], checkpoint=state
        )
        later = [make_judgement(posts[3], service="slack"), make_judgement(posts[3]), make_judgement(posts[2])]
        store.record(now=minute(4), judged=posts[2:4], judgements=later)

    with Store.open(tmp_path / "detector.db", now=NOON) as store:
        checkpoint = store.latest_checkpoint()

        assert checkpoint == Checkpoint(state=state, sequence=sequence, at=minute(2))
        assert [judgement for _, judgement in store.judgements_after(sequence)] == later
        assert store.pending_posts() == posts[4:]
        assert store.read.recorded_until() == minute(4)


def test_judging_again_with_the_same_classifier_adds_nothing(store: Store) -> None:
    """A step that is written twice, as after a crash, counts once."""
    store.add_posts("hackernews", [make_post(1)], None, now=NOON)

    first = store.record(now=NOON, judgements=[make_judgement(make_post(1))])
    again = store.record(now=NOON, judgements=[make_judgement(make_post(1), now=0.1)])
    other = store.record(now=NOON, judgements=[make_judgement(make_post(1), classifier="static@2")])

    assert first == again < other
    assert [judgement.p.now for _, judgement in store.judgements_after(0)] == [0.9, 0.9]


def test_only_the_last_two_checkpoints_are_kept(store: Store) -> None:
    """They are large, and only the newest is read; the one before is for the case that it was damaged."""
    for number in range(5):
        store.save_checkpoint({"number": number}, number, now=minute(number))

    latest = store.latest_checkpoint()

    assert latest is not None
    assert latest.state == {"number": 4}
    assert store._conn.execute("SELECT count(*) FROM checkpoints").fetchone()[0] == 2


def make_incident(**changes: object) -> Incident:
    incident = Incident(
        service="claude",
        id="inc-1",
        title="Errors on sign-in",
        impact="minor",
        first_posted_at=minute(39),
        updates=(IncidentUpdate(at=minute(39), status="investigating", text="We look into it."),),
        components=("login",),
    )
    return replace(incident, **changes)  # type: ignore[arg-type]


def test_a_page_that_backdates_its_incident_moves_nothing_we_saw(store: Store) -> None:
    """Our first sight and their first word stay as first read; the rest follows the page."""
    store.add_reading(
        StatusReading(service="claude", at=minute(40), state=PageState.OUTAGE, incidents=(make_incident(),))
    )
    backdated = make_incident(
        first_posted_at=minute(1),
        stated_start=minute(0),
        impact="major",
        resolved_at=minute(70),
        first_seen_at=minute(71),
    )

    store.add_incidents([backdated], now=minute(71))

    (kept,) = store.read.incidents()
    assert (kept.first_posted_at, kept.first_seen_at) == (minute(39), minute(40))
    assert (kept.impact, kept.stated_start, kept.resolved_at) == ("major", minute(0), minute(70))
    assert kept.updates[0].first_seen_at == minute(40)


def test_the_earliest_sight_of_all_is_kept(store: Store) -> None:
    """A scrape that saw it before us."""
    store.add_incidents([make_incident()], now=minute(50))

    store.add_incidents([make_incident(first_seen_at=minute(45))], now=minute(60))

    assert store.read.incidents(service="claude")[0].first_seen_at == minute(45)


def test_the_official_word_is_what_we_knew_at_that_minute(store: Store) -> None:
    """Operational until read otherwise; unknown when not read for long; None without a page."""
    for after in (0, 1, 2):
        store.add_reading(
            StatusReading(service="claude", at=minute(after), state=PageState.OPERATIONAL, description="fine")
        )
    store.add_reading(
        StatusReading(service="claude", at=minute(40), state=PageState.OUTAGE, incidents=(make_incident(),))
    )

    def at(after: float) -> Official | None:
        return store.read.official("claude", minute(after))

    assert isinstance(store.read, OfficialRecord)
    assert at(-1) is None
    assert at(5) == Official(state=PageState.OPERATIONAL, checked_at=minute(2), description="fine")
    stale = at(39)
    assert stale is not None
    assert stale.state is PageState.UNKNOWN
    during = at(41)
    assert during is not None
    assert during.incident is not None
    assert (during.state, during.incident.id) == (PageState.OUTAGE, "inc-1")
    assert store.read.official("slack", NOON) is None


def test_an_unchanged_page_is_one_row(store: Store) -> None:
    """A row a change, with the last time it was read."""
    for at, state in (
        (0, PageState.OPERATIONAL),
        (1, PageState.OPERATIONAL),
        (2, PageState.DEGRADED),
        (3, PageState.DEGRADED),
    ):
        store.add_reading(StatusReading(service="claude", at=minute(at), state=state))

    assert store.read.page_history("claude") == [
        (minute(0), minute(1), PageState.OPERATIONAL, ""),
        (minute(2), minute(3), PageState.DEGRADED, ""),
    ]


def test_silences_begin_change_and_expire(store: Store) -> None:
    """An expired one is no longer listed as holding."""
    silence = Silence(id="s1", service="claude", starts_at=NOON, ends_at=minute(60), comment="planned")
    longer = replace(silence, ends_at=minute(120))

    store.add_silence(silence)
    store.add_silence(longer)
    assert store.read.silences(now=minute(90)) == [longer]

    assert store.expire_silence("s1", now=minute(91))
    assert not store.expire_silence("s1", now=minute(92))
    assert store.read.silences(now=minute(92)) == []
    assert [kept.ends_at for kept in store.read.silences()] == [minute(91)]


def test_feedback_is_kept_for_an_alert_that_exists(store: Store) -> None:
    """A mistyped key is said so."""
    store.record(now=NOON, alerts=[(make_alert(), Reason.OPENED)])
    word = Feedback(alert_key=make_alert().key, real=True, at=minute(60), comment="we felt it")

    store.add_feedback(word)
    with pytest.raises(StoreError, match="no alert 'claude-x'"):
        store.add_feedback(replace(word, alert_key="claude-x"))

    assert store.read.feedback() == [word]


def test_a_reader_answers_the_same_questions(store: Store) -> None:
    """The page and the command line look through it."""
    store.record(now=NOON, alerts=[(make_alert(), Reason.OPENED)], notifications=[make_notification()])

    with open_reader(store.path) as reader:
        assert reader.alerts() == store.read.alerts() == [make_alert()]
        assert reader.notifications(make_alert().key) == [make_notification()]
