"""What the commands that replay archives share: their options, and from them a job, an engine and a cache."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from detector.backfill.archives import Plan
    from detector.backfill.engines import Engine
    from detector.backfill.job import Job
    from detector.collectors.archive_reader import Window
    from detector.domain import Budget, Incident, Service

_Command = TypeVar("_Command", bound=Callable[..., object])
Resolve = Callable[[str], str | None]

_OPTIONS = (
    click.option("--since", metavar="TIME", help="Only posts seen from then on (2024-05-01, or with a time)."),
    click.option("--until", metavar="TIME", help="Only posts seen before then."),
    click.option(
        "--sample", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Take this share of the posts."
    ),
    click.option(
        "--engine",
        type=click.Choice(["auto", "single", "local", "ray"]),
        default="auto",
        show_default=True,
        help="One process, one a core, or Ray; all give the same bytes.",
    ),
    click.option("--workers", type=click.IntRange(1), help="Processes of the engine; default: one a core."),
    click.option("--resume", is_flag=True, help="Go on with an interrupted run into the same --out."),
    click.option(
        "--cache",
        type=click.Path(path_type=Path),
        help="Folder of judged posts, so that nothing is judged twice; default: .judged beside --out.",
    ),
    click.option("--no-cache", is_flag=True, help="Keep no judged posts."),
)


def options(command: _Command) -> _Command:
    """Which posts are taken, what runs, and where judged posts are kept."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def warn(words: str) -> None:
    """A warning on stderr."""
    click.echo(f"warning: {words}", err=True)


def cache(folder: Path | None, out: Path, *, none: bool) -> Path | None:
    """Where judged posts are kept."""
    return None if none else folder or out.absolute().parent / ".judged"


def engine(name: str, workers: int | None, archives: tuple[Path, ...]) -> Engine:
    """The engine of that name; for `auto` the archives' size decides."""
    from detector.backfill.engines import engine as named

    return named(name, workers=workers, size=sum(path.stat().st_size for path in archives if path.is_file()))


def suited(name: str, runner: Engine, planned: Plan) -> Engine:
    """The engine for what the plan leaves to do."""
    from detector.backfill.engines import suited as chosen

    return chosen(name, runner, judged=planned.judged)


def job(
    out: Path,
    catalogue: tuple[Service, ...],
    services: tuple[Service, ...],
    judge: str | None,
    budget: Budget,
    window: Window,
    *,
    batch: int = 4000,
) -> Job:
    """The job of a command; says which classifier had to stand in for another."""
    from detector.backfill.job import Job
    from detector.backfill.truth import load_judge

    notes: list[str] = []
    classifier = load_judge(judge, notes)
    for note in notes:
        warn(note)
    return Job(
        folder=out / ".work",
        catalogue=catalogue,
        services=tuple(service.slug for service in services),
        judge=judge,
        judged_by=classifier.name,
        prior=classifier.prior,
        budget=budget,
        window=window,
        batch=batch,
    )


def window(since: str | None, until: str | None, sample: float) -> Window:
    """The posts that are taken."""
    from detector.collectors.archive_reader import Window

    return Window(since=_time("--since", since), until=_time("--until", until), sample=sample)


def _time(option: str, text: str | None) -> datetime | None:
    from detector.domain import parse_time
    from detector.errors import UsageError

    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: write a date or a time, as 2024-05-01 or 2024-05-01T12:00Z") from error


def chosen(wanted: str | None) -> tuple[tuple[Service, ...], tuple[Service, ...], Resolve]:
    """The catalogue, the services of it that are watched, and what resolves a name."""
    from detector.config.catalogue import load_catalogue
    from detector.errors import UsageError
    from detector.match.matcher import NameMatcher

    catalogue = load_catalogue()
    resolve = NameMatcher(catalogue).resolve
    if wanted is None:
        return catalogue, catalogue, resolve
    slugs, unknown = set(), []
    for name in filter(None, (part.strip() for part in wanted.split(","))):
        slug = resolve(name)
        if slug is None:
            unknown.append(name)
        else:
            slugs.add(slug)
    if unknown or not slugs:
        raise UsageError(f"--services: unknown: {', '.join(unknown) or wanted}; see `detector services`")
    return catalogue, tuple(service for service in catalogue if service.slug in slugs), resolve


def incidents(paths: tuple[Path, ...], resolve: Resolve) -> list[Incident]:
    """The official record of some files, with services as the catalogue calls them."""
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
