"""Mastodon and what speaks its API: public tag timelines, and searches where a token allows them, of several servers.

Settings (all optional)::

    servers = ["mastodon.social", "hachyderm.io"]   # names, or https addresses
    services = ["claude", "slack"]                  # whose tags; default: every service watched that has one of its own
    tags = ["outage"]                               # more tags
    token = "..."                                   # opens `/api/v2/search` (only together with one server)
    searches = ["claude down"]                      # needs `token`
    interval = 120                                  # seconds between polls
    max_pages = 5                                   # pages of 40 to go back, before a gap is recorded

No key, no cost; servers allow 300 requests in 5 minutes. Five tags go into one request. A server that shows its
timelines to members only is read through the RSS of each tag. The same post on several servers comes once, by its
`uri`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import msgspec

from detector.collectors.context import CollectorContext
from detector.collectors.mastodon_posts import Status, StatusFacts, facts_of_entry, facts_of_status, post_of
from detector.collectors.options import Options
from detector.domain import Coverage, CoverageState, Post, Service
from detector.errors import Hostile, Permanent, Temporary, TransportError
from detector.protocols import Collector, Harvest

SOURCE = "mastodon"
SERVERS = ("mastodon.social", "hachyderm.io", "fosstodon.org")
PAGE = 40
TAGS_AT_ONCE = 5  # one, and four in `any[]`: the server's own limit
MAX_AGE = timedelta(hours=2)
_MOST_TAGS = 60
_MAX_SEEN = 4000
_RSS_FOR = 30  # polls through RSS before the timelines are tried again
_PAGE = msgspec.json.Decoder(list[msgspec.Raw])
_ANSWER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STATUS = msgspec.json.Decoder(Status)


class _Cursor(msgspec.Struct, omit_defaults=True):
    """`newest`: by server and timeline, the id of the newest post read; `seen`: marks of posts passed on; `ok`: by
    server, Unix seconds of the last poll that went well."""

    newest: dict[str, str] = {}
    ok: dict[str, float] = {}
    seen: list[str] = []


class Mastodon:
    """Polls tag timelines of several servers as one source.

    Args:
        context: session, feed parser, author key.
        servers: base addresses.
        tags: without `#`.
        searches: words, asked of the first server with `token`.
        interval: seconds between polls.
        max_pages: pages to go back before a gap is recorded.
    """

    def __init__(
        self,
        *,
        context: CollectorContext,
        servers: Sequence[str],
        tags: Sequence[str],
        searches: Sequence[str] = (),
        token: str = "",
        interval: float = 120.0,
        max_pages: int = 5,
    ) -> None:
        self._context = context
        self._servers = tuple(dict.fromkeys(servers))
        self._groups = [tuple(tags[start : start + TAGS_AT_ONCE]) for start in range(0, len(tags), TAGS_AT_ONCE)]
        self._searches = tuple(searches)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._interval = interval
        self._max_pages = max_pages
        self._closed: dict[str, int] = {}

    @property
    def source(self) -> str:
        """`mastodon`."""
        return SOURCE

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """New posts of all servers; one that fails beside others that answer becomes a gap record.

        Raises:
            TransportError: every server failed (the first one's error).
        """
        known = _load(cursor)
        seen = dict.fromkeys(known.seen)
        found: list[StatusFacts] = []
        rejected: dict[str, int] = {}
        gaps: list[Coverage] = []
        failures: list[TransportError] = []
        for server in self._servers:
            newest = dict(known.newest)
            try:
                statuses, short = await self._server(server, newest, rejected, now)
            except TransportError as error:
                failures.append(error)
                since = datetime.fromtimestamp(known.ok.get(_host(server), now.timestamp()), UTC)
                gaps.append(_gap(min(since, now), now, CoverageState.FAILING, f"{_host(server)}: {error}"))
                continue
            known.newest = newest
            known.ok[_host(server)] = now.timestamp()
            found += statuses
            gaps += short
        if failures and len(failures) == len(self._servers):
            raise failures[0]
        posts: list[Post] = []
        for facts in found:
            if facts.mark in seen:
                continue
            seen[facts.mark] = None
            made = post_of(facts, self._context, now, MAX_AGE)
            if isinstance(made, Post):
                posts.append(made)
            else:
                rejected[made] = rejected.get(made, 0) + 1
        waits = [error.retry_after for error in failures if isinstance(error, Temporary) and error.retry_after]
        return Harvest(
            posts=tuple(posts),
            cursor=msgspec.json.encode(
                _Cursor(newest=known.newest, ok=known.ok, seen=list(seen)[-_MAX_SEEN:])
            ).decode(),
            gaps=tuple(gaps),
            rejected=tuple(sorted(rejected.items())),
            poll_after=max(waits, default=None),
        )

    async def aclose(self) -> None:
        """Nothing of its own to release: session and parser belong to the application."""

    async def _server(
        self, server: str, newest: dict[str, str], rejected: dict[str, int], now: datetime
    ) -> tuple[list[StatusFacts], list[Coverage]]:
        """One server's new posts, oldest known first; `newest` moves on as timelines were read."""
        found: list[StatusFacts] = []
        gaps: list[Coverage] = []
        for group in self._groups:
            if self._closed.get(server, 0) > 0:
                self._closed[server] -= 1
                found += await self._feeds(server, group)
                continue
            path = f"/api/v1/timelines/tag/{quote(group[0], safe='')}"
            query = "".join(f"&any[]={quote_plus(tag)}" for tag in group[1:])
            try:
                statuses, short = await self._timeline(server, path, query, newest, rejected, now)
            except Permanent:
                found += await self._feeds(server, group)  # members only: the tags' RSS may still be public
                self._closed[server] = _RSS_FOR * len(self._groups)
                continue
            found += statuses
            gaps += short
        if server == self._servers[0]:
            for words in self._searches:
                statuses, short = await self._timeline(
                    server, "/api/v2/search", f"&type=statuses&q={quote_plus(words)}", newest, rejected, now
                )
                found += statuses
        return found, gaps

    async def _timeline(
        self, server: str, path: str, query: str, newest: dict[str, str], rejected: dict[str, int], now: datetime
    ) -> tuple[list[StatusFacts], list[Coverage]]:
        """Page back from the newest post to the last one known."""
        name = f"{_host(server)}{path}?{query}"
        since = newest.get(name)
        before: str | None = None
        found: list[StatusFacts] = []
        highest = since
        for _ in range(self._max_pages if since else 1):
            window = (f"&since_id={since}" if since else "") + (f"&max_id={before}" if before else "")
            answer = await self._context.session.get(
                f"{server}{path}?limit={PAGE}{query}{window}", headers={"Accept": "application/json", **self._headers}
            )
            page = _statuses(answer.body, server)
            ids = []
            for raw in page:
                try:
                    status = _STATUS.decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
                    rejected["wrong shape"] = rejected.get("wrong shape", 0) + 1
                    continue
                ids.append(status.id)
                found.append(facts_of_status(status, urlsplit(server).netloc))
            fresh = [each for each in ids if since is None or _rank(each) > _rank(since)]
            highest = max([*fresh, *([highest] if highest else [])], key=_rank, default=None)
            if len(page) < PAGE or len(fresh) < len(ids) or not ids:
                break
            before = min(ids, key=_rank)
        else:
            if since:
                oldest = min((facts.written for facts in found if facts.written), default=now)
                note = f"{name}: paging back did not reach the last known post"
                newest[name] = highest or since
                return found, [_gap(min(oldest, now), now, CoverageState.GAP, note)]
        if highest:
            newest[name] = highest
        return found, []

    async def _feeds(self, server: str, tags: Sequence[str]) -> list[StatusFacts]:
        found: list[StatusFacts] = []
        for tag in tags:
            answer = await self._context.session.get(f"{server}/tags/{quote(tag, safe='')}.rss")
            feed = await self._context.worker.parse_feed(answer.body, answer.content_type)
            found += [facts_of_entry(entry) for entry in feed.entries]
        return found


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The Mastodon collector (entry point `detector.collectors: mastodon`).

    Raises:
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options(SOURCE, settings)
    servers = [
        (name if "://" in name else f"https://{name}").rstrip("/")
        for name in options.texts("servers", SERVERS, pattern=r"(?:https?://)?[\w.:\[\]-]+/?", want="server names")
    ]
    by_slug = {service.slug: service for service in context.services}
    chosen = options.texts("services", by_slug, want="slugs")
    for slug in chosen:
        if slug not in by_slug:
            options.wrong("services", f"no service {slug!r} in the catalogue")
    tags = [tag for slug in chosen if slug in by_slug for tag in tags_of(by_slug[slug])]
    own = [tag.lstrip("#").lower() for tag in options.texts("tags", (), pattern=r"#?\w+", want="tags")]
    token = options.secret("token")
    searches = options.texts("searches", (), want="words")
    if searches and not token:
        options.wrong("searches", "servers search for members only: set token_env to a variable with an access token")
    if token and len(servers) != 1:
        options.wrong("token", "an access token belongs to one server: name that one in servers")
    if not servers:
        options.wrong("servers", "at least one server is needed")
    made = Mastodon(
        context=context,
        servers=servers,
        # Own wishes first: a catalogue of hundreds of services must not crowd them out.
        tags=list(dict.fromkeys([*own, *tags]))[:_MOST_TAGS],
        searches=searches,
        token=token,
        interval=options.number("interval", 120, 10, 86_400),
        max_pages=options.whole("max_pages", 5, 1, 50),
    )
    options.done()
    return [made]


def tags_of(service: Service) -> list[str]:
    """Hashtags worth following: the catalogue's own and SERVICEdown.

    >>> tags_of(Service(slug="google-cloud", name="Google Cloud", hashtags=("#GCP",)))
    ['gcp', 'googleclouddown']
    """
    word = "".join(letter for letter in service.slug.lower() if letter.isalnum())
    return list(dict.fromkeys([*(tag.lstrip("#").lower() for tag in service.hashtags), f"{word}down"]))


def _statuses(body: bytes, server: str) -> list[msgspec.Raw]:
    """The statuses of a timeline, or of a search's answer."""
    try:
        if body.lstrip()[:1] == b"{":
            return _PAGE.decode(_ANSWER.decode(body)["statuses"])
        return _PAGE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as error:
        raise Hostile(f"{server}: no list of posts came ({error}); is it a Mastodon server?") from error


def _rank(ident: str) -> tuple[int, str]:
    """Ids are numbers of growing length, as text."""
    return len(ident), ident


def _host(server: str) -> str:
    return urlsplit(server).netloc


def _gap(since: datetime, until: datetime, state: CoverageState, note: str) -> Coverage:
    return Coverage(source=SOURCE, from_at=since, to_at=until, state=state, note=note[:300])


def _load(cursor: str | None) -> _Cursor:
    """The cursor; an empty one where there is none or it cannot be read."""
    if not cursor:
        return _Cursor()
    try:
        return msgspec.json.decode(cursor, type=_Cursor)
    except (msgspec.DecodeError, ValueError):
        return _Cursor()
