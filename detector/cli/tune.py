"""`detector tune`: what each budget buys, as delay against false alarms."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options, replaying

if TYPE_CHECKING:
    from detector.backfill.evaluate_detection import Burst

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("archives", nargs=-1, required=True, metavar="ARCHIVE...", type=_FILE)
@click.option("--incidents", multiple=True, type=_FILE, help="Official record (JSONL); repeatable.")
@click.option("--bursts", type=_FILE, help='True outages: a JSON list of {"onset", "end", "service"?}.')
@click.option("--services", "wanted", metavar="SLUG,...", help="Watch only these; default: the whole catalogue.")
@click.option("--judge", metavar="NAME", help="Classifier by name or folder; `truth` takes the archive's own labels.")
@click.option("--budgets", metavar="N/PERIOD,...", help="Budgets to try; default: from 0.1/year to 1/day.")
@replaying.options
@click.option("--out", required=True, type=_FILE, help="Folder for the picture, tune.svg.")
@click.option("--progress/--quiet", default=None, help="Progress on stderr; default: on a terminal.")
@options.as_json
def command(
    archives: tuple[Path, ...],
    incidents: tuple[Path, ...],
    bursts: Path | None,
    wanted: str | None,
    judge: str | None,
    budgets: str | None,
    since: str | None,
    until: str | None,
    sample: float,
    engine: str,
    workers: int | None,
    resume: bool,
    cache: Path | None,
    no_cache: bool,
    out: Path,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Try budgets on ARCHIVE files, and show how long outages take to be found and how many alerts match none.

    The truth is the official record (--incidents) or a list of outages with their onsets (--bursts). Posts are judged
    once, or not at all where a backfill has judged them before.
    """
    from dataclasses import asdict

    from detector.backfill import archives as whole
    from detector.backfill import tune
    from detector.backfill.progress import on_stderr
    from detector.domain import Budget
    from detector.errors import UsageError

    if bursts is None and not incidents:
        raise UsageError("tune: give --incidents FILE or --bursts FILE to score against")
    tried = [part.strip() for part in budgets.split(",")] if budgets else list(tune.BUDGETS)
    try:
        tried.sort(key=lambda text: Budget.parse(text).per_month)
    except ValueError as error:
        raise UsageError(f"--budgets: {error}") from error
    catalogue, services, resolve = replaying.chosen(wanted)
    record = replaying.incidents(incidents, resolve)
    truth = _bursts(bursts) if bursts is not None else None
    window = replaying.window(since, until, sample)
    job = replaying.job(out, catalogue, services, judge, Budget.parse(tried[0]), window)
    runner = replaying.engine(engine, workers, archives)
    official = truth is None
    try:
        kept = replaying.cache(cache, out, none=no_cache)
        planned = whole.plan(job, archives, workers=runner.workers, cache=kept, resume=resume)
        for note in planned.notes:
            replaying.warn(note)
        runner = replaying.suited(engine, runner, planned)
        shown = None if progress is False else on_stderr(planned.size, wanted=progress is True)
        points = tune.sweep(
            planned,
            runner,
            tried,
            incidents=record,
            bursts=truth,
            report=shown or _nobody,
            say=replaying.warn,
            done=_nobody if as_json or shown is None else _told,
        )
    finally:
        runner.close()
    try:
        path = tune.write(out, points, official=official)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    if as_json:
        click.echo(json.dumps([asdict(each) for each in points]))
    else:
        for line in tune.table(points, official=official):
            click.echo(line)
    click.echo(f"wrote {path}", err=True)


def _bursts(path: Path) -> list[Burst]:
    from detector.backfill.evaluate_detection import Burst
    from detector.domain import parse_time
    from detector.errors import UsageError

    try:
        return [
            Burst(onset=parse_time(row["onset"]), end=parse_time(row["end"]), service=row.get("service", ""))
            for row in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f'{path}: cannot be read as a list of {{"onset", "end"}}: {error}') from error


def _told(point: object) -> None:
    sys.stderr.write(f"\n{point}\n")


def _nobody(_: object) -> None:
    """For runs that nobody watches."""
