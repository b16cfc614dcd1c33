"""Who is owed what: the alerting policy with the log of what was told, read from the database once and kept up."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from detector.alerting.answer import Said
from detector.alerting.policy import Context, History, Receiver, digests, failovers, notifications, reminders
from detector.domain import Alert, AlertState, Change, Decision, Level, Notification, PageState, Silence
from detector.errors import StoreError
from detector.status.states import under_way
from detector.store import Store

logger = logging.getLogger(__name__)

REMIND_EVERY = timedelta(minutes=1)
FAILOVER_EVERY = timedelta(seconds=10)
_LOG_REACHES = 5000
_DIGEST_REACHES = timedelta(days=2)


class Telling:
    """Decisions and messages for changes and for the passing of time. Used by the engine, in its thread.

    Args:
        receivers: who may be told.
        context: categories and tags of services, for routes.
    """

    def __init__(self, store: Store, receivers: Sequence[Receiver], context: Context | None = None) -> None:
        self._store = store
        self._receivers = tuple(receivers)
        self._context = context or Context()
        self._history: History | None = None
        self._reminded_at: datetime | None = None
        self._asked_at: datetime | None = None

    def forget(self) -> None:
        """What was owed in a step that could not be written was not told: read the log again."""
        self._history = None
        self._reminded_at = None
        self._asked_at = None

    def of_changes(self, changes: Sequence[Change], now: datetime) -> tuple[list[Decision], list[Notification]]:
        """What a step's changes owe."""
        decisions: list[Decision] = []
        owed: list[Notification] = []
        if changes:
            silences, history = self._silences(now), self._log()
            for each in changes:
                change = replace(each, alert=self._as_now(each.alert, now))
                made, messages = notifications(
                    change, self._receivers, silences, now, history=history, context=self._context
                )
                decisions += made
                owed += messages
        return decisions, owed

    def of_time(self, standing: Iterable[Alert], now: datetime) -> tuple[list[Decision], list[Notification]]:
        """What the passing of time owes.

        Reminders, what was held back and the daily digest, once a minute; and, a little more often, what a receiver
        that cannot be reached leaves to another.
        """
        decisions, owed = self._failovers(now)
        if self._reminded_at is not None and now - self._reminded_at < REMIND_EVERY:
            return decisions, owed
        self._reminded_at = now
        history = self._log()
        reminded, messages = reminders(
            [self._as_now(alert, now) for alert in standing],
            self._receivers,
            self._silences(now),
            now,
            history=history,
            context=self._context,
        )
        decisions += reminded
        owed += messages
        if any(receiver.digest is not None for receiver in self._receivers):
            watches = self._store.read.alerts(levels=(Level.WATCH,), since=now - _DIGEST_REACHES)
            owed += digests(watches, self._receivers, now, history=history)
        return decisions, owed

    def _as_now(self, alert: Alert, now: datetime) -> Alert:
        """An alert with the announced work that its page has under way now, and without any that is over.

        The alert itself keeps the page of the moment at which it spoke; whom to tell depends on the page of this one.
        """
        read = self._store.read
        try:
            official = read.official(alert.service, now)
            works = [work for work in read.works(alert.service, now) if under_way(work, now)]
        except StoreError as error:
            logger.warning("announced work cannot be read, so none counts: %s", error)
            return alert
        shown = alert.official
        if official is None:
            return alert
        if works and official.incident is None and official.state is not PageState.UNKNOWN:
            if shown is not None and shown.incident is not None and not shown.incident.maintenance:
                return alert  # it has admitted a failure
            return replace(alert, official=replace(official, incident=works[0]))
        if shown is not None and (
            shown.state is PageState.MAINTENANCE or (shown.incident is not None and shown.incident.maintenance)
        ):
            return replace(alert, official=official)
        return alert

    def _failovers(self, now: datetime) -> tuple[list[Decision], list[Notification]]:
        if not any(each.fallback for each in self._receivers):
            return [], []
        if self._asked_at is not None and now - self._asked_at < FAILOVER_EVERY:
            return [], []
        self._asked_at = now
        try:
            unsent = self._store.read.unsent()
        except StoreError as error:
            logger.warning("what waits to be sent cannot be read: %s", error)
            return [], []
        return failovers(unsent, self._receivers, now, history=self._log()) if unsent else ([], [])

    def _silences(self, now: datetime) -> list[Silence]:
        try:
            return self._store.read.silences(now=now)
        except StoreError as error:
            # Better a message too many than an outage that nobody hears of.
            logger.warning("silences cannot be read, so none holds: %s", error)
            return []

    def _log(self) -> History:
        read = self._store.read
        if self._history is None:
            try:
                told = {each.id: each for each in read.notifications(limit=_LOG_REACHES)}
                for alert in read.alerts(state=AlertState.FIRING):
                    told |= {each.id: each for each in read.notifications(alert.key)}
            except StoreError as error:
                logger.warning("what was told before cannot be read: %s", error)
                return History()
            self._history = History(told.values())
        try:
            shrugs = [(one.receiver, one.alert_key) for one in read.answers() if one.said is Said.NOT_OURS]
        except StoreError as error:
            logger.warning("what people answered cannot be read: %s", error)
        else:
            self._history.dismiss(shrugs)
        return self._history
