"""One outage as a report for people who were not there: Markdown for a ticket, a page for print. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from detector.backfill.report import cell
from detector.backfill.report_html import environment, hour, moment, quotes
from detector.domain import Alert, Incident
from detector.notify.escape import plain
from detector.notify.words import duration_words, number_words, people_words, return_period_words

_QUOTES = 10
_WIDTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was decided for a receiver, and what became of the message; texts are already plain."""

    at: datetime
    receiver: str
    told: bool
    why: str
    note: str
    fate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMortem:
    """Everything that the report says.

    Attributes:
        name, cause: of the service, and of the one that explains it.
        argument: why we said it, in sentences.
        until: its end; while it lasts, the latest that is known.
        lead: how long before the official page; below zero the page was first; None where it never spoke.
        timeline: when, who (people, we, official, told, feedback) and what, in order.
    """

    alert: Alert
    name: str
    cause: str | None
    argument: str
    until: datetime
    lead: timedelta | None
    incident: Incident | None
    timeline: tuple[tuple[datetime, str, str], ...]
    told: tuple[Told, ...]
    picture: Markup


def title(found: PostMortem) -> str:
    """What happened, for a heading."""
    kind = "outage" if found.alert.fired_at is not None else "trouble"
    return f"{found.name}: {kind} of {found.alert.onset_at.day} {found.alert.onset_at:%b %Y}"


def lead_words(found: PostMortem) -> str:
    """Who was first, and by how much."""
    if found.lead is None:
        return "the official page has not spoken of it"
    if found.lead > timedelta(0):
        return f"{duration_words(found.lead)} before the official page"
    return f"{duration_words(-found.lead)} after the official page"


def figures(found: PostMortem) -> list[tuple[str, str]]:
    """Name and value of each figure of the report."""
    alert, estimate = found.alert, found.alert.estimate
    rows = [
        ("trouble began, inferred (UTC)", moment(alert.onset_at)),
        ("we began to watch", moment(alert.watch_at)),
        ("we alerted", "no: it stayed a watch" if alert.fired_at is None else moment(alert.fired_at)),
        ("official page first spoke", "not so far" if not found.incident else moment(found.incident.first_posted_at)),
        ("our lead", lead_words(found)),
        ("over, by what people say", "still going on" if alert.ended_at is None else moment(alert.ended_at)),
        ("lasted", duration_words(found.until - alert.onset_at) + ("" if alert.ended_at else " so far")),
        ("level reached", alert.level.value),
        ("people at the strongest", people_words(estimate)),
        ("how rare", return_period_words(estimate.return_period_months)),
        (
            "sources",
            ", ".join(f"{plain(name, limit=60)} {number_words(n)}" for name, n in estimate.sources) or "unknown",
        ),
    ]
    if found.incident is not None and found.incident.resolved_at is not None:
        rows.insert(6, ("over, by the official page", moment(found.incident.resolved_at)))
    if found.cause is not None:
        rows.append(("explained by", found.cause))
    return rows


def markdown(found: PostMortem) -> str:
    """The report as Markdown, in which nothing that strangers wrote is markup."""
    lines = [f"# {cell(title(found))}", "", f"Alert `{found.alert.key}`. All times are UTC.", ""]
    lines += ["## Summary", "", cell(found.argument, 4000), ""]
    lines += ["## Figures", "", "| what | value |", "|---|---|"]
    lines += [f"| {name} | {cell(value, _WIDTH)} |" for name, value in figures(found)]
    lines += ["", "## Timeline", "", "| when | who | what |", "|---|---|---|"]
    lines += [
        f"| {hour(at, found.alert.onset_at)} | {kind} | {cell(text, _WIDTH)} |" for at, kind, text in found.timeline
    ]
    lines += ["", "## What people said", ""]
    for quote in quotes(found.alert, _QUOTES):
        link = f" <{quote['url']}>" if quote["url"] else ""
        lines += [
            f"> {cell(quote['text'], _WIDTH)}",
            ">",
            f"> {cell(quote['source'])}, {moment(quote['at'])}{link}",
            "",
        ]
    if not found.alert.evidence:
        lines += ["No quotes are kept.", ""]
    lines += ["## Who was told", ""]
    if found.told:
        lines += ["| when | receiver | told | why |", "|---|---|---|---|"]
        for each in found.told:
            fate = cell(each.fate) if each.told else "not told"
            why = cell("; ".join(filter(None, (each.why, each.note))), _WIDTH)
            lines.append(f"| {hour(each.at, found.alert.onset_at)} | {cell(each.receiver)} | {fate} | {why} |")
    else:
        lines.append("Nobody: no receiver is set up.")
    return "\n".join(lines) + "\n"


def html(found: PostMortem) -> str:
    """The report as one page that needs nothing but itself."""
    return (
        environment()
        .get_template("postmortem.html")
        .render(
            found=found,
            title=title(found),
            lead=lead_words(found),
            figures=figures(found),
            quotes=quotes(found.alert, _QUOTES),
        )
    )
