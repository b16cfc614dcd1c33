"""What every mention does to a detector, be it a voice or not: time passes, the frontier moves, the usual is learned.

Nineteen mentions in twenty are nobody's complaint and end here, so the steps are written out where functions and
properties would read better (`posterior`, `ComplaintShare.value`, `Baseline.phi`, `Usual.expected`), and a bound is
compared with before it is taken: the sums are the same to the last bit. `skim` takes a whole run of such mentions from
columns, without a `Judgement` for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, floor, log, sqrt
from typing import TYPE_CHECKING

from detector.detect.argument import DRIFT
from detector.detect.baseline import PHI_FLOOR, PHI_PRIOR
from detector.detect.weights import weight
from detector.detect.windows import DECIMALS

if TYPE_CHECKING:
    from detector.detect.scan import ScanDetector
    from detector.detect.talk import Talk

LATE_MINUTES = 60.0  # an older post is stored and judged but not counted
TAU_SHORTEST = 4.0  # minutes: the shortest memory of the local level
VOICE = 0.02  # a mention that weighs less is no voice
_LEAST, _MOST = 1e-6, 1.0 - 1e-6  # of a probability that is turned into odds
_SILENT = 0.995 * (exp(VOICE * log(10.0)) - 1.0) / 9.0  # the posterior of nearly that weight: below it none is weighed


def hear(scan: ScanDetector, at: float, after: float, now: float, source: str) -> None:
    """Take in one mention at minute `at` that is a complaint with posterior `after`, *now* with probability `now`."""
    share, usual, sums = scan.share, scan.usual, scan.sums
    episode = scan.episode
    alerting = episode is not None and episode.closing is not None
    if not alerting:
        share.learn(after)
    if at > scan.frontier:
        move(scan, at)
    value = share.complaints / share.mentions
    if not 0.01 <= value <= 0.9:
        value = share.value
    if not _LEAST <= now <= _MOST:
        now = min(max(now, _LEAST), _MOST)
    prior = scan.prior
    part = value * (now / (1.0 - now) * (1.0 - prior) / prior)
    talk = 1.0 - part / (part + 1.0 - value)
    hour = floor(at / 60.0)
    if hour in usual.pending:
        usual.pending[hour][1] += talk
    else:
        usual.count(at, chatter=talk)
    if not alerting:
        usual.places.add(source)
    sums.chatter += talk
    if at < scan.frontier:
        for start in scan.starts.kept:
            if start.at > at:
                start.chatter = round(start.chatter + talk, DECIMALS)


def move(scan: ScanDetector, at: float) -> None:
    """Bring the frontier to `at`, which lies beyond it."""
    sums, usual, start, starts = scan.sums, scan.usual, scan.frontier, scan.starts
    gap = at - start
    if gap > starts.reach:
        starts.kept.clear()
        sums.local_count = sums.local_expected = 0.0
    else:
        people, other = usual.people, usual.talk
        if people.since <= start and at < people.until and other.since <= start and at < other.until:
            # One line holds for the whole way, as it nearly always does.
            middle = (start + at) / 2.0
            more = max(1e-07, people.first + people.slope * (middle - people.since)) * gap
            talk = max(1e-07, other.first + other.slope * (middle - other.since)) * gap
            if usual.places.silent:
                heard = usual.places.heard(at)
                more, talk = more * heard, talk * heard
        else:
            more, talk = usual.expected(start, at)
        sums.expected += more
        sums.talk_expected += talk
        phi = (people.spread + PHI_PRIOR * 30.0) / (people.spread_weight + 30.0)
        if not PHI_FLOOR <= phi <= 3.0:
            phi = people.phi
        # How many minutes the local level remembers: noise 1/(rate tau) against drift phi tau/60, balanced: the steady
        # state of a local-level model (Harvey, Forecasting, Structural Time Series Models, section 4.1).
        tau = sqrt(DRIFT / (more / gap * phi))
        if not TAU_SHORTEST <= tau <= DRIFT:
            tau = min(DRIFT, max(TAU_SHORTEST, tau))
        fade = exp(-gap / tau)
        sums.local_count *= fade
        sums.local_expected = sums.local_expected * fade + scan.scale.value * more / gap * tau * (1.0 - fade)
    scan.frontier = at
    if starts.kept:
        starts.drop_before(at)


def skim(scan: ScanDetector, talk: Talk) -> Iterator[int]:
    """Take the mentions that are no voice, while no episode is open; yield the place of each that has to be observed.

    See `detector.detect.talk.Skims`.
    """
    share, usual, prior = scan.share, scan.usual, scan.prior
    columns = zip(
        talk.known, talk.written, talk.complaint, talk.now, talk.report, talk.source, talk.official, strict=True
    )
    for place, (known, written, complaint, now, report, source, official) in enumerate(columns):
        if scan.episode is not None or official or report >= 0.5 or scan.clock is None:
            yield place
            continue
        p = complaint if _LEAST <= complaint <= _MOST else min(max(complaint, _LEAST), _MOST)
        value = share.complaints / share.mentions
        if not 0.01 <= value <= 0.9:
            value = share.value
        part = value * (p / (1.0 - p) * (1.0 - prior) / prior)
        after = part / (part + 1.0 - value)
        if after > _SILENT and weight(after) >= VOICE:
            yield place
            continue
        minute = float(floor(known))
        if scan.clock < minute:
            scan.clock = minute
        if scan.clock >= (usual.next_hour + 2) * 60.0:
            usual.learn_until(scan.clock)
        if known - written > LATE_MINUTES:
            scan.late += 1
        else:
            hear(scan, min(known, written), after, now, source)
