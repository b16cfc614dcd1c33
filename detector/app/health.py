"""How well we hear, and so how much our silence is worth: a dead source makes a service unknown, never calm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.domain import Alert, AlertState, Coverage, CoverageState, Level, ServiceState

# Two polls of the slowest built-in source, and a minute for the poll itself.
STALE_AFTER = timedelta(minutes=5)
EVERYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """One source as its last polls left it.

    Attributes:
        state: `ok` if the last poll answered lately, `failing` if it did not answer, `stale` if there was none.
        heard_at: the end of the last span that was heard; None if it never was.
        note: the error of a failing source.
    """

    source: str
    state: CoverageState
    heard_at: datetime | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """What we say of a service, and why.

    Attributes:
        alert: the open alert, if there is one.
    """

    service: str
    state: ServiceState
    why: str
    alert: Alert | None = None


def source_health(
    spans: Iterable[Coverage], now: datetime, *, stale_after: timedelta = STALE_AFTER
) -> dict[str, SourceHealth]:
    """Each source's state by the spans noted for it, in the order they were noted.

    >>> from detector.domain import EPOCH, MINUTE
    >>> span = Coverage(source="hackernews", from_at=EPOCH, to_at=EPOCH + MINUTE, state=CoverageState.OK)
    >>> source_health([span], EPOCH + 2 * MINUTE)["hackernews"].state.value
    'ok'
    >>> source_health([span], EPOCH + 90 * MINUTE)["hackernews"].state.value
    'stale'
    """
    found: dict[str, SourceHealth] = {}
    for span in spans:
        if span.source == EVERYTHING or span.state is CoverageState.GAP:
            continue
        before = found.get(span.source)
        heard_at = before.heard_at if before else None
        if span.state is CoverageState.OK:
            heard_at = max(heard_at, span.to_at) if heard_at else span.to_at
            found[span.source] = SourceHealth(source=span.source, state=CoverageState.OK, heard_at=heard_at)
        else:
            found[span.source] = SourceHealth(source=span.source, state=span.state, heard_at=heard_at, note=span.note)
    for name, each in found.items():
        if each.state is CoverageState.OK and (each.heard_at is None or now - each.heard_at > stale_after):
            found[name] = SourceHealth(source=name, state=CoverageState.STALE, heard_at=each.heard_at)
    return found


def service_health(
    service: str, *, alerts: Sequence[Alert], sources: Mapping[str, SourceHealth], learning: bool
) -> ServiceHealth:
    """What we say of a service: an open alert stands whatever the sources do; without ears nothing is `ok`.

    >>> service_health("claude", alerts=[], sources={}, learning=False).state.value
    'unknown'
    """
    firing = [alert for alert in alerts if alert.service == service and alert.state is AlertState.FIRING]
    if firing:
        worst = max(firing, key=lambda alert: alert.level.rank)
        state = ServiceState.WATCH if worst.level is Level.WATCH else ServiceState.OUTAGE
        since = worst.fired_at or worst.watch_at
        return ServiceHealth(
            service=service, state=state, why=f"{worst.level.value} since {since:%Y-%m-%d %H:%M} UTC", alert=worst
        )
    deaf = sorted(name for name, each in sources.items() if each.state is not CoverageState.OK)
    if len(deaf) == len(sources):
        why = f"no source is heard: {', '.join(deaf)}" if deaf else "nothing was heard yet"
        return ServiceHealth(service=service, state=ServiceState.UNKNOWN, why=why)
    if learning:
        return ServiceHealth(service=service, state=ServiceState.LEARNING, why="learning what is usual; no alerts yet")
    why = f"nothing unusual; not heard: {', '.join(deaf)}" if deaf else "nothing unusual"
    return ServiceHealth(service=service, state=ServiceState.OK, why=why)


def exit_code(states: Iterable[ServiceState]) -> int:
    """What `detector status` ends with: 1 any outage, else 2 any unknown, else 0.

    >>> exit_code([ServiceState.OK, ServiceState.UNKNOWN]), exit_code([ServiceState.UNKNOWN, ServiceState.OUTAGE])
    (2, 1)
    """
    found = set(states)
    if ServiceState.OUTAGE in found:
        return 1
    return 2 if not found or ServiceState.UNKNOWN in found else 0
