"""From domain values to the API's JSON: times as text, posts masked and cut, infinities as null. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from detector.domain import MINUTE, Alert, Evidence, Judgement, Level, Pairing, Verdict, format_time
from detector.domain import Official as Word
from detector.notify.escape import plain, quotation, safe_link
from detector.notify.symptoms import symptom
from detector.store import Feedback
from detector.store.board import OfficialNow
from detector.web.shapes import AlertShort, Official, Quote

LONGEST_QUOTE = 280
LONGEST_WORDS = 300


def maybe(at: datetime | None) -> str | None:
    """A time as text.

    >>> maybe(None) is None
    True
    """
    return None if at is None else format_time(at)


def minutes(span: timedelta | None) -> float | None:
    """A span in minutes, to a tenth.

    >>> minutes(timedelta(seconds=90))
    1.5
    """
    return None if span is None else round(span / MINUTE, 1)


def finite(value: float, digits: int = 2) -> float | None:
    """A figure for JSON; null where it is beyond counting.

    >>> finite(1.234), finite(float("inf")) is None
    (1.23, True)
    """
    return round(value, digits) if math.isfinite(value) else None


def official_of(word: Word | None) -> Official | None:
    """The provider's word as an alert keeps it."""
    if word is None:
        return None
    incident = word.incident
    return Official(
        state=word.state.value,
        checked_at=maybe(word.checked_at),
        description=plain(word.description, limit=LONGEST_WORDS),
        title=None if incident is None else plain(incident.title, limit=LONGEST_WORDS),
        posted_at=None if incident is None else format_time(incident.first_posted_at),
    )


def official_now(page: OfficialNow | None) -> Official | None:
    """The provider's word at the moment."""
    if page is None:
        return None
    return Official(
        state=page.state.value,
        checked_at=format_time(page.checked_at),
        description=plain(page.description, limit=LONGEST_WORDS),
        title=None if page.title is None else plain(page.title, limit=LONGEST_WORDS),
        posted_at=maybe(page.posted_at),
    )


def quote_of(evidence: Evidence) -> Quote:
    """A post quoted in an alert."""
    return Quote(
        source=plain(evidence.source, limit=60),
        at=format_time(evidence.at),
        text=quotation(evidence.text, limit=LONGEST_QUOTE),
        url=safe_link(evidence.url),
        label=evidence.label,
        p_now=round(evidence.p, 3),
        probabilities=None,
    )


def quote_of_judged(judgement: Judgement) -> Quote:
    """A post with all five probabilities."""
    post, p = judgement.mention.post, judgement.p
    return Quote(
        source=plain(post.source, limit=60),
        at=format_time(post.created_at),
        text=quotation(post.text, limit=LONGEST_QUOTE),
        url=safe_link(post.url),
        label=p.label,
        p_now=round(p.now, 3),
        probabilities={
            "complaint": round(p.complaint, 3),
            "report": round(p.report, 3),
            "past": round(p.past, 3),
            "solo": round(p.solo, 3),
            "other": round(p.other, 3),
        },
    )


def last_words(feedback: Iterable[Feedback]) -> dict[str, bool]:
    """What people last said of each alert."""
    return {each.alert_key: each.real for each in feedback}


def alert_short(alert: Alert, *, pairing: Pairing | None, word: bool | None) -> AlertShort:
    """An alert in a list, with its place in the official record and what a person said of it."""
    verdict = None if alert.level is Level.WATCH else (pairing.verdict if pairing else Verdict.UNMATCHED)
    return AlertShort(
        key=alert.key,
        service=alert.service,
        level=alert.level.value,
        state=alert.state.value,
        onset_at=format_time(alert.onset_at),
        watch_at=format_time(alert.watch_at),
        fired_at=maybe(alert.fired_at),
        ended_at=maybe(alert.ended_at),
        people=finite(alert.estimate.people) or 0.0,
        expected=finite(alert.estimate.expected, 3) or 0.0,
        window_minutes=finite(alert.estimate.window_minutes, 1) or 0.0,
        return_period_months=finite(alert.estimate.return_period_months),
        cause=alert.cause,
        symptom=symptom(alert.evidence),
        lead_minutes=minutes(pairing.lead) if pairing else None,
        verdict=None if verdict is None else verdict.value,
        feedback=None if word is None else ("true" if word else "false"),
    )


def by_alert(pairings: Iterable[Pairing]) -> Mapping[str, Pairing]:
    """The pairing of each alert."""
    return {each.alert_key: each for each in pairings if each.alert_key is not None}
