"""Hacker News, stories and comments, through Algolia's `search_by_date`: one request brings up to 1,000 posts.

Settings (all optional): `interval = 30`, `url = "https://hn.algolia.com"`, `max_pages = 5`.
The index is not strictly in order and lags a little, so each poll asks again for the last five minutes and drops
what it passed on; paging goes back by time, since Algolia serves no more than 1,000 hits of one query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from detector.collectors.context import CollectorContext, author_hash
from detector.domain import Coverage, CoverageState, Post
from detector.errors import ConfigError, Hostile
from detector.protocols import Collector, Harvest
from detector.transport.plaintext import cut, join_title, plain

SOURCE = "hackernews"
URL = "https://hn.algolia.com"
OVERLAP = 300
FIRST_LOOK = 600
_HITS = 1000


class _Hit(msgspec.Struct, rename={"id": "objectID"}):
    id: str
    created_at_i: int
    author: str | None = None
    title: str | None = None
    story_text: str | None = None
    comment_text: str | None = None
    parent_id: int | str | None = None


class _Page(msgspec.Struct):
    hits: list[msgspec.Raw]


class _Cursor(msgspec.Struct):
    """`at`: Unix seconds of the newest post passed on; `ids`: those within the overlap before it."""

    at: int
    ids: list[str] = []


_PAGE = msgspec.json.Decoder(_Page)
_HIT = msgspec.json.Decoder(_Hit)
_CURSOR = msgspec.json.Decoder(_Cursor)


class HackerNews:
    """Polls the newest stories and comments.

    Args:
        context: session and author key.
        url: base address.
        interval: seconds between polls.
        max_pages: pages of 1,000 to go back after a long pause, before a gap is recorded.
    """

    def __init__(
        self, *, context: CollectorContext, url: str = URL, interval: float = 30.0, max_pages: int = 5
    ) -> None:
        self._context = context
        self._url = url.rstrip("/")
        self._interval = interval
        self._max_pages = max_pages

    @property
    def source(self) -> str:
        """`hackernews`."""
        return SOURCE

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """Everything new since the cursor; a gap where paging back did not reach it.

        Raises:
            TransportError: Algolia did not answer usably.
        """
        known = _load(cursor)
        since = known.at - OVERLAP if known else int(now.timestamp()) - FIRST_LOOK
        hits, reached = await self._back_to(since)
        old = set(known.ids) if known else set()
        rejected: dict[str, int] = {}
        posts: list[Post] = []
        for hit in hits.values():
            made = self._post(hit, now) if isinstance(hit, _Hit) else "wrong shape"
            if isinstance(made, str):
                rejected[made] = rejected.get(made, 0) + 1
            elif made.id not in old:
                posts.append(made)
        good = [hit for hit in hits.values() if isinstance(hit, _Hit)]
        newest = max([known.at if known else since, *(min(hit.created_at_i, int(now.timestamp())) for hit in good)])
        recent = {hit.id for hit in good if hit.created_at_i >= newest - OVERLAP} | (old if not good else set())
        gaps = () if reached <= since else (_gap(since, reached),)
        return Harvest(
            posts=tuple(posts),
            cursor=msgspec.json.encode(_Cursor(at=newest, ids=sorted(recent))).decode(),
            gaps=gaps,
            rejected=tuple(sorted(rejected.items())),
        )

    async def aclose(self) -> None:
        """Nothing of its own to release: the session belongs to the application."""

    async def _back_to(self, since: int) -> tuple[dict[str, _Hit | str], int]:
        """Hits by id, newest pages first, and the second down to which all were read."""
        found: dict[str, _Hit | str] = {}
        until: int | None = None
        for _ in range(self._max_pages):
            page = await self._page(since, until)
            before = len(found)
            times = []
            for raw in page:
                try:
                    hit = _HIT.decode(raw)
                except (msgspec.ValidationError, msgspec.DecodeError):
                    found[f"?{bytes(raw)[:200]!r}"] = "wrong shape"
                    continue
                found[hit.id] = hit
                times.append(hit.created_at_i)
            if len(page) < _HITS:
                return found, since
            if not times or len(found) == before:
                break  # a thousand posts in one second, or none legible: time cannot page any further
            until = min(times)
        return found, until if until is not None else since + 1

    async def _page(self, since: int, until: int | None) -> list[msgspec.Raw]:
        span = f"created_at_i>={since}" + (f",created_at_i<={until}" if until is not None else "")
        answer = await self._context.session.get(
            f"{self._url}/api/v1/search_by_date?tags=(story,comment)&numericFilters={span}&hitsPerPage={_HITS}"
        )
        try:
            return _PAGE.decode(answer.body).hits
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Hostile(f"{self._url}: no list of hits came ({error}); was the address changed?") from error

    def _post(self, hit: _Hit, now: datetime) -> Post | str:
        body = plain(hit.comment_text or hit.story_text or "")
        text = cut(join_title(plain(hit.title or ""), body))
        if not text:
            return "no text"
        try:
            created_at = min(datetime.fromtimestamp(hit.created_at_i, UTC), now)
        except (OverflowError, ValueError, OSError):
            return "no time"
        if created_at < now - timedelta(days=7):
            return "old"
        return Post(
            source=SOURCE,
            id=hit.id,
            created_at=created_at,
            seen_at=now,
            text=text,
            author=author_hash(self._context.author_key, SOURCE, hit.author) if hit.author else None,
            url=f"https://news.ycombinator.com/item?id={hit.id}",
            reply_to=str(hit.parent_id) if hit.parent_id is not None else None,
        )


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The Hacker News collector (entry point `detector.collectors: hackernews`).

    Raises:
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    problems = []
    interval, pages, url = settings.get("interval", 30), settings.get("max_pages", 5), settings.get("url", URL)
    if not isinstance(interval, int | float) or isinstance(interval, bool) or not 5 <= interval <= 86_400:
        problems.append(f"hackernews.interval: a number of seconds from 5 to 86400 is needed, not {interval!r}")
    if not isinstance(pages, int) or isinstance(pages, bool) or not 1 <= pages <= 100:
        problems.append(f"hackernews.max_pages: a whole number from 1 to 100 is needed, not {pages!r}")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        problems.append(f"hackernews.url: an http or https address is needed, not {url!r}")
    if problems:
        raise ConfigError(problems)
    return [HackerNews(context=context, url=url, interval=float(interval), max_pages=pages)]


def _load(cursor: str | None) -> _Cursor | None:
    """The cursor, or None where there is none or it cannot be read (then we start as at the first poll)."""
    if not cursor:
        return None
    try:
        return _CURSOR.decode(cursor)
    except (msgspec.DecodeError, ValueError):
        return None


def _gap(since: int, reached: int) -> Coverage:
    return Coverage(
        source=SOURCE,
        from_at=datetime.fromtimestamp(since, UTC),
        to_at=datetime.fromtimestamp(reached, UTC),
        state=CoverageState.GAP,
        note="paging back did not reach the last known post",
    )
