"""A backfill in parts: judged wherever an engine runs, weighed by bucket, alerts merged here.

The driver holds no post: rows lie in segments, what detectors said on tapes, and both are merged as streams.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from time import process_time

import msgspec

from detector.backfill.duplicates import repeated
from detector.backfill.engines import Engine, Judged, Report, Segment, Weighed
from detector.backfill.hand import Unasked
from detector.backfill.job import Bucket, Job, Part, bucket_of
from detector.backfill.record import IncidentRecord
from detector.backfill.replay import Replayed
from detector.backfill.tape import Player, Said, together
from detector.backfill.timeline import Timeline
from detector.collectors.archive import nothing_in
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_light import Tally
from detector.domain import Incident, Judgement
from detector.errors import BadArchiveError
from detector.match.matcher import NameMatcher
from detector.pipeline import Pipeline

_TOGETHER = 4000
Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Heard:
    """What judging brought.

    Attributes:
        segments: each with the place of its archive among the files.
        seconds: processor time by stage, of this run alone.
        kept: rows that an earlier run had judged and left as they are needed.
        known: mentions whose judgement was looked up.
    """

    counters: ReadCounters
    segments: list[tuple[Segment, int]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    kept: int = 0
    known: int = 0


def judge_parts(job: Job, parts: Sequence[Part], engine: Engine, report: Report, say: Say) -> Heard:
    """Have all parts judged.

    Raises:
        BadArchiveError: a file holds nothing of a known shape.
    """
    done: dict[int, Judged] = {}
    for result in engine.run(job, parts, report):
        if isinstance(result, Judged):
            done[result.part] = result
    heard = Heard(counters=ReadCounters(files=len({part.file for part in parts})))
    by_file: dict[int, ReadCounters] = {}
    for part in parts:
        own = by_file.setdefault(part.file, ReadCounters())
        for place, segment in enumerate(done[part.number].segments):
            own.merge(segment.counters)
            heard.tally.merge(msgspec.json.decode(msgspec.json.encode(segment.tally), type=_Tally).plain())
            heard.segments.append((segment, part.file))
            if place < done[part.number].kept:
                heard.kept += segment.rows
                continue
            heard.known += segment.known
            for stage, spent in segment.seconds.items():
                heard.seconds[stage] += spent
            if segment.warning:
                say(segment.warning)
    for part in parts:
        own = by_file[part.file]
        if part.stripe == 0:
            if own.read + own.filtered + own.skipped.total() == 0:
                raise BadArchiveError(nothing_in(part.path, own, own.lines))
            heard.counters.merge({name: value for name, value in msgspec.to_builtins(own).items() if name != "files"})
    return heard


class _Tally(msgspec.Struct):
    """A tally as it was written down."""

    posts: int
    by_day: dict[date, int]
    by_source: dict[str, int]
    coarse: int
    first: datetime | None
    last: datetime | None
    backwards: int

    def plain(self) -> Tally:
        return Tally(
            posts=self.posts,
            by_day=Counter(self.by_day),
            by_source=Counter(self.by_source),
            coarse=self.coarse,
            first=self.first,
            last=self.last,
            backwards=self.backwards,
        )


def weigh_segments(
    job: Job,
    segments: Sequence[tuple[Segment, int]],
    tally: Tally,
    counters: ReadCounters,
    engine: Engine,
    report: Report,
    *,
    incidents: Sequence[Incident] = (),
    timeline: Timeline | None = None,
) -> Replayed:
    """Weigh what was judged: one task a bucket, then one pipeline over all tapes.

    Args:
        counters: told how many posts came twice.
    """
    began = process_time()
    found = Replayed(timeline=timeline or Timeline())
    found.first_at, found.last_at = tally.first, tally.last
    found.timeline.posts_by_day.update(tally.by_day)
    found.timeline.sources.update(tally.by_source)
    if tally.last is None:
        return found
    paths = tuple((Path(segment.path), file) for segment, file in segments if segment.rows)
    lost = repeated(paths, job.services)
    counters.duplicates += len(lost)
    buckets = [
        Bucket(number=number, segments=paths, dropped=_kept(job, lost), until=tally.last)
        for number in sorted({bucket_of(slug, job.buckets) for slug in job.services})
    ]
    tapes: list[Path] = []
    for result in engine.run(job, buckets, report):
        if isinstance(result, Weighed):
            tapes.append(Path(result.tape))
            found.mentioned.update(result.mentioned)
            found.complaints += result.complaints
            found.seconds["detect"] += result.seconds
    found.mentions = found.mentioned.total()
    found.posts = counters.accepted + counters.filtered
    play(job, sorted(tapes), found, tally.last, incidents)
    found.seconds["detect"] += process_time() - began if engine.name != "single" else 0.0
    return found


def _kept(job: Job, lost: object) -> Path | None:
    import numpy as np

    places = np.asarray(lost)
    if not len(places):
        return None
    path = job.folder / "repeated.npy"
    if not path.exists():
        np.save(path, places)
    return path


def play(job: Job, tapes: Sequence[Path], found: Replayed, until: datetime, incidents: Sequence[Incident]) -> None:
    """Let one pipeline hear all tapes, and keep what becomes of the alerts."""
    players: dict[str, Player] = {}
    watched = set(job.services)
    pipeline = Pipeline(
        services=[service for service in job.catalogue if service.slug in watched],
        matcher=NameMatcher(()),
        classifier=Unasked(),
        make_detector=lambda service: players.setdefault(service.slug, Player()),
        record=IncidentRecord(incidents),
    )
    timeline = found.timeline
    for batch in _batches(together(tapes)):
        judgements: list[Judgement] = []
        for said in batch:
            players.setdefault(said.service, Player()).cue(said)
            if said.judgement is not None:
                judgements.append(said.judgement)
        now = batch[-1].at
        for change in pipeline.weigh(judgements, now):
            found.alerts[change.alert.key] = change.alert
            timeline.pin(change.alert)
        timeline.add(judgements)
        timeline.tidy(now)
    for change in pipeline.weigh((), until):
        found.alerts[change.alert.key] = change.alert
        timeline.pin(change.alert)


def _batches(tape: Iterator[Said]) -> Iterator[list[Said]]:
    """A tape in lists that never part what was said of one post."""
    batch: list[Said] = []
    for _, group in groupby(tape, key=lambda said: said.order[:4]):
        batch += group
        if len(batch) >= _TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch
