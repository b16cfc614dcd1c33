"""A stretch of archive lines dated in one go: where all of them are of one plain shape, no line costs a step of Python.

What is found is what `archive_light.seen_at` finds line by line; where that is not certain (a time without a zone, a
line that is no JSON, shapes side by side) nothing is said, and the reader looks at each line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.collectors.archive_light import Seen, assumption
from detector.collectors.archive_times import EARLIEST, LATEST, typical_delay

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

LINES = 256
"""Lines of a stretch: one that is odd costs the speed of so many."""

_SECONDS = 1e11  # larger numbers count milliseconds
_FINE = re.compile(rb"\.\d{7}")  # digits that are rounded here and cut there
_OPEN, _CLOSE, _RETURN = (ord(char) for char in "{}\r")


class Glance(Seen, gc=False):
    """A line whose times are of the two usual shapes."""

    created_at: datetime | int | float | None = None
    seen_at: datetime | int | float | None = None
    created_utc: int | float | None = None
    time: int | float | None = None


_GLANCES = msgspec.json.Decoder(Glance)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines that are all posts of one shape.

    Attributes:
        glances: the lines.
        times: when each post was seen.
        sources: where each came from.
        delayed: whether `times` were worked out from when they were written.
    """

    glances: Sequence[Glance]
    times: list[datetime]
    sources: list[str]
    delayed: bool

    def said(self) -> list[int]:
        """The lines that may name a service beside their text."""
        found: set[int] = set()
        for values in (
            [glance.service for glance in self.glances],
            [glance.url for glance in self.glances],
            [glance.permalink for glance in self.glances],
        ):
            if values.count(None) < len(values):
                found.update(place for place, value in enumerate(values) if value is not None)
        if any(":" in source for source in set(self.sources)):
            found.update(place for place, source in enumerate(self.sources) if ":" in source)
        return sorted(found)

    def assume(self, without: Sequence[int], assumed: Counter[str]) -> None:
        """Count the delays that were assumed, but of those lines."""
        if not self.delayed:
            return
        counts = Counter(self.sources)
        counts.subtract(self.sources[place] for place in without)
        for source, count in counts.items():
            delay = typical_delay(source)
            if delay and count:
                assumed[assumption(source, delay.total_seconds())] += count


def objects(data: bytes, starts: I64) -> Bools:
    """(n,) whether each line begins and ends as an object does, so that so many objects are one a line.

    >>> objects(b'{"a": 1}\\n\\n{}{}\\r\\n[]', np.array([0, 9, 10, 16])).tolist()
    [True, False, True, False]
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    ends = np.concatenate((starts[1:] - 1, [len(data) - data.endswith(b"\n")]))
    last = np.maximum(ends - 1, 0)
    last -= (raw[last] == _RETURN) & (last > starts)
    found: Bools = (ends > starts) & (raw[last] == _CLOSE)
    found &= raw[np.minimum(starts, len(data) - 1)] == _OPEN
    return found


def stretch(data: bytes, count: int, default: str) -> Stretch | None:
    """So many lines that all look like objects; None where they have to be looked at one by one.

    >>> found = stretch(b'{"created_at": "2026-03-02T12:00:00Z"}\\n', 1, "mine")
    >>> found.times[0].hour, found.sources
    (12, ['mine'])
    """
    try:
        glances = _GLANCES.decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if len(glances) != count:
        return None
    written = _plain([glance.created_at for glance in glances])
    if written is not None:
        sources = [glance.source or default for glance in glances]
    elif all(glance.created_at is None for glance in glances):
        written = _plain([glance.created_utc for glance in glances])
        sources = [glance.source or f"reddit:r/{glance.subreddit or 'unknown'}" for glance in glances]
    if written is None:
        return None
    given = [glance.seen_at for glance in glances]
    delayed = given.count(None) == count
    seen = _delayed(written, sources) if delayed else _plain(given)
    if seen is None or (any([at.microsecond for at in seen]) and _FINE.search(data)):  # noqa: C419 - twice as fast
        return None
    return Stretch(glances, seen, sources, delayed)


def _plain(values: Sequence[datetime | float | None]) -> list[datetime] | None:
    """Moments as UTC, if all are given in one way that can be read in one way only."""
    kinds = set(map(type, values))
    if kinds == {datetime}:
        found = [value for value in values if isinstance(value, datetime)]
        if {at.tzinfo for at in found} != {UTC}:
            return None
    elif kinds <= {int, float}:
        numbers = [value for value in values if isinstance(value, int | float)]
        if not all(0 <= value <= _SECONDS for value in numbers):
            return None
        found = [datetime.fromtimestamp(value, UTC) for value in numbers]
    else:
        return None
    return found if min(found) >= EARLIEST and max(found) < LATEST else None


def _delayed(written: list[datetime], sources: Sequence[str]) -> list[datetime]:
    delays = {source: delay for source in set(sources) if (delay := typical_delay(source))}
    if not delays:
        return written
    return [at + delays[source] if source in delays else at for at, source in zip(written, sources, strict=True)]
