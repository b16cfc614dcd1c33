"""Posts as somebody else's program sends them, in the shape of our archives, over HTTP or a bus."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from detector.collectors.context import CollectorContext
from detector.domain import Post
from detector.transport.plaintext import cut, join_title, plain

_MAX_AGE = timedelta(days=2)
_ID = re.compile(r"[\x21-\x7e]{1,200}")


class Incoming(msgspec.Struct):
    """One post as it is sent."""

    text: str = ""
    title: str = ""
    body: str = ""
    id: str | int | None = None
    created_at: datetime | float | None = None
    author: str | None = None
    account_created_at: datetime | None = None
    url: str | None = None
    service: str | None = None
    in_reply_to: str | int | None = None


def decode(raws: Sequence[msgspec.Raw]) -> tuple[list[Incoming], Counter[str]]:
    """Those that have a shape, a time and a text; and how many have not, by reason."""
    posts: list[Incoming] = []
    bad: Counter[str] = Counter()
    for raw in raws:
        try:
            post = msgspec.json.decode(raw, type=Incoming)
            if post.created_at is not None:
                time_of(post.created_at)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            bad["wrong shape"] += 1
        except (ValueError, OverflowError, OSError):
            bad["no time"] += 1
        else:
            if (post.text or post.title or post.body).strip():
                posts.append(post)
            else:
                bad["no text"] += 1
    return posts, bad


def as_post(
    each: Incoming, context: CollectorContext, *, source: str, now: datetime, fallback: str | None = None
) -> Post | str:
    """A post of ours, or the reason why it is none.

    Args:
        fallback: the id of one that brings none; without it the id is a hash of what it says.
    """
    title, body = plain(each.title), plain(each.body)
    text = cut(join_title(title, plain(each.text)) if not body else join_title(title or plain(each.text), body))
    if not text:
        return "no text"
    created_at = now if each.created_at is None else min(time_of(each.created_at), now)
    if created_at < now - _MAX_AGE:
        return "old"
    author = each.author.strip() if each.author else None
    given = fallback if each.id is None else str(each.id)
    named = bool(author and given and author.casefold() in given.casefold())
    if given is None or named or not _ID.fullmatch(given):
        basis = given if given is not None else f"{author}\x00{text}\x00{each.created_at}"
        given = "h:" + hashlib.sha256(basis.encode("utf-8", "replace")).hexdigest()[:24]
    return Post(
        source=source,
        id=given,
        created_at=created_at,
        seen_at=now,
        text=text,
        author=context.author(source, author),
        url=_nameless(each.url, author),
        reply_to=_reply(each.in_reply_to, author),
        service_hint=each.service,
        account_created_at=min(time_of(each.account_created_at), now) if each.account_created_at else None,
    )


def time_of(value: datetime | float) -> datetime:
    """A time as it was sent: with a zone, without one (UTC), or in Unix seconds."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(value, UTC)


def _nameless(url: str | None, author: str | None) -> str | None:
    if not url or len(url) > 2000 or not url.startswith(("http://", "https://")) or "@" in url or not url.isprintable():
        return None
    return None if author and author.casefold() in url.casefold() else url


def _reply(given: str | int | None, author: str | None) -> str | None:
    text = "" if given is None else str(given)
    named = bool(author and author.casefold() in text.casefold())
    return text if _ID.fullmatch(text) and not named else None
