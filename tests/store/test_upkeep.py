"""Forgetting reaches the bytes on the disk, and the totals outlive it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from detector.domain import Reason
from detector.store import HourTotal, Store, open_reader
from tests.store.builders import NOON, make_alert, make_judgement, make_notification, make_post, minute

WORD = "quokkaberry"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "detector.db", now=NOON) as opened:
        yield opened


def raw(store: Store) -> bytes:
    """Every byte of the database, its log and its shared memory."""
    return b"".join(path.read_bytes() for path in sorted(store.path.parent.iterdir()))


def told(store: Store) -> None:
    """Posts 1 to 30 by three authors, judged; post 4 quoted in an alert and in a message."""
    posts = [
        make_post(
            number,
            text=f"{WORD} {number} " * (300 if number == 5 else 1),
            author=f"auth-{number % 3}",
            url=f"https://x.example/{WORD}/{number}",
        )
        for number in range(1, 31)
    ]
    store.add_posts("hackernews", posts, None, now=NOON)
    alert = make_alert(posts=[posts[3]])
    store.record(
        now=NOON,
        judged=posts,
        judgements=[make_judgement(post) for post in posts],
        alerts=[(alert, Reason.OPENED)],
        notifications=[make_notification(alert=alert)],
        checkpoint={
            "galleries": {"claude": [[posts[3].author, msgspec.to_builtins(alert.evidence[0])]]},
            "voters": {post.author: 1.0 for post in posts},
        },
    )


def test_a_forgotten_post_is_gone_from_every_file(store: Store) -> None:
    """Text, address, author, quotes in alerts and messages; pages, log and all."""
    told(store)
    assert f"{WORD} 4 ".encode() in raw(store)

    done = store.forget_post("hackernews", "4", now=minute(60))

    assert (done.posts, done.purged) == (1, True)
    assert f"{WORD} 4 ".encode() not in raw(store)
    assert f'{WORD}/4"'.encode() not in raw(store)
    assert f"{WORD} 6 ".encode() in raw(store)
    assert store.read.alerts()[0].evidence[0].text == ""
    assert store.outbox.due(minute(60))[0].alert.evidence[0].url is None


def test_a_forgotten_author_is_gone_with_every_post(store: Store) -> None:
    """Ten of thirty, a long one among them; the counts stay."""
    told(store)
    store.rollup()

    done = store.forget_author("auth-2", now=minute(60))

    bytes_left = raw(store)
    assert done.posts == 10
    assert b"auth-2" not in bytes_left
    assert f"{WORD} 5 ".encode() not in bytes_left
    assert b"auth-1" in bytes_left
    assert sum(hour.mentions for hour in store.read.hours("claude", since=NOON, until=minute(120))) == 30


def test_a_forgotten_post_is_not_taken_in_again(tmp_path: Path) -> None:
    """Also after a restart: its source may go on sending it."""
    with Store.open(tmp_path / "detector.db", now=NOON) as store:
        told(store)
        store.forget_post("hackernews", "4", now=minute(60))
        assert store.add_posts("hackernews", [make_post(4)], None, now=minute(61)) == []

    with Store.open(tmp_path / "detector.db", now=NOON) as store:
        assert store.add_posts("hackernews", [make_post(4), make_post(99)], None, now=minute(62)) == [make_post(99)]
        assert store.read.sources()[0].duplicate == 2


def test_a_saved_state_forgets_too_and_counts_the_same_people(store: Store) -> None:
    """The quote is empty, and the author is somebody whom nobody can find."""
    told(store)

    store.forget_author("auth-1", now=minute(60))

    checkpoint = store.latest_checkpoint()
    assert checkpoint is not None
    ((author, quote),) = checkpoint.state["galleries"]["claude"]
    assert (quote["text"], quote["url"]) == ("", None)
    assert author in checkpoint.state["voters"]
    assert len(checkpoint.state["voters"]) == 3
    assert b"auth-1" not in raw(store)


def test_forgetting_what_is_not_there_does_nothing(store: Store) -> None:
    """And says so."""
    told(store)

    assert store.forget_post("hackernews", "nobody", now=NOON).posts == 0
    assert store.forget_author("nobody", now=NOON).posts == 0


def test_old_texts_go_and_counts_stay(store: Store) -> None:
    """Judged posts seen before the day, with their quotes in alerts; a duplicate is still known."""
    told(store)
    store.rollup()

    done = store.forget_older_than(minute(20), now=minute(90))

    left = raw(store)
    assert done.posts == 19
    assert f"{WORD} 19 ".encode() not in left
    assert f"{WORD} 20 ".encode() in left
    assert store.read.alerts()[0].evidence[0].text == ""
    # A message still owed keeps what it has to say.
    assert WORD in store.outbox.due(minute(90))[0].alert.evidence[0].text
    assert store.add_posts("hackernews", [make_post(3)], None, now=minute(91)) == []
    assert store.forget_older_than(minute(20), now=minute(92)).posts == 0


def test_a_post_not_yet_judged_keeps_its_text(store: Store) -> None:
    """However old: forgetting must not silence it."""
    store.add_posts("hackernews", [make_post(1)], None, now=NOON)

    store.forget_older_than(minute(1000), now=minute(2000))

    assert store.pending_posts() == [make_post(1)]


def test_a_reader_that_holds_the_log_open_is_reported(store: Store) -> None:
    """The log keeps old bytes until it is emptied; the caller is told, and may try again."""
    told(store)
    store._conn.execute("PRAGMA busy_timeout = 50")

    with open_reader(store.path) as reader:
        reader._conn.execute("BEGIN")
        reader.posts()
        assert not store.forget_post("hackernews", "4", now=minute(60)).purged
        reader._conn.execute("ROLLBACK")

    assert store.forget_post("hackernews", "5", now=minute(61)).purged
    assert f"{WORD} 4 ".encode() not in raw(store)


def test_hours_count_mentions_complaints_and_people(store: Store) -> None:
    """One author once; an hour judged in two steps is one total; unlikely complaints are no people."""
    posts = [make_post(number, at=number * 10, author=f"a{number % 2}") for number in range(8)]
    nameless = [make_post(20, at=5, author=None), make_post(21, at=5, author=None)]
    store.add_posts("hackernews", [*posts, *nameless], None, now=NOON)

    store.record(now=NOON, judgements=[make_judgement(post, now=0.75) for post in posts[:3]])
    assert store.rollup() == 1
    store.record(
        now=NOON,
        judgements=[make_judgement(post, now=0.25) for post in posts[3:]]
        + [make_judgement(post, now=0.75) for post in nameless],
    )
    assert store.rollup() == 2
    assert store.rollup() == 0

    assert store.read.hours("claude", since=NOON, until=minute(120)) == [
        HourTotal(service="claude", source="hackernews", hour=NOON, mentions=8, complaints=4.5, people=4),
        HourTotal(service="claude", source="hackernews", hour=minute(60), mentions=2, complaints=0.5, people=0),
    ]
