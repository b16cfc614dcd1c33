"""Hour of the users' week: rhythms follow their clocks, so daylight saving must not shift them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from zoneinfo import ZoneInfo

from detector.domain import EPOCH

WEEK = 168


@cache
def hour_of_week(timezone: str) -> Callable[[int], int]:
    """A function from hours since Monday 1970-01-05 00:00 UTC to the local hour of the week, 0 to 167.

    >>> hour_of_week("UTC")(170)
    2
    >>> from detector.domain import parse_time, to_minutes
    >>> new_york = hour_of_week("America/New_York")
    >>> winter, summer = (int(to_minutes(parse_time(t)) // 60) for t in ("2026-01-05T14:00Z", "2026-07-06T13:00Z"))
    >>> new_york(winter) == new_york(summer) == 9   # nine on a Monday morning in both
    True
    """
    if timezone == "UTC":
        return lambda hour: hour % WEEK
    zone = ZoneInfo(timezone)

    @cache
    def offset(quarter_day: int) -> int:
        at = EPOCH + timedelta(hours=6 * quarter_day + 3)
        shift = at.astimezone(zone).utcoffset() or timedelta(0)
        return round(shift.total_seconds() / 3600)

    return lambda hour: (hour + offset(hour // 6)) % WEEK
