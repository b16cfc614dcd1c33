"""Reading a page's fields without trusting any: wrong types read as absent, texts are cut, no time lies ahead of us."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from detector.domain import parse_time
from detector.transport.plaintext import cut, plain

MAX_ENTRIES = 200
MAX_TEXT = 4000
_CROCKFORD = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_EARLIEST = 631_152_000  # 1990: an older time is a mistake


def entries(value: object, limit: int = MAX_ENTRIES) -> list[Mapping[str, Any]]:
    """The objects of a list; none where there is no list.

    >>> entries([{"a": 1}, "b"]), entries(None)
    ([{'a': 1}], [])
    """
    return [entry for entry in value[:limit] if isinstance(entry, Mapping)] if isinstance(value, list) else []


def moment(value: object, now: datetime) -> datetime | None:
    """A time as ISO text or Unix seconds, never after `now` (their clock may run ahead; plans lie ahead and are cut).

    >>> from datetime import datetime, UTC
    >>> now = datetime(2026, 3, 2, tzinfo=UTC)
    >>> moment("2026-03-01T08:00:00-08:00", now).isoformat(), moment("1525914401", now).isoformat()
    ('2026-03-01T16:00:00+00:00', '2018-05-10T01:06:41+00:00')
    >>> moment("soon", now), moment(True, now), moment("2027-01-01T00:00:00Z", now) == now
    (None, None, True)
    """
    try:
        if isinstance(value, str):
            at = _unix(float(value)) if value.replace(".", "", 1).isdigit() else parse_time(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            at = _unix(value)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return min(at, now) if at is not None else None


def text(value: object) -> str:
    """A text, bounded; empty where there is none."""
    return value[: 4 * MAX_TEXT] if isinstance(value, str) else ""


def words(value: object) -> str:
    """A text without markup, at most 4,000 bytes.

    >>> words("<p>We are <b>looking</b>.</p>"), words(None)
    ('We are looking.', '')
    """
    return cut(plain(text(value)), MAX_TEXT)


def title(value: object) -> str:
    """A headline without markup."""
    return plain(text(value))[:500] or "(untitled)"


def word(value: object) -> str:
    """A single term of a vocabulary, lower case.

    >>> word(" Investigating "), word(3)
    ('investigating', '')
    """
    return value.strip().lower()[:40] if isinstance(value, str) else ""


def key(value: object) -> str:
    """An identifier; numbers count as such, everything else is none.

    >>> key("abc"), key(1074), key(True), key("x" * 999)
    ('abc', '1074', '', '')
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and len(value) <= 300 else ""


def link(value: object, otherwise: str) -> str:
    """An http address, or the other one."""
    return value[:500] if isinstance(value, str) and value.startswith(("https://", "http://")) else otherwise


def names(value: object, field: str = "name") -> tuple[str, ...]:
    """The names of a list of objects, each once.

    >>> names([{"name": "API"}, {"name": "Login"}, {"name": "API"}, {}])
    ('API', 'Login')
    """
    found = (entry.get(field) for entry in entries(value, 500))
    return tuple(dict.fromkeys(plain(name)[:200] for name in found if isinstance(name, str) and name))


def ulid_time(value: str, now: datetime) -> datetime | None:
    """When a ULID was made (its first ten letters count milliseconds); None where the text is no ULID.

    incident.io's ids are ULIDs, made as the incident is put on the page: the moment of speaking where nothing else
    tells it.

    >>> from datetime import datetime, UTC
    >>> ulid_time("01KZ9DMQD2GJ8JJWDN7572RH78", datetime(2026, 9, 1, tzinfo=UTC)).isoformat(timespec="seconds")
    '2026-08-05T16:55:54+00:00'
    >>> ulid_time("bhbcjn4n3jzp", datetime(2026, 9, 1, tzinfo=UTC)) is None
    True
    """
    if len(value) != 26 or value[0] > "7" or any(letter not in _CROCKFORD for letter in value):
        return None
    milliseconds = 0
    for letter in value[:10]:
        milliseconds = milliseconds * 32 + _CROCKFORD[letter]
    return moment(milliseconds / 1000, now)


def _unix(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds >= _EARLIEST else None
