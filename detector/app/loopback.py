"""Two small servers on 127.0.0.1 for the demo: an official page of Statuspage's shape and a Slack channel."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

Answer = Callable[[str, bytes], tuple[int, str, bytes]]


class LocalServer:
    """Serves `answer(path, body) -> (status, content type, body)` while the `with` block lasts."""

    def __init__(self, answer: Answer) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LocalServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def status_page(document: Callable[[], dict[str, Any]]) -> LocalServer:
    """An official page that shows `document()` at this moment."""

    def answer(path: str, _body: bytes) -> tuple[int, str, bytes]:
        parts = {"/api/v2/summary.json": "summary", "/api/v2/incidents.json": "incidents"}
        part = parts.get(path.partition("?")[0])
        if part is None:
            return 404, "text/plain", b"no such page"
        return 200, "application/json", json.dumps(document()[part]).encode()

    return LocalServer(answer)


@dataclass(slots=True)
class SlackMessage:
    """A message of a channel as it was posted and as it now reads, with the answers in its thread and their times."""

    ts: str
    at: datetime
    first: dict[str, Any]
    body: dict[str, Any]
    thread: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)

    @property
    def buttons(self) -> list[dict[str, Any]]:
        """Those that can be pressed, in order."""
        rows = [each["elements"] for each in self.body["blocks"] if each["type"] == "actions"]
        return [button for row in rows for button in row]

    def pressed(self, button: dict[str, Any], *, by: str, secret: str, now: datetime) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the request by which Slack tells that somebody pressed a button."""
        payload = {
            "type": "block_actions",
            "user": {"id": f"U{by.upper()}", "username": by.lower(), "name": by},
            "container": {"type": "message", "message_ts": self.ts},
            "actions": [
                {"action_id": button["action_id"], "value": button["value"], "action_ts": f"{now.timestamp()}"}
            ],
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = str(int(now.timestamp()))
        sign = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        return body, {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={sign}"}


class SlackChannel:
    """A workspace of one channel that answers a bot as Slack's Web API does.

    Args:
        posted: is handed a new message's body, and the message above it where it is an answer in a thread.
        edited: is handed a message that reads differently now.
        now: reads the clock.

    Attributes:
        messages: the channel, oldest first.
    """

    def __init__(
        self,
        posted: Callable[[dict[str, Any], SlackMessage | None], None],
        edited: Callable[[SlackMessage], None],
        now: Callable[[], datetime],
    ) -> None:
        self.messages: list[SlackMessage] = []
        self._posted = posted
        self._edited = edited
        self._now = now
        self._count = 0

    def server(self) -> LocalServer:
        """Answers at `/api/METHOD`."""
        return LocalServer(self._answer)

    def _answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        method = path.partition("?")[0].removeprefix("/api/")
        known = {"chat.postMessage": self._post, "chat.update": self._update}
        reply: dict[str, Any] = {"ok": False, "error": "missing_scope"}
        if method in known:
            try:
                reply = known[method](json.loads(body))
            except (ValueError, KeyError, TypeError):
                reply = {"ok": False, "error": "invalid_arguments"}
        return 200, "application/json", json.dumps(reply).encode()

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        ts = f"1700000000.{self._count:06d}"
        above = self._at(body["thread_ts"]) if "thread_ts" in body else None
        if "thread_ts" in body and above is None:
            return {"ok": False, "error": "thread_not_found"}
        if above is None:
            self.messages.append(SlackMessage(ts, self._now(), body, body))
        else:
            above.thread.append((self._now(), body))
        self._posted(body, above)
        return {"ok": True, "channel": body["channel"], "ts": ts}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        found = self._at(body["ts"])
        if found is None:
            return {"ok": False, "error": "message_not_found"}
        found.body = found.body | {"text": body["text"], "blocks": body["blocks"]}
        self._edited(found)
        return {"ok": True, "channel": body["channel"], "ts": found.ts, "text": body["text"]}

    def _at(self, ts: str) -> SlackMessage | None:
        return next((each for each in self.messages if each.ts == ts), None)


def slack_text(message: dict[str, Any]) -> list[str]:
    """The lines a channel would show of a message in Slack's Block Kit.

    >>> slack_text({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*down* &amp; out"}}]})
    ['*down* & out']
    """
    lines: list[str] = []
    for block in message.get("blocks", []):
        if block.get("type") == "divider":
            lines.append("-" * 24)
        texts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        if block.get("type") == "actions":
            lines.append("  ".join(f"[{each['text']['text']}]" for each in block["elements"]))
            continue
        for text in texts:
            words = text.get("text") if isinstance(text, dict) else None
            if isinstance(words, dict):
                words = words.get("text")
            if isinstance(words, str):
                lines += words.splitlines()
    lines = lines or str(message.get("text", "")).splitlines()
    return [line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for line in lines]


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10
        # Head and body in one packet: apart, the reader's delayed acknowledgement costs 40 ms.
        wbufsize = 65536
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            """Answer a reader."""
            self._reply(b"")

        def do_POST(self) -> None:
            """Answer a sender."""
            self._reply(self.rfile.read(min(int(self.headers.get("content-length") or 0), 1_000_000)))

        def _reply(self, body: bytes) -> None:
            status, kind, content = answer(self.path, body)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    return Handler
