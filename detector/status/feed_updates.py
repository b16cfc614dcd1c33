"""From feed entries to incidents: histories with all updates in one entry, and feeds with an entry for each update.

Three shapes are known: Statuspage and its imitators (stamps such as "Aug 21, 00:37 UTC" inside the entry, newest first,
no year), incident.io ("Status: Resolved" at the head of the newest text, a ULID as id), and one entry an update (AWS
with a new GUID each time, Better Stack with a fragment). An Atom `published` is the last update, never the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from detector.status import fields, states
from detector.status.feed_entries import FeedEntry
from detector.status.zones import STAMP, near, written_date
from detector.transport.plaintext import plain

SAME_EVENT = timedelta(hours=24)
# An entry without any word on its status says something about its own day only.
SPEAKS_FOR = timedelta(hours=24)
_STAMP_LINE = re.compile(rf"^[ \[]*{STAMP.pattern}[\] ]*$", re.MULTILINE)
_SAID = re.compile(r"(?P<status>[A-Z][A-Za-z]+(?: [A-Za-z]+)?) ?[-–—:] ?(?P<text>.*)", re.DOTALL)
_HEAD = re.compile(r"Status: ?(?P<status>[A-Za-z ]{3,30}?) *(?:\n|$)")
_TITLE = re.compile(
    r"^\[?(?P<status>investigating|identified|monitoring|update|resolved|mitigated|active|scheduled|in progress"
    r"|verifying|completed|service impact|service degradation|service disruption|informational message"
    r"|performance issues|service is operating normally)\]?\s*[:\]–—-]\s*",
    re.IGNORECASE,
)
_RESOLVED_MARK = re.compile(r"\[resolved\]\s*", re.IGNORECASE)
_AWS_GUID = re.compile(r"(?P<event>.*#[\w.-]+)_(?P<epoch>\d{9,11})")
_MAINTENANCE = re.compile(r"\bmaintenance\b", re.IGNORECASE)
_STATUSES = {
    "service is operating normally": "resolved",
    "mitigated": "resolved",
    "service impact": "investigating",
    "service degradation": "investigating",
    "service disruption": "investigating",
    "performance issues": "investigating",
    "informational message": "investigating",
    "active": "investigating",
    "update": "update",
    "in progress": "in_progress",
    "maintenance in progress": "in_progress",
    "maintenance scheduled": "scheduled",
}
_IMPACTS = {
    "service disruption": "major",
    "service impact": "major",
    "service degradation": "minor",
    "performance issues": "minor",
    "informational message": "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a feed says of one incident.

    Attributes:
        id: stable over its updates, as far as the feed lets us.
        updates: (mark, at, status, text), oldest first; a status of "" was not told.
        group: entries of one group, title and day are the same incident; None where the id alone decides.
    """

    id: str
    title: str
    url: str
    updates: tuple[tuple[str, datetime, str, str], ...]
    impact: str | None = None
    components: tuple[str, ...] = ()
    maintenance: bool = False
    group: str | None = None
    marks: tuple[str, ...] = field(default=())

    @property
    def status(self) -> str:
        """The last word on it."""
        return self.updates[-1][2]

    @property
    def over_at(self) -> datetime | None:
        """When it was over; None while it is open."""
        return states.closed_at((at, status) for _, at, status, _ in self.updates)


def events(entries: Iterable[FeedEntry], now: datetime) -> list[Event]:
    """The incidents of a feed, oldest first; entries without any date or title are left out."""
    made = [event for entry in entries if (event := _event(entry, now)) is not None]
    made.sort(key=lambda one: one.updates[0][1])
    joined: dict[str, Event] = {}
    for event in made:
        name = event.id
        if event.group is not None:
            name = next(
                (
                    known
                    for known, one in reversed(joined.items())
                    if one.group == event.group and event.updates[0][1] - one.updates[-1][1] <= SAME_EVENT
                ),
                name,
            )
        joined[name] = _joined(joined[name], event) if name in joined else event
    return list(joined.values())


def _joined(one: Event, other: Event) -> Event:
    updates = tuple(sorted({*one.updates, *other.updates}, key=lambda update: update[1]))
    return replace(
        one,
        title=other.title,
        updates=updates,
        impact=one.impact if other.impact in {None, "none"} else other.impact,
        components=tuple(dict.fromkeys((*one.components, *other.components))),
        maintenance=one.maintenance or other.maintenance,
        marks=(*one.marks, *other.marks),
    )


def _event(entry: FeedEntry, now: datetime) -> Event | None:
    shown = written_date(entry.updated or entry.published) or written_date(entry.published)
    body = plain(entry.body)
    title = plain(entry.title)
    named = _TITLE.match(title)
    said = named["status"].lower() if named else ""
    bare = _RESOLVED_MARK.sub("", title[named.end() :] if named else title).strip()
    if not (bare or body):
        return None
    updates = list(_stamped(body, min(shown or now, now), now))
    ident = _identity(entry)
    if not updates:
        if shown is None:
            return None
        status, words = _single(said, title, body)
        updates = [(entry.id or ident, min(shown, now), status, words)]
        made = fields.ulid_time(ident, now)
        if made is not None and made < updates[0][1]:
            # The id was made when the incident was put on the page; what was said then is no longer shown.
            updates.insert(0, (f"{ident}/made", made, "investigating" if status in states.OVER else status, ""))
    updates.sort(key=lambda update: update[1])
    aws = _AWS_GUID.fullmatch(entry.id)
    planned = bool(_MAINTENANCE.search(bare)) or any(update[2] in states.PLANNED for update in updates)
    return Event(
        id=ident,
        title=bare[:500] or "(untitled)",
        url=entry.link,
        updates=tuple(updates),
        impact=_IMPACTS.get(said),
        components=_components(entry, body, aws),
        maintenance=planned,
        group=f"{aws['event']}\x00{bare.lower()}" if aws else None,
        marks=(entry.id,),
    )


def _stamped(body: str, anchor: datetime, now: datetime) -> Iterator[tuple[str, datetime, str, str]]:
    """Updates of a history entry; each stamp stands alone in its line, its words follow."""
    found = list(_STAMP_LINE.finditer(body))
    last = anchor
    for number, stamp in enumerate(found):
        at = near(stamp, last, fallback=_shift(found[0], anchor))
        if at is None:
            continue
        last = at
        until = found[number + 1].start() if number + 1 < len(found) else len(body)
        words = body[stamp.end() : until].strip()
        said = _SAID.match(words)
        status = _status(said["status"]) if said else ""
        yield (
            f"{at:%Y%m%dT%H%M}/{len(found) - number}",
            min(at, now),
            status,
            fields.words(said["text"] if said else words),
        )


def _shift(stamp: re.Match[str], anchor: datetime) -> timedelta:
    """The offset of a zone nobody told us, from the newest stamp, whose moment we know in UTC."""
    read = near(stamp, anchor)
    quarters = round((read - anchor) / timedelta(minutes=15)) if read is not None else 0
    return timedelta(minutes=15) * max(min(quarters, 56), -48)


def _single(said: str, title: str, body: str) -> tuple[str, str]:
    head = _HEAD.match(body)
    if head:
        return _status(head["status"]), fields.words(body[head.end() :])
    if _RESOLVED_MARK.search(title):
        return "resolved", fields.words(body)
    return (_status(said) if said else ""), fields.words(body)


def _status(word: str) -> str:
    word = word.strip().lower()
    return _STATUSES.get(word, word.replace(" ", "_"))


def _identity(entry: FeedEntry) -> str:
    """The incident's own name: the last part of its link or id, as the page's JSON has it, where that is unmistakable.

    >>> _identity(FeedEntry(id="tag:x,2005:Incident/31", link="https://s.example/incidents/bhbcjn4n3jzp"))
    'bhbcjn4n3jzp'
    >>> _identity(FeedEntry(id="https://s.example/#ec2-us-east-1_1639599392", link="https://s.example/"))
    'ec2-us-east-1_1639599392'
    """
    for address in (entry.link, entry.id):
        path = address.partition("#")[0].partition("?")[0].rstrip("/")
        tail = path.rpartition("/")[2]
        if "/incident" in path and tail and not tail.startswith("incident"):
            return tail[:200]
    fragment = entry.id.partition("#")[2]
    return (fragment or entry.id or entry.link or entry.title)[:200]


def _components(entry: FeedEntry, body: str, aws: re.Match[str] | None) -> tuple[str, ...]:
    if aws:
        return (aws["event"].rpartition("#")[2],)
    listed = body.partition("Affected components")[2]
    lines = [line.strip(" •-*").partition(" (")[0] for line in listed.splitlines()[1:40]]
    return tuple(dict.fromkeys(line[:200] for line in (*lines, *entry.categories) if line))
