"""The sources: what each brought, how it is doing, and when it was heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from detector.domain import Coverage, CoverageState, format_time
from detector.notify.escape import plain
from detector.store.board import Board as Questions
from detector.web.ports import Surroundings
from detector.web.shapes import SourceLook, Sources, Span
from detector.web.values import maybe

DAY = timedelta(days=1)
EVERYTHING = "*"
_MOST_SPANS = 400
Piece = tuple[datetime, datetime]


def look(ask: Questions, around: Surroundings, now: datetime) -> Sources:
    """Every source, the troubled ones first."""
    found = sources(ask, around, now)
    troubled = {"failing": 0, "gap": 1, "stale": 1}
    found.sort(key=lambda each: (troubled.get(each["state"], 2), each["source"]))
    return Sources(at=format_time(now), sources=found)


def sources(
    ask: Questions, around: Surroundings, now: datetime, names: Iterable[str] | None = None
) -> list[SourceLook]:
    """The sources of these names, or all."""
    spans = ask.read.coverage(since=now - DAY)
    heard = around.source_health(spans, now)
    by_source: dict[str, list[Coverage]] = {}
    for span in spans:
        by_source.setdefault(span.source, []).append(span)
    counts = {each.source: each for each in ask.read.sources()}
    wanted = (set(counts) | set(heard)) if names is None else set(names)
    found = []
    for name in sorted(wanted - {EVERYTHING}):
        count, health = counts.get(name), heard.get(name)
        mine = by_source.get(name, [])
        found.append(
            SourceLook(
                source=name,
                state="stale" if health is None else health.state.value,
                heard_at=None if health is None else maybe(health.heard_at),
                polled_at=None if count is None else maybe(count.polled_at),
                note="" if health is None else plain(health.note, limit=240),
                received=0 if count is None else count.received,
                accepted=0 if count is None else count.accepted,
                duplicate=0 if count is None else count.duplicate,
                rejected={} if count is None else {plain(why, limit=60): total for why, total in count.rejected},
                coverage=_spans(mine, now),
                heard_share=round(_share(mine, now), 4),
            )
        )
    return found


def heard_pieces(spans: Iterable[Coverage], since: datetime, until: datetime) -> list[Piece]:
    """When at least one source was heard, as pieces that do not overlap, in order."""
    pieces = sorted(
        (max(span.from_at, since), min(span.to_at, until))
        for span in spans
        if span.state is CoverageState.OK and span.to_at > since and span.from_at < until
    )
    merged: list[Piece] = []
    for start, end in pieces:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _share(spans: Sequence[Coverage], now: datetime) -> float:
    pieces = heard_pieces(spans, now - DAY, now)
    return sum((end - start for start, end in pieces), timedelta()) / DAY


def _spans(spans: Sequence[Coverage], now: datetime) -> list[Span]:
    return [
        Span(
            from_at=format_time(max(span.from_at, now - DAY)),
            to_at=format_time(min(span.to_at, now)),
            state=span.state.value,
            note=plain(span.note, limit=160),
        )
        for span in spans[-_MOST_SPANS:]
    ]
