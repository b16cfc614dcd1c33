"""X (Twitter), by its recent search: every post read costs money, so it is off until a key and a cap are set.

Money: a request may bring at most what the cap still pays for; it is charged in full before it is made and corrected by
what came, so an answer that is lost counts as paid. The sum of the month is written to the ledger before each request,
so that neither a kill nor a lost database forgets it. At the cap the source stops, and says so.

Settings: `token_env`, `monthly_cap` (in the currency of `price_per_post`); optional `price_per_post = 0.005`, `queries`
(by default the watched services' names with "down"), `interval = 300`, `url = "https://api.x.com"`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from detector.collectors.context import CollectorContext
from detector.collectors.options import Options
from detector.collectors.paging import FIRST_LOOK
from detector.domain import Coverage, CoverageState, Post, Service
from detector.errors import Hostile, NotConfigured, Permanent, Temporary, TransportError
from detector.protocols import Collector, Harvest
from detector.transport.plaintext import cut, plain
from detector.transport.session import Response, retry_after

SOURCE = "x"
LEAST, MOST = 10, 100  # posts a request may ask for
_LONGEST_QUERY = 480
_PAGES = 10
_MAX_AGE = timedelta(days=6)  # the recent search reaches back seven days
_MICRO = 1_000_000


class _Post(msgspec.Struct):
    id: str
    text: str
    created_at: datetime
    author_id: str | None = None
    conversation_id: str | None = None


class _Meta(msgspec.Struct):
    result_count: int = 0
    next_token: str | None = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] = []
    meta: _Meta | None = None


class _Cursor(msgspec.Struct, kw_only=True):
    """`spent`: millionths of a unit of money in `month`; `since`: newest id by query; `at`: its Unix seconds."""

    v: int = 1
    month: str
    spent: int = 0
    since: dict[str, str] = {}
    at: dict[str, float] = {}


class X:
    """Polls searches.

    Args:
        context: session and author key.
        token: bearer token, sent to `url` only.
        queries: X's search words.
        price: money a post costs.
        cap: money a calendar month (UTC) may cost.
        interval: seconds between polls.
        url: base address.
    """

    def __init__(
        self,
        *,
        context: CollectorContext,
        token: str,
        queries: Sequence[str],
        price: float,
        cap: float,
        interval: float = 300.0,
        url: str = "https://api.x.com",
    ) -> None:
        self._context = context
        self._token = token
        self._queries = tuple(queries)
        self._price = max(round(price * _MICRO), 1)
        self._cap = round(cap * _MICRO)
        self._interval = interval
        self._url = url
        self._month, self._spent = "", 0

    @property
    def source(self) -> str:
        """`x`."""
        return SOURCE

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    @property
    def spent(self) -> float:
        """Money spent this month, as far as this process knows."""
        return self._spent / _MICRO

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """New posts of all queries; where the money or an error ends the paging, the rest is a gap.

        Raises:
            Permanent: the cap leaves no money for another request.
            TransportError: no query brought anything usable.
        """
        month = now.strftime("%Y-%m")
        known = _load(cursor) or _Cursor(month=month)
        if self._month != month:
            self._month, self._spent = month, 0
        written = self._context.ledger.spent(SOURCE, month)
        self._spent = max(self._spent, written, known.spent if known.month == month else 0)
        since, at = dict(known.since), dict(known.at)
        rejected: Counter[str] = Counter()
        posts: dict[str, Post] = {}
        gaps: list[Coverage] = []
        failure: TransportError | None = None
        answered = False
        for query in self._queries:
            begin = max(at.get(query, now.timestamp() - FIRST_LOOK), (now - _MAX_AGE).timestamp())
            found: list[_Post] = []
            failed = await self._search(query, since.get(query), begin, found, rejected, now)
            answered = answered or failed is None or bool(found)
            failure = failure or failed
            for each in found:
                made = self._post(each, now)
                posts[made.id] = made
            times = [_utc(each.created_at).timestamp() for each in found]
            if failed is not None and (found or at.get(query)):
                until = datetime.fromtimestamp(min([*times, now.timestamp()]), UTC)
                start = min(datetime.fromtimestamp(begin, UTC), until)
                state = CoverageState.GAP if found else CoverageState.FAILING
                gaps.append(Coverage(source=SOURCE, from_at=start, to_at=until, state=state, note=str(failed)[:300]))
            if found:
                since[query] = max((each.id for each in found), key=_number)
            if found or failed is None:
                at[query] = max([begin, *(min(time, now.timestamp()) for time in times)])
        if failure is not None and not answered:
            raise failure
        after = _Cursor(month=month, spent=self._spent, since=since, at=at)
        wait = failure.retry_after if isinstance(failure, Temporary) else None
        return Harvest(
            posts=tuple(posts.values()),
            cursor=msgspec.json.encode(after).decode(),
            gaps=tuple(gaps),
            rejected=tuple(sorted(rejected.items())),
            poll_after=wait,
            budget=f"{(self._cap - self._spent) / _MICRO:.2f} of {self._cap / _MICRO:.2f} for {month}",
        )

    async def aclose(self) -> None:
        """Nothing of its own to release: the session belongs to the application."""

    async def _search(
        self,
        query: str,
        since: str | None,
        begin: float,
        found: list[_Post],
        rejected: Counter[str],
        now: datetime,
    ) -> TransportError | None:
        """Page back to what is known, into `found`; returns what ended it early."""
        place: str | None = None
        try:
            for _ in range(_PAGES):
                page = await self._page(query, since, begin, place, now)
                for raw in page.data:
                    try:
                        each = msgspec.json.decode(raw, type=_Post)
                    except (msgspec.DecodeError, ValueError):
                        rejected["wrong shape"] += 1
                        continue
                    if not each.id.isascii() or not each.id.isdigit() or not plain(each.text):
                        rejected["no text"] += 1
                        continue
                    found.append(each)
                place = page.meta.next_token if page.meta else None
                if not place:
                    return None
        except TransportError as error:
            return error
        return Temporary(f"x: {_PAGES} pages did not reach back to the last post known")

    async def _page(self, query: str, since: str | None, begin: float, place: str | None, now: datetime) -> _Page:
        asked = self._affordable(now)
        wanted: dict[str, str | int] = {
            "query": query,
            "max_results": asked,
            "sort_order": "recency",
            "tweet.fields": "created_at,author_id,conversation_id",
        }
        # An id older than the search reaches is an error to X; a time is not.
        if since and begin > (now - _MAX_AGE).timestamp():
            wanted["since_id"] = since
        else:
            wanted["start_time"] = datetime.fromtimestamp(begin, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if place:
            wanted["next_token"] = place
        self._charge(asked * self._price, now)
        answer = await self._context.session.get(
            f"{self._url}/2/tweets/search/recent?{urlencode(wanted)}",
            headers={"Authorization": f"Bearer {self._token}"},
            accept=range(400, 600),
        )
        if answer.status >= 400:
            self._charge(-asked * self._price, now)  # an answer without posts costs nothing
            raise _refusal(answer, now)
        try:
            page = msgspec.json.decode(answer.body, type=_Page)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Hostile("x: no search result came; was the address changed?") from error
        self._charge((len(page.data) - asked) * self._price, now)
        return page

    def _charge(self, money: int, now: datetime) -> None:
        self._context.ledger.write(SOURCE, now.strftime("%Y-%m"), self._spent + money)
        self._spent += money

    def _affordable(self, now: datetime) -> int:
        """How many posts may be asked for; raises before the cap would be passed."""
        left = (self._cap - self._spent) // self._price
        if left < LEAST:
            raise Permanent(
                f"x: the spending cap of {self._cap / _MICRO:.2f} for {now:%Y-%m} is reached "
                f"({self._spent / _MICRO:.2f} spent, a request costs {LEAST * self._price / _MICRO:.2f}); nothing is "
                "read until next month; raise monthly_cap to go on"
            )
        return int(min(left, MOST))

    def _post(self, each: _Post, now: datetime) -> Post:
        reply = each.conversation_id if each.conversation_id != each.id else None
        return Post(
            source=SOURCE,
            id=each.id,
            created_at=min(_utc(each.created_at), now),
            seen_at=now,
            text=cut(plain(each.text)),
            author=self._context.author(SOURCE, each.author_id),
            url=f"https://x.com/i/status/{each.id}",
            reply_to=reply,
        )


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """The X collector (entry point `detector.collectors: x`).

    Raises:
        NotConfigured: there is no token, or no cap on what may be spent.
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options("x", settings)
    token = options.secret("token")
    cap = options.number("monthly_cap", 0.0, 0, 1_000_000)
    price = options.number("price_per_post", 0.005, 0.000001, 100)
    queries = options.texts("queries", _queries(context.services), pattern=r"[^\n]{1,4096}", want="search words")
    interval = options.number("interval", 300.0, 30, 86_400)
    url = options.address("url", "https://api.x.com")
    options.done()
    if not token or cap <= 0:
        raise NotConfigured("X is paid by the post: set token_env and monthly_cap (money a month) to switch it on")
    if not queries:
        raise NotConfigured("no service is watched; set queries")
    return [X(context=context, token=token, queries=queries, price=price, cap=cap, interval=interval, url=url)]


def _queries(services: Sequence[Service]) -> list[str]:
    """As few searches as hold all services' names with "down".

    >>> _queries([Service(slug="slack", name="Slack"), Service(slug="zoom", name="Zoom")])
    ['("slack down" OR "zoom down") -is:retweet']
    """
    queries: list[str] = []
    words = ""
    for name in dict.fromkeys(one.name.lower().replace('"', "") for one in services):
        more = f'{words} OR "{name} down"' if words else f'"{name} down"'
        if len(more) > _LONGEST_QUERY:
            queries.append(f"({words}) -is:retweet")
            more = f'"{name} down"'
        words = more
    return [*queries, f"({words}) -is:retweet"] if words else queries


def _load(cursor: str | None) -> _Cursor | None:
    try:
        return msgspec.json.decode(cursor, type=_Cursor) if cursor else None
    except (msgspec.DecodeError, ValueError):
        return None


def _refusal(answer: Response, now: datetime) -> TransportError:
    status = answer.status
    if status == 429:
        return Temporary("x: the rate limit is spent", retry_after=_reset(answer, now))
    if status >= 500:
        return Temporary(f"x answered {status}; it will be tried again")
    advice = {401: "check the token", 402: "the account has no credit left", 403: "the token may not search"}
    return Permanent(f"x answered {status}: {advice.get(status, 'the search is refused; check queries')}")


def _reset(answer: Response, now: datetime) -> float:
    """Seconds until the rate limit is renewed, by the server's own clock where it tells it."""
    told = answer.headers.get("x-rate-limit-reset", "")
    if told.isascii() and told.isdigit() and len(told) < 12:
        try:
            server_now = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (ValueError, TypeError):
            server_now = now.timestamp()
        return min(max(int(told) - server_now, 1.0), 3600.0)
    return retry_after(answer.headers.get("retry-after"), answer.headers.get("date")) or 60.0


def _number(post_id: str) -> int:
    return int(post_id[:30])


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
