"""Which outages get a picture, and what is in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from detector.backfill import drawing
from detector.backfill.drawing import Mark, Picture
from detector.backfill.pairing import Outage
from detector.backfill.run import Backfilled
from detector.backfill.timeline import AFTER, BEFORE, STEP, Timeline, step_of, time_of
from detector.domain import Alert, Pairing, Verdict
from detector.notify.escape import plain, quotation
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
    service: str
    day: str
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
    marks, start, end = moments(alert, outage)
    mean = timeline.people[service] / steps if steps else None
    name, day = names.get(service, service), f"{each.at.day} {each.at:%b %Y}"
    said = alert.evidence[0].text if alert is not None and alert.evidence else ""
    return Shown(
        group=each.group,
        name=alert.key if alert is not None else f"{service}-{each.at:%Y%m%dT%H%M%S}-missed",
        title=f"{name}, {day}",
        verdict=each.pairing.verdict.value,
        words=_verdict(each.pairing),
        note=plain(outage.first.title, limit=90) if outage is not None else quotation(said, limit=90),
        at=each.at,
        service=name,
        day=day,
        svg=picture(
            name,
            marks,
            start,
            timeline.between(service, start, end - STEP),
            mean if alert is None else usual_of(alert),
        ),
    )


def moments(alert: Alert | None, outage: Outage | None) -> tuple[tuple[Mark, ...], datetime, datetime]:
    """The marks by time, and the part of time to draw: from before the first to after the last, within reason.

    Raises:
        ValueError: there is neither an alert nor an outage.
    """
    marks, begins, ends = [], [], []
    anchor = None
    if alert is not None:
        anchor = alert.fired_at or alert.watch_at
        said = "our alert" if alert.fired_at is not None else "our watch"
        marks += [Mark(kind="onset", at=alert.onset_at, words="onset"), Mark(kind="alert", at=anchor, words=said)]
        begins.append(max(alert.onset_at, anchor - BEFORE))
        ends.append(alert.ended_at or max(alert.updated_at, anchor + timedelta(hours=1)))
    if outage is not None:
        anchor = anchor or outage.posted_at
        marks.append(Mark(kind="page", at=outage.posted_at, words="official"))
        begins.append(outage.posted_at)
        ends.append(outage.ended_at)
        if all(incident.resolved_at is not None for incident in outage.incidents):
            marks.append(Mark(kind="over", at=outage.ended_at, words="resolved"))
    if alert is not None and alert.ended_at is not None and all(mark.kind != "over" for mark in marks):
        marks.append(Mark(kind="over", at=alert.ended_at, words="over"))
    if anchor is None:
        raise ValueError("a picture needs an alert or an outage")
    start = max(min(begins) - _MARGIN, anchor - BEFORE - _MARGIN)
    end = max(min(max(ends) + _MARGIN, anchor + AFTER), start + timedelta(hours=2))
    return tuple(sorted(marks, key=lambda mark: (mark.at, mark.kind))), start, end


def usual_of(alert: Alert) -> float:
    """How many people were usual in five minutes, as the alert's argument has it."""
    return alert.estimate.expected / max(alert.estimate.window_minutes, 1.0) * (STEP / timedelta(minutes=1))


def picture(name: str, marks: tuple[Mark, ...], start: datetime, people: Sequence[int], usual: float | None) -> Markup:
    """The drawing, with its content in words for those who do not see it."""
    day = f"{start.day} {start:%b %Y}"
    spoken = ", ".join(f"{mark.words} {mark.at:%H:%M}" for mark in marks)
    label = f"{name}, {day}: {spoken}; {sum(people)} people complained, at most {max(people, default=0)} in 5 minutes"
    drawn = Picture(label=label, start=time_of(step_of(start)), people=tuple(people), usual=usual, marks=marks)
    return Markup(drawing.outage(drawn))  # noqa: S704 - drawn by us, its texts escaped


def _verdict(pairing: Pairing) -> str:
    if pairing.verdict is Verdict.MISSED:
        return "missed"
    if pairing.lead is None:
        return "unmatched"
    if abs(pairing.lead) < timedelta(minutes=1):
        return "same minute"
    return f"{duration_words(abs(pairing.lead))} {'before' if pairing.lead > timedelta(0) else 'after'}"
