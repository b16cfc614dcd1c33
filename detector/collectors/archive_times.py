"""Times as archives write them, and how long each source usually takes to reach us."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
NO_ZONE = "times without a zone were read as UTC"

# Seconds from writing to the earliest moment we could have known, by source (the part before ":" or "-").
# Polling collectors: half their interval and the index behind them; streams: their lag. Everything else: none.
TYPICAL_DELAY = {
    "bluesky": 5.0,
    "feed": 300.0,
    "github": 60.0,
    "google-news": 600.0,
    "hackernews": 60.0,
    "mastodon": 60.0,
    "reddit": 30.0,
    "twcs": 10.0,
    "twitter": 10.0,
}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}


@lru_cache(maxsize=4096)
def typical_delay(source: str) -> timedelta:
    """How long a post of this source usually takes to be seen; zero for a source we know nothing of.

    >>> typical_delay("reddit:r/ClaudeAI"), typical_delay("hackernews-story"), typical_delay("irc:zig")
    (datetime.timedelta(seconds=30), datetime.timedelta(seconds=60), datetime.timedelta(0))
    """
    for name, seconds in TYPICAL_DELAY.items():
        if source == name or source.startswith((f"{name}:", f"{name}-")):
            return timedelta(seconds=seconds)
    return timedelta(0)


class OutOfRangeError(ValueError):
    """A time before 1990 or after 2100: surely a mistake in the archive."""


def read_time(value: str | float, assumed: Counter[str]) -> datetime:
    """A time as an aware UTC value; Unix seconds, milliseconds and microseconds are told apart by size.

    Raises:
        OutOfRangeError: before 1990 or after 2100.
        ValueError: no time at all.

    >>> read_time("Tue Oct 31 22:10:47 +0000 2017", Counter()).isoformat()
    '2017-10-31T22:10:47+00:00'
    >>> read_time(1700000000000, Counter()) == read_time("2023-11-14T22:13:20Z", Counter())
    True
    """
    at = _from_text(value, assumed) if isinstance(value, str) else _from_number(value)
    if not EARLIEST <= at < LATEST:
        raise OutOfRangeError(f"{value!r} is not between 1990 and 2100")
    return at


def _from_text(text: str, assumed: Counter[str]) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = _from_rare(text.strip())
    if at.tzinfo is UTC:
        return at
    if at.tzinfo is None:
        assumed[NO_ZONE] += 1
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise OutOfRangeError(f"{text!r} is not between 1990 and 2100") from error


def _from_rare(text: str) -> datetime:
    """Twitter's form, RFC 2822, or a number written as text."""
    words = text.split()
    if len(words) == 6 and words[1] in _MONTHS:
        _, month, day, clock, zone, year = words
        return datetime.fromisoformat(f"{year}-{_MONTHS[month]:02}-{int(day):02}T{clock}{zone}")
    if text.replace(".", "", 1).isdigit():
        return _from_number(float(text))
    if len(words) >= 4 and "," in text:
        return parsedate_to_datetime(text)
    return datetime.fromisoformat(text.upper())  # RFC 3339 allows a small z


def _from_number(value: float) -> datetime:
    if isinstance(value, bool) or value != value:
        raise ValueError(f"not a time: {value!r}")
    seconds = value / 1e6 if value > 1e14 else value / 1e3 if value > 1e11 else value
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise OutOfRangeError(f"{value!r} is not between 1990 and 2100") from error
