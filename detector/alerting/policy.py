"""Who is told: a pure decision from what changed, what is silenced and what each receiver wants, with its reason.

Alertmanager decides the same way (notify/dedup_stage.go: last log entry, what fires now, the time), but returns no
reason that a person can read; `detector explain` prints ours. `notifications` answers a change, `reminders` the time
that passes (a standing alert, the end of quiet hours or of a silence, an escalation), `digests` once a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from detector.alerting.quiet import History, at_work
from detector.alerting.routes import Context, Receiver, Route, receiver_of, refusal
from detector.domain import Alert, AlertState, Change, Decision, Level, Notification, Reason, Silence

__all__ = [
    "Context",
    "History",
    "Receiver",
    "Route",
    "decide",
    "digests",
    "failovers",
    "notifications",
    "receiver_of",
    "reminders",
]

# An update without a new level is worth a message only where it changes what a reader would do.
_WORTH_TELLING = frozenset(
    {
        Reason.OPENED,
        Reason.RAISED,
        Reason.REOPENED,
        Reason.RESOLVED,
        Reason.ACKNOWLEDGED,
        Reason.REPEATED,
        Reason.ESCALATED,
    }
)
_BEGINS = frozenset({Reason.OPENED, Reason.RAISED, Reason.REOPENED, Reason.ESCALATED})

# Services explained by another are named together, soon, and not again for a while.
NAME_AFTER = timedelta(seconds=60)
NAME_AGAIN_AFTER = timedelta(minutes=10)
# The receiver that needs the failing service lets another go first.
YIELD = timedelta(seconds=2)
# In the id of a message that goes to another receiver; the name of the one that cannot be reached follows.
INSTEAD = "instead-of-"


def decide(
    change: Change,
    receiver: Receiver,
    silences: Iterable[Silence],
    now: datetime,
    *,
    history: History | None = None,
    context: Context | None = None,
) -> Decision:
    """Whether `receiver` is told of `change`, and why (not).

    Args:
        history: what was told before; without it nothing is held back for what was, or was not, told.
        context: categories and tags, for routes that ask for them.
    """
    held = _unwanted(change, receiver, now, history, context or Context()) or _muted(
        change, receiver, silences, now, history
    )
    reason, note = held or (change.reason, "")
    return Decision(
        alert_key=change.alert.key, receiver=receiver.name, reason=reason, told=held is None, at=now, note=note
    )


def _unwanted(
    change: Change, receiver: Receiver, now: datetime, history: History | None, context: Context
) -> tuple[Reason, str] | None:
    """Why a receiver would never want this, if so."""
    alert = change.alert
    known = history is not None and history.firing(receiver.name, alert.key)
    refused = refusal(alert, receiver, context, now)
    # Who was told of the beginning is told of the end, also outside the hours of the route.
    if refused is not None and not (known and change.reason is Reason.RESOLVED):
        digest = receiver.digest is not None and alert.level is Level.WATCH and refused[0] == "below_level"
        return Reason(refused[0]), refused[1] + ("; in the daily digest" if digest else "")
    if change.reason not in _WORTH_TELLING:
        return Reason.UNCHANGED, "grew without reaching a new level"
    if history is None:
        return None
    if not known and change.reason in {Reason.RESOLVED, Reason.REPEATED}:
        return Reason.UNCHANGED, f"{receiver.name} was not told that it began"
    return None


def _muted(
    change: Change, receiver: Receiver, silences: Iterable[Silence], now: datetime, history: History | None
) -> tuple[Reason, str] | None:
    """Why a receiver is spared what it would want, if so."""
    alert = change.alert
    held = list(silences)
    for silence in held:
        if silence.mutes(alert.service, now):
            return Reason.SILENCED, f"silence {silence.id}: {silence.comment}".rstrip(": ")
    if change.reason is Reason.RESOLVED:
        return None
    if history is not None and history.dismissed(receiver.name, alert.key):
        return Reason.NOT_OURS, f"somebody at {receiver.name} said so; its end is told"
    work = None if receiver.maintenance else at_work(alert)
    if work is not None:
        return Reason.MAINTENANCE, work
    cause = alert.cause
    # A cause that this receiver does not hear of explains nothing to it; one that it silenced does.
    if cause is not None and (
        history is None
        or history.told_of(receiver.name, cause)
        or history.ended_lately(receiver.name, cause, now, OUTLASTS)
        or any(each.mutes(cause, now) for each in held)
    ):
        return Reason.INHIBITED, f"explained by {cause}"
    if history is not None and change.reason in _BEGINS and history.flaps(receiver.name, alert.service, now):
        return Reason.FLAPPING, f"{alert.service} began and ended twice within the hour; told if it lasts"
    hushed = receiver.quiet.hushes(alert, now) if receiver.quiet is not None else None
    return None if hushed is None else (Reason.QUIET, hushed)


def notifications(
    change: Change,
    receivers: Iterable[Receiver],
    silences: Iterable[Silence],
    now: datetime,
    *,
    history: History | None = None,
    context: Context | None = None,
) -> tuple[list[Decision], list[Notification]]:
    """The decisions for all receivers, and the messages owed; ids are stable, so that a retry is recognised.

    Args:
        history: see `decide`; it takes in what is owed now. With it, a service that another explains is named
            together with its siblings, a little later, and not paged.
    """
    quiet, everyone = list(silences), list(receivers)
    decisions = [decide(change, each, quiet, now, history=history, context=context) for each in everyone]
    owed = [owe(change, made.receiver, now) for made in decisions if made.told]
    decisions, owed = _spare_the_failing(change, everyone, decisions, owed, now)
    if history is not None:
        owed += [
            _named_later(change, made.receiver, now, history)
            for made in decisions
            if made.reason is Reason.INHIBITED and change.reason in _BEGINS
        ]
        for message in owed:
            history.note(message)
    return decisions, owed


def owe(change: Change, receiver: str, now: datetime, *, reason: Reason | None = None) -> Notification:
    """The message of a change to a receiver."""
    reason = reason or change.reason
    return Notification(
        id=f"{change.alert.key}/{receiver}/{reason.value}-{change.at:%Y%m%dT%H%M%S}",
        alert=change.alert,
        receiver=receiver,
        reason=reason,
        created_at=now,
    )


def _spare_the_failing(
    change: Change,
    receivers: Sequence[Receiver],
    decisions: list[Decision],
    owed: list[Notification],
    now: datetime,
) -> tuple[list[Decision], list[Notification]]:
    """Let receivers that do not need the failing service go first; where none of them is told, tell one."""
    failing = {change.alert.service, change.alert.cause}
    needing = {each.name for each in receivers if failing & set(each.depends_on)}
    late = [replace(one, next_try_at=now + YIELD) for one in owed if one.receiver in needing]
    first = [one for one in owed if one.receiver not in needing]
    if not late or len(needing) == len(receivers):
        return decisions, owed
    if not first:
        # It speaks for one that would have been told, so neither its level nor its routes are asked.
        other = next(each for each in receivers if each.name not in needing)
        first = [owe(change, other.name, now)]
        note = f"{late[0].receiver} needs {change.alert.service}, which is failing"
        decisions = [
            replace(made, reason=Reason.FALLBACK, told=True, note=note) if made.receiver == other.name else made
            for made in decisions
        ]
    return decisions, first + late


def _named_later(change: Change, receiver: str, now: datetime, history: History) -> Notification:
    """An explained service, to be named with its cause."""
    cause = change.alert.cause
    before = [one.created_at for one in history.aside(receiver, Reason.INHIBITED) if one.alert.cause == cause]
    told_at = max((at for at in before if at <= now), default=None)
    started = None if told_at is None else min(at for at in before if told_at - at < NAME_AGAIN_AFTER)
    if started is None or now - started >= NAME_AGAIN_AFTER:
        due = now + NAME_AFTER
    else:
        due = started + NAME_AFTER if now <= started + NAME_AFTER else started + NAME_AGAIN_AFTER
    return replace(owe(change, receiver, now, reason=Reason.INHIBITED), next_try_at=due)


def reminders(
    alerts: Iterable[Alert],
    receivers: Iterable[Receiver],
    silences: Iterable[Silence],
    now: datetime,
    *,
    history: History,
    context: Context | None = None,
) -> tuple[list[Decision], list[Notification]]:
    """What the passing of time owes, to be asked once a minute.

    A standing alert is told again after `Receiver.repeat`. One that was held back (quiet hours, a silence, flapping,
    announced work, a cause that is over) is told once nothing holds it back, and after `escalate_after` even in
    quiet hours. Only what is told comes with a decision.

    Args:
        alerts: every open alert.
        history: must reach back to the beginning of each of them; it takes in what is owed now.
    """
    quiet, standing = list(silences), [alert for alert in alerts if alert.state is AlertState.FIRING]
    failing = {alert.service for alert in standing if alert.level is not Level.WATCH}
    decisions: list[Decision] = []
    owed: list[Notification] = []
    everyone = list(receivers)
    for alert in standing:
        explained = alert
        if alert.cause is not None and alert.cause not in failing:
            alert = replace(alert, cause=None)  # noqa: PLW2901 - what explained it is over
        for receiver in everyone:
            if explained.cause is not None and history.ended_lately(receiver.name, explained.cause, now, OUTLASTS):
                continue
            reason = _time_for(alert, receiver, now, history)
            if reason is None:
                continue
            change = Change(alert=alert, reason=reason, at=now)
            made = decide(change, receiver, quiet, now, history=history, context=context)
            if made.told:
                decisions.append(replace(made, note=_HELD[reason]))
                owed.append(owe(change, receiver.name, now))
                history.note(owed[-1])
    return decisions, owed


# Complaints about those who run on a failed service ebb after its own: a child is news only if it outlasts it.
OUTLASTS = timedelta(minutes=30)

_HELD = {
    Reason.OPENED: "nothing holds it back any more",
    Reason.ESCALATED: "it lasts, so quiet hours are over for it",
    Reason.REPEATED: "it still stands",
}


def _time_for(alert: Alert, receiver: Receiver, now: datetime, history: History) -> Reason | None:
    """What a standing alert could be told as, if anything."""
    last = history.last(receiver.name, alert.key)
    if last is None or last.reason is Reason.RESOLVED:
        quiet = receiver.quiet
        return Reason.ESCALATED if quiet is not None and quiet.escalates(alert, now) else Reason.OPENED
    if receiver.repeat is not None and now - last.created_at >= receiver.repeat:
        return Reason.REPEATED
    return None


def failovers(
    unsent: Iterable[Notification], receivers: Iterable[Receiver], now: datetime, *, history: History
) -> tuple[list[Decision], list[Notification]]:
    """What is owed to others because a receiver cannot be reached: the beginning of an outage, once.

    Who is told so is told of the end too, and what the receiver itself is owed stays owed.

    Args:
        unsent: messages that were not confirmed yet.
        history: what was told before; it takes in what is owed now.
    """
    named = {each.name: each for each in receivers}
    decisions: list[Decision] = []
    owed: list[Notification] = []
    for one in unsent:
        wanted = named.get(one.receiver)
        other = named.get(wanted.fallback) if wanted is not None and wanted.fallback is not None else None
        if wanted is None or other is None or one.reason not in _BEGINS | {Reason.FALLBACK}:
            continue
        begun = one.created_at if one.attempts or one.next_try_at is None else max(one.created_at, one.next_try_at)
        if now - begun < wanted.fallback_after or history.firing(other.name, one.alert.key):
            continue
        message = Notification(
            id=f"{one.alert.key}/{other.name}/{INSTEAD}{wanted.name}",
            alert=one.alert,
            receiver=other.name,
            reason=Reason.FALLBACK,
            created_at=now,
        )
        note = f"{wanted.name} took nothing for {int((now - begun).total_seconds())} s"
        decisions.append(
            Decision(alert_key=one.alert.key, receiver=other.name, reason=Reason.FALLBACK, told=True, at=now, note=note)
        )
        owed.append(message)
        history.note(message)
    return decisions, owed


def digests(
    watches: Iterable[Alert], receivers: Iterable[Receiver], now: datetime, *, history: History
) -> list[Notification]:
    """The mere watches of the day before each receiver's hour, once; the sender tells them as one message.

    Args:
        watches: alerts that never rose above `watch`, of the last two days at least.
    """
    small = [alert for alert in watches if alert.level is Level.WATCH]
    owed: list[Notification] = []
    for receiver in receivers:
        if receiver.digest is None or receiver.level is Level.WATCH:
            continue
        there = receiver.digest.local(now)
        hour = there.replace(
            hour=receiver.digest.begin // 60, minute=receiver.digest.begin % 60, second=0, microsecond=0
        )
        if there < hour or any(told.created_at >= hour for told in history.aside(receiver.name, Reason.DIGEST)):
            continue
        for alert in small:
            if hour - timedelta(days=1) <= alert.watch_at < hour and alert.service in (
                receiver.services or (alert.service,)
            ):
                message = owe(Change(alert=alert, reason=Reason.DIGEST, at=hour), receiver.name, now)
                owed.append(message)
    for message in owed:
        history.note(message)
    return owed
