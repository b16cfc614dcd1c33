"""What a feed collector remembers between polls: validators, the last body, what it has passed on. Pure.

The cursor is JSON: `{"v": 1, "feeds": {url: {"etag", "modified", "body", "seen": [...], "ok_at"}}}`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

import msgspec

MIN_SEEN = 400


class FeedMemory(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One feed's part of the cursor.

    Attributes:
        etag, modified: validators for the next conditional request.
        body: hash of the last body that was read to the end.
        seen: fingerprints of entries passed on or refused, oldest first.
        ok_at: ISO time of the last successful poll, for gap records.
    """

    etag: str | None = None
    modified: str | None = None
    body: str | None = None
    seen: list[str] = []
    ok_at: datetime | None = None


class _Cursor(msgspec.Struct, kw_only=True):
    v: int = 1
    feeds: dict[str, FeedMemory] = {}


def load(cursor: str | None, urls: Iterable[str]) -> dict[str, FeedMemory]:
    """One memory a URL; fresh ones where the cursor knows nothing or cannot be read.

    >>> load(None, ["https://example.org/feed"])["https://example.org/feed"].seen
    []
    """
    known: dict[str, FeedMemory] = {}
    if cursor:
        try:
            known = msgspec.json.decode(cursor, type=_Cursor).feeds
        except (msgspec.DecodeError, ValueError):
            known = {}
    return {url: known.get(url, FeedMemory()) for url in urls}


def dump(feeds: dict[str, FeedMemory]) -> str:
    """The cursor text of these memories."""
    return msgspec.json.encode(_Cursor(feeds=feeds)).decode()


def body_hash(body: bytes) -> str:
    """Recognises an unchanged body.

    >>> body_hash(b"a") == body_hash(b"a")
    True
    """
    return hashlib.sha256(body).hexdigest()[:32]


def fingerprint(*, author: str | None, text: str, published: float | None) -> str:
    """Recognises an old entry under a new id.

    Feeds re-issue entries under new ids (AWS gives each update a new GUID). With an author, the same words are the
    same post whatever its date; without one, two people may use the same words, so the date counts too.

    >>> fingerprint(author="a", text="down", published=1) == fingerprint(author="a", text="down", published=2)
    True
    >>> fingerprint(author=None, text="down", published=1) == fingerprint(author=None, text="down", published=2)
    False
    """
    parts = f"{author or ''}\x00{text}\x00{'' if author else published}"
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:12]


def remember(seen: list[str], fresh: list[str], entries: int) -> list[str]:
    """The memory with `fresh` added, bounded to what the feed can show again.

    >>> remember(["a"], ["b"], 1)
    ['a', 'b']
    """
    return [*seen, *fresh][-max(MIN_SEEN, 2 * entries) :]
