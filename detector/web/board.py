"""The board: every watched service as one row, outages first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from detector.domain import MINUTE, Alert, Service, Silence, format_time
from detector.notify.escape import plain
from detector.notify.symptoms import symptom
from detector.notify.words import service_words
from detector.store.board import Board as Questions
from detector.store.board import OfficialNow
from detector.web.expected import Expectations
from detector.web.ports import Health, Surroundings
from detector.web.shapes import Board, Row
from detector.web.values import maybe, minutes, official_now

BIN = timedelta(minutes=3)
BINS = 20
ORDER = ("outage", "watch", "unknown", "learning", "ok")


def look(ask: Questions, around: Surroundings, expect: Expectations, now: datetime) -> Board:
    """The whole board at a moment."""
    slugs = [service.slug for service in around.services]
    healths = around.services_health(ask.read, expect.learning, now)
    end = _next_step(now)
    start = end - BINS * BIN
    voices = _voices(ask.voices(slugs, since=start), start)
    pages = ask.official_now(slugs, now=now)
    silences = ask.read.silences(now=now)
    names = {service.slug: service.name for service in around.services}
    rows = [
        _row(
            service,
            healths[service.slug],
            bins=voices.get(service.slug, {}),
            expect=expect,
            span=(start, end),
            page=pages.get(service.slug),
            silenced=_silenced(silences, service.slug, now),
            now=now,
            names=names,
        )
        for service in around.services
    ]
    rows.sort(key=place)
    counts = {state: sum(row["state"] == state for row in rows) for state in ORDER}
    return Board(at=format_time(now), recorded_until=maybe(ask.read.recorded_until()), counts=counts, services=rows)


def place(row: Row) -> tuple[int, int, str]:
    """Where a row stands: the worst state first, a cause before what it explains, the surest first, then by name.

    >>> from typing import cast
    >>> place(cast(Row, {"state": "ok", "level": None, "name": "Slack", "cause": None}))
    (4, 0, 'slack')
    """
    sure = 0 if row["level"] in {None, "major"} else 1
    return (ORDER.index(row["state"]), sure + 2 * (row["cause"] is not None), row["name"].casefold())


def _row(
    service: Service,
    health: Health,
    *,
    bins: Mapping[int, set[str]],
    expect: Expectations,
    span: tuple[datetime, datetime],
    page: OfficialNow | None,
    silenced: datetime | None,
    now: datetime,
    names: Mapping[str, str],
) -> Row:
    alert = health.alert
    lead, growing = _lead(alert, page, now)
    band = expect.between(service.slug, *span)
    return Row(
        slug=service.slug,
        name=service.name,
        category=service.category,
        state=health.state.value,
        why=plain(health.why, limit=160),
        since=None if alert is None else format_time(alert.fired_at or alert.watch_at),
        onset=None if alert is None else format_time(alert.onset_at),
        alert=None if alert is None else alert.key,
        level=None if alert is None else alert.level.value,
        said=None if alert is None else symptom(alert.evidence),
        cause=None if alert is None else alert.cause,
        cause_name=None if alert is None or alert.cause is None else service_words(alert.cause, names),
        people=len(set().union(*bins.values())) if bins else 0,
        expected=None if band is None else round(band.mean, 2),
        upper=None if band is None else round(band.high, 2),
        bins=[len(bins.get(number, ())) for number in range(BINS)],
        bin_minutes=int(BIN / MINUTE),
        lead_minutes=minutes(lead),
        lead_open=growing,
        official=official_now(page),
        silenced_until=maybe(silenced),
    )


def _lead(alert: Alert | None, page: OfficialNow | None, now: datetime) -> tuple[timedelta | None, bool]:
    """How far we are ahead of the page, and whether that still grows; nothing where no page is watched."""
    if alert is None or alert.fired_at is None or page is None:
        return None, False
    if page.posted_at is not None:
        return page.posted_at - alert.fired_at, False
    if page.state.value == "operational":
        return now - alert.fired_at, True
    return None, False


def _voices(voices: Iterable[tuple[str, datetime, str]], start: datetime) -> dict[str, dict[int, set[str]]]:
    found: dict[str, dict[int, set[str]]] = {}
    for service, at, who in voices:
        number = int((at - start) / BIN)
        if 0 <= number < BINS:
            found.setdefault(service, {}).setdefault(number, set()).add(who)
    return found


def _silenced(silences: Sequence[Silence], service: str, now: datetime) -> datetime | None:
    return max((each.ends_at for each in silences if each.mutes(service, now)), default=None)


def _next_step(now: datetime) -> datetime:
    """The end of the step that `now` lies in: steps stand still while time passes, so a quiet row stays as it is."""
    into = (now - datetime(now.year, now.month, now.day, tzinfo=now.tzinfo)) % BIN
    return now - into + BIN


def worst(counts: Mapping[str, Any]) -> str:
    """The state of everything: an outage anywhere, else a watch, else unknown or learning, else ok.

    >>> worst({"ok": 3, "unknown": 1})
    'unknown'
    """
    return next((state for state in ORDER if counts.get(state)), "unknown")
