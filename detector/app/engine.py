"""The pipeline with its memory: everything that happens in the one worker thread, each step written down whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from detector.alerting.policy import Receiver, notifications
from detector.domain import Change, Coverage, CoverageState, Decision, Judgement, Notification, Post, StatusReading
from detector.errors import StoreError
from detector.pipeline import Pipeline
from detector.protocols import Harvest
from detector.store import Store

logger = logging.getLogger(__name__)

CHECKPOINT_EVERY = timedelta(minutes=10)
# A step in which nothing happened need not reach the disk each time: a restart lets the same time pass again.
QUIET = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step of the engine did.

    Attributes:
        posts: those that were new.
        judgements: of the mentions among them.
        changes: of alerts, in order.
        owed: messages put into the outbox.
    """

    now: datetime
    source: str | None = None
    posts: tuple[Post, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    changes: tuple[Change, ...] = ()
    owed: tuple[Notification, ...] = ()


class Engine:
    """Feeds the pipeline and records what comes out. Not for use by two threads at once.

    Args:
        store: the database; its one writer.
        make_pipeline: a pipeline without memory; called again after a step that could not be recorded.
        receivers: who may be told.
    """

    def __init__(self, *, store: Store, make_pipeline: Callable[[], Pipeline], receivers: Sequence[Receiver]) -> None:
        self.store = store
        self.pipeline = make_pipeline()
        self._make_pipeline = make_pipeline
        self._receivers = tuple(receivers)
        self._checkpoint_at: datetime | None = None
        self._recorded_at: datetime | None = None
        self._lost_step = False

    def restore(self, now: datetime) -> Step:
        """Rebuild the state from the last checkpoint and the judgements after it, then take up what was left undone.

        What the rebuilding repeats was recorded before the stop, so its changes are not recorded again.
        """
        self.pipeline = self._make_pipeline()
        checkpoint = self.store.latest_checkpoint()
        sequence, since = 0, None
        if checkpoint is not None:
            try:
                self.pipeline.load(checkpoint.state)
                sequence, since = checkpoint.sequence, checkpoint.at
            except (ValueError, KeyError, TypeError) as error:
                logger.warning("the saved state cannot be used (%s); rebuilding it from the judgements", error)
                self.pipeline = self._make_pipeline()
        for span in self.store.read.coverage("*", since=since):
            self.pipeline.hear(span)
        recorded = (judgement for _, judgement in self.store.judgements_after(sequence))
        for seen_at, group in groupby(recorded, key=lambda judgement: judgement.mention.post.seen_at):
            self.pipeline.weigh(group, seen_at)
        until = self.store.read.recorded_until()
        if until is not None:
            self.pipeline.weigh((), until)
        self._lost_step = False
        self._checkpoint_at = self._recorded_at = None
        return self._step(self.store.pending_posts(), now)

    def take(self, source: str, harvest: Harvest, now: datetime) -> Step:
        """Store what a poll brought, judge what is new, weigh it, and record the outcome.

        Raises:
            StoreError: nothing of the poll was kept if storing failed; the cursor stands where it stood.
        """
        self._mend(now)
        new = self.store.add_posts(source, harvest.posts, harvest.cursor, harvest.gaps, harvest.rejected, now=now)
        return self._step(new, now, source=source)

    def pass_time(self, now: datetime) -> Step:
        """Let alerts close and baselines learn."""
        self._mend(now)
        return self._step([], now)

    def take_reading(self, reading: StatusReading) -> Step:
        """Keep a look at an official page; an open alert takes note of what it newly admits."""
        self._mend(reading.at)
        self.store.add_reading(reading)
        changes = self.pipeline.acknowledge(reading.service, reading.at)
        return self._record(Step(now=reading.at, changes=tuple(changes))) if changes else Step(now=reading.at)

    def note(self, coverage: Coverage) -> None:
        """Keep what a source did, or did not, let us hear."""
        self.store.add_coverage([coverage])

    def note_blind(self, from_at: datetime, to_at: datetime, why: str) -> None:
        """No source at all was heard over a span: the detectors neither learn from it nor take it for calm."""
        span = Coverage(source="*", from_at=from_at, to_at=to_at, state=CoverageState.FAILING, note=why)
        self.store.add_coverage([span])
        self.pipeline.hear(span)

    def checkpoint(self, now: datetime) -> None:
        """Save the state, so that a restart is quick."""
        if not self._lost_step:
            self.store.record(now=now, checkpoint=self.pipeline.dump())
            self._checkpoint_at = now

    def _mend(self, now: datetime) -> None:
        """After a step that was made but not recorded, memory and database differ: the database is right."""
        if self._lost_step:
            logger.warning("the last step could not be recorded; rebuilding the state from the database")
            self.restore(now)

    def _step(self, posts: Iterable[Post], now: datetime, *, source: str | None = None) -> Step:
        posts = tuple(posts)
        try:
            judgements = tuple(self.pipeline.judge(posts))
            changes = tuple(self.pipeline.weigh(judgements, now))
        except BaseException:
            self._lost_step = True
            raise
        return self._record(Step(now=now, source=source, posts=posts, judgements=judgements, changes=changes))

    def _record(self, step: Step) -> Step:
        quiet = not (step.posts or step.changes)
        if quiet and self._recorded_at is not None and step.now - self._recorded_at < QUIET:
            return step
        decisions, owed = self._decide(step.changes, step.now)
        due = self._checkpoint_at is None or step.now - self._checkpoint_at >= CHECKPOINT_EVERY
        try:
            # A checkpoint with each change: what a rebuilding repeats then never differs from what was told.
            state = self.pipeline.dump() if due or step.changes else None
            self.store.record(
                now=step.now,
                judged=step.posts,
                judgements=step.judgements,
                alerts=[(change.alert, change.reason) for change in step.changes],
                decisions=decisions,
                notifications=owed,
                checkpoint=state,
            )
        except StoreError:
            self._lost_step = True
            raise
        self._recorded_at = step.now
        if state is not None:
            self._checkpoint_at = step.now
        return Step(
            now=step.now,
            source=step.source,
            posts=step.posts,
            judgements=step.judgements,
            changes=step.changes,
            owed=tuple(owed),
        )

    def _decide(self, changes: Sequence[Change], now: datetime) -> tuple[list[Decision], list[Notification]]:
        decisions: list[Decision] = []
        owed: list[Notification] = []
        if changes:
            silences = self.store.read.silences(now=now)
            for change in changes:
                made, messages = notifications(change, self._receivers, silences, now)
                decisions += made
                owed += messages
        return decisions, owed


def in_batches(posts: Iterable[Post], span: timedelta) -> Iterator[list[Post]]:
    """Posts in their order, cut wherever a batch would cover more than `span`.

    >>> from detector.domain import EPOCH, MINUTE
    >>> posts = [Post(source="s", id=str(n), created_at=EPOCH, seen_at=EPOCH + n * MINUTE, text="") for n in range(5)]
    >>> [len(batch) for batch in in_batches(posts, 2 * MINUTE)]
    [2, 2, 1]
    """
    batch: list[Post] = []
    for post in posts:
        if batch and post.seen_at - batch[0].seen_at >= span:
            yield batch
            batch = []
        batch.append(post)
    if batch:
        yield batch
