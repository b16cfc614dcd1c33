"""`detector status`: one look, one exit code, for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import options

if TYPE_CHECKING:
    from detector.app.build import Blueprint
    from detector.app.health import ServiceHealth


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@options.config
@options.database
@options.as_json
def command(services: tuple[str, ...], config_path: Path | None, db_path: Path | None, as_json: bool) -> None:
    """Say how the watched services (or SERVICE) are doing.

    Exit code 0: nothing unusual. 1: an outage. 2: unknown, since nothing is heard, or no daemon runs.
    """
    from detector.app.build import load_blueprint
    from detector.app.health import exit_code
    from detector.domain import format_time
    from detector.errors import StoreError, UsageError

    plan = load_blueprint(config_path)
    watched = [service.slug for service in plan.services]
    if strangers := [slug for slug in services if slug not in watched]:
        raise UsageError(f"not watched: {', '.join(strangers)}; watched are {', '.join(watched)}")
    try:
        found = _look(plan, db_path or plan.settings.store.path, list(services) or watched)
    except StoreError as error:
        # Exit code 1 would say "outage".
        click.echo(f"unknown: {error}", err=True)
        raise SystemExit(2) from error
    for each in found:
        if as_json:
            line = {"service": each.service, "state": each.state.value, "why": each.why}
            if each.alert is not None:
                line |= {"alert": each.alert.key, "since": format_time(each.alert.fired_at or each.alert.watch_at)}
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            click.echo(f"{each.service:<20} {each.state.value:<9} {each.why}")
    raise SystemExit(exit_code(each.state for each in found))


def _look(plan: Blueprint, path: Path, slugs: list[str]) -> list[ServiceHealth]:
    from detector.app.build import learning
    from detector.app.clock import system_now
    from detector.app.page import services_health
    from detector.store import open_reader

    with open_reader(path) as reader:
        checkpoint = reader.latest_checkpoint()
        learners = learning(plan, checkpoint.state if checkpoint else None)
        found = services_health(plan, reader, frozenset(learners), system_now())
    return [found[slug] for slug in slugs]
