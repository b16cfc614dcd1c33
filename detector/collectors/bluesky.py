"""Bluesky through Jetstream: every new post of the network, of which those that may name a service are kept.

Settings (all optional)::

    urls = ["wss://jetstream.us-east.bsky.network/xrpc/network.bsky.jetstream.subscribeEvents",
            "wss://jetstream2.us-east.bsky.network/subscribe"]      # tried in turn; the path tells the dialect
    interval = 5            # seconds between two looks at what arrived
    lookback = 3600         # seconds to go back after a pause; what lies before is a gap
    buffer_mb = 8           # posts held between two looks; a full buffer stops the reading, nothing is dropped
    idle = 60               # seconds of silence after which a connection counts as dead
    allow_private = false   # whether an instance may live on your own network

No key, no cost. The cursor is a time, saved with the posts: after a restart five seconds are read again and known posts
left out. Posts taken back are reported by key; authors are hashed from their DID and never kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from detector.collectors.bluesky_reader import REWIND, Missed, Reach, Reader
from detector.collectors.context import CollectorContext, author_hash
from detector.collectors.jetstream import Event, microseconds, moment
from detector.collectors.options import Options
from detector.domain import Coverage, CoverageState, Post
from detector.errors import Temporary
from detector.protocols import Collector, Harvest
from detector.transport.plaintext import cut, fold

SOURCE = "bluesky"
URLS = (
    "wss://jetstream.us-east.bsky.network/xrpc/network.bsky.jetstream.subscribeEvents",
    "wss://jetstream.us-west.bsky.network/xrpc/network.bsky.jetstream.subscribeEvents",
    "wss://jetstream2.us-east.bsky.network/subscribe",
)
# A post whose author dates it further back was brought over from elsewhere: it is no news.
BACKDATED = timedelta(hours=2)
_PATIENCE = 10.0
_MAX_RECENT = 20_000


class _Cursor(msgspec.Struct):
    """`at`: Unix microseconds of the last event read; `recent`: ids of posts within the rewind before it."""

    at: int
    recent: list[str] = []


class Bluesky:
    """Drains a background reader at each poll.

    Args:
        context: author key and the prefilter `wanted`.
        urls: Jetstream instances, tried in turn.
        interval: seconds between polls.
        lookback: how far back to read after a pause.
        reach: limits of the reader.
        allow_private: whether instances may live on a private network.
    """

    def __init__(
        self,
        *,
        context: CollectorContext,
        urls: Sequence[str] = URLS,
        interval: float = 5.0,
        lookback: timedelta = timedelta(hours=1),
        reach: Reach | None = None,
        allow_private: bool = False,
    ) -> None:
        self._context = context
        self._urls = tuple(urls)
        self._interval = interval
        self._lookback = lookback
        self._reach = reach or Reach()
        self._allow_private = allow_private
        self._reader: Reader | None = None
        self._handed: str | None = None
        self._known: set[str] = set()
        self._started = 0
        self._frames = 0

    @property
    def source(self) -> str:
        """`bluesky`."""
        return SOURCE

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """What arrived since the last poll; the first poll connects and waits for the first events.

        A cursor other than the last one handed out means that the last harvest was not stored: it is read again.

        Raises:
            TransportError: nothing arrived because no instance can be reached.
        """
        before: list[Coverage] = []
        if self._reader is None or cursor != self._handed:
            before = await self._begin(cursor, now)
        reader = self._reader
        if reader is None:
            raise Temporary("bluesky: closed while it was polled")
        try:
            reader.check()
        except Exception:
            await self.aclose()  # the next poll begins anew
            raise
        found = reader.drain()
        if not reader.connected and reader.frames == self._frames and not (found.posts or found.missed or before):
            raise reader.failure or Temporary(f"bluesky: no event within {_PATIENCE:g} s from {self._urls[0]}")
        self._frames = reader.frames
        rejected: dict[str, int] = {"unreadable": found.unreadable} if found.unreadable else {}
        posts = []
        for event in found.posts:
            made = self._post(event, now)
            if isinstance(made, str):
                rejected[made] = rejected.get(made, 0) + 1
            elif made.id not in self._known:
                posts.append(made)
        ids = [self._id(*key) for key in reader.recent()][-_MAX_RECENT:]
        # Until the replay is over, what it has yet to bring again is known from the cursor only.
        carried = sorted(self._known - set(ids)) if reader.position < self._started + 2 * REWIND else []
        fresh = msgspec.json.encode(_Cursor(at=reader.position, recent=[*ids, *carried])).decode()
        self._handed = fresh if reader.position else cursor
        return Harvest(
            posts=tuple(posts),
            cursor=fresh if reader.position else None,
            gaps=(*before, *(_coverage(each, now) for each in found.missed)),
            rejected=tuple(sorted(rejected.items())),
            deleted=tuple((SOURCE, self._id(*key)) for key in found.deleted),
        )

    async def aclose(self) -> None:
        """End the background task; a second call does nothing."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.aclose()

    async def _begin(self, cursor: str | None, now: datetime) -> list[Coverage]:
        """Start listening where the cursor stands; returns the gap if that is too far back."""
        await self.aclose()
        self._handed = cursor
        known = _load(cursor)
        gaps = []
        position = 0
        self._known = set(known.recent) if known else set()
        if known is not None:
            position = known.at
            earliest = now - self._lookback
            if moment(position) < earliest:
                gaps.append(
                    Coverage(
                        source=SOURCE,
                        from_at=moment(position),
                        to_at=earliest,
                        state=CoverageState.GAP,
                        note=f"not listening; read again from {self._lookback} back",
                    )
                )
                position = microseconds(earliest.isoformat()) + REWIND
        self._frames = 0
        self._reader = Reader(
            self._urls, wanted=self._context.wanted, reach=self._reach, allow_private=self._allow_private
        )
        self._started = position
        self._reader.start(position, heard=not gaps)
        await self._reader.settle(_PATIENCE)
        return gaps

    def _post(self, event: Event, now: datetime) -> Post | str:
        """The event as a post, or in a word why it is none."""
        text = cut(fold(event.text))
        if not text:
            return "no text"
        read_at = min(moment(event.at), now)
        claimed = microseconds(event.created_at)
        written = moment(claimed) if 0 < claimed <= event.at else read_at
        if written < read_at - BACKDATED:
            return "backdated"
        return Post(
            source=SOURCE,
            id=self._id(event.did, event.rkey),
            created_at=min(written, now),
            seen_at=now,
            text=text,
            author=self._hash(event.did),
            reply_to=self._id(*event.parent) if event.parent is not None else None,
        )

    def _id(self, did: str, rkey: str) -> str:
        return f"{self._hash(did)}/{rkey}"

    def _hash(self, did: str) -> str:
        return author_hash(self._context.author_key, SOURCE, did)


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The Bluesky collector (entry point `detector.collectors: bluesky`).

    Raises:
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options(SOURCE, settings)
    urls = options.texts("urls", URLS, pattern=r"wss?://[^\s@]+", want="wss addresses")
    if not urls:
        options.wrong("urls", "at least one wss address is needed")
    made = Bluesky(
        context=context,
        urls=urls or URLS,
        interval=options.number("interval", 5, 1, 3600),
        lookback=timedelta(seconds=options.number("lookback", 3600, 10, 36 * 3600)),
        reach=Reach(
            buffer=options.whole("buffer_mb", 8, 1, 1000) * 1_000_000, idle=options.number("idle", 60, 0.1, 3600)
        ),
        allow_private=options.flag("allow_private", default=False),
    )
    options.done()
    return [made]


def _load(cursor: str | None) -> _Cursor | None:
    """The cursor, or None where there is none or it cannot be read (then we listen from now on)."""
    if not cursor:
        return None
    try:
        found = msgspec.json.decode(cursor, type=_Cursor)
    except (msgspec.DecodeError, ValueError):
        return None
    return found if 1_000_000_000_000_000 < found.at < 4_102_444_800_000_000 else None


def _coverage(missed: Missed, now: datetime) -> Coverage:
    since = min(moment(missed.since), now)
    until = now if missed.until is None else max(min(moment(missed.until), now), since)
    return Coverage(source=SOURCE, from_at=since, to_at=until, state=missed.state, note=missed.note[:300])
