"""The replay as one printable page that needs nothing but itself, and its pictures as files for slides.

The same archive gives the same bytes, whatever the batch: no clock, no durations, every order fixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detector.backfill import drawing
from detector.backfill.leads import LeadChart, against_chance
from detector.backfill.pictures import choose
from detector.backfill.run import Backfilled
from detector.backfill.timeline import Timeline
from detector.domain import Alert, Level, Pairing, Verdict
from detector.errors import UsageError
from detector.notify.escape import plain, quotation, safe_link
from detector.notify.words import duration_words, number_words, people_words, return_period_words

SHOWN = 60
_QUOTES = 3
_QUOTE = 280


def render(done: Backfilled, *, title: str, budget: str, names: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The page, and the pictures as SVG texts by file name.

    Args:
        title: what was replayed.
        budget: in words.
        names: services' names by slug.
    """
    shown = choose(done, names)
    leads = against_chance(done)
    posts = by_month(done.replayed.timeline)
    missed = [each for each in done.pairings if each.verdict is Verdict.MISSED and each.incident is not None]
    files = {f"{each.name}.svg": drawing.alone(each.svg, each.title) for each in shown}
    if leads is not None:
        files["leads.svg"] = drawing.alone(leads.svg, "Lead of our alerts, against chance")
    page = (
        environment()
        .get_template("report.html")
        .render(
            title=title,
            headline=headline(done.scoreboard, leads),
            figures=figures(done.scoreboard, budget),
            board=done.scoreboard,
            leads=leads,
            groups=[
                (name, [each for each in shown if each.group == name]) for name in ("found", "unmatched", "missed")
            ],
            unmatched=_unmatched(done, names),
            missed=[_missed(each, names) for each in missed],
            months=None if posts is None else Markup(posts),  # noqa: S704 - drawn by us, its texts escaped
            coverage=_coverage(done.replayed.timeline),
            shown_at_once=SHOWN,
        )
    )
    return page, files


def write_report(folder: Path, done: Backfilled, *, title: str, budget: str, names: Mapping[str, str]) -> None:
    """Write `report.html` and `pictures/*.svg`.

    Raises:
        UsageError: the folder cannot be written to.
    """
    page, files = render(done, title=title, budget=budget, names=names)
    try:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        (folder / "report.html").write_text(page, encoding="utf-8")
        for name, svg in files.items():
            (folder / "pictures" / name).write_text(svg, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder}: cannot write the report: {error.strerror}; choose another --out") from error


@cache
def environment() -> Environment:
    """The templates: every text that is put in is escaped."""
    made = Environment(
        loader=PackageLoader("detector.backfill"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"percent": percent, "figure": number_words, "moment": moment, "hour": hour}
    # Our own constants, put into a <style>; nothing that anybody wrote.
    own = {"LIGHT": drawing.LIGHT, "DARK": drawing.DARK, "PICTURES": drawing.STYLE}
    made.globals |= {name: Markup(text) for name, text in own.items()}  # noqa: S704
    return made


def moment(at: datetime) -> str:
    """A moment with its day.

    >>> moment(datetime(2026, 3, 2, 9, 5))
    '2 Mar 2026 09:05'
    """
    return f"{at.day} {at:%b %Y %H:%M}"


def hour(at: datetime, beside: datetime) -> str:
    """The time of day to the second, with the day where it is another one than that of `beside`.

    >>> hour(datetime(2026, 3, 2, 9, 5), datetime(2026, 3, 1)), hour(datetime(2026, 3, 2, 9, 5), datetime(2026, 3, 2))
    ('2 Mar 09:05:00', '09:05:00')
    """
    return f"{at:%H:%M:%S}" if at.date() == beside.date() else f"{at.day} {at:%b %H:%M:%S}"


def percent(share: float | None) -> str:
    """A share in percent.

    >>> percent(0.953), percent(0.004), percent(None)
    ('95 %', '0.4 %', 'unknown')
    """
    if share is None:
        return "unknown"
    return f"{100 * share:.1f} %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def headline(board: Mapping[str, Any], leads: LeadChart | None) -> list[str]:
    """What came of it, in sentences for somebody who reads nothing else."""
    fired = board["alerts"]["alert"] + board["alerts"]["major"]
    said = [_found(board), _early(board)] if board["eligible"] else []
    if not board["eligible"] and fired:
        said.append("No official record covers this archive, so nothing says yet which alerts are true.")
    if leads is not None and leads.expected is not None:
        said.append(
            f"As many alerts scattered at random would have met {number_words(leads.expected)} outages; "
            f"ours met {leads.found}."
        )
    often = board["alerts_per_service_month"]
    rate = ""
    if often:
        rate = f", one in {1 / often:,.0f} service-months" if often < 0.7 else f", {often:.1f} a service-month"
    said.append(f"{_count(fired, 'alert')} in all{rate}.")
    return [each for each in said if each]


def _found(board: Mapping[str, Any]) -> str:
    return f"We alerted on {board['detected']} of {_count(board['eligible'], 'outage')} in the official record."


def _early(board: Mapping[str, Any]) -> str:
    lead = board["lead_minutes"]
    if lead["median"] is None:
        return ""
    side = "before" if lead["median"] >= 0 else "after"
    middle = duration_words(abs(lead["median"]) * timedelta(minutes=1))
    return f"At the median {middle} {side} the official page, and before it in {percent(lead['positive_share'])}."


def figures(board: Mapping[str, Any], budget: str) -> list[tuple[str, str, str]]:
    """The figures to look at first: name, value, and what to hold it against."""
    lead, fired = board["lead_minutes"], board["alerts"]["alert"] + board["alerts"]["major"]
    spread = "" if lead["p10"] is None else f"p10 {_minutes(lead['p10'])}, p90 {_minutes(lead['p90'])}"
    return [
        ("Outages found", f"{board['detected']} of {board['eligible']}", f"recall {percent(board['recall'])}"),
        (
            "On a known outage",
            percent(board["precision_official"]),
            f"by chance {percent(board['chance_hit_rate'])}",
        ),
        ("Median lead", "none" if lead["median"] is None else _minutes(lead["median"]), spread),
        ("Alerts", f"{fired:,}", f"budget {budget}"),
        ("Watched", f"{board['services']:,}", f"services, {board['service_months']:,.0f} service-months"),
        ("Posts", f"{board['posts']:,}", f"{board['mentions']:,} named a watched service"),
    ]


def by_month(timeline: Timeline) -> str | None:
    """How much was heard in each month, as a drawing; None for nothing."""
    if not timeline.posts_by_day:
        return None
    months: Counter[int] = Counter()
    for day, count in timeline.posts_by_day.items():
        months[day.year * 12 + day.month - 1] += count
    first, last = min(months), max(months)
    bars = [months[month] for month in range(first, last + 1)]
    ticks = [(place, str((first + place) // 12)) for place in range(len(bars)) if (first + place) % 12 == 0]
    ends = [(0, _month(first)), (len(bars), _month(last))]
    apart = [tick for tick in ticks if 0.2 * len(bars) < tick[0] < 0.8 * len(bars)]
    return drawing.histogram(
        bars, (), [ends[0], *apart, ends[1]], label=f"Posts heard by month, from {_month(first)} to {_month(last)}"
    )


def _month(number: int) -> str:
    return f"{date(number // 12, number % 12 + 1, 1):%b %Y}"


def _coverage(timeline: Timeline) -> dict[str, Any]:
    """What could be heard: sources, and days without any post."""
    days = sorted(timeline.posts_by_day)
    gaps = [(after - before, before) for before, after in pairwise(days)]
    longest, since = max(gaps, key=lambda gap: (gap[0], -gap[1].toordinal()), default=(timedelta(1), None))
    silent = ((days[-1] - days[0]).days + 1 - len(days)) if days else 0
    sources = sorted(timeline.sources.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "sources": sources[:20],
        "more": len(sources) - 20,
        "silent_days": silent,
        "days": len(days) + silent,
        "longest": longest.days - 1 if longest.days > 1 else 0,
        "since": since,
    }


def _unmatched(done: Backfilled, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The alerts that no incident claims, with what a judge needs."""
    keys = {each.alert_key for each in done.pairings if each.verdict is Verdict.UNMATCHED}
    recorded = {outage.service for outage in done.outages}
    return [
        {
            "key": alert.key,
            "name": names.get(alert.service, alert.service),
            "at": alert.fired_at,
            "why": f"{people_words(alert.estimate)}, {return_period_words(alert.estimate.return_period_months)}",
            "cause": None if alert.cause is None else names.get(alert.cause, alert.cause),
            "record": (
                "the official record shows nothing then"
                if alert.service in recorded
                else "no official record of this service"
            ),
            "quotes": quotes(alert, _QUOTES),
        }
        for alert in done.alerts
        if alert.key in keys and alert.level is not Level.WATCH
    ]


def quotes(alert: Alert, most: int) -> list[dict[str, Any]]:
    """What people said, as plain text; links only to the web."""
    return [
        {
            "text": quotation(each.text, limit=_QUOTE),
            "source": plain(each.source, limit=60),
            "at": each.at,
            "p": each.p,
            "url": safe_link(each.url),
        }
        for each in alert.evidence[:most]
    ]


def _missed(pairing: Pairing, names: Mapping[str, str]) -> dict[str, Any]:
    incident = pairing.incident
    if incident is None:
        raise ValueError("a missed outage has an incident")
    lasted = None if incident.resolved_at is None else incident.resolved_at - incident.first_posted_at
    return {
        "at": incident.first_posted_at,
        "name": names.get(incident.service, incident.service),
        "title": plain(incident.title, limit=200),
        "impact": plain(incident.impact or "", limit=40) or "not stated",
        "lasted": "end not stated" if lasted is None else duration_words(lasted),
        "url": safe_link(incident.url),
    }


def _minutes(value: float) -> str:
    return f"{value:.0f} min".replace("-", "−")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
