"""Posts that came more than once, in one archive or in several that overlap: the one seen first counts.

Known of every post that names a watched service: 64 bits of its key, when it was seen and where it stands. A line that
names none is never decoded, so its repetition is not noticed and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.backfill.rows import place_of, read_columns

I64 = NDArray[np.int64]
_SHARES = 8
_MANY = 4_000_000


def repeated(segments: Iterable[tuple[Path, int]], services: Collection[str]) -> I64:
    """The places of the posts that do not count, ascending; only mentions of these services are looked at."""
    keys, seen, places = _columns(list(segments), frozenset(services))
    if len(keys) < _MANY:
        return np.unique(_losers(keys, seen, places))
    shares = keys.view(np.uint64) % np.uint64(_SHARES)
    found = [_losers(keys[own], seen[own], places[own]) for own in (shares == share for share in range(_SHARES))]
    return np.unique(np.concatenate(found))


def _columns(segments: list[tuple[Path, int]], services: Collection[str]) -> tuple[I64, I64, I64]:
    found = []
    for path, file in segments:
        keys, seen, places = read_columns(path, ("key", "seen_at", "place"), services)
        found.append(np.stack([keys, seen, places + place_of(file, 0)]))
    whole = np.concatenate(found, axis=1) if found else np.zeros((3, 0), dtype=np.int64)
    return whole[0], whole[1], whole[2]


def _losers(keys: I64, seen: I64, places: I64) -> I64:
    """Of the rows with one key those that stand elsewhere than the one seen first (of equals the one read first).

    >>> _losers(np.array([1, 1, 2, 1]), np.array([5, 4, 4, 5]), np.array([10, 20, 30, 10])).tolist()
    [10, 10]
    """
    order = np.lexsort((places, seen, keys))
    keys, places = keys[order], places[order]
    first = np.concatenate(([True], keys[1:] != keys[:-1])) if len(keys) else np.zeros(0, dtype=bool)
    winner = places[first][np.cumsum(first) - 1] if len(keys) else places
    losers: I64 = places[places != winner]
    return losers
