"""Feed collectors against a loopback server that serves feeds in the usual shapes, and none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.feeds import FeedCollector, build
from detector.domain import CoverageState, Service
from detector.errors import ConfigError, Hostile, Permanent, Temporary, TransportError
from detector.protocols import Collector, Harvest
from detector.testing import check_collector, check_collector_failure
from detector.transport.session import Limits, Session
from detector.transport.worker import ParseWorker
from tests.loopback import Loopback, Reply, Request, unused_port

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FIXTURES = Path(__file__).parents[1] / "fixtures/rss"
SERVICES = (Service(slug="claude", name="Claude", hashtags=("ClaudeAI",)), Service(slug="slack", name="Slack"))
NAMES = ("adalovelace", "gracehopper")
T = TypeVar("T")


def run(use: Callable[[CollectorContext], Awaitable[T]], *, deadline: float = 10.0) -> T:
    """Run with a real session and a real worker, closed afterwards."""

    async def go() -> T:
        session = Session(allow_private=True, limits=Limits(deadline=deadline, min_interval=0))
        worker = ParseWorker()
        try:
            return await use(CollectorContext(session=session, worker=worker, author_key=b"k" * 32, services=SERVICES))
        finally:
            await worker.aclose()
            await session.aclose()

    return asyncio.run(go())


def collector(context: CollectorContext, *urls: str, source: str = "feed:test") -> FeedCollector:
    return FeedCollector(source=source, urls=urls, interval=60, context=context)


def poll(url: str, cursor: str | None = None, *, now: datetime = NOW, deadline: float = 10.0) -> Harvest:
    return run(lambda context: collector(context, url).poll(cursor, now=now), deadline=deadline)


def rss(*items: str) -> str:
    return f"<rss version='2.0'><channel><title>t</title>{''.join(items)}</channel></rss>"


def item(title: str, *, guid: str = "", at: str = "Mon, 02 Mar 2026 11:59:00 GMT", author: str = "") -> str:
    parts = [f"<title>{title}</title>"]
    parts += [f"<guid>{guid}</guid>"] if guid else []
    parts += [f"<pubDate>{at}</pubDate>"] if at else []
    parts += [f"<author>{author}</author>"] if author else []
    return f"<item>{''.join(parts)}</item>"


@pytest.mark.parametrize("name", ["mastodon_tag.rss", "reddit_new.atom", "google_news.rss"])
def test_a_feed_collector_conforms(name: str) -> None:
    """The conformance suite, on the three shapes people use most."""
    with Loopback({"/feed": Reply((FIXTURES / name).read_bytes())}) as server:
        run(
            lambda context: check_collector(
                lambda: collector(context, server.url + "/feed"), now=NOW, names=NAMES, at_least=1
            )
        )


_FAULTS = {
    "html page": Reply("<!doctype html><title>Just a moment</title>", headers={"Content-Type": "text/html"}),
    "empty body": Reply(""),
    "500": Reply("oops", status=500),
    "404": Reply("gone", status=404),
    "429": Reply("slow", status=429, headers={"Retry-After": "30"}),
    "hang": Reply(fault="hang"),
    "reset": Reply(fault="reset"),
    "truncated": Reply("<rss>", fault="truncated"),
    "entities": Reply("<!DOCTYPE r [<!ENTITY a 'b'>]><rss/>"),
    "redirect loop": Reply(status=302, headers={"Location": "/feed"}),
}


@pytest.mark.parametrize("name", list(_FAULTS))
def test_a_failing_feed_raises_a_typed_error(name: str) -> None:
    """Whatever the other side does, it is a TransportError with words."""
    with Loopback({"/feed": _FAULTS[name]}) as server:
        error = run(
            lambda context: check_collector_failure(lambda: collector(context, server.url + "/feed"), now=NOW),
            deadline=0.5,
        )

    assert isinstance(error, Hostile | Permanent | Temporary)


def test_a_refused_connection_is_temporary() -> None:
    """Nobody listens."""
    with pytest.raises(Temporary):
        poll(f"http://127.0.0.1:{unused_port()}/feed")


def test_mastodon_posts_carry_a_hash_and_no_name() -> None:
    """Author from the address, hashed; no id and no link with a name in it."""
    with Loopback({"/feed": Reply((FIXTURES / "mastodon_tag.rss").read_bytes())}) as server:
        posts = poll(server.url + "/feed").posts

    assert [post.text for post in posts] == [
        "Claude gives me nothing but errors & a spinner #claudedown",
        "Same here, the chat window stays empty",
    ]
    assert all(post.author and post.url is None and post.id.startswith("h:") for post in posts)
    assert len({post.author for post in posts}) == 2


def test_reddit_entries_lose_their_signature() -> None:
    """The "submitted by" tail, which names the author, is cut off."""
    with Loopback({"/feed": Reply((FIXTURES / "reddit_new.atom").read_bytes())}) as server:
        (post,) = poll(server.url + "/feed").posts

    assert post.text == "Is Claude broken again?\n\nEvery prompt ends in a red box since ten minutes."
    assert post.id == "t3_1abcde"
    assert post.url == "https://www.reddit.com/r/ClaudeAI/comments/1abcde/x/"


def test_f15_old_news_are_counted_and_left_out() -> None:
    """A search feed is full of last week; only what is fresh is a post."""
    with Loopback({"/feed": Reply((FIXTURES / "google_news.rss").read_bytes())}) as server:
        harvest = poll(server.url + "/feed")

    assert len(harvest.posts) == 1
    assert harvest.rejected == (("old", 1),)


def test_f19_an_unchanged_feed_is_asked_conditionally() -> None:
    """ETag and Last-Modified travel through the cursor; 304 brings nothing and keeps the cursor's memory."""

    def answer(request: Request) -> Reply:
        if request.headers.get("if-none-match") == '"1"':
            return Reply(status=304)
        return Reply(rss(item("down", guid="1")), headers={"ETag": '"1"', "Last-Modified": "yesterday"})

    with Loopback({"/feed": answer}) as server:
        first = poll(server.url + "/feed")
        second = poll(server.url + "/feed", first.cursor)
        third = poll(server.url + "/feed", second.cursor)

    assert [len(harvest.posts) for harvest in (first, second, third)] == [1, 0, 0]
    assert server.requests[2].headers["if-modified-since"] == "yesterday"


def test_an_unchanged_body_is_not_parsed_again() -> None:
    """A server without validators sends the same bytes: the worker never sees them a second time."""
    with Loopback({"/feed": Reply(rss(item("down", guid="1")))}) as server:

        async def twice(context: CollectorContext) -> tuple[Harvest, int]:
            one = collector(context, server.url + "/feed")
            first = await one.poll(None, now=NOW)
            jobs = context.worker._jobs
            again = await one.poll(first.cursor, now=NOW + timedelta(minutes=1))
            return again, context.worker._jobs - jobs

        again, jobs = run(twice)

    assert again.posts == ()
    assert jobs == 0


def test_f15_an_old_entry_under_a_new_guid_is_not_told_again() -> None:
    """Feeds re-issue entries under new ids; author and words are what counts."""
    with Loopback({"/feed": Reply(rss(item("down", guid="1", author="ada")))}) as server:
        first = poll(server.url + "/feed")
        server.routes["/feed"] = Reply(
            rss(item("down", guid="2", author="ada"), item("down", guid="3", author="grace"))
        )
        second = poll(server.url + "/feed", first.cursor)

    assert [post.id for post in second.posts] == ["3"]


def test_f42_a_feed_that_claims_the_ids_of_another_takes_nothing_from_it() -> None:
    """Each named feed is a source of its own, and an id means something within its source only."""
    with Loopback(
        {"/a": Reply(rss(item("down", guid="1"))), "/b": Reply(rss(item("all is well", guid="1")))}
    ) as server:
        urls = {name: {"url": f"{server.url}/{name}", "allow_private": True} for name in ("a", "b")}

        async def both(context: CollectorContext) -> list[tuple[str, str]]:
            made = build({"google_news": False, "mastodon": [], "urls": urls}, context)
            return [post.key for each in made for post in (await each.poll(None, now=NOW)).posts]

        keys = run(both)

    assert keys == [("feed:a", "1"), ("feed:b", "1")]


def test_two_people_may_say_the_same_words() -> None:
    """Without authors, entries of the same words at different times are two posts."""
    items = [item("is it down?", guid="1"), item("is it down?", guid="2", at="Mon, 02 Mar 2026 11:59:30 GMT")]
    with Loopback({"/feed": Reply(rss(*items))}) as server:
        assert len(poll(server.url + "/feed").posts) == 2


def test_missing_ids_dates_and_titles_are_dealt_with() -> None:
    """No id: one is made. No date: unknown at first sight, news later. No words: counted."""
    bare = "<item><description>still broken</description></item>"
    with Loopback({"/feed": Reply(rss(item("dated"), bare, "<item><guid>x</guid></item>"))}) as server:
        first = poll(server.url + "/feed")
        server.routes["/feed"] = Reply(rss("<item><title>undated news</title></item>", bare))
        second = poll(server.url + "/feed", first.cursor)

    assert [post.text for post in first.posts] == ["dated"]
    assert first.posts[0].id.startswith("h:")
    assert dict(first.rejected) == {"no date at first sight": 1, "no text": 1}
    assert [(post.text, post.created_at) for post in second.posts] == [("undated news", NOW)]


@pytest.mark.parametrize("at", ["Fri, 01 Jan 2100 00:00:00 GMT", "Mon, 02 Mar 2026 15:00:00 GMT", "not a date"])
def test_f13_a_future_or_impossible_date_is_set_back(at: str) -> None:
    """A post is never written after it was seen."""
    with Loopback({"/feed": Reply(rss(item("first", guid="1")))}) as server:
        first = poll(server.url + "/feed")
        server.routes["/feed"] = Reply(rss(item("odd", guid="2", at=at)))
        (post,) = poll(server.url + "/feed", first.cursor).posts

    assert post.created_at == post.seen_at == NOW


def test_one_dead_feed_of_a_group_is_a_gap_and_the_others_are_read() -> None:
    """The source goes on; what was not heard is written down, since the last good poll."""
    with Loopback({"/a": Reply(rss(item("one", guid="1"))), "/b": Reply(rss(item("two", guid="2")))}) as server:

        async def polls(context: CollectorContext) -> tuple[Harvest, Harvest]:
            group = collector(context, server.url + "/a", server.url + "/b")
            first = await group.poll(None, now=NOW)
            server.routes["/b"] = Reply("oops", status=500)
            server.routes["/a"] = Reply(rss(item("three", guid="3")))
            return first, await group.poll(first.cursor, now=NOW + timedelta(minutes=5))

        first, second = run(polls)

    assert {post.text for post in first.posts} == {"one", "two"}
    assert [post.text for post in second.posts] == ["three"]
    (gap,) = second.gaps
    assert (gap.state, gap.from_at, gap.to_at) == (CoverageState.FAILING, NOW, NOW + timedelta(minutes=5))


def test_a_feed_that_turned_over_between_two_looks_is_a_gap() -> None:
    """It shows its newest twenty only: what fell out unread is a span, not silence; an overlap is none."""

    def shown(first: int, count: int) -> Reply:
        return Reply(
            rss(
                *(
                    item(f"n{n}", guid=f"g{n}", at=f"Mon, 02 Mar 2026 12:{n:02}:00 GMT")
                    for n in range(first, first + count)
                )
            )
        )

    def later(minutes: int) -> datetime:
        return NOW + timedelta(minutes=minutes)

    with Loopback({"/feed": shown(0, 20)}) as server:
        url = f"{server.url}/feed"
        first = poll(url, now=later(20))
        server.routes["/feed"] = shown(19, 20)
        second = poll(url, first.cursor, now=later(39))
        server.routes["/feed"] = shown(41, 18)
        third = poll(url, second.cursor, now=later(59))
        server.routes["/feed"] = shown(59, 1)
        fourth = poll(url, third.cursor, now=later(60))

    assert (first.gaps, second.gaps, fourth.gaps) == ((), (), ())
    (gap,) = third.gaps
    assert (gap.state, gap.from_at, gap.to_at) == (CoverageState.GAP, later(39), later(41))
    assert len(third.posts) == 18


def test_a_failed_parse_is_tried_again() -> None:
    """An HTML page in between does not make the cursor believe it has read the feed."""
    with Loopback({"/feed": Reply("<!doctype html>")}) as server:
        with pytest.raises(TransportError, match="HTML page"):
            poll(server.url + "/feed")
        server.routes["/feed"] = Reply(rss(item("back", guid="1")))
        assert len(poll(server.url + "/feed").posts) == 1


def test_the_default_configuration_hears_news_and_mastodon() -> None:
    """One search a service, one tag feed a tag, each source one collector; no key, no setting."""
    collectors = run(lambda context: _built({}, context))

    assert [one.source for one in collectors] == ["google-news", "mastodon:mastodon.social"]


def test_the_built_addresses_are_asked_for() -> None:
    """Names go into the search, hashtags into the tag feeds."""
    routes = {
        path: Reply(rss())
        for path in ("/rss/search", "/tags/claudeai.rss", "/tags/claudedown.rss", "/tags/slackdown.rss")
    }
    with Loopback(routes) as server:
        settings = {"google_news_url": server.url, "mastodon_url": server.url, "mastodon": ["example.social"]}

        async def all_polls(context: CollectorContext) -> None:
            for one in build(settings, context):
                await one.poll(None, now=NOW)

        run(all_polls)

    assert server.requests[0].query["q"] == ['"Claude down" OR "Claude outage" when:1d']
    assert set(server.paths()) == set(routes)


def test_named_feeds_and_wrong_settings() -> None:
    """A name makes a source; every mistake is told at once."""
    collectors = run(
        lambda context: _built(
            {"google_news": False, "mastodon": [], "urls": {"hn": "https://hnrss.org/newest"}}, context
        )
    )
    assert [one.source for one in collectors] == ["feed:hn"]

    with pytest.raises(ConfigError) as caught:
        run(
            lambda context: _built(
                {"interval": 0, "services": ["nosuch"], "urls": {"x": {"url": "ftp://x", "y": 1}}}, context
            )
        )
    assert len(caught.value.problems) == 3


async def _built(settings: dict[str, object], context: CollectorContext) -> list[Collector]:
    return list(build(settings, context))
