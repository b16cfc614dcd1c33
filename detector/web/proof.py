"""Our own record: what we claimed, what came of it, and what we missed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from detector.backfill.pairing import Outage, outages, pair
from detector.backfill.scoreboard import MONTH, chance_share
from detector.domain import Alert, Level, Pairing, Verdict, format_time
from detector.notify.escape import plain
from detector.store.board import Board as Questions
from detector.web.ports import Surroundings
from detector.web.shapes import Miss, Proof
from detector.web.sources import EVERYTHING, Piece, heard_pieces
from detector.web.values import last_words, maybe

_MOST = 100_000
_MOST_MISSES = 200


def look(ask: Questions, around: Surroundings, now: datetime) -> Proof:
    """The record since this database was begun; only outages posted since then count."""
    since = ask.created_at() or now
    watched = {service.slug for service in around.services}
    alerts = [each for each in ask.read.alerts(limit=_MOST) if each.service in watched]
    fired = [each for each in alerts if each.fired_at is not None and each.level is not Level.WATCH]
    record = [
        each for each in outages(ask.read.incidents(since=since)) if each.service in watched and each.posted_at <= now
    ]
    pairings = pair(fired, record)
    words = last_words(ask.read.feedback())
    confirmed = _confirmed(fired, pairings)
    judged = {each.key: words[each.key] for each in fired if each.key in words}
    unjudged = sum(each.key not in judged and each.key not in confirmed for each in fired)
    leads = sorted(each.lead.total_seconds() / 60 for each in pairings if each.lead is not None)
    months = max((now - since) / MONTH, 0.0)
    false = sum(not real for real in judged.values())
    misses = [each for each in pairings if each.verdict is Verdict.MISSED and each.incident is not None]
    spans = [span for span in ask.read.coverage(since=since) if span.source != EVERYTHING]
    heard = heard_pieces(spans, since, now)
    return Proof(
        at=format_time(now),
        since=maybe(since),
        months=round(months, 3),
        services=len(watched),
        alerts={level.value: sum(each.level is level for each in alerts) for level in Level},
        judged_true=sum(judged.values()),
        judged_false=false,
        confirmed=len(confirmed),
        unjudged=unjudged,
        leads_minutes=[round(lead, 1) for lead in leads],
        median_lead_minutes=round(median(leads), 1) if leads else None,
        early_share=round(sum(lead > 0 for lead in leads) / len(leads), 4) if leads else None,
        budget_per_month=None if around.budget is None else round(around.budget * len(watched), 4),
        false_per_month=round(false / months, 3) if months >= 0.1 else None,
        worst_false_per_month=round((false + unjudged) / months, 3) if months >= 0.1 else None,
        # A record of days lies wholly within reach of its outages: chance would "confirm" almost anything.
        chance_hit_rate=_chance(fired, record, since, now) if months >= 0.1 else None,
        outages=len(record),
        detected=len(record) - len(misses),
        recall=round((len(record) - len(misses)) / len(record), 4) if record else None,
        misses=[
            Miss(
                service=each.service,
                title=plain(each.incident.title, limit=160),
                first_posted_at=format_time(each.incident.first_posted_at),
                impact=each.incident.impact,
                why=_why(each.service, each.incident.first_posted_at, alerts, heard),
            )
            for each in reversed(misses)
            if each.incident is not None
        ][:_MOST_MISSES],
    )


def _confirmed(fired: Sequence[Alert], pairings: Sequence[Pairing]) -> set[str]:
    """Alerts within an outage; it has one pairing, but speaks for later alerts too."""
    unmatched = {each.alert_key for each in pairings if each.verdict is Verdict.UNMATCHED}
    return {each.key for each in fired if each.key not in unmatched}


def _chance(fired: Sequence[Alert], record: Sequence[Outage], since: datetime, now: datetime) -> float | None:
    """How often alerts at random moments would have met an outage of their service."""
    official = {outage.service for outage in record}
    checked = [alert for alert in fired if alert.service in official]
    if not checked:
        return None
    shares = {
        service: chance_share([each for each in record if each.service == service], since, now) for service in official
    }
    return round(sum(shares[alert.service] for alert in checked) / len(checked), 4)


def _why(service: str, posted_at: datetime, alerts: Sequence[Alert], heard: Sequence[Piece]) -> str:
    """What we know of why nothing was said."""
    start, end = posted_at - timedelta(hours=1), posted_at + timedelta(hours=1)
    if any(each.service == service and start <= each.watch_at <= end for each in alerts):
        return "only a watch: too few people, or not sure enough"
    if not any(begin <= posted_at <= until for begin, until in heard):
        return "no source was heard then"
    return "too few people complained where we listen"
