"""What the operator is told about the detector itself: that it hears nothing, cannot write, or lost its own canary."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.alerting.policy import Receiver
from detector.domain import Alert, AlertState, Estimate, Evidence, Level, Notification, Reason, Silence
from detector.domain.alert import OURSELVES

logger = logging.getLogger(__name__)

# A fault must last so long; with a look every 15 s the message is out well within five minutes.
PATIENCE = timedelta(minutes=3)
REPEAT = timedelta(hours=4)
_NAMED = 12


@dataclass(slots=True)
class _Fault:
    since: datetime
    words: str
    opened_at: datetime | None = None
    told_at: datetime | None = None


class Operator:
    """Follows the detector's own faults by kind (`blind`, `database`, `pipeline`, `surge`) and owes messages of them.

    Args:
        receivers: all who may be told; everybody who hears of alerts hears of these.
    """

    def __init__(self, receivers: Iterable[Receiver]) -> None:
        self._receivers = [each.name for each in receivers if each.level is not Level.MAJOR]
        self._faults: dict[str, _Fault] = {}

    def take_up(self, told: Iterable[Notification]) -> None:
        """Go on where the last process stopped: `told` is the log of messages, in any order."""
        for one in sorted(told, key=lambda one: one.created_at):
            if one.alert.service != OURSELVES:
                continue
            kind = one.alert.key.split("-")[1]
            if one.reason is Reason.RESOLVED:
                self._faults.pop(kind, None)
            else:
                words = one.alert.evidence[0].text if one.alert.evidence else ""
                self._faults[kind] = _Fault(
                    since=one.alert.onset_at, words=words, opened_at=one.alert.watch_at, told_at=one.created_at
                )

    @property
    def standing(self) -> list[str]:
        """What is wrong now, in words."""
        return [fault.words for fault in self._faults.values() if fault.opened_at is not None]

    def look(
        self, kind: str, words: str | None, now: datetime, *, silences: Sequence[Silence] = ()
    ) -> list[Notification]:
        """What is owed now that a fault stands (`words`) or does not (None).

        Args:
            silences: those that hold; one for the service "detector" (or for "*") hushes these messages.
        """
        fault = self._faults.get(kind)
        if words is None:
            if fault is None:
                return []
            del self._faults[kind]
            if fault.opened_at is None:
                return []
            logger.info("%s: over", kind)
            return self._owe(kind, fault, Reason.RESOLVED, now)
        if fault is None:
            fault = self._faults[kind] = _Fault(since=now, words=words)
        fault.words = words
        if now - fault.since < PATIENCE or any(each.mutes(OURSELVES, now) for each in silences):
            return []
        if fault.opened_at is None:
            fault.opened_at = fault.told_at = now
            logger.error("%s: %s", kind, words)
            return self._owe(kind, fault, Reason.OPENED, now)
        if fault.told_at is not None and now - fault.told_at >= REPEAT:
            fault.told_at = now
            return self._owe(kind, fault, Reason.REPEATED, now)
        return []

    def _owe(self, kind: str, fault: _Fault, reason: Reason, now: datetime) -> list[Notification]:
        opened = fault.opened_at or now
        over = reason is Reason.RESOLVED
        estimate = Estimate(
            service=OURSELVES, at=now, onset=fault.since, people=0.0, expected=0.0, return_period_months=1.0, ratio=1.0,
            score=0.0, window_minutes=1.0,
        )  # fmt: skip
        alert = Alert(
            key=f"{OURSELVES}-{kind}-{opened:%Y%m%dT%H%M%S}",
            service=OURSELVES,
            level=Level.ALERT,
            state=AlertState.RESOLVED if over else AlertState.FIRING,
            onset_at=fault.since,
            watch_at=opened,
            fired_at=opened,
            updated_at=now,
            ended_at=now if over else None,
            estimate=estimate,
            evidence=(
                Evidence(source=OURSELVES, id=kind, url=None, text=fault.words, p=1.0, at=fault.since, label="report"),
            ),
        )
        return [
            Notification(
                id=f"{alert.key}/{receiver}/{reason.value}-{now:%Y%m%dT%H%M%S}",
                alert=alert,
                receiver=receiver,
                reason=reason,
                created_at=now,
            )
            for receiver in self._receivers
        ]


def blind_words(deaf: Sequence[str], watched: int, since: datetime, sources: Sequence[str]) -> str:
    """What the operator reads when services cannot be judged.

    >>> from detector.domain import EPOCH
    >>> blind_words(["aws", "claude"], 2, EPOCH, ["hackernews"])
    'Blind since 00:00 UTC: all 2 services are unknown. Not heard: hackernews'
    """
    whose = f"all {watched} services are" if len(deaf) == watched else f"{', '.join(deaf[:_NAMED])}"
    if len(deaf) != watched:
        more = len(deaf) - _NAMED
        whose += (f" and {more} more" if more > 0 else "") + (" is" if len(deaf) == 1 else " are")
    named = ", ".join(sources[:_NAMED]) + (f" and {len(sources) - _NAMED} more" if len(sources) > _NAMED else "")
    return f"Blind since {since:%H:%M} UTC: {whose} unknown. Not heard: {named or 'no source is set up'}"
