"""Taking posts in: stored once, counted always, together with the place where the collector goes on."""

# ruff: noqa: S608 - only our own column names are put into a statement; every value is bound
from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b

from detector.domain import Coverage, Post
from detector.store.codec import POST_COLUMNS, clean, clean_post, post_row, to_text

_INSERT = f"INSERT INTO posts ({POST_COLUMNS}, stored_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"

_COUNT = (
    "INSERT INTO counters (source, outcome, reason, total) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET total = total + excluded.total"
)


def forgotten_id(source: str, post_id: str) -> str:
    """The name a forgotten post keeps, so that it is known when its source sends it again.

    >>> forgotten_id("hackernews", "1").startswith("forgotten-")
    True
    """
    return "forgotten-" + blake2b(f"{source}\0{post_id}".encode(), digest_size=16).hexdigest()


def add_posts(
    conn: sqlite3.Connection,
    source: str,
    posts: Iterable[Post],
    cursor: str | None,
    gaps: Sequence[Coverage],
    rejected: Sequence[tuple[str, int]],
    *,
    now: datetime,
    forgotten: frozenset[str],
) -> list[Post]:
    """Inside a transaction: store what is new and return it in the order given, as it was stored."""
    new: list[Post] = []
    received = 0
    stored_at = to_text(now)
    write = conn.cursor()
    for post in map(clean_post, posts):
        received += 1
        if forgotten and forgotten_id(post.source, post.id) in forgotten:
            continue
        # Row by row: only so does SQLite tell which ones were new, and it is as quick as one call for all.
        if write.execute(_INSERT, (*post_row(post), stored_at)).rowcount == 1:
            new.append(post)
    counts = Counter({("accepted", ""): len(new), ("duplicate", ""): received - len(new)})
    for reason, count in rejected:
        counts["rejected", clean(reason)] += count
    write.executemany(_COUNT, [(source, *outcome, count) for outcome, count in counts.items() if count])
    for gap in gaps:
        add_coverage(conn, gap)
    write.execute(
        "INSERT INTO cursors (source, cursor, polled_at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
        "SET cursor = coalesce(excluded.cursor, cursor), polled_at = excluded.polled_at",
        (source, None if cursor is None else clean(cursor), stored_at),
    )
    return new


def tally(conn: sqlite3.Connection, source: str, masked: int, budget: str | None) -> None:
    """Inside a transaction: count masked mentions, and keep the words on what is left of a rate budget."""
    if masked:
        conn.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE "
            "SET value = CAST(CAST(value AS INTEGER) + CAST(excluded.value AS INTEGER) AS TEXT)",
            (f"masked:{clean(source)}", str(masked)),
        )
    if budget is not None:
        conn.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (f"budget:{clean(source)}", clean(budget)),
        )


def add_coverage(conn: sqlite3.Connection, span: Coverage) -> None:
    """Inside a transaction: note a span; it lengthens the source's last one if it says the same and touches it."""
    values = (to_text(span.from_at), to_text(span.to_at))
    note = clean(span.note)
    last = conn.execute(
        "SELECT sequence, from_at, to_at, state, note, lower_bound FROM coverage WHERE source = ? "
        "ORDER BY sequence DESC LIMIT 1",
        (span.source,),
    ).fetchone()
    same = last is not None and (last[3], last[4], last[5], span.lower_bound) == (span.state.value, note, None, None)
    if same and last[1] <= values[0] <= last[2]:
        conn.execute("UPDATE coverage SET to_at = max(to_at, ?) WHERE sequence = ?", (values[1], last[0]))
        return
    conn.execute(
        "INSERT INTO coverage (source, from_at, to_at, state, note, lower_bound) VALUES (?, ?, ?, ?, ?, ?)",
        (span.source, *values, span.state.value, note, span.lower_bound),
    )
