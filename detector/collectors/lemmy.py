"""Lemmy: newest posts and comments of servers that answer without a key; what is federated comes once.

Settings (all optional): `servers = ["lemmy.world"]`, `scope = "All"` (or `Local`), `comments = true`, `interval = 30`,
`source = "lemmy"`, `url = "https://{host}"`. API: https://join-lemmy.org/docs/contributors/04-api.html (v3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from detector.collectors.context import CollectorContext
from detector.collectors.options import Options
from detector.collectors.paging import Line, Memory, Walk, first_memory, page_back
from detector.domain import Coverage, CoverageState, Post
from detector.errors import Hostile, Temporary, TransportError
from detector.protocols import Collector, Harvest
from detector.transport.plaintext import cut, join_title, plain

REACH = 1000
_PAGE = 50
_MAX_AGE = timedelta(days=2)


class _Words(msgspec.Struct):
    """A post or a comment; `published` bears no zone on older servers and is UTC."""

    ap_id: str
    published: str
    name: str | None = None
    body: str | None = None
    content: str | None = None
    deleted: bool = False
    removed: bool = False


class _Person(msgspec.Struct):
    actor_id: str
    published: str | None = None
    bot_account: bool = False
    deleted: bool = False


class _View(msgspec.Struct):
    """A post, or a comment with the post it belongs to."""

    post: _Words
    creator: _Person
    comment: _Words | None = None

    @property
    def words(self) -> _Words:
        return self.comment or self.post


class _Cursor(msgspec.Struct, kw_only=True):
    v: int = 1
    listings: dict[str, Memory] = {}


class Lemmy:
    """Polls servers.

    Args:
        context: session and author key.
        servers: base address by host.
        scope: `All` (what the server knows of others too) or `Local`.
        comments: read comments too.
        interval: seconds between polls.
        source: the `Post.source` it fills.
    """

    def __init__(
        self,
        *,
        context: CollectorContext,
        servers: Mapping[str, str],
        scope: str = "All",
        comments: bool = True,
        interval: float = 30.0,
        source: str = "lemmy",
    ) -> None:
        self._context = context
        self._servers = dict(servers)
        self._scope = scope
        self._kinds = ("post", "comment") if comments else ("post",)
        self._interval = interval
        self._source = source

    @property
    def source(self) -> str:
        """`lemmy`."""
        return self._source

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """Everything new since the cursor; a server that fails beside others is noted and caught up later.

        Raises:
            TransportError: no server answered.
        """
        memories = _load(cursor)
        known = {name for memory in memories.values() for name in memory.ids}
        rejected: Counter[str] = Counter()
        posts: dict[str, Post] = {}
        gaps: list[Coverage] = []
        failures: list[TransportError] = []
        read = 0
        for host in self._servers:
            for kind in self._kinds:
                key = f"{kind}:{host}"
                memory = memories.get(key) or first_memory(now)
                walk: Walk[_View] = Walk(memory, ceiling=REACH, capped=False)
                try:
                    await page_back(walk, partial(self._page, host, kind, rejected))
                except TransportError as error:
                    failures.append(error)
                    since = min(datetime.fromtimestamp(memory.ok_at or now.timestamp(), UTC), now)
                    gaps.append(_span(self._source, since, now, CoverageState.FAILING, str(error)[:300]))
                    memories[key] = memory
                    continue
                read += 1
                memories[key] = walk.remember(now)
                gap = walk.gap(self._source, f"{host}: {REACH} entries did not reach back to the last one known")
                gaps += [gap] if gap else []
                for line in walk.fresh:
                    if line.id in known:
                        continue
                    known.add(line.id)
                    made = self._post(line, now)
                    if isinstance(made, Post):
                        posts[made.id] = made
                    else:
                        rejected[made] += 1
        if failures and not read:
            raise failures[0]
        waits = [error.retry_after for error in failures if isinstance(error, Temporary) and error.retry_after]
        return Harvest(
            posts=tuple(posts.values()),
            cursor=msgspec.json.encode(_Cursor(listings=memories)).decode(),
            gaps=tuple(gaps),
            rejected=tuple(sorted(rejected.items())),
            poll_after=max(waits, default=None),
        )

    async def aclose(self) -> None:
        """Nothing of its own to release: the session belongs to the application."""

    async def _page(
        self, host: str, kind: str, rejected: Counter[str], place: str | None
    ) -> tuple[list[Line[_View]], str | None]:
        """A page; its place is a number, or Lemmy's own mark where it gives one."""
        at = f"&page={place}" if place and place.isdigit() else f"&page_cursor={quote(place)}" if place else ""
        url = f"{self._servers[host]}/api/v3/{kind}/list?type_={self._scope}&sort=New&limit={_PAGE}{at}"
        answer = (await self._context.session.get(url)).json()
        views = answer.get(f"{kind}s") if isinstance(answer, dict) else None
        if not isinstance(views, list):
            raise Hostile(f"{host}: no list of {kind}s came; is it a Lemmy server?")
        lines = []
        for each in views:
            try:
                view = msgspec.convert(each, _View)
                if kind == "comment" and view.comment is None:
                    raise ValueError
                lines.append(Line(view.words.ap_id, _seconds(view.words.published), view))
            except (msgspec.ValidationError, ValueError, OverflowError):
                rejected["wrong shape"] += 1
        mark = answer.get("next_page")
        if not views or len(views) < _PAGE:
            return lines, None
        if isinstance(mark, str) and mark:
            return lines, mark
        return lines, str(int(place) + 1) if place and place.isdigit() else "2"

    def _post(self, line: Line[_View], now: datetime) -> Post | str:
        view, words = line.entry, line.entry.words
        if words.deleted or words.removed:
            return "deleted"
        if view.creator.bot_account:
            return "automatic"
        if line.at < (now - _MAX_AGE).timestamp():
            return "old"
        body = words.content if view.comment else words.body
        text = cut(join_title(plain(words.name or ""), plain(body or "")))
        if not text:
            return "no text"
        opened = None
        if view.creator.published:
            try:
                opened = min(datetime.fromtimestamp(_seconds(view.creator.published), UTC), now)
            except (ValueError, OverflowError):
                opened = None
        gone = view.creator.deleted
        return Post(
            source=self._source,
            id=words.ap_id[:300],
            created_at=min(datetime.fromtimestamp(line.at, UTC), now),
            seen_at=now,
            text=text,
            author=None if gone else self._context.author("lemmy", view.creator.actor_id),
            url=words.ap_id if _is_nameless(words.ap_id) else None,
            reply_to=view.post.ap_id[:300] if view.comment else None,
            account_created_at=None if gone else opened,
        )


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The Lemmy collector (entry point `detector.collectors: lemmy`).

    Raises:
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options("lemmy", settings)
    hosts = options.texts(
        "servers", ["lemmy.world"], pattern=r"[a-z0-9.-]+(?::\d+)?", want="server names such as lemmy.world"
    )
    scope = options.text("scope", "All")
    if scope not in {"All", "Local"}:
        options.wrong("scope", f"All or Local is needed, not {scope!r}")
    comments = options.flag("comments", default=True)
    interval = options.number("interval", 30.0, 5, 86_400)
    source = options.source("lemmy")
    url = options.address("url", "https://{host}")
    if not hosts:
        options.wrong("servers", "at least one is needed")
    options.done()
    servers = {host: url.replace("{host}", host) for host in hosts}
    return [Lemmy(context=context, servers=servers, scope=scope, comments=comments, interval=interval, source=source)]


def _load(cursor: str | None) -> dict[str, Memory]:
    try:
        return msgspec.json.decode(cursor, type=_Cursor).listings if cursor else {}
    except (msgspec.DecodeError, ValueError):
        return {}


def _seconds(published: str) -> float:
    """Unix seconds of a Lemmy time.

    >>> _seconds("2026-03-02T12:00:00.5Z") == _seconds("2026-03-02T12:00:00.500000")
    True
    """
    at = datetime.fromisoformat(published)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _span(source: str, since: datetime, until: datetime, state: CoverageState, note: str) -> Coverage:
    return Coverage(source=source, from_at=since, to_at=until, state=state, note=note)


def _is_nameless(url: str) -> bool:
    """Whether it is a web address without a user name.

    >>> _is_nameless("https://lemmy.world/post/1"), _is_nameless("https://mastodon.example/users/ada/statuses/1")
    (True, False)
    """
    return (
        url.startswith(("http://", "https://"))
        and "@" not in url
        and not any(part in url for part in ("/u/", "/users/", "/user/"))
    )
