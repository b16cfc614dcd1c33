"""The scan's state as JSON-compatible values and back: a restart continues identically.

What is many is packed into columns of a few bytes a row (`packing`): the tables of the usual, the window starts, who
voted, which texts were seen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from detector.detect.closing import Closing
from detector.detect.dedupe import PAIR, person
from detector.detect.packing import packed, unpacked
from detector.detect.windows import DECIMALS, Start, Sums
from detector.domain import Level

if TYPE_CHECKING:
    from detector.detect.episode import Episode
    from detector.detect.scan import ScanDetector

FORMAT = 8
_PLAIN = (
    "clock",
    "frontier",
    "late",
)


def dump_scan(scan: ScanDetector) -> dict[str, Any]:
    """Everything that decides what the detector says next; votes and texts too old to matter are left out."""
    episode = scan.episode
    since = scan.frontier - scan.starts.reach
    if episode is not None:  # an alert forgets what was before it
        since = episode.start.at if episode.closing is not None else min(episode.start.at, since)
    said = [pair for pair in scan.said if pair[0] >= since]
    sources = sorted({source for _, source in said})
    place = {source: number for number, source in enumerate(sources)}
    votes = sorted(scan.votes.recent(scan.clock or 0.0).items())
    copies = [(at, sorted(pairs)) for at, pairs in scan.copies.recent(scan.clock or 0.0)]
    recent = packed(
        [
            *(
                ([getattr(start, name) for start in scan.starts.kept], decimals)
                for name, decimals in Start.PACKED.items()
            ),
            ([int(key) for key, _ in votes], 0),
            ([at for _, at in votes], DECIMALS),
            ([key in scan.votes.loud for key, _ in votes], 0),
            ([at for at, _ in copies], DECIMALS),
            ([len(pairs) for _, pairs in copies], 0),
            ([pair for _, pairs in copies for pair in pairs], 0),
            ([at for at, _ in said], DECIMALS),
            ([place[source] for _, source in said], 0),
        ]
    )
    return {
        "format": FORMAT,
        **{name: getattr(scan, name) for name in _PLAIN},
        "sums": asdict(scan.sums),
        "usual": scan.usual.dump(),
        "share": [scan.share.complaints, scan.share.mentions],
        "scale": [scan.scale.first, scan.scale.second],
        "recent": recent,
        "sources": sources,
        "episode": None if episode is None else asdict(episode),
    }


def load_scan(scan: ScanDetector, state: dict[str, Any]) -> None:
    """The inverse of `dump_scan`; formats 6 (without places) and 7 (nothing packed) are read too.

    Raises:
        ValueError: the state was written by another version; the caller starts afresh and says so.
    """
    if state.get("format") not in (6, 7, FORMAT):
        raise ValueError(f"detector state of format {state.get('format')!r}, this version reads {FORMAT}")
    for name in _PLAIN:
        setattr(scan, name, state[name])
    scan.sums = Sums(**state["sums"])
    scan.usual.load(state["usual"])
    scan.share.complaints, scan.share.mentions = state["share"]
    scan.scale.first, scan.scale.second = state["scale"]
    saved = state["episode"]
    if state["format"] == FORMAT:
        _unpack(scan, state["recent"], state["sources"])
    else:
        scan.votes.seen = {person(key): round(at, DECIMALS) for key, at in state["votes"]}
        scan.copies.seen = [
            (round(at, DECIMALS), frozenset(one & PAIR for one in each)) for at, each in state["copies"]
        ]
        scan.starts.kept = [_rounded(fields) for fields in state["starts"]]
        scan.said = deque(((round(at, DECIMALS), source) for at, source in state["said"]), maxlen=scan.said.maxlen)
        saved = saved and {**saved, "start": asdict(_rounded(saved["start"]))}
    scan.episode = None if saved is None else _episode(saved)


def _unpack(scan: ScanDetector, recent: str, sources: list[str]) -> None:
    columns = unpacked(recent, [*Start.PACKED.values(), 0, DECIMALS, 0, DECIMALS, 0, 0, DECIMALS, 0])
    starts, rest = columns[: len(Start.PACKED)], columns[len(Start.PACKED) :]
    keys, voted, loud, seen, sizes, pairs, said, places = rest
    scan.starts.kept = [Start(**dict(zip(Start.PACKED, row, strict=True))) for row in zip(*starts, strict=True)]
    scan.votes.seen = {int(key): at for key, at in zip(keys, voted, strict=True)}
    scan.votes.loud = {int(key) for key, again in zip(keys, loud, strict=True) if again}
    scan.copies.seen, at = [], 0
    for when, size in zip(seen, sizes, strict=True):
        scan.copies.seen.append((when, frozenset(int(pair) for pair in pairs[at : at + int(size)])))
        at += int(size)
    scan.said = deque(
        ((when, sources[int(place)]) for when, place in zip(said, places, strict=True)), maxlen=scan.said.maxlen
    )


def _rounded(fields: dict[str, Any]) -> Start:
    """A start of before format 8, with no more decimals than one of today."""
    known = {name: round(fields[name], decimals) for name, decimals in Start.PACKED.items() if name in fields}
    return Start(**{name: value if Start.PACKED[name] else int(value) for name, value in known.items()})


def _episode(saved: dict[str, Any]) -> Episode:
    from detector.detect.episode import Episode, Held

    closing, held = saved["closing"], saved.get("held")
    return Episode(
        **{
            **saved,
            "level": Level(saved["level"]),
            "start": Start(**saved["start"]),
            "closing": None if closing is None else Closing(**closing),
            "held": None if held is None else Held(**{**held, "start": Start(**held["start"])}),
        }
    )
