"""Pages that offer a feed only: RSS or Atom histories, found from the page's address.

A feed tells incidents, not a state. No open incident reads as operational; an empty feed, or one whose newest entry
says nothing of its status, reads as unknown.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from datetime import datetime
from html import unescape
from urllib.parse import urljoin

from detector.domain import Incident, PageState, StatusReading
from detector.errors import Hostile, Permanent, TransportError
from detector.status import states
from detector.status.documents import Documents
from detector.status.feed_entries import Feed, parse
from detector.status.feed_updates import SPEAKS_FOR, Event, events
from detector.status.sightings import Sightings
from detector.transport.guard import parse_target
from detector.transport.precheck import to_text
from detector.transport.session import Session

PATHS = (
    "/history.atom",
    "/history.rss",
    "/feed.atom",
    "/feed.rss",
    "/feed",
    "/rss",
    "/incidents.atom",
    "/rss.xml",
    "/atom.xml",
)
_LINK = re.compile(r"<link\b[^<>]{0,1000}>", re.IGNORECASE)
_FEED_TYPE = re.compile(r"application/(?:atom|rss)\+xml", re.IGNORECASE)
_HREF = re.compile(r"""href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\b[^<>]{0,1000}>", re.IGNORECASE)
_FEEDLIKE = (".rss", ".atom", "/rss", "/atom", "/feed")


class FeedPage:
    """Reads one page's feed.

    Args:
        service: the slug.
        url: the feed itself, or the page that offers it.
        session: fetches; not closed here.
        empty: what a feed without any entry means.
        drops: whether the feed drops what is over (then an incident that is gone is closed).
    """

    def __init__(
        self, service: str, url: str, session: Session, *, empty: PageState = PageState.UNKNOWN, drops: bool = False
    ) -> None:
        self._service = service
        self._url = parse_target(url).url
        self._documents = Documents(session)
        self._sightings = Sightings()
        self._empty = empty
        self._drops = drops
        self._found: str | None = None
        self._names: dict[str, str] = {}

    @property
    def service(self) -> str:
        """The slug."""
        return self._service

    @property
    def url(self) -> str:
        """The page people can open."""
        return self._url

    async def read(self, *, now: datetime) -> StatusReading:
        """The incidents of the feed, and the state they amount to.

        Raises:
            TransportError: no feed could be read there.
        """
        if self._found is None:
            self._found, feed = await find_feed(self._url, self._documents)
        else:
            try:
                feed = await read_feed(self._found, self._documents)
            except (Permanent, Hostile):
                self._found = None  # the page may have moved its feed: look for it again next time
                raise
        told = events(feed.entries, now)
        incidents = [self._incident(event, now) for event in told]
        self._sightings.settle()
        state, description = self._state(told, incidents, now)
        if self._drops:
            incidents += self._sightings.departed(incidents, now)
        return StatusReading(
            service=self._service, at=now, state=state, description=description, incidents=tuple(incidents)
        )

    def _state(self, told: list[Event], incidents: list[Incident], now: datetime) -> tuple[PageState, str]:
        if not told:
            return self._empty, "the feed has no entries"
        silent = [one for one in told if not one.status and now - one.updates[-1][1] <= SPEAKS_FOR]
        state = states.from_incidents(incidents, now)
        open_now = [one.title for one in incidents if one.resolved_at is None and not one.maintenance]
        if silent and not self._drops and state in {PageState.OPERATIONAL, PageState.DEGRADED}:
            return PageState.UNKNOWN, f"the feed does not say whether this is over: {silent[-1].title}"
        return state, open_now[
            -1
        ] if open_now and state is not PageState.OPERATIONAL else "no open incident in the feed"

    def _incident(self, event: Event, now: datetime) -> Incident:
        ident = self._name(event)
        updates = self._sightings.updates(ident, event.updates, now)
        over_at = event.over_at
        if over_at is None and not event.status and not self._drops and now - event.updates[-1][1] > SPEAKS_FOR:
            over_at = event.updates[-1][1] + SPEAKS_FOR
        return Incident(
            service=self._service,
            id=ident,
            title=event.title,
            impact="maintenance" if event.maintenance else event.impact,
            first_posted_at=updates[0].at,
            first_seen_at=self._sightings.first(ident, now),
            resolved_at=over_at,
            updates=updates,
            components=event.components,
            url=event.url if event.url.startswith(("http://", "https://")) else self._url,
            maintenance=event.maintenance,
        )

    def _name(self, event: Event) -> str:
        """The id under which we know it: a feed that drops an incident's first entry must not rename it."""
        known = next((self._names[mark] for mark in event.marks if mark in self._names), event.id)
        if event.group is not None:
            if len(self._names) > 20_000:
                self._names.clear()
            self._names.update(dict.fromkeys(event.marks, known))
        return known


async def read_feed(url: str, documents: Documents) -> Feed:
    """A feed's entries; a large document is read in a thread.

    Raises:
        TransportError: it could not be fetched or is no feed.
    """
    answer = await documents.text(url)
    if len(answer.body) < 100_000:
        return parse(answer.body, answer.content_type)
    return await asyncio.to_thread(parse, answer.body, answer.content_type)


async def find_feed(url: str, documents: Documents) -> tuple[str, Feed]:
    """The feed that a page is or offers: the document itself, the feeds it names, the usual places.

    Raises:
        TransportError: nothing there is a feed; the first error.
    """
    first: TransportError | None = None
    offered: list[str] = []
    try:
        answer = await documents.text(url)
        try:
            return url, await asyncio.to_thread(parse, answer.body, answer.content_type)
        except Hostile as error:
            first = error
            offered = offers(answer.url, to_text(answer.body[:500_000], answer.content_type))
    except (Permanent, Hostile) as error:
        first = error
    target = parse_target(url)
    base = f"{target.scheme}://{target.netloc}"
    for candidate in dict.fromkeys([*offered[:6], *(base + path for path in PATHS)]):
        try:
            return candidate, await read_feed(candidate, documents)
        except (Permanent, Hostile):
            continue
    raise Permanent(f"{target.shown}: neither a feed nor a page that offers one ({first}); name the feed's own address")


def offers(url: str, html: str) -> list[str]:
    """The feeds that a page names in its head, then those it links to.

    >>> offers("https://s.example/a", '<link rel="alternate" type="application/atom+xml" href="/history.atom">')
    ['https://s.example/history.atom']
    """
    named = [_href(tag) for tag in _LINK.findall(html) if _FEED_TYPE.search(tag)]
    linked = [href for href in map(_href, _ANCHOR.findall(html)) if href.rstrip("/").lower().endswith(_FEEDLIKE)]
    return list(_http(url, [*named, *linked]))


def _href(tag: str) -> str:
    found = _HREF.search(tag)
    return next(filter(None, found.groups()), "") if found else ""


def _http(base: str, hrefs: Iterable[str]) -> Iterable[str]:
    for href in dict.fromkeys(hrefs):
        try:
            yield parse_target(urljoin(base, unescape(href).strip())).url
        except (Permanent, ValueError):
            continue


def build(service: str, url: str, session: Session) -> FeedPage:
    """A reader of a page's feed (entry point `detector.status: feed`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return FeedPage(service, url, session)
