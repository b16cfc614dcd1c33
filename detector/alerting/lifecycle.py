"""From signals to alerts: one key per outage, a watch that grows keeps its history, a relapse is the same alert."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from detector.alerting.cause import Cause, Causes, Hosting
from detector.alerting.evidence import Gallery, Kept
from detector.alerting.kin import Loudness
from detector.alerting.severity import is_major
from detector.alerting.surge import own_troubles, surge_words, surging
from detector.domain import (
    Alert,
    AlertState,
    Change,
    Estimate,
    Evidence,
    Judgement,
    Level,
    Official,
    Reason,
    Service,
    to_minutes,
)
from detector.protocols import OfficialRecord, Signal

REOPEN_WITHIN = timedelta(minutes=30)
# So long an alert stays a watch where its host is about to be known; Alertmanager's `group_wait` is as long, "to wait
# for an inhibiting alert to arrive".
DECIDES_WITHIN = timedelta(seconds=30)


class Lifecycle:
    """The alerts of all services; `apply` takes a detector's signal and says what changed."""

    def __init__(self, services: Iterable[Service], record: OfficialRecord | None = None) -> None:
        """Follow `services`; `record` tells the official page's state at a time."""
        services = tuple(services)
        self.watched = len(services)
        self.hosting = Hosting(services)
        self.record = record
        self.open: dict[str, Alert] = {}
        self.closed: dict[str, Alert] = {}
        self.galleries: dict[str, Gallery] = {}
        self.loudness = Loudness()
        self.waiting: dict[str, tuple[datetime, Signal]] = {}  # alerts still shown as a watch, and until when
        self.causes = Causes(self.hosting, self.galleries, self.loudness)

    def note(self, judgement: Judgement, others: tuple[str, ...] = ()) -> list[Change]:
        """Remember a post as possible evidence; `others` are the services that it names besides.

        It may decide why one fails whose alert waited for that.
        """
        service, post = judgement.mention.service, judgement.mention.post
        changes = self.release(post.seen_at)
        if judgement.p.now < 0.5:
            return changes
        self.galleries.setdefault(service, Gallery()).add(judgement, others)
        if not post.official:
            self.loudness.note(service, to_minutes(post.created_at))
        for waiting, (_, signal) in list(self.waiting.items()):
            if self.causes.may_explain(waiting, service) and self._explained(waiting, signal, post.seen_at):
                changes += self._go(waiting, post.seen_at)
        return changes

    def apply(self, service: str, signal: Signal) -> list[Change]:
        """What a signal changes; what a newly failing service explains, or casts doubt on, changes too."""
        changes = self.release(signal.at)
        if signal.level is None or signal.estimate is None:
            self.waiting.pop(service, None)
            return changes + self._resolve(service, signal.at)
        return changes + self._apply(service, self._held(service, signal), signal.estimate)

    def release(self, at: datetime) -> list[Change]:
        """The alerts that have waited long enough for their host to be known, at the moment at which they had."""
        due = sorted((until, service) for service, (until, _) in self.waiting.items() if until <= at)
        return [change for until, service in due for change in self._go(service, until)]

    def _go(self, service: str, at: datetime) -> list[Change]:
        _, signal = self.waiting.pop(service)
        return self._apply(service, replace(signal, at=at), signal.estimate) if signal.estimate is not None else []

    def _held(self, service: str, signal: Signal) -> Signal:
        """The signal, or while it waits a watch; what waits goes on with its newest argument."""
        before, estimate, level = self.open.get(service), signal.estimate, signal.level
        if level is None or estimate is None or _alerted(before):
            return signal
        until, last = self.waiting.pop(service, (signal.at + DECIDES_WITHIN, signal))
        level = max(level, last.level or level, key=lambda one: one.rank)
        signal = replace(signal, level=level)
        if (
            level is Level.WATCH
            or until <= signal.at
            or is_major(estimate, self._official(service, signal.at))
            or self._explained(service, signal, signal.at)
            or not self.causes.stirring(service, estimate.onset, signal.at)
        ):
            return signal
        self.waiting[service] = (until, signal)
        return replace(signal, level=Level.WATCH)

    def _explained(self, service: str, signal: Signal, at: datetime) -> bool:
        if signal.estimate is None:
            return False
        cause = self._cause(service, signal.estimate.onset, at, self.open.get(service))
        return cause.bystander or cause.service is not None

    def _apply(self, service: str, signal: Signal, estimate: Estimate) -> list[Change]:
        level = signal.level or Level.WATCH
        alert, reason = self._grown(service, level, estimate, signal.at)
        self.open[service] = alert
        changes = [Change(alert=alert, reason=reason, at=signal.at)]
        if alert.level is not Level.WATCH and reason in {Reason.OPENED, Reason.RAISED, Reason.REOPENED}:
            changes += self._explain_others(service, signal.at)
        return changes

    @property
    def surge(self) -> str | None:
        """In words, that everything seems to fail at once; None where it does not."""
        troubles, services = own_troubles(self.open.values()), self.watched
        return surge_words(troubles, services) if surging(troubles, services) else None

    def acknowledge(self, service: str, at: datetime) -> list[Change]:
        """The provider's page changed: an open alert takes note once it is admitted."""
        alert = self.open.get(service)
        official = self._official(service, at)
        if alert is None or official is None or official.incident is None:
            return []
        known = alert.official.incident if alert.official else None
        if known is not None and known.id == official.incident.id:
            return []
        alert = replace(alert, official=official, updated_at=at)
        self.open[service] = alert
        return [Change(alert=alert, reason=Reason.ACKNOWLEDGED, at=at)]

    def _grown(self, service: str, level: Level, estimate: Estimate, at: datetime) -> tuple[Alert, Reason]:
        official = self._official(service, at)
        if level is Level.ALERT and is_major(estimate, official):
            level = Level.MAJOR
        evidence = self.galleries.setdefault(service, Gallery()).best(estimate.onset)
        before = self.open.get(service)
        cause = self._cause(service, estimate.onset, at, before)
        held = cause.bystander or (cause.service is None and self.surge is not None)
        if held and not _alerted(before):
            level = Level.WATCH  # named beside the one that fails, or in a fault of ours: accused of nothing
        reopened = False
        if before is None:
            last = self.closed.pop(service, None)
            if last is not None and last.ended_at is not None and at - last.ended_at <= REOPEN_WITHIN:
                before, reopened = last, True
        if before is None:
            return self._fresh(service, level, estimate, at, evidence, official, cause.service), Reason.OPENED
        rose = level.rank > before.level.rank
        stronger = estimate if estimate.score >= before.estimate.score or rose else before.estimate
        alert = replace(
            before,
            level=level if rose else before.level,
            state=AlertState.FIRING,
            fired_at=before.fired_at or (at if level is not Level.WATCH else None),
            updated_at=at,
            ended_at=None,
            estimate=stronger,
            evidence=evidence or before.evidence,
            cause=cause.service,
            official=before.official or official,
            reopened=before.reopened + reopened,
        )
        if reopened:
            return alert, Reason.REOPENED
        return alert, Reason.RAISED if rose else Reason.UPDATED

    def _fresh(
        self,
        service: str,
        level: Level,
        estimate: Estimate,
        at: datetime,
        evidence: tuple[Evidence, ...],
        official: Official | None,
        cause: str | None,
    ) -> Alert:
        return Alert(
            key=f"{service}-{at:%Y%m%dT%H%M%S}",
            service=service,
            level=level,
            state=AlertState.FIRING,
            onset_at=estimate.onset,
            watch_at=at,
            fired_at=None if level is Level.WATCH else at,
            updated_at=at,
            ended_at=None,
            estimate=estimate,
            evidence=evidence,
            cause=cause,
            official=official,
        )

    def _resolve(self, service: str, at: datetime) -> list[Change]:
        alert = self.open.pop(service, None)
        if alert is None:
            return []
        alert = replace(alert, state=AlertState.RESOLVED, updated_at=at, ended_at=at)
        self.closed[service] = alert
        return [Change(alert=alert, reason=Reason.RESOLVED, at=at)]

    def _cause(self, service: str, onset: datetime, at: datetime, before: Alert | None) -> Cause:
        known = before.cause if before is not None else None
        standing = self.open
        ended = self.closed.get(known or "")
        if ended is not None and ended.ended_at is not None and ended.ended_at >= onset and known not in standing:
            standing = {**standing, ended.service: ended}  # well again, it still explains what it took down
        found = self.causes.of(service, onset, at, standing=standing, known=known)
        # "GitHub and Twitter are down" accuses both: what was alerted once is no bystander any more.
        return Cause(known) if found.bystander and _alerted(before) else found

    def _explain_others(self, risen: str, at: datetime) -> list[Change]:
        changes = []
        for service, alert in list(self.open.items()):
            if service == risen:
                continue
            cause = self._cause(service, alert.onset_at, at, alert).service
            if cause != alert.cause and cause != service:
                self.open[service] = replace(alert, cause=cause, updated_at=at)
                changes.append(Change(alert=self.open[service], reason=Reason.UPDATED, at=at))
        return changes

    def _official(self, service: str, at: datetime) -> Official | None:
        return self.record.official(service, at) if self.record is not None else None

    def dump(self) -> dict[str, Any]:
        """The state as JSON-compatible values."""
        return {
            "open": msgspec.to_builtins(self.open),
            "closed": msgspec.to_builtins(self.closed),
            "galleries": {
                service: msgspec.to_builtins(list(gallery.kept)) for service, gallery in self.galleries.items()
            },
            "loudness": self.loudness.dump(),
            "waiting": msgspec.to_builtins(self.waiting),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over a dumped state."""
        self.open = msgspec.convert(state["open"], dict[str, Alert])
        self.closed = msgspec.convert(state["closed"], dict[str, Alert])
        saved = msgspec.convert(state["galleries"], dict[str, list[Kept]])
        self.galleries.clear()
        self.galleries.update((service, Gallery(kept)) for service, kept in saved.items())
        if "loudness" in state:  # states of before 2026-11-22 know none, and learn it
            self.loudness.load(state["loudness"])
        self.waiting = msgspec.convert(state.get("waiting", {}), dict[str, tuple[datetime, Signal]])


def _alerted(alert: Alert | None) -> bool:
    return alert is not None and alert.level is not Level.WATCH
