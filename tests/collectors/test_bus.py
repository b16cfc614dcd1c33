"""The bus: a real Redis on loopback, with entries good and bad, consumers that die, limits that bite, restarts."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.collectors.bus import Bus, build
from detector.collectors.context import CollectorContext
from detector.domain import CoverageState
from detector.errors import ConfigError, NotConfigured, Permanent, Temporary
from detector.store import Store
from detector.testing import check_collector, check_collector_failure, check_harvest
from tests.collectors.servers_redis import Server, needs_redis, redis_server
from tests.collectors.test_feeds import run

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)  # noqa: TID251 - the server stamps its entries
pytestmark = [
    needs_redis,
    pytest.mark.skipif(importlib.util.find_spec("redis") is None, reason="redis is not installed: pip install redis"),
]
Use = Callable[[CollectorContext, Any], Awaitable[None]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do not harm it; each test has a stream of its own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as found:
        yield found


def using(server: Server, what: Use) -> None:
    """Run with a plain client beside the collector's."""

    async def go(context: CollectorContext) -> None:
        client = importlib.import_module("redis.asyncio").Redis(port=server.port, protocol=2)
        try:
            await what(context, client)
        finally:
            await client.aclose()

    run(go)


def made(server: Server, context: CollectorContext, stream: str, **more: object) -> Bus:
    (found,) = build({"address": server.address, "stream": stream, **more}, context)
    assert isinstance(found, Bus)
    return found


def post(number: int = 1, **more: object) -> dict[str, Any]:
    return {"id": f"ticket-{number}", "text": f"login fails, says {number}", "author": "adalovelace", **more}


def test_the_collector_conforms(server: Server) -> None:
    """The conformance suite: what a cursor names does not come again, what it does not name does."""

    async def check(context: CollectorContext, client: Any) -> None:
        for number in range(3):
            await client.xadd("conforms", {"post": json.dumps(post(number))})
        opened: list[Bus] = []

        def another() -> Bus:
            opened.append(made(server, context, "conforms", batch=2))
            return opened[-1]

        first = await check_collector(another, now=NOW, names=("adalovelace",), at_least=2)
        assert [each.id for each in first.posts] == ["ticket-0", "ticket-1"]
        assert first.poll_after is not None
        for each in opened:
            await each.aclose()

    using(server, check)


def test_fields_of_their_own_are_a_post_too(server: Server) -> None:
    """An entry without an id is told by the stream's; a time in seconds, a title and a hint are read."""

    async def check(context: CollectorContext, client: Any) -> None:
        bus = made(server, context, "fields", source="desk")
        ident = await client.xadd(
            "fields",
            {"title": "Login", "text": "fails here", "created_at": str(NOW.timestamp() - 90), "service": "slack"},
        )
        (found,) = (await bus.poll(None, now=NOW)).posts
        await bus.aclose()
        assert (found.source, found.id, found.service_hint) == ("desk", ident.decode(), "slack")
        assert found.created_at == NOW - timedelta(seconds=90)
        assert found.text == "Login\n\nfails here"

    using(server, check)


def test_bad_entries_are_counted_and_do_not_come_again(server: Server) -> None:
    """What is no post, too large, not UTF-8 or years old is named by its reason and acknowledged."""

    async def check(context: CollectorContext, client: Any) -> None:
        bus = made(server, context, "bad")
        for fields in (
            {"post": "{"},
            {"post": "[1]"},
            {"colour": "blue"},
            {"text": b"\xff\xfe"},
            {"post": json.dumps(post(created_at="2001-01-01T00:00:00Z"))},
            {"text": "x" * 1_000_001},
            {"post": json.dumps(post(7))},
        ):
            await client.xadd("bad", fields)
        harvest = await bus.poll(None, now=NOW)
        check_harvest(harvest, source="bus", now=NOW)
        again = await bus.poll(harvest.cursor, now=NOW)
        assert [each.id for each in harvest.posts] == ["ticket-7"]
        assert dict(harvest.rejected) == {"wrong shape": 3, "no text": 1, "old": 1, "too large": 1}
        assert (again.posts, again.rejected) == ((), ())
        assert (await client.xpending("bad", "detector"))["pending"] == 0
        await bus.aclose()

    using(server, check)


def test_a_crash_before_the_posts_are_stored_loses_and_doubles_nothing(server: Server, tmp_path: Path) -> None:
    """Delivered and not confirmed, entries come again to the next process; the store knows them by their key."""

    async def check(context: CollectorContext, client: Any) -> None:
        for number in range(4):
            await client.xadd("crash", {"post": json.dumps(post(number))})
        with Store.open(tmp_path / "a.db", now=NOW) as store:
            dead = made(server, context, "crash", batch=2)
            lost = await dead.poll(None, now=NOW)
            await dead.aclose()  # ... and nothing of it was stored

            living = made(server, context, "crash", batch=2)
            first = await living.poll(store.read.cursor("bus"), now=NOW)
            assert [each.key for each in first.posts] == [each.key for each in lost.posts]
            assert len(store.add_posts("bus", first.posts, first.cursor, (), (), now=NOW)) == 2
            await living.aclose()  # stored, not confirmed

            third = made(server, context, "crash", batch=10)
            # The cursor that was stored beside the posts says what need not come again.
            rest = await third.poll(store.read.cursor("bus"), now=NOW)
            assert [each.id for each in rest.posts] == ["ticket-2", "ticket-3"]
            twice = await third.poll(None, now=NOW)
            assert len(store.add_posts("bus", rest.posts, rest.cursor, (), (), now=NOW)) == 2
            assert store.add_posts("bus", twice.posts, twice.cursor, (), (), now=NOW) == []
            await third.aclose()

    using(server, check)


def test_two_groups_hear_everything_and_two_consumers_share(server: Server) -> None:
    """Partitions take a group each; consumers of one group share its entries."""

    async def check(context: CollectorContext, client: Any) -> None:
        buses = [made(server, context, "groups", group=group, consumer=consumer, batch=2, source=f"{group}-{consumer}")
                 for group, consumer in (("one", "a"), ("two", "a"), ("two", "b"))]  # fmt: skip
        for number in range(4):
            await client.xadd("groups", {"post": json.dumps(post(number))})
        whole = await buses[0].poll(None, now=NOW)
        shared = [await bus.poll(None, now=NOW) for bus in buses[1:]]
        assert [each.id for each in whole.posts] == ["ticket-0", "ticket-1"]
        assert [each.id for harvest in shared for each in harvest.posts] == [f"ticket-{n}" for n in range(4)]
        for bus in buses:
            await bus.aclose()

    using(server, check)


def test_what_the_limit_removed_is_counted_once_and_told_as_a_gap(server: Server) -> None:
    """A stream cut to its newest entries while nobody read: how many are missing, and from when to when."""

    async def check(context: CollectorContext, client: Any) -> None:
        bus = made(server, context, "cut")
        await client.xadd("cut", {"post": json.dumps(post(0))})
        before = await bus.poll(None, now=NOW)
        for number in range(1, 8):
            await client.xadd("cut", {"post": json.dumps(post(number))}, maxlen=3, approximate=False)
        harvest = await bus.poll(before.cursor, now=NOW)
        again = await bus.poll(harvest.cursor, now=NOW)
        await bus.aclose()
        assert [each.id for each in harvest.posts] == ["ticket-5", "ticket-6", "ticket-7"]
        assert dict(harvest.rejected) == {"removed before it was read": 4}
        assert [gap.state for gap in harvest.gaps] == [CoverageState.GAP]
        check_harvest(harvest, source="bus", now=NOW)
        assert (again.gaps, again.rejected) == ((), ())

    using(server, check)


def test_a_group_that_was_lost_is_made_anew_and_told(server: Server) -> None:
    """Somebody removes the group, or the server forgets it: a gap since the last entry known, and then on."""

    async def check(context: CollectorContext, client: Any) -> None:
        bus = made(server, context, "lost")
        await client.xadd("lost", {"post": json.dumps(post(0))})
        before = await bus.poll(None, now=NOW)
        await client.xgroup_destroy("lost", "detector")
        await client.xadd("lost", {"post": json.dumps(post(1))})
        with pytest.raises(Temporary, match="made anew"):
            await bus.poll(before.cursor, now=NOW)
        harvest = await bus.poll(before.cursor, now=NOW)
        await bus.aclose()
        assert [each.id for each in harvest.posts] == ["ticket-0", "ticket-1"]
        assert [gap.note for gap in harvest.gaps] == ["the stream's group was lost"]

    using(server, check)


def test_a_beginning_now_leaves_the_past(server: Server) -> None:
    """A stream's past is not wanted where it is said so."""

    async def check(context: CollectorContext, client: Any) -> None:
        bus = made(server, context, "past", begin="now")
        await client.xadd("past", {"post": json.dumps(post(0))})
        first = await bus.poll(None, now=NOW)
        await client.xadd("past", {"post": json.dumps(post(1))})
        second = await bus.poll(first.cursor, now=NOW)
        await bus.aclose()
        assert [each.id for each in (*first.posts, *second.posts)] == ["ticket-1"]

    using(server, check)


def test_a_server_that_fails_is_named_and_taken_up_again(tmp_path: Path) -> None:
    """Killed and started again, with entries kept: a failure that passes; nothing is lost and nothing is told twice."""
    with redis_server(tmp_path) as server:

        async def check(context: CollectorContext, client: Any) -> None:
            bus = made(server, context, "posts")
            await client.xadd("posts", {"post": json.dumps(post(0))})
            first = await bus.poll(None, now=NOW)
            await client.xadd("posts", {"post": json.dumps(post(1))})
            server.end()
            error = await check_collector_failure(lambda: made(server, context, "posts"), now=NOW)
            assert isinstance(error, Temporary)
            with pytest.raises(Temporary, match="does not answer"):
                await bus.poll(first.cursor, now=NOW)
            await asyncio.to_thread(server.begin)
            second = await bus.poll(first.cursor, now=NOW)
            await bus.aclose()
            assert [each.id for each in (*first.posts, *second.posts)] == ["ticket-0", "ticket-1"]
            assert second.gaps == ()

        using(server, check)


def test_a_wrong_password_and_a_key_of_another_kind_do_not_pass(tmp_path: Path) -> None:
    """Trying again cannot help, and the message says which settings to look at."""
    with redis_server(tmp_path, "--requirepass", "CANARY-bus-password") as server:

        async def check(context: CollectorContext, client: Any) -> None:
            stranger, friend = (made(server, context, "posts", password=word) for word in ("no", "CANARY-bus-password"))
            with pytest.raises(Permanent, match="password_env") as refused:
                await stranger.poll(None, now=NOW)
            assert "CANARY" not in str(refused.value)
            await friend.poll(None, now=NOW)
            other = importlib.import_module("redis.asyncio").Redis(
                port=server.port, protocol=2, password="CANARY-bus-password"
            )
            await other.set("text", "no stream")
            wrong = made(server, context, "text", password="CANARY-bus-password")
            with pytest.raises(Permanent, match="WRONGTYPE"):
                await wrong.poll(None, now=NOW)
            for each in (stranger, friend, wrong, other):
                await each.aclose()

        using(server, check)


def test_settings_are_checked(server: Server) -> None:
    """Every mistake at once; without a stream it stays off; beyond this machine it wants TLS or a word."""

    async def check(context: CollectorContext, client: Any) -> None:
        with pytest.raises(NotConfigured, match="stream"):
            build({}, context)
        with pytest.raises(ConfigError) as wrong:
            build({"stream": "", "address": "redis", "begin": "later", "colour": 1, "username": 2}, context)
        with pytest.raises(ConfigError, match=r"bus.tls: true is needed for queue.example"):
            build({"stream": "posts", "address": "queue.example:6379"}, context)
        (far,) = build({"stream": "posts", "address": "queue.example:6379", "plain": True}, context)
        await far.aclose()
        assert sorted(problem.partition(":")[0] for problem in wrong.value.problems) == [
            "bus.address", "bus.begin", "bus.colour", "bus.stream", "bus.username",
        ]  # fmt: skip

    using(server, check)
