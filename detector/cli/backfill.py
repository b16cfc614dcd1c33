"""`detector backfill`: replay archives through the very same pipeline and compare with the official record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import replaying

if TYPE_CHECKING:
    from detector.domain import Budget


@click.command()
@click.argument("archives", nargs=-1, required=True, metavar="ARCHIVE...", type=click.Path(path_type=Path))
@click.option(
    "--incidents", multiple=True, type=click.Path(path_type=Path), help="Official record (JSONL); repeatable."
)
@click.option("--services", "wanted", metavar="SLUG,...", help="Watch only these; default: the whole catalogue.")
@click.option("--budget", "budget_text", metavar="N/PERIOD", help="False alarms per service, as 1/year (the default).")
@click.option("--fleet-budget", metavar="N/PERIOD", help="False alarms over all watched services together.")
@click.option("--judge", metavar="NAME", help="Classifier by name or folder; `truth` takes the archive's own labels.")
@replaying.options
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
    from detector.backfill.lines import write_out
    from detector.backfill.progress import on_stderr
    from detector.backfill.report import markdown
    from detector.backfill.report_html import write_report

    catalogue, services, resolve = replaying.chosen(wanted)
    budget, said = _budget(budget_text, fleet_budget, len(services))
    record = replaying.incidents(incidents, resolve)
    window = replaying.window(since, until, sample)
    job = replaying.job(out, catalogue, services, judge, budget, window, batch=batch)
    runner = replaying.engine(engine, workers, archives)
    try:
        planned = whole.plan(
            job,
            archives,
            workers=runner.workers,
            cache=replaying.cache(cache, out, none=no_cache),
            resume=resume,
        )
        for note in planned.notes:
            replaying.warn(note)
        runner = replaying.suited(engine, runner, planned)
        shown = None if progress is False else on_stderr(planned.size, wanted=progress is True)
        done, heard = whole.backfill_archives(planned, runner, incidents=record, report=shown, say=replaying.warn)
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
