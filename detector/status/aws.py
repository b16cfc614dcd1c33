"""Amazon Web Services: the health dashboard's events (JSON in UTF-16), the older `data.json`, or the RSS of everything.

`data.json` prints clock times in Pacific time without a day; the entry's `date` tells the first one. The RSS has a new
GUID for each update. Regional outages stay open for months there: name what counts in the URL's fragment
(`https://health.aws.amazon.com/health/status#us-east-1,global`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from detector.domain import Incident, PageState, StatusReading
from detector.errors import Hostile, Permanent, TransportError
from detector.status import fields, states
from detector.status.documents import Documents
from detector.status.feed import FeedPage
from detector.status.scope import Scope
from detector.status.sightings import Sightings
from detector.status.zones import STAMP, near
from detector.transport.guard import parse_target
from detector.transport.plaintext import plain
from detector.transport.session import Session

EVENTS, DATA, FEED = "/public/currentevents", "/data.json", "/rss/all.rss"
_LEVELS = {0: "none", 1: "none", 2: "minor", 3: "major"}
_SAID = {0: "resolved", 1: "informational", 2: "degraded", 3: "disruption"}
_RESOLVED = "[resolved]"
_EXACT = timedelta(minutes=1)


class AwsStatus:
    """Reads the dashboard, in the first of its dialects that answers.

    Args:
        service: the slug.
        url: the page as people open it; a fragment names regions or services that count.
        session: fetches; not closed here.
    """

    def __init__(self, service: str, url: str, session: Session) -> None:
        self._service = service
        target = parse_target(url.partition("#")[0])
        self._url = target.url
        self._base = f"{target.scheme}://{target.netloc}"
        self._scope = Scope(url)
        self._documents = Documents(session)
        self._sightings = Sightings()
        self._feed = FeedPage(service, self._base + FEED, session, empty=PageState.OPERATIONAL)
        self._dialect = EVENTS

    @property
    def service(self) -> str:
        """The slug."""
        return self._service

    @property
    def url(self) -> str:
        """The page people can open."""
        return self._url

    async def read(self, *, now: datetime) -> StatusReading:
        """The incidents, and the state that the open ones amount to.

        Raises:
            TransportError: none of the dialects could be read.
        """
        first: TransportError | None = None
        for path in dict.fromkeys((self._dialect, EVENTS, DATA, FEED)):
            try:
                reading = await self._read(path, now)
            except (Permanent, Hostile) as error:
                first = first or error
                continue
            self._dialect = path
            return reading
        raise first or Hostile(f"{self._base}: no dialect of the AWS dashboard came; check the address")

    async def _read(self, path: str, now: datetime) -> StatusReading:
        if path == FEED:
            told = await self._feed.read(now=now)
            return self._reading([one for one in told.incidents if self._scope.takes(one)], now)
        document = await self._documents.json(self._base + path)
        if path == EVENTS and isinstance(document, list) and (fields.entries(document) or not document):
            made = [one for entry in fields.entries(document) if (one := self._event(entry, now))]
        elif path == DATA and isinstance(document, Mapping) and isinstance(document.get("current"), list):
            listed = [*fields.entries(document["current"]), *fields.entries(document.get("archive"), 2000)]
            made = [one for entry in listed if (one := self._entry(entry, now))]
        else:
            raise Hostile(f"{self._base}{path}: no events came; is it the AWS dashboard?")
        self._sightings.settle()
        found = [one for one in {each.id: each for each in reversed(made)}.values() if self._scope.takes(one)]
        found += self._sightings.departed(found, now) if path == EVENTS else []
        return self._reading(found, now)

    def _reading(self, incidents: list[Incident], now: datetime) -> StatusReading:
        ordered = sorted(incidents, key=lambda one: (one.first_posted_at, one.id))
        open_now = [one.title for one in ordered if one.resolved_at is None]
        return StatusReading(
            service=self._service,
            at=now,
            state=states.from_incidents(ordered, now),
            description=open_now[-1] if open_now else "no open event",
            incidents=tuple(ordered),
        )

    def _event(self, entry: Mapping[str, Any], now: datetime) -> Incident | None:
        """An event of the health dashboard."""
        date = fields.moment(entry.get("date"), now)
        name = fields.key(str(entry.get("arn", "")).rpartition("/")[2]) or fields.key(entry.get("service"))
        if date is None or not name:
            return None
        ident = f"{name}_{date.timestamp():.0f}"
        said = [
            (
                f"{number}@{at.timestamp():.0f}",
                at,
                _SAID.get(_level(update.get("status")), "update"),
                fields.words(update.get("message")),
            )
            for number, update in enumerate(fields.entries(entry.get("event_log")))
            if (at := fields.moment(update.get("timestamp"), now)) is not None
        ]
        impacted = entry.get("impacted_services")
        affected = list(impacted.values())[:150] if isinstance(impacted, Mapping) else []
        parts = [entry.get("service"), entry.get("service_name"), entry.get("region_name")]
        parts += [each.get("service_name") for each in affected if isinstance(each, Mapping)]
        return self._incident(entry, ident, date, said, parts, now)

    def _entry(self, entry: Mapping[str, Any], now: datetime) -> Incident | None:
        """An entry of `data.json`."""
        date = fields.moment(entry.get("date"), now)
        name = fields.key(entry.get("service"))
        if date is None or not name:
            return None
        said = [
            (f"{number}", min(at, now), "update", words)
            for number, (at, words) in enumerate(described(fields.text(entry.get("description")), date))
        ]
        parts = [name, entry.get("service_name")]
        return self._incident(entry, f"{name}_{date.timestamp():.0f}", date, said, parts, now)

    def _incident(
        self,
        entry: Mapping[str, Any],
        ident: str,
        date: datetime,
        said: list[tuple[str, datetime, str, str]],
        parts: list[Any],
        now: datetime,
    ) -> Incident:
        title = fields.title(entry.get("summary"))
        level = _level(entry.get("status"))
        over = title.lower().startswith(_RESOLVED) or level == 0
        updates = self._sightings.updates(ident, said or [("0", date, "update", "")], now)
        return Incident(
            service=self._service,
            id=ident,
            title=title[len(_RESOLVED) :].strip() if title.lower().startswith(_RESOLVED) else title,
            impact=_LEVELS.get(level, "minor"),
            first_posted_at=min(updates[0].at, date),
            first_seen_at=self._sightings.first(ident, now),
            resolved_at=updates[-1].at if over else None,
            updates=updates,
            components=tuple(dict.fromkeys(plain(part)[:200] for part in parts if isinstance(part, str) and part)),
            url=self._url,
        )


def described(html: str, posted: datetime) -> list[tuple[datetime, str]]:
    """The updates of a `data.json` description: a Pacific clock time at the head of each, mostly without a day.

    Args:
        posted: the entry's `date`, the moment of the first update; its seconds are kept.

    >>> from datetime import UTC
    >>> html = "<div><span> 6:06 PM PDT</span>&nbsp;Looking.</div><div><span> 1:10 AM PDT</span>&nbsp;Better.</div>"
    >>> [(at.isoformat(), said) for at, said in described(html, datetime(2018, 5, 10, 1, 6, 41, tzinfo=UTC))]
    [('2018-05-10T01:06:41+00:00', 'Looking.'), ('2018-05-10T08:10:00+00:00', 'Better.')]
    """
    told: list[tuple[datetime, str]] = []
    last = posted
    for line in plain(html).splitlines():
        stamp = STAMP.match(line.lstrip(" [<"))
        at = near(stamp, last) if stamp else None
        if stamp is None or at is None:
            if told and line.strip():
                told[-1] = (told[-1][0], f"{told[-1][1]}\n{line.strip()}"[: fields.MAX_TEXT])
            continue
        if not stamp["month"] and told and at < last - _EXACT:
            at += timedelta(days=1)  # the clock went past midnight
        if not told and timedelta(0) <= posted - at < _EXACT:
            at = posted
        last = at
        told.append((at, line.lstrip(" [<")[stamp.end() :].strip(" ]>")[: fields.MAX_TEXT]))
    return told


def _level(value: object) -> int:
    """Status codes come as texts and as numbers; -1 for what is neither."""
    return int(value) if isinstance(value, str | int) and str(value) in {"0", "1", "2", "3"} else -1


def build(service: str, url: str, session: Session) -> AwsStatus:
    """A reader of the AWS dashboard (entry point `detector.status: aws`).

    Raises:
        Permanent: the URL is not one we would fetch.
    """
    return AwsStatus(service, url, session)
