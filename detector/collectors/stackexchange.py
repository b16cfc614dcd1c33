"""Stack Exchange: new questions with the tags of the watched services, without a key.

The quota is 300 requests a day for an address (10,000 with a free key), so a site is asked every few minutes at most.
A `backoff` in an answer is obeyed, for all sites. API: https://api.stackexchange.com/docs.
Settings (all optional): `sites = ["stackoverflow"]`, `tags` (by default the watched services' slugs and hashtags),
`interval = 600`, `key_env`, `url = "https://api.stackexchange.com"`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from detector.collectors.context import CollectorContext
from detector.collectors.options import Options
from detector.collectors.paging import Line, Memory, Walk, first_memory, page_back
from detector.domain import Post
from detector.errors import Hostile, NotConfigured, Permanent, Temporary
from detector.protocols import Collector, Harvest
from detector.transport.plaintext import cut, join_title, plain

REACH = 500
FIRST_LOOK = 3600.0
QUOTA, QUOTA_WITH_KEY = 300, 10_000
_PAGE = 100
_MOST_TAGS = 20
_MAX_AGE = timedelta(days=2)
_THROTTLED = 502  # https://api.stackexchange.com/docs/error-handling
_AVAILABLE = re.compile(r"available in (\d{1,7}) seconds")


class _Owner(msgspec.Struct):
    user_id: int | None = None
    account_id: int | None = None


class _Question(msgspec.Struct):
    question_id: int
    creation_date: int
    title: str = ""
    body: str = ""
    owner: _Owner | None = None


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    has_more: bool = False
    backoff: float = 0.0
    quota_remaining: int | None = None


class _Refusal(msgspec.Struct):
    error_id: int = 0
    error_name: str = ""
    error_message: str = ""


class _Pause:
    """Until when nobody may ask; shared by all sites of this run."""

    def __init__(self) -> None:
        self.until: datetime | None = None

    def hold(self, until: datetime) -> None:
        """Nobody asks before then."""
        self.until = max(until, self.until or until)

    def left(self, now: datetime) -> float:
        """Seconds still to wait."""
        return max((self.until - now).total_seconds(), 0.0) if self.until else 0.0


class StackExchange:
    """Polls one site.

    Args:
        context: session and author key.
        site: `stackoverflow`, `serverfault` ...
        tags: questions with any of these.
        pause: shared by all sites.
        interval: seconds between polls.
        key: raises the quota; not a secret by Stack Exchange's word, but kept as one.
        url: base address.
    """

    def __init__(
        self,
        *,
        context: CollectorContext,
        site: str,
        tags: Sequence[str],
        pause: _Pause,
        interval: float = 600.0,
        key: str = "",
        url: str = "https://api.stackexchange.com",
    ) -> None:
        self._context = context
        self._site = site
        self._tags = tuple(tags)
        self._pause = pause
        self._left: int | None = None
        self._interval = interval
        self._key = key
        self._url = url

    @property
    def source(self) -> str:
        """`stackexchange:SITE`."""
        return f"stackexchange:{self._site}"

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """New questions since the cursor.

        Raises:
            TransportError: the site did not answer usably, or asked us to wait.
        """
        memory = _load(cursor) or first_memory(now, FIRST_LOOK)
        rejected: Counter[str] = Counter()
        walk: Walk[_Question] = Walk(memory, ceiling=REACH, capped=False)
        await page_back(walk, partial(self._page, memory, now, rejected))
        posts = []
        for line in walk.fresh:
            made = self._post(line.entry, now)
            if isinstance(made, Post):
                posts.append(made)
            else:
                rejected[made] += 1
        gap = walk.gap(self.source, f"{REACH} questions did not reach back to the last one known")
        wait = self._pause.left(now)
        return Harvest(
            posts=tuple(posts),
            cursor=msgspec.json.encode(walk.remember(now)).decode(),
            gaps=(gap,) if gap else (),
            rejected=tuple(sorted(rejected.items())),
            poll_after=max(wait, self._interval) if wait else None,
            budget=f"{self._left} requests today" if self._left is not None else None,
        )

    async def aclose(self) -> None:
        """Nothing of its own to release: the session belongs to the application."""

    async def _page(
        self, memory: Memory, now: datetime, rejected: Counter[str], place: str | None
    ) -> tuple[list[Line[_Question]], str | None]:
        left = self._pause.left(now)
        if left > 0:
            raise Temporary(f"stackexchange: asked us to wait {left:.0f} s more", retry_after=max(left, 1.0))
        number = int(place or "1")
        query = {
            "site": self._site,
            "tagged": ";".join(self._tags),
            "sort": "creation",
            "order": "desc",
            "fromdate": int(memory.floor),
            "pagesize": _PAGE,
            "page": number,
            "filter": "withbody",
        }
        if self._key:
            query["key"] = self._key
        answer = await self._context.session.get(f"{self._url}/2.3/search?{urlencode(query)}", accept=(400,))
        if answer.status == 400:
            self._refused(answer.body, now)
        try:
            page = msgspec.json.decode(answer.body, type=_Page)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Hostile(f"stackexchange {self._site}: no list of questions came; was the address changed?") from error
        if page.backoff > 0:
            self._hold(page.backoff, now)
        self._left = page.quota_remaining if page.quota_remaining is not None else self._left
        if page.quota_remaining is not None and page.quota_remaining <= 0:
            self._hold(3600.0, now)
        lines = []
        for raw in page.items:
            try:
                question = msgspec.json.decode(raw, type=_Question)
                lines.append(Line(str(question.question_id), float(question.creation_date), question))
            except (msgspec.DecodeError, ValueError):
                rejected["wrong shape"] += 1
        if page.has_more and self._pause.left(now) > 0:
            # More is to be read, but not now: better a poll that failed than a gap that nobody sees.
            at = [line.at for line in lines]
            if not at or min(at) > memory.newest:
                raise Temporary(f"stackexchange {self._site}: asked us to wait", retry_after=self._pause.left(now))
            return lines, None
        return lines, str(number + 1) if page.has_more else None

    def _hold(self, seconds: float, now: datetime) -> None:
        seconds = min(seconds, 86_400.0)
        self._pause.hold(now + timedelta(seconds=seconds))

    def _refused(self, body: bytes, now: datetime) -> None:
        try:
            refusal = msgspec.json.decode(body, type=_Refusal)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            refusal = _Refusal()
        words = plain(refusal.error_message)[:200]
        if refusal.error_id == _THROTTLED:
            found = _AVAILABLE.search(words)
            seconds = min(float(found[1]) if found else 600.0, 86_400.0)
            self._hold(seconds, now)
            raise Temporary(f"stackexchange: the quota is spent ({words})", retry_after=max(seconds, 1.0))
        name = plain(refusal.error_name)[:60] or "400"
        raise Permanent(f"stackexchange {self._site}: refused ({name}: {words}); check sites, tags and key")

    def _post(self, question: _Question, now: datetime) -> Post | str:
        text = cut(join_title(plain(question.title), plain(question.body)))
        if not text:
            return "no text"
        try:
            created_at = min(datetime.fromtimestamp(question.creation_date, UTC), now)
        except (OverflowError, ValueError, OSError):
            return "no time"
        if created_at < now - _MAX_AGE:
            return "old"
        owner = question.owner or _Owner()
        who = owner.account_id or owner.user_id
        return Post(
            source=self.source,
            id=str(question.question_id),
            created_at=created_at,
            seen_at=now,
            text=text,
            author=self._context.author("stackexchange", str(who) if who else None),
            url=f"https://{self._host()}/questions/{question.question_id}",
        )

    def _host(self) -> str:
        own = {"stackoverflow", "serverfault", "superuser", "askubuntu", "mathoverflow", "stackapps"}
        return f"{self._site}.com" if self._site in own else f"{self._site}.stackexchange.com"


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """One collector a site (entry point `detector.collectors: stackexchange`).

    Raises:
        NotConfigured: there is no tag to follow.
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options("stackexchange", settings)
    sites = options.texts("sites", ["stackoverflow"], pattern=r"[a-z0-9.-]{2,40}", want="sites such as stackoverflow")
    usual = [tag.lower().lstrip("#") for one in context.services for tag in (one.slug, *one.hashtags) if "_" not in tag]
    tags = options.texts("tags", usual[:_MOST_TAGS], pattern=r"[a-z0-9.#+-]{1,35}", want="tags such as claude")
    if len(tags) > _MOST_TAGS:
        options.wrong("tags", f"at most {_MOST_TAGS} can be asked for at once, not {len(tags)}")
    key = options.secret("key")
    interval = options.number("interval", 600.0, 60, 86_400)
    url = options.address("url", "https://api.stackexchange.com")
    options.done()
    if not tags or not sites:
        raise NotConfigured("there is no tag to follow; set tags")
    # Nine tenths of the day's quota, shared by the sites.
    least = 86_400 * len(sites) / (0.9 * (QUOTA_WITH_KEY if key else QUOTA))
    pause = context.shared.setdefault("stackexchange", _Pause())
    return [
        StackExchange(
            context=context, site=site, tags=tags, pause=pause, interval=max(interval, least), key=key, url=url
        )
        for site in sites
    ]


def _load(cursor: str | None) -> Memory | None:
    try:
        return msgspec.json.decode(cursor, type=Memory) if cursor else None
    except (msgspec.DecodeError, ValueError):
        return None
