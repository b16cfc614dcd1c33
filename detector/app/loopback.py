"""Two small servers on 127.0.0.1 for the demo: an official page of Statuspage's shape and a Slack webhook."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

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


def slack_webhook(received: Callable[[dict[str, Any]], None]) -> LocalServer:
    """An incoming webhook that hands every message over and answers as Slack does."""

    def answer(_path: str, body: bytes) -> tuple[int, str, bytes]:
        try:
            message = json.loads(body)
        except ValueError:
            return 400, "text/plain", b"invalid_payload"
        received(message)
        return 200, "text/plain", b"ok"

    return LocalServer(answer)


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
