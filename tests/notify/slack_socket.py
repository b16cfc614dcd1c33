"""Slack's side of Socket Mode on this machine: the Web API hands out an address, and a websocket sends envelopes."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server as WebSocketServer
from websockets.sync.server import ServerConnection, serve

from detector.app.build import Blueprint, blueprint
from detector.config.catalogue import load_catalogue
from detector.config.secret import Secret
from detector.config.settings import Settings
from tests.loopback import Reply, Request
from tests.notify.builders import make_notification
from tests.notify.channels import SECRET, Slack

KEY = "8f742231b10e8888abcd99yyyzzz85a5"
OWED = replace(make_notification(receiver="slack"), id="claude-20260302T1204/slack/opened-1")
APP_TOKEN = "xapp-S3CR3T00000000000000000000"


class Workspace(Slack):
    """A workspace whose messages have buttons that can be pressed.

    Attributes:
        acked: envelopes the app acknowledged, in order.
        connections: how often the app connected.
    """

    def __init__(self) -> None:
        super().__init__()
        self.acked: queue.Queue[str] = queue.Queue()
        self.connections = 0
        self.open = threading.Event()
        self.refuse: str | None = None
        self._live: ServerConnection | None = None
        self._sockets: WebSocketServer = serve(self._talk, "127.0.0.1", 0)
        self._port = self._sockets.socket.getsockname()[1]
        threading.Thread(target=self._sockets.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._sockets.shutdown()

    def __call__(self, request: Request) -> Reply:
        if not request.path.endswith("apps.connections.open"):
            return super().__call__(request)
        assert request.headers["authorization"] == f"Bearer {APP_TOKEN}"
        said: dict[str, Any] = {"ok": True, "url": f"ws://127.0.0.1:{self._port}/link/?ticket=1"}
        if self.refuse is not None:
            said, self.refuse = {"ok": False, "error": self.refuse}, None
        return Reply(json.dumps(said), headers={"Content-Type": "application/json"})

    def press(self, ts: str, button: str, *, by: str = "ann", number: int = 1, envelope: str = "e1") -> dict[str, Any]:
        """A colleague presses a button of a message; returns what was sent."""
        payload = pressed(self.shown[ts], button, by=by, number=number, ts=ts)
        self.send(
            {"type": "interactive", "envelope_id": envelope, "payload": payload, "accepts_response_payload": False}
        )
        return payload

    def send(self, envelope: dict[str, Any]) -> None:
        assert self.open.wait(10)
        assert self._live is not None
        self._live.send(json.dumps(envelope))

    def drop(self) -> None:
        """The connection breaks."""
        assert self._live is not None
        self.open.clear()
        self._live.close()

    def _talk(self, connection: ServerConnection) -> None:
        self.connections += 1
        self._live = connection
        connection.send(json.dumps({"type": "hello", "num_connections": 1}))
        self.open.set()
        try:
            for text in connection:
                self.acked.put(json.loads(text)["envelope_id"])
        except ConnectionClosed:
            pass


def pressed(
    message: dict[str, Any], button: str, *, by: str = "ann", number: int = 1, ts: str = "1.0", reply_to: str = ""
) -> dict[str, Any]:
    """The payload of a press, as documented, about a message as it was posted."""
    elements = next(block["elements"] for block in message["blocks"] if block["type"] == "actions")
    element = next(each for each in elements if each["text"]["text"] == button)
    return {
        "type": "block_actions",
        "team": {"id": "T1", "domain": "example"},
        "user": {"id": f"U{by.upper()}", "username": by, "name": by, "team_id": "T1"},
        "api_app_id": "A1",
        "container": {"type": "message", "message_ts": ts, "channel_id": "C1", "is_ephemeral": False},
        "channel": {"id": "C1", "name": "outages"},
        "response_url": reply_to or "https://hooks.slack.com/actions/T1/1/x",
        "actions": [
            {
                "type": "button",
                "action_id": element["action_id"],
                "block_id": "b1",
                "value": element["value"],
                "action_ts": f"17000001{number:02}.000000",
            }
        ],
    }


def plan_of(url: str, **more: Any) -> Blueprint:
    """One Slack bot at a loopback workspace."""
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


async def until(done: Callable[[], bool]) -> None:
    """Wait for it, twenty seconds at most."""
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.01)
