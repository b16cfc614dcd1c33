"""Answers by a signed request to the page: what Slack signed is taken, and shown; nothing else is."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import SignatureVerifier
from starlette.testclient import TestClient

from detector.alerting.answer import Answer, Said
from detector.app.answering import Answering
from detector.app.clock import system_now
from detector.app.page import page_surroundings, writer
from detector.config.secret import Secret
from detector.domain import Reason
from detector.errors import DeliveryError
from detector.notify.blocks import slack_payload
from detector.notify.slack import SlackWebhook, build
from detector.protocols import Notifier
from detector.store import Store, open_reader
from detector.web import create_app
from tests.loopback import Reply, unused_port
from tests.notify.builders import NOON, make_alert, minute
from tests.notify.channels import Server
from tests.notify.slack_socket import KEY, OWED, plan_of, pressed, until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        opened.record(now=NOON, alerts=[(make_alert(), Reason.OPENED)], notifications=[OWED])
        yield opened


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
