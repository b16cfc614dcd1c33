"""A Jetstream of our own on loopback, in both dialects: replays from a cursor, goes live, refuses and breaks off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from detector.collectors.jetstream import POSTS, SUBPROTOCOL, V2_METHOD, moment

V1, V2 = "/subscribe", f"/xrpc/{V2_METHOD}"
BASE = int(datetime(2026, 3, 2, 11, 59, tzinfo=UTC).timestamp()) * 1_000_000


@dataclass(frozen=True)
class Said:
    """One event: `at` in Unix microseconds."""

    at: int
    text: str = ""
    did: str = "did:plc:adalovelace"
    rkey: str = ""
    operation: str = "create"
    created_at: str | None = None
    parent: str | None = None
    collection: str = POSTS

    def key(self) -> str:
        return self.rkey or f"r{self.at}"

    def record(self) -> dict[str, Any] | None:
        if self.operation == "delete":
            return None
        record: dict[str, Any] = {
            "$type": self.collection,
            "text": self.text,
            "createdAt": self.created_at or moment(self.at).isoformat().replace("+00:00", "Z"),
            "langs": ["en"],
        }
        if self.parent:
            record["reply"] = {"parent": {"uri": self.parent, "cid": "b"}, "root": {"uri": self.parent, "cid": "b"}}
        return record

    def frame(self, path: str) -> str:
        inner = {"operation": self.operation, "collection": self.collection, "rkey": self.key(), "rev": "3l"}
        if self.record() is not None:
            inner |= {"record": self.record(), "cid": "bafy"}  # type: ignore[dict-item]
        if path == V1:
            return json.dumps({"did": self.did, "time_us": self.at, "kind": "commit", "commit": inner})
        payload = {
            "$type": f"{V2_METHOD}#commit",
            "seq": self.at - BASE + 1,
            "did": self.did,
            "time": moment(self.at).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            **inner,
        }
        return json.dumps({"$type": "message", "payload": payload})


@dataclass
class Jetstream:
    """What the server knows and what it was asked.

    Attributes:
        oldest: cursors before it are refused with `CursorTooOld`.
        end: called when the replay is over; returns a last frame to send before closing, or None to stay live.
        statuses: statuses to answer handshakes with before one succeeds.
    """

    events: list[Said] = field(default_factory=list)
    paths: Sequence[str] = (V1, V2)
    oldest: int = 0
    end: Callable[[int], str | None] = lambda _: None
    statuses: list[int] = field(default_factory=list)
    raw: list[str | bytes] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    url: str = ""
    connections: list[ServerConnection] = field(default_factory=list)

    async def say(self, *said: Said) -> None:
        """Something new, to everybody who listens."""
        self.events.extend(said)
        for connection in self.connections:
            for each in said:
                await connection.send(each.frame(urlsplit(str(connection.request and connection.request.path)).path))

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        self.asked.append(query | {"path": [parts.path]})
        if parts.path not in self.paths:
            return connection.respond(HTTPStatus.NOT_FOUND, "no such method")
        if self.statuses:
            return connection.respond(HTTPStatus(self.statuses.pop(0)), "not now")
        if parts.path == V2 and "wantedCollections" in query:
            return connection.respond(HTTPStatus.BAD_REQUEST, '{"error":"InvalidRequest"}')
        if int(query.get("cursor", ["0"])[0] or 0) and int(query["cursor"][0]) < self.oldest:
            return connection.respond(HTTPStatus.BAD_REQUEST, '{"error":"CursorTooOld","message":"too far back"}')
        return None

    async def speak(self, connection: ServerConnection) -> None:
        parts = urlsplit(str(connection.request and connection.request.path))
        cursor = int(parse_qs(parts.query).get("cursor", ["0"])[0])
        number = len(self.asked)
        for frame in self.raw:
            await connection.send(frame)
        for said in self.events:
            if said.at >= cursor:
                await connection.send(said.frame(parts.path))
        last = self.end(number)
        if last is not None:
            if last:
                await connection.send(last)
            await connection.close()
            return
        self.connections.append(connection)
        try:
            await connection.wait_closed()
        finally:
            self.connections.remove(connection)


@asynccontextmanager
async def jetstream(state: Jetstream) -> Any:
    """The server, for an `async with` block; `state.url` is its address without a path."""
    server = await serve(
        state.speak,
        "127.0.0.1",
        0,
        process_request=state.refuse,
        select_subprotocol=lambda _, offered: next((each for each in offered if each == SUBPROTOCOL), None),
        compression=None,
    )
    state.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()
        await asyncio.wait_for(server.wait_closed(), 5)
