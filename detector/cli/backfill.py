"""`detector backfill`: replay archives through the very same pipeline and compare with the official record."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from detector.domain import Budget, Incident, Service
    from detector.protocols import Classifier


@click.command()
@click.argument("archives", nargs=-1, required=True, metavar="ARCHIVE...", type=click.Path(path_type=Path))
@click.option(
    "--incidents", multiple=True, type=click.Path(path_type=Path), help="Official record (JSONL); repeatable."
)
@click.option("--services", "wanted", metavar="SLUG,...", help="Watch only these; default: the whole catalogue.")
@click.option("--budget", "budget_text", metavar="N/PERIOD", help="False alarms per service, as 1/year (the default).")
@click.option("--fleet-budget", metavar="N/PERIOD", help="False alarms over all watched services together.")
@click.option("--judge", metavar="NAME", help="Classifier by name or folder; `truth` takes the archive's own labels.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--batch", type=click.IntRange(1), default=4000, show_default=True, help="Posts a step; changes nothing.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    archives: tuple[Path, ...],
    incidents: tuple[Path, ...],
    wanted: str | None,
    budget_text: str | None,
    fleet_budget: str | None,
    judge: str | None,
    engine: str,
    batch: int,
    out: Path,
    quiet: bool,
) -> None:
    """Replay ARCHIVE files and say what would have been alerted, when, and whether it was early.

    Writes report.html, its pictures, alerts.jsonl, pairings.jsonl and summary.json to --out and a Markdown report
    to stdout.
    """
    from detector.backfill.lines import write_out
    from detector.backfill.report import markdown
    from detector.backfill.report_html import write_report
    from detector.backfill.run import backfill
    from detector.collectors.archive import load_posts
    from detector.collectors.archive_counters import ReadCounters
    from detector.config.own import known_services
    from detector.errors import UsageError
    from detector.match.matcher import NameMatcher
    from detector.registry import load

    if engine == "ray":
        raise UsageError("--engine ray is not part of this version; use --engine local")
    catalogue = known_services().services
    matcher = NameMatcher(catalogue)
    services = _chosen(catalogue, wanted, matcher.resolve)
    budget, said = _budget(budget_text, fleet_budget, len(services))
    record = _incidents(incidents, matcher.resolve)
    classifier = _classifier(judge)
    counters = ReadCounters()
    progress = _progress(quiet)
    done = backfill(
        load_posts(archives, counters=counters),
        services=services,
        matcher=matcher,
        classifier=classifier,
        make_detector=load("detectors", "scan"),
        budget=budget,
        incidents=record,
        batch=batch,
        bad_lines=lambda: dict(counters.bad),
        assumptions=lambda: counters.assumptions,
        progress=progress,
    )
    if progress is not None:
        click.echo("", err=True)
    write_out(out, done.alerts, done.pairings, done.scoreboard)
    for line in counters.report():
        click.echo(line, err=True)
    title = ", ".join(path.name for path in archives)
    names = {service.slug: service.name for service in catalogue}
    write_report(out, done, title=title, budget=said, names=names)
    click.echo(markdown(done.alerts, done.pairings, done.scoreboard, title=title, budget=said), nl=False)
    click.echo(f"wrote report.html, pictures/, alerts.jsonl, pairings.jsonl and summary.json to {out}", err=True)


def _chosen(
    catalogue: tuple[Service, ...], wanted: str | None, resolve: Callable[[str], str | None]
) -> tuple[Service, ...]:
    from detector.errors import UsageError

    if wanted is None:
        return catalogue
    slugs, unknown = set(), []
    for name in filter(None, (part.strip() for part in wanted.split(","))):
        slug = resolve(name)
        if slug is None:
            unknown.append(name)
        else:
            slugs.add(slug)
    if unknown or not slugs:
        raise UsageError(f"--services: unknown: {', '.join(unknown) or wanted}; see `detector services`")
    return tuple(service for service in catalogue if service.slug in slugs)


def _budget(one: str | None, fleet: str | None, services: int) -> tuple[Budget, str]:
    from detector.domain import Budget
    from detector.errors import UsageError

    if one is not None and fleet is not None:
        raise UsageError("give --budget (for each service) or --fleet-budget (for all together), not both")
    try:
        if fleet is not None:
            return Budget.parse(fleet).shared_by(services), f"{fleet} for all {services} services"
        return Budget.parse(one or "1/year"), f"{one or '1/year'} for each service"
    except ValueError as error:
        raise UsageError(str(error)) from error


def _incidents(paths: tuple[Path, ...], resolve: Callable[[str], str | None]) -> list[Incident]:
    from dataclasses import replace

    from detector.collectors.archive_counters import ReadCounters
    from detector.collectors.incidents import read_incidents

    if not paths:
        return []
    counters = ReadCounters()
    found = [
        replace(incident, service=resolve(incident.service) or incident.service)
        for incident in read_incidents(paths, counters=counters)
    ]
    for line in counters.report():
        click.echo(line, err=True)
    return found


def _classifier(judge: str | None) -> Classifier:
    from detector.backfill.truth import TruthClassifier
    from detector.classify.load import load_classifier

    if judge == "truth":
        return TruthClassifier()
    notes: list[str] = []
    classifier = load_classifier(judge, notes=notes)
    for note in notes:
        click.echo(f"warning: {note}", err=True)
    return classifier


def _progress(quiet: bool) -> Callable[[int, datetime], None] | None:
    """A line on stderr that is rewritten in a terminal; silent where nobody watches."""
    if quiet or not sys.stderr.isatty():
        return None
    done = 0

    def show(posts: int, now: datetime) -> None:
        nonlocal done
        done += posts
        click.echo(f"\r{done:>12,} posts, up to {now:%Y-%m-%d %H:%M}", nl=False, err=True)

    return show
