"""One alert: the argument in a paragraph, the timeline, the evidence, who was told and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from detector.alerting.answer import Answer, Said
from detector.domain import Alert, Decision, Incident, Notification, Pairing, Reason, format_time
from detector.notify.answers import WORDS
from detector.notify.escape import plain
from detector.notify.symptoms import symptom
from detector.notify.words import (
    clock_words,
    duration_words,
    number_words,
    people_words,
    return_period_words,
    service_words,
    source_words,
)
from detector.store import AlertChange, Feedback
from detector.store.board import Board as Questions
from detector.web.service import pairing_of
from detector.web.shapes import AlertLook, DecisionLook, Moment
from detector.web.values import alert_short, last_words, official_of, quote_of

_CHANGES = {
    Reason.OPENED: "we begin to watch",
    Reason.RAISED: "we say more",
    Reason.UPDATED: "the argument grows",
    Reason.ACKNOWLEDGED: "we note that the official page has spoken",
    Reason.RESOLVED: "we say that it is over: people no longer complain more than usual",
    Reason.REOPENED: "we say that it fails again: the same outage as before",
}
_DECISIONS = {
    Reason.OPENED: "it began",
    Reason.RAISED: "it grew to a level that pages",
    Reason.UPDATED: "it grew",
    Reason.ACKNOWLEDGED: "the provider confirmed it",
    Reason.RESOLVED: "it is over",
    Reason.REOPENED: "it came back",
    Reason.SILENCED: "a silence holds",
    Reason.INHIBITED: "another service's failure explains it",
    Reason.REPEATED: "it still lasts",
    Reason.BELOW_LEVEL: "this receiver wants higher levels only",
    Reason.NO_ROUTE: "this receiver does not follow the service",
    Reason.UNCHANGED: "nothing changed that would change what a reader does",
    Reason.MAINTENANCE: "the official page announces work",
    Reason.QUIET: "quiet hours",
    Reason.FLAPPING: "it begins and ends again and again",
    Reason.ESCALATED: "it lasts, so quiet hours are over for it",
    Reason.FALLBACK: "another receiver may not hear of it",
    Reason.DIGEST: "the list of the day's watches",
    Reason.UNDELIVERED: "another receiver could not be told",
    Reason.NOT_OURS: "somebody there said that it is not their concern",
}


def look(ask: Questions, alert: Alert, names: Mapping[str, str], now: datetime, *, zone: tzinfo = UTC) -> AlertLook:
    """Everything about one alert."""
    near = alert.onset_at - timedelta(days=2)
    alerts = ask.read.alerts(service=alert.service, since=near)
    incidents = ask.read.incidents(service=alert.service, since=near)
    pairing = pairing_of(alert, alerts, incidents)
    feedback = ask.read.feedback(alert.key)
    messages = ask.read.notifications(alert.key)
    decisions = ask.read.decisions(alert.key)
    estimate = alert.estimate
    return AlertLook(
        at=format_time(now),
        alert=alert_short(alert, pairing=pairing, word=last_words(feedback).get(alert.key)),
        name=service_words(alert.service, names),
        argument=argument(alert, pairing, names, zone=zone),
        sources=[(plain(source, limit=60), round(people, 2)) for source, people in estimate.sources],
        voters=estimate.voters,
        score=round(estimate.score, 2),
        timeline=timeline(
            alert, ask.read.alert_changes(alert.key), messages, incidents, feedback, ask.read.answers(alert.key)
        ),
        evidence=[quote_of(each) for each in alert.evidence],
        decisions=[_decision(each, messages) for each in decisions],
        official=official_of(alert.official),
    )


def argument(alert: Alert, pairing: Pairing | None, names: Mapping[str, str], *, zone: tzinfo = UTC) -> str:
    """Why we said it, in sentences that a person can check."""
    estimate, name = alert.estimate, service_words(alert.service, names)
    told = alert.fired_at or alert.watch_at
    onset, known = clock_words(alert.onset_at, zone, beside=told), f"{told.astimezone(zone):%Z}"
    said = "we alerted" if alert.fired_at else "we began to watch"
    began = (
        f"From about {onset} {known} people said of {name} that {symptom(alert.evidence)}; at the strongest "
        f"{people_words(estimate)} at this hour of the week. So many within so short a time happen "
        f"{return_period_words(estimate.return_period_months)}."
    )
    spoke = (
        f"They wrote on {source_words(estimate.sources)}; weighted by how sure we are of each they count as "
        f"{number_words(estimate.people)}. Then {said}, at {clock_words(told, zone, beside=told)} {known}, "
        f"{duration_words(told - alert.onset_at)} after the trouble began."
    )
    words = [began, spoke]
    if alert.cause is not None:
        words.append(f"The likely cause is a failure of {service_words(alert.cause, names)}.")
    words.append(_against_page(alert, pairing))
    if alert.ended_at is not None:
        over = clock_words(alert.ended_at, zone, beside=told)
        lasted = duration_words(alert.ended_at - alert.onset_at)
        words.append(f"It was over at {over} {alert.ended_at.astimezone(zone):%Z}, after {lasted}.")
    return " ".join(words)


def _against_page(alert: Alert, pairing: Pairing | None) -> str:
    if alert.official is None:
        return "No official page is read for it."
    if pairing is None or pairing.lead is None or pairing.incident is None:
        return f"The official page then said: {alert.official.state.value}; no post of theirs speaks of it so far."
    title = plain(pairing.incident.title, limit=120)
    lead = pairing.lead
    if lead > timedelta(0):
        return f"The official page first spoke {duration_words(lead)} later (“{title}”)."
    return f"The official page had spoken {duration_words(-lead)} before us (“{title}”)."


def timeline(
    alert: Alert,
    changes: Sequence[AlertChange],
    messages: Sequence[Notification],
    incidents: Sequence[Incident],
    feedback: Sequence[Feedback],
    answers: Sequence[Answer] = (),
) -> list[Moment]:
    """From the first complaint to the end, everybody's words in one order."""
    found: list[tuple[datetime, int, str, str]] = []
    end = (alert.ended_at or alert.updated_at) + timedelta(hours=6)
    if alert.evidence:
        first = min(alert.evidence, key=lambda each: each.at)
        found.append((first.at, 0, "people", f"the earliest of the quoted posts, on {plain(first.source, limit=60)}"))
    found.append((alert.onset_at, 1, "people", "the trouble begins, as inferred from what people say"))
    for change in changes:
        estimate = change.estimate
        text = f"{_CHANGES.get(change.reason, change.reason.value)} ({change.level.value}"
        text += ")" if change.reason is Reason.RESOLVED else f": {people_words(estimate)})"
        found.append((change.at, 2, "we", text))
    for incident in incidents:
        if not alert.onset_at - timedelta(hours=2) <= incident.first_posted_at <= end:
            continue
        title = plain(incident.title, limit=160)
        found.append((incident.first_posted_at, 3, "official", f"the official page first speaks: {title}"))
        for update in incident.updates:
            if update.at > incident.first_posted_at:
                said = plain(update.text, limit=160)
                found.append((update.at, 3, "official", f"official: {plain(update.status, limit=40)} {said}".rstrip()))
        if incident.resolved_at is not None:
            found.append((incident.resolved_at, 4, "official", "the official page calls it resolved"))
    found += [
        (message.sent_at, 5, "told", f"{plain(message.receiver, limit=60)} is told ({_DECISIONS[message.reason]})")
        for message in messages
        if message.sent_at is not None
    ]
    found += [
        (word.at, 6, "feedback", f"a person says: {'a real outage' if word.real else 'a false alarm'}"
         + (f" ({plain(word.comment, limit=200)})" if word.comment else ""))
        for word in feedback
    ]  # fmt: skip
    # What says true or false is among the feedback.
    found += [
        (
            one.at,
            6,
            "feedback",
            f"{plain(one.by, limit=60)} answers in {plain(one.receiver, limit=60)}: {WORDS[one.said]}",
        )
        for one in answers
        if one.said in {Said.SILENCE, Said.NOT_OURS}
    ]
    return [Moment(at=format_time(at), kind=kind, text=text) for at, _, kind, text in sorted(found)]


def _decision(decision: Decision, messages: Sequence[Notification]) -> DecisionLook:
    fate = ""
    if decision.told:
        mine = [
            each
            for each in messages
            if each.receiver == decision.receiver and each.reason is decision.reason and each.created_at == decision.at
        ]
        fate = _fate(mine[0]) if mine else "no message is kept"
    return DecisionLook(
        at=format_time(decision.at),
        receiver=plain(decision.receiver, limit=60),
        told=decision.told,
        reason=_DECISIONS[decision.reason],
        note=plain(decision.note, limit=200),
        fate=fate,
    )


def _fate(message: Notification) -> str:
    if message.sent_at is not None:
        seconds = (message.sent_at - message.created_at).total_seconds()
        return f"sent after {number_words(max(seconds, 0.0))} s" if seconds >= 1 else "sent at once"
    if message.failed:
        return f"not sent: {plain(message.failed, limit=160)}"
    return "waiting to be sent"
