"""A Slack bot through the real client: one message an outage, kept up to date, the news in its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.domain import AlertState, Level, Notification, Reason
from detector.errors import ConfigError, DeliveryError, NotConfigured
from detector.notify.outbox import Sender
from detector.notify.slack import build
from detector.notify.slack_bot import SlackBot
from detector.store import Store
from detector.testing import check_notifier, check_notifier_failure
from tests.loopback import Reply
from tests.notify.builders import NOON, make_alert, make_notification, minute, storm, story
from tests.notify.channels import SECRET, SLACK_BOT, Server, Slack
from tests.notify.test_delivery import about


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        yield opened


def tell(store: Store, url: str, *owed: Notification, after: float = 5) -> int:
    """Owe and send, by a sender that has just been started."""
    store.record(now=NOON, notifications=owed)

    async def once() -> int:
        bot = SLACK_BOT.make(url)
        sender = Sender([bot], store.outbox, now=lambda: minute(after), chance=lambda: 0.5)
        return await sender.send_due("slack_bot")

    return asyncio.run(once())


def chapter(name: str, number: int) -> Notification:
    owed = story()[name]
    return replace(owed, id=f"{owed.alert.key}/slack_bot/{number}", receiver="slack_bot")


def test_an_outage_is_one_message_with_a_thread_across_restarts(store: Store) -> None:
    """Opened, worse, confirmed, over: one message in the channel, edited, three answers below it."""
    slack = Slack()
    with Server(slack) as server:
        for number, (name, after) in enumerate([("opened", 5), ("raised", 20), ("acknowledged", 41), ("resolved", 62)]):
            assert tell(store, server.url, chapter(name, number), after=after) == 1

    ((ts, root),) = slack.shown.items()
    answers = slack.threads[ts]
    assert root["text"].startswith("✅ Claude: over after 1 h")
    assert [answer["text"].partition(".")[0][:30] for answer in answers] == [
        "🔴 Claude: worse, now major (lo",
        "📣 Claude: the provider confirm",
        "✅ Claude: over after 1 h",
    ]
    assert [answer["reply_broadcast"] for answer in answers] == [True, False, False]
    assert slack.edits == 3
    assert {one.reference for one in store.read.notifications()} == {f"C1:{ts}"}
    assert all(not one["unfurl_links"] and not one["unfurl_media"] for one in (root, *answers))


def test_the_first_message_shows_the_state_between(store: Store) -> None:
    """After the provider's word the message still says what people say, with the news on top."""
    slack = Slack()
    with Server(slack) as server:
        tell(store, server.url, chapter("opened", 1))
        tell(store, server.url, chapter("acknowledged", 2), after=41)

    (root,) = slack.shown.values()
    shown = str(root["blocks"])
    assert "people say login does not work" in shown
    assert "Latest: 12:41 the provider confirms" in shown


def test_a_message_that_somebody_deleted_begins_anew(store: Store) -> None:
    """An update has nothing to edit: it is posted, and what follows belongs to it."""
    slack = Slack()
    with Server(slack) as server:
        tell(store, server.url, chapter("opened", 1))
        slack.shown.clear()
        assert tell(store, server.url, chapter("raised", 2), after=20) == 1

    (root,) = slack.shown.values()
    assert "worse, now major" in root["text"]


def test_a_doubtful_post_is_looked_up_before_it_is_repeated(store: Store) -> None:
    """The reply was lost, the message is there: no second one."""
    slack = Slack()

    def lost(request: Any) -> Reply:
        slack(request)
        return Reply('{"ok": true', fault="truncated")

    with Server(lost) as server:
        assert tell(store, server.url, chapter("opened", 1)) == 0
        server.now(slack)
        assert tell(store, server.url, after=6) == 1
        (ts,) = slack.shown
        server.now(lost)
        assert tell(store, server.url, chapter("resolved", 2), after=62) == 0
        server.now(slack)
        assert tell(store, server.url, after=63) == 1

    assert list(slack.shown) == [ts]
    assert len(slack.threads.get(ts, [])) <= 1
    assert {one.reference for one in store.read.notifications()} == {f"C1:{ts}"}


def test_a_message_about_many_is_never_edited_into_one(store: Store) -> None:
    """The end of one of twelve is an answer below the message that names them all."""
    slack = Slack()
    cause, *members = (storm(), *storm().others)
    rows = [
        replace(one, id=f"{one.alert.key}/slack_bot/1", receiver="slack_bot", others=()) for one in (cause, *members)
    ]
    alert = replace(rows[3].alert, state=AlertState.RESOLVED, ended_at=minute(30), updated_at=minute(30))
    end = replace(make_notification(Reason.RESOLVED, alert), id=f"{alert.key}/slack_bot/2", receiver="slack_bot")
    with Server(slack) as server:
        assert tell(store, server.url, *rows) == 12
        assert tell(store, server.url, end, after=30) == 1

    ((ts, root),) = slack.shown.items()
    assert "12 services failing, Aws first" in root["text"]
    assert len(slack.threads[ts]) == 1
    assert slack.edits == 0


def test_services_that_ended_together_are_told_together_and_each_message_edited(store: Store) -> None:
    """Four outages with messages of their own, one summary of their ends, four messages brought up to date."""
    slack = Slack()
    alerts = [make_alert(key=f"s{number}", service=f"s{number}") for number in range(4)]
    with Server(slack) as server:
        for number, alert in enumerate(alerts):
            one = replace(make_notification(alert=alert), id=f"{alert.key}/slack_bot/1", receiver="slack_bot")
            assert tell(store, server.url, one, after=5 + number) == 1
        ends = [
            replace(alert, state=AlertState.RESOLVED, ended_at=minute(62), updated_at=minute(62)) for alert in alerts
        ]
        owed = [make_notification(Reason.RESOLVED, end, number=2, receiver="slack_bot") for end in ends]
        assert tell(store, server.url, *owed, after=62) == 4

    texts = [one["text"][:12] for one in slack.shown.values()]
    assert texts == ["✅ S0: over a", "✅ S1: over a", "✅ S2: over a", "✅ S3: over a", "✅ 4 services"]
    assert slack.edits == 4


def test_a_reply_without_a_time_stamp_confirms_nothing() -> None:
    """Nothing could be edited later, and who knows what it was."""
    with Server(Reply('{"ok": true}')) as server, pytest.raises(DeliveryError) as caught:
        asyncio.run(SLACK_BOT.make(server.url).send(make_notification()))

    assert caught.value.ambiguous


@pytest.mark.parametrize("word", ["internal_error", "fatal_error", "service_unavailable", "request_timeout"])
def test_trouble_on_slacks_side_is_worth_another_try(word: str) -> None:
    """Said with status 200."""
    with Server(Reply(f'{{"ok": false, "error": "{word}"}}')) as server, pytest.raises(DeliveryError) as caught:
        asyncio.run(SLACK_BOT.make(server.url).send(make_notification()))

    assert not caught.value.permanent


def test_settings_that_will_not_do_are_named() -> None:
    """No token: off. No channel, or an odd address: a mistake."""
    with pytest.raises(NotConfigured, match="SLACK_TOKEN"):
        build({"channel": "C1"})
    with pytest.raises(ConfigError, match="channel"):
        build({"token": "xoxb-1"})
    with pytest.raises(ConfigError, match="api"):
        build({"token": "xoxb-1", "channel": "C1", "api": "http://slack.example.org/api"})
    assert isinstance(build({"token": "xoxb-1", "channel": "C1"}), SlackBot)
    assert SECRET not in repr(build({"token": SECRET, "channel": "C1"}))


def test_it_passes_the_conformance_suite() -> None:
    """As every notifier."""
    with Server(Slack()) as server:
        assert asyncio.run(check_notifier(lambda: SLACK_BOT.make(server.url), make_notification()))
        server.now(SLACK_BOT.refusals[0])
        assert asyncio.run(check_notifier_failure(lambda: SLACK_BOT.make(server.url), make_notification())).permanent


def test_a_major_alert_late_by_hours_says_so(store: Store) -> None:
    """One message that waited six hours carries its true time."""
    slack = Slack()
    owed = replace(make_notification(alert=make_alert(level=Level.MAJOR)), id="k/slack_bot/1", receiver="slack_bot")
    with Server(slack) as server:
        tell(store, server.url, owed, after=timedelta(hours=6).total_seconds() / 60)

    assert "(Late: this was due at 12:05 UTC.)" in next(iter(slack.shown.values()))["text"]


def test_slack_itself_down_for_six_hours_gets_one_message_within_a_minute(store: Store) -> None:
    """The same through the real client: a workspace that answers 503, and then takes the summary, once."""
    slack = Slack()
    with Server(Reply("unavailable", status=503)) as server:
        bot = SLACK_BOT.make(server.url, timeout=5)
        for number in range(12):
            store.record(now=minute(5), notifications=[about(f"s{number:02}", 5 + number, receiver="slack_bot")])
            store.record(
                now=minute(5),
                notifications=[about(f"s{number:02}", 40 + number, reason=Reason.RESOLVED, receiver="slack_bot")],
            )
        at = minute(5)
        sender = Sender([bot], store.outbox, now=lambda: at, chance=lambda: 0.5)

        async def live(until: float, step: float) -> None:
            nonlocal at
            while at < minute(until):
                await sender.send_due("slack_bot")
                at += timedelta(seconds=step)

        asyncio.run(live(365, 45))
        assert slack.shown == {}
        server.now(slack)
        asyncio.run(live(366.1, 5))
        came = len(slack.shown)
        asyncio.run(live(380, 60))

    ((_, told),) = slack.shown.items()
    assert came == 1
    assert "12 services: over" in told["text"]
    assert all(f"S{number:02}" in str(told["blocks"]) for number in range(12))
    assert store.read.unsent() == []
