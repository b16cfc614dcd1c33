"""What can be plugged in. Each is small enough that a function or a three-line fake will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from detector.domain import (
    Coverage,
    Estimate,
    Judgement,
    Level,
    Mention,
    Notification,
    Official,
    Post,
    StatusReading,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What one poll brought.

    Attributes:
        posts: new posts, any order, duplicates allowed; `seen_at` is the poll's `now`.
        cursor: opaque text handed back at the next poll, stored with the posts in one transaction.
        gaps: spans that were not heard (for instance when paging back hit its limit).
        rejected: entries dropped, by reason.
        poll_after: seconds until the next poll makes sense, where the other side says so.
        deleted: keys (source, id) of posts their authors took back, to be forgotten; most were never stored.
        budget: what is left of the place's rate or money, in words ("74 of 100 requests a minute"), where it is known.
    """

    posts: tuple[Post, ...] = ()
    cursor: str | None = None
    gaps: tuple[Coverage, ...] = ()
    rejected: tuple[tuple[str, int], ...] = ()
    poll_after: float | None = None
    deleted: tuple[tuple[str, str], ...] = ()
    budget: str | None = None


@runtime_checkable
class Collector(Protocol):
    """Reads one place where people talk. Group `detector.collectors`.

    The entry point is a callable `(settings: Mapping, context: CollectorContext) -> Sequence[Collector]`
    that raises `NotConfigured` when it lacks a key.
    """

    @property
    def source(self) -> str:
        """The `Post.source` it fills; one that reads many places may fill `SOURCE:PLACE` (`reddit:r/ClaudeAI`)."""

    @property
    def interval(self) -> float:
        """Seconds between polls."""

    async def poll(self, cursor: str | None, *, now: datetime) -> Harvest:
        """Everything new since `cursor`; raises `TransportError`, never anything else.

        For a stream this drains what arrived; for a page it pages back to what is known.
        """

    async def aclose(self) -> None:
        """Release connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """What became of posts since they were read.

    Attributes:
        deleted: keys (source, id) of posts to be forgotten.
        edited: posts as they read now, with the source, id and times under which they are stored; also those whose
            author is gone, without it.
        asked: how many were looked up.
    """

    deleted: tuple[tuple[str, str], ...] = ()
    edited: tuple[Post, ...] = ()
    asked: int = 0


@runtime_checkable
class Rechecks(Protocol):
    """A collector that can also tell which of its posts were deleted or edited since, where a place's terms want it."""

    @property
    def source(self) -> str:
        """The collector's."""

    async def recheck(self, posts: Sequence[Post], *, now: datetime) -> Recheck:
        """Look these posts up; raises `TransportError` when nothing is then known of any of them."""


@runtime_checkable
class StatusReader(Protocol):
    """Reads one provider's page. Group `detector.status`, a callable `(service, url, transport)`."""

    @property
    def service(self) -> str:
        """The slug."""

    @property
    def url(self) -> str:
        """The page people can open."""

    async def read(self, *, now: datetime) -> StatusReading:
        """The page's state and incidents; raises `TransportError` when it could not be read."""


@runtime_checkable
class Matcher(Protocol):
    """Finds the services a post names."""

    def match(self, post: Post) -> Sequence[Mention]:
        """One mention a service, in slug order; empty if the post names none."""


@runtime_checkable
class Classifier(Protocol):
    """Judges mentions. Group `detector.classifiers`, a callable `(path | None) -> Classifier`."""

    @property
    def name(self) -> str:
        """`name@artifact-hash`."""

    @property
    def prior(self) -> float:
        """Share of *now* among the labels, the prior at which its probabilities stand (the manifest states it)."""

    def judge(self, mentions: Sequence[Mention]) -> list[Judgement]:
        """One judgement a mention, in order; never depends on the other mentions of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A detector's word on one service at one moment.

    Attributes:
        level: how far the argument carries; None means the episode is over.
        at: `seen_at` of the post that argued, or a fixed moment between posts; never the time of the call.
        estimate: the argument; None when the episode is over.
        corroborated: a news or third-person report was needed to reach the level.
    """

    level: Level | None
    at: datetime
    estimate: Estimate | None = None
    corroborated: bool = False


@runtime_checkable
class Detector(Protocol):
    """Follows one service. Group `detector.detectors`, a callable `(service, budget, prior) -> Detector`.

    The arguments are a `Service`, a `Budget` and the classifier's `prior`. State changes only at posts and at fixed
    moments between them, so how often it is called changes nothing.
    """

    def observe(self, judgement: Judgement) -> Sequence[Signal]:
        """Take one judged mention, in the order of `Post.order`."""

    def advance(self, now: datetime) -> Sequence[Signal]:
        """Let time pass: alerts close and the baseline learns."""

    def hear(self, coverage: Coverage) -> None:
        """Learn that a source was, or was not, heard over a span."""

    @property
    def learning(self) -> bool:
        """True until the baseline can be trusted; no alert is raised before."""

    def dump(self) -> dict[str, Any]:
        """The whole state as JSON-compatible values; `load` of it continues identically."""

    def load(self, state: dict[str, Any]) -> None:
        """Take over a dumped state."""


@runtime_checkable
class HearsPlaces(Protocol):
    """A detector that knows which part of a service's posts each source brings; not every detector must."""

    def muffle(self, coverage: Coverage) -> None:
        """Learn that one source alone could not be heard over a span."""


@runtime_checkable
class Notifier(Protocol):
    """Tells one receiver. Group `detector.notifiers`, a callable `(settings: Mapping) -> Notifier`."""

    @property
    def receiver(self) -> str:
        """The configured name."""

    async def send(self, notification: Notification) -> str | None:
        """Deliver; returns the channel's reference for later edits. Raises `DeliveryError`."""

    async def aclose(self) -> None:
        """Release connections."""


@runtime_checkable
class OfficialRecord(Protocol):
    """What the provider was saying at a moment, as far as was known then."""

    def official(self, service: str, at: datetime) -> Official | None:
        """The page at that time; None where no page is watched."""
