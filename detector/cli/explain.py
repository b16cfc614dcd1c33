"""`detector explain`: the whole story of one alert, the argument and a picture first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.domain import Alert, Pairing
    from detector.store import Reader

_STEP = timedelta(minutes=5)
_BEFORE = timedelta(minutes=30)
_AFTER = timedelta(minutes=60)
_WIDTH = 40


@click.command()
@click.argument("alert", metavar="ALERT")
@options.config
@options.database
def command(alert: str, config_path: Path | None, db_path: Path | None) -> None:
    """Show why ALERT (a key from `detector alerts`) was raised, what people said, and who was told or not, and why.

    First the argument in a paragraph, then the people who complained against what is usual, in steps of five minutes
    around the beginning, then every detail.
    """
    from detector.errors import UsageError

    with options.reader(config_path, db_path) as reader:
        found = reader.alert(alert)
        if found is None:
            near = [each.key for each in reader.alerts(limit=5)]
            raise UsageError(f"no alert {alert!r}; the latest are {', '.join(near) or 'none'}")
        for line in _story(found, reader, options.zone(config_path, db_path)):
            click.echo(line)


def paragraph(alert: Alert, pairing: Pairing | None, name: str, zone: tzinfo = UTC) -> str:
    """The argument in sentences: how many people against how few are usual, where, since when, and who spoke first."""
    from detector.notify.words import (
        clock_words,
        duration_words,
        number_words,
        official_words,
        return_period_words,
        source_words,
    )

    estimate, told = alert.estimate, alert.fired_at or alert.watch_at

    def clock(at: datetime) -> str:
        return clock_words(at, zone, beside=told)

    people = number_words(estimate.people)
    usual = number_words(estimate.expected) if estimate.expected >= 0.1 else "fewer than 0.1"
    one, few = "person" if people == "1" else "people", "is" if usual == "1" else "are"
    rare = return_period_words(estimate.return_period_months).removesuffix(" at this hour")
    within = f"{people} {one} in {number_words(estimate.window_minutes)} minutes"
    who = f"{estimate.voters} different people, each weighted by how sure we are that the post speaks of a failure now"
    spoke = "alerted" if alert.fired_at else "began to watch"
    after, known = duration_words(told - alert.onset_at), f"{told.astimezone(zone):%Z}"
    sentences = [
        f"{name}: {within}, where {usual} {few} usual at this hour; {rare}.",
        f"They wrote on {source_words(estimate.sources)} ({who}).",
        f"The trouble began about {clock(alert.onset_at)} {known}, and we {spoke} at {clock(told)}, {after} later.",
    ]
    if alert.cause is not None:
        sentences.append(f"The likely cause is a failure of {alert.cause}.")
    if pairing is not None and pairing.lead is not None:
        lead = pairing.lead
        ahead = f"{duration_words(abs(lead))} {'after' if lead > timedelta() else 'before'} us"
        sentences.append(f"The official page first spoke {ahead}.")
    elif alert.official is None:
        sentences.append("No official page is read for it.")
    else:
        said = official_words(alert.official, zone, beside=told)
        sentences.append(f"The official page then: {said}; nothing it posted since speaks of this.")
    if alert.ended_at is not None:
        over = duration_words(alert.ended_at - alert.onset_at)
        sentences.append(f"It was over at {clock(alert.ended_at)}, after {over}.")
    else:
        sentences.append("It is still going on.")
    return " ".join(sentences)


def rows(
    start: datetime,
    end: datetime,
    people: Mapping[datetime, int],
    usual: Callable[[datetime], float],
    marks: Sequence[tuple[datetime, str]],
    zone: tzinfo = UTC,
) -> Iterator[str]:
    """A bar of # for each step of [start, end), with | where the usual number of people stands.

    >>> from detector.domain import EPOCH
    >>> for row in rows(EPOCH, EPOCH + 2 * _STEP, {EPOCH + _STEP: 5}, lambda at: 2.0, [(EPOCH + _STEP, "we alert")]):
    ...     print(row)
      00:00    0    |
      00:05    5  ##|###  < we alert
    """
    count = max(int((end - start) / _STEP), 0)
    steps = [start + number * _STEP for number in range(count)]
    each = max([people.get(at, 0) / _WIDTH for at in steps] + [usual(at) / _WIDTH for at in steps] + [1.0])
    for at in steps:
        bar = "#" * round(people.get(at, 0) / each)
        stands = round(usual(at) / each)
        drawn = f"{bar[:stands]:<{stands}}|{bar[stands:]}"
        said = "; ".join(words for when, words in marks if at <= when < at + _STEP)
        yield f"  {at.astimezone(zone):%H:%M} {people.get(at, 0):>4}  {drawn}{'  < ' + said if said else ''}"


def _picture(alert: Alert, reader: Reader, pairing: Pairing | None, zone: tzinfo) -> Iterator[str]:
    """People by five minutes around the beginning; by hours where the posts are gone; a word where nothing is left."""
    from detector.store.board import Board

    start = _floor(alert.onset_at - _BEFORE)
    told = alert.fired_at or alert.watch_at
    last = max(alert.onset_at + _AFTER, told + 2 * _STEP)
    end = _floor(min(last, (alert.ended_at or alert.updated_at) + 2 * _STEP)) + _STEP
    board = Board(reader)
    found = {each.at: each.people for each in board.bins(alert.service, since=start, until=end, step=_STEP)}
    if any(found.values()):
        marks = [(alert.onset_at, "it begins"), (alert.watch_at, "we watch")]
        marks += [(alert.fired_at, "we alert")] if alert.fired_at is not None else []
        marks += [(alert.ended_at, "over")] if alert.ended_at is not None else []
        if pairing is not None and pairing.incident is not None:
            marks.append((pairing.incident.first_posted_at, "the official page speaks"))
        yield "People who complain in each 5 minutes (#), and how many are usual (|), " + f"{told.astimezone(zone):%Z}"
        yield from rows(start, end, found, _usual(alert, reader), sorted(marks), zone)
        if any(not quote.text for quote in alert.evidence):
            yield "  (the texts are no longer kept, nor the authors: a post counts as a person)"
        return
    first = alert.onset_at.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    hours = [each for each in board.hourly(alert.service, since=first, until=first + timedelta(hours=8)) if each.people]
    if not hours:
        yield "No count of people is kept from that time, so there is no picture."
        return
    yield f"People who complained in each hour, {told.astimezone(zone):%Z} (the posts are no longer kept)"
    scale = max(max(each.people for each in hours) / _WIDTH, 1.0)
    for hour in hours:
        yield f"  {hour.at.astimezone(zone):%H:%M} {hour.people:>4}  {'#' * round(hour.people / scale)}"


def _floor(at: datetime) -> datetime:
    return at - timedelta(minutes=at.minute % 5, seconds=at.second, microseconds=at.microsecond)


def _usual(alert: Alert, reader: Reader) -> Callable[[datetime], float]:
    """How many people five minutes usually bring: as learned, or as the alert's own argument had it."""
    from detector.app.build import Blueprint
    from detector.app.page import remember
    from detector.config.settings import Settings
    from detector.domain import Service
    from detector.web.expected import Expectations

    service = Service(slug=alert.service, name=alert.service)
    saved = reader.latest_checkpoint()
    plan = Blueprint(settings=Settings(), services=(service,), receivers=())
    learned = Expectations(remember(plan, None if saved is None else saved.state))
    argued = alert.estimate.expected / max(alert.estimate.window_minutes, 0.1) * (_STEP / timedelta(minutes=1))

    def usual(at: datetime) -> float:
        band = learned.between(alert.service, at, at + _STEP)
        return argued if band is None else band.mean

    return usual


def _pairing(alert: Alert, reader: Reader) -> Pairing | None:
    """The alert's place in the official record."""
    from detector.backfill.pairing import outages, pair

    near = alert.onset_at - timedelta(days=2)
    alerts = reader.alerts(service=alert.service, since=near)
    record = outages(reader.incidents(service=alert.service, since=near))
    return next((each for each in pair(alerts, record) if each.alert_key == alert.key), None)


def _name(slug: str) -> str:
    from detector.config.own import known_services
    from detector.notify.words import service_words

    return service_words(slug, {service.slug: service.name for service in known_services().services})


def _story(alert: Alert, reader: Reader, zone: tzinfo) -> Iterator[str]:
    import textwrap

    from detector.notify.escape import plain

    def at(moment: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        return f"{moment.astimezone(zone):{form}}"

    estimate = alert.estimate
    pairing = _pairing(alert, reader)
    yield f"{alert.key}: {alert.service}, {alert.level.value}, {alert.state.value}"
    yield ""
    yield from textwrap.wrap(paragraph(alert, pairing, _name(alert.service), zone), 100)
    yield ""
    yield from _picture(alert, reader, pairing, zone)
    yield ""
    yield "The argument"
    yield (
        f"  {estimate.people:.2f} people ({estimate.voters} distinct, weighted by how sure we are of each) in "
        f"{estimate.window_minutes:.1f} min"
    )
    yield f"  {estimate.expected:.3f} expected in such a window at this hour: {estimate.ratio:.1f} times as many"
    yield f"  by chance once in {estimate.return_period_months:.3g} months (score {estimate.score:.2f})"
    yield "  " + ", ".join(f"{source} {people:.1f}" for source, people in estimate.sources)
    yield f"  trouble began about {at(alert.onset_at)} {alert.onset_at.astimezone(zone):%Z} (inferred)"
    if alert.cause is not None:
        yield f"  likely cause: {alert.cause}"
    yield ""
    yield "What people said"
    for quote in alert.evidence:
        said = plain(quote.text, limit=160) or "(no longer kept)"
        yield f"  {at(quote.at, '%H:%M:%S')} p={quote.p:.2f} {quote.source}: {said}"
        if quote.url:
            yield f"           {quote.url}"
    yield ""
    yield "The official page"
    if alert.official is None:
        yield "  none is watched"
    else:
        checked = at(alert.official.checked_at, "%H:%M:%S %Z") if alert.official.checked_at else "never"
        yield f"  {alert.official.state.value}, read {checked}: {alert.official.description}"
        if alert.official.incident is not None:
            posted = alert.official.incident.first_posted_at
            yield f"  {alert.official.incident.title}, posted {at(posted)} {posted.astimezone(zone):%Z}"
            if alert.fired_at is not None:
                yield f"  we spoke {(posted - alert.fired_at).total_seconds() / 60:.1f} min before"
    yield ""
    yield "What happened"
    for change in reader.alert_changes(alert.key):
        yield f"  {at(change.at)}  {change.reason.value:<12} {change.level.value:<6} {change.state.value}"
    yield ""
    yield "Who was told"
    for decision in reader.decisions(alert.key):
        told = "told" if decision.told else "not told"
        note = f" ({decision.note})" if decision.note else ""
        yield f"  {at(decision.at)}  {decision.receiver}: {told}, {decision.reason.value}{note}"
    for message in reversed(reader.notifications(alert.key)):
        fate = (
            f"sent {at(message.sent_at, '%H:%M:%S')}" if message.sent_at else f"not sent: {message.failed or 'waiting'}"
        )
        yield f"  {message.id}: {fate}, tries {message.attempts}"
    for word in reader.feedback(alert.key):
        yield f"  feedback {at(word.at, '%Y-%m-%d %H:%M')}: {'true' if word.real else 'false'} {word.comment}".rstrip()
