"""Which service a post is judged for, where only one answer a post is wanted (labels, `detector classify`)."""

from __future__ import annotations

from detector.classify.labels import Labelled
from detector.domain import EPOCH, Mention, Post, parse_time
from detector.match import NameMatcher


def mention_of(post: Post, matcher: NameMatcher | None = None) -> Mention:
    """The one mention that stands for the post: the hinted service if it is named, else the first in the text.

    A post that names no known service is judged all the same, with its hint (which may be a handle) as the name.
    """
    found = list(matcher.match(post)) if matcher is not None else []
    if not found:
        hint = post.service_hint or ""
        return Mention(post=post, service=hint, matched=hint)
    meant = matcher.resolve(post.service_hint) if matcher is not None and post.service_hint else None
    hinted = [mention for mention in found if mention.service == meant]
    text = post.text.lower()

    def place(mention: Mention) -> tuple[int, str]:
        at = text.find(mention.matched.lower())
        return (at if at >= 0 else len(text), mention.service)

    return min(hinted or found, key=place)


def mention_of_label(row: Labelled, matcher: NameMatcher | None = None) -> Mention:
    """The mention a labelled post is judged by; a time that cannot be read is the epoch (judging reads no time)."""
    try:
        at = parse_time(row.created_at)
    except ValueError:
        at = EPOCH
    post = Post(
        source=row.source, id=row.id, created_at=at, seen_at=at, text=row.text, service_hint=row.service or None
    )
    return mention_of(post, matcher)
