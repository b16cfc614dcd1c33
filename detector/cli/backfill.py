"""`detector backfill`: replay archives through the very same pipeline and compare with the official record."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import datetime

    from detector.domain import Budget, Incident, Service


@click.command()
@click.argument("archives", nargs=-1, required=True, metavar="ARCHIVE...", type=click.Path(path_type=Path))
@click.option(
    "--incidents", multiple=True, type=click.Path(path_type=Path), help="Official record (JSONL); repeatable."
)
@click.option("--services", "wanted", metavar="SLUG,...", help="Watch only these; default: the whole catalogue.")
@click.option("--budget", "budget_text", metavar="N/PERIOD", help="False alarms per service, as 1/year (the default).")
@click.option("--fleet-budget", metavar="N/PERIOD", help="False alarms over all watched services together.")
@click.option("--judge", metavar="NAME", help="Classifier by name or folder; `truth` takes the archive's own labels.")
@click.option("--since", metavar="TIME", help="Only posts seen from then on (2024-05-01, or with a time).")
@click.option("--until", metavar="TIME", help="Only posts seen before then.")
@click.option("--sample", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Take this share of the posts.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "single", "local", "ray"]),
    default="auto",
    show_default=True,
    help="One process, one a core, or Ray; all give the same bytes.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes of the engine; default: one a core.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run into the same --out.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of judged posts, so that nothing is judged twice; default: .judged beside --out.",
)
@click.option("--no-cache", is_flag=True, help="Keep no judged posts.")
@click.option("--batch", type=click.IntRange(1), default=4000, show_default=True, help="Posts a step; changes nothing.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--progress/--quiet", default=None, help="Progress on stderr; default: on a terminal.")
def command(
    archives: tuple[Path, ...],
    incidents: tuple[Path, ...],
    wanted: str | None,
    budget_text: str | None,
    fleet_budget: str | None,
    judge: str | None,
    since: str | None,
    until: str | None,
    sample: float,
    engine: str,
    workers: int | None,
    resume: bool,
    cache: Path | None,
    no_cache: bool,
    batch: int,
    out: Path,
    progress: bool | None,
) -> None:
    """Replay ARCHIVE files and say what would have been alerted, when, and whether it was early.

    Writes report.html, its pictures, alerts.jsonl, pairings.jsonl and summary.json to --out and a Markdown report
    to stdout. Judged posts are kept: another budget or other services over the same archive are replayed from them.
    """
    from detector.backfill import archives as whole
    from detector.backfill.engines import engine as named
    from detector.backfill.job import Job
    from detector.backfill.lines import write_out
    from detector.backfill.progress import on_stderr
    from detector.backfill.report import markdown
    from detector.backfill.report_html import write_report
    from detector.backfill.truth import load_judge
    from detector.collectors.archive_reader import Window
    from detector.config.catalogue import load_catalogue
    from detector.match.matcher import NameMatcher

    catalogue = load_catalogue()
    matcher = NameMatcher(catalogue)
    services = _chosen(catalogue, wanted, matcher.resolve)
    budget, said = _budget(budget_text, fleet_budget, len(services))
    record = _incidents(incidents, matcher.resolve)
    notes: list[str] = []
    classifier = load_judge(judge, notes)
    for note in notes:
        _warn(note)
    job = Job(
        folder=out / ".work",
        catalogue=catalogue,
        services=tuple(service.slug for service in services),
        judge=judge,
        judged_by=classifier.name,
        prior=classifier.prior,
        budget=budget,
        window=Window(since=_time("--since", since), until=_time("--until", until), sample=sample),
        batch=batch,
    )
    runner = named(engine, workers=workers, size=sum(path.stat().st_size for path in archives if path.is_file()))
    try:
        planned = whole.plan(
            job,
            archives,
            workers=runner.workers,
            cache=None if no_cache else cache or out.absolute().parent / ".judged",
            resume=resume,
        )
        for note in planned.notes:
            _warn(note)
        shown = None if progress is False else on_stderr(planned.size, wanted=progress is True)
        done, heard = whole.backfill_archives(planned, runner, incidents=record, report=shown, say=_warn)
    finally:
        runner.close()
    if shown is not None and sys.stderr.isatty():
        click.echo("", err=True)
    write_out(out, done.alerts, done.pairings, done.scoreboard)
    for line in heard.counters.report():
        click.echo(line, err=True)
    if heard.kept or heard.known:
        click.echo(f"{heard.kept + heard.known:,} mentions had been judged before", err=True)
    title = ", ".join(path.name for path in archives)
    names = {service.slug: service.name for service in catalogue}
    write_report(out, done, title=title, budget=said, names=names)
    click.echo(markdown(done.alerts, done.pairings, done.scoreboard, title=title, budget=said), nl=False)
    click.echo(f"wrote report.html, pictures/, alerts.jsonl, pairings.jsonl and summary.json to {out}", err=True)


def _warn(words: str) -> None:
    click.echo(f"warning: {words}", err=True)


def _time(option: str, text: str | None) -> datetime | None:
    from detector.domain import parse_time
    from detector.errors import UsageError

    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: write a date or a time, as 2024-05-01 or 2024-05-01T12:00Z") from error


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
