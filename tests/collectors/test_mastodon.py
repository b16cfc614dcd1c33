"""The Mastodon collector against loopback servers that federate, page, refuse and fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.mastodon import Mastodon, build
from detector.domain import CoverageState, Service
from detector.errors import ConfigError, Hostile, Permanent, Temporary
from detector.protocols import Harvest
from detector.testing import check_collector, check_collector_failure
from detector.transport.session import Limits, Session
from detector.transport.worker import ParseWorker
from tests.loopback import Answer, Loopback, Reply, Request

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TAG = "/api/v1/timelines/tag/claudedown"
SERVICES = (Service(slug="claude", name="Claude", hashtags=("ClaudeAI",)), Service(slug="slack", name="Slack"))
NAMES = ("adalovelace", "gracehopper")
T = TypeVar("T")


def status(number: int, text: str = "Claude is down", **more: Any) -> dict[str, Any]:
    """A status as `hachyderm.example` wrote it."""
    return {
        "id": str(number),
        "uri": f"https://hachyderm.example/users/adalovelace/statuses/{number}",
        "url": f"https://hachyderm.example/@adalovelace/{number}",
        "created_at": f"2026-03-02T11:{number % 60:02}:00.000Z",
        "content": f"<p>{text}</p>",
        "visibility": "public",
        "reblog": None,
        "account": {"acct": "adalovelace@hachyderm.example", "created_at": "2022-11-05T00:00:00.000Z"},
        **more,
    }


def timeline(statuses: Sequence[dict[str, Any]]) -> Callable[[Request], Reply]:
    """A timeline that pages as Mastodon does: newest first, `since_id`, `max_id`, `limit`."""

    def answer(request: Request) -> Reply:
        low = int(request.query.get("since_id", ["0"])[0])
        high = int(request.query.get("max_id", ["999999999"])[0])
        shown = [each for each in statuses if low < int(each["id"]) < high]
        shown.sort(key=lambda each: -int(each["id"]))
        return Reply(json.dumps(shown[: int(request.query["limit"][0])]))

    return answer


def run(use: Callable[[Callable[..., Mastodon]], Awaitable[T]], *, deadline: float = 10.0) -> T:
    """Run with a real session and worker; `use` is given what makes collectors."""

    async def go() -> T:
        session = Session(allow_private=True, limits=Limits(deadline=deadline, min_interval=0))
        worker = ParseWorker()
        context = CollectorContext(session=session, worker=worker, author_key=b"k" * 32, services=SERVICES)

        def make(*servers: str, tags: Sequence[str] = ("claudedown",), **more: Any) -> Mastodon:
            return Mastodon(context=context, servers=servers, tags=tags, **more)

        try:
            return await use(make)
        finally:
            await worker.aclose()
            await session.aclose()

    return asyncio.run(go())


def texts(harvest: Harvest) -> list[str]:
    return [post.text for post in harvest.posts]


def test_the_collector_conforms() -> None:
    """The conformance suite; no name comes through."""
    statuses = [status(31), status(32, "same for me", account={"acct": "gracehopper"})]
    with Loopback({TAG: timeline(statuses)}) as server:
        run(lambda make: check_collector(lambda: make(server.url), now=NOW, names=NAMES, at_least=2))


def test_a_post_on_two_servers_comes_once() -> None:
    """Each server numbers it anew; its `uri` is the same."""
    here, there = status(31), status(31) | {"id": "900"}
    with Loopback({TAG: timeline([here])}) as one, Loopback({TAG: timeline([there, status(32, "other")])}) as two:
        harvest = run(lambda make: make(one.url, two.url).poll(None, now=NOW))

    assert texts(harvest) == ["Claude is down", "other"]


def test_a_post_read_by_json_is_known_when_it_comes_by_rss() -> None:
    """A server closes its timelines between two polls; its feed shows the page's address instead of the `uri`."""
    feed = (
        "<rss version='2.0'><channel><title>#claudedown</title><item>"
        "<guid>https://hachyderm.example/@adalovelace/31</guid><link>https://hachyderm.example/@adalovelace/31</link>"
        "<pubDate>Mon, 02 Mar 2026 11:31:00 +0000</pubDate><description>&lt;p&gt;Claude is down&lt;/p&gt;</description>"
        "</item><item><guid>https://hachyderm.example/@gracehopper/33</guid>"
        "<link>https://hachyderm.example/@gracehopper/33</link><pubDate>Mon, 02 Mar 2026 11:33:00 +0000</pubDate>"
        "<description>&lt;p&gt;same for me&lt;/p&gt;</description></item></channel></rss>"
    )
    with Loopback({TAG: timeline([status(31)])}) as server:

        async def use(make: Callable[..., Mastodon]) -> tuple[Harvest, Harvest]:
            collector = make(server.url)
            first = await collector.poll(None, now=NOW)
            server.routes.clear()
            server.routes.update({TAG: Reply("members only", status=422), "/tags/claudedown.rss": Reply(feed)})
            return first, await collector.poll(first.cursor, now=NOW)

        first, second = run(use)

    assert (texts(first), texts(second)) == (["Claude is down"], ["same for me"])
    assert second.posts[0].author != first.posts[0].author


def test_a_burst_is_paged_back_to_the_last_known_post() -> None:
    """A hundred new posts between two polls: three requests, nothing lost."""
    statuses = [status(10, "first")]
    with Loopback({TAG: timeline(statuses)}) as server:

        async def use(make: Callable[..., Mastodon]) -> tuple[Harvest, Harvest]:
            collector = make(server.url)
            first = await collector.poll(None, now=NOW)
            statuses.extend(status(number, f"post {number}") for number in range(11, 111))
            return first, await collector.poll(first.cursor, now=NOW)

        _, second = run(use)

    assert sorted(texts(second)) == sorted(f"post {number}" for number in range(11, 111))
    assert second.gaps == ()
    assert len(server.requests) == 4


def test_a_burst_beyond_the_pages_is_a_gap() -> None:
    """What was not paged back to is said, and the next poll goes on from the newest."""
    statuses = [status(10, "first")]
    with Loopback({TAG: timeline(statuses)}) as server:

        async def use(make: Callable[..., Mastodon]) -> tuple[Harvest, Harvest]:
            collector = make(server.url, max_pages=2)
            first = await collector.poll(None, now=NOW)
            statuses.extend(status(number, f"post {number}") for number in range(11, 211))
            second = await collector.poll(first.cursor, now=NOW)
            return second, await collector.poll(second.cursor, now=NOW)

        second, third = run(use)

    assert len(second.posts) == 80
    assert [gap.state for gap in second.gaps] == [CoverageState.GAP]
    assert (third.posts, third.gaps) == ((), ())


def test_tags_share_requests_and_no_more_than_five() -> None:
    """One in the path, four in `any[]`."""
    tags = [f"tag{number}" for number in range(7)]
    routes: dict[str, Answer] = {f"/api/v1/timelines/tag/tag{number}": timeline([]) for number in (0, 5)}
    with Loopback(routes) as server:
        run(lambda make: make(server.url, tags=tags).poll(None, now=NOW))

        assert [request.query.get("any[]") for request in server.requests] == [tags[1:5], tags[6:]]


def test_what_is_no_news_is_counted() -> None:
    """Old, empty, private, boosted, misshapen."""
    statuses = [
        status(1, "good"),
        status(2, "", uri="https://a.example/users/x/statuses/2"),
        status(3, "old", created_at="2026-03-01T00:00:00Z"),
        status(4, "for followers", visibility="private"),
        status(5, "boost", reblog={"id": "1"}),
        status(6, "no date", created_at="soon"),
        {"id": "7"},
        status(8, "from the future", created_at="2031-01-01T00:00:00Z"),
    ]
    with Loopback({TAG: timeline(statuses)}) as server:
        harvest = run(lambda make: make(server.url).poll(None, now=NOW))

    assert sorted(texts(harvest)) == ["from the future", "good"]
    assert all(post.created_at <= NOW for post in harvest.posts)
    assert dict(harvest.rejected) == {"no text": 1, "old": 1, "not public": 2, "no date": 1, "wrong shape": 1}
    assert {post.account_created_at for post in harvest.posts} == {datetime(2022, 11, 5, tzinfo=UTC)}


def test_a_server_that_fails_beside_one_that_answers_is_a_gap() -> None:
    """The good one's posts come; the other's silence is on record since it last answered."""
    with Loopback({TAG: timeline([status(31)])}) as good, Loopback({TAG: timeline([])}) as bad:

        async def use(make: Callable[..., Mastodon]) -> tuple[Harvest, Harvest]:
            collector = make(good.url, bad.url)
            first = await collector.poll(None, now=NOW)
            bad.routes[TAG] = Reply("oops", status=503, headers={"Retry-After": "30"})
            return first, await collector.poll(first.cursor, now=NOW + timedelta(minutes=2))

        first, second = run(use)

    assert texts(first) == ["Claude is down"]
    (gap,) = second.gaps
    assert (gap.state, gap.from_at, gap.to_at) == (CoverageState.FAILING, NOW, NOW + timedelta(minutes=2))
    assert second.poll_after == 30


_FAULTS: dict[str, Reply] = {
    "html": Reply("<!doctype html><title>Just a moment", headers={"Content-Type": "text/html"}),
    "object": Reply('{"error": "x"}'),
    "deep": Reply("[" * 50_000),
    "500": Reply("oops", status=500),
    "429": Reply("slow", status=429, headers={"Retry-After": "60"}),
    "404": Reply("none", status=404),
    "hang": Reply(fault="hang"),
    "reset": Reply(fault="reset"),
    "truncated": Reply("[", fault="truncated"),
}


@pytest.mark.parametrize("name", list(_FAULTS))
def test_a_failing_server_raises_a_typed_error(name: str) -> None:
    """Whatever the other side does."""
    with Loopback({TAG: _FAULTS[name]}) as server:
        error = run(
            lambda make: check_collector_failure(lambda: make(server.url), now=NOW),
            deadline=0.5 if name == "hang" else 10.0,
        )

    assert isinstance(error, Hostile | Permanent | Temporary)


def test_a_search_needs_a_token_and_sends_it() -> None:
    """Servers search for members only."""
    found = json.dumps({"statuses": [status(31)], "accounts": [], "hashtags": []})
    with Loopback({TAG: timeline([]), "/api/v2/search": Reply(found)}) as server:
        harvest = run(lambda make: make(server.url, searches=["claude down"], token="sesame").poll(None, now=NOW))

        assert texts(harvest) == ["Claude is down"]
        assert server.requests[-1].headers["authorization"] == "Bearer sesame"
        assert server.requests[-1].query["q"] == ["claude down"]


def test_settings_become_tags_of_the_services() -> None:
    """The catalogue's hashtags and SERVICEdown; wrong settings are named."""

    async def use(make: Callable[..., Mastodon]) -> None:
        context = make("https://x.example")._context
        (made,) = build({"tags": ["#Outage"]}, context)
        assert isinstance(made, Mastodon)
        assert made._groups == [("outage", "claudeai", "claudedown", "slackdown")]
        with pytest.raises(ConfigError) as caught:
            build({"servers": ["a b"], "services": ["nope"], "searches": ["x"], "interval": 1}, context)
        assert [problem.split(":")[0] for problem in caught.value.problems] == [
            "mastodon.servers",
            "mastodon.services",
            "mastodon.searches",
            "mastodon.interval",
        ]

    run(use)
