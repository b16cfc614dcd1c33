"""A status feed's entries, whole: titles, markup, dates and categories as they stand in the RSS or Atom.

Not the parser of the collectors: a history holds all updates of an incident in one entry, newest first, and cutting it
to a post's length would cut off the first, the only one that counts. So the document is checked first (no DTD, no
entities, bounded depth, tags and attributes) and then read by expat, which is linear and has nothing left to expand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from detector.errors import Hostile
from detector.transport.precheck import checked

_MAX_FIELD = 400_000
_MAX_ENTRIES = 300
_ENTRY = {"item", "entry"}


@dataclass(slots=True)
class FeedEntry:
    """One entry; markup of `body` unresolved, dates as written."""

    id: str = ""
    link: str = ""
    title: str = ""
    body: str = ""
    published: str = ""
    updated: str = ""
    categories: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Feed:
    """A feed's own title and its entries, in its order."""

    title: str = ""
    entries: list[FeedEntry] = field(default_factory=list)


_FIELDS = {
    "guid": "id",
    "id": "id",
    "link": "link",
    "title": "title",
    "description": "body",
    "summary": "body",
    "content": "body",
    "encoded": "body",
    "pubdate": "published",
    "published": "published",
    "date": "published",
    "updated": "updated",
    "category": "category",
}


def parse(body: bytes, content_type: str = "") -> Feed:
    """A document's entries, 300 at most.

    Raises:
        Hostile: it is no feed, is not well-formed, or breaks a limit of `precheck`.

    >>> feed = parse(b"<rss><channel><title>S</title><item><title>Down</title><guid>1</guid></item></channel></rss>")
    >>> feed.title, feed.entries[0].title, feed.entries[0].id
    ('S', 'Down', '1')
    >>> parse(b"<html><body>Checking your browser")
    Traceback (most recent call last):
    detector.errors.Hostile: an HTML page came instead of a feed; check the address
    """
    clean = checked(body, content_type)
    reading = _Reading()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.data
    try:
        parser.Parse(clean, True)
    except expat.ExpatError as error:
        raise Hostile(f"the feed is not well-formed ({error}); check the address") from error
    if not reading.is_feed:
        raise Hostile("no feed came but another document; check the address")
    return reading.feed


class _Reading:
    """Handlers of expat: where we are and what was read so far."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.is_feed = False
        self._entry: FeedEntry | None = None
        self._field = ""
        self._depth = 0
        self._pieces: list[str] = []
        self._size = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2].lower()
        if not self.is_feed:
            self.is_feed = local in {"rss", "feed", "rdf"}
        if self._field:
            self._depth += 1
            if self._field == "body":  # XHTML inside an Atom content
                self._add(f"<{local}>")
            return
        if local in _ENTRY:
            self._entry = FeedEntry()
            return
        wanted = _FIELDS.get(local, "")
        if wanted == "link" and attributes.get("href"):
            if self._entry is not None and attributes.get("rel", "alternate") == "alternate":
                self._entry.link = attributes["href"][:2000]
            return
        if wanted == "category" and attributes.get("term"):
            self._store("category", attributes["term"])
            return
        if wanted and (self._entry is not None or wanted == "title"):
            self._field, self._depth, self._pieces, self._size = wanted, 0, [], 0

    def end(self, name: str) -> None:
        local = name.rpartition(":")[2].lower()
        if self._field:
            if self._depth:
                self._depth -= 1
                if self._field == "body":
                    self._add(f"</{local}>")
                return
            self._store(self._field, "".join(self._pieces))
            self._field = ""
        elif local in _ENTRY and self._entry is not None:
            if len(self.feed.entries) < _MAX_ENTRIES:
                self.feed.entries.append(self._entry)
            self._entry = None

    def data(self, piece: str) -> None:
        if self._field:
            self._add(piece)

    def _add(self, piece: str) -> None:
        if self._size < _MAX_FIELD:
            self._pieces.append(piece[: _MAX_FIELD - self._size])
            self._size += len(piece)

    def _store(self, name: str, value: str) -> None:
        value = value.strip()
        entry = self._entry
        if entry is None:
            if name == "title" and not self.feed.title:
                self.feed.title = value[:500]
        elif name == "category":
            if len(entry.categories) < 100:
                entry.categories.append(value[:200])
        elif name == "body":
            entry.body = max(entry.body, value, key=len)
        elif not getattr(entry, name):
            setattr(entry, name, value[:2000])
