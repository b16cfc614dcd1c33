"""The scan's state as JSON-compatible values and back: a restart continues identically."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from detector.detect.closing import Closing
from detector.detect.windows import Start, Sums
from detector.domain import Level

if TYPE_CHECKING:
    from detector.detect.scan import ScanDetector

FORMAT = 7
_READ = (6, FORMAT)  # 6 lacks the places, which are learned anew
_PLAIN = (
    "clock",
    "frontier",
    "late",
)


def dump_scan(scan: ScanDetector) -> dict[str, Any]:
    """Everything that decides what the detector says next; votes and texts too old to matter are left out."""
    episode = scan.episode
    since = scan.frontier - scan.starts.reach if episode is None else min(episode.start.at, scan.frontier)
    return {
        "format": FORMAT,
        **{name: getattr(scan, name) for name in _PLAIN},
        "sums": asdict(scan.sums),
        "usual": scan.usual.dump(),
        "share": [scan.share.complaints, scan.share.mentions],
        "scale": [scan.scale.first, scan.scale.second],
        "votes": list(scan.votes.recent(scan.clock or 0.0).items()),
        "copies": [[at, sorted(pairs)] for at, pairs in scan.copies.recent(scan.clock or 0.0)],
        "starts": [asdict(start) for start in scan.starts.kept],
        "said": [list(pair) for pair in scan.said if pair[0] >= since],
        "episode": None if episode is None else asdict(episode),
    }


def load_scan(scan: ScanDetector, state: dict[str, Any]) -> None:
    """The inverse of `dump_scan`.

    Raises:
        ValueError: the state was written by another version; the caller starts afresh and says so.
    """
    from detector.detect.scan import Episode

    if state.get("format") not in _READ:
        raise ValueError(f"detector state of format {state.get('format')!r}, this version reads {FORMAT}")
    for name in _PLAIN:
        setattr(scan, name, state[name])
    scan.sums = Sums(**state["sums"])
    scan.usual.load(state["usual"])
    scan.share.complaints, scan.share.mentions = state["share"]
    scan.scale.first, scan.scale.second = state["scale"]
    scan.votes.seen = dict(state["votes"])
    scan.copies.seen = [(at, frozenset(pairs)) for at, pairs in state["copies"]]
    scan.starts.kept = [Start(**fields) for fields in state["starts"]]
    scan.said = deque(((at, source) for at, source in state["said"]), maxlen=scan.said.maxlen)
    saved = state["episode"]
    scan.episode = None
    if saved is not None:
        closing = saved["closing"]
        scan.episode = Episode(
            **{
                **saved,
                "level": Level(saved["level"]),
                "start": Start(**saved["start"]),
                "closing": None if closing is None else Closing(**closing),
            }
        )
