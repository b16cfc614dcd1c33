"""What we could hear, and what we could not: a dead collector is unknown, never calm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CoverageState(StrEnum):
    """How well a source was heard over a span."""

    OK = "ok"
    STALE = "stale"
    GAP = "gap"
    FAILING = "failing"


class ServiceState(StrEnum):
    """What we say of a service; silence never turns `outage` into `ok`."""

    OK = "ok"
    WATCH = "watch"
    OUTAGE = "outage"
    UNKNOWN = "unknown"
    LEARNING = "learning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """A span of one source; `lower_bound` marks counts that are known to be incomplete."""

    source: str
    from_at: datetime
    to_at: datetime
    state: CoverageState
    note: str = ""
    lower_bound: int | None = None
