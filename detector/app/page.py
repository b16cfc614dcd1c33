"""What the page is given: the watched services, the clock, the rules of health, and the way to the one writer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from detector import registry
from detector.app.build import Blueprint
from detector.app.health import SHARES_REACH, ServiceHealth, service_health, source_health, without_daemon
from detector.domain import Alert, AlertState, Silence
from detector.store import Feedback, Reader, Store

if TYPE_CHECKING:
    from detector.web.ports import Act, Memory, Surroundings

logger = logging.getLogger(__name__)


def page_surroundings(
    plan: Blueprint, now: Callable[[], datetime], workings: Callable[[], Mapping[str, float]] = dict
) -> Surroundings:
    """What `web.create_app` needs beside the database.

    Args:
        workings: figures of a daemon in this process, for the metrics.
    """
    from detector.web.ports import Surroundings

    return Surroundings(
        services=plan.services,
        now=now,
        source_health=source_health,
        services_health=partial(services_health, plan),
        remember=partial(remember, plan),
        budget=plan.budget.per_month,
        zone=plan.settings.display.zone,
        zone_name=plan.settings.display.timezone,
        workings=workings,
    )


def services_health(
    plan: Blueprint, reader: Reader, learning: frozenset[str], now: datetime
) -> dict[str, ServiceHealth]:
    """Every watched service's health; the one rule for the page and `detector status`."""
    zone = plan.settings.display.zone
    gone = without_daemon(reader.alive_at(), now, zone)
    # Nobody listens: what was heard before says nothing of now, though an open outage stays one.
    sources = {} if gone else source_health(reader.coverage(since=now - timedelta(days=1)), now)
    shares = reader.shares(since=now - SHARES_REACH)
    firing: dict[str, list[Alert]] = {}
    for alert in reader.alerts(state=AlertState.FIRING, limit=max(1000, 2 * len(plan.services))):
        firing.setdefault(alert.service, []).append(alert)
    found = {}
    for service in plan.services:
        health = service_health(
            service.slug,
            alerts=firing.get(service.slug, []),
            sources=sources,
            learning=service.slug in learning,
            shares=shares,
            zone=zone,
        )
        found[service.slug] = replace(health, why=gone) if gone and health.alert is None else health
    return found


def remember(plan: Blueprint, state: Mapping[str, Any] | None) -> Memory:
    """What the detectors of a saved state have learned; one that cannot be read has learned nothing."""
    from detector.detect.scan import ScanDetector
    from detector.web.ports import Memory

    saved = (state or {}).get("detectors", {})
    make_detector = registry.load("detectors", plan.settings.watch.detector)
    budget = plan.budget
    learning, people = set(), {}
    for service in plan.services:
        detector = make_detector(service, budget, 0.5)
        if service.slug in saved:
            try:
                detector.load(saved[service.slug])
            except (KeyError, TypeError, ValueError):
                logger.debug("the saved state of %s cannot be read", service.slug)
        if detector.learning:
            learning.add(service.slug)
        elif isinstance(detector, ScanDetector):
            people[service.slug] = detector.usual.people
    return Memory(learning=frozenset(learning), people=people)


def writer(store: Store) -> Act:
    """What the page may change, through the daemon's store (safe from any thread)."""

    def act(value: Feedback | Silence) -> None:
        if isinstance(value, Feedback):
            store.add_feedback(value)
        else:
            store.add_silence(value)

    return act
