"""The message about an alert, as words: what to read first, the facts, the voices. Pure; channels lay it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from detector.alerting.policy import INSTEAD
from detector.domain import Alert, AlertState, Evidence, Level, Notification, Official, Reason
from detector.domain.alert import OURSELVES
from detector.notify.escape import plain, quotation, safe_link, unlinked
from detector.notify.symptoms import component, symptom
from detector.notify.words import (
    clock_words,
    duration_words,
    expected_words,
    official_words,
    people_words,
    return_period_words,
    service_words,
    source_words,
)

MOST_QUOTES = 2
LONGEST_QUOTE = 140
LONGEST_FACT = 160

# An error text that begins so tells that the message may have arrived although no reply said so.
AMBIGUOUS = "may have arrived: "

# A message that arrives so much after it was owed says so.
LATE = timedelta(minutes=10)

_MARK = {Level.WATCH: "🟡", Level.ALERT: "🟠", Level.MAJOR: "🔴"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a receiver likes to be told.

    Attributes:
        names: a service's name for people, by slug; a slug not there is spelled out.
        components: by slug, the words for each part of a service.
        zone: in which times are shown.
        zone_name: said once, behind the first time.
        page: address of our own pages, to which `/a/KEY` is added; None where there are none.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A voice: the words, masked and cut; where; a link only if it is safe."""

    text: str
    source: str
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel lays out. Every part is one line of plain text, not yet escaped for any channel.

    Attributes:
        title: one short line that suffices on a locked phone.
        lead: the argument in one or two sentences.
        facts: label and value, most important first.
        quotes: at most two voices.
        link: our page on the alert.
        command: what to type for the whole reasoning.
    """

    mark: str
    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    quotes: tuple[Quote, ...]
    link: str | None
    command: str


def message(notification: Notification, wording: Wording | None = None) -> Message:
    """The message that a notification owes its receiver; each reason has its own words."""
    wording = wording or Wording()
    if notification.others or notification.reason in {Reason.DIGEST, Reason.INHIBITED}:
        from detector.notify.together import together

        return together(notification, wording)
    alert = notification.alert
    if alert.service == OURSELVES:
        return _of_ourselves(notification, wording)
    mark, title, lead = _headline(notification, name_of(alert.service, wording))
    closing = notification.reason in {Reason.RESOLVED, Reason.ACKNOWLEDGED, Reason.REPEATED}
    return Message(
        mark=mark,
        title=title,
        lead=lead + asides(notification, wording),
        facts=tuple((label, plain(value, limit=LONGEST_FACT)) for label, value in _facts(notification, wording)),
        quotes=() if closing else tuple(quotes(alert)),
        link=page_of(wording, f"/a/{alert.key}"),
        command=f"detector explain {plain(alert.key, limit=80)}",
    )


def standing(notification: Notification, wording: Wording | None = None) -> Message:
    """The alert as it now stands, with the latest news: what the first message becomes where a channel can edit."""
    wording = wording or Wording()
    alone = replace(notification, others=(), attempts=0, failed=None, tried_at=None)
    if notification.reason is Reason.RESOLVED or notification.alert.state is AlertState.RESOLVED:
        return message(replace(alone, reason=Reason.RESOLVED), wording)
    told = message(replace(alone, reason=Reason.OPENED), wording)
    if notification.reason in {Reason.OPENED, Reason.REOPENED}:
        return told
    news = message(alone, wording)
    at = clock_words(notification.created_at, wording.zone, beside=notification.created_at)
    latest = f"{at} {news.title.partition(': ')[2]}. {news.lead if notification.reason is Reason.ACKNOWLEDGED else ''}"
    return replace(told, facts=(("Latest", plain(latest, limit=LONGEST_FACT)), *told.facts))


def name_of(slug: str, wording: Wording) -> str:
    """A service's name, fit to be shown."""
    return plain(unlinked(service_words(slug, wording.names)), limit=60) or slug


def page_of(wording: Wording, path: str) -> str | None:
    """An address among our own pages, None where there are none."""
    return None if wording.page is None else safe_link(f"{wording.page.rstrip('/')}{path}")


def missed_by(notification: Notification) -> str:
    """Which receiver a report of an undelivered message is about."""
    return plain(notification.id.rpartition("/undelivered-")[2], limit=30)


def instead_of(notification: Notification) -> str:
    """Which receiver a message stands in for, empty where it is its receiver's own."""
    given = notification.id.rpartition(f"/{INSTEAD}")[2] if notification.reason is Reason.FALLBACK else ""
    return plain(given, limit=30)


def asides(notification: Notification, wording: Wording) -> str:
    """What a reader must know of the message itself: that it may be a second one, that it comes late."""
    words = ""
    missed = sorted({instead_of(one) for one in (notification, *notification.others) if instead_of(one)})
    if missed:
        words += f" ({', '.join(missed)} cannot be reached, so you are told.)"
    if any(may_repeat(one) for one in (notification, *notification.others)):
        words += " (Repeat: an earlier try may have reached you.)"
    wanted = max(notification.created_at, notification.next_try_at or notification.created_at)
    if notification.attempts:
        wanted = notification.created_at
    if notification.tried_at is not None and notification.tried_at - wanted >= LATE:
        due = clock_words(notification.created_at, wording.zone, beside=notification.tried_at)
        words += f" (Late: this was due at {due} {wording.zone_name}.)"
    return words


def may_repeat(notification: Notification) -> bool:
    """Whether an earlier try may have arrived: it timed out, or nobody saw how it ended."""
    if notification.failed is None:
        return notification.attempts > 0
    return notification.failed.startswith(AMBIGUOUS)


def _of_ourselves(notification: Notification, wording: Wording) -> Message:
    """What the operator reads when the detector itself is in trouble; its one piece of evidence says how."""
    alert = notification.alert
    since = clock_words(alert.onset_at, wording.zone, beside=notification.created_at)
    what = plain(alert.evidence[0].text, limit=LONGEST_FACT) if alert.evidence else "Something is wrong."
    if notification.reason is Reason.RESOLVED:
        lasted = duration_words((alert.ended_at or alert.updated_at) - alert.onset_at)
        mark, title = "✅", f"Outage detector: works again after {lasted}"
    else:
        mark, title = "🛠️", "Outage detector: needs you, it does not work as it should"
    facts = (("Since", f"{since} {wording.zone_name}"),)
    return Message(mark=mark, title=title, lead=what, facts=facts, quotes=(), link=None, command="detector doctor")


def plain_text(notification: Notification, wording: Wording | None = None) -> str:
    """The message as lines of text, for a terminal, a file or a mail."""
    told = message(notification, wording)
    lines = [f"{told.mark} {told.title}", told.lead]
    lines += [f"{label}: {value}" for label, value in told.facts]
    for quote in told.quotes:
        lines.append(f'  "{quote.text}" - {quote.source}' + (f" {quote.link}" if quote.link else ""))
    if told.link:
        lines.append(told.link)
    lines.append(f"Why: {told.command}")
    return "\n".join(lines)


def short_text(notification: Notification, wording: Wording | None = None) -> str:
    """Title and argument in one line, for a preview or a channel that shows no more."""
    told = message(notification, wording)
    return f"{told.mark} {told.title}. {told.lead}"


def _headline(notification: Notification, name: str) -> tuple[str, str, str]:
    alert, reason = notification.alert, notification.reason
    mark = _MARK[alert.level]
    surprise = f"{people_words(alert.estimate)}, {return_period_words(alert.estimate.return_period_months)}."
    said = symptom(alert.evidence)
    told_at = alert.fired_at or alert.watch_at
    match reason:
        case Reason.RESOLVED:
            over = duration_words((alert.ended_at or alert.updated_at) - alert.onset_at)
            peak = f"At its strongest {people_words(alert.estimate)}."
            return "✅", f"{name}: over after {over}", f"People no longer complain more than usual. {peak}"
        case Reason.UNDELIVERED:
            why = "It refuses for good what it is sent; detector doctor --send says why."
            return "⚠️", f"{name}: {missed_by(notification)} could not be told", f"People say {said}. {why}"
        case Reason.ESCALATED:
            lasting = duration_words(notification.created_at - alert.onset_at)
            return mark, f"{name}: failing for {lasting}", f"{surprise} People say {said}. It lasts, so we wake you."
        case Reason.ACKNOWLEDGED:
            return "📣", f"{name}: the provider confirms", _lead_words(alert.official, told_at)
        case Reason.REPEATED:
            lasting = duration_words(notification.created_at - alert.onset_at)
            return mark, f"{name}: still failing after {lasting}", surprise
        case Reason.REOPENED:
            return mark, f"{name}: failing again ({said})", f"{surprise} Same outage as before."
        case Reason.RAISED if alert.level is Level.MAJOR:
            return mark, f"{name}: worse, now major ({said})", surprise
        case Reason.UPDATED:
            return mark, f"{name}: update ({said})", surprise
        case _:
            words = {
                Level.WATCH: f"{name}: first complaints ({said})",
                Level.ALERT: f"{name}: people say {said}",
                Level.MAJOR: f"{name}: many people say {said}",
            }
            return mark, words[alert.level], surprise


def _lead_words(official: Official | None, told_at: datetime) -> str:
    """Who spoke first, and by how much; never against a start that was stated afterwards."""
    if official is None or official.incident is None:
        return "The official page now shows a problem."
    lead = official.incident.first_posted_at - told_at
    if abs(lead.total_seconds()) < 60:
        return "The official page spoke at the same minute as we did."
    if lead.total_seconds() > 0:
        return f"We were {duration_words(lead)} ahead of the official page."
    return f"The official page was {duration_words(-lead)} ahead of us."


def _facts(notification: Notification, wording: Wording) -> list[tuple[str, str]]:
    alert = notification.alert
    now = notification.created_at
    official = official_words(alert.official, wording.zone, beside=now)
    onset = f"about {clock_words(alert.onset_at, wording.zone, beside=now)} {wording.zone_name}"
    facts = [("Official page", official)]
    incident = alert.official.incident if alert.official else None
    if incident is not None:
        facts.append(("Announced work" if incident.maintenance else "They say", unlinked(incident.title)))
    if notification.reason is Reason.RESOLVED:
        return _closing(alert, f"{onset} to", now, wording, official)
    if notification.reason is Reason.ACKNOWLEDGED:
        if alert.fired_at is not None:
            facts.append(("We spoke", f"{clock_words(alert.fired_at, wording.zone, beside=now)} {wording.zone_name}"))
        return facts
    first = _first_complaint(alert.evidence)
    if first is not None:
        onset += f", first complaint {clock_words(first, wording.zone, beside=now)}"
    part = component(alert.evidence, wording.components.get(alert.service, {}))
    if part is not None:
        facts.insert(0, ("Component", part))
    facts.append(("Began", onset))
    facts.append(("Sources", source_words(alert.estimate.sources)))
    if alert.cause is not None:
        facts.append(("Likely cause", service_words(alert.cause, wording.names)))
    if notification.reason is not Reason.REPEATED:
        facts.append(("Clears when", _clearing(alert)))
    return facts


def _closing(alert: Alert, since: str, now: datetime, wording: Wording, official: str) -> list[tuple[str, str]]:
    """The summary of an outage that is over."""
    ended = clock_words(alert.ended_at or alert.updated_at, wording.zone, beside=now)
    facts = [("From", f"{since} {ended}"), ("People said", symptom(alert.evidence))]
    part = component(alert.evidence, wording.components.get(alert.service, {}))
    if part is not None:
        facts.append(("Component", part))
    if alert.fired_at is not None:
        spoke = f"{clock_words(alert.fired_at, wording.zone, beside=now)} {wording.zone_name}, at {alert.level.value}"
        facts.append(("We spoke", spoke))
    incident = alert.official.incident if alert.official is not None else None
    if incident is not None and incident.maintenance:
        facts.append(("Announced work", unlinked(incident.title)))
    elif incident is None:
        facts.append(("Official page when we spoke", official))
    else:
        posted = clock_words(incident.first_posted_at, wording.zone, beside=now)
        facts.append(("The provider spoke", f"{posted}: {unlinked(incident.title)}"))
        if alert.fired_at is not None:
            facts.append(("First to speak", _lead_words(alert.official, alert.fired_at)))
    facts.append(("Sources", source_words(alert.estimate.sources)))
    if alert.cause is not None:
        facts.append(("Likely cause", service_words(alert.cause, wording.names)))
    if alert.reopened:
        facts.append(("Came back", "once" if alert.reopened == 1 else f"{alert.reopened} times"))
    return facts


def _first_complaint(evidence: tuple[Evidence, ...]) -> datetime | None:
    return min((quoted.at for quoted in evidence if quoted.label in {"complaint", "report"}), default=None)


def _clearing(alert: Alert) -> str:
    expected = expected_words(alert.estimate.expected)
    return f"complaints are back to the usual {expected} in {duration_words_of(alert.estimate.window_minutes)}"


def duration_words_of(minutes: float) -> str:
    """Minutes in words, one at least.

    >>> duration_words_of(3.1)
    '3 min'
    """
    return duration_words(timedelta(minutes=max(minutes, 1)))


def quotes(alert: Alert) -> list[Quote]:
    """The voices to be shown, at most two, none twice: what people wrote is shown no more than it must be."""
    found: list[Quote] = []
    for quoted in alert.evidence:
        text = quotation(quoted.text, limit=LONGEST_QUOTE)
        if text and all(text != known.text for known in found):
            found.append(Quote(text=text, source=plain(quoted.source, limit=40), link=safe_link(quoted.url)))
        if len(found) == MOST_QUOTES:
            break
    return found
