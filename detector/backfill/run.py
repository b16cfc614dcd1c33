"""One backfill from files to results: everything between the command line and the written files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from detector.backfill.lines import sorted_alerts
from detector.backfill.pairing import Outage, outages, pair
from detector.backfill.record import IncidentRecord
from detector.backfill.replay import BATCH, Replayed, replay
from detector.backfill.scoreboard import eligible, summary
from detector.backfill.timeline import AFTER, BEFORE, Timeline
from detector.domain import Alert, Budget, Incident, Pairing, Post, Service
from detector.pipeline import Pipeline
from detector.protocols import Classifier, Detector, Matcher

MakeDetector = Callable[[Service, Budget, float], Detector]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """The results of one backfill."""

    alerts: list[Alert]
    pairings: list[Pairing]
    outages: list[Outage]
    scoreboard: dict[str, Any]
    replayed: Replayed


def backfill(
    posts: Iterable[Post],
    *,
    services: Sequence[Service],
    matcher: Matcher,
    classifier: Classifier,
    make_detector: MakeDetector,
    budget: Budget,
    incidents: Sequence[Incident] = (),
    batch: int = BATCH,
    bad_lines: Callable[[], dict[str, int]] = dict,
    assumptions: Callable[[], list[str]] = list,
    progress: Callable[[int, datetime], None] | None = None,
) -> Backfilled:
    """Replay `posts` and compare with `incidents`.

    Args:
        posts: in `Post.order`, each key once.
        bad_lines, assumptions: asked after the replay, when the reader has met everything.
    """
    began = perf_counter()
    pipeline = Pipeline(
        services=services,
        matcher=matcher,
        classifier=classifier,
        make_detector=lambda service: make_detector(service, budget, classifier.prior),
        record=IncidentRecord(incidents),
    )
    slugs = [service.slug for service in services]
    timeline = timeline_for(incidents, slugs)
    replayed = replay(posts, pipeline, batch=batch, progress=progress, timeline=timeline)
    return compared(replayed, slugs, incidents, began=began, bad_lines=bad_lines(), assumptions=assumptions())


def timeline_for(incidents: Sequence[Incident], slugs: Sequence[str]) -> Timeline:
    """A timeline that will remember what surrounds the outages of the record."""
    known = [outage for outage in outages(incidents) if outage.service in slugs]
    return Timeline((each.service, each.posted_at - BEFORE, each.posted_at + AFTER) for each in known)


def compared(
    replayed: Replayed,
    slugs: Sequence[str],
    incidents: Sequence[Incident],
    *,
    began: float,
    bad_lines: dict[str, int],
    assumptions: list[str],
) -> Backfilled:
    """What was replayed beside the official record; `began` is of `time.perf_counter`."""
    known = [outage for outage in outages(incidents) if outage.service in slugs]
    alerts = sorted_alerts(replayed.alerts.values())
    record = eligible(known, replayed, slugs)
    pairings = pair(alerts, record)
    scoreboard = summary(
        replayed, alerts, pairings, record, services=slugs, bad_lines=bad_lines, assumptions=assumptions
    )
    scoreboard["seconds"]["total"] = round(perf_counter() - began, 3)
    return Backfilled(alerts=alerts, pairings=pairings, outages=record, scoreboard=scoreboard, replayed=replayed)
