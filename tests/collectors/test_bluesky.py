"""The Bluesky collector against a Jetstream on loopback: both dialects, replays, gaps, deletions, broken peers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from detector.collectors.bluesky import Bluesky, build
from detector.collectors.bluesky_reader import Reach, Reader
from detector.collectors.context import CollectorContext
from detector.collectors.jetstream import moment
from detector.domain import CoverageState, Service
from detector.errors import ConfigError, Permanent, Temporary, TransportError
from detector.match.matcher import NameMatcher
from detector.protocols import Harvest
from detector.testing import check_collector, check_collector_failure
from detector.transport.session import Session
from detector.transport.worker import ParseWorker
from tests.collectors.servers_bluesky import BASE, V1, V2, Jetstream, Said, jetstream
from tests.loopback import Loopback, Reply, unused_port

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = 1_000_000
CLAUDE = Service(slug="claude", name="Claude", aliases=("claude",))
ADA, GRACE = "did:plc:adalovelace", "did:plc:gracehopper"
QUICK = Reach(idle=5.0, first_delay=0.01, longest_delay=0.05)
T = TypeVar("T")


def context(*, wanted: bool = True) -> CollectorContext:
    return CollectorContext(
        session=Session(),
        worker=ParseWorker(),
        author_key=b"k" * 32,
        services=(CLAUDE,),
        wanted=NameMatcher([CLAUDE]).may_match if wanted else None,
    )


def run(state: Jetstream, use: Callable[[Callable[..., Bluesky]], Awaitable[T]], *, path: str = V2) -> T:
    """Run with a server in `state`; `use` is given what makes collectors, all closed afterwards."""

    async def go() -> T:
        made: list[Bluesky] = []

        def make(*, paths: tuple[str, ...] = (path,), reach: Reach = QUICK, wanted: bool = True) -> Bluesky:
            urls = [state.url + each for each in paths]
            made.append(Bluesky(context=context(wanted=wanted), urls=urls, reach=reach, allow_private=True))
            return made[-1]

        async with jetstream(state):
            try:
                return await use(make)
            finally:
                for each in made:
                    await each.aclose()

    return asyncio.run(asyncio.wait_for(go(), 20))


def at(seconds: float) -> int:
    return BASE + round(seconds * SECOND)


def texts(harvest: Harvest) -> list[str]:
    return [post.text for post in harvest.posts]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something the background does; the test's own deadline ends what never comes."""
    while not holds():
        await asyncio.sleep(0.005)


async def more(collector: Bluesky, cursor: str | None, holds: Callable[[Harvest], bool]) -> Harvest:
    """Poll as the daemon does, through failures, until a harvest is as it should be."""
    while True:
        try:
            harvest = await collector.poll(cursor, now=NOW)
        except Temporary:
            harvest = Harvest(cursor=cursor)
        if holds(harvest):
            return harvest
        cursor = harvest.cursor
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", [V1, V2])
def test_the_collector_conforms(path: str) -> None:
    """The conformance suite, in each dialect; no DID comes through."""
    state = Jetstream([Said(at(1), "Claude is down", ADA), Said(at(2), "claude down for me too", GRACE)])

    run(state, lambda make: check_collector(make, now=NOW, names=(ADA, GRACE), at_least=2), path=path)

    assert all(asked["path"] == [path] for asked in state.asked)


def test_each_dialect_is_asked_in_its_own_words() -> None:
    """Version 2 refuses the names of version 1."""
    state = Jetstream([Said(at(1), "Claude is down")])

    run(state, lambda make: make(paths=(V2,)).poll(None, now=NOW))
    run(state, lambda make: make(paths=(V1,)).poll(None, now=NOW))

    assert state.asked[0] == {"kinds": ["commit"], "collections": ["app.bsky.feed.post"], "path": [V2]}
    assert state.asked[1] == {"wantedCollections": ["app.bsky.feed.post"], "path": [V1]}


def test_an_instance_without_version_two_is_left_for_one_with_version_one() -> None:
    """The handshake is refused with 404; the next address is tried."""
    state = Jetstream([Said(at(1), "Claude is down")], paths=(V1,))

    async def use(make: Callable[..., Bluesky]) -> Harvest:
        collector = make(paths=(V2, V1))
        with pytest.raises(Temporary, match="answered 404"):
            await collector.poll(None, now=NOW)
        return await more(collector, None, lambda harvest: bool(harvest.posts))

    assert texts(run(state, use)) == ["Claude is down"]


def test_only_posts_that_may_name_a_service_are_kept() -> None:
    """Filtered while reading; other collections and identities are no posts at all."""
    state = Jetstream(
        [
            Said(at(1), "what a lovely evening"),
            Said(at(2), "claude keeps failing"),
            Said(at(3), "Claude, liked", collection="app.bsky.feed.like"),
        ],
        raw=[f'{{"did":"did:plc:x","time_us":{at(0)},"kind":"identity","identity":{{"did":"did:plc:x"}}}}'],
    )

    assert texts(run(state, lambda make: make().poll(None, now=NOW), path=V1)) == ["claude keeps failing"]
    everything = run(state, lambda make: make(wanted=False).poll(None, now=NOW), path=V1)
    assert texts(everything) == ["what a lovely evening", "claude keeps failing"]


def test_a_post_tells_its_time_its_author_and_what_it_answers_without_a_name() -> None:
    """The client's time is a claim; it never lies after the server's."""
    parent = f"at://{GRACE}/app.bsky.feed.post/root1"
    state = Jetstream(
        [
            Said(at(1), "claude down?", GRACE, rkey="root1", created_at="2026-03-02T11:58:59.500Z"),
            Said(at(2), "claude down here", ADA, parent=parent, created_at="2031-01-01T00:00:00Z"),
            Said(at(3), "claude was down in 2023", ADA, created_at="2023-01-01T00:00:00Z"),
            Said(at(4), "   claude   ", ADA, created_at="no date"),
        ]
    )

    harvest = run(state, lambda make: make().poll(None, now=NOW))

    first, second, last = harvest.posts
    assert first.created_at == datetime(2026, 3, 2, 11, 58, 59, 500_000, tzinfo=UTC)
    assert second.created_at == moment(at(2))
    assert second.reply_to == first.id
    assert first.author != second.author == last.author
    assert last.text == "claude"
    assert harvest.rejected == (("backdated", 1),)


def test_frames_that_are_none_are_counted() -> None:
    """Broken JSON, wrong types, binary rubbish: the next frame is read all the same."""
    state = Jetstream(
        [Said(at(1), "claude down")], raw=["{", '{"did": 3}', b"\xff\xfe\x00", '{"did":"d","time_us":"x"}', "[]"]
    )

    harvest = run(state, lambda make: make().poll(None, now=NOW))

    assert texts(harvest) == ["claude down"]
    assert harvest.rejected == (("unreadable", 5),)


def test_deletions_are_reported_and_take_a_waiting_post_away() -> None:
    """A post deleted before it was drained never comes; one drained before is named for forgetting."""
    state = Jetstream(
        [
            Said(at(1), "claude down", rkey="gone"),
            Said(at(2), "claude still down", rkey="kept"),
            Said(at(3), rkey="gone", operation="delete"),
        ]
    )

    async def use(make: Callable[..., Bluesky]) -> tuple[Harvest, Harvest]:
        collector = make()
        first = await collector.poll(None, now=NOW)
        await state.say(Said(at(4), rkey="kept", operation="delete"))
        return first, await more(collector, first.cursor, lambda harvest: bool(harvest.deleted))

    first, second = run(state, use)
    assert texts(first) == ["claude still down"]
    assert [key[1].partition("/")[2] for key in first.deleted] == ["gone"]
    assert second.deleted == (first.posts[0].key,)


def test_a_restart_reads_five_seconds_again_and_repeats_nothing() -> None:
    """The cursor is saved with the posts; the replay's known posts are left out, its new ones are not."""
    state = Jetstream([Said(at(1), "claude one"), Said(at(8), "claude two"), Said(at(9), "claude three")])

    async def use(make: Callable[..., Bluesky]) -> tuple[Harvest, Harvest]:
        first = await make().poll(None, now=NOW)
        state.events += [Said(at(8.5), "claude late"), Said(at(10), "claude four")]
        return first, await make().poll(first.cursor, now=NOW)

    first, second = run(state, use)
    assert len(first.posts) == 3
    assert texts(second) == ["claude late", "claude four"]
    assert int(state.asked[-1]["cursor"][0]) == at(4)
    assert second.gaps == ()


def test_a_lost_connection_is_made_again_without_loss() -> None:
    """The server breaks off after each replay; what came meanwhile is there, once."""

    def end(number: int) -> str | None:
        if number == 1:
            state.events.append(Said(at(2), "claude two"))
        return "" if number < 3 else None

    state = Jetstream([Said(at(1), "claude one")], end=end)

    async def use(make: Callable[..., Bluesky]) -> list[str]:
        collector = make()
        harvest = await collector.poll(None, now=NOW)
        found = texts(harvest)
        await until(lambda: len(state.connections) == 1)
        await state.say(Said(at(3), "claude three"))
        while len(found) < 3:
            harvest = await more(collector, harvest.cursor, lambda harvest: bool(harvest.posts))
            assert harvest.gaps == ()
            found += texts(harvest)
        return found

    assert run(state, use) == ["claude one", "claude two", "claude three"]


def test_a_cursor_that_is_too_old_is_a_gap() -> None:
    """The server's archive begins later: we go on live, and say which span was not heard."""
    state = Jetstream([Said(at(1), "claude one")])

    async def use(make: Callable[..., Bluesky]) -> tuple[Harvest, Harvest]:
        first = await make().poll(None, now=NOW)
        state.oldest, state.events = at(20), [Said(at(30), "claude later")]
        collector = make()
        with pytest.raises(Temporary, match="CursorTooOld"):
            await collector.poll(first.cursor, now=NOW)
        return first, await more(collector, first.cursor, lambda harvest: bool(harvest.posts))

    _, second = run(state, use)
    assert texts(second) == ["claude later"]
    (gap,) = second.gaps
    assert (gap.state, gap.from_at, gap.to_at) == (CoverageState.GAP, moment(at(1)), moment(at(30)))
    assert "CursorTooOld" in gap.note
    assert "cursor" not in state.asked[-1]


@pytest.mark.parametrize(
    ("replayed", "expected"), [(True, CoverageState.STALE), (False, CoverageState.GAP)], ids=["replayed", "lost"]
)
def test_being_cut_off_as_too_slow_is_noted(replayed: bool, expected: CoverageState) -> None:
    """Late if the cursor brought everything back, a gap if it did not."""
    slow = '{"$type":"error","error":"ConsumerTooSlow","message":"you fell behind"}'

    def end(number: int) -> str | None:
        if number > 1:
            return None
        if not replayed:
            state.events = [Said(at(9), "claude two")]
        return slow

    state = Jetstream([Said(at(1), "claude one")], end=end)

    async def use(make: Callable[..., Bluesky]) -> Harvest:
        return await more(make(), None, lambda harvest: bool(harvest.gaps))

    (span,) = run(state, use).gaps
    assert (span.state, span.from_at) == (expected, moment(at(1)))
    assert "ConsumerTooSlow" in span.note


def test_a_long_pause_is_read_again_only_as_far_as_asked() -> None:
    """Two hours of pause with a lookback of one: an hour of gap, the rest is replayed."""
    state = Jetstream([Said(at(1), "claude one")])
    later = NOW + timedelta(hours=2)

    async def use(make: Callable[..., Bluesky]) -> Harvest:
        first = await make().poll(None, now=NOW)
        state.events.append(Said(at(7000), "claude later"))
        return await make().poll(first.cursor, now=later)

    second = run(state, use)
    (gap,) = second.gaps
    assert (gap.from_at, gap.to_at) == (moment(at(1)), later - timedelta(hours=1))
    assert texts(second) == ["claude later"]
    assert moment(int(state.asked[-1]["cursor"][0])) == later - timedelta(hours=1)


def test_a_harvest_that_was_not_stored_is_read_again() -> None:
    """The daemon comes back with an older cursor: its posts come once more."""
    state = Jetstream([Said(at(1), "claude one")])

    async def use(make: Callable[..., Bluesky]) -> tuple[Harvest, Harvest, Harvest]:
        collector = make()
        first = await collector.poll(None, now=NOW)
        await state.say(Said(at(2), "claude two"))
        second = await more(collector, first.cursor, lambda harvest: bool(harvest.posts))
        return first, second, await collector.poll(first.cursor, now=NOW)

    _, second, again = run(state, use)
    assert texts(second) == texts(again) == ["claude two"]


def test_a_full_buffer_stops_the_reading_and_loses_nothing() -> None:
    """Room for a handful of posts; hundreds arrive, polled bit by bit."""
    posts = [Said(at(number / 100), f"claude fails {number} " + "x" * 200) for number in range(1, 401)]
    state = Jetstream(posts)

    async def use(make: Callable[..., Bluesky]) -> list[str]:
        collector = make(reach=Reach(buffer=5_000, idle=5.0, first_delay=0.01, longest_delay=0.05))
        harvest = await collector.poll(None, now=NOW)
        found, largest = texts(harvest), len(harvest.posts)
        while len(found) < len(posts):
            harvest = await collector.poll(harvest.cursor, now=NOW)
            found += texts(harvest)
            largest = max(largest, len(harvest.posts))
            await asyncio.sleep(0)
        assert largest < 20
        return found

    assert run(state, use) == [said.text for said in posts]


def test_a_silent_connection_is_given_up() -> None:
    """A peer that is there and says nothing is not a calm network."""
    state = Jetstream([Said(at(1), "claude one")])
    impatient = Reach(idle=0.2, first_delay=0.01, longest_delay=0.02)

    async def use(make: Callable[..., Bluesky]) -> int:
        collector = make(reach=impatient)
        await collector.poll(None, now=NOW)
        await until(lambda: len(state.asked) >= 3)
        return len(state.asked)

    assert run(state, use) >= 3


@pytest.mark.parametrize("answer", ["refused", "html", "503", "reset"])
def test_an_instance_that_cannot_be_reached_raises(answer: str) -> None:
    """Nobody listens, another server, busy, a reset: a TransportError with words, never silence."""
    faults = {
        "html": Reply("<!doctype html>", headers={"Content-Type": "text/html"}),
        "503": Reply("busy", status=503),
        "reset": Reply(fault="reset"),
    }

    def check(url: str) -> TransportError:
        def make() -> Bluesky:
            return Bluesky(context=context(), urls=[url], reach=QUICK, allow_private=True)

        return asyncio.run(check_collector_failure(make, now=NOW))

    if answer == "refused":
        assert isinstance(check(f"ws://127.0.0.1:{unused_port()}/subscribe"), Temporary)
        return
    with Loopback({V1: faults[answer]}) as server:
        assert isinstance(check(server.url.replace("http", "ws") + V1), Temporary)


def test_a_private_address_is_refused_unless_allowed() -> None:
    """The same guard as for every other request, before any connection."""

    async def go() -> None:
        reader = Reader(["ws://jetstream.example/subscribe"], reach=QUICK, resolver=_to_loopback)
        reader.start(0)
        try:
            await reader.settle(5)
            assert isinstance(reader.failure, Permanent)
            assert "loopback" in str(reader.failure)
        finally:
            await reader.aclose()

    asyncio.run(go())


async def _to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_a_bug_of_ours_is_not_silence() -> None:
    """What breaks the background task comes out at the next poll, and the one after begins anew."""
    state = Jetstream([Said(at(1), "claude one")])
    broken = [True]

    def wanted(text: str) -> bool:
        if broken:
            raise RuntimeError("a bug")
        return True

    async def use(make: Callable[..., Bluesky]) -> Harvest:
        owner = CollectorContext(session=Session(), worker=ParseWorker(), author_key=b"k" * 32, wanted=wanted)
        collector = Bluesky(context=owner, urls=[state.url + V2], reach=QUICK, allow_private=True)
        with pytest.raises(RuntimeError, match="a bug"):
            await collector.poll(None, now=NOW)
        broken.clear()
        try:
            return await collector.poll(None, now=NOW)
        finally:
            await collector.aclose()

    assert texts(run(state, use)) == ["claude one"]


def test_wrong_settings_are_named() -> None:
    """All at once, with the setting's name."""
    with pytest.raises(ConfigError) as caught:
        build({"urls": ["https://x"], "interval": 0, "colour": 1}, context())

    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "bluesky.urls",
        "bluesky.interval",
        "bluesky.colour",
    ]
    assert build({}, context())[0].source == "bluesky"
