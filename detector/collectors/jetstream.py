"""Jetstream's two dialects: what to ask for, and what an event says. Pure.

Version 2 (`network.bsky.jetstream.subscribeEvents`, subprotocol `xrpc.v1.json`) wraps each event in a message with a
flat payload and an RFC 3339 time; version 1 (`/subscribe`) nests the operation in `commit`, in microseconds. Both
take a cursor in Unix microseconds (version 2 reads values from 1e15 as such), so one cursor serves every instance.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

POSTS = "app.bsky.feed.post"
V2_METHOD = "network.bsky.jetstream.subscribeEvents"
SUBPROTOCOL = "xrpc.v1.json"
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Dialect(Enum):
    """How an instance speaks."""

    V1 = "v1"
    V2 = "v2"


class _Reference(msgspec.Struct, gc=False):
    uri: str = ""


class _Reply(msgspec.Struct, gc=False):
    parent: _Reference | None = None


class _Record(msgspec.Struct, gc=False):
    text: str = ""
    created_at: str = msgspec.field(default="", name="createdAt")
    reply: _Reply | None = None


class _Commit(msgspec.Struct, gc=False):
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: _Record | None = None


class _Payload(msgspec.Struct, gc=False):
    did: str = ""
    time: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: _Record | None = None


class _Frame(msgspec.Struct, gc=False):
    kind: str = msgspec.field(default="", name="$type")
    error: str = ""
    message: str = ""
    payload: _Payload | None = None
    did: str = ""
    time_us: int = 0
    commit: _Commit | None = None


class Event(msgspec.Struct, gc=False, frozen=True):
    """A post made, changed or deleted.

    Attributes:
        at: Unix microseconds by the server's clock.
        operation: "create", "update" or "delete".
        created_at: the client's claim, as written.
        parent: did and rkey of the post it answers.
    """

    at: int
    did: str
    rkey: str
    operation: str
    text: str = ""
    created_at: str = ""
    parent: tuple[str, str] | None = None


class Fault(Exception):  # noqa: N818 - the server's word, not ours
    """The server ends the stream; `name` says why ("ConsumerTooSlow", "CursorTooOld", "FutureCursor")."""

    def __init__(self, name: str, message: str = "") -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name


_DECODER = msgspec.json.Decoder(_Frame)


def decode(frame: bytes) -> tuple[int, Event | None]:
    """A frame's time in Unix microseconds (0 where it has none) and its event, if it concerns a post.

    Raises:
        Fault: the frame is an error.
        ValueError: it is not a frame of either dialect.

    >>> decode(b'{"did":"did:plc:x","time_us":1735007698011970,"kind":"identity","identity":{}}')
    (1735007698011970, None)
    >>> decode(b'{"$type":"error","error":"ConsumerTooSlow"}')
    Traceback (most recent call last):
    detector.collectors.jetstream.Fault: ConsumerTooSlow
    """
    found = _DECODER.decode(frame)
    if found.kind == "error" or found.error:
        raise Fault(found.error or "error", found.message)
    inner: _Commit | _Payload | None
    if found.payload is not None:
        inner, did, at = found.payload, found.payload.did, microseconds(found.payload.time)
    else:
        inner, did, at = found.commit, found.did, found.time_us
    if inner is None or inner.collection != POSTS or not did or not inner.rkey or at <= 0:
        return at, None
    record = inner.record
    if record is None:
        return at, Event(at, did, inner.rkey, inner.operation) if inner.operation == "delete" else None
    parent = record.reply.parent.uri if record.reply is not None and record.reply.parent is not None else ""
    return at, Event(
        at, did, inner.rkey, inner.operation, record.text, record.created_at, _post_of(parent) if parent else None
    )


def microseconds(time: str) -> int:
    """An RFC 3339 time as Unix microseconds; 0 where it is none.

    >>> microseconds("2026-11-22T13:00:00.123456Z"), microseconds("soon")
    (1795352400123456, 0)
    """
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        return 0
    return (at - _UNIX) // _MICROSECOND if at.tzinfo is not None else 0


def moment(at: int) -> datetime:
    """Unix microseconds as a time.

    >>> moment(1795352400123456).isoformat()
    '2026-11-22T13:00:00.123456+00:00'
    """
    return datetime.fromtimestamp(at // 1_000_000, UTC) + timedelta(microseconds=at % 1_000_000)


def dialect_of(url: str) -> Dialect:
    """The dialect an address speaks, by its path.

    >>> dialect_of("wss://jetstream.example/xrpc/network.bsky.jetstream.subscribeEvents").value
    'v2'
    >>> dialect_of("wss://jetstream2.example/subscribe").value
    'v1'
    """
    return Dialect.V2 if urlsplit(url).path.rstrip("/").endswith(V2_METHOD) else Dialect.V1


def address(url: str, cursor: int | None) -> str:
    """The full address: posts only, from `cursor` (Unix microseconds) or live.

    >>> address("wss://j.example/subscribe", 1735007698011970)
    'wss://j.example/subscribe?wantedCollections=app.bsky.feed.post&cursor=1735007698011970'
    >>> address("wss://j.example/xrpc/network.bsky.jetstream.subscribeEvents", None)
    'wss://j.example/xrpc/network.bsky.jetstream.subscribeEvents?kinds=commit&collections=app.bsky.feed.post'
    """
    parts = urlsplit(url)
    if dialect_of(url) is Dialect.V2:  # version 2 refuses the names of version 1
        asked = [("kinds", "commit"), ("collections", POSTS)]
    else:
        asked = [("wantedCollections", POSTS)]
    if cursor is not None:
        asked.append(("cursor", str(cursor)))
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *asked]), fragment=""))


def _post_of(uri: str) -> tuple[str, str] | None:
    """`at://did/collection/rkey` as (did, rkey)."""
    parts = uri.removeprefix("at://").split("/")
    return (parts[0], parts[2]) if len(parts) == 3 else None
