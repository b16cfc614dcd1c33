"""The detector's argument, the alert it raises and what was told to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from detector.domain.incident import Official

# The "service" of messages about the detector itself: that it hears nothing, or cannot write.
OURSELVES = "detector"


class Level(StrEnum):
    """How far an alert has grown; only `alert` and `major` page anybody."""

    WATCH = "watch"
    ALERT = "alert"
    MAJOR = "major"

    @property
    def rank(self) -> int:
        """0, 1, 2: to compare levels.

        >>> Level.MAJOR.rank > Level.WATCH.rank
        True
        """
        return ("watch", "alert", "major").index(self.value)


class AlertState(StrEnum):
    """Alertmanager's words."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Why this many people are surprising.

    Attributes:
        at: the post that made the argument.
        onset: start of the window that argues best.
        people: distinct people complaining in that window, weighted by how sure we are of each.
        expected: how many this hour usually brings in such a window.
        return_period_months: by chance a cluster this dense comes once in so many months.
        ratio: people against expectation over the window.
        score: -ln(clusters a month by chance), the quantity compared with the threshold.
        window_minutes: the window's length.
        sources: how many of the people each source contributed, largest first.
        voters: how many distinct people stand behind `people`, unweighted.
    """

    service: str
    at: datetime
    onset: datetime
    people: float
    expected: float
    return_period_months: float
    ratio: float
    score: float
    window_minutes: float
    sources: tuple[tuple[str, float], ...] = ()
    voters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A post quoted in an alert, with its probability of speaking of a present failure."""

    source: str
    id: str
    url: str | None
    text: str
    p: float
    at: datetime
    label: str = "complaint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One outage as we see it; an update is a new value with the same key.

    Attributes:
        key: `service-YYYYMMDDTHHMM` of the first moment we spoke, stable over re-opening.
        level: the highest reached.
        onset_at: inferred start of the trouble (hindsight of minutes; never used for lead).
        watch_at: when it became a watch.
        fired_at: when it first reached `alert`: the moment we said so. None for a mere watch.
        ended_at: when it closed; None while firing.
        estimate: the strongest argument so far.
        cause: the slug of the service that explains this one, if any.
        official: the provider's page at `fired_at` (or `watch_at`).
    """

    key: str
    service: str
    level: Level
    state: AlertState
    onset_at: datetime
    watch_at: datetime
    fired_at: datetime | None
    updated_at: datetime
    ended_at: datetime | None
    estimate: Estimate
    evidence: tuple[Evidence, ...] = ()
    cause: str | None = None
    official: Official | None = None
    reopened: int = 0


class Reason(StrEnum):
    """Why an alert changed or why somebody was, or was not, told."""

    OPENED = "opened"
    RAISED = "raised"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    REPEATED = "repeated"
    BELOW_LEVEL = "below_level"
    NO_ROUTE = "no_route"
    UNCHANGED = "unchanged"
    MAINTENANCE = "maintenance"
    QUIET = "quiet"
    FLAPPING = "flapping"
    ESCALATED = "escalated"
    FALLBACK = "fallback"
    DIGEST = "digest"
    UNDELIVERED = "undelivered"
    NOT_OURS = "not_ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An alert became something else: what the pipeline hands to its sink."""

    alert: Alert
    reason: Reason
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nobody is told about these services until `ends_at`; `service` "*" means all."""

    id: str
    service: str
    starts_at: datetime
    ends_at: datetime
    comment: str = ""

    def mutes(self, service: str, now: datetime) -> bool:
        """Whether this silence holds for a service at a time."""
        return self.service in {"*", service} and self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message owed to one receiver: written with the alert's change, sent afterwards.

    Attributes:
        id: `alert-key/receiver/sequence`: stable, so that a retry can be recognised.
        reason: why it is owed.
        attempts: how often it was tried; `sent_at` is set only after a confirmed reply.
        tried_at: when the present try began; like the next two set by the sender and not stored.
        thread: the reference of the first message about this alert, which an update edits or answers.
        others: further messages that are told in this one, most important first.
        answers: who answered what, and when, oldest first; set by the sender and not stored with it.
    """

    id: str
    alert: Alert
    receiver: str
    reason: Reason
    created_at: datetime
    attempts: int = 0
    next_try_at: datetime | None = None
    sent_at: datetime | None = None
    failed: str | None = None
    reference: str | None = None
    tried_at: datetime | None = None
    thread: str | None = None
    others: tuple[Notification, ...] = ()
    answers: tuple[tuple[str, str, datetime], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the alerting policy decided for one alert and receiver, kept for `explain`."""

    alert_key: str
    receiver: str
    reason: Reason
    told: bool
    at: datetime
    note: str = field(default="")
