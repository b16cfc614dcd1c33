"""RSS and Atom feeds: Google News searches, Mastodon tags and any URL, politely and without trusting them.

Settings (all optional)::

    google_news = true                  # a search feed for each service
    mastodon = ["mastodon.social"]      # public tag feeds of these servers
    services = ["claude", "slack"]      # for which services; default: a dozen of those watched
    interval = 120                      # seconds between polls of one source
    robots = true                       # ask each host's robots.txt first; false where you have its leave
    [urls]                              # any feed: source "feed:NAME"
    hn = "https://hnrss.org/newest?q=down"
    team = { url = "http://10.0.0.5/feed", interval = 60, allow_private = true, source = "feed:team" }

Base addresses can be replaced with `google_news_url` and `mastodon_url` (a text with `{host}`), for tests and mirrors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus

from detector.collectors.context import CollectorContext, author_hash
from detector.collectors.feed_memory import FeedMemory, body_hash, dump, fingerprint, load, remember
from detector.domain import Coverage, CoverageState, Post, Service
from detector.errors import ConfigError, Temporary, TransportError
from detector.protocols import Collector, Harvest
from detector.transport.plaintext import cut, join_title
from detector.transport.robots import Robots
from detector.transport.session import Validators
from detector.transport.worker import FeedEntry

GOOGLE_NEWS = "https://news.google.com"
MASTODON = "https://{host}"
MAX_AGE = timedelta(hours=2)
_DEFAULT_COUNT = 12
# What most people notice first when it fails; a catalogue without them gives its first ones.
_PREFERRED = ("claude", "openai", "github", "slack", "aws", "cloudflare", "discord", "reddit", "youtube", "zoom")
_PERSON = re.compile(r"/(?:@|users?/|u/|~|profile/)([^/?#]+)")
_NAMED_HOSTS = re.compile(r"//(?:www\.|mobile\.)?(?:twitter\.com|x\.com|nitter\.[^/]+)/(?!i/)", re.IGNORECASE)
_REDDIT_TAIL = re.compile(r"\s*submitted by\s+/?u/\S+(?:\s+to\s+r/\S+)?[\s\[\]a-z]*\Z")
_HNRSS_NOISE = re.compile(r"(?:Article URL: \S+\s*)?Comments URL: \S+\s*(?:Points: \d+\s*)?(?:# Comments: \d+)?\s*\Z")


_LONG = 10


class FeedCollector:
    """Polls one or more feeds that make up one source.

    Args:
        source: the `Post.source` it fills.
        urls: the feeds; all are read at each poll.
        interval: seconds between polls.
        context: session, worker, author key.
        allow_private: whether the feeds may live on a private network.
        titles_only: leave bodies out (Google News fills them with links to other headlines).
        max_age: entries older than this are history, not news, and are counted as `old`.
        robots: whether each host is asked first what it wants of readers (never on one's own network).
    """

    def __init__(
        self,
        *,
        source: str,
        urls: Sequence[str],
        interval: float,
        context: CollectorContext,
        allow_private: bool | None = None,
        titles_only: bool = False,
        max_age: timedelta = MAX_AGE,
        robots: bool = True,
    ) -> None:
        self._source = source
        self._urls = tuple(dict.fromkeys(urls))
        self._interval = interval
        self._context = context
        self._allow_private = allow_private
        self._titles_only = titles_only
        self._max_age = max_age
        own_network = context.session.private if allow_private is None else allow_private
        self._robots = (
            context.shared.setdefault("robots", Robots(context.session)) if robots and not own_network else None
        )

    @property
    def source(self) -> str:
        """The `Post.source` it fills."""
        return self._source

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """New entries of all feeds; a feed that fails beside others that answer becomes a gap record.

        Raises:
            TransportError: every feed failed (the first one's error).
        """
        feeds = load(cursor, self._urls)
        posts: list[Post] = []
        rejected: dict[str, int] = {}
        gaps: list[Coverage] = []
        failures: list[TransportError] = []
        for url in self._urls:
            memory = feeds[url]
            try:
                posts += await self._read(url, memory, rejected, gaps, now)
            except TransportError as error:
                failures.append(error)
                since = memory.ok_at or now
                gaps.append(
                    Coverage(
                        source=self._source,
                        from_at=since,
                        to_at=now,
                        state=CoverageState.FAILING,
                        note=str(error)[:300],
                    )
                )
            else:
                memory.ok_at = now
        if failures and len(failures) == len(self._urls):
            raise failures[0]
        unique = {post.key: post for post in reversed(posts)}
        waits = [error.retry_after for error in failures if isinstance(error, Temporary) and error.retry_after]
        return Harvest(
            posts=tuple(reversed(unique.values())),
            cursor=dump(feeds),
            gaps=tuple(gaps),
            rejected=tuple(sorted(rejected.items())),
            poll_after=max(waits, default=None),
        )

    async def aclose(self) -> None:
        """Nothing of its own to release: session and worker belong to the application."""

    async def _read(
        self, url: str, memory: FeedMemory, rejected: dict[str, int], gaps: list[Coverage], now: datetime
    ) -> list[Post]:
        """The feed's new entries; `memory` moves on only after the feed was read to its end."""
        if self._robots is not None:
            await self._robots.check(url)
        answer = await self._context.session.get(
            url,
            conditional=Validators(etag=memory.etag, last_modified=memory.modified),
            headers={"Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.1"},
            allow_private=self._allow_private,
        )
        if answer.not_modified:
            return []
        body = body_hash(answer.body)
        if body != memory.body:
            feed = await self._context.worker.parse_feed(answer.body, answer.content_type)
            first = memory.body is None
            known = set(memory.seen)
            posts, fresh = [], []
            for entry in feed.entries:
                made = self._post(entry, first_look=first, now=now)
                mark = self._mark(entry)
                if mark in known:
                    continue
                known.add(mark)
                fresh.append(mark)
                if isinstance(made, Post):
                    posts.append(made)
                else:
                    rejected[made] = rejected.get(made, 0) + 1
            gaps += self._turned_over(memory, feed.entries, len(fresh))
            if feed.skipped:
                rejected["beyond 2000 entries"] = rejected.get("beyond 2000 entries", 0) + feed.skipped
            memory.seen = remember(memory.seen, fresh, len(feed.entries))
            memory.body = body
            memory.etag, memory.modified = answer.validators.etag, answer.validators.last_modified
            return posts
        memory.etag, memory.modified = answer.validators.etag, answer.validators.last_modified
        return []

    def _turned_over(self, memory: FeedMemory, entries: Sequence[FeedEntry], fresh: int) -> list[Coverage]:
        """A feed that shows nothing we knew, and nothing as old as our last look, has lost entries in between."""
        dates = [entry.published for entry in entries if entry.published is not None]
        # A short feed may have let its few old entries go.
        long = len(entries) >= _LONG and len(dates) == len(entries)
        if not memory.seen or memory.ok_at is None or fresh < len(entries) or not long:
            return []
        oldest = datetime.fromtimestamp(min(max(min(dates), 0.0), 4_102_444_800.0), UTC)
        if oldest <= memory.ok_at:
            return []
        note = f"{len(entries)} entries did not reach back to the last one known; poll more often"
        return [Coverage(source=self._source, from_at=memory.ok_at, to_at=oldest, state=CoverageState.GAP, note=note)]

    def _mark(self, entry: FeedEntry) -> str:
        return fingerprint(
            author=entry.author or _person(entry.id or entry.url), text=self._words(entry), published=entry.published
        )

    def _words(self, entry: FeedEntry) -> str:
        body = _HNRSS_NOISE.sub("", _REDDIT_TAIL.sub("", entry.text))
        return cut(join_title(entry.title, "" if self._titles_only and entry.title else body))

    def _post(self, entry: FeedEntry, *, first_look: bool, now: datetime) -> Post | str:
        """The entry as a post, or in a word why it is none."""
        text = self._words(entry)
        if not text:
            return "no text"
        if entry.published is None and first_look:
            return "no date at first sight"  # it may be years old; one that turns up later is new
        created_at = _time(entry.published, now)
        if created_at < now - self._max_age:
            return "old"
        key = self._context.author_key
        name = entry.author or _person(entry.id or entry.url)
        return Post(
            source=self._source,
            id=_safe_id(key, self._source, entry, text),
            created_at=created_at,
            seen_at=now,
            text=text,
            author=author_hash(key, self._source, name) if name else None,
            url=_nameless(entry.url),
            reply_to=entry.reply_to if entry.reply_to and not _names_somebody(entry.reply_to) else None,
        )


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The feed collectors of a configuration (entry point `detector.collectors: feeds`).

    Raises:
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    problems: list[str] = []
    interval = settings.get("interval", 120)
    if not isinstance(interval, int | float) or isinstance(interval, bool) or not 5 <= interval <= 86_400:
        problems.append(f"feeds.interval: a number of seconds from 5 to 86400 is needed, not {interval!r}")
        interval = 120
    robots = settings.get("robots", True)
    if not isinstance(robots, bool):
        problems.append(f"feeds.robots: true or false is needed, not {robots!r}")
    wanted = _services(settings, context.services, problems)
    collectors: list[Collector] = []
    if settings.get("google_news", True) and wanted:
        base = str(settings.get("google_news_url", GOOGLE_NEWS)).rstrip("/")
        urls = [f"{base}/rss/search?q={quote_plus(_news_query(one))}&hl=en-US&gl=US&ceid=US:en" for one in wanted]
        collectors.append(
            FeedCollector(
                source="google-news",
                urls=urls,
                interval=float(interval),
                context=context,
                titles_only=True,
                robots=bool(robots),
            )
        )
    hosts = settings.get("mastodon", ["mastodon.social"])
    if not isinstance(hosts, list | tuple) or not all(isinstance(host, str) for host in hosts):
        problems.append(f"feeds.mastodon: a list of server names is needed, not {hosts!r}")
        hosts = []
    for host in hosts if wanted else ():
        base = str(settings.get("mastodon_url", MASTODON)).format(host=host).rstrip("/")
        tags = dict.fromkeys(tag for one in wanted for tag in _tags(one))
        collectors.append(
            FeedCollector(
                source=f"mastodon:{host}",
                urls=[f"{base}/tags/{quote(tag)}.rss" for tag in tags],
                interval=float(interval),
                context=context,
                robots=bool(robots),
            )
        )
    collectors += _named(settings.get("urls", {}), float(interval), context, problems, robots=bool(robots))
    if problems:
        raise ConfigError(problems)
    return collectors


def _services(settings: Mapping[str, Any], known: tuple[Service, ...], problems: list[str]) -> list[Service]:
    chosen = settings.get("services")
    if chosen is None:
        preferred = sorted(known, key=lambda one: one.slug not in _PREFERRED)
        return preferred[:_DEFAULT_COUNT]
    by_slug = {service.slug: service for service in known}
    if not isinstance(chosen, list | tuple):
        problems.append(f"feeds.services: a list of slugs is needed, not {chosen!r}")
        return []
    problems += [f"feeds.services: no service {slug!r} in the catalogue" for slug in chosen if slug not in by_slug]
    return [by_slug[slug] for slug in chosen if slug in by_slug]


def _named(
    urls: object, interval: float, context: CollectorContext, problems: list[str], *, robots: bool
) -> list[Collector]:
    if not isinstance(urls, Mapping):
        problems.append(f"feeds.urls: a table of name = url is needed, not {urls!r}")
        return []
    made: list[Collector] = []
    for name, value in urls.items():
        table = value if isinstance(value, Mapping) else {"url": value}
        url = table.get("url")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            problems.append(f"feeds.urls.{name}: an http or https address is needed, not {url!r}")
            continue
        unknown = sorted(set(table) - {"url", "interval", "allow_private", "source", "robots"})
        problems += [f"feeds.urls.{name}.{key}: no such setting" for key in unknown]
        made.append(
            FeedCollector(
                source=str(table.get("source", f"feed:{name}")),
                urls=[url],
                interval=float(table.get("interval", interval)),
                context=context,
                allow_private=bool(table["allow_private"]) if "allow_private" in table else None,
                robots=bool(table.get("robots", robots)),
            )
        )
    return made


def _news_query(service: Service) -> str:
    """Google News search words of a service.

    >>> _news_query(Service(slug="slack", name="Slack"))
    '"Slack down" OR "Slack outage" when:1d'
    """
    return f'"{service.name} down" OR "{service.name} outage" when:1d'


def _tags(service: Service) -> list[str]:
    """Hashtags worth following: the catalogue's own and SERVICEdown.

    >>> _tags(Service(slug="google-cloud", name="Google Cloud", hashtags=("gcp",)))
    ['gcp', 'googleclouddown']
    """
    word = re.sub(r"\W+", "", service.slug.lower())
    return list(dict.fromkeys([*(tag.lstrip("#").lower() for tag in service.hashtags), f"{word}down"]))


def _time(published: float | None, now: datetime) -> datetime:
    """When it was written, never after now; an impossible date counts as none."""
    if published is None or not 631_152_000 <= published <= 4_102_444_800:  # 1990..2100
        return now
    return min(datetime.fromtimestamp(published, UTC), now)


def _names_somebody(url: str) -> bool:
    return bool(_PERSON.search(url) or _NAMED_HOSTS.search(url) or "@" in url)


def _nameless(url: str) -> str | None:
    """The address if it is http(s) and shows no user name.

    >>> _nameless("https://example.social/@ada/1"), _nameless("https://example.org/a")
    (None, 'https://example.org/a')
    """
    return url if url.startswith(("http://", "https://")) and not _names_somebody(url) else None


def _person(url: str) -> str | None:
    """Whose page a Mastodon-like address belongs to, with its server: one person, one vote.

    >>> _person("https://example.social/@ada/111")
    'ada@example.social'
    """
    found = _PERSON.search(url)
    if not found:
        return None
    host = url.partition("//")[2].partition("/")[0]
    name = found[1]
    return name if "@" in name else f"{name}@{host}"


def _safe_id(key: bytes, source: str, entry: FeedEntry, text: str) -> str:
    """The entry's id as the feed gives it, hashed where it is missing, long or holds a name."""
    given = entry.id or entry.url
    if given and len(given) <= 200 and not _names_somebody(given):
        return given
    basis = given or f"{entry.author}\x00{text}\x00{entry.published}"
    return "h:" + author_hash(key, source, basis)
