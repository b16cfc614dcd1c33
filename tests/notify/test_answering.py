"""People answer in Slack: through slack_sdk's Socket Mode client, and by a signed request to the page."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import SignatureVerifier
from starlette.testclient import TestClient

from detector.app.answering import Answering, answers_beside
from detector.app.build import blueprint
from detector.app.clock import system_now
from detector.app.page import page_surroundings, writer
from detector.config.catalogue import load_catalogue
from detector.config.secret import Secret
from detector.config.settings import Settings
from detector.domain import Reason, Said
from detector.notify.outbox import Sender
from detector.notify.slack import build
from detector.notify.slack_socket import SocketMode
from detector.protocols import Notifier
from detector.store import Store, open_reader
from detector.web import create_app
from tests.loopback import unused_port
from tests.notify.builders import NOON, make_alert, make_notification, minute
from tests.notify.channels import Server
from tests.notify.slack_socket import APP_TOKEN, SECRET, Workspace, pressed

KEY = "8f742231b10e8888abcd99yyyzzz85a5"
OWED = replace(make_notification(receiver="slack"), id="claude-20260302T1204/slack/opened-1")


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


def plan_of(url: str, **more: Any) -> Any:
    receiver = {
        "type": "slack",
        "token": Secret(SECRET),
        "channel": "C1",
        "api": f"{url}/api",
        "allow_loopback_http": True,
        **more,
    }
    settings = Settings.model_validate({"sources": {}, "receivers": {"slack": receiver}})
    return blueprint(settings, load_catalogue())


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


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.01)


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


class Page:
    """The daemon's page with the endpoint for answers, and a webhook receiver whose messages it can revise."""

    def __init__(self, store: Store, url: str, *, token: str | None = None) -> None:
        self.plan = plan_of(url)
        self.notifier: Notifier = build(
            {
                "webhook": Secret(f"{url}/services/x"),
                "receiver": "slack",
                "signing_secret": Secret(KEY),
                "allow_loopback_http": True,
            }
        )
        self.answering: Answering | None = None
        page = self

        async def endpoint(headers: Any, body: bytes) -> int:
            page.answering = page.answering or Answering(
                store, [page.notifier], now=lambda: minute(6), secrets_of={"slack": KEY}
            )
            return await page.answering.endpoint(headers, body)

        self.app = create_app(
            lambda: open_reader(store.path),
            around=page_surroundings(self.plan, lambda: minute(6)),
            act=writer(store),
            token=token,
            hosts=["alerts.example.org"],
            answers=endpoint,
        )


def request(payload: object, *, after: float = 6, key: str = KEY) -> tuple[bytes, dict[str, str]]:
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(minute(after).timestamp()))
    sign = SignatureVerifier(key).generate_signature(timestamp=stamp, body=body)
    return body, {
        "host": "alerts.example.org",
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": sign or "",
    }


@pytest.mark.parametrize("token", [None, "t" * 43])
def test_a_signed_request_to_the_page_is_an_answer(store: Store, token: str | None) -> None:
    """Behind a proxy, with or without a token on the page; the message is replaced through Slack's own address."""
    from detector.notify.blocks import slack_payload
    from tests.loopback import Reply

    with Server(Reply("ok")) as slack, TestClient(Page(store, slack.url, token=token).app) as client:
        payload = pressed(slack_payload(OWED, ask=True), "False alarm", reply_to=f"{slack.url}/actions/T1/1/x")
        body, headers = request(payload)
        assert client.post("/slack/answers", content=body, headers=headers).status_code == 200
        assert client.post("/slack/answers", content=body, headers=headers).status_code == 200
        client.portal.call(until, lambda: len(slack.requests) >= 2)  # type: ignore[union-attr]
        shown = json.loads(slack.requests[0].body)

    assert shown["replace_original"] is True
    assert "ann: a false alarm" in str(shown["blocks"])
    assert [each.said for each in store.read.answers()] == [Said.FALSE]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"x-slack-signature": "v0=" + "0" * 64}, 401),
        ({"x-slack-signature": ""}, 401),
        ({"x-slack-request-timestamp": "12"}, 401),
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"content-length": "70000"}, 413),
    ],
)
def test_what_slack_did_not_sign_is_refused(store: Store, change: dict[str, str], status: int) -> None:
    """And nothing is kept."""
    with TestClient(Page(store, "http://127.0.0.1:1").app) as client:
        body, headers = request({"type": "block_actions"})
        assert client.post("/slack/answers", content=body, headers=headers | change).status_code == status

    assert store.read.answers() == []


def test_an_old_request_is_refused_as_a_replay(store: Store) -> None:
    """Five minutes, to the second before."""
    with TestClient(Page(store, "http://127.0.0.1:1").app) as client:
        for after, status in [(0.9, 401), (1.1, 200), (10.9, 200), (11.1, 401)]:
            body, headers = request({"type": "view_closed"}, after=after)
            assert client.post("/slack/answers", content=body, headers=headers).status_code == status


def test_a_page_without_such_receivers_has_no_such_address(store: Store) -> None:
    """Nothing listens where nothing was set up."""
    app = create_app(
        lambda: open_reader(store.path), around=page_surroundings(plan_of("http://127.0.0.1:1"), lambda: minute(6))
    )
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        assert client.post("/slack/answers", headers={"origin": "http://127.0.0.1:8000"}).status_code == 404


def test_the_page_tells_who_answered_what(store: Store) -> None:
    """On the alert's time line, with what follows from it."""
    from detector.domain import Answer

    for number, said in enumerate(Said):
        store.add_answer(
            Answer(id=str(number), alert_key=OWED.alert.key, receiver="slack", said=said, by="ann <b>", at=minute(6))
        )
    page = Page(store, "http://127.0.0.1:1")
    with TestClient(page.app) as client:
        told = client.get(f"/a/{OWED.alert.key}", headers={"host": "alerts.example.org"}).text

    assert "ann &lt;b&gt; answers in slack: not our concern" in told
    assert "ann &lt;b&gt; answers in slack: silenced for an hour" in told
    assert "a person says: a real outage (ann &lt;b&gt;, by slack)" in told


def test_a_webhook_revises_only_at_slacks_own_address(store: Store) -> None:
    """What came with a press could be anything."""
    from detector.errors import DeliveryError
    from detector.notify.slack import SlackWebhook

    hook = SlackWebhook("https://hooks.slack.com/services/x", ask=True)
    for address in (None, "https://evil.example/", "http://hooks.slack.com/x", "https://u@hooks.slack.com/"):
        with pytest.raises(DeliveryError, match="address of Slack"):
            asyncio.run(hook.revise(OWED, address))


def test_a_running_daemon_takes_signed_answers(tmp_path: Path) -> None:
    """`detector watch` with the page: a signed request is taken, an unsigned one is not, and SIGTERM still ends it."""
    port = unused_port()
    config = tmp_path / "detector.toml"
    config.write_text(
        f"""
[watch]
classifier = "keyword"
[status]
enabled = false
[sources.feeds]
enabled = false
[web]
enabled = true
port = {port}
names = ["alerts.example.org"]
[receivers.slack]
webhook_env = "HOOK"
signing_secret_env = "SIGNING"
""",
        encoding="utf-8",
    )
    env = {**os.environ, "HOOK": "https://hooks.slack.com/services/x", "SIGNING": KEY}
    command = [str(Path(sys.executable).with_name("detector")), "watch", "--config", str(config)]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        for line in daemon.stderr:
            if "ready" in line:
                break
        now = system_now()
        body, headers = request({"type": "view_closed"}, after=(now - NOON).total_seconds() / 60)
        taken = _post(port, body, headers)
        refused = _post(port, body + b"x", headers)
        daemon.terminate()
        daemon.communicate(timeout=20)

    assert (taken, refused) == (200, 401)
    assert daemon.returncode == 0


def _post(port: int, body: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/slack/answers", body=body, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
