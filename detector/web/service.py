"""One service: symptoms, sources, evidence, past outages, and how honest its provider's page has been."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import median

from detector.backfill.pairing import outages, pair
from detector.domain import EPOCH, Alert, Evidence, Incident, Judgement, Level, Pairing, Silence, Verdict, format_time
from detector.notify.escape import plain, safe_link
from detector.notify.symptoms import symptom
from detector.store import Feedback
from detector.store.board import Board as Questions
from detector.web.ports import Surroundings
from detector.web.shapes import AlertShort, Ledger, Outage, Row, ServiceLook, SilenceLook
from detector.web.sources import sources
from detector.web.values import alert_short, by_alert, last_words, maybe, quote_of_judged

HISTORY = timedelta(days=365)
IN_TIME = timedelta(minutes=10)
MOST_POSTS = 12
_ENOUGH = 3
_GRADES = ((0.9, "A"), (0.75, "B"), (0.5, "C"), (0.25, "D"), (0.0, "E"))


def look(ask: Questions, around: Surroundings, row: Row, now: datetime, *, back: timedelta) -> ServiceLook:
    """Everything about a service; symptoms, parts and posts are those of the last `back`, at most a week."""
    slug = row["slug"]
    service = next(each for each in around.services if each.slug == slug)
    since = now - min(back, timedelta(days=7))
    judged = ask.evidence(slug, since=since, limit=200)
    history = ask.read.alerts(service=slug, since=now - HISTORY)
    incidents = ask.read.incidents(service=slug, since=now - HISTORY)
    feedback = [word for alert in history for word in ask.read.feedback(alert.key)]
    names = {each[0] for each in ask.sources_of(slug, since=now - timedelta(days=90))}
    names |= {judgement.mention.post.source for judgement in judged}
    return ServiceLook(
        at=format_time(now),
        row=row,
        hosted_on=list(service.hosted_on),
        symptoms=_symptoms(judged),
        components=ask.components(slug, since=since),
        sources=sources(ask, around, now, names),
        evidence=[quote_of_judged(judgement) for judgement in judged[:MOST_POSTS]],
        alerts=shorts(history, incidents, feedback),
        incidents=[_outage(each) for each in reversed(incidents) if not each.maintenance][:100],
        ledger=ledger(history, incidents, feedback, since=ask.created_at()),
        silences=[silence_look(each) for each in ask.read.silences(now=now) if each.service in {slug, "*"}],
    )


def shorts(alerts: Sequence[Alert], incidents: Sequence[Incident], feedback: Sequence[Feedback]) -> list[AlertShort]:
    """Alerts as they stand in lists, paired with the official record."""
    paired, words = by_alert(pair(alerts, outages(incidents))), last_words(feedback)
    return [alert_short(each, pairing=paired.get(each.key), word=words.get(each.key)) for each in alerts]


def ledger(
    alerts: Sequence[Alert], incidents: Sequence[Incident], feedback: Sequence[Feedback], *, since: datetime | None
) -> Ledger:
    """How late the provider's page was, and how often it never spoke.

    Every outage counts once: those that we alerted on (without the ones people called false, and the open ones on
    which the page may still speak), and those of the official record that we missed, on which it was in time.
    Lateness is the first official post minus our alert, so all of it can be worked out again from the tables
    `alerts`, `incidents` and `feedback`.

    >>> ledger([], [], [], since=None)["grade"] is None
    True
    """
    false = {key for key, real in last_words(feedback).items() if not real}
    true_alerts = [each for each in alerts if each.key not in false and each.level is not Level.WATCH]
    begun = [each for each in outages(incidents) if since is None or each.posted_at >= since]
    open_keys = {each.key for each in true_alerts if each.ended_at is None}
    pairings = [
        each
        for each in pair(true_alerts, begun)
        if each.verdict is not Verdict.UNMATCHED or each.alert_key not in open_keys
    ]
    late = [each.lead for each in pairings if each.lead is not None]
    never = sum(each.verdict is Verdict.UNMATCHED for each in pairings)
    missed = sum(each.verdict is Verdict.MISSED for each in pairings)
    in_time = missed + sum(lead <= IN_TIME for lead in late)
    total = len(pairings)
    return Ledger(
        outages=total,
        acknowledged=total - never,
        never_acknowledged=never,
        median_late_minutes=round(median(lead.total_seconds() / 60 for lead in late), 1) if late else None,
        in_time=in_time,
        grade=grade(in_time, total),
        since=maybe(since),
    )


def grade(in_time: int, total: int) -> str | None:
    """A letter for the share of outages that a page admitted in time; None below three outages.

    >>> grade(9, 10), grade(1, 10), grade(2, 2)
    ('A', 'E', None)
    """
    if total < _ENOUGH:
        return None
    return next(letter for least, letter in _GRADES if in_time / total >= least)


def pairing_of(alert: Alert, alerts: Sequence[Alert], incidents: Sequence[Incident]) -> Pairing | None:
    """An alert's place in the official record."""
    return by_alert(pair(alerts, outages(incidents))).get(alert.key)


def silence_look(silence: Silence) -> SilenceLook:
    """A silence as JSON values."""
    return SilenceLook(
        id=silence.id,
        service=silence.service,
        starts_at=format_time(silence.starts_at),
        ends_at=format_time(silence.ends_at),
        comment=plain(silence.comment, limit=200),
    )


def _symptoms(judged: Sequence[Judgement]) -> list[tuple[str, int]]:
    """What people say fails: each person's words once."""
    said: dict[str, set[str]] = {}
    for judgement in judged:
        post = judgement.mention.post
        if not post.text:
            continue
        for part in _symptoms_in(post.text):
            said.setdefault(part, set()).add(f"{post.source}/{post.author or post.id}")
    return Counter({word: len(people) for word, people in said.items()}).most_common(8)


@lru_cache(maxsize=4096)
def _symptoms_in(text: str) -> tuple[str, ...]:
    """The same posts are shown again and again while a page is open."""
    quoted = Evidence(source="", id="", url=None, text=text, p=1.0, at=EPOCH)
    return tuple(symptom([quoted]).split(", "))


def _outage(incident: Incident) -> Outage:
    return Outage(
        id=plain(incident.id, limit=120),
        title=plain(incident.title, limit=200),
        impact=incident.impact,
        first_posted_at=format_time(incident.first_posted_at),
        resolved_at=maybe(incident.resolved_at),
        url=safe_link(incident.url),
    )
