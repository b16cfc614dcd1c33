"""`detector evaluate-detection`: how good were the alerts of a replay, against any bursts or incidents."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from detector.cli import options

if TYPE_CHECKING:
    from detector.backfill.evaluate_detection import Burst, Span

_FILE = click.Path(path_type=Path)
_T = TypeVar("_T")


@click.command("evaluate-detection")
@click.argument("alerts", type=_FILE, metavar="ALERTS.jsonl")
@click.option("--bursts", type=_FILE, help='True outages: a JSON list of {"onset", "end"}.')
@click.option("--incidents", multiple=True, type=_FILE, help="Official record (JSONL). [repeatable]")
@click.option("--service", help="Only this service's alerts and incidents.")
@click.option("--months", type=click.FloatRange(0, min_open=True), help="Service-months; default: summary.json beside.")
@click.option("--after", metavar="TIME", help="Leave out what lies before: the replay's warm-up.")
@options.as_json
def command(
    alerts: Path,
    bursts: Path | None,
    incidents: tuple[Path, ...],
    service: str | None,
    months: float | None,
    after: str | None,
    as_json: bool,
) -> None:
    """Score the alerts that `detector backfill` wrote: recall, delay, lead, false alarms, and chance.

    Watches are no alerts. Of the official record only what was posted during the replay counts, as told by the
    summary.json beside ALERTS.jsonl; bursts are taken as they stand. Intervals are of 95 %: Wilson's for shares,
    Garwood's for counts.
    """
    from detector.backfill.evaluate_detection import against_bursts, against_record
    from detector.errors import UsageError

    if bursts is None and not incidents:
        raise UsageError("evaluate-detection: give --bursts FILE, --incidents FILE or both to score against")
    since = _since(after)
    spans = [span for span in _alerts(alerts, service) if since is None or span.start >= since]
    found: dict[str, Any] = {"service": service}
    if months is None:
        months = _months(alerts)
    found["months"] = months
    if bursts is not None:
        true = [burst for burst in _bursts(bursts) if since is None or burst.onset >= since]
        true = [burst for burst in true if service is None or burst.service in {"", service}]
        found |= against_bursts(spans, true, months)
    if incidents:
        begun, ended = _period(alerts)
        record = [
            outage
            for outage in _record(incidents, service, since)
            if (begun is None or outage.posted_at >= begun) and (ended is None or outage.posted_at <= ended)
        ]
        found["official"] = against_record(spans, record, months)
    if as_json:
        click.echo(json.dumps(found))
        return
    for line in _words(found):
        click.echo(line)


def _words(found: dict[str, Any]) -> list[str]:
    rows = [("service-months", f"{found['months']:g}")]
    if "bursts" in found:
        rows += [
            ("true outages, found", f"{found['bursts']}, {found['detected']}"),
            ("recall (95 %)", _share(found)),
            ("recall by chance", f"{found['chance_recall']}"),
            ("delay, min: median, p90", f"{found['delay_median']}, {found['delay_p90']}"),
            ("alerts, of them unmatched", f"{found['alerts']}, {found['unmatched']}"),
            ("unmatched a service-month (95 %)", f"{found['unmatched_per_month']} {found['unmatched_per_month_95']}"),
            ("alerts within an hour of an outage by chance", f"{found['chance_hit']}"),
            ("open share, burst share", f"{found['open_share']}, {found['burst_share']}"),
        ]
    if official := found.get("official"):
        rows += [
            ("official outages, found", f"{official['outages']}, {official['detected']}"),
            ("recall (95 %)", _share(official)),
            ("lead, min: median; ahead", f"{official['lead_median']}; {official['ahead']}"),
            ("unmatched; alerts that match by chance", f"{official['unmatched']}; {official['chance_hit']}"),
        ]
    return ["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _share(found: dict[str, Any]) -> str:
    return f"{found['recall']} {found['recall_95']}"


def _since(after: str | None) -> datetime | None:
    from detector.domain import parse_time
    from detector.errors import UsageError

    try:
        return parse_time(after) if after else None
    except ValueError as error:
        raise UsageError(f"--after {after}: not a time; write it as 2026-01-31 or 2026-01-31T12:00Z") from error


def _alerts(path: Path, service: str | None) -> list[Span]:
    from detector.backfill.evaluate_detection import Span
    from detector.domain import parse_time

    def span(line: str) -> Span | None:
        alert = json.loads(line)
        if alert.get("level") == "watch" or (service is not None and alert["service"] != service):
            return None
        ended = alert.get("ended_at")
        end = parse_time(ended) if ended else None
        return Span(start=parse_time(alert["fired_at"]), end=end, service=alert["service"])

    numbered = enumerate(_text(path).splitlines(), start=1)
    read = [_parsed(f"{path}:{number}", line, span) for number, line in numbered if line.strip()]
    return sorted((one for one in read if one is not None), key=lambda one: one.start)


def _bursts(path: Path) -> list[Burst]:
    from detector.backfill.evaluate_detection import Burst
    from detector.domain import parse_time

    def bursts(text: str) -> list[Burst]:
        return [
            Burst(onset=parse_time(row["onset"]), end=parse_time(row["end"]), service=row.get("service", ""))
            for row in json.loads(text)
        ]

    return _parsed(str(path), _text(path), bursts)


def _months(alerts: Path) -> float:
    from detector.errors import UsageError

    beside = alerts.with_name("summary.json")
    if not beside.exists():
        raise UsageError(f"{beside} is not there to tell how long the replay was; give --months")
    months = _parsed(str(beside), _text(beside), lambda text: float(json.loads(text)["service_months"]))
    if months <= 0:
        raise UsageError(f"{beside}: covers no time; give --months")
    return months


def _period(alerts: Path) -> tuple[datetime | None, datetime | None]:
    """What the replay covered, as its summary says; outages outside cannot be found."""
    from detector.domain import parse_time

    beside = alerts.with_name("summary.json")
    if not beside.exists():
        return None, None
    summary = _parsed(str(beside), _text(beside), lambda text: dict(json.loads(text)))
    first, last = (summary.get(name) for name in ("from", "to"))
    return parse_time(first) if first else None, parse_time(last) if last else None


def _record(paths: tuple[Path, ...], service: str | None, since: datetime | None) -> list[Any]:
    from dataclasses import replace

    from detector.backfill.pairing import outages
    from detector.collectors.archive_counters import ReadCounters
    from detector.collectors.incidents import read_incidents
    from detector.config.catalogue import load_catalogue
    from detector.match.matcher import NameMatcher

    counters = ReadCounters()
    resolve = NameMatcher(load_catalogue()).resolve
    incidents = read_incidents(paths, counters=counters)
    for line in counters.report():
        click.echo(line, err=True)
    named = [replace(incident, service=resolve(incident.service) or incident.service) for incident in incidents]
    return [
        outage
        for outage in outages(named)
        if service in {None, outage.service} and (since is None or outage.posted_at >= since)
    ]


def _text(path: Path) -> str:
    from detector.errors import UsageError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read: {error}") from error


def _parsed(where: str, text: str, read: Callable[[str], _T]) -> _T:
    from detector.errors import BadArchiveError

    try:
        return read(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadArchiveError(f"{where}: not what was expected ({error!r}); is it the right file?") from error
