"""The Bluesky collector against a Jetstream on loopback: both dialects, replays, gaps, deletions, broken peers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from detector.collectors.bluesky import Bluesky
from detector.collectors.bluesky_reader import Reach
from detector.collectors.jetstream import moment
from detector.domain import CoverageState
from detector.errors import Temporary
from detector.protocols import Harvest
from detector.testing import check_collector
from tests.collectors.bluesky_runs import ADA, GRACE, NOW, at, more, run, texts, until
from tests.collectors.servers_bluesky import V1, V2, Jetstream, Said


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


def test_f22_a_restart_reads_five_seconds_again_and_repeats_nothing() -> None:
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


def test_f22_a_lost_connection_is_made_again_without_loss() -> None:
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


def test_f22_a_cursor_that_is_too_old_is_a_gap() -> None:
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
