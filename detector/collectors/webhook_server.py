"""A very small HTTP server for pushed posts: one path, one method, every size and time bounded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import h11
import msgspec

from detector.errors import Permanent

PATH = "/posts"
_HEADERS_MAX = 16_384
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what is said in JSON."""

    status: int
    says: Mapping[str, Any]


class PushServer:
    """Listens on this machine and hands complete requests over.

    Args:
        receive: takes lower-case headers and the body, returns what to answer.
        rejected: where refusals are counted, by reason.
        max_bytes: of a body.
        deadline: seconds a request may take to arrive.
        most: connections at once.
    """

    def __init__(
        self,
        *,
        receive: Callable[[Mapping[str, str], bytes], Awaitable[Answer]],
        rejected: Counter[str],
        host: str,
        port: int,
        max_bytes: int,
        deadline: float = 10.0,
        most: int = 64,
    ) -> None:
        self._receive = receive
        self._rejected = rejected
        self._host = host
        self._port = port
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._most = most
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port it listens on; that of the settings before it listens."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server and self._server.sockets else self._port

    async def start(self) -> None:
        """Listen; a second call does nothing.

        Raises:
            Permanent: the port cannot be had.
        """
        if self._server is not None:
            return
        try:
            self._server = await asyncio.start_server(self._connected, self._host, self._port, limit=_CHUNK)
        except OSError as error:
            where = f"{self._host}:{self._port}"
            raise Permanent(
                f"webhook: cannot listen on {where} ({error.strerror or error}); choose another port"
            ) from error

    async def aclose(self) -> None:
        """Hang up; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= self._most:
            self._rejected["too many connections"] += 1
            writer.close()
            return
        self._open.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, then the connection ends."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEADERS_MAX)
        try:
            async with asyncio.timeout(self._deadline):
                read = await self._read(connection, reader)
        except TimeoutError:
            read = self._refuse(408, "too slow")
        except h11.RemoteProtocolError as error:
            read = self._refuse(error.error_status_hint, "not HTTP")
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        if read is None:
            return
        answer = read if isinstance(read, Answer) else await self._receive(*read)
        body = msgspec.json.encode(answer.says)
        head = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
            ("x-content-type-options", "nosniff"),
        ]
        if answer.status == 503:
            head.append(("retry-after", "5"))
        with suppress(h11.LocalProtocolError):
            out = [
                h11.Response(status_code=answer.status, headers=head),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ]
            for event in out:
                writer.write(connection.send(event) or b"")
            async with asyncio.timeout(self._deadline):
                await writer.drain()

    async def _read(
        self, connection: h11.Connection, reader: asyncio.StreamReader
    ) -> Answer | tuple[dict[str, str], bytes] | None:
        """The request's headers and body, an answer that refuses it, or None where the other side hung up."""
        headers: dict[str, str] = {}
        body = bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Request):
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                refused = self._look(event, headers)
                if refused is not None:
                    return refused
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._max_bytes:
                    return self._refuse(413, "too large")
            elif isinstance(event, h11.EndOfMessage):
                return headers, bytes(body)
            else:
                return None

    def _look(self, request: h11.Request, headers: Mapping[str, str]) -> Answer | None:
        """Why a request is refused before its body is read, if it is."""
        if request.target.partition(b"?")[0] != PATH.encode():
            return self._refuse(404, "no such path")
        if request.method != b"POST":
            return self._refuse(405, "not a POST")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:15]) > self._max_bytes:
            return self._refuse(413, "too large")
        if headers.get("content-encoding", "identity") != "identity":
            return self._refuse(415, "compressed")
        return None

    def _refuse(self, status: int, reason: str) -> Answer:
        self._rejected[reason] += 1
        return Answer(status, {"error": reason})
