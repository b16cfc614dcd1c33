"""Posts: stored once, counted always, in one transaction with the place where the collector goes on."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from detector.domain import MINUTE, Coverage, CoverageState, Post
from detector.errors import StoreError
from detector.store import Store
from detector.store.ingest import forgotten_id
from tests.store.builders import NOON, make_judgement, make_post, minute


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        yield opened


def test_only_new_posts_come_back_in_the_order_given(store: Store) -> None:
    """A duplicate of an earlier poll, one within the poll, and the same id of another source."""
    store.add_posts("hackernews", [make_post(1)], None, now=NOON)
    other = make_post(1, source="lobsters")

    new = store.add_posts("hackernews", [make_post(3), make_post(1), make_post(2), make_post(2), other], None, now=NOON)

    assert new == [make_post(3), make_post(2), other]


def test_a_duplicate_never_changes_what_is_stored(store: Store) -> None:
    """An edited text is something the archive learned later."""
    store.add_posts("hackernews", [make_post(1)], None, now=NOON)

    store.add_posts("hackernews", [make_post(1, text="edited")], None, now=NOON)

    assert store.read.posts() == [make_post(1)]


def test_i5_accepted_duplicate_and_rejected_add_up_to_what_was_received(store: Store) -> None:
    """Over several polls, by reason."""
    store.add_posts("hackernews", [make_post(1), make_post(2)], "a", (), [("no text", 3)], now=NOON)
    store.add_posts(
        "hackernews", [make_post(2), make_post(3)], "b", (), [("no text", 1), ("bad date", 2)], now=minute(1)
    )

    (counts,) = store.read.sources()

    assert (counts.accepted, counts.duplicate, counts.rejected) == (3, 1, (("bad date", 2), ("no text", 4)))
    assert counts.received == 10
    assert (counts.cursor, counts.polled_at) == ("b", minute(1))


def test_i2_the_cursor_moves_with_the_posts_or_not_at_all(store: Store) -> None:
    """A span that the schema refuses undoes the whole poll."""
    store.add_posts("hackernews", [make_post(1)], "a", now=NOON)

    class Odd(str):
        value = "deaf"
        __slots__ = ()

    gap = Coverage(source="hackernews", from_at=NOON, to_at=minute(1), state=Odd())  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        store.add_posts("hackernews", [make_post(2)], "b", [gap], now=minute(1))

    assert store.read.cursor("hackernews") == "a"
    assert store.read.posts() == [make_post(1)]
    assert store.read.sources()[0].received == 1


def test_a_poll_without_a_cursor_leaves_the_last_one(store: Store) -> None:
    """A page that had nothing new says nothing about where to go on."""
    store.add_posts("hackernews", (), "a", now=NOON)
    store.add_posts("hackernews", (), None, now=minute(1))

    assert store.read.cursor("hackernews") == "a"
    assert store.read.cursor("lobsters") is None


def test_gaps_are_kept_with_their_lower_bound(store: Store) -> None:
    """What was not heard is not calm."""
    gap = Coverage(
        source="hackernews", from_at=NOON, to_at=minute(5), state=CoverageState.GAP, note="limit", lower_bound=150
    )

    store.add_posts("hackernews", (), "a", [gap], now=minute(5))

    assert store.read.coverage("hackernews") == [gap]
    assert store.read.coverage(since=minute(6)) == []


def test_spans_of_one_state_that_touch_are_one(store: Store) -> None:
    """A day of good polls is one row; a failing one stands for itself."""

    def span(begin: float, end: float, state: CoverageState = CoverageState.OK) -> Coverage:
        return Coverage(source="hackernews", from_at=minute(begin), to_at=minute(end), state=state)

    store.add_coverage([span(0, 1), span(1, 2), span(2, 3, CoverageState.FAILING), span(3, 4), span(5, 6)])

    assert store.read.coverage() == [span(0, 2), span(2, 3, CoverageState.FAILING), span(3, 4), span(5, 6)]


def test_text_that_no_database_can_hold_is_mended_and_returned_so(store: Store) -> None:
    """The pipeline judges what a restart would read."""
    (new,) = store.add_posts("hackernews", [make_post(1, text="down \ud83d again\x00")], None, now=NOON)

    assert new.text == "down \ufffd again\x00"
    assert store.read.posts() == [new]


def test_pending_posts_are_those_not_judged_in_the_one_order(store: Store) -> None:
    """By time seen, then source, then id, as Python compares text."""
    posts = [make_post(number, at=0, id=name) for number, name in enumerate(["b", "B", "ä", "\uffff", "😀", "a"])]
    late = make_post(9, at=-1)
    judged = make_post(10)
    store.add_posts("hackernews", [*posts, judged, late], None, now=NOON)

    store.record(now=NOON, judged=[judged])

    assert store.pending_posts() == sorted([*posts, late], key=lambda post: post.order)


def test_a_post_that_names_no_service_is_judged_too(store: Store) -> None:
    """Else a restart would take it up for ever."""
    store.add_posts("hackernews", [make_post(1), make_post(2)], None, now=NOON)

    store.record(now=NOON, judged=[make_post(1), make_post(2)], judgements=[make_judgement(make_post(1))])

    assert store.pending_posts() == []


def test_a_judgement_of_an_unknown_post_is_refused_with_all_that_came_with_it(store: Store) -> None:
    """The foreign key holds; nothing of the step is written."""
    store.add_posts("hackernews", [make_post(1)], None, now=NOON)

    with pytest.raises(StoreError):
        store.record(
            now=NOON, judged=[make_post(1)], judgements=[make_judgement(make_post(1)), make_judgement(make_post(2))]
        )

    assert store.pending_posts() == [make_post(1)]
    assert list(store.judgements_after(0)) == []


def test_twenty_thousand_posts_a_second_are_taken_in(store: Store) -> None:
    """Of this thread's own time, and the best of three, so that a busy machine does not fail it."""
    best = 0.0
    for attempt in range(3):
        posts: list[Post] = [make_post(number, id=f"{attempt}-{number}") for number in range(10_000)]
        begun = time.thread_time()
        store.add_posts("hackernews", posts, None, now=NOON)
        best = max(best, len(posts) / (time.thread_time() - begun))

    assert best >= 20_000


def test_a_tool_that_holds_the_database_makes_an_error_and_loses_nothing(store: Store) -> None:
    """After the busy timeout; the same call succeeds once the tool lets go."""
    store._conn.execute("PRAGMA busy_timeout = 50")
    tool = sqlite3.connect(store.path, isolation_level=None)
    tool.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreError, match="another program holds"):
        store.add_posts("hackernews", [make_post(1)], "a", now=NOON)
    tool.execute("ROLLBACK")
    tool.close()

    assert store.add_posts("hackernews", [make_post(1)], "a", now=NOON + timedelta(seconds=1)) == [make_post(1)]


def test_a_look_from_another_thread_never_sees_half_a_step(store: Store) -> None:
    """The reader of the writer waits for its transaction."""
    seen: list[int] = []

    def look() -> None:
        seen.append(len(store.read.posts()))

    def posts() -> Iterator[Post]:
        yield make_post(1)
        threads.append(Thread(target=look))
        threads[0].start()
        threads[0].join(0.1)
        yield make_post(2)

    threads: list[Thread] = []
    store.add_posts("hackernews", posts(), None, now=NOON)
    threads[0].join(5)

    assert seen == [2]


def test_a_forgotten_post_stays_forgotten_and_is_counted_as_known(store: Store) -> None:
    """Its source sends it again beside one that nobody forgot, in this run and after a restart."""
    store.add_posts("hackernews", [make_post(1), make_post(2)], "a", now=NOON)
    store.forget_post("hackernews", "1", now=minute(1))

    assert store.add_posts("hackernews", [make_post(1), make_post(3)], "b", now=minute(2)) == [make_post(3)]
    path = store.path
    store.close()
    with Store.open(path, now=minute(3)) as again:
        assert again.add_posts("hackernews", [make_post(1), make_post(4)], "c", now=minute(3)) == [make_post(4)]
        (counts,) = again.read.sources()
        assert (counts.accepted, counts.duplicate) == (4, 2)


def test_the_name_of_a_forgotten_post_never_changes() -> None:
    """Databases keep it: another one would let the post in again."""
    assert forgotten_id("hackernews", "1") == "forgotten-70ab489cf86743a1e9d69a7e1a535966"


def test_masked_mentions_add_up_and_the_budget_is_the_last_word(store: Store) -> None:
    """Each source by itself; nothing is written where there is nothing to say."""
    store.tally("hackernews", masked=2)
    store.tally("hackernews", masked=3, budget="40 left")
    store.tally("hackernews", budget="39 left")
    store.tally("lobsters", masked=1)
    store.tally("bluesky")

    kept = dict(store._conn.execute("SELECT key, value FROM meta WHERE key LIKE 'masked:%' OR key LIKE 'budget:%'"))
    assert kept == {"masked:hackernews": "5", "budget:hackernews": "39 left", "masked:lobsters": "1"}


def test_a_span_lengthens_only_the_last_one_and_only_where_it_touches(store: Store) -> None:
    """From its beginning to its end; one that begins before it, or comes after another state, stands for itself."""

    def span(begin: float, end: float, note: str = "", bound: int | None = None) -> Coverage:
        return Coverage(
            source="hackernews", from_at=minute(begin), to_at=minute(end), state=CoverageState.OK, note=note,
            lower_bound=bound,
        )  # fmt: skip

    def kept() -> list[tuple[float, float, str]]:
        rows = store._conn.execute("SELECT from_at, to_at, note FROM coverage ORDER BY sequence")
        return [((when(a) - NOON) / MINUTE, (when(b) - NOON) / MINUTE, note) for a, b, note in rows]

    when = datetime.fromisoformat
    store.add_coverage([span(0, 2), span(0, 3), span(3, 3), span(1, 2)])
    assert kept() == [(0, 3, "")]
    store.add_coverage([span(-1, 4)])
    assert kept() == [(0, 3, ""), (-1, 4, "")]
    store.add_coverage([span(4, 5, note="other"), span(5, 6), span(6, 7)])
    assert kept() == [(0, 3, ""), (-1, 4, ""), (4, 5, "other"), (5, 7, "")]
    store.add_coverage([span(7, 8, bound=4), span(8, 9, bound=4), span(9, 10)])
    assert kept()[4:] == [(7, 8, ""), (8, 9, ""), (9, 10, "")]
