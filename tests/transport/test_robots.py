"""What a robots.txt grants and refuses, and that feeds on the public network ask first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpcore2
import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.feeds import FeedCollector
from detector.errors import Permanent, Temporary
from detector.transport.guard import parse_target
from detector.transport.robots import Robots, read_rules
from detector.transport.session import Limits, Session
from detector.transport.worker import ParseWorker
from tests.collectors.test_feeds import FIXTURES, NOW
from tests.loopback import Answer, Loopback, Reply

FEED = Reply((FIXTURES / "mastodon_tag.rss").read_bytes())


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("<html>not found</html>", "/a", True),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/c", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
        ("User-agent: *\nDisallow: /*.rss$", "/x/y.rss", False),
        ("User-agent: *\nDisallow: /*.rss$", "/x/y.rss?a=1", True),
        ("User-agent: *\nDisallow: /a$", "/a", False),
        ("User-agent: *\nDisallow: /a$", "/ab", True),
        ("User-agent: *\nDisallow: /*/*/c", "/a/b/c/d", False),
        ("User-agent: *\nDisallow: /*?q=", "/s?q=1", False),
        ("User-agent: other\nDisallow: /", "/a", True),
        ("User-agent: other\nUser-agent: *\nDisallow: /", "/a", False),
        ("User-agent: Outage-Detector/2\nAllow: /\nUser-agent: *\nDisallow: /", "/a", True),
        ("User-agent: outage-detector\nDisallow: /\n\nUser-agent: *\nAllow: /", "/a", False),
        ("user-AGENT : *\n  DISALLOW : /a # why", "/a", False),
        ("Disallow: /", "/a", True),
        ("\ufeffUser-agent: *\nDisallow: /", "/a", True),
    ],
)
def test_the_longest_rule_that_fits_holds(text: str, path: str, allowed: bool) -> None:
    """Our own group before everybody's, leave before refusal, wildcards and ends."""
    assert read_rules(text).allows(path) is allowed


def test_a_hostile_file_costs_nothing() -> None:
    """Half a megabyte of wildcards is cut off and read in time."""
    import time

    begun = time.process_time()
    rules = read_rules("User-agent: *\n" + "Disallow: /" + "*a" * 200_000 + "\n" + "Disallow: /*a*b\n" * 100_000)
    rules.allows("/" + "a" * 2000)

    assert time.process_time() - begun < 2.0
    assert len(rules.rules) <= 2000


class Wire(httpcore2.AsyncNetworkBackend):
    """Connects whatever is asked for to one port of loopback, so that a public name can be read there."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return await self._inner.connect_tcp("127.0.0.1", self._port, timeout=timeout)


def read(robots: Answer | None, *, obey: bool = True, polls: int = 1) -> tuple[list[str], list[str], float | None]:
    """Poll a feed of `feeds.example` so often: what was read or why not, the paths asked for, the host's pause."""
    routes: dict[str, Answer] = {"/feed": FEED}
    if robots is not None:
        routes["/robots.txt"] = robots

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    async def go(server: Loopback) -> tuple[list[str], float | None]:
        session = Session(limits=Limits(min_interval=0), resolver=resolve, backend=Wire(server.port))
        worker = ParseWorker()
        context = CollectorContext(session=session, worker=worker, author_key=b"k" * 32)
        feed = FeedCollector(
            source="feed:x", urls=["http://feeds.example/feed"], interval=60, context=context, robots=obey
        )
        said = []
        for _ in range(polls):
            try:
                said.append(f"{len((await feed.poll(None, now=NOW)).posts)} posts")
            except (Permanent, Temporary) as error:
                said.append(str(error))
        await worker.aclose()
        await session.aclose()
        return said, session.hosts._of(parse_target("http://feeds.example/").origin).pause

    with Loopback(routes) as server:
        said, pause = asyncio.run(go(server))
        return said, server.paths(), pause


def test_a_host_that_objects_is_left_alone_and_the_way_out_is_told() -> None:
    """The feed itself is never asked for; once a day the file."""
    said, paths, _ = read(Reply("User-agent: *\nDisallow: /feed"), polls=3)

    assert set(paths) == {"/robots.txt"}
    assert len(paths) == 1
    assert "feeds.example/robots.txt asks readers to leave /feed alone; set robots = false" in said[0]


@pytest.mark.parametrize(
    "robots", [None, Reply("User-agent: *\nDisallow: /x"), Reply("", status=403), Reply(b"\xff\x00")]
)
def test_a_host_that_does_not_object_is_read(robots: Reply | None) -> None:
    """Without a file, with one about something else, with one that says nothing."""
    said, paths, _ = read(robots, polls=2)

    assert said[0] == "0 posts" or said[0].endswith("posts")
    assert paths.count("/robots.txt") == 1
    assert paths.count("/feed") == 2


@pytest.mark.parametrize("robots", [Reply("", status=503), Reply(fault="reset")])
def test_a_file_that_cannot_be_read_is_waited_for(robots: Reply) -> None:
    """RFC 9309: unreachable is no leave; it is a temporary failure of the source, told like any other."""
    said, paths, _ = read(robots)

    assert "feeds.example" in said[0]
    assert "/feed" not in paths


def test_the_pause_a_host_asks_for_is_kept() -> None:
    """Crawl-delay, within a minute."""
    _, _, pause = read(Reply("User-agent: *\nCrawl-delay: 900"))

    assert pause == 60.0


def test_with_leave_nobody_is_asked() -> None:
    """`robots = false`."""
    said, paths, _ = read(Reply("User-agent: *\nDisallow: /"), obey=False)

    assert paths == ["/feed"]
    assert said[0].endswith("posts")


def test_yesterdays_word_holds_while_todays_cannot_be_read() -> None:
    """And after a day it is asked for again."""
    now = [1000.0]

    async def go(server: Loopback) -> list[str]:
        async def resolve(host: str, port: int) -> list[str]:
            return ["93.184.216.34"]

        session = Session(limits=Limits(min_interval=0), resolver=resolve, backend=Wire(server.port))
        robots = Robots(session, clock=lambda: now[0])
        said = []
        for _ in range(2):
            with pytest.raises(Permanent) as caught:
                await robots.check("http://feeds.example/feed")
            said.append(str(caught.value))
            server.routes["/robots.txt"] = Reply("", status=503)
            now[0] += 90_000.0
        await session.aclose()
        return said

    with Loopback({"/robots.txt": Reply("User-agent: *\nDisallow: /")}) as server:
        said = asyncio.run(go(server))

        assert said[0] == said[1]
        assert server.paths() == ["/robots.txt"] * 2
