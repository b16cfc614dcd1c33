"""How well we hear, and so how much our silence is worth: a dead source makes a service unknown, never calm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from detector.domain import Alert, AlertState, Coverage, CoverageState, Level, ServiceState
from detector.notify.words import moment_words

# Two polls of the slowest built-in source, and a minute for the poll itself.
STALE_AFTER = timedelta(minutes=5)
# A hole in what was heard within the last minutes: nobody knows what was said in it.
GAP_HOLDS = timedelta(minutes=5)
# Sources are weighed by what they brought within this time.
SHARES_REACH = timedelta(days=14)
# The daemon brings a post of its own through every stage four times a minute.
DEAD_AFTER = timedelta(minutes=2)
# A service is heard if the sources that answer usually bring at least so much of what is said about it.
ENOUGH = 0.5
EVERYTHING = "*"

Shares = Mapping[str, Mapping[str, float]]
"""By service, the usual share of each source (`Reader.shares`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """One source as its last polls left it.

    Attributes:
        state: `ok` if the last poll answered lately, `failing` if it did not answer, `stale` if there was none, `gap`
            if it answered and yet something was missed within the last minutes.
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
    holes: dict[str, Coverage] = {}
    for span in spans:
        if span.source.startswith(EVERYTHING):
            continue
        if span.state is CoverageState.GAP:
            holes[span.source] = span
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
    for name, hole in holes.items():
        health = found.get(name)
        if health is None or (health.state is CoverageState.OK and now - hole.to_at <= GAP_HOLDS):
            heard_at = health.heard_at if health else None
            found[name] = SourceHealth(source=name, state=CoverageState.GAP, heard_at=heard_at, note=hole.note)
    return found


def heard_share(service: str, sources: Mapping[str, SourceHealth], shares: Shares | None = None) -> float:
    """How much of what is usually said about a service we would hear now, between 0 and 1.

    Where it is not known what each source usually brings, one that is heard is enough.

    >>> from detector.domain import EPOCH
    >>> ears = {name: SourceHealth(source=name, state=state, heard_at=EPOCH)
    ...         for name, state in (("a", CoverageState.OK), ("b", CoverageState.FAILING))}
    >>> heard_share("claude", ears), heard_share("claude", ears, {"claude": {"a": 0.2, "b": 0.8}})
    (1.0, 0.2)
    """
    known = {name: share for name, share in (shares or {}).get(service, {}).items() if name in sources and share > 0}
    if not known:
        return float(any(each.state is CoverageState.OK for each in sources.values()))
    total = sum(known.values())
    return sum(share for name, share in known.items() if sources[name].state is CoverageState.OK) / total


def service_health(
    service: str,
    *,
    alerts: Sequence[Alert],
    sources: Mapping[str, SourceHealth],
    learning: bool,
    shares: Shares | None = None,
    zone: tzinfo = UTC,
) -> ServiceHealth:
    """What we say of a service: an open alert stands whatever the sources do; without ears nothing is `ok`.

    Args:
        shares: what each source usually brings; without it one source that is heard is enough.
        zone: in which times are written.

    >>> service_health("claude", alerts=[], sources={}, learning=False).state.value
    'unknown'
    """
    firing = [alert for alert in alerts if alert.service == service and alert.state is AlertState.FIRING]
    if firing:
        worst = max(firing, key=lambda alert: alert.level.rank)
        state = ServiceState.WATCH if worst.level is Level.WATCH else ServiceState.OUTAGE
        since = worst.fired_at or worst.watch_at
        why = f"{worst.level.value} since {moment_words(since, zone)}"
        return ServiceHealth(service=service, state=state, why=why, alert=worst)
    deaf = sorted(name for name, each in sources.items() if each.state is not CoverageState.OK)
    if len(deaf) == len(sources):
        why = f"no source is heard: {', '.join(deaf)}" if deaf else "nothing was heard yet"
        return ServiceHealth(service=service, state=ServiceState.UNKNOWN, why=why)
    heard = heard_share(service, sources, shares)
    if heard < ENOUGH:
        why = f"only {heard:.0%} of what is usually said is heard; not heard: {', '.join(deaf)}"
        return ServiceHealth(service=service, state=ServiceState.UNKNOWN, why=why)
    if learning:
        return ServiceHealth(service=service, state=ServiceState.LEARNING, why="learning what is usual; no alerts yet")
    why = f"nothing unusual; not heard: {', '.join(deaf)}" if deaf else "nothing unusual"
    return ServiceHealth(service=service, state=ServiceState.OK, why=why)


def without_daemon(alive_at: datetime | None, now: datetime, zone: tzinfo = UTC) -> str | None:
    """Why nothing is known for want of a daemon, None while one lives (or if the database is older than that sign).

    >>> from detector.domain import EPOCH, MINUTE
    >>> without_daemon(EPOCH, EPOCH + MINUTE), without_daemon(EPOCH, EPOCH + 3 * MINUTE)
    (None, 'no daemon has been alive since 1970-01-05 00:00 UTC')
    """
    if alive_at is None or now - alive_at <= DEAD_AFTER:
        return None
    return f"no daemon has been alive since {moment_words(alive_at, zone)}"


def exit_code(states: Iterable[ServiceState]) -> int:
    """What `detector status` ends with: 1 any outage, else 2 any unknown, else 0.

    >>> exit_code([ServiceState.OK, ServiceState.UNKNOWN]), exit_code([ServiceState.UNKNOWN, ServiceState.OUTAGE])
    (2, 1)
    """
    found = set(states)
    if ServiceState.OUTAGE in found:
        return 1
    return 2 if not found or ServiceState.UNKNOWN in found else 0
