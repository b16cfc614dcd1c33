"""UTC times as values and as text; nothing here reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)

# A Monday, so that minutes since then give the hour of the week by division.
EPOCH = datetime(1970, 1, 5, tzinfo=UTC)


def parse_time(text: str | float) -> datetime:
    """Read ISO 8601 text or Unix seconds as an aware UTC time; text without a zone is UTC.

    Raises:
        ValueError: the text is no time, or lies outside the years 1 to 9999.

    >>> parse_time("2026-03-02T14:05:00+02:00").isoformat()
    '2026-03-02T12:05:00+00:00'
    >>> parse_time(0).year
    1970
    """
    if isinstance(text, bool):
        raise ValueError(f"not a time: {text!r}")  # noqa: TRY004 - one error for every bad time
    if isinstance(text, int | float):
        try:
            return datetime.fromtimestamp(text, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError(f"not a time: {text!r}") from error
    at = datetime.fromisoformat(text.strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def format_time(at: datetime) -> str:
    """Write a time as ISO 8601 UTC text that sorts like the time itself.

    >>> format_time(datetime(2026, 3, 2, 12, 5, tzinfo=UTC))
    '2026-03-02T12:05:00.000Z'
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_minutes(at: datetime) -> float:
    """Minutes since Monday 1970-01-05 00:00 UTC.

    >>> to_minutes(EPOCH + timedelta(hours=2))
    120.0
    """
    return (at - EPOCH).total_seconds() / 60.0


def from_minutes(minutes: float) -> datetime:
    """The inverse of `to_minutes`, to the microsecond."""
    return EPOCH + timedelta(minutes=minutes)
