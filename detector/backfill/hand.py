"""What a worker does: judge parts of archives, weigh buckets of services. See `engines.py` for how it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from detector.backfill.columns import Shelf, blocks
from detector.backfill.desk import Desk, Found, finished
from detector.backfill.engines import Beat, Judged, Report, Result, Segment, Weighed
from detector.backfill.job import Bucket, Job, Part, Task
from detector.backfill.known import Known
from detector.backfill.tape import Tape
from detector.backfill.weighing import I64, Weighing
from detector.collectors.archive_counters import ReadCounters
from detector.collectors.archive_reader import ArchiveReader, Net
from detector.collectors.archive_sieve import Sieve
from detector.domain import Judgement, Mention, Post
from detector.errors import ArtifactError
from detector.match.matcher import NameMatcher
from detector.protocols import Classifier, Detector

_BATCHES = 100  # of the job's size make a block


class Hand:
    """Does tasks of one job; the model is loaded at the first part and kept."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._watched = frozenset(job.services)
        self._services = {service.slug: service for service in job.catalogue if service.slug in self._watched}
        self._shelf = Shelf()
        self._classifier: Classifier | None = None
        self._net: Net | None = None

    def do(self, task: Task, report: Report) -> Result:
        """Do one task; `report` is told of progress.

        Raises:
            BadArchiveError: the file cannot be read at all.
            ArtifactError: the classifier here is another than the job's.
            BackfillError: neither the cache nor the job's folder takes what was judged.
        """
        return self.judge(task, report) if isinstance(task, Part) else self.weigh(task, report)

    # -- judging ---------------------------------------------------------------------------------------------------

    def judge(self, part: Part, report: Report) -> Judged:
        """Read, match and judge a part; takes up where an earlier try stopped."""
        done = finished(part, self.job)
        kept = len(done)
        if not (done and done[-1].last):
            done += self._segments(part, done, report)
        return Judged(part=part.number, segments=tuple(done), kept=kept)

    def _segments(self, part: Part, done: Sequence[Segment], report: Report) -> list[Segment]:
        start = done[-1].chunks if done else 0
        counters = ReadCounters()
        reader = ArchiveReader(
            part.path, counters=counters, author_key=self.job.author_key, net=self.net, window=self.job.window
        )
        desk = Desk(self.job, part, reader, self._judged, len(done))
        read = 0

        def progress(size: int) -> None:
            nonlocal read
            read += size

        for chunk in reader.chunks(progress, lead=part.stripe == 0):
            if chunk.number % part.stripes == part.stripe and chunk.number >= start:
                before = counters.lines
                desk.take(reader.read(chunk), chunk.number + 1, len(chunk.data) if isinstance(chunk.data, bytes) else 0)
                report(Beat(counters.lines - before if counters.lines >= before else 0, read // part.stripes))
                read = 0
        desk.close()
        report(Beat(0, read // part.stripes))
        return desk.segments

    def _judged(self, posts: Sequence[tuple[int, Post]], lap: Callable[[str], None]) -> Found:
        """The judged mentions of watched services in some posts, with the lines of the posts."""
        lines: list[int] = []
        mentions: list[Mention] = []
        for line, post in posts:
            for mention in self._matcher.match(post):
                if mention.service in self._watched:
                    lines.append(line)
                    mentions.append(mention)
        lap("match")
        before = self._known.find(mentions)
        open_ = [mention for mention, p in zip(mentions, before, strict=True) if p is None]
        fresh = iter(self.classifier.judge(open_) if open_ else ())
        named = self.job.judged_by
        judged = [
            next(fresh) if p is None else Judgement(mention=mention, p=p, classifier=named)
            for mention, p in zip(mentions, before, strict=True)
        ]
        lap("classify")
        return list(zip(lines, judged, strict=True)), len(mentions) - len(open_)

    @cached_property
    def _known(self) -> Known:
        return Known(self.job.cached)

    @cached_property
    def _matcher(self) -> NameMatcher:
        return NameMatcher(self.job.catalogue)

    @property
    def net(self) -> Net:
        """What tells lines that could name a watched service from the others."""
        if self._net is None:
            matcher, watched = self._matcher, self._watched
            self._net = Net(
                sieve=Sieve(matcher.patterns(watched)),
                home=lambda source: matcher.home(source) in watched,
                hint=lambda hint: matcher.resolve(hint) in watched,
                text=matcher.may_match,
            )
        return self._net

    @property
    def classifier(self) -> Classifier:
        """The job's classifier.

        Raises:
            ArtifactError: it is another one here.
        """
        if self._classifier is None:
            from detector.backfill.truth import load_judge

            found = load_judge(self.job.judge)
            if found.name != self.job.judged_by:
                raise ArtifactError(
                    f"this worker has {found.name}, the backfill was begun with {self.job.judged_by}; "
                    "give all workers the same models"
                )
            self._classifier = found
        return self._classifier

    @cached_property
    def _make_detector(self) -> Callable[..., Detector]:
        from detector.registry import load

        found: Callable[..., Detector] = load("detectors", self.job.detector)
        return found

    # -- weighing --------------------------------------------------------------------------------------------------

    def weigh(self, bucket: Bucket, report: Report) -> Weighed:
        """Have the detectors take the bucket's rows of all segments, and tape what they say."""
        began = process_time()
        weighing = Weighing(self._detector, self._watched, _places(bucket.dropped))
        path = self.job.folder / "tapes" / f"{bucket.number:04}.tape"
        most = max(1, self.job.batch) * _BATCHES
        with Tape(path) as tape:
            for block in blocks(self._shelf, bucket.segments, bucket.number, self.job.judged_by, most):
                for said in weighing.take(block):
                    tape.write(said)
                report(Beat(rows=len(block)))
            for said in weighing.pass_time(bucket.until):
                tape.write(said)
        return Weighed(
            bucket=bucket.number,
            tape=str(path),
            mentioned=dict(weighing.mentioned),
            complaints=weighing.complaints,
            repeated=weighing.repeated,
            seconds=process_time() - began,
        )

    def _detector(self, slug: str) -> Detector:
        return self._make_detector(self._services[slug], self.job.budget, self.job.prior)


class Unasked:
    """Stands where a classifier is expected and nothing is judged."""

    name, prior = "none@judged", 0.5

    def judge(self, mentions: Sequence[Any]) -> list[Judgement]:
        """Never asked: the rows are judged already."""
        raise NotImplementedError(f"{len(mentions)} mentions come judged")


def _places(path: Path | None) -> I64:
    return np.zeros(0, dtype=np.int64) if path is None else np.load(path)
