"""The places of the zoo: one server for each collector, speaking its protocol, that knows every post it has shown.

A place is told to show numbered posts; some are unusable by design (deleted, empty, of another shape), and each answer
may be spoiled by a fault. Numbers end every text, so that the database can be asked which of them it holds.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

from tests.collectors.servers_reddit import Entry, FakeReddit
from tests.loopback import Answer, Loopback, Reply, Request

FAULTS: tuple[tuple[str, Reply], ...] = (
    ("500", Reply("oops", status=500)),
    ("503", Reply("later", status=503, headers={"Retry-After": "2"})),
    ("429", Reply("slowly", status=429, headers={"Retry-After": "1"})),
    ("403", Reply("no", status=403)),
    ("reset", Reply(fault="reset")),
    ("truncated", Reply('{"a": 1', fault="truncated")),
    ("challenge", Reply("<!doctype html><title>Just a moment...</title>", headers={"Content-Type": "text/html"})),
    ("garbage", Reply(b"\x00\xff{[<")),
    ("nothing", Reply("")),
    ("wrong length", Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{", fault="raw")),
    ("redirect", Reply("", status=302, headers={"Location": "http://169.254.169.254/"})),
)


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Place:
    """One source.

    Attributes:
        source: whose posts these are in the database, the places of it included.
        words: what a post says before its number.
        shown: the moment of every usable post, by number.
        unusable: numbers that must not be stored.
        reach: how many of the newest the place shows; what falls out unread is a gap.
        share: how many answers are spoiled.
    """

    source: str
    share: float = 0.1
    reach: int = 100_000
    words: str = "Claude is down for me"
    shown: dict[int, float] = field(default_factory=dict)
    unusable: dict[int, float] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    chance: random.Random = field(default_factory=random.Random)
    lock: threading.Lock = field(default_factory=threading.Lock)
    # Faults that mean "never again" there, and are obeyed for longer than the zoo is open.
    spared: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """What a kind of place needs besides."""

    def show(self, number: int, at: float, *, usable: bool = True) -> None:
        """Something new; called from the zoo's own thread."""
        with self.lock:
            (self.shown if usable else self.unusable)[number] = at

    def newest(self) -> list[tuple[int, float, bool]]:
        """Number, moment and whether it is usable, the newest first, as far as the place reaches."""
        with self.lock:
            every = [(n, at, True) for n, at in self.shown.items()] + [
                (n, at, False) for n, at in self.unusable.items()
            ]
        return sorted(every, key=lambda each: (-each[1], -each[0]))[: self.reach]

    def text(self, number: int) -> str:
        return f"{self.words}, it says {number}"

    def spoilt(self, answer: Answer) -> Answer:
        """An answer that is a fault now and then."""

        def reply(request: Request) -> Reply:
            self.answers += 1
            if self.chance.random() < self.share:
                name, fault = self.chance.choice([each for each in FAULTS if each[0] not in self.spared])
                self.faults[name] += 1
                return fault
            return answer if isinstance(answer, Reply) else answer(request)

        return reply

    def routes(self) -> dict[str, Answer]:
        """Paths and what is found there."""
        raise NotImplementedError

    def settings(self, url: str) -> str:
        """The source's tables in `detector.toml`."""
        raise NotImplementedError


class HackerNews(Place):
    """Algolia's search: the newest thousand of a span."""

    def routes(self) -> dict[str, Answer]:
        return {"/api/v1/search_by_date": self.search}

    def search(self, request: Request) -> Reply:
        span = request.query["numericFilters"][0]
        low, high = (int((re.findall(p, span) or [d])[0]) for p, d in ((r">=(\d+)", "0"), (r"<=(\d+)", "9999999999")))
        hits = [
            {"objectID": str(n), "created_at_i": int(at), "author": "ada", "parent_id": 1}
            | {"comment_text": self.text(n) if usable else ""}
            for n, at, usable in self.newest()
            if low <= int(at) <= high
        ]
        return Reply(json.dumps({"hits": hits[:1000]}))

    def settings(self, url: str) -> str:
        return f'[sources.hackernews]\nurl = "{url}"\ninterval = 5\n'


class Feed(Place):
    """An Atom feed with validators that shows its newest entries only."""

    def __post_init__(self) -> None:
        self.reach = 200

    def routes(self) -> dict[str, Answer]:
        return {"/feed": self.feed}

    def feed(self, request: Request) -> Reply:
        entries = "".join(
            f"<entry><id>tag:a.example,2026:{n}</id><title>{escape(self.text(n)) if usable else ''}</title>"
            f"<updated>{stamp(at)}</updated><author><name>p{n}</name></author></entry>"
            for n, at, usable in self.newest()
        )
        body = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entries}</feed>'.encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        if request.headers.get("if-none-match") == etag:
            return Reply(status=304, headers={"ETag": etag})
        return Reply(body, headers={"ETag": etag, "Content-Type": "application/atom+xml"})

    def settings(self, url: str) -> str:
        name = self.source.partition(":")[2]
        return (
            "[sources.feeds]\ngoogle_news = false\nmastodon = []\n"
            f'[sources.feeds.urls]\n{name} = {{ url = "{url}/feed", interval = 5, allow_private = true }}\n'
        )


class Mastodon(Place):
    """A tag's timeline that pages by `since_id` and `max_id`."""

    def __post_init__(self) -> None:
        self.spared = frozenset({"403"})

    def routes(self) -> dict[str, Answer]:
        return {"/api/v1/timelines/tag/claudedown": self.tag}

    def tag(self, request: Request) -> Reply:
        low, high = int(request.query.get("since_id", ["0"])[0]), int(request.query.get("max_id", ["999999999999"])[0])
        shown = [
            {
                "id": str(n),
                "uri": f"https://m.example/users/u{n}/statuses/{n}",
                "url": f"https://m.example/@u{n}/{n}",
                "created_at": stamp(at),
                "content": f"<p>{self.text(n)}</p>",
                "visibility": "public" if usable else "private",
                "reblog": None,
                "account": {"acct": f"u{n}@m.example", "created_at": "2022-11-05T00:00:00.000Z"},
            }
            for n, at, usable in sorted(self.newest(), reverse=True)
            if low < n < high
        ]
        return Reply(json.dumps(shown[: int(request.query["limit"][0])]))

    def settings(self, url: str) -> str:
        return (
            f'[sources.mastodon]\nservers = ["{url}"]\ntags = ["claudedown"]\nservices = []\ninterval = 10\n'
            "max_pages = 50\n"
        )


class Lemmy(Place):
    """Posts, 50 a page; no comments."""

    def routes(self) -> dict[str, Answer]:
        return {"/api/v3/post/list": self.posts, "/api/v3/comment/list": Reply('{"comments": []}')}

    def posts(self, request: Request) -> Reply:
        limit, page = int(request.query["limit"][0]), int(request.query.get("page", ["1"])[0])
        person = {"actor_id": "https://l.example/u/ada", "name": "ada", "published": "2020-01-02T03:04:05Z"}
        views = [
            {
                "post": {"ap_id": f"https://l.example/post/{n}", "published": stamp(at)}
                | {"name": self.text(n), "deleted": not usable},
                "creator": person | {"actor_id": f"https://l.example/u/p{n}"},
                "community": {"name": "tech"},
            }
            for n, at, usable in self.newest()[(page - 1) * limit : page * limit]
        ]
        return Reply(json.dumps({"posts": views}))

    def settings(self, url: str) -> str:
        host = url.partition("://")[2]
        return (
            f'[sources.lemmy]\nservers = ["{host}"]\nurl = "http://127.0.0.1:{host.partition(":")[2]}"\ninterval = 5\n'
        )


class StackExchange(Place):
    """Questions in the wrapper with its quota."""

    def routes(self) -> dict[str, Answer]:
        return {"/2.3/search": self.search}

    def search(self, request: Request) -> Reply:
        number, size = int(request.query["page"][0]), int(request.query["pagesize"][0])
        since = int(request.query["fromdate"][0])
        wanted = [each for each in self.newest() if each[1] >= since]
        items: list[Any] = [
            {"question_id": n, "creation_date": int(at), "title": self.text(n), "body": "", "owner": {"account_id": n}}
            if usable
            else {"question_id": str(n)}
            for n, at, usable in wanted[(number - 1) * size : number * size]
        ]
        return Reply(
            json.dumps(
                {"items": items, "has_more": len(wanted) > number * size, "quota_remaining": 9000, "quota_max": 1}
            )
        )

    def settings(self, url: str) -> str:
        return f'[sources.stackexchange]\nurl = "{url}"\ntags = ["claude"]\nkey_env = "ZOO_KEY"\ninterval = 60\n'


class GitHub(Place):
    """Issues with ETags and rate headers."""

    def routes(self) -> dict[str, Answer]:
        return {"/repos/acme/tool/issues": self.issues, "/repos/acme/tool/issues/comments": Reply("[]")}

    def issues(self, request: Request) -> Reply:
        size, page = int(request.query["per_page"][0]), int(request.query.get("page", ["1"])[0])
        shown = [
            {
                "id": n,
                "number": n,
                "created_at": stamp(at),
                "user": {"login": f"p{n}", "type": "User" if usable else "Bot"},
                "title": self.text(n),
                "body": "",
                "author_association": "NONE",
                "reactions": {"+1": 0},
            }
            for n, at, usable in self.newest()[(page - 1) * size : page * size]
        ]
        body = json.dumps(shown)
        headers = {"ETag": f'"{hashlib.sha256(body.encode()).hexdigest()[:12]}"', "x-ratelimit-remaining": "4321"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Reply(status=304, headers=headers)
        return Reply(body, headers=headers)

    def settings(self, url: str) -> str:
        return f'[sources.github]\nurl = "{url}"\nrepositories = ["acme/tool"]\ntoken_env = "ZOO_KEY"\ninterval = 10\n'


class X(Place):
    """The recent search, paid by the post."""

    def routes(self) -> dict[str, Answer]:
        return {"/2/tweets/search/recent": self.search}

    def search(self, request: Request) -> Reply:
        query = {name: values[0] for name, values in request.query.items()}
        since, start = int(query.get("since_id", "0")), query.get("start_time")
        low = datetime.fromisoformat(start).timestamp() if start else 0.0
        wanted = [each for each in sorted(self.newest(), reverse=True) if each[0] > since and each[1] >= low]
        offset, limit = int(query.get("next_token", "0")), int(query["max_results"])
        page = wanted[offset : offset + limit]
        meta: dict[str, Any] = {"result_count": len(page)}
        if len(wanted) > offset + limit:
            meta["next_token"] = str(offset + limit)
        data: list[Any] = [
            {"id": str(n), "text": self.text(n), "created_at": stamp(at), "author_id": str(n)} if usable else {"id": n}
            for n, at, usable in page
        ]
        return Reply(json.dumps({"meta": meta} | ({"data": data} if data else {})))

    def settings(self, url: str) -> str:
        return (
            f'[sources.x]\nurl = "{url}"\ntoken_env = "ZOO_KEY"\nmonthly_cap = 1000\nqueries = ["claude down"]\n'
            "interval = 30\n"
        )


class Reddit(Place):
    """New posts of one community, a thousand at most; removed ones are unusable."""

    def __post_init__(self) -> None:
        self.fake = FakeReddit(now=1e12)
        self.spared = frozenset({"403", "redirect"})
        self.reach = 1000

    def show(self, number: int, at: float, *, usable: bool = True) -> None:
        super().show(number, at, usable=usable)
        words = self.text(number) if usable else "[deleted]"
        entry = Entry(number=number, at=at, community="ClaudeAI", author=f"p{number}", words=words)
        self.fake.entries = [*self.fake.entries, entry]

    def routes(self) -> dict[str, Answer]:
        fake = self.fake
        return {"/r/ClaudeAI/new": fake._listing, "/api/v1/access_token": fake._token, "/api/info/": fake._info}

    def settings(self, url: str) -> str:
        return (
            f'[sources.reddit]\nclient_id = "zoo"\nclient_secret_env = "ZOO_KEY"\ncommunities = ["ClaudeAI"]\n'
            f'comments = false\ninterval = 2\nrequests_per_minute = 600\nreddit_url = "{url}"\noauth_url = "{url}"\n'
        )


SERVED: tuple[Callable[..., Place], ...] = (
    HackerNews, Feed, Mastodon, Lemmy, StackExchange, GitHub, X, Reddit,
)  # fmt: skip


def served(place: Place) -> Loopback:
    """The server of a place."""
    return Loopback({path: place.spoilt(answer) for path, answer in place.routes().items()})
