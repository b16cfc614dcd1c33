"""Resolve once, judge every address, connect to the judged literal: no room for DNS rebinding.

httpcore2 opens TLS with the URL's host name on the stream we return, so certificates stay checked against the name.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore2

from detector.errors import Permanent, Temporary
from detector.transport.guard import refusal

Resolve = Callable[[str, int], Awaitable[list[str]]]
_MAX_TRIED = 4


async def resolve(host: str, port: int) -> list[str]:
    """The host's addresses as literals, in the system's order.

    Raises:
        Temporary: the name cannot be resolved now.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Temporary(f"{host}: the name cannot be resolved ({error}); check the name and the network") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """A network backend that refuses addresses by `guard.refusal`.

    Args:
        allow_private: opens loopback and private networks.
        resolver: host and port to literal addresses.
        inner: what opens the connection to the literal; a test passes a stub.
    """

    def __init__(
        self, *, allow_private: bool, resolver: Resolve = resolve, inner: httpcore2.AsyncNetworkBackend | None = None
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolver
        self._inner = inner if inner is not None else httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first judged address that answers.

        Raises:
            Permanent: any of the host's addresses is one we refuse.
        """
        addresses = await self._resolve(host, port)
        for address in addresses:
            reason = refusal(address, allow_private=self._allow_private)
            if reason is not None:
                raise Permanent(
                    f"{host} resolves to {address}, which is refused: {reason}. "
                    "If this source is on your own network, set allow_private = true for it"
                )
        failure: Exception = Temporary(f"{host}: the name has no address")
        for address in addresses[:_MAX_TRIED]:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002 - httpcore2's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - httpcore2's signature
    ) -> httpcore2.AsyncNetworkStream:
        """Always refused."""
        raise Permanent(f"{path}: unix sockets are not fetched")

    async def sleep(self, seconds: float) -> None:
        """Wait between httpcore2's own retries (we ask for none)."""
        await asyncio.sleep(seconds)
