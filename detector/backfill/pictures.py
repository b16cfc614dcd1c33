"""Which outages get a picture, and what is in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from detector.backfill import drawing
from detector.backfill.drawing import Mark, Picture
from detector.backfill.pairing import Outage
from detector.backfill.run import Backfilled
from detector.backfill.timeline import AFTER, BEFORE, STEP, Timeline, step_of, time_of
from detector.domain import Alert, Pairing, Verdict
from detector.notify.escape import plain
from detector.notify.words import duration_words

MOST = 40
_SHARE = {"found": 24, "unmatched": 8, "missed": 8}  # of the pictures, as far as there are so many
_MARGIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture in the report.

    Attributes:
        group: found, unmatched or missed.
        name: of its file, without the ending.
        verdict: early, late, unmatched or missed.
        words: how it went, short.
        note: the provider's title, or what we argued.
    """

    group: str
    name: str
    title: str
    verdict: str
    words: str
    note: str
    at: datetime
    svg: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    group: str
    rank: float
    at: datetime
    pairing: Pairing
    alert: Alert | None
    outage: Outage | None


def choose(done: Backfilled, names: Mapping[str, str]) -> list[Shown]:
    """At most forty, by time: outages found, alerts to be judged, and misses of which people did speak."""
    timeline = done.replayed.timeline
    ranked: dict[str, list[_Candidate]] = {group: [] for group in _SHARE}
    for each in _candidates(done, timeline):
        ranked[each.group].append(each)
    for group in ranked.values():
        group.sort(key=lambda each: (-each.rank, each.at, each.pairing.service))
    taken = [each for group, share in _SHARE.items() for each in ranked[group][:share]]
    rest = [each for group, share in _SHARE.items() for each in ranked[group][share:]]
    taken += rest[: MOST - len(taken)]
    months = None
    if done.replayed.first_at is not None and done.replayed.last_at is not None:
        months = (done.replayed.last_at - done.replayed.first_at) / STEP
    taken.sort(key=lambda each: (each.at, each.pairing.service))
    return [_shown(each, timeline, months, names) for each in taken]


def _candidates(done: Backfilled, timeline: Timeline) -> list[_Candidate]:
    alerts = {alert.key: alert for alert in done.alerts}
    outages = {(each.service, each.first.id): each for each in done.outages}
    found = []
    for pairing in done.pairings:
        alert = alerts.get(pairing.alert_key) if pairing.alert_key else None
        outage = outages.get((pairing.service, pairing.incident.id)) if pairing.incident else None
        if alert is not None and alert.fired_at is not None:
            group = "unmatched" if outage is None else "found"
            rank, at = alert.estimate.score, alert.fired_at
        elif outage is not None:
            group, at = "missed", outage.posted_at
            end = min(outage.ended_at, at + timedelta(hours=2))
            rank = float(sum(timeline.between(pairing.service, at - timedelta(hours=1), end)))
            # A miss of which nobody spoke would be an empty picture; the list has it.
            if rank == 0.0:
                continue
        else:
            continue
        found.append(_Candidate(group=group, rank=rank, at=at, pairing=pairing, alert=alert, outage=outage))
    return found


def _shown(each: _Candidate, timeline: Timeline, steps: float | None, names: Mapping[str, str]) -> Shown:
    alert, outage, service = each.alert, each.outage, each.pairing.service
    marks, start, end = _moments(alert, outage)
    people = tuple(timeline.between(service, start, end - STEP))
    usual = timeline.people[service] / steps if steps else None
    if alert is not None:
        usual = alert.estimate.expected / max(alert.estimate.window_minutes, 1.0) * (STEP / timedelta(minutes=1))
    words = _verdict(each.pairing)
    name = names.get(service, service)
    day = f"{each.at.day} {each.at:%b %Y}"
    spoken = ", ".join(f"{mark.words} {mark.at:%H:%M}" for mark in marks)
    label = f"{name}, {day}: {spoken}; {sum(people)} people complained, at most {max(people, default=0)} in 5 minutes"
    picture = Picture(label=label, start=time_of(step_of(start)), people=people, usual=usual, marks=marks)
    if outage is not None:
        note, key = plain(outage.first.title, limit=90), f"{service}-{outage.posted_at:%Y%m%dT%H%M%S}-missed"
    else:
        note, key = plain(alert.evidence[0].text, limit=90) if alert and alert.evidence else "", ""
    return Shown(
        group=each.group,
        name=alert.key if alert is not None else key,
        title=f"{name}, {day}",
        verdict=each.pairing.verdict.value,
        words=words,
        note=note,
        at=each.at,
        svg=Markup(drawing.outage(picture)),  # noqa: S704 - drawn by us, its texts escaped
    )


def _moments(alert: Alert | None, outage: Outage | None) -> tuple[tuple[Mark, ...], datetime, datetime]:
    """The marks by time, and the part of time to draw: from before the first to after the last, within reason."""
    marks, begins, ends = [], [], []
    if alert is not None and alert.fired_at is not None:
        marks += [
            Mark(kind="onset", at=alert.onset_at, words="onset"),
            Mark(kind="alert", at=alert.fired_at, words="our alert"),
        ]
        begins.append(max(alert.onset_at, alert.fired_at - BEFORE))
        ends.append(alert.ended_at or alert.fired_at + AFTER)
    if outage is not None:
        marks.append(Mark(kind="page", at=outage.posted_at, words="official"))
        begins.append(outage.posted_at)
        ends.append(outage.ended_at)
        marks.append(Mark(kind="over", at=outage.ended_at, words="resolved"))
    elif alert is not None and alert.ended_at is not None:
        marks.append(Mark(kind="over", at=alert.ended_at, words="over"))
    anchor = alert.fired_at if alert is not None and alert.fired_at is not None else begins[0]
    start = max(min(begins) - _MARGIN, anchor - BEFORE - _MARGIN)
    end = min(max(ends) + _MARGIN, anchor + AFTER)
    end = max(end, start + timedelta(hours=2))
    return tuple(sorted(marks, key=lambda mark: (mark.at, mark.kind))), start, end


def _verdict(pairing: Pairing) -> str:
    if pairing.verdict is Verdict.MISSED:
        return "missed"
    if pairing.lead is None:
        return "unmatched"
    if abs(pairing.lead) < timedelta(minutes=1):
        return "same minute"
    return f"{duration_words(abs(pairing.lead))} {'before' if pairing.lead > timedelta(0) else 'after'}"
