"""The Reddit collector: the real praw against a loopback server that speaks Reddit's protocol, and its faults."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from detector.collectors.context import CollectorContext
from detector.collectors.reddit import Reddit, build
from detector.domain import CoverageState, Service
from detector.errors import ConfigError, Hostile, NotConfigured, Permanent, Temporary, TransportError
from detector.protocols import Harvest
from detector.testing import check_collector, check_collector_failure
from tests.collectors.servers_reddit import KEYS, Entry, FakeReddit
from tests.collectors.test_feeds import run
from tests.loopback import Loopback, Reply

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PATHS = ("/r/ClaudeAI+OpenAI/new", "/r/ClaudeAI+OpenAI/comments/")
T = TypeVar("T")


def entry(number: int, *, ago: float = 60.0, **named: Any) -> Entry:
    return Entry(number, NOW.timestamp() - ago, **named)


def settings_for(server: Loopback, **named: Any) -> dict[str, Any]:
    addresses = {"reddit_url": server.url, "oauth_url": server.url}
    return {**KEYS, **addresses, "communities": ["ClaudeAI", "OpenAI"], "requests_per_minute": 6000, **named}


def made(context: CollectorContext, settings: dict[str, Any]) -> Reddit:
    (collector,) = build(settings, context)
    assert isinstance(collector, Reddit)
    return collector


@contextmanager
def serving(reddit: FakeReddit, *paths: str, **named: Any) -> Iterator[tuple[Loopback, dict[str, Any]]]:
    reddit.now = reddit.now or NOW.timestamp()
    with reddit.serve(*(paths or PATHS)) as server:
        yield server, settings_for(server, **named)


def use(settings: dict[str, Any], what: Callable[[Reddit], Awaitable[T]], *, deadline: float = 10.0) -> T:
    async def go(context: CollectorContext) -> T:
        collector = made(context, settings)
        try:
            return await what(collector)
        finally:
            await collector.aclose()

    return run(go, deadline=deadline)


def poll(settings: dict[str, Any], cursor: str | None = None, *, now: datetime = NOW) -> Harvest:
    return use(settings, lambda collector: collector.poll(cursor, now=now))


def test_the_collector_conforms() -> None:
    """The conformance suite: posts and comments, names in clear nowhere."""
    reddit = FakeReddit([entry(1), entry(2, ago=30, community="OpenAI"), entry(3, ago=20, kind="t1")])

    async def check(context: CollectorContext) -> Harvest:
        return await check_collector(lambda: made(context, settings), now=NOW, names=("adalovelace",), at_least=3)

    with serving(reddit) as (_, settings):
        harvest = run(check)

    assert {post.source for post in harvest.posts} == {"reddit:r/ClaudeAI", "reddit:r/OpenAI"}


def test_posts_say_where_they_stand_and_nothing_of_their_authors() -> None:
    """A post links to itself, a comment to its place below a post; a deleted author is nobody."""
    reddit = FakeReddit([entry(10), entry(11, kind="t1", author="[deleted]"), entry(12, author=None)])
    with serving(reddit) as (_, settings):
        by_id = {post.id: post for post in poll(settings).posts}

    assert by_id["t3_a"].url == "https://www.reddit.com/comments/a/"
    assert by_id["t1_b"].url == "https://www.reddit.com/comments/1/_/b/"
    assert (by_id["t1_b"].reply_to, by_id["t1_b"].author) == ("t3_1", None)
    assert by_id["t3_c"].author is None
    assert len(by_id["t3_a"].author or "") == 16


def test_what_is_deleted_or_automatic_is_counted_and_not_passed_on() -> None:
    """Removed words, AutoModerator, entries of another shape."""
    removed, robot = entry(1, words="[removed]", kind="t1"), entry(2, author="AutoModerator")
    odd, own = entry(3, words="x"), entry(4, community="u_adalovelace")
    odd.number, odd.kind = 3, "t3"
    shown = odd.shown
    setattr(odd, "shown", lambda: {"kind": "t3", "data": {**shown()["data"], "created_utc": "soon"}})  # noqa: B010
    with serving(FakeReddit([removed, robot, odd, own]), *PATHS) as (server, settings):
        harvest = poll(settings)

    assert harvest.posts == ()
    assert dict(harvest.rejected) == {"deleted": 1, "automatic": 1, "wrong shape": 1}
    assert "/r/ClaudeAI+OpenAI/new" in server.paths()


def test_a_page_of_ones_own_is_not_named_as_the_source() -> None:
    """`r/u_name` is a person."""
    with serving(FakeReddit([entry(4, community="u_adalovelace")]), "/r/u_adalovelace/new") as (_, settings):
        harvest = poll({**settings, "communities": ["u_adalovelace"], "comments": False})

    assert [post.source for post in harvest.posts] == ["reddit"]


def test_a_search_and_a_community_bring_the_same_post_once() -> None:
    """Also over several polls: what the search finds late was there before."""
    reddit = FakeReddit([entry(1)])
    with serving(reddit, *PATHS, "/search", searches=["claude down"]) as (server, settings):
        first = poll(settings)
        reddit.entries.append(entry(2, ago=-5))
        reddit.now += 60
        second = poll(settings, first.cursor, now=NOW + timedelta(minutes=1))

    assert [post.id for post in first.posts] == ["t3_1"]
    assert [post.id for post in second.posts] == ["t3_2"]
    searched = next(request for request in server.requests if request.path == "/search")
    assert (searched.query["q"], searched.query["sort"]) == (["claude down"], ["new"])


def test_f17_old_entries_among_the_new_do_not_stop_the_paging() -> None:
    """Known entries that turn up at the top of a burst are no anchors."""
    known = [entry(number, ago=300 - number) for number in range(1, 50)]
    reddit = FakeReddit(list(known))
    with serving(reddit, comments=False) as (_, settings):
        first = poll(settings)
        reddit.entries += [entry(1000 + number, ago=-number / 10) for number in range(250)]
        for late in known[:4]:  # shown among the newest, as Reddit does at times
            late.at = NOW.timestamp() + 24.0
        reddit.now += 60
        second = poll(settings, first.cursor, now=NOW + timedelta(minutes=1))

    assert len(first.posts) == 49
    assert len(second.posts) == 250
    assert second.gaps == ()


def test_f17_an_empty_page_loses_nothing() -> None:
    """A listing that is empty for once is caught up at the next poll."""
    reddit = FakeReddit([entry(number, ago=200 - number) for number in range(20)])
    with serving(reddit, comments=False) as (_, settings):
        first = poll(settings)
        everything, reddit.entries = reddit.entries, []
        second = poll(settings, first.cursor, now=NOW + timedelta(minutes=1))
        reddit.entries = [*everything, entry(500, ago=0)]
        third = poll(settings, second.cursor, now=NOW + timedelta(minutes=2))

    assert (second.posts, second.gaps) == ((), ())
    assert [post.id for post in third.posts] == ["t3_1f4"]


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply("{}", status=429, headers={"retry-after": "17"}), Temporary, "429"),
        (Reply("{}", status=429, headers={"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}), Temporary, "429"),
        (Reply("{}", status=401), Permanent, "client_secret"),
        (Reply("{}", status=401, headers={"www-authenticate": 'Bearer error="brand_new"'}), Permanent, "client_secret"),
        (Reply('{"reason": "private"}', status=403), Permanent, "private"),
        (Reply("{}", status=404), Permanent, "no such community"),
        (Reply("", status=302, headers={"location": "/subreddits/search"}), Permanent, "no such community"),
        (Reply("", status=302), Permanent, "no such community"),
        (Reply("{}", status=400), TransportError, ""),
        (Reply('{"message": "Bad Request", "error": 400}', status=400), Permanent, "400"),
        (Reply("{}", status=418), Permanent, "418"),
        (Reply("{}", status=451), Permanent, "may not be shown"),
        (Reply("<!doctype html><title>challenge</title>"), Hostile, "not JSON"),
        (Reply("[" * 200_000), Hostile, ""),
        (Reply('{"kind": "Listing"}'), Hostile, "no listing"),
        (Reply('["a"]'), Hostile, "no listing"),
        (Reply(fault="hang"), TransportError, ""),
        (Reply("{}" + " " * 200, fault="drip"), TransportError, ""),
        (Reply(fault="reset"), TransportError, ""),
        (Reply("{", fault="truncated"), TransportError, ""),
        (Reply("x" * 6_000_000), Hostile, "bytes"),
    ],
    ids=lambda value: value.body[:8] or str(value.status) if isinstance(value, Reply) else None,
)
def test_every_fault_is_a_typed_error_with_words(reply: Reply, kind: type[TransportError], words: str) -> None:
    """The whole source fails; what is raised says what to do, and holds no key."""
    reddit = FakeReddit([entry(1)], fault=lambda path: reply)
    with serving(reddit, "/r/ClaudeAI/new", communities=["ClaudeAI"], comments=False) as (_, settings):
        error = run(lambda context: check_collector_failure(lambda: made(context, settings), now=NOW), deadline=0.5)

    assert isinstance(error, kind)
    assert words in str(error)
    assert KEYS["client_secret"] not in f"{error!r} {error.__cause__!r}"
    if reply.headers.get("retry-after") == "17":
        assert isinstance(error, Temporary)
        assert error.retry_after == 17.0


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (Reply("{}", status=401), Permanent),
        (Reply("{}", status=403), Permanent),
        (Reply("{}", status=503), Temporary),
        (Reply("{}", status=429, headers={"retry-after": "9"}), Temporary),
        (Reply('{"error": "invalid_grant"}'), Permanent),
        (Reply("{}"), Hostile),
        (Reply("<html>"), Hostile),
    ],
    ids=["401", "403", "503", "429", "refused", "no token", "html"],
)
def test_a_login_that_fails_is_a_typed_error(token: Reply, kind: type[TransportError]) -> None:
    """Wrong keys are said to be wrong; a login that is down is tried again."""
    reddit = FakeReddit([entry(1)], token=token)
    with serving(reddit) as (_, settings), pytest.raises(kind):
        poll(settings)


def test_a_server_that_fails_once_is_asked_again_at_once() -> None:
    """praw tries again by itself; a token that ran out is renewed."""
    replies = [Reply("{}", status=503), Reply("{}", status=401)]
    reddit = FakeReddit([entry(1)], fault=lambda path: replies.pop() if replies else None)
    with serving(reddit, comments=False) as (server, settings):
        harvest = poll(settings)

    assert len(harvest.posts) == 1
    assert server.paths().count("/api/v1/access_token") == 2


def test_one_community_that_refuses_does_not_silence_the_others() -> None:
    """It is found by halving, counted, and left out for ten minutes; the rest is read as one again."""

    def refuse(path: str) -> Reply | None:
        return Reply("{}", status=403) if "Private" in path else None

    reddit = FakeReddit([entry(1), entry(2, ago=30, community="OpenAI")], fault=refuse)
    paths = ["/r/ClaudeAI+Private+OpenAI/new", "/r/ClaudeAI/new", "/r/Private+OpenAI/new", "/r/Private/new"]
    with serving(reddit, *paths, "/r/OpenAI/new", "/r/ClaudeAI+OpenAI/new") as (server, settings):
        settings |= {"communities": ["ClaudeAI", "Private", "OpenAI"], "comments": False}

        async def twice(collector: Reddit) -> list[Harvest]:
            first = await collector.poll(None, now=NOW)
            reddit.entries.append(entry(3, ago=-10))
            reddit.now += 60
            return [first, await collector.poll(first.cursor, now=NOW + timedelta(minutes=1))]

        first, second = use(settings, twice)

    assert {post.id for post in first.posts} == {"t3_1", "t3_2"}
    assert dict(first.rejected) == {"refused listing": 1}
    assert [post.id for post in second.posts] == ["t3_3"]
    assert server.paths()[-1] == "/r/ClaudeAI+OpenAI/new"


def test_a_listing_that_fails_beside_another_is_caught_up_later() -> None:
    """Posts come, comments fail: the span is noted, and the next poll brings the comments."""
    failing = [True]
    reddit = FakeReddit([entry(1), entry(2, kind="t1")])
    reddit.fault = lambda path: Reply("{}", status=429) if failing and path.endswith("/comments/") else None
    with serving(reddit) as (_, settings):
        first = poll(settings)
        failing.clear()
        second = poll(settings, first.cursor, now=NOW + timedelta(minutes=1))

    assert [post.id for post in first.posts] == ["t3_1"]
    assert [gap.state for gap in first.gaps] == [CoverageState.FAILING]
    assert [post.id for post in second.posts] == ["t1_2"]


def test_reddits_own_count_is_obeyed() -> None:
    """When it says that nothing is left, no further request is made and the time to wait is told."""
    reddit = FakeReddit([entry(1)], remaining="0.0")
    with serving(reddit) as (server, settings):
        first = use(settings, lambda collector: collector.poll(None, now=NOW))

    assert first.poll_after is not None
    assert 290 < first.poll_after <= 300
    assert server.paths() == ["/api/v1/access_token", PATHS[0]]


def test_the_recheck_names_what_is_gone_and_what_changed() -> None:
    """Deleted, removed, purged, edited, abandoned by its author; posts of other sources are left alone."""
    reddit = FakeReddit([entry(number, ago=200 - number) for number in range(1, 151)])

    async def look(collector: Reddit) -> None:
        posts = (await collector.poll(None, now=NOW)).posts
        by_number = {each.number: each for each in reddit.entries}
        by_number[1].removed = True
        by_number[2].words = "[deleted]"
        by_number[3].words = "it works again, edited"
        by_number[4].author = "[deleted]"

        found = await collector.recheck(posts, now=NOW + timedelta(hours=1))

        assert found.asked == 150
        assert set(found.deleted) == {("reddit:r/ClaudeAI", "t3_1"), ("reddit:r/ClaudeAI", "t3_2")}
        changed = {post.id: post for post in found.edited}
        assert set(changed) == {"t3_3", "t3_4"}
        assert changed["t3_3"].text == "it works again, edited"
        assert changed["t3_4"].author is None
        assert changed["t3_3"].seen_at == NOW

    with serving(reddit) as (server, settings):
        use(settings, look)

    assert server.paths().count("/api/info/") == 2


def test_a_recheck_that_fails_deletes_nothing() -> None:
    """A lookup without answer is an error, not a deletion."""
    reddit = FakeReddit([entry(1)])

    async def look(collector: Reddit) -> None:
        posts = (await collector.poll(None, now=NOW)).posts
        reddit.fault = lambda path: Reply("{}", status=429)
        await collector.recheck(posts, now=NOW)

    with serving(reddit) as (_, settings), pytest.raises(Temporary):
        use(settings, look)


def test_without_keys_it_is_off_and_says_what_to_do() -> None:
    """A state, not a failure; the communities of the watched services are what it would read."""
    services = (Service(slug="claude", name="Claude", communities=("reddit:ClaudeAI", "github:a/b")),)

    async def go(context: CollectorContext) -> None:
        mine = CollectorContext(session=context.session, worker=context.worker, author_key=b"k" * 32, services=services)
        with pytest.raises(NotConfigured, match="client_secret_env"):
            build({"client_id": "an-id"}, mine)
        (collector,) = build(dict(KEYS), mine)
        assert collector.source == "reddit"
        await collector.aclose()

    run(go)


def test_wrong_settings_are_all_told() -> None:
    """Also those that nobody knows, and an address that would send the key in clear."""

    async def go(context: CollectorContext) -> None:
        build({"interval": 0, "communities": ["a b"], "reddit_url": "http://example.org", "colour": "red"}, context)

    with pytest.raises(ConfigError) as caught:
        run(go)

    assert len(caught.value.problems) == 4


def test_a_cursor_is_small_and_survives_a_change_of_communities() -> None:
    """300 ids a listing; a community more does not bring the others' posts again."""
    reddit = FakeReddit([entry(number, ago=500 - number / 2) for number in range(900)])
    with serving(reddit, *PATHS, "/r/ClaudeAI+OpenAI+Anthropic/new", comments=False) as (_, settings):
        first = poll(settings)
        more = {**settings, "communities": ["ClaudeAI", "OpenAI", "Anthropic"]}
        second = poll(more, first.cursor, now=NOW + timedelta(minutes=1))

    assert len(first.posts) == 900
    assert len(first.cursor or "") < 10_000
    assert second.posts == ()
    assert list(json.loads(second.cursor or "")["listings"]) == ["new:ClaudeAI+OpenAI+Anthropic"]
