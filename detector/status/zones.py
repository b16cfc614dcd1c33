"""Clock times as status pages print them: "Aug 21, 00:37 UTC", "6:06 PM PDT", without a year, sometimes without a day.

Zone names are ambiguous in general; on status pages they mean what American and European companies mean by them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

_HOURS = {
    "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "IST": 5.5, "SGT": 8, "HKT": 8, "AWST": 8, "JST": 9, "KST": 9, "ACST": 9.5, "AEST": 10, "ACDT": 10.5,
    "AEDT": 11, "NZST": 12, "NZDT": 13, "BRT": -3, "ART": -3, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6,
    "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMERIC = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?")
STAMP = re.compile(
    r"(?:(?P<month>[A-Z][a-z]{2})[a-z]*\.? +(?P<day>\d{1,2})(?:,? +(?P<year>20\d{2}))?,? +(?:at +)?)?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2})? ?(?P<half>[AaPp][Mm])? ?"
    r"(?P<zone>[A-Z]{1,5}(?:[+-]\d{1,2}(?::?\d{2})?)?|[+-]\d{2}:?\d{2})"
)


def offset(zone: str) -> timedelta | None:
    """How far a zone lies ahead of UTC; None for a name we do not know.

    >>> [offset(zone) and offset(zone) / timedelta(hours=1) for zone in ("PDT", "GMT+2", "+0530", "XYZ")]
    [-7.0, 2.0, 5.5, None]
    """
    if zone in _HOURS:
        return timedelta(hours=_HOURS[zone])
    found = _NUMERIC.fullmatch(zone)
    if not found or int(found[2]) > 14:
        return None
    size = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return -size if found[1] == "-" else size


def near(found: re.Match[str], anchor: datetime, *, fallback: timedelta = timedelta(0)) -> datetime | None:
    """A stamp as the moment nearest to `anchor`, in UTC; None where it is no clock time.

    Args:
        found: a match of `STAMP`.
        anchor: a moment known to be close: the year (and without a date the day) is chosen by it.
        fallback: offset of a zone whose name we do not know.

    >>> anchor = datetime(2018, 1, 1, 3, 0, tzinfo=UTC)
    >>> near(STAMP.match("Dec 31, 20:59 PST"), anchor).isoformat()
    '2018-01-01T04:59:00+00:00'
    >>> near(STAMP.match("6:06 PM PST"), anchor).isoformat()
    '2018-01-01T02:06:00+00:00'
    """
    ahead = offset(found["zone"])
    ahead = fallback if ahead is None else ahead
    hour, minute = int(found["hour"]), int(found["minute"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "pm" else 0)
    if hour > 23 or minute > 59:
        return None
    zone = timezone(ahead)
    local = anchor.astimezone(zone)
    candidates = []
    if found["month"]:
        if found["month"].lower() not in _MONTHS:
            return None
        month, day = _MONTHS.index(found["month"].lower()) + 1, int(found["day"])
        years = [int(found["year"])] if found["year"] else [local.year - 1, local.year, local.year + 1]
        for year in years:
            try:
                candidates.append(datetime(year, month, day, hour, minute, tzinfo=zone))
            except ValueError:
                continue  # 29 February in a common year
    else:
        today = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
        candidates = [today + timedelta(days=days) for days in (-1, 0, 1)]
    if not candidates:
        return None
    return min(candidates, key=lambda one: abs(one - anchor)).astimezone(UTC)


def written_date(value: str) -> datetime | None:
    """A date of RSS or Atom in UTC, whatever its zone is called; None for what is no date.

    >>> written_date("Tue, 03 Mar 2026 08:40:00 PST").isoformat()
    '2026-03-03T16:40:00+00:00'
    >>> written_date("Wed, 23 Sep 2026 15:42:00 CEST").isoformat(), written_date("2026-08-21T00:37:20Z").isoformat()
    ('2026-09-23T13:42:00+00:00', '2026-08-21T00:37:20+00:00')
    >>> written_date("soon") is None
    True
    """
    value = value.strip()
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    try:
        parts = parsedate_tz(value)
        if parts is None:
            return None
        ahead = offset(value.rpartition(" ")[2])
        seconds = ahead.total_seconds() if ahead is not None else parts[9] or 0
        return datetime(*parts[:6], tzinfo=UTC) - timedelta(seconds=seconds)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
