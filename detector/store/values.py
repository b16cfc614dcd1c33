"""What the store returns beyond the domain's own values: counts, checkpoints, changes, feedback."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from detector.domain import Alert, AlertState, Decision, Estimate, Judgement, Level, Notification, Official, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The whole state of the pipeline at a moment.

    Attributes:
        state: JSON-compatible values, as handed in.
        sequence: the last judgement that the state has taken in; later ones must be replayed over it.
        at: when it was taken.
    """

    state: dict[str, Any]
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """One step in the life of an alert, without its quotes."""

    sequence: int
    alert_key: str
    at: datetime
    reason: Reason
    level: Level
    state: AlertState
    estimate: Estimate
    official: Official | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """What became of everything a source brought: the three outcomes add up to what was received.

    Attributes:
        rejected: by reason, in the collector's words.
        cursor: the collector's own, None before the first.
        polled_at: the last poll that brought an answer.
    """

    source: str
    accepted: int
    duplicate: int
    rejected: tuple[tuple[str, int], ...]
    cursor: str | None
    polled_at: datetime | None

    @property
    def received(self) -> int:
        """Every entry the source brought, kept or not."""
        return self.accepted + self.duplicate + sum(count for _, count in self.rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class HourTotal:
    """One service on one source in one hour (UTC, by the time the posts were seen).

    Attributes:
        mentions: posts naming the service.
        complaints: the sum of p(complaint) + p(report), so a fraction of a post each.
        people: distinct authors of posts more likely than not to speak of a present failure.
    """

    service: str
    source: str
    hour: datetime
    mentions: int
    complaints: float
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """A person's word on an alert."""

    alert_key: str
    real: bool
    at: datetime
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What a deletion reached.

    Attributes:
        posts: how many posts lost their text, author and address.
        purged: whether the write-ahead log was emptied too; False while a reader holds it open.
        keys: source and id that the posts had, for a memory that must forget them too; of old texts none.
    """

    posts: int
    purged: bool
    keys: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a step would write, for `Store.rehearse`: one post's judgement, the alert, the decision and the message."""

    judgement: Judgement
    alert: Alert
    reason: Reason
    decision: Decision
    owed: Notification
