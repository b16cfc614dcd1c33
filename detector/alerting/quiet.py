"""When somebody is left in peace: hours of the day, official maintenance, flapping; and what was told already. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.domain import Alert, Level, Notification, PageState, Reason

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FLAPPING_PAIRS = 2
FLAPPING_WITHIN = timedelta(hours=1)

# Messages that are not about the life of an alert: having sent one does not mean that its beginning was told.
ASIDE = frozenset({Reason.INHIBITED, Reason.DIGEST, Reason.UNDELIVERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A part of the day in a place, on some days; one that ends before it begins runs over midnight.

    Attributes:
        begin, end: minutes after midnight.
        days: of `DAYS`: those on which it begins.
        zone: an IANA name.
    """

    begin: int
    end: int
    days: tuple[str, ...] = DAYS
    zone: str = "UTC"

    @classmethod
    def parse(cls, text: str, *, days: Sequence[str] = DAYS, zone: str = "UTC") -> Hours:
        """Read "22:00-07:00".

        Raises:
            ValueError: another form, no such day or no such zone.

        >>> Hours.parse("22:00-07:00", zone="Europe/Berlin").words
        '22:00-07:00 Europe/Berlin'
        """
        found = re.fullmatch(r"\s*(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\s*", text)
        figures = [int(figure) for figure in found.groups()] if found else []
        begin, end = (figures[0] * 60 + figures[1], figures[2] * 60 + figures[3]) if figures else (-1, -1)
        if not (0 <= begin < 1440 and 0 <= end <= 1440 and figures[1] < 60 and figures[3] < 60):
            raise ValueError(f"{text!r} is no part of a day; write 22:00-07:00")
        if isinstance(days, str) or not days or any(day not in DAYS for day in days):
            raise ValueError(f"{days!r} are no days; write a list of {', '.join(DAYS)}")
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no time zone {zone!r}; write one like Europe/Berlin") from error
        return cls(begin=begin, end=end, days=tuple(days), zone=zone)

    @property
    def words(self) -> str:
        """As a person writes it."""
        days = "" if self.days == DAYS else f" on {', '.join(self.days)}"
        clock = f"{self.begin // 60:02}:{self.begin % 60:02}-{self.end // 60:02}:{self.end % 60:02}"
        return f"{clock}{days} {self.zone}"

    def local(self, now: datetime) -> datetime:
        """The time there."""
        return now.astimezone(ZoneInfo(self.zone))

    def holds(self, now: datetime) -> bool:
        """Whether `now` lies in it.

        >>> from detector.domain import parse_time
        >>> night = Hours.parse("22:00-07:00", days=["fri"])
        >>> [night.holds(parse_time(at)) for at in ("2026-03-06T23:00Z", "2026-03-07T06:59Z", "2026-03-07T23:00Z")]
        [True, True, False]
        """
        there = self.local(now)
        minute = there.hour * 60 + there.minute
        today, yesterday = DAYS[there.weekday()], DAYS[there.weekday() - 1]
        if self.begin < self.end:
            return self.begin <= minute < self.end and today in self.days
        return (minute >= self.begin and today in self.days) or (minute < self.end and yesterday in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """When somebody sleeps, and what wakes them.

    Attributes:
        through: alerts of this level are told all the same.
        escalate_after: and those that have lasted so long; None never.
    """

    hours: Hours
    through: Level = Level.MAJOR
    escalate_after: timedelta | None = None

    def hushes(self, alert: Alert, now: datetime) -> str | None:
        """Why an alert waits, None where it does not."""
        if not self.hours.holds(now) or alert.level.rank >= self.through.rank:
            return None
        if self.escalates(alert, now):
            return None
        until = f", or after {self.escalate_after}" if self.escalate_after else ""
        return f"quiet hours {self.hours.words}; told at their end, at {self.through.value}{until}"

    def escalates(self, alert: Alert, now: datetime) -> bool:
        """Whether it has lasted long enough to wake somebody."""
        since = alert.fired_at or alert.watch_at
        return self.hours.holds(now) and self.escalate_after is not None and now - since >= self.escalate_after


def at_work(alert: Alert) -> str | None:
    """The announced work that explains an alert, None where the page announces none or the alert is major."""
    official = alert.official
    if official is None or alert.level is Level.MAJOR:
        return None
    if official.incident is not None:
        return f"announced work: {official.incident.title[:80]}" if official.incident.maintenance else None
    return "the official page announces work" if official.state is PageState.MAINTENANCE else None


class History:
    """What was told, or is owed, to whom: the notification log of the last hours and of every open alert."""

    def __init__(self, notifications: Iterable[Notification] = ()) -> None:
        """Take in a log, in any order."""
        self._lives: dict[tuple[str, str], list[Notification]] = {}
        self._ends: dict[tuple[str, str], list[datetime]] = {}
        self._asides: dict[tuple[str, Reason], list[Notification]] = {}
        self._dismissed: frozenset[tuple[str, str]] = frozenset()
        for told in sorted(notifications, key=lambda one: (one.created_at, one.id)):
            self.note(told)

    def note(self, told: Notification) -> None:
        """Take in a message later than all before."""
        if told.reason in ASIDE:
            self._asides.setdefault((told.receiver, told.reason), []).append(told)
            return
        self._lives.setdefault((told.receiver, told.alert.key), []).append(told)
        if told.reason is Reason.RESOLVED:
            self._ends.setdefault((told.receiver, told.alert.service), []).append(told.created_at)

    def dismiss(self, those: Iterable[tuple[str, str]]) -> None:
        """Take in which receivers said of which alerts (by key) that they are not their concern; all there are."""
        self._dismissed = frozenset(those)

    def dismissed(self, receiver: str, alert_key: str) -> bool:
        """Whether somebody at a receiver said that an alert is not their concern."""
        return (receiver, alert_key) in self._dismissed

    def last(self, receiver: str, alert_key: str) -> Notification | None:
        """The latest message on an alert's life."""
        told = self._lives.get((receiver, alert_key))
        return told[-1] if told else None

    def firing(self, receiver: str, alert_key: str) -> bool:
        """Whether a receiver was told that an alert began, and not yet that it ended."""
        last = self.last(receiver, alert_key)
        return last is not None and last.reason is not Reason.RESOLVED

    def told_of(self, receiver: str, service: str) -> bool:
        """Whether a receiver knows that a service is failing, or probably is, as it explains another's failure."""
        return any(
            service in (life[-1].alert.service, life[-1].alert.cause) and life[-1].reason is not Reason.RESOLVED
            for (name, _), life in self._lives.items()
            if name == receiver
        )

    def flaps(self, receiver: str, service: str, now: datetime) -> bool:
        """Whether a receiver has heard enough beginnings and ends of a service within the last hour."""
        ends = self._ends.get((receiver, service), [])
        return sum(now - at < FLAPPING_WITHIN for at in ends) >= FLAPPING_PAIRS

    def ended_lately(self, receiver: str, service: str, now: datetime, within: timedelta) -> bool:
        """Whether a receiver was told within that time that a service is well again."""
        return any(now - at < within for at in self._ends.get((receiver, service), []))

    def aside(self, receiver: str, reason: Reason) -> list[Notification]:
        """Digests, reports of undelivered messages, or services named with their cause; oldest first."""
        return self._asides.get((receiver, reason), [])
