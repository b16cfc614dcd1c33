"""From Reddit's JSON to lines of a listing and posts. Pure.

A post's source is its community, `reddit:r/ClaudeAI`, as in the archives; its link names nobody.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec

from detector.collectors.context import CollectorContext
from detector.collectors.paging import Line
from detector.domain import Post
from detector.errors import Hostile
from detector.transport.plaintext import cut, join_title, plain

GONE = frozenset({"", "[deleted]", "[removed]", "[deleted by user]", "[ Removed by Reddit ]", "[removed by reddit]"})
_AUTOMATIC = frozenset({"AutoModerator"})
_EARLIEST, _LATEST = 631_152_000.0, 4_102_444_800.0  # 1990..2100


class Thing(msgspec.Struct):
    """A submission (`t3_`) or a comment (`t1_`), as far as we read it."""

    name: str
    created_utc: float
    author: str | None = None
    subreddit: str | None = None
    title: str | None = None
    selftext: str | None = None
    body: str | None = None
    parent_id: str | None = None
    link_id: str | None = None
    removed_by_category: str | None = None


def read_listing(answer: Any, where: str, rejected: Counter[str]) -> tuple[list[Line[Thing]], str | None]:
    """The lines of a page, newest first as they came, and the place where the next page starts.

    Raises:
        Hostile: it is no listing.
    """
    shown = answer.get("data") if isinstance(answer, dict) else None
    children = shown.get("children") if isinstance(shown, dict) else None
    if not isinstance(shown, dict) or not isinstance(children, list):
        raise Hostile(f"reddit {where}: no listing came; was the address changed?")
    lines = []
    for child in children:
        try:
            thing = msgspec.convert(child["data"], Thing, strict=True)
        except (msgspec.ValidationError, KeyError, TypeError, IndexError):
            rejected["wrong shape"] += 1
            continue
        known = thing.name[:3] in {"t1_", "t3_"} and thing.name[3:].isalnum() and len(thing.name) <= 20
        if not known or not (math.isfinite(thing.created_utc) and _EARLIEST <= thing.created_utc <= _LATEST):
            rejected["wrong shape"] += 1
            continue
        lines.append(Line(thing.name, thing.created_utc, thing))
    after = shown.get("after")
    return lines, after if isinstance(after, str) and after else None


def is_gone(thing: Thing) -> bool:
    """Whether its words were deleted by the author or removed."""
    words = thing.selftext if thing.title is not None else thing.body
    deleted = (words or "").strip() in GONE - {""}
    return deleted or thing.removed_by_category is not None


def make_post(thing: Thing, *, source: str, context: CollectorContext, now: datetime) -> Post | str:
    """The post, or in a word why it is none."""
    if is_gone(thing):
        return "deleted"
    if thing.author in _AUTOMATIC:
        return "automatic"
    title, body = plain(thing.title or ""), plain((thing.selftext if thing.title is not None else thing.body) or "")
    text = cut(join_title("" if title in GONE else title, body))
    if not text:
        return "no text"
    author = None if thing.author is None or thing.author.strip() in GONE else thing.author
    community = thing.subreddit or ""
    # A page of one's own (r/u_name) is named after its owner.
    own = community[:2].casefold() == "u_"
    named = f"{source}:r/{community}" if community.replace("_", "").isalnum() and not own else source
    number = thing.name[3:]
    post_id = (thing.link_id or "")[3:]
    link = f"{number}/" if thing.name.startswith("t3_") else f"{post_id}/_/{number}/"
    return Post(
        source=named,
        id=thing.name,
        created_at=min(datetime.fromtimestamp(thing.created_utc, UTC), now),
        seen_at=now,
        text=text,
        author=context.author("reddit", author),
        url=f"https://www.reddit.com/comments/{link}" if not link.startswith("/") else None,
        reply_to=thing.parent_id if thing.name.startswith("t1_") else None,
    )
