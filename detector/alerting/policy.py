"""Who is told: a pure decision from what changed, what is silenced and what each receiver wants, with its reason.

Alertmanager decides the same way (notify/dedup_stage.go: last log entry, what fires now, the time), but returns no
reason that a person can read; `detector explain` prints ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from detector.domain import Change, Decision, Level, Notification, Reason, Silence

# An update without a new level is worth a message only where it changes what a reader would do.
_WORTH_TELLING = frozenset({Reason.OPENED, Reason.RAISED, Reason.REOPENED, Reason.RESOLVED, Reason.ACKNOWLEDGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One place that wants to be told.

    Attributes:
        level: nothing below it is sent.
        services: slugs, empty for all.
    """

    name: str
    level: Level = Level.ALERT
    services: tuple[str, ...] = ()


def decide(change: Change, receiver: Receiver, silences: Iterable[Silence], now: datetime) -> Decision:
    """Whether `receiver` is told of `change`, and why (not)."""
    alert = change.alert

    def decision(reason: Reason, note: str = "", *, told: bool = False) -> Decision:
        return Decision(alert_key=alert.key, receiver=receiver.name, reason=reason, told=told, at=now, note=note)

    if receiver.services and alert.service not in receiver.services:
        return decision(Reason.NO_ROUTE, f"{receiver.name} does not follow {alert.service}")
    if alert.level.rank < receiver.level.rank:
        return decision(Reason.BELOW_LEVEL, f"{alert.level.value} is below {receiver.level.value}")
    if change.reason not in _WORTH_TELLING:
        return decision(Reason.UNCHANGED, "grew without reaching a new level")
    for silence in silences:
        if silence.mutes(alert.service, now):
            return decision(Reason.SILENCED, f"silence {silence.id}: {silence.comment}".rstrip(": "))
    if alert.cause is not None and change.reason is not Reason.RESOLVED:
        return decision(Reason.INHIBITED, f"explained by {alert.cause}")
    return decision(change.reason, told=True)


def notifications(
    change: Change, receivers: Iterable[Receiver], silences: Iterable[Silence], now: datetime
) -> tuple[list[Decision], list[Notification]]:
    """The decisions for all receivers, and the messages owed; ids are stable, so that a retry is recognised."""
    quiet = list(silences)
    decisions = [decide(change, receiver, quiet, now) for receiver in receivers]
    owed = [
        Notification(
            id=f"{change.alert.key}/{made.receiver}/{change.reason.value}-{change.at:%Y%m%dT%H%M%S}",
            alert=change.alert,
            receiver=made.receiver,
            reason=change.reason,
            created_at=now,
        )
        for made in decisions
        if made.told
    ]
    return decisions, owed
