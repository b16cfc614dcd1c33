"""Forgetting what need not be kept, and the totals that outlive it."""

# ruff: noqa: S608 - only our own column names are put into a statement; every value is bound
from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from detector.domain import Post
from detector.store.codec import Json, clean, clean_post, to_json, to_text
from detector.store.ingest import forgotten_id

# A forgotten post keeps its place in the counts and nothing that a person wrote or could be found by.
_EMPTY = "text = '', author = NULL, url = NULL, reply_to = NULL, service_hint = NULL, truth = NULL, forgotten_at = ?"


def empty_texts_before(conn: sqlite3.Connection, before: datetime, *, now: datetime, limit: int) -> int:
    """Inside a transaction: empty at most `limit` posts seen before a time; returns how many."""
    return conn.execute(
        f"UPDATE posts SET {_EMPTY} WHERE rowid IN (SELECT rowid FROM posts WHERE seen_at < ? "
        "AND forgotten_at IS NULL AND judged_at IS NOT NULL LIMIT ?)",
        (to_text(now), to_text(before), limit),
    ).rowcount


def empty_quotes_before(conn: sqlite3.Connection, before: datetime) -> None:
    """Inside a transaction: alerts and sent messages lose the words and addresses of quotes older than a time."""
    _edit_quotes(conn, lambda quote: quote["at"] < to_text(before), finished_only=True, rename=False)


def keys_of_author(conn: sqlite3.Connection, author: str) -> list[tuple[str, str]]:
    """Every post by the holder of a keyed hash."""
    return [tuple(row) for row in conn.execute("SELECT source, id FROM posts WHERE author = ?", (author,))]


def forget_posts(conn: sqlite3.Connection, keys: Iterable[tuple[str, str]], *, now: datetime) -> int:
    """Inside a transaction: empty these posts everywhere, quotes included, and rename them; returns how many."""
    done = 0
    names = {(clean(source), clean(post_id)): forgotten_id(clean(source), clean(post_id)) for source, post_id in keys}
    for (source, post_id), name in names.items():
        done += conn.execute(
            f"UPDATE posts SET {_EMPTY}, id = ? WHERE source = ? AND id = ?",
            (to_text(now), name, source, post_id),
        ).rowcount
        conn.execute("UPDATE mentions SET matched = '' WHERE source = ? AND post_id = ?", (source, name))
    _edit_quotes(conn, lambda quote: (quote["source"], quote["id"]) in names, finished_only=False, rename=True)
    return done


def revise_posts(conn: sqlite3.Connection, posts: Iterable[Post]) -> list[tuple[str, str]]:
    """Inside a transaction: give stored posts the words they have now, and empty what was quoted of the old ones."""
    revised = [
        post.key
        for post in map(clean_post, posts)
        if conn.execute(
            "UPDATE posts SET text = ?1, author = ?2 WHERE source = ?3 AND id = ?4 AND forgotten_at IS NULL "
            "AND (text IS NOT ?1 OR author IS NOT ?2)",
            (post.text, post.author, *post.key),
        ).rowcount
    ]
    names = set(revised)
    if names:
        _edit_quotes(conn, lambda quote: (quote["source"], quote["id"]) in names, finished_only=False, rename=False)
    return revised


def scrub_checkpoints(conn: sqlite3.Connection, keys: Iterable[tuple[str, str]], author: str | None) -> None:
    """Inside a transaction: the saved states lose the quotes of these posts, and an author's hash for a false one.

    A false hash that is always the same keeps the count of distinct people as it was.
    """
    names = {(clean(source), clean(post_id)) for source, post_id in keys}
    for row in conn.execute("SELECT id, state FROM checkpoints").fetchall():
        text = _scrubbed(json.loads(row[1]), names, author)
        if text != row[1]:
            conn.execute("UPDATE checkpoints SET state = ? WHERE id = ?", (text, row[0]))


def scrub_state(state: dict[str, Any], keys: Iterable[tuple[str, str]], author: str | None) -> dict[str, Any]:
    """A state in memory, without the quotes of these posts and an author's hash, as `scrub_checkpoints` leaves it."""
    text = json.dumps(state, ensure_ascii=True, separators=(",", ":"))
    scrubbed: dict[str, Any] = json.loads(_scrubbed(json.loads(text), set(keys), author))
    return scrubbed


def _scrubbed(state: dict[str, Any], names: set[tuple[str, str]], author: str | None) -> str:
    _empty_within(state, names)
    text = json.dumps(state, ensure_ascii=True, separators=(",", ":"))
    if author is not None:
        text = text.replace(json.dumps(author), json.dumps(forgotten_id("author", author)))
    return text


def _empty_within(value: Any, names: set[tuple[str, str]]) -> None:
    """Empty every quote among nested JSON values that is of one of these posts."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            if isinstance(inner.get("text"), str) and (inner.get("source"), inner.get("id")) in names:
                inner.update(id=forgotten_id(inner["source"], inner["id"]), url=None, text="")
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner


def _edit_quotes(
    conn: sqlite3.Connection, reached: Callable[[Json], bool], *, finished_only: bool, rename: bool
) -> None:
    for row in conn.execute("SELECT rowid, evidence FROM alerts WHERE evidence != '[]'").fetchall():
        quotes = json.loads(row[1])
        if _empty(quotes, reached, rename=rename):
            conn.execute("UPDATE alerts SET evidence = ? WHERE rowid = ?", (to_json(quotes), row[0]))
    finished = "WHERE sent_at IS NOT NULL OR dead_at IS NOT NULL" if finished_only else ""
    for row in conn.execute(f"SELECT sequence, alert FROM notifications {finished}").fetchall():
        alert = json.loads(row[1])
        if _empty(alert["evidence"], reached, rename=rename):
            conn.execute("UPDATE notifications SET alert = ? WHERE sequence = ?", (to_json(alert), row[0]))


def _empty(quotes: list[Json], reached: Callable[[Json], bool], *, rename: bool) -> bool:
    """Empty the quotes that were reached; True if that changed anything."""
    changed = False
    for quote in quotes:
        if (quote["text"] or quote["url"] or rename) and reached(quote):
            quote.update(url=None, text="")
            if rename:
                quote["id"] = forgotten_id(quote["source"], quote["id"])
            changed = True
    return changed


def roll_up(conn: sqlite3.Connection) -> int:
    """Inside a transaction: bring `hourly` up to the last judgement; returns how many totals were written."""
    since = conn.execute("SELECT value FROM meta WHERE key = 'rolled_sequence'").fetchone()
    last = conn.execute("SELECT coalesce(max(sequence), 0) FROM judgements").fetchone()[0]
    touched = conn.execute(
        "SELECT DISTINCT service, source, substr(seen_at, 1, 13) FROM judgements WHERE sequence > ? AND sequence <= ?",
        (int(since[0]) if since else 0, last),
    ).fetchall()
    for service, source, hour in touched:
        conn.execute(
            "INSERT INTO hourly (service, source, hour, mentions, complaints, people) "
            "SELECT ?1, ?2, ?3 || ':00:00.000000Z', count(*), coalesce(sum(now), 0.0), "
            "count(DISTINCT CASE WHEN now >= 0.5 THEN who END) FROM ("
            "  SELECT max(j.complaint + j.report) AS now, coalesce(p.author, p.id) AS who FROM judgements j "
            "  JOIN posts p ON p.source = j.source AND p.id = j.post_id "
            "  WHERE j.service = ?1 AND j.source = ?2 AND j.seen_at >= ?3 AND j.seen_at < ?3 || ';' "
            "  GROUP BY j.post_id) WHERE true "
            "ON CONFLICT DO UPDATE SET mentions = excluded.mentions, complaints = excluded.complaints, "
            "people = excluded.people",
            (service, source, hour),
        )
    conn.execute(
        "INSERT INTO meta (key, value) VALUES ('rolled_sequence', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        (str(last),),
    )
    return len(touched)
