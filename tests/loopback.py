"""Real HTTP servers on loopback, well-behaved or not, for every test that needs the other side."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What arrived; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What to send. `fault` is one of: hang, drip, reset, truncated, empty (nothing at all), raw (body as it is)."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None


Answer = Reply | Callable[[Request], Reply]


class Loopback:
    """A server for a `with` block. `routes` maps paths to answers and may be changed while it runs.

    Example:
        with Loopback({"/feed": Reply("<rss/>")}) as server:
            ... server.url + "/feed" ...; server.requests lists what came.
    """

    def __init__(self, routes: Mapping[str, Answer] | None = None) -> None:
        self.routes: dict[str, Answer] = dict(routes or {})
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


def unused_port() -> int:
    """A port on which nothing listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Quiet."""

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            request = Request(
                method=self.command,
                path=parts.path,
                query=parse_qs(parts.query),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length) if length else b"",
            )
            server.requests.append(request)
            answer = server.routes.get(parts.path, Reply("no such page", status=404))
            reply = answer if isinstance(answer, Reply) else answer(request)
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            if reply.fault is None:
                self._head(reply, len(body))
                self.wfile.write(body)
            else:
                self._misbehave(reply, body)

        def _head(self, reply: Reply, length: int) -> None:
            self.send_response(reply.status)
            headers = {"Content-Length": str(length), **reply.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def _misbehave(self, reply: Reply, body: bytes) -> None:
            self.close_connection = True
            if reply.fault == "hang":
                server.stopping.wait(30)
            elif reply.fault == "drip":
                self._head(reply, len(body))
                for byte in body:
                    if server.stopping.wait(0.1):
                        return
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
            elif reply.fault == "reset":
                # SO_LINGER 0 turns close into a TCP reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.connection.close()
            elif reply.fault == "truncated":
                self._head(reply, len(body) * 2)
                self.wfile.write(body)
            elif reply.fault == "raw":
                self.wfile.write(body)

    return Handler
