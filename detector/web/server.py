"""Serving the page: sockets bound before anything starts, limits on connections and headers, an end in time."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from detector.errors import UsageError
from detector.web.guard import LARGEST_HEAD

MOST_CONNECTIONS = 1500
HEAD_TIMEOUT_S = 10.0
_GRACE_S = 3


class PatientProtocol(H11Protocol):
    """A connection that has not sent a whole request head in time is closed: slow ones must not use up the places."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._waiting = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop it."""
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if getattr(self, "cycle", None) is None and not self.transport.is_closing():
            self.transport.close()


class PageServer(uvicorn.Server):
    """uvicorn with its sockets already bound; `await serve()` runs it, `stop()` ends it within seconds.

    Attributes:
        address: what to type into a browser.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], address: str, *, signals: bool) -> None:
        super().__init__(config)
        self.address = address
        self._sockets = sockets
        self._signals = signals

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self._sockets[0].getsockname()[1])

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until `stop()`, or until a signal where signals were asked for."""
        await super().serve(sockets or self._sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The daemon has its own handlers; alone, uvicorn's serve."""
        with super().capture_signals() if self._signals else nullcontext():
            yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams first: they would never end by themselves."""
        app = self.config.app
        if isinstance(app, Starlette):
            app.state.live.close()
        await super().shutdown(sockets)

    def stop(self) -> None:
        """Ask `serve` to end."""
        self.should_exit = True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_server(app: Any, *, host: str = "127.0.0.1", port: int = 8765, signals: bool = False) -> PageServer:
    """Bind and get ready; nothing is answered before `serve()`.

    Args:
        host: on 127.0.0.1 the page is also bound to ::1 where there is one.
        port: 0 takes any that is free.
        signals: SIGINT and SIGTERM stop it; not for use within the daemon, which has handlers of its own.

    Raises:
        UsageError: the address is taken or not ours.
    """
    sockets = [_bind(host, port)]
    bound = sockets[0].getsockname()[1]
    if host in {"127.0.0.1", "localhost"}:
        with suppress(UsageError):  # no IPv6 here, or somebody else has that port there
            sockets.append(_bind("::1", bound))
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_GRACE_S,
        log_config=None,
    )
    shown = f"[{host}]" if ":" in host else host
    return PageServer(config, sockets, f"http://{shown}:{bound}/", signals=signals)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        # At once, so that whoever is told the address can connect: they wait until `serve` takes them up.
        made.listen(2048)
    except OSError as error:
        made.close()
        raise UsageError(
            f"{host}:{port} cannot be used ({error.strerror or error}); choose another with --port or --host"
        ) from error
    made.set_inheritable(False)
    return made
