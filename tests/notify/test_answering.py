"""People answer in Slack, through slack_sdk's own Socket Mode client and a loopback workspace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector.alerting.answer import Said
from detector.app.answering import Answering, answers_beside
from detector.config.secret import Secret
from detector.domain import Reason
from detector.notify.outbox import Sender
from detector.notify.slack import build
from detector.notify.slack_socket import SocketMode
from detector.store import Store
from tests.notify.builders import NOON, make_alert, minute
from tests.notify.channels import Server
from tests.notify.slack_socket import APP_TOKEN, OWED, Workspace, plan_of, pressed, until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        opened.record(now=NOON, alerts=[(make_alert(), Reason.OPENED)], notifications=[OWED])
        yield opened


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    made = Workspace()
    yield made
    made.close()


@asynccontextmanager
async def talking(store: Store, url: str, **more: Any) -> AsyncIterator[tuple[Answering, Callable[[float], Any]]]:
    """A bot that has told of the outage and listens for answers; `tell` sends what is due."""
    plan = plan_of(url, **more)
    bot = build({**plan.settings.receivers["slack"].options, "receiver": "slack"})
    now = minute(6)

    async def tell(after: float) -> int:
        return await Sender([bot], store.outbox, now=lambda: minute(after)).send_due("slack")

    async with answers_beside(plan, store, [bot], lambda: now) as answering:
        assert answering is not None
        await tell(5)
        yield answering, tell


def buttons_of(message: dict[str, Any]) -> list[str]:
    return [
        each["text"]["text"] for block in message["blocks"] if block["type"] == "actions" for each in block["elements"]
    ]


def test_a_press_is_kept_and_the_message_says_who_answered_what(store: Store, workspace: Workspace) -> None:
    """Through the real client: acknowledged, stored as feedback, shown on the message, there after the next edit."""

    async def story(url: str) -> None:
        async with talking(store, url, app_token=Secret(APP_TOKEN)) as (answering, tell):
            ((ts, shown),) = workspace.shown.items()
            assert buttons_of(shown) == ["It is real", "False alarm", "Silence 1 h", "Not our concern"]
            workspace.press(ts, "It is real", by="ann")
            assert await asyncio.to_thread(workspace.acked.get, timeout=10) == "e1"
            await until(lambda: "ann: it is real" in str(workspace.shown[ts]["blocks"]))
            end = replace(OWED, id="claude-20260302T1204/slack/raised-2", reason=Reason.RAISED, created_at=minute(9))
            store.record(now=minute(9), notifications=[end])
            assert await tell(9) == 1
            assert answering.taken == 1

    with Server(workspace) as server:
        asyncio.run(story(server.url))

    ((ts, shown),) = workspace.shown.items()
    assert "Answered: ann: it is real (12:06)" in str(shown["blocks"])
    (answer,) = workspace.threads[ts]
    assert buttons_of(answer) == []
    (word,) = store.read.feedback()
    assert (word.alert_key, word.real, word.comment) == ("claude-20260302T1204", True, "ann, by slack")


def test_the_same_press_counts_once_whichever_way_it_comes(store: Store, workspace: Workspace) -> None:
    """Slack sends an envelope again when its acknowledgement was lost."""

    async def story(url: str) -> None:
        async with talking(store, url, app_token=Secret(APP_TOKEN)):
            ((ts, _),) = workspace.shown.items()
            for envelope in ("e1", "e2", "e3"):
                workspace.press(ts, "False alarm", envelope=envelope)
                assert await asyncio.to_thread(workspace.acked.get, timeout=10) == envelope

    with Server(workspace) as server:
        asyncio.run(story(server.url))

    assert [each.said for each in store.read.answers()] == [Said.FALSE]
    assert [each.real for each in store.read.feedback()] == [False]


def test_a_silence_and_a_shrug_follow_from_their_buttons(store: Store, workspace: Workspace) -> None:
    """An hour's silence for the service; "not our concern" says nothing about whether it was true."""

    async def story(url: str) -> None:
        async with talking(store, url, app_token=Secret(APP_TOKEN)):
            ((ts, _),) = workspace.shown.items()
            workspace.press(ts, "Silence 1 h", by="ben", number=1)
            workspace.press(ts, "Not our concern", by="cleo", number=2)
            await until(lambda: "cleo: not our concern" in str(workspace.shown[ts]["blocks"]))

    with Server(workspace) as server:
        asyncio.run(story(server.url))

    (silence,) = store.read.silences(now=minute(6))
    assert (silence.service, silence.ends_at) == ("claude", minute(66))
    assert "ben" in silence.comment
    assert {each.said for each in store.read.answers()} == {Said.SILENCE, Said.NOT_OURS}
    assert store.read.feedback() == []


def test_a_connection_that_breaks_is_made_again_and_a_refused_one_tried_again(
    store: Store, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack closes connections every few hours; a press after that still arrives."""
    monkeypatch.setattr("detector.notify.slack_socket._PING_S", 0.2)
    workspace.refuse = "internal_error"

    async def story(url: str) -> None:
        async with talking(store, url, app_token=Secret(APP_TOKEN)):
            ((ts, _),) = workspace.shown.items()
            await asyncio.to_thread(workspace.open.wait, 10)
            workspace.drop()
            await asyncio.to_thread(workspace.open.wait, 20)
            workspace.press(ts, "It is real")
            assert await asyncio.to_thread(workspace.acked.get, timeout=10) == "e1"

    with Server(workspace) as server:
        asyncio.run(story(server.url))

    assert workspace.connections == 2
    assert len(store.read.feedback()) == 1


def test_an_answer_that_cannot_be_kept_is_not_acknowledged(store: Store, workspace: Workspace) -> None:
    """Slack sends it again: an acknowledgement is a promise."""
    taken: list[object] = []

    def take(payload: object) -> bool:
        taken.append(payload)
        raise RuntimeError("the disk is full")

    async def story(url: str) -> None:
        stopping, ready = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(SocketMode(APP_TOKEN, take, api=f"{url}/api/").run(stopping, ready=ready))
        async with asyncio.timeout(20):
            await ready.wait()
        workspace.send({"type": "interactive", "envelope_id": "lost", "payload": {"type": "block_actions"}})
        workspace.send({"type": "events_api", "envelope_id": "other", "payload": {}})
        assert await asyncio.to_thread(workspace.acked.get, timeout=10) == "other"
        await until(lambda: bool(taken))
        stopping.set()
        await running

    with Server(workspace) as server:
        asyncio.run(story(server.url))

    assert workspace.acked.empty()


def test_a_press_about_no_message_of_ours_is_put_aside(store: Store) -> None:
    """An old message of a database that is no more, another app's button, somebody else's receiver."""

    async def story() -> None:
        answering = Answering(store, [], now=lambda: minute(6))
        message = {"blocks": [{"type": "actions", "elements": [_button("gone-1/slack/opened-1")]}]}
        assert answering.take(pressed(message, "It is real"))
        assert answering.take({"type": "view_submission"})
        ours = {"blocks": [{"type": "actions", "elements": [_button(OWED.id)]}]}
        assert answering.take(pressed(ours, "It is real"), ["another"])
        assert answering.refused == 3

    asyncio.run(story())
    assert store.read.answers() == []


def _button(value: str) -> dict[str, Any]:
    return {"action_id": "detector.real", "value": value, "text": {"text": "It is real"}}
