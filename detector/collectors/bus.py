"""Posts from a Redis stream: what other programs of ours publish, read by a consumer group.

An entry holds a field `post` with JSON as the webhook takes it, or the same names as fields of their own (`text`,
`title`, `id`, `created_at`, `author`, `url`, `service`, `in_reply_to`):

    XADD posts MAXLEN '~' 1000000 '*' text "login fails since noon" author ada id ticket-1

An entry is acknowledged when the cursor that names it comes back, so after its posts are stored; until then the server
keeps it for us, and after a crash it is delivered again (posts are told apart by their id, or the entry's). Entries
without a readable post are counted and acknowledged. What the stream's own limit removed before it was read is counted
and told as a gap.

A group hands each entry to one of its consumers. Daemons that must all hear everything (the partitions of one
catalogue) therefore need a `group` each; one that takes over from another needs the same `group` and `consumer`.

Settings: `stream`; optional `address = "127.0.0.1:6379"`, `group = "detector"`, `consumer = "detector"`, `username`,
`password_env`, `database = 0`, `tls` (needed beyond this machine, unless `plain = true` says that the network is
trusted), `batch = 500`, `begin = "first"` (or `"now"`, for a stream's past that is not wanted), `source = "bus"`.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec

from detector.collectors.context import CollectorContext
from detector.collectors.incoming import as_post, decode
from detector.collectors.options import Options
from detector.domain import EPOCH, Coverage, CoverageState, Post
from detector.errors import NotConfigured, Permanent, Temporary, TransportError
from detector.protocols import Collector, Harvest

PIP = "pip install 'outage-detector[bus]'"

_WAIT = 10.0
_LARGEST = 1_000_000
_LOCAL = {"127.0.0.1", "::1", "localhost"}
_FIELDS = ("text", "title", "body", "id", "created_at", "author", "account_created_at", "url", "service", "in_reply_to")
_PLAUSIBLE = timedelta(days=3650)
Entry = tuple[bytes, dict[bytes, bytes] | None]


class Bus:
    """Reads one stream as one consumer of a group.

    Args:
        context: author key.
        redis: the module of the client.
        client: a connection to the server; closed with the collector.
        begin: `first` or `now`, for a group that is new.
        batch: entries a poll at most.
    """

    interval = 1.0

    def __init__(
        self,
        *,
        context: CollectorContext,
        redis: Any,
        client: Any,
        stream: str,
        group: str,
        consumer: str,
        begin: str,
        batch: int,
        source: str,
    ) -> None:
        self.source = source
        self._context, self._redis, self._client = context, redis, client
        self._stream, self._group, self._consumer = stream, group, consumer
        self._begin, self._batch = begin, batch
        self._ready = False
        self._told_removed = 0
        self._polled_at: datetime | None = None

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """Acknowledge what the cursor names; then what was delivered and is not confirmed, and what is new.

        Raises:
            Temporary: the server does not answer, or is loading.
            Permanent: it refuses us, or the stream is something else.
        """
        errors = self._redis.exceptions
        confirmed = [part.encode() for part in (cursor or "").split(",") if _is_id(part)]
        try:
            async with asyncio.timeout(_WAIT):
                gaps, rejected = await self._open(confirmed, now)
                if confirmed:
                    await self._client.xack(self._stream, self._group, *confirmed)
                entries = await self._read("0", self._batch)
                if len(entries) < self._batch:
                    entries += await self._read(">", self._batch - len(entries))
        except (errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError) as error:
            raise Permanent(f"{self.source}: the server refuses us: {error}; see username and password_env") from error
        except (errors.ConnectionError, errors.TimeoutError, errors.BusyLoadingError, OSError, TimeoutError) as error:
            raise Temporary(f"{self.source}: the server does not answer: {error or type(error).__name__}") from error
        except errors.ResponseError as error:
            raise self._refused(error) from error
        self._polled_at = now
        posts, bad = self._posts(entries, now)
        rejected += bad
        return Harvest(
            posts=tuple(posts),
            cursor=",".join(ident.decode() for ident, _ in entries) or "-",
            gaps=gaps,
            rejected=tuple(sorted(rejected.items())),
            poll_after=0.01 if len(entries) == self._batch else None,
        )

    async def aclose(self) -> None:
        """Hang up; unconfirmed entries stay with the server."""
        await self._client.aclose()

    async def _open(self, confirmed: Sequence[bytes], now: datetime) -> tuple[tuple[Coverage, ...], Counter[str]]:
        """Make the group if there is none, and find out what was removed before it was read."""
        rejected: Counter[str] = Counter()
        gaps: tuple[Coverage, ...] = ()
        if not self._ready:
            fresh = await self._create("$" if self._begin == "now" and not confirmed else "0")
            if fresh and confirmed:
                # The server has lost the group, and who knows which entries with it.
                gaps = (self._gap(self._moment(confirmed[-1], now), now, "the stream's group was lost"),)
            self._ready = True
        lost, since, until = await self._removed(now)
        if lost:
            rejected["removed before it was read"] = lost
            gaps = (*gaps, self._gap(since, until, f"{lost} entries were removed before they were read"))
        return gaps, rejected

    async def _create(self, begin: str) -> bool:
        """Whether the group had to be made."""
        try:
            await self._client.xgroup_create(self._stream, self._group, id=begin, mkstream=True)
        except self._redis.exceptions.ResponseError as error:
            if "BUSYGROUP" in str(error):
                return False
            raise
        return True

    async def _removed(self, now: datetime) -> tuple[int, datetime, datetime]:
        """How many entries the stream's limit removed before the group read them, not told yet, and from when to when.

        A server before 7.0 does not count, and then nothing is known.
        """
        about = await self._client.xinfo_stream(self._stream)
        groups = await self._client.xinfo_groups(self._stream)
        mine = next((one for one in groups if _text(one["name"]) == self._group), None)
        if mine is None or about.get("entries-added") is None:
            return 0, now, now
        read, removed = mine.get("entries-read"), about["entries-added"] - about["length"]
        if read is None:
            read = 0 if _text(mine["last-delivered-id"]) == "0-0" else removed
        lost = removed - max(read, self._told_removed)
        if lost <= 0 or _text(mine["last-delivered-id"]) == _text(about["last-generated-id"]):
            return 0, now, now
        self._told_removed = removed
        first = about.get("first-entry")
        until = self._moment(first[0] if first else about["last-generated-id"], now)
        return lost, min(self._moment(mine["last-delivered-id"], until), until), until

    async def _read(self, place: str, count: int) -> list[Entry]:
        found = await self._client.xreadgroup(self._group, self._consumer, {self._stream: place}, count=count)
        streams = found.items() if isinstance(found, dict) else found or ()
        return [(entry[0], entry[1] or None) for _, entries in streams for entry in entries]

    def _posts(self, entries: Sequence[Entry], now: datetime) -> tuple[list[Post], Counter[str]]:
        posts: list[Post] = []
        bad: Counter[str] = Counter()
        for ident, fields in entries:
            if fields is None:
                bad["removed before it was confirmed"] += 1
            elif sum(map(len, fields.values())) > _LARGEST:
                bad["too large"] += 1
            else:
                read, why = decode([msgspec.Raw(_body(fields))])
                bad += why
                for each in read:
                    made = as_post(each, self._context, source=self.source, now=now, fallback=ident.decode())
                    if isinstance(made, Post):
                        posts.append(made)
                    else:
                        bad[made] += 1
        return posts, bad

    def _refused(self, error: Exception) -> TransportError:
        words = str(error)
        if "NOGROUP" in words:
            self._ready = False
            return Temporary(f"{self.source}: the stream's group is gone; it is made anew", retry_after=1.0)
        if words.startswith(("LOADING", "MASTERDOWN", "READONLY", "TRYAGAIN", "CLUSTERDOWN", "OOM", "BUSY")):
            return Temporary(f"{self.source}: {words}")
        return Permanent(f"{self.source}: {words}; see address, stream, username and password_env")

    def _gap(self, since: datetime, until: datetime, why: str) -> Coverage:
        return Coverage(source=self.source, from_at=since, to_at=until, state=CoverageState.GAP, note=why)

    def _moment(self, ident: bytes | str, default: datetime) -> datetime:
        """When an entry came, by its id; where ids are somebody's own numbers, the last poll."""
        milliseconds = int(_text(ident).partition("-")[0])
        latest = self._polled_at or default
        if timedelta(milliseconds=milliseconds) < default - EPOCH - _PLAUSIBLE:
            return min(latest, default)
        return min(EPOCH + timedelta(milliseconds=min(milliseconds, 10**14)), default)


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The bus collector (entry point `detector.collectors: bus`).

    Raises:
        NotConfigured: no stream is named, or the client is not installed.
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options("bus", settings)
    stream = options.get("stream")
    address = options.text("address", "127.0.0.1:6379")
    group, consumer = options.text("group", "detector"), options.text("consumer", "detector")
    username, password = options.get("username"), options.secret("password")
    tls, trusted = options.flag("tls", default=False), options.flag("plain", default=False)
    database, batch = options.whole("database", 0, 0, 1_000_000), options.whole("batch", 500, 1, 10_000)
    begin = options.text("begin", "first")
    source = options.source("bus")
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        options.wrong("address", f"HOST:PORT is needed, not {address!r}")
    elif not (tls or trusted or host.strip("[]") in _LOCAL):
        options.wrong("tls", f"true is needed for {host}, or plain = true where the network between is trusted")
    if stream is not None and (not isinstance(stream, str) or not stream.strip()):
        options.wrong("stream", f"a stream's name is needed, not {stream!r}")
    if begin not in {"first", "now"}:
        options.wrong("begin", f'"first" or "now" is needed, not {begin!r}')
    if username is not None and not isinstance(username, str):
        options.wrong("username", f"a text is needed, not {username!r}")
    options.done()
    if stream is None:
        raise NotConfigured("name the stream to read: stream")
    try:
        redis = importlib.import_module("redis.asyncio")
        importlib.import_module("redis.exceptions")
    except ImportError as error:
        raise NotConfigured(f"the client is not installed: {PIP}") from error
    client = redis.Redis(
        host=host.strip("[]"),
        port=int(port),
        db=database,
        username=username,
        password=password or None,
        ssl=tls,
        protocol=2,
        # Once more for a connection that had gone stale; how long to wait is the daemon's affair.
        retry=importlib.import_module("redis.asyncio.retry").Retry(
            importlib.import_module("redis.backoff").NoBackoff(), 1
        ),
        socket_timeout=_WAIT,
        socket_connect_timeout=_WAIT / 2,
    )
    made = Bus(
        context=context,
        redis=importlib.import_module("redis"),
        client=client,
        stream=stream,
        group=group,
        consumer=consumer,
        begin=begin,
        batch=batch,
        source=source,
    )
    return [made]


def _body(fields: Mapping[bytes, bytes]) -> bytes:
    """The JSON of an entry; what is no UTF-8 is left as it is, so that it counts as badly shaped."""
    whole = fields.get(b"post")
    if whole is not None:
        return whole
    try:
        named: dict[str, Any] = {name: fields[name.encode()].decode() for name in _FIELDS if name.encode() in fields}
    except UnicodeDecodeError:
        return b"\xff"
    with suppress(KeyError, ValueError):  # seconds, or a date that stays a text
        named["created_at"] = float(named["created_at"])
    return msgspec.json.encode(named)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _is_id(part: str) -> bool:
    first, dash, second = part.partition("-")
    return bool(dash) and len(part) <= 41 and all(each.isascii() and each.isdigit() for each in (first, second))
