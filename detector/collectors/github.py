"""GitHub: new issues of vendors' repositories, comments on them, and the people who put a +1 under them.

First-hand and technical, and few products read it. Without a token GitHub allows 60 requests an hour, with one 5,000
(any token will do, it needs no permission), so comments and +1s are read only with one. Unchanged lists cost nothing
then (ETag). API: https://docs.github.com/rest/issues.

Settings (all optional): `repositories` (by default those of the watched services), `token_env`, `interval = 60`,
`comments`, `url = "https://api.github.com"`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import msgspec

from detector.collectors.context import CollectorContext
from detector.collectors.options import Options
from detector.collectors.paging import Line, Memory, Walk, first_memory, page_back
from detector.domain import Coverage, Post
from detector.errors import Hostile, NotConfigured, Permanent, Temporary
from detector.protocols import Collector, Harvest
from detector.transport.plaintext import cut, join_title, plain
from detector.transport.session import Response, Validators, retry_after

REACH = 1000
PER_HOUR, PER_HOUR_WITH_TOKEN = 60, 5000
_PAGE = 100
_FRESH = timedelta(days=1)
_MAX_AGE = timedelta(days=2)
_MOST_LOOKS = 5
_REMEMBERED = 200
_PROVIDER = frozenset({"OWNER", "MEMBER"})


class _User(msgspec.Struct):
    login: str
    type: str = "User"


class _Reactions(msgspec.Struct):
    plus: int = msgspec.field(name="+1", default=0)


class _Entry(msgspec.Struct):
    """An issue or a comment on one."""

    id: int
    created_at: datetime
    user: _User | None = None
    title: str | None = None
    body: str | None = None
    number: int = 0
    issue_url: str = ""
    author_association: str = ""
    pull_request: dict[str, Any] | None = None
    reactions: _Reactions | None = None


class _Reaction(msgspec.Struct):
    id: int
    created_at: datetime
    user: _User | None = None


class _Cursor(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`plus`: by issue number, the +1s counted and the newest one passed on."""

    v: int = 1
    issues: Memory
    comments: Memory
    tags: dict[str, str] = {}
    plus: dict[str, tuple[int, int]] = {}


class Allowance:
    """What GitHub says is left of the hour; shared by all repositories of this run."""

    def __init__(self) -> None:
        self.remaining: int | None = None
        self.until: datetime | None = None

    @property
    def words(self) -> str | None:
        """What is left, for a person."""
        return f"{self.remaining} requests this hour" if self.remaining is not None else None

    def heed(self, answer: Response, now: datetime) -> None:
        """Take note of an answer's rate headers."""
        left, reset = answer.headers.get("x-ratelimit-remaining", ""), answer.headers.get("x-ratelimit-reset", "")
        if left.isascii() and left.isdigit():
            self.remaining = int(left)
        if self.remaining == 0 and reset.isascii() and reset.isdigit() and len(reset) < 12:
            try:
                server_now = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
            except (ValueError, TypeError):
                server_now = now.timestamp()
            self.until = now + timedelta(seconds=min(max(int(reset) - server_now, 1.0), 3600.0))

    def check(self, now: datetime) -> None:
        """Raise `Temporary` while nothing is left."""
        if self.until is not None and now < self.until:
            left = (self.until - now).total_seconds()
            raise Temporary(f"github: the rate limit is spent for {left:.0f} s; a token raises it", retry_after=left)


class GitHub:
    """Polls one repository.

    Args:
        context: session and author key.
        repository: `owner/name`.
        allowance: shared by all repositories.
        token: sent to `url` only; empty for none.
        comments: read comments and +1s too.
        interval: seconds between polls.
        url: base address.
    """

    def __init__(
        self,
        *,
        context: CollectorContext,
        repository: str,
        allowance: Allowance,
        token: str = "",
        comments: bool = True,
        interval: float = 60.0,
        url: str = "https://api.github.com",
    ) -> None:
        self._context = context
        self._repository = repository
        self._allowance = allowance
        self._token = token
        self._comments = comments
        self._interval = interval
        self._url = url

    @property
    def source(self) -> str:
        """`github:OWNER/NAME`."""
        return f"github:{self._repository}"

    @property
    def interval(self) -> float:
        """Seconds between polls."""
        return self._interval

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """New issues, comments and +1s since the cursor.

        Raises:
            TransportError: GitHub did not answer usably, or the hour's requests are spent.
        """
        known = _load(cursor) or _Cursor(issues=first_memory(now), comments=first_memory(now))
        rejected: Counter[str] = Counter()
        posts: list[Post] = []
        gaps: list[Coverage] = []
        tags = dict(known.tags)
        wanted = {"issues": known.issues, "issues/comments": known.comments}
        plus = dict(known.plus)
        for what, memory in list(wanted.items())[: 2 if self._comments else 1]:
            walk: Walk[_Entry] = Walk(memory, ceiling=REACH, capped=False)
            first: list[Line[_Entry]] = []
            await page_back(walk, partial(self._page, what, tags, first, rejected, now))
            if tags.pop(f"same {what}", None):
                memory.ok_at = now.timestamp()
                continue
            for line in walk.fresh:
                made = self._post(what, line.entry, now)
                if isinstance(made, Post):
                    posts.append(made)
                else:
                    rejected[made] += 1
            gap = walk.gap(self.source, f"{what}: {REACH} entries did not reach back to the last one known")
            gaps += [gap] if gap else []
            wanted[what] = walk.remember(now)
            if what == "issues" and self._comments:
                posts += await self._pluses([line.entry for line in first], plus, known.issues.floor, now)
        kept = dict(sorted(plus.items(), key=lambda pair: -int(pair[0]))[:_REMEMBERED])
        after = _Cursor(issues=wanted["issues"], comments=wanted["issues/comments"], tags=tags, plus=kept)
        return Harvest(
            posts=tuple(posts),
            cursor=msgspec.json.encode(after).decode(),
            gaps=tuple(gaps),
            rejected=tuple(sorted(rejected.items())),
            budget=self._allowance.words,
        )

    async def aclose(self) -> None:
        """Nothing of its own to release: the session belongs to the application."""

    async def _get(self, path: str, now: datetime, *, etag: str | None = None) -> Response:
        self._allowance.check(now)
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        answer = await self._context.session.get(
            f"{self._url}/repos/{self._repository}/{path}",
            headers=headers,
            conditional=Validators(etag=etag),
            accept=(403, 429),
        )
        self._allowance.heed(answer, now)
        if answer.status in {403, 429}:
            self._allowance.check(now)
            wait = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
            if answer.status == 429 or wait is not None or b"rate limit" in answer.body[:2000].lower():
                raise Temporary(f"github: asked us to slow down ({answer.status})", retry_after=wait or 60.0)
            raise Permanent(f"github {self._repository}: access is refused (403); check the token and the repository")
        return answer

    async def _page(
        self,
        what: str,
        tags: dict[str, str],
        first: list[Line[_Entry]],
        rejected: Counter[str],
        now: datetime,
        place: str | None,
    ) -> tuple[list[Line[_Entry]], str | None]:
        """A page; the first one is asked for only if it changed (`tags` notes `same WHAT` if it did not)."""
        number = int(place or "1")
        state = "&state=all" if what == "issues" else ""
        path = f"{what}?sort=created&direction=desc&per_page={_PAGE}&page={number}{state}"
        answer = await self._get(path, now, etag=tags.get(what) if number == 1 else None)
        if answer.not_modified:
            tags[f"same {what}"] = "yes"
            return [], None
        lines: list[Line[_Entry]] = []
        raws = _list(answer, self._repository)
        for raw in raws:
            try:
                entry = msgspec.json.decode(raw, type=_Entry)
                lines.append(Line(str(entry.id), _utc(entry.created_at).timestamp(), entry))
            except (msgspec.DecodeError, ValueError, OverflowError):
                rejected["wrong shape"] += 1
        if number == 1:
            first += lines
            if answer.validators.etag:
                tags[what] = answer.validators.etag
        return lines, str(number + 1) if len(raws) >= _PAGE else None

    async def _pluses(
        self, issues: Sequence[_Entry], plus: dict[str, tuple[int, int]], floor: float, now: datetime
    ) -> list[Post]:
        """A post for each new +1 of a fresh issue: somebody else whom it hits. The most agreed with come first."""
        grown = []
        for issue in issues:
            count = issue.reactions.plus if issue.reactions else 0
            before, newest = plus.get(str(issue.number), (0, 0))
            if count > before and issue.pull_request is None and _utc(issue.created_at) > now - _FRESH:
                grown.append((count - before, count, newest, issue))
        posts: list[Post] = []
        for _, count, newest, issue in sorted(grown, key=lambda each: -each[0])[:_MOST_LOOKS]:
            place = max((count - 1) // _PAGE + 1, 1)  # the last page: they come oldest first
            answer = await self._get(f"issues/{issue.number}/reactions?content=%2B1&per_page={_PAGE}&page={place}", now)
            last = newest
            for raw in _list(answer, self._repository):
                try:
                    reaction = msgspec.json.decode(raw, type=_Reaction)
                    at = _utc(reaction.created_at)
                except (msgspec.DecodeError, ValueError, OverflowError):
                    continue
                if reaction.id <= newest:
                    continue
                last = max(last, reaction.id)
                text = cut(f"+1: {plain(issue.title or '')}")
                if at.timestamp() >= floor or newest:
                    posts.append(
                        self._made(f"plus:{reaction.id}", at, text, reaction.user, issue.number, now, reply=issue)
                    )
            plus[str(issue.number)] = (count, last)
        return posts

    def _post(self, what: str, entry: _Entry, now: datetime) -> Post | str:
        if entry.pull_request is not None:
            return "pull request"
        if entry.user is not None and entry.user.type == "Bot":
            return "automatic"
        if _utc(entry.created_at) < now - _MAX_AGE:
            return "old"
        text = cut(join_title(plain(entry.title or ""), plain(entry.body or "")))
        if not text:
            return "no text"
        kind = "issue" if what == "issues" else "comment"
        tail = entry.issue_url.rpartition("/")[2]
        number = entry.number or (int(tail) if tail.isascii() and tail.isdigit() and len(tail) < 12 else 0)
        made = self._made(f"{kind}:{entry.id}", _utc(entry.created_at), text, entry.user, number, now)
        return replace(made, official=entry.author_association in _PROVIDER)

    def _made(
        self,
        post_id: str,
        at: datetime,
        text: str,
        user: _User | None,
        number: int,
        now: datetime,
        reply: _Entry | None = None,
    ) -> Post:
        # A deleted account is shown as "ghost", the same for all of them.
        login = user.login if user is not None and user.login != "ghost" else None
        return Post(
            source=self.source,
            id=post_id,
            created_at=min(at, now),
            seen_at=now,
            text=text,
            author=self._context.author("github", login),
            url=f"https://github.com/{self._repository}/issues/{number}" if number else None,
            reply_to=f"issue:{reply.id}" if reply else None,
        )


def build(settings: Mapping[str, Any], context: CollectorContext) -> Sequence[Collector]:
    """One collector a repository (entry point `detector.collectors: github`).

    Raises:
        NotConfigured: no watched service has a repository.
        ConfigError: a setting has the wrong form; every mistake is named.
    """
    options = Options("github", settings)
    usual = [place[7:] for one in context.services for place in one.communities if place.startswith("github:")]
    repositories = options.texts(
        "repositories", usual, pattern=r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}", want="owner/name"
    )
    token = options.secret("token")
    comments = options.flag("comments", default=bool(token))
    interval = options.number("interval", 60.0, 10, 86_400)
    url = options.address("url", "https://api.github.com")
    options.done()
    if not repositories:
        raise NotConfigured("no watched service has a repository; set repositories")
    # Unchanged lists are free with a token; without one each request counts, so they are spread over the hour.
    requests = len(repositories) * (2 if comments else 1)
    least = 3600 * requests / (0.8 * (PER_HOUR_WITH_TOKEN if token else PER_HOUR))
    allowance = context.shared.setdefault(f"github {url}", Allowance())
    return [
        GitHub(
            context=context,
            repository=repository,
            allowance=allowance,
            token=token,
            comments=comments,
            interval=max(interval, least),
            url=url,
        )
        for repository in repositories
    ]


def _list(answer: Response, repository: str) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(answer.body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Hostile(f"github {repository}: no list came; was the address changed?") from error


def _load(cursor: str | None) -> _Cursor | None:
    try:
        return msgspec.json.decode(cursor, type=_Cursor) if cursor else None
    except (msgspec.DecodeError, ValueError):
        return None


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
