"""Reddit: new posts and comments of communities, and searches, through praw and our own paged poll.

praw's streams lose posts exactly in a burst, so each listing is paged back until it is settled (see `paging`), up to
the 1,000 entries that Reddit shows; what lies beyond is a gap with its span. Communities are merged (`r/A+B/new`), so
a quiet poll is two requests for 25 of them.

Settings: `client_id`, `client_secret_env` (or `_file`); optional `communities` (by default those of the watched
services), `searches`, `comments = true`, `interval = 10`, `requests_per_minute = 100` (shared by all sources of a
client), `user_agent`, `merge = 25`, `source = "reddit"`, `reddit_url`, `oauth_url`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from detector import __version__
from detector.collectors.context import CollectorContext
from detector.collectors.options import Options
from detector.collectors.paging import Memory, Walk, first_memory
from detector.collectors.reddit_errors import Refused
from detector.collectors.reddit_posts import Thing, make_post, read_listing
from detector.collectors.reddit_recheck import recheck
from detector.domain import Coverage, CoverageState, Post
from detector.errors import ConfigError, NotConfigured, Permanent, Temporary, TransportError
from detector.protocols import Collector, Harvest, Recheck

if TYPE_CHECKING:
    from detector.collectors.reddit_client import RedditClient

logger = logging.getLogger(__name__)

REACH = 1000
_PAGE = 100
_HURRY = 1.0
_REST = timedelta(minutes=10)
_MAX_AGE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Listing:
    """One thing to page through: `kind` is `new`, `comments` or `search`; `names` its communities, or the query."""

    kind: str
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its name in the cursor and in messages."""
        return f"{self.kind}:{'+'.join(self.names)}"

    @property
    def path(self) -> str:
        """What is asked for."""
        if self.kind == "search":
            return "search"
        return f"r/{'+'.join(self.names)}/{'new' if self.kind == 'new' else 'comments/'}"

    @property
    def params(self) -> dict[str, str | int]:
        """The query, without the place in the listing."""
        found: dict[str, str | int] = {"limit": _PAGE}
        if self.kind == "search":
            found |= {"q": self.names[0], "sort": "new", "t": "day", "type": "link"}
        return found

    def halves(self) -> tuple[Listing, ...]:
        """The same communities as two listings, to find the one that refuses."""
        middle = len(self.names) // 2
        return (Listing(self.kind, self.names[:middle]), Listing(self.kind, self.names[middle:]))


class _Cursor(msgspec.Struct, kw_only=True):
    v: int = 1
    listings: dict[str, Memory] = {}


@dataclass(slots=True)
class _Round:
    """What one poll found; `memories` are those with which each listing began."""

    walks: dict[Listing, Walk[Thing]]
    memories: dict[Listing, Memory]
    failures: dict[Listing, TransportError]
    rejected: Counter[str]


class Reddit:
    """Polls listings of one client.

    Args:
        context: author key.
        client: makes the requests; shared.
        listings: what to read.
        interval: seconds between polls.
        source: the collector's name; posts carry `SOURCE:r/COMMUNITY`.
    """

    def __init__(
        self,
        *,
        context: CollectorContext,
        client: RedditClient,
        listings: Sequence[Listing],
        interval: float = 10.0,
        source: str = "reddit",
    ) -> None:
        self._context = context
        self._client = client
        self._listings = tuple(listings)
        self._interval = interval
        self._source = source
        self._refused: dict[Listing, tuple[datetime, TransportError]] = {}
        self._closed = False
        client.join()

    @property
    def source(self) -> str:
        """`reddit`; its posts carry `reddit:r/COMMUNITY`."""
        return self._source

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """Everything new since the cursor; a gap where 1,000 entries did not reach back to it.

        A listing that fails beside others that answer is noted as failing and caught up later; a community that
        refuses us is counted, and asked again after ten minutes.

        Raises:
            TransportError: no listing could be read.
        """
        memories = _load(cursor)
        found = await self._client.run(partial(self._read, memories, now))
        if not found.walks:
            refusals = [error for _, error in self._refused.values()]
            raise next(iter([*found.failures.values(), *refusals]), Permanent("reddit: there is nothing to read"))
        return self._harvest(found, now)

    async def recheck(self, posts: Sequence[Post], *, now: datetime) -> Recheck:
        """Which of these posts were deleted or edited since; the caller forgets them.

        Costs one request for 100 posts.

        Raises:
            TransportError: it could not be found out.
        """
        return await self._client.run(
            partial(recheck, self._client.get, posts, source=self._source, context=self._context, now=now)
        )

    async def aclose(self) -> None:
        """Leave the shared client; the last source to leave ends what it still does."""
        if not self._closed:
            self._closed = True
            self._client.leave()

    def _read(self, memories: Mapping[str, Memory], now: datetime) -> _Round:
        """In the client's thread: page through every listing."""
        found = _Round({}, {}, {}, Counter())
        waiting = [wanted for each in self._listings if (wanted := self._rested(each, now)).names]
        while waiting:
            listing = waiting.pop(0)
            memory = found.memories[listing] = _memory_of(listing, memories) or first_memory(now)
            try:
                found.walks[listing] = self._walk(listing, memory, found.rejected)
            except Refused as error:
                del found.memories[listing]
                if len(listing.names) > 1:
                    waiting[:0] = listing.halves()
                    continue
                if listing not in self._refused:
                    logger.warning("%s: %s is left out: %s", self._source, listing.key, error)
                self._refused[listing] = (now, error)
                found.rejected["refused listing"] += 1
            except TransportError as error:
                found.failures[listing] = error
            else:
                self._refused.pop(listing, None)
        return found

    def _rested(self, listing: Listing, now: datetime) -> Listing:
        """The listing without communities that refused us lately."""
        resting = {
            refused.names[0]
            for refused, (since, _) in self._refused.items()
            if refused.kind == listing.kind and now - since < _REST
        }
        return Listing(listing.kind, tuple(name for name in listing.names if name not in resting))

    def _walk(self, listing: Listing, memory: Memory, rejected: Counter[str]) -> Walk[Thing]:
        walk: Walk[Thing] = Walk(memory, ceiling=REACH, capped=True)
        after: str | None = None
        while True:
            place: dict[str, str | int] = {"after": after} if after else {}
            answer = self._client.get(listing.path, {**listing.params, **place})
            lines, after = read_listing(answer, listing.path, rejected)
            if not walk.take(lines, more=after is not None):
                return walk

    def _harvest(self, found: _Round, now: datetime) -> Harvest:
        # An entry found by a search may have come with its community before, and the other way round.
        known = {name for memory in found.memories.values() for name in memory.ids}
        posts: dict[str, Post] = {}
        gaps: list[Coverage] = []
        after = dict(found.memories)
        for listing, walk in found.walks.items():
            after[listing] = walk.remember(now)
            gap = walk.gap(self._source, f"{listing.path}: {REACH} entries did not reach back to the last one known")
            gaps += [gap] if gap else []
            for line in walk.fresh:
                if line.id in known or line.id in posts:
                    continue
                known.add(line.id)
                made = self._post(line.entry, now)
                if isinstance(made, Post):
                    posts[line.id] = made
                else:
                    found.rejected[made] += 1
        for listing, error in found.failures.items():
            since = datetime.fromtimestamp(found.memories[listing].ok_at or now.timestamp(), UTC)
            note = str(error)[:300]
            gaps.append(
                Coverage(
                    source=self._source,
                    from_at=min(since, now),
                    to_at=now,
                    state=CoverageState.FAILING,
                    note=note,
                )
            )
        waits = [error.retry_after for error in found.failures.values() if isinstance(error, Temporary)]
        busy = any(walk.pages > 1 for walk in found.walks.values())
        hurry = min(self._interval, _HURRY) if busy else None
        return Harvest(
            posts=tuple(posts.values()),
            cursor=msgspec.json.encode(_Cursor(listings={each.key: memory for each, memory in after.items()})).decode(),
            gaps=tuple(gaps),
            rejected=tuple(sorted(found.rejected.items())),
            poll_after=max((wait for wait in waits if wait), default=hurry),
            budget=self._client.budget.words,
        )

    def _post(self, thing: Thing, now: datetime) -> Post | str:
        if thing.created_utc < (now - _MAX_AGE).timestamp():
            return "old"
        return make_post(thing, source=self._source, context=self._context, now=now)


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The Reddit collector (entry point `detector.collectors: reddit`).

    Raises:
        NotConfigured: there are no keys.
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options("reddit", settings)
    client_id, client_secret = options.secret("client_id"), options.secret("client_secret")
    usual = [place.partition(":")[2] for one in context.services for place in one.communities if place[:7] == "reddit:"]
    communities = options.texts(
        "communities", usual, pattern=r"(?i)(?:r/)?[a-z0-9_]{2,21}", want="communities such as ClaudeAI"
    )
    searches = options.texts("searches", (), pattern=r"[^\n]{1,500}", want="search words")
    comments = options.flag("comments", default=True)
    interval = options.number("interval", 10.0, 1, 86_400)
    per_minute = options.whole("requests_per_minute", 100, 1, 6000)
    merge = options.whole("merge", 25, 1, 100)
    agent = options.text("user_agent", f"linux:outage-detector:{__version__} (reads public posts)")
    source = options.source("reddit")
    reddit_url = options.address("reddit_url", "https://www.reddit.com")
    oauth_url = options.address("oauth_url", "https://oauth.reddit.com")
    options.done()
    if not client_id or not client_secret:
        raise NotConfigured(
            "Reddit wants an approved client: set client_id and client_secret_env, or read r/NAME/new.rss with "
            'type = "feeds" meanwhile; https://support.reddithelp.com tells how to apply'
        )
    listings = _listings(communities, searches, comments=comments, merge=merge)
    if not listings:
        raise NotConfigured("no watched service has a community; set communities or searches")
    client = _client(
        context,
        client_id=client_id,
        client_secret=client_secret,
        user_agent=agent,
        reddit_url=reddit_url,
        oauth_url=oauth_url,
        per_minute=per_minute,
    )
    # The budget spaces requests out; the session's pause for strangers would make it 60 a minute at most.
    context.session.pace(oauth_url, min(context.session.limits.min_interval, 60.0 / per_minute))
    # Quiet polls may use half of the budget; paging back in a burst needs the rest.
    least = 60.0 * len(listings) / (per_minute / 2)
    return [
        Reddit(context=context, client=client, listings=listings, interval=max(interval, least), source=source),
    ]


def _listings(communities: Sequence[str], searches: Sequence[str], *, comments: bool, merge: int) -> list[Listing]:
    names = list(dict.fromkeys(name.removeprefix("r/") for name in communities))
    groups = [tuple(names[start : start + merge]) for start in range(0, len(names), merge)]
    kinds = ["new", "comments"] if comments else ["new"]
    return [
        *(Listing(kind, group) for group in groups for kind in kinds),
        *(Listing("search", (words,)) for words in searches),
    ]


def _client(context: CollectorContext, **named: Any) -> RedditClient:
    """The client of these keys: one for all sources of this run, so that they share its budget."""
    from configparser import Error

    from detector.collectors.reddit_client import RedditClient

    clients = context.shared.setdefault("reddit", {})
    key = (named["client_id"], named["reddit_url"])
    if key not in clients:
        try:
            clients[key] = RedditClient(session=context.session, **named)
        except Error as error:
            raise ConfigError(f"reddit: a praw.ini lies about that cannot be read ({error}); remove it") from error
    client: RedditClient = clients[key]
    return client


def _load(cursor: str | None) -> dict[str, Memory]:
    if not cursor:
        return {}
    try:
        return msgspec.json.decode(cursor, type=_Cursor).listings
    except (msgspec.DecodeError, ValueError):
        return {}


def _memory_of(listing: Listing, memories: Mapping[str, Memory]) -> Memory | None:
    """What was read of the listing, or of those that had some of its communities: a refusal or a setting changes
    how communities are merged, and what is known of them stays known.
    """
    if listing.key in memories or listing.kind == "search":
        return memories.get(listing.key)
    wanted = set(listing.names)
    akin = [
        memory
        for key, memory in memories.items()
        if key.partition(":")[0] == listing.kind and wanted & set(key.partition(":")[2].split("+"))
    ]
    if not akin:
        return None
    return Memory(
        floor=max(memory.floor for memory in akin),
        newest=max(memory.newest for memory in akin),
        ids={name: at for memory in akin for name, at in memory.ids.items()},
        ok_at=min(memory.ok_at for memory in akin),
    )
