"""The JSON of the API, field by field; the OpenAPI document is generated from these and tests hold answers to them."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

State = Literal["ok", "watch", "outage", "unknown", "learning"]
_EXACT = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@with_config(_EXACT)
class Official(TypedDict):
    """What the provider's page says."""

    state: str
    """`operational`, `degraded`, `outage`, `maintenance`, or `unknown` where it could not be read."""
    checked_at: str | None
    description: str
    title: str | None
    """Of the newest incident shown as open."""
    posted_at: str | None
    """When the provider first spoke of that incident."""


@with_config(_EXACT)
class Row(TypedDict):
    """One service on the board."""

    slug: str
    name: str
    category: str
    state: State
    why: str
    since: str | None
    """When we first said so; null unless an alert is open."""
    onset: str | None
    """Inferred beginning of the trouble."""
    alert: str | None
    """Key of the open alert."""
    level: str | None
    said: str | None
    """What people say fails, while an alert is open."""
    cause: str | None
    """Slug of the service whose failure explains this one."""
    cause_name: str | None
    people: int
    """Distinct people complaining in the last hour."""
    expected: float | None
    """How many this hour usually brings (weighted); null where it is not known yet."""
    upper: float | None
    """More than this in the hour is unusual: two standard deviations above the expectation."""
    bins: list[int]
    """The same people by spans of `bin_minutes`, oldest first."""
    bin_minutes: int
    lead_minutes: float | None
    """First official post minus our alert; while the page is silent, how long we have been ahead."""
    lead_open: bool
    """The page has not spoken yet, so the lead still grows."""
    official: Official | None
    """Null where no page is watched."""
    silenced_until: str | None


@with_config(_EXACT)
class Board(TypedDict):
    """Every watched service, outages first."""

    at: str
    recorded_until: str | None
    """How far the pipeline's time has come; far behind `at` means that no daemon runs."""
    counts: dict[str, int]
    services: list[Row]


@with_config(_EXACT)
class Point(TypedDict):
    """One step of a chart."""

    at: str
    people: int | None
    """Null: nothing could be heard, which is not the same as nobody."""
    expected: float | None
    low: float | None
    high: float | None


@with_config(_EXACT)
class Mark(TypedDict):
    """A moment on the time axis."""

    at: str
    kind: str
    """`onset`, `alert`, `resolved` or `official`."""
    text: str
    alert: str | None


@with_config(_EXACT)
class Series(TypedDict):
    """People against expectation over a range."""

    service: str
    range: str
    step_minutes: int
    points: list[Point]
    marks: list[Mark]


@with_config(_EXACT)
class Quote(TypedDict):
    """A post, masked and cut, with what it was judged to be."""

    source: str
    at: str
    text: str
    url: str | None
    label: str
    p_now: float
    """Probability that it speaks of a present failure."""
    probabilities: dict[str, float] | None


@with_config(_EXACT)
class AlertShort(TypedDict):
    """An alert in a list."""

    key: str
    service: str
    level: str
    state: str
    onset_at: str
    watch_at: str
    fired_at: str | None
    ended_at: str | None
    people: float
    expected: float
    window_minutes: float
    return_period_months: float | None
    """By chance once in so many months; null if it is beyond counting."""
    cause: str | None
    symptom: str
    lead_minutes: float | None
    verdict: str | None
    """Against the official record: `early`, `late`, `unmatched`; null for a mere watch."""
    feedback: str | None
    """`true` or `false` by the last word of a person."""


@with_config(_EXACT)
class Span(TypedDict):
    """A stretch of a source's coverage; what no span covers is not known to have been heard."""

    from_at: str
    to_at: str
    state: str
    note: str


@with_config(_EXACT)
class SourceLook(TypedDict):
    """One source: its state and what it brought."""

    source: str
    state: str
    heard_at: str | None
    polled_at: str | None
    note: str
    received: int
    accepted: int
    duplicate: int
    rejected: dict[str, int]
    coverage: list[Span]
    """The last day."""
    heard_share: float
    """Share of the last day that was heard."""


@with_config(_EXACT)
class Sources(TypedDict):
    """Every source."""

    at: str
    sources: list[SourceLook]


@with_config(_EXACT)
class Ledger(TypedDict):
    """How honest a provider's page was, by our alerts and its own incidents."""

    outages: int
    """Our alerts (those marked false left out) and the incidents that we missed."""
    acknowledged: int
    never_acknowledged: int
    median_late_minutes: float | None
    """Of the acknowledged ones we alerted on: first official post minus our alert; below zero, the page was first."""
    in_time: int
    """Acknowledged no later than ten minutes after our alert, or before it."""
    grade: str | None
    """A (in time for 90 %), B (75 %), C (50 %), D (25 %), E; null below three outages."""
    since: str | None


@with_config(_EXACT)
class Outage(TypedDict):
    """An incident of the official record."""

    id: str
    title: str
    impact: str | None
    first_posted_at: str
    resolved_at: str | None
    url: str | None


@with_config(_EXACT)
class ServiceLook(TypedDict):
    """One service, in detail."""

    at: str
    row: Row
    hosted_on: list[str]
    symptoms: list[tuple[str, int]]
    components: list[tuple[str, int]]
    sources: list[SourceLook]
    evidence: list[Quote]
    alerts: list[AlertShort]
    incidents: list[Outage]
    ledger: Ledger
    silences: list[SilenceLook]


@with_config(_EXACT)
class SilenceLook(TypedDict):
    """A silence that holds or is to come."""

    id: str
    service: str
    starts_at: str
    ends_at: str
    comment: str


@with_config(_EXACT)
class Moment(TypedDict):
    """One line of an alert's timeline."""

    at: str
    kind: str
    """`people`, `we`, `official`, `told`, `not-told` or `feedback`."""
    text: str


@with_config(_EXACT)
class AlertLook(TypedDict):
    """One alert: the argument, the timeline, the evidence, the decisions."""

    at: str
    alert: AlertShort
    name: str
    argument: str
    sources: list[tuple[str, float]]
    voters: int
    score: float
    timeline: list[Moment]
    evidence: list[Quote]
    decisions: list[DecisionLook]
    official: Official | None
    """The page as it was when we spoke."""


@with_config(_EXACT)
class DecisionLook(TypedDict):
    """Why a receiver was, or was not, told."""

    at: str
    receiver: str
    told: bool
    reason: str
    note: str
    fate: str
    """What became of the message."""


@with_config(_EXACT)
class AlertList(TypedDict):
    """Alerts, newest first."""

    at: str
    alerts: list[AlertShort]


@with_config(_EXACT)
class Miss(TypedDict):
    """An official outage for which we raised no alert."""

    service: str
    title: str
    first_posted_at: str
    impact: str | None
    why: str


@with_config(_EXACT)
class Proof(TypedDict):
    """Our own record."""

    at: str
    since: str | None
    months: float
    services: int
    alerts: dict[str, int]
    judged_true: int
    judged_false: int
    confirmed: int
    """Alerts that the official record speaks of too."""
    unjudged: int
    """Neither: not yet known to be true or false."""
    leads_minutes: list[float]
    median_lead_minutes: float | None
    early_share: float | None
    budget_per_month: float | None
    """False alarms a month that all services together may raise."""
    false_per_month: float | None
    """By people's word."""
    worst_false_per_month: float | None
    """If every unjudged alert were false."""
    chance_hit_rate: float | None
    """Share of alerts that would be confirmed had they been raised at random moments."""
    outages: int
    detected: int
    recall: float | None
    misses: list[Miss]


@with_config(_EXACT)
class StatusEntry(TypedDict):
    """One service in a few words."""

    state: State
    name: str
    since: str | None
    """Inferred beginning of the trouble."""
    confidence: float | None
    """From 0 to 1, that the complaints are no chance."""
    evidence: int
    """How many people complain."""
    alert: str | None
    cause: str | None
    symptom: str | None


@with_config(_EXACT)
class Status(TypedDict):
    """The state of every service, for programs that fail over; nothing in it changes unless a state does."""

    version: Literal[1]
    services: dict[str, StatusEntry]


@with_config(_EXACT)
class Problem(TypedDict):
    """Why a request was refused."""

    error: str


@with_config(_EXACT)
class Done(TypedDict):
    """A write was accepted."""

    done: str
