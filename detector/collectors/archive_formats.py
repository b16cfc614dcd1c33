"""From one archive line to a post: our own JSONL, Reddit dumps, Hacker News items, Jetstream events, CSV, Parquet rows.

One struct takes all shapes, so that a line is decoded once; which shape it is shows in the time field it carries.
Nothing an archive learned later (scores, edits, deletion flags) is looked at.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec

from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_light import assumption
from detector.collectors.archive_times import OutOfRangeError, read_time, typical_delay
from detector.collectors.context import author_hash
from detector.domain import Post
from detector.transport.plaintext import MAX_TEXT, cut, fold, join_title, plain

Word = str | int | None
Moment = str | int | float | None


class _Reference(msgspec.Struct, gc=False):
    uri: str = ""


class _Reply(msgspec.Struct, gc=False):
    parent: _Reference | None = None


class _Record(msgspec.Struct, gc=False, rename={"kind": "$type"}):
    kind: str = ""
    text: str = ""
    created_at: Moment = msgspec.field(default=None, name="createdAt")
    reply: _Reply | None = None


class _Commit(msgspec.Struct, gc=False):
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: _Record | None = None


class _Payload(msgspec.Struct, gc=False):
    did: str = ""
    time: Moment = None
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: _Record | None = None


class Line(msgspec.Struct, gc=False):
    """Every field of every shape; see DESIGN section 6 "Archive line"."""

    source: str | None = None
    id: Word = None
    created_at: Moment = None
    seen_at: Moment = None
    author: Word = None
    text: str | None = None
    body: str | None = None
    url: str | None = None
    service: str | None = None
    in_reply_to: Word = None
    inbound: bool | str | None = None
    truth: str | None = None
    label: str | None = None
    created_utc: Moment = None
    title: str | None = None
    selftext: str | None = None
    permalink: str | None = None
    subreddit: str | None = None
    name: str | None = None
    parent_id: Word = None
    by: str | None = None
    time: Moment = None
    type: str | None = None
    parent: Word = None
    deleted: bool | None = None
    dead: bool | None = None
    did: str | None = None
    time_us: int | None = None
    commit: _Commit | None = None
    payload: _Payload | None = None


class Unusable(Exception):  # noqa: N818 - a verdict on a line, caught by the reader
    """The line cannot be a post; `kind` is counted."""

    def __init__(self, kind: str, why: str = "") -> None:
        super().__init__(why or kind)
        self.kind = kind


class Skipped(Exception):  # noqa: N818 - a verdict on a line, caught by the reader
    """The line is well-formed and no post; `kind` is counted."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


NO_ID = "posts without an id got one made of source, time, author and words"

_HASH = re.compile(r"(?:u_|user_)?(?=[0-9]*[a-f])[0-9a-f]{10,64}")
_GONE = {"[deleted]", "[removed]", "[deleted by user]"}
_REDDIT = "https://www.reddit.com"
_PERSON_PAGE = re.compile(r"reddit\.com/(?:user|u|r/u_)|/@|/users?/|//(?:www\.|mobile\.)?(?:twitter|x)\.com/(?!i/)")
_MARKUP = re.compile(r"[<&]")


class PostMaker:
    """Makes posts from decoded lines.

    Args:
        counters: where assumptions, clamping and cuts are counted.
        default_source: for lines of our own shape that name none.
        author_key: for authors given in clear; what already looks like a hash stays.
        prefilter: sees the text before a post is made; a False drops it (`make` returns None).
    """

    def __init__(
        self,
        counters: ReadCounters,
        *,
        default_source: str,
        author_key: bytes = b"",
        prefilter: Callable[[str], bool] | None = None,
    ) -> None:
        self._counters = counters
        self._default_source = default_source
        self._key = author_key
        self._prefilter = prefilter
        self._authors: dict[tuple[str, str], str] = {}

    def make(self, line: Line) -> Post | None:
        """The line's post, or None if the prefilter does not want it.

        Raises:
            Unusable: something it needs is missing or wrong.
            Skipped: it is something else than a post.
        """
        if line.created_at is not None:
            return self._own(line)
        if line.created_utc is not None:
            return self._reddit(line)
        if line.time_us is not None or line.payload is not None:
            return self._jetstream(line)
        if line.time is not None:
            return self._hackernews(line)
        if line.deleted:
            raise Skipped("deletion")
        raise Unusable("no time", "none of created_at, created_utc, time, time_us is there")

    def _own(self, line: Line) -> Post | None:
        return self._post(
            source=line.source or self._default_source,
            id=line.id,
            created=line.created_at,
            seen=line.seen_at,
            title=line.text if line.text is not None else line.title or "",
            body=line.body or "",
            author=line.author,
            url=line.url,
            reply_to=line.in_reply_to,
            hint=line.service,
            official=_is_false(line.inbound),
            truth=line.truth or line.label,
        )

    def _reddit(self, line: Line) -> Post | None:
        body = line.selftext if line.selftext is not None else line.body or ""
        prefix = "t3_" if line.title is not None else "t1_"
        given = line.name or (f"{prefix}{line.id}" if line.id is not None else None)
        community = line.subreddit or "unknown"
        return self._post(
            source=line.source or f"reddit:r/{community}",
            id=given,
            created=line.created_utc,
            seen=line.seen_at,
            title=line.title or "",
            body="" if body in _GONE else body,
            author=None if line.author in _GONE else line.author,
            url=_REDDIT + line.permalink if line.permalink and line.permalink.startswith("/") else line.permalink,
            reply_to=line.parent_id,
            hint=line.service,
            truth=line.truth or line.label,
        )

    def _hackernews(self, line: Line) -> Post | None:
        if line.type not in {None, "story", "comment", "poll"}:
            raise Skipped("Hacker News job or poll option")
        if line.deleted:
            raise Skipped("deletion")
        return self._post(
            source=line.source or "hackernews",
            id=line.id,
            created=line.time,
            seen=line.seen_at,
            title=line.title or "",
            body=line.text or "",
            author=line.by,
            url=f"https://news.ycombinator.com/item?id={line.id}",
            reply_to=line.parent,
            hint=line.service,
            truth=line.truth or line.label,
        )

    def _jetstream(self, line: Line) -> Post | None:
        # Version 1 nests the operation in `commit`, version 2 puts it flat into `payload`.
        if line.payload is not None:
            event: _Commit | _Payload | None = line.payload
            did, at = line.payload.did, line.payload.time
        else:
            event, did, at = line.commit, line.did or "", line.time_us
        if event is None or event.collection != "app.bsky.feed.post":
            raise Skipped("Bluesky event that is no post")
        if event.operation != "create" or event.record is None:
            raise Skipped("Bluesky update or deletion")
        record = event.record
        parent = record.reply.parent.uri if record.reply is not None and record.reply.parent is not None else ""
        return self._post(
            source=line.source or "bluesky",
            id=self._bluesky_id(did, event.rkey),
            created=record.created_at if _legible(record.created_at) else at,
            seen=at,
            title="",
            body=record.text,
            author=did,
            url=None,
            reply_to=self._bluesky_id(*_uri(parent)) if parent else None,
        )

    def _bluesky_id(self, did: str, rkey: str) -> str | None:
        return f"{self._author('bluesky', did)}/{rkey}" if did and rkey else None

    def _post(
        self,
        *,
        source: str,
        id: Word,  # noqa: A002 - the field's name
        created: Moment,
        seen: Moment,
        title: str,
        body: str,
        author: Word,
        url: str | None,
        reply_to: Word,
        hint: str | None = None,
        official: bool = False,
        truth: str | None = None,
    ) -> Post | None:
        counters = self._counters
        text = self._text(title, body)
        if not text:
            raise Unusable("no text")
        if self._prefilter is not None and not self._prefilter(text):
            return None
        created_at = self._time(created)
        if id is None or id == "":
            id = _made_id(source, created_at, author, text)  # noqa: A001 - the field's name
            counters.assumed[NO_ID] += 1
        if seen is not None:
            seen_at = self._time(seen)
            if created_at > seen_at:
                created_at = seen_at
                counters.clamped += 1
        else:
            delay = typical_delay(source)
            seen_at = created_at + delay
            if delay:
                counters.assumed[assumption(source, delay.total_seconds())] += 1
        return Post(
            source=source,
            id=id if isinstance(id, str) else str(id),
            created_at=created_at,
            seen_at=seen_at,
            text=text,
            author=self._author(source, author) if author is not None and author != "" else None,
            url=None if url is None or _PERSON_PAGE.search(url) or not url.startswith("http") else url,
            reply_to=str(reply_to) if reply_to is not None and reply_to != "" else None,
            service_hint=hint or None,
            official=official,
            truth=truth,
        )

    def _text(self, title: str, body: str) -> str:
        size = len(title) + len(body)
        if size > MAX_TEXT // 4:
            title, body = title[: 4 * MAX_TEXT], body[: 4 * MAX_TEXT]
        # A line that is nothing but `<tag>` was no markup.
        title = (plain(title) or fold(title)) if _MARKUP.search(title) else fold(title)
        if body:
            title = join_title(title, plain(body) if _MARKUP.search(body) else fold(body))
        if size <= MAX_TEXT // 4:
            return title
        short = cut(title)
        if len(short) < len(title) or size > 4 * MAX_TEXT:
            self._counters.shortened += 1
        return short

    def _time(self, value: Moment) -> datetime:
        try:
            return read_time(value if value is not None else "", self._counters.assumed)
        except OutOfRangeError as error:
            raise Unusable("time out of range", str(error)) from error
        except (ValueError, TypeError, IndexError) as error:
            raise Unusable("no time", f"{str(value)[:60]!r} is none") from error

    def _author(self, source: str, author: str | int) -> str:
        name = author if isinstance(author, str) else str(author)
        if _HASH.fullmatch(name):
            return name
        kept = self._authors.get((source, name))
        if kept is None:
            if len(self._authors) > 200_000:
                self._authors.clear()
            kept = self._authors[(source, name)] = author_hash(self._key, source, name)
        return kept


def _made_id(source: str, created_at: datetime, author: Word, text: str) -> str:
    """An id for a line without one: the same words by the same person at the same time are the same post."""
    words = f"{source}\x00{created_at.isoformat()}\x00{author}\x00{text}"
    return "h:" + hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:16]


def _legible(value: Moment) -> bool:
    """Whether a Bluesky client's claim of a time can be used; the server's time stands in otherwise."""
    try:
        read_time(value if value is not None else "", Counter())
    except ValueError:
        return False
    return True


def _is_false(value: bool | str | None) -> bool:
    return value is False or (isinstance(value, str) and value.lower() in {"false", "0", "no"})


def _uri(uri: str) -> tuple[str, str]:
    """`at://did/collection/rkey` as (did, rkey).

    >>> _uri("at://did:plc:x/app.bsky.feed.post/3k")
    ('did:plc:x', '3k')
    """
    parts = uri.removeprefix("at://").split("/")
    return (parts[0], parts[-1]) if len(parts) == 3 else ("", "")
