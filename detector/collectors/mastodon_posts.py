"""From a Mastodon status, or an entry of a tag's RSS, to a post: one mark for one post wherever it was read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import msgspec

from detector.collectors.context import CollectorContext
from detector.domain import Post, parse_time
from detector.transport.plaintext import cut, join_title, plain
from detector.transport.worker import FeedEntry

SOURCE = "mastodon"
_PERSON = re.compile(r"/(?:@|users/)([^/@?#]+)(?:@([^/?#]+))?")


class Account(msgspec.Struct):
    """Who wrote it, as the server that was asked sees them."""

    acct: str = ""
    created_at: str | None = None


class Status(msgspec.Struct):
    """A status of `/api/v1/timelines`."""

    id: str
    uri: str
    content: str = ""
    created_at: str = ""
    spoiler_text: str = ""
    visibility: str = "public"
    url: str | None = None
    account: Account | None = None
    reblog: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFacts:
    """What both ways of reading tell.

    Attributes:
        mark: the same for the same post, on every server and in JSON and RSS.
        author: name@server, before it is hashed.
        written: None where no date is legible.
    """

    mark: str
    text: str
    author: str
    written: datetime | None
    public: bool = True
    joined: datetime | None = None


def facts_of_status(status: Status, server: str) -> StatusFacts:
    """A status of the JSON API, read from `server` (its local accounts carry no host)."""
    account = status.account or Account()
    author = account.acct if "@" in account.acct or not account.acct else f"{account.acct}@{server}"
    return StatusFacts(
        mark=mark_of(status.uri),
        text=cut(join_title(plain(status.spoiler_text), plain(status.content))),
        author=author.lower(),
        written=_time(status.created_at),
        public=status.visibility in {"public", "unlisted"} and status.reblog is None,
        joined=_time(account.created_at or ""),
    )


def facts_of_entry(entry: FeedEntry) -> StatusFacts:
    """An entry of a tag's RSS; its link names the person."""
    address = entry.url or entry.id
    found = _PERSON.search(address)
    author = f"{found[1]}@{found[2] or urlsplit(address).netloc}" if found else entry.author
    return StatusFacts(
        mark=mark_of(entry.id or address),
        text=cut(join_title(entry.title, entry.text)),
        author=author.lower(),
        written=datetime.fromtimestamp(entry.published, UTC) if entry.published else None,
    )


def mark_of(uri: str) -> str:
    """The server and number of a post: its `uri` and its page's address differ, these two do not.

    >>> mark_of("https://hachyderm.io/users/ada/statuses/111544") == mark_of("https://hachyderm.io/@ada/111544")
    True
    >>> mark_of("https://misskey.example/notes/9xyz")
    'misskey.example/9xyz'
    """
    parts = urlsplit(uri)
    last = parts.path.rstrip("/").rpartition("/")[2]
    return f"{parts.netloc.lower()}/{last}" if parts.netloc and last else uri[:300]


def post_of(facts: StatusFacts, context: CollectorContext, now: datetime, max_age: timedelta) -> Post | str:
    """A post, or in a word why it is none. Its id is hashed: on a person's own server, the host names them."""
    if not facts.text:
        return "no text"
    if not facts.public:
        return "not public"
    if facts.written is None:
        return "no date"
    if facts.written < now - max_age:
        return "old"
    joined = facts.joined
    return Post(
        source=SOURCE,
        id=f"h:{context.author(SOURCE, facts.mark)}",
        created_at=min(facts.written, now),
        seen_at=now,
        text=facts.text,
        author=context.author(SOURCE, facts.author),
        account_created_at=joined if joined is not None and joined <= now else None,
    )


def _time(value: str) -> datetime | None:
    try:
        return parse_time(value)
    except (ValueError, OverflowError):
        return None
