"""What the page is given by whoever serves it: the judgement of health, the clock, and a way to write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

from detector.detect.baseline import Baseline
from detector.domain import Alert, Coverage, CoverageState, Service, ServiceState, Silence
from detector.store import Feedback, Reader

OpenReader = Callable[[], Reader]
"""Opens the database for reading; each call gives a connection of its own."""

Act = Callable[[Feedback | Silence], None]
"""Writes what a person asked for, through the database's one writer; called in a thread; may raise `DetectorError`."""


TakeAnswer = Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""Takes a request that a channel signed (headers by lower case names, body); returns the status to answer with."""


class Heard(Protocol):
    """How a source is doing (`app.health.SourceHealth`)."""

    @property
    def source(self) -> str:
        """Its name."""

    @property
    def state(self) -> CoverageState:
        """As its last polls left it."""

    @property
    def heard_at(self) -> datetime | None:
        """The end of the last span that was heard."""

    @property
    def note(self) -> str:
        """The error of a failing source."""


class Health(Protocol):
    """What we say of a service, and why (`app.health.ServiceHealth`)."""

    @property
    def state(self) -> ServiceState:
        """The state."""

    @property
    def why(self) -> str:
        """In a few words."""

    @property
    def alert(self) -> Alert | None:
        """The open alert."""


JudgeServices = Callable[[Reader, frozenset[str], datetime], Mapping[str, Health]]
"""Every watched service's health at a moment, given those that are still learning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the detectors have learned.

    Attributes:
        learning: the watched services of which it is not known yet what is usual.
        people: the usual rate of complaining people by service; absent where it is not known, or where a detector
            (a plug-in of another kind) keeps no such thing.
    """

    learning: frozenset[str] = frozenset()
    people: Mapping[str, Baseline] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the pages need beside the database; `app.page` puts it together.

    Attributes:
        services: those watched.
        now: the present; the page never reads a clock itself.
        source_health: judges the sources by their spans.
        services_health: the one rule by which a service is ok, watched, out, unknown or learning.
        remember: reads a saved state of the pipeline; None before the first.
        budget: false alarms a month that chance may raise for one service.
        zone: in which times are shown to people; programs are told UTC.
        zone_name: its name, as browsers know it too.
        workings: figures of the daemon that serves the page, for the metrics: `queue_bytes`, `queue_waiting`,
            `judgements_per_second`, `clock_jumps`, `loop_errors`; none where no daemon does.
    """

    services: tuple[Service, ...]
    now: Callable[[], datetime]
    source_health: Callable[[Iterable[Coverage], datetime], Mapping[str, Any]]
    services_health: JudgeServices
    remember: Callable[[Mapping[str, Any] | None], Memory]
    budget: float | None = None
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    workings: Callable[[], Mapping[str, float]] = dict
