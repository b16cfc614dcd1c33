"""`detector explain`: the whole story of one alert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.domain import Alert
    from detector.store import Reader


@click.command()
@click.argument("alert", metavar="ALERT")
@options.config
@options.database
def command(alert: str, config_path: Path | None, db_path: Path | None) -> None:
    """Show why ALERT (a key from `detector alerts`) was raised, what people said, and who was told or not, and why."""
    from detector.errors import UsageError

    with options.reader(config_path, db_path) as reader:
        found = reader.alert(alert)
        if found is None:
            near = [each.key for each in reader.alerts(limit=5)]
            raise UsageError(f"no alert {alert!r}; the latest are {', '.join(near) or 'none'}")
        for line in _story(found, reader):
            click.echo(line)


def _story(alert: Alert, reader: Reader) -> Iterator[str]:
    estimate = alert.estimate
    yield f"{alert.key}: {alert.service}, {alert.level.value}, {alert.state.value}"
    yield ""
    yield "The argument"
    yield (
        f"  {estimate.people:.2f} people ({estimate.voters} distinct, weighted by how sure we are of each) in "
        f"{estimate.window_minutes:.1f} min"
    )
    yield f"  {estimate.expected:.3f} expected in such a window at this hour: {estimate.ratio:.1f} times as many"
    yield f"  by chance once in {estimate.return_period_months:.3g} months (score {estimate.score:.2f})"
    yield "  " + ", ".join(f"{source} {people:.1f}" for source, people in estimate.sources)
    yield f"  trouble began about {alert.onset_at:%Y-%m-%d %H:%M:%S} UTC (inferred)"
    if alert.cause is not None:
        yield f"  explained by {alert.cause}"
    yield ""
    yield "What people said"
    for quote in alert.evidence:
        yield f"  {quote.at:%H:%M:%S} p={quote.p:.2f} {quote.source}: {' '.join(quote.text.split())[:160]}"
        if quote.url:
            yield f"           {quote.url}"
    yield ""
    yield "The official page"
    if alert.official is None:
        yield "  none is watched"
    else:
        checked = f"{alert.official.checked_at:%H:%M:%S}" if alert.official.checked_at else "never"
        yield f"  {alert.official.state.value}, read {checked} UTC: {alert.official.description}"
        if alert.official.incident is not None:
            posted = alert.official.incident.first_posted_at
            yield f"  {alert.official.incident.title}, posted {posted:%Y-%m-%d %H:%M:%S} UTC"
            if alert.fired_at is not None:
                yield f"  we spoke {(posted - alert.fired_at).total_seconds() / 60:.1f} min before"
    yield ""
    yield "What happened"
    for change in reader.alert_changes(alert.key):
        yield f"  {change.at:%Y-%m-%d %H:%M:%S}  {change.reason.value:<12} {change.level.value:<6} {change.state.value}"
    yield ""
    yield "Who was told"
    for decision in reader.decisions(alert.key):
        told = "told" if decision.told else "not told"
        note = f" ({decision.note})" if decision.note else ""
        yield f"  {decision.at:%Y-%m-%d %H:%M:%S}  {decision.receiver}: {told}, {decision.reason.value}{note}"
    for message in reversed(reader.notifications(alert.key)):
        fate = f"sent {message.sent_at:%H:%M:%S}" if message.sent_at else f"not sent: {message.failed or 'waiting'}"
        yield f"  {message.id}: {fate}, tries {message.attempts}"
    for word in reader.feedback(alert.key):
        yield f"  feedback {word.at:%Y-%m-%d %H:%M}: {'true' if word.real else 'false'} {word.comment}".rstrip()
