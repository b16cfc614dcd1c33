"""Which stored posts were deleted or edited since: Reddit's terms want deleted words, and people, forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from detector.collectors.context import CollectorContext
from detector.collectors.reddit_posts import is_gone, make_post, read_listing
from detector.domain import Post
from detector.protocols import Recheck

_AT_ONCE = 100


def recheck(
    get: Callable[[str, Mapping[str, str | int]], Any],
    posts: Sequence[Post],
    *,
    source: str,
    context: CollectorContext,
    now: datetime,
) -> Recheck:
    """Look posts up, 100 a request; posts of other sources are left alone.

    Raises:
        TransportError: Reddit did not answer usably; nothing is then known of any of them.
    """
    ours = [post for post in posts if post.source == source or post.source.startswith(f"{source}:")]
    ours = [post for post in ours if post.id[:3] in {"t1_", "t3_"} and post.id[3:].isalnum()]
    deleted: list[tuple[str, str]] = []
    edited: list[Post] = []
    for batch in _batches(ours):
        answer = get("api/info/", {"id": ",".join(dict.fromkeys(post.id for post in batch)), "limit": _AT_ONCE})
        unreadable: Counter[str] = Counter()
        lines, _ = read_listing(answer, "api/info", unreadable)
        found = {line.id: line.entry for line in lines}
        for post in batch:
            thing = found.get(post.id)
            if thing is None and unreadable:
                continue  # it may be one that came in another shape
            if thing is None or is_gone(thing):
                deleted.append(post.key)
                continue
            made = make_post(thing, source=source, context=context, now=now)
            if isinstance(made, str):
                deleted.append(post.key)
            elif made.text != post.text or (made.author is None and post.author is not None):
                edited.append(replace(post, text=made.text, author=post.author if made.author else None))
    return Recheck(deleted=tuple(deleted), edited=tuple(edited), asked=len(ours))


def _batches(posts: Sequence[Post]) -> Iterator[Sequence[Post]]:
    for start in range(0, len(posts), _AT_ONCE):
        yield posts[start : start + _AT_ONCE]
