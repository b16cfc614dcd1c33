"""The Hacker News collector against a loopback server that answers like Algolia."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.hackernews import HackerNews, build
from detector.errors import ConfigError, Hostile
from detector.protocols import Harvest
from detector.testing import check_collector, check_collector_failure
from tests.collectors.test_feeds import run
from tests.loopback import Loopback, Reply, Request

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PATH = "/api/v1/search_by_date"
FIXTURE = (Path(__file__).parents[1] / "fixtures/hn/search_by_date.json").read_bytes()


class Algolia:
    """Holds items as (id, second) and serves the newest thousand of a span, as Algolia does."""

    def __init__(self, items: list[tuple[int, int]]) -> None:
        self.items = items

    def __call__(self, request: Request) -> Reply:
        span = request.query["numericFilters"][0]
        low = int(re.findall(r"created_at_i>=(\d+)", span)[0])
        high = int((re.findall(r"created_at_i<=(\d+)", span) or ["9999999999"])[0])
        found = sorted((item for item in self.items if low <= item[1] <= high), key=lambda item: -item[1])[:1000]
        hits = [
            {
                "objectID": str(number),
                "created_at_i": at,
                "author": "ada",
                "comment_text": f"post {number}",
                "parent_id": 1,
            }
            for number, at in found
        ]
        return Reply(json.dumps({"hits": hits}))


def poll(url: str, cursor: str | None = None, *, now: datetime = NOW, pages: int = 5) -> Harvest:
    return run(lambda context: HackerNews(context=context, url=url, max_pages=pages).poll(cursor, now=now))


def test_the_collector_conforms() -> None:
    """The conformance suite."""
    with Loopback({PATH: Reply(FIXTURE)}) as server:

        def make_in(context: CollectorContext) -> HackerNews:
            return HackerNews(context=context, url=server.url)

        run(
            lambda context: check_collector(
                lambda: make_in(context), now=NOW, names=("adalovelace", "gracehopper", "karen_sj"), at_least=3
            )
        )


def test_stories_and_comments_become_plain_posts() -> None:
    """HTML is gone, the answer's parent is kept, the link names nobody, what is unusable is counted."""
    with Loopback({PATH: Reply(FIXTURE)}) as server:
        harvest = poll(server.url)

    by_id = {post.id: post for post in harvest.posts}
    assert by_id["47300003"].text == "I'm getting 500s too.\nConsole and API, both."
    assert by_id["47300003"].reply_to == "47300001"
    assert by_id["47300001"].text == "Claude is not answering\n\nAnybody else? <3"
    assert by_id["47300002"].url == "https://news.ycombinator.com/item?id=47300002"
    assert dict(harvest.rejected) == {"no text": 1, "wrong shape": 1}


@pytest.mark.parametrize(
    "reply",
    [Reply("<!doctype html>"), Reply("{}"), Reply("oops", status=503), Reply(""), Reply(fault="hang")],
    ids=["html", "no hits", "503", "empty", "hang"],
)
def test_a_failing_server_raises_a_typed_error(reply: Reply) -> None:
    """Whatever comes instead of hits is a TransportError with words."""
    with Loopback({PATH: reply}) as server:
        run(
            lambda context: check_collector_failure(lambda: HackerNews(context=context, url=server.url), now=NOW),
            deadline=0.5,
        )


def test_nothing_is_lost_or_told_twice_over_polls() -> None:
    """Posts that the index shows late, within five minutes, still come; each comes once."""
    start = int(NOW.timestamp())
    algolia = Algolia([(number, start - 300 + number) for number in range(100)])
    with Loopback({PATH: algolia}) as server:
        first = poll(server.url)
        algolia.items += [(500, start - 250), (501, start + 30)]
        second = poll(server.url, first.cursor, now=NOW + timedelta(minutes=1))
        third = poll(server.url, second.cursor, now=NOW + timedelta(minutes=2))

    assert len(first.posts) == 100
    assert {post.id for post in second.posts} == {"500", "501"}
    assert third.posts == ()


def test_f16_a_burst_of_thousands_is_paged_back_to_the_cursor() -> None:
    """3,500 posts in four minutes come completely."""
    start = int(NOW.timestamp())
    algolia = Algolia([(1, start)])
    with Loopback({PATH: algolia}) as server:
        first = poll(server.url)
        algolia.items += [(10 + number, start + number // 15) for number in range(3500)]
        second = poll(server.url, first.cursor, now=NOW + timedelta(minutes=5))

    assert len(second.posts) == 3500
    assert second.gaps == ()


def test_what_lies_beyond_the_pages_is_a_gap() -> None:
    """Two pages of five: the span that was not read is written down."""
    start = int(NOW.timestamp())
    algolia = Algolia([(1, start)])
    with Loopback({PATH: algolia}) as server:
        first = poll(server.url)
        algolia.items += [(10 + number, start + number) for number in range(5000)]
        second = poll(server.url, first.cursor, now=NOW + timedelta(hours=2), pages=2)

    (gap,) = second.gaps
    assert gap.from_at <= NOW < gap.to_at
    assert min(post.created_at for post in second.posts) == gap.to_at
    read = {int(post.id) for post in second.posts}
    assert read == {10 + number for number in range(5000) if start + number >= gap.to_at.timestamp()}


def test_a_page_that_is_no_list_of_hits_is_hostile() -> None:
    """The message tells what to look at."""
    with Loopback({PATH: Reply('{"message": "not found"}')}) as server, pytest.raises(Hostile, match="address changed"):
        poll(server.url)


def test_wrong_settings_are_all_told() -> None:
    """Three mistakes, three lines."""

    async def wrong(context: CollectorContext) -> None:
        build({"interval": 0, "max_pages": "x", "url": "ftp://x"}, context)

    with pytest.raises(ConfigError) as caught:
        run(wrong)

    assert len(caught.value.problems) == 3
