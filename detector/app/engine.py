"""The pipeline with its memory: everything that happens in the one worker thread, each step written down whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from detector.alerting.policy import Context, Receiver
from detector.app.canary import Canary, CanaryError
from detector.app.load import Load, Sample, estimates, reckon, sample
from detector.app.telling import Telling
from detector.domain import Change, Coverage, CoverageState, Judgement, Mention, Notification, Post, StatusReading
from detector.errors import StoreError
from detector.match.people import People
from detector.pipeline import Pipeline
from detector.protocols import Classifier, Harvest, Recheck
from detector.store import Store, scrub_state

logger = logging.getLogger(__name__)

# Spans of this "source" are about everything, and with a service's slug behind it about all that is heard of that.
EVERYTHING = "*"

CHECKPOINT_EVERY = timedelta(minutes=10)
# A step in which nothing happened need not reach the disk each time: a restart lets the same time pass again.
QUIET = timedelta(minutes=1)
# A longer silence between two steps means that nobody listened, not that nobody spoke.
STOPPED = timedelta(minutes=2)
LONGEST_TEXT = 16_000
_LATER = 2000
_ADRIFT_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step of the engine did.

    Attributes:
        posts: those that were new.
        judgements: of the mentions among them.
        changes: of alerts, in order.
        owed: messages put into the outbox.
        estimated: posts counted by an estimate, to be judged when there is time.
        adrift: why the database refused; the step then exists in memory only, `owed` is in no outbox and must be
            sent at once, and the poll's cursor stands where it stood.
    """

    now: datetime
    source: str | None = None
    posts: tuple[Post, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    changes: tuple[Change, ...] = ()
    owed: tuple[Notification, ...] = ()
    estimated: tuple[Post, ...] = ()
    adrift: StoreError | None = None


class Engine:
    """Feeds the pipeline and records what comes out. Not for use by two threads at once.

    Args:
        store: the database; its one writer.
        make_pipeline: a pipeline without memory; called again after a step that could not be recorded.
        receivers: who may be told.
        context: categories and tags of services, for the receivers' routes.
        load: how much may be judged at once; without it everything is.
        lexical: the cheap classifier that groups posts when there are too many; needed with `load` only.
        people: masks people in what is taken in; without it texts are kept as they came.
    """

    def __init__(
        self,
        *,
        store: Store,
        make_pipeline: Callable[[], Pipeline],
        receivers: Sequence[Receiver],
        context: Context | None = None,
        load: Load | None = None,
        lexical: Classifier | None = None,
        people: People | None = None,
    ) -> None:
        self.store = store
        self.pipeline = make_pipeline()
        self.load = load or Load(None)
        self._make_pipeline = make_pipeline
        self._telling = Telling(store, receivers, context)
        self._lexical = lexical
        self._people = people
        self._canary: Canary | None = None
        self._checkpoint_at: datetime | None = None
        self._recorded_at: datetime | None = None
        self._lost_step = False
        self._unwritten: dict[tuple[str, str], None] = {}
        self._unrecorded: Step | None = None
        # Messages that were sent from memory while the database refused; recorded as sent once it does not.
        self.told: set[str] = set()

    def restore(self, now: datetime) -> Step:
        """Rebuild the state from the last checkpoint and the judgements after it, then take up what was left undone.

        What the rebuilding repeats was recorded before the stop, so its changes are not recorded again.
        """
        self.pipeline = self._make_pipeline()
        self._canary = None
        self._telling.forget()
        checkpoint = self.store.latest_checkpoint()
        sequence, since = 0, None
        if checkpoint is not None:
            try:
                self.pipeline.load(checkpoint.state)
                sequence, since = checkpoint.sequence, checkpoint.at
            except (ValueError, KeyError, TypeError) as error:
                logger.warning("the saved state cannot be used (%s); rebuilding it from the judgements", error)
                self.pipeline = self._make_pipeline()
        for span in self.store.read.coverage(since=since):
            if span.source.startswith(EVERYTHING):
                self._hear(span)
        watched = self.pipeline.services
        recorded = (each for _, each in self.store.judgements_after(sequence) if each.mention.service in watched)
        for seen_at, group in groupby(recorded, key=lambda judgement: judgement.mention.post.seen_at):
            self.pipeline.weigh(group, seen_at)
        until = self.store.read.recorded_until()
        if until is not None:
            self.pipeline.weigh((), until)
            if now - until > STOPPED:
                # An outage must not end, nor a baseline sink, because the detector was not there to listen.
                self._deafen(until, now, "the detector was not running", None)
        self._lost_step = False
        self._unwritten.clear()
        self._unrecorded = None
        self._checkpoint_at = self._recorded_at = None
        ended = self.pipeline.end_unwatched(now)
        if not ended:
            return self._step(self.store.pending_posts(), now)
        logger.warning("alerts of services that are watched no more are ended: %s", [each.alert.key for each in ended])
        return _together(self._record(Step(now=now, changes=tuple(ended))), self._step(self.store.pending_posts(), now))

    def take(self, source: str, harvest: Harvest, now: datetime) -> Step:
        """Store what a poll brought, judge what is new, weigh it, and record the outcome.

        While the database refuses, posts are judged in memory (`Step.adrift`), so that an outage is told all the
        same; the source is asked for them again afterwards.
        """
        posts, masked = self._fit(harvest.posts)
        try:
            mended = self._mend(now)
            new = self.store.add_posts(source, posts, harvest.cursor, harvest.gaps, harvest.rejected, now=now)
            self.store.tally(source, masked=masked, budget=harvest.budget)
            if harvest.deleted:
                self.forget(self.store.forget_posts(harvest.deleted, now=now), None)
            step = self._step(new, now, source=source)
        except StoreError as error:
            return self._drift(posts, now, source, error)
        return step if mended is None else _together(mended, step)

    def look_back(self, source: str, since: datetime, before: Post | None, limit: int) -> list[Post]:
        """Stored posts of a source, newest first, that still have their words."""
        return self.store.read.posts_back(source, since=since, before=before, limit=limit)

    def revise(self, found: Recheck, now: datetime) -> None:
        """Forget what was deleted since it was stored, and take over what was edited; people are masked again."""
        gone = self.store.forget_posts(found.deleted, now=now)
        edited, _ = self._fit(found.edited)
        changed = self.store.revise_posts(edited) if edited else []
        self.forget([*gone, *changed], None)

    def _fit(self, posts: Iterable[Post]) -> tuple[tuple[Post, ...], int]:
        """Posts as long as anybody reads, without people; and how many of those there were."""
        fit, masked = [], 0
        for post in posts:
            text = post.text[:LONGEST_TEXT]
            if self._people is not None:
                text, found = self._people.mask(text)
                masked += found
            fit.append(post if text == post.text else replace(post, text=text))
        return tuple(fit), masked

    def pass_time(self, now: datetime) -> Step:
        """Let alerts close, baselines learn and reminders fall due; with time to spare, judge what was estimated."""
        try:
            mended = self._mend(now)
            step = self._step([], now)
            if self.load.waiting == 0:
                self._judge_later(now)
        except StoreError as error:
            return self._drift((), now, None, error)
        return step if mended is None else _together(mended, step)

    def sing(self, now: datetime) -> StoreError | CanaryError | None:
        """Bring the canary through every stage; what stopped it, None if it came through."""
        self._canary = self._canary or Canary(self.pipeline)
        try:
            self.store.rehearse(self._canary.sing(now), now=now)
        except (StoreError, CanaryError) as error:
            return error
        return None

    def forget(self, keys: Sequence[tuple[str, str]], author: str | None) -> None:
        """Let the memory forget what the database has forgotten."""
        if keys or author is not None:
            self.pipeline.load(scrub_state(self.pipeline.dump(), keys, author))

    def take_reading(self, reading: StatusReading) -> Step:
        """Keep a look at an official page; an open alert takes note of what it newly admits."""
        self._mend(reading.at)
        self.store.add_reading(reading)
        changes = self.pipeline.acknowledge(reading.service, reading.at)
        return self._record(Step(now=reading.at, changes=tuple(changes))) if changes else Step(now=reading.at)

    def note(self, coverage: Coverage) -> None:
        """Keep what a source did, or did not, let us hear."""
        self.pipeline.muffle(coverage)
        self.store.add_coverage([coverage])

    def note_blind(self, from_at: datetime, to_at: datetime, why: str, services: Sequence[str] | None = None) -> None:
        """Services (None: all) were not heard over a span: the detectors neither learn from it nor take it for calm."""
        self._deafen(from_at, to_at, why, services)

    def _deafen(self, from_at: datetime, to_at: datetime, why: str, services: Sequence[str] | None) -> None:
        for name in [EVERYTHING] if services is None else [EVERYTHING + slug for slug in services]:
            span = Coverage(source=name, from_at=from_at, to_at=to_at, state=CoverageState.FAILING, note=why)
            # Memory first: even if it cannot be written down, silence must not be taken for calm now.
            self._hear(span)
            self.store.add_coverage([span])

    def _hear(self, span: Coverage) -> None:
        slug = span.source.removeprefix(EVERYTHING)
        self.pipeline.hear(span, [slug] if slug else None)

    def checkpoint(self, now: datetime) -> None:
        """Save the state, so that a restart is quick."""
        if not self._lost_step:
            self.store.record(now=now, checkpoint=self.pipeline.dump())
            self._checkpoint_at = now

    def _mend(self, now: datetime) -> Step | None:
        """After a step that was made but not recorded, memory and database differ: the database is right."""
        if not self._lost_step:
            return None
        # Asked first: rebuilding is work in vain while nothing can be written.
        self.store.touch(now=now)
        logger.warning("the last step could not be recorded; rebuilding the state from the database")
        return self.restore(now)

    def _step(self, posts: Iterable[Post], now: datetime, *, source: str | None = None) -> Step:
        posts = tuple(posts)
        try:
            judgements, left = self._judge(posts)
            guessed = estimates(left, judgements) if left else []
            weighed = sorted((*judgements, *guessed), key=_order) if guessed else judgements
            changes = tuple(self.pipeline.weigh(weighed, now))
        except BaseException:
            self._lost_step = True
            raise
        estimated = tuple(left.left_posts) if left else ()
        later = {post.key for post in estimated}
        done = tuple(post for post in posts if post.key not in later) if later else posts
        if estimated:
            self._say_estimated(len(done), len(estimated), left, judgements)
        return self._record(
            Step(now=now, source=source, posts=done, judgements=tuple(judgements), changes=changes, estimated=estimated)
        )

    def _say_estimated(self, done: int, later: int, left: Sample | None, judgements: Sequence[Judgement]) -> None:
        told = reckon(left or Sample(), judgements)
        logger.warning(
            "load: %d posts judged, %d estimated and left for later; about %.0f mentions speak of a failure (%.0f to "
            "%.0f)",
            done,
            later,
            told.total,
            told.low,
            told.high,
        )

    def _judge(self, posts: Sequence[Post]) -> tuple[list[Judgement], Sample | None]:
        mentions: list[Mention] = self.pipeline.match(posts)
        room = self.load.room
        if room is None or self._lexical is None or len(mentions) <= room:
            return self.load.judge(self.pipeline.classifier, mentions), None
        taken = sample(mentions, self._lexical.judge(mentions), room, seed=self.pipeline.classifier.name)
        return self.load.judge(self.pipeline.classifier, taken.chosen), taken if taken.left else None

    def _judge_later(self, now: datetime) -> None:
        """Judge some of what was estimated: the counts become exact, and nothing is counted twice."""
        posts = self.store.estimated_posts(min(self.load.room or _LATER, _LATER))
        if posts:
            judged = self.load.judge(self.pipeline.classifier, self.pipeline.match(posts))
            # With a checkpoint, so that a restart does not count these again either.
            self.store.record(now=now, judged=posts, judgements=judged, checkpoint=self.pipeline.dump())
            self._checkpoint_at = now

    def _drift(self, posts: Sequence[Post], now: datetime, source: str | None, error: StoreError) -> Step:
        """Go on in memory alone; the next step that can be written begins again from the database."""
        self._lost_step = True
        made, self._unrecorded = self._unrecorded, None
        if made is not None:
            # Weighed already; only the writing failed.
            self._unwritten.update(dict.fromkeys(post.key for post in (*made.posts, *made.estimated)))
            return replace(made, adrift=error)
        new = [post for post in posts if post.key not in self._unwritten]
        if len(self._unwritten) < _ADRIFT_REMEMBERED:
            self._unwritten.update(dict.fromkeys(post.key for post in new))
        judgements, left = self._judge(new)
        guessed = estimates(left, judgements) if left else []
        changes = tuple(self.pipeline.weigh(sorted((*judgements, *guessed), key=_order), now))
        _, owed = self._telling.of_changes(changes, now)
        return Step(now=now, source=source, changes=changes, owed=tuple(owed), adrift=error)

    def _record(self, step: Step) -> Step:
        standing = self.pipeline.lifecycle.open.values()
        decisions, owed = self._telling.of_changes(step.changes, step.now)
        reminded, reminders = self._telling.of_time(standing, step.now)
        quiet = not (step.posts or step.changes or step.estimated or reminders)
        if quiet and self._recorded_at is not None and step.now - self._recorded_at < QUIET:
            return step
        due = self._checkpoint_at is None or step.now - self._checkpoint_at >= CHECKPOINT_EVERY
        try:
            # A checkpoint with each change: what a rebuilding repeats then never differs from what was told.
            state = self.pipeline.dump() if due or step.changes or step.estimated else None
            self.store.record(
                now=step.now,
                judged=step.posts,
                judgements=step.judgements,
                alerts=[(change.alert, change.reason) for change in step.changes],
                decisions=[*decisions, *reminded],
                notifications=[self._owed(each, step.now) for each in (*owed, *reminders)],
                checkpoint=state,
                estimated=step.estimated,
            )
        except StoreError:
            self._lost_step = True
            self._unrecorded = replace(step, owed=(*owed, *reminders))
            self._telling.forget()
            raise
        self._recorded_at = step.now
        if state is not None:
            self._checkpoint_at = step.now
        return replace(step, owed=(*owed, *reminders))

    def _owed(self, message: Notification, now: datetime) -> Notification:
        return replace(message, sent_at=now) if message.id in self.told else message


def _order(judgement: Judgement) -> tuple[datetime, str, str, str]:
    return (*judgement.mention.post.order, judgement.mention.service)


def _together(first: Step, second: Step) -> Step:
    """Two steps told as one: what a rebuilding found is not to be kept from whoever looks on."""
    return replace(
        second,
        posts=first.posts + second.posts,
        judgements=first.judgements + second.judgements,
        changes=first.changes + second.changes,
        owed=first.owed + second.owed,
        estimated=first.estimated + second.estimated,
    )


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
